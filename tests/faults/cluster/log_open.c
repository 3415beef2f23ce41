/* Opens the event log of the installation under test: Kafka if its servers are named, else a data directory. */
#include "log_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "event_log/embedded.h"
#include "event_log/kafka.h"

static void sync_failed(void *data, const char *text) {
    fprintf(stderr, "%s\n", text);
    _exit(1);
}

static enum status open_embedded(const char *prefix, struct opened_log *opened, struct error *error) {
    const char *directory = getenv("ORDERLY_DATA_DIR");
    const struct lmdb_env_options environment = {.directory = directory ? directory : "",
                                                 .databases_max = TOPIC_COUNT * EVENT_LOG_PARTITIONS_MAX + 32,
                                                 .fatal = sync_failed};
    enum status status = lmdb_env_open(&environment, &opened->env, error);
    if (status != STATUS_OK) return status;
    const struct event_log_embedded_options options = {
        .env = opened->env, .clock = clock_system(), .namespace_prefix = prefix};
    return event_log_embedded_open(&options, &opened->log, error);
}

enum status log_open(struct opened_log *opened_out, struct error *error) {
    struct opened_log opened = {0};
    const char *servers = getenv("KAFKA_BOOTSTRAP_SERVERS"), *prefix = getenv("ORDERLY_NAMESPACE");
    const struct event_log_kafka_options options = {
        .bootstrap_servers = servers, .namespace_prefix = prefix ? prefix : "", .clock = clock_system()};
    enum status status = servers && servers[0] ? event_log_kafka_open(&options, &opened.log, error)
                                               : open_embedded(options.namespace_prefix, &opened, error);
    if (status == STATUS_OK)
        *opened_out = opened;
    else
        log_close(&opened);
    return status;
}

void log_close(struct opened_log *opened) {
    event_log_close(opened->log);
    lmdb_env_close(opened->env);
}
