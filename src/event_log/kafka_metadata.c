/* What the cluster says of our topics: partitions, replicas, leaders. */
#include <stdio.h>

#include "event_log/kafka_internal.h"

static void take_topic(const rd_kafka_metadata_topic_t *from, enum event_log_topic topic,
                       struct kafka_topics_state *state) {
    state->partition_count[topic] = from->partition_cnt;
    for (int i = 0; i < from->partition_cnt; i++) {
        const rd_kafka_metadata_partition_t *partition = &from->partitions[i];
        bool is_first = i == 0;
        if (is_first || partition->replica_cnt < state->replication[topic])
            state->replication[topic] = partition->replica_cnt;
        if (is_first || partition->isr_cnt < state->in_sync[topic]) state->in_sync[topic] = partition->isr_cnt;
        if (partition->leader < 0) state->leaderless[topic]++;
    }
}

static enum status take_metadata(const struct kafka_log *log, const rd_kafka_metadata_t *metadata,
                                 struct kafka_topics_state *state, struct error *error) {
    *state = (struct kafka_topics_state){.broker_count = metadata->broker_cnt};
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *found = &metadata->topics[i];
        for (int topic = 0; topic < TOPIC_COUNT; topic++) {
            if (strcmp(found->topic, log->topic_names[topic]) != 0) continue;
            if (found->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
                return error_set(error, STATUS_UNAVAILABLE, "Kafka at %s refuses us the topic %s: grant its access",
                                 log->options.bootstrap_servers, found->topic);
            if (found->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && found->err != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
                take_topic(found, topic, state);
        }
    }
    return STATUS_OK;
}

/* Asks for the topics that the client holds handles of: ours, and not all of the cluster's. */
static rd_kafka_resp_err_t ask(struct kafka_log *log, struct kafka_client *client, int timeout_ms,
                               const rd_kafka_metadata_t **metadata_out) {
    rd_kafka_topic_t *topics[TOPIC_COUNT];
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        topics[topic] = rd_kafka_topic_new(client->rk, log->topic_names[topic], NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, NULL, metadata_out, timeout_ms);
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        if (topics[topic]) rd_kafka_topic_destroy(topics[topic]);
    return code;
}

enum status kafka_topics_ask(struct kafka_log *log, int timeout_ms, struct kafka_topics_state *state_out,
                             struct error *error) {
    struct kafka_client *client;
    struct kafka_topics_state state;
    const rd_kafka_metadata_t *metadata;
    enum status status = kafka_admin_take(log, &client, error);
    if (status) return status;
    rd_kafka_resp_err_t code = ask(log, client, timeout_ms, &metadata);
    if (code) {
        status = kafka_unavailable(client, code, "no broker answers", error);
    } else {
        status = take_metadata(log, metadata, &state, error);
        rd_kafka_metadata_destroy(metadata);
    }
    kafka_admin_give(log, code == RD_KAFKA_RESP_ERR_NO_ERROR);
    if (status == STATUS_OK) *state_out = state;
    return status;
}

enum status kafka_topics_count(const struct kafka_log *log, const struct kafka_topics_state *state, int32_t *count_out,
                               struct error *error) {
    int32_t count = 0;
    bool is_complete = true;
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        int32_t own = state->partition_count[topic];
        if (own == 0) is_complete = false;
        if (own > 0 && count > 0 && own != count)
            return error_set(error, STATUS_CONFLICT,
                             "topic %s has %d partitions and another of ours has %d: they must have the same number",
                             log->topic_names[topic], own, count);
        if (own > 0) count = own;
    }
    *count_out = is_complete ? count : 0;
    return STATUS_OK;
}
