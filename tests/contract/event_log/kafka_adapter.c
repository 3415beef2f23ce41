/* The Kafka log for the contract suite: each place is a prefix of its own on the brokers of KAFKA_BOOTSTRAP_SERVERS. */
#include "contract/event_log/kafka_adapter.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "event_log/kafka.h"

#define TIMEOUT_MS 30000
#define TOPICS_MAX 64
#define LOGS_MAX 4

static void make_place(char place[CONTRACT_PLACE_MAX]) {
    const char *servers = getenv("KAFKA_BOOTSTRAP_SERVERS");
    if (!servers) fail_msg("KAFKA_BOOTSTRAP_SERVERS is not set");
    uint64_t number = random_below(random_system(), UINT64_MAX);
    snprintf(place, CONTRACT_PLACE_MAX, "%s contract-%016llx-", servers, (unsigned long long)number);
}

static void split_place(const char *place, char servers[CONTRACT_PLACE_MAX], const char **prefix_out) {
    snprintf(servers, CONTRACT_PLACE_MAX, "%s", place);
    char *space = strchr(servers, ' ');
    *space = '\0';
    *prefix_out = space + 1;
}

/* The logs that are open, and the texts they borrow. */
static struct opened {
    struct event_log *log;
    char servers[CONTRACT_PLACE_MAX], prefix[CONTRACT_PLACE_MAX];
} opened[LOGS_MAX];

static struct opened *opened_find(const struct event_log *log) {
    for (int i = 0; i < LOGS_MAX; i++)
        if (opened[i].log == log) return &opened[i];
    fail_msg("more than %d logs at once", LOGS_MAX);
    return NULL;
}

static enum status open_log(const char *place, const char *namespace_prefix, int32_t partition_count,
                            struct event_log **log_out, struct error *error) {
    struct opened *slot = opened_find(NULL);
    const char *prefix;
    split_place(place, slot->servers, &prefix);
    snprintf(slot->prefix, sizeof slot->prefix, "%s%s", prefix, namespace_prefix);
    struct event_log_kafka_options options = {.bootstrap_servers = slot->servers,
                                              .namespace_prefix = slot->prefix,
                                              .partition_count = partition_count,
                                              .connect_timeout_ms = TIMEOUT_MS,
                                              .clock = clock_system()};
    enum status status = event_log_kafka_open(&options, log_out, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) slot->log = *log_out;
    return status;
}

static void close_log(struct event_log *log) {
    struct opened *slot = opened_find(log);
    event_log_close(log);
    slot->log = NULL;
}

/* --- removing what was made --- */

static rd_kafka_t *open_client(const char *servers) {
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!rk) fail_msg("%s", text);
    return rk;
}

static size_t find_topics(rd_kafka_t *rk, const char *prefix, rd_kafka_DeleteTopic_t *topics[TOPICS_MAX]) {
    const rd_kafka_metadata_t *metadata;
    size_t count = 0;
    if (rd_kafka_metadata(rk, 1, NULL, &metadata, TIMEOUT_MS)) return 0;
    for (int i = 0; i < metadata->topic_cnt && count < TOPICS_MAX; i++)
        if (strncmp(metadata->topics[i].topic, prefix, strlen(prefix)) == 0)
            topics[count++] = rd_kafka_DeleteTopic_new(metadata->topics[i].topic);
    rd_kafka_metadata_destroy(metadata);
    return count;
}

void kafka_remove_topics(const char *bootstrap_servers, const char *prefix) {
    rd_kafka_DeleteTopic_t *topics[TOPICS_MAX];
    rd_kafka_t *rk = open_client(bootstrap_servers);
    size_t count = find_topics(rk, prefix, topics);
    if (count > 0) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
        rd_kafka_DeleteTopics(rk, topics, count, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
        if (event) rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_DeleteTopic_destroy_array(topics, count);
    }
    rd_kafka_destroy(rk);
}

static void remove_place(const char *place) {
    char servers[CONTRACT_PLACE_MAX];
    const char *prefix;
    split_place(place, servers, &prefix);
    kafka_remove_topics(servers, prefix);
}

const struct log_adapter kafka_adapter = {
    .make_place = make_place, .remove_place = remove_place, .open = open_log, .close = close_log};
