/* Setup: creates the topics that are not there, and waits until they have leaders. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "event_log/kafka_internal.h"

#define VALUE_SIZE 32
#define BATCH_MAX "1048588" /* Kafka's own default: holds the largest record and its framing */
#define LOOK_MS 100
#define REPLICATION 3

struct creation {
    const struct kafka_log *log;
    enum event_log_topic topic;
    int replication, min_insync_replicas;
};

static void set(rd_kafka_NewTopic_t *topic, const char *name, const char *value) {
    rd_kafka_NewTopic_set_config(topic, name, value);
}

/* Time never removes a record that is kept until it is trimmed, nor does size. */
static void configure(rd_kafka_NewTopic_t *topic, const struct creation *creation) {
    char value[VALUE_SIZE];
    int64_t retention_ms = creation->log->options.retention_ms[creation->topic];
    snprintf(value, sizeof value, "%" PRId64, retention_ms > 0 ? retention_ms : -1);
    set(topic, "retention.ms", value);
    set(topic, "retention.bytes", "-1");
    snprintf(value, sizeof value, "%d", creation->min_insync_replicas);
    set(topic, "min.insync.replicas", value);
    set(topic, "unclean.leader.election.enable", "false");
    set(topic, "cleanup.policy", "delete");
    set(topic, "message.timestamp.type", "CreateTime");
    set(topic, "max.message.bytes", BATCH_MAX);
}

static void submit_creation(struct kafka_client *client, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue,
                            void *data) {
    const struct creation *creation = data;
    char text[ERROR_TEXT_SIZE];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(creation->log->topic_names[creation->topic], creation->log->options.partition_count,
                              creation->replication, text, sizeof text);
    configure(topic, creation);
    rd_kafka_CreateTopics(client->rk, &topic, 1, options, queue);
    rd_kafka_NewTopic_destroy(topic);
}

static enum status creation_answer(const struct kafka_log *log, rd_kafka_event_t *event, struct error *error) {
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue; /* another setup was first */
        bool is_ours = code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
                       code == RD_KAFKA_RESP_ERR_INVALID_CONFIG || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
        const char *text = rd_kafka_topic_result_error_string(results[i]);
        return error_set(error, is_ours ? STATUS_INVALID : STATUS_UNAVAILABLE, "Kafka at %s does not create %s: %s",
                         log->options.bootstrap_servers, rd_kafka_topic_result_name(results[i]),
                         text ? text : rd_kafka_err2str(code));
    }
    return STATUS_OK;
}

static enum status create_topic(struct kafka_log *log, struct creation *creation, struct error *error) {
    struct kafka_client *client;
    rd_kafka_event_t *event;
    enum status status = kafka_admin_take(log, &client, error);
    if (status) return status;
    struct kafka_admin_call call = {submit_creation, creation, RD_KAFKA_ADMIN_OP_CREATETOPICS, "creating topics"};
    status = kafka_admin_run(client, &call, log->options.connect_timeout_ms, &event, error);
    kafka_admin_give(log, status == STATUS_OK);
    if (status) return status;
    status = creation_answer(log, event, error);
    rd_kafka_event_destroy(event);
    return status;
}

/* --- the whole --- */

static enum status check_options(const struct event_log_kafka_options *options, struct error *error) {
    if (options->partition_count < 1 || options->partition_count > EVENT_LOG_PARTITIONS_MAX)
        return error_set(error, STATUS_INVALID, "%d partitions: 1 to %d are possible", options->partition_count,
                         EVENT_LOG_PARTITIONS_MAX);
    if (options->replication > 0 && options->min_insync_replicas > options->replication)
        return error_set(error, STATUS_INVALID, "%d in-sync replicas of %d can never be reached",
                         options->min_insync_replicas, options->replication);
    return STATUS_OK;
}

static enum status check_count(const struct kafka_log *log, const struct kafka_topics_state *state,
                               struct error *error) {
    int32_t wanted = log->options.partition_count;
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        int32_t count = state->partition_count[topic];
        if (count > 0 && count != wanted)
            return error_set(error, STATUS_CONFLICT,
                             "topic %s has %d partitions, not %d: set ORDERLY_PARTITIONS=%d; another number is a "
                             "migration",
                             log->topic_names[topic], count, wanted, count);
    }
    return STATUS_OK;
}

/* Until what was created is known everywhere and has leaders. */
static enum status await_topic(struct kafka_log *log, enum event_log_topic topic, int64_t until_ns,
                               struct kafka_topics_state *state, struct error *error) {
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
    for (;;) {
        int left_ms = (int)((until_ns - kafka_now_ns()) / 1000000);
        if (left_ms <= 0)
            return error_set(error, STATUS_UNAVAILABLE, "Kafka at %s: topic %s has no leader yet: try again",
                             log->options.bootstrap_servers, log->topic_names[topic]);
        enum status status = kafka_topics_ask(log, left_ms, state, error);
        if (status) return status;
        if (state->partition_count[topic] > 0 && state->leaderless[topic] == 0) return STATUS_OK;
        nanosleep(&look, NULL);
    }
}

/* One after the other: of two that set up at once with different numbers, the one that did not create the first topic
 * is told so before it creates any. */
static enum status create_missing(struct kafka_log *log, struct kafka_topics_state *state, struct error *error) {
    const struct event_log_kafka_options *options = &log->options;
    int replication = options->replication;
    if (replication == 0) replication = state->broker_count < REPLICATION ? state->broker_count : REPLICATION;
    int min_insync_replicas = options->min_insync_replicas;
    if (min_insync_replicas == 0) min_insync_replicas = replication >= REPLICATION ? 2 : 1;
    int64_t until_ns = kafka_now_ns() + (int64_t)options->connect_timeout_ms * 1000000;
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        struct creation creation = {log, topic, replication, min_insync_replicas};
        enum status status = check_count(log, state, error);
        if (status == STATUS_OK && state->partition_count[topic] == 0) status = create_topic(log, &creation, error);
        if (status == STATUS_OK) status = await_topic(log, topic, until_ns, state, error);
        if (status) return status;
    }
    return check_count(log, state, error);
}

enum status kafka_setup(struct event_log *base, struct error *error) {
    struct kafka_log *log = kafka_log_of(base);
    struct kafka_topics_state state;
    enum status status = check_options(&log->options, error);
    if (status == STATUS_OK) status = kafka_topics_ask(log, log->options.connect_timeout_ms, &state, error);
    if (status == STATUS_OK && state.broker_count == 0)
        status = error_set(error, STATUS_UNAVAILABLE, "Kafka at %s has no live broker now: try again",
                           log->options.bootstrap_servers);
    if (status == STATUS_OK) status = create_missing(log, &state, error);
    return status ? status : kafka_log_begin(log, log->options.partition_count, error);
}
