/* The rig's adapters on the real services. */
#include "support/rig_cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "event_log/kafka.h"
#include "order_cache/redis.h"
#include "order_store/cassandra.h"

#define CLUSTER_WAIT_S 180 /* a JVM that starts on a busy machine takes its time */
#define CLUSTER_PAUSE_US 5000
#define CLUSTER_BACKOFF_MAX_MS 200
#define CHECK_MS 60000

static void must(enum status status, const char *what, const struct error *error) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), error->text);
    abort();
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value && *value) return value;
    fprintf(stderr, "%s is not set; run this by deploy/local/cluster exec --\n", name);
    exit(2);
}

static void make_namespace(struct rig *rig) {
    if (rig->namespace_prefix[0]) return;
    uint32_t number;
    random_fill(random_system(), &number, sizeof number);
    snprintf(rig->namespace_prefix, sizeof rig->namespace_prefix, "model_%08" PRIx32 "_", number);
}

static void open_log(struct rig *rig) {
    struct error error = {.text = ""};
    const struct event_log_kafka_options options = {.bootstrap_servers = setting("KAFKA_BOOTSTRAP_SERVERS"),
                                                    .namespace_prefix = rig->namespace_prefix,
                                                    .partition_count = rig->partition_count,
                                                    .connect_timeout_ms = CHECK_MS,
                                                    .clock = rig->clock};
    enum status status = event_log_kafka_open(&options, &rig->log, &error);
    if (status == STATUS_NOT_FOUND) status = event_log_setup(rig->log, &error);
    must(status, "log", &error);
}

static void open_store(struct rig *rig) {
    struct error error = {.text = ""};
    const struct order_store_cassandra_options options = {.contact_points = setting("CASSANDRA_CONTACT_POINTS"),
                                                          .prefix = rig->namespace_prefix,
                                                          .local_dc = "",
                                                          .user = "",
                                                          .password = "",
                                                          .tls_ca_file = "",
                                                          .tls_cert_file = "",
                                                          .tls_key_file = "",
                                                          .replication = 1,
                                                          .clock = rig->clock};
    enum status status = order_store_cassandra_open(&options, &rig->store, &error);
    if (status == STATUS_NOT_FOUND) status = order_store_setup(rig->store, &error);
    must(status, "store", &error);
}

static void open_cache(struct rig *rig) {
    struct error error = {.text = ""};
    const struct order_cache_redis_options options = {.host = setting("REDIS_HOST"),
                                                      .port = (uint16_t)atoi(setting("REDIS_PORT")),
                                                      .namespace_prefix = rig->namespace_prefix,
                                                      .clock = rig->clock,
                                                      .random = random_system()};
    must(order_cache_redis_open(&options, &rig->cache, &error), "cache", &error);
    must(order_cache_check(rig->cache, CHECK_MS, &error), "cache", &error);
}

static void open_cluster(struct rig *rig) {
    make_namespace(rig);
    open_log(rig);
    open_store(rig);
    open_cache(rig);
}

static void close_cluster(struct rig *rig) {
    order_cache_close(rig->cache);
    order_store_close(rig->store);
    event_log_close(rig->log);
}

const struct rig_adapters rig_cluster = {.open = open_cluster,
                                         .close = close_cluster,
                                         .wait_s = CLUSTER_WAIT_S,
                                         .pause_us = CLUSTER_PAUSE_US,
                                         .backoff_max_ms = CLUSTER_BACKOFF_MAX_MS};
