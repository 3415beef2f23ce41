/* Check and advice: whether every partition takes records now, and which settings are weaker than they could be. */
#include <stdio.h>
#include <stdlib.h>

#include "event_log/kafka_internal.h"

/* What a topic's settings say; -1 and NULL: not known (we may not be allowed to ask). */
struct topic_settings {
    int min_insync_replicas;
    bool is_known, is_unclean, has_retention;
};

static void submit_settings(struct kafka_client *client, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue,
                            void *data) {
    rd_kafka_ConfigResource_t *resources[TOPIC_COUNT];
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        resources[topic] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, client->log->topic_names[topic]);
    rd_kafka_DescribeConfigs(client->rk, resources, TOPIC_COUNT, options, queue);
    rd_kafka_ConfigResource_destroy_array(resources, TOPIC_COUNT);
}

static void take_entry(const rd_kafka_ConfigEntry_t *entry, struct topic_settings *settings) {
    const char *name = rd_kafka_ConfigEntry_name(entry), *value = rd_kafka_ConfigEntry_value(entry);
    if (!value) return;
    if (strcmp(name, "min.insync.replicas") == 0) settings->min_insync_replicas = atoi(value);
    if (strcmp(name, "unclean.leader.election.enable") == 0) settings->is_unclean = strcmp(value, "true") == 0;
    if (strcmp(name, "retention.ms") == 0 || strcmp(name, "retention.bytes") == 0)
        settings->has_retention = settings->has_retention || strcmp(value, "-1") != 0;
}

static void take_settings(const struct kafka_log *log, rd_kafka_event_t *event,
                          struct topic_settings settings[TOPIC_COUNT]) {
    size_t count, entry_count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_ConfigResource_error(resources[i])) continue;
        for (int topic = 0; topic < TOPIC_COUNT; topic++) {
            if (strcmp(rd_kafka_ConfigResource_name(resources[i]), log->topic_names[topic]) != 0) continue;
            const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[i], &entry_count);
            settings[topic].is_known = true;
            for (size_t j = 0; j < entry_count; j++)
                take_entry(entries[j], &settings[topic]);
        }
    }
}

static enum status ask_settings(struct kafka_log *log, int timeout_ms, struct topic_settings settings[TOPIC_COUNT],
                                struct error *error) {
    struct kafka_client *client;
    rd_kafka_event_t *event;
    enum status status = kafka_admin_take(log, &client, error);
    if (status) return status;
    struct kafka_admin_call call = {submit_settings, NULL, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "the topics' settings"};
    memset(settings, 0, TOPIC_COUNT * sizeof *settings);
    status = kafka_admin_run(client, &call, timeout_ms, &event, error);
    kafka_admin_give(log, status == STATUS_OK);
    if (status) return status;
    take_settings(log, event, settings);
    rd_kafka_event_destroy(event);
    return STATUS_OK;
}

/* Both questions within one time limit. */
static enum status ask_both(struct kafka_log *log, int timeout_ms, struct kafka_topics_state *state,
                            struct topic_settings settings[TOPIC_COUNT], struct error *error) {
    int64_t until_ns = kafka_now_ns() + (int64_t)timeout_ms * 1000000;
    enum status status = kafka_topics_ask(log, timeout_ms, state, error);
    if (status) return status;
    int left_ms = (int)((until_ns - kafka_now_ns()) / 1000000);
    return ask_settings(log, left_ms > 1 ? left_ms : 1, settings, error);
}

enum status kafka_check(struct event_log *base, int timeout_ms, struct error *error) {
    struct kafka_log *log = kafka_log_of(base);
    struct kafka_topics_state state;
    struct topic_settings settings[TOPIC_COUNT];
    enum status status = kafka_check_partition(base, 0, 0, error);
    if (status == STATUS_OK) status = ask_both(log, timeout_ms, &state, settings, error);
    if (status) return status;
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        const char *name = log->topic_names[topic], *servers = log->options.bootstrap_servers;
        if (state.partition_count[topic] == 0)
            return error_set(error, STATUS_NOT_FOUND, "Kafka at %s has no topic %s: run `orderly setup`", servers,
                             name);
        if (state.leaderless[topic] > 0)
            return error_set(error, STATUS_UNAVAILABLE,
                             "Kafka at %s: %d of %d partitions of %s have no leader: start the brokers that are down",
                             servers, state.leaderless[topic], state.partition_count[topic], name);
        if (state.in_sync[topic] < settings[topic].min_insync_replicas)
            return error_set(error, STATUS_UNAVAILABLE,
                             "Kafka at %s: a partition of %s has %d in-sync replicas, and takes records from %d on: "
                             "start the brokers that are down",
                             servers, name, state.in_sync[topic], settings[topic].min_insync_replicas);
    }
    return STATUS_OK;
}

static void advise_topic(const struct kafka_log *log, enum event_log_topic topic,
                         const struct kafka_topics_state *state, const struct topic_settings *settings,
                         struct advice *advice) {
    const char *name = log->topic_names[topic];
    int replication = state->replication[topic];
    if (replication < 3)
        advice_add(advice, "topic %s has %d replica%s: the loss of %s loses orders; use 3", name, replication,
                   replication == 1 ? "" : "s", replication == 1 ? "one broker" : "two brokers");
    if (!settings->is_known) return;
    if (replication >= 3 && settings->min_insync_replicas < 2)
        advice_add(advice, "topic %s acknowledges with one replica: set min.insync.replicas=2", name);
    if (settings->is_unclean)
        advice_add(advice, "topic %s may lose acknowledged records: set unclean.leader.election.enable=false", name);
    if (topic == TOPIC_COMMANDS && settings->has_retention)
        advice_add(advice,
                   "Kafka may delete commands of %s before they are processed: set retention.ms=-1 and "
                   "retention.bytes=-1 (Orderly trims them itself)",
                   name);
}

void kafka_advise(struct event_log *base, int timeout_ms, struct advice *advice) {
    struct kafka_log *log = kafka_log_of(base);
    struct kafka_topics_state state;
    struct topic_settings settings[TOPIC_COUNT];
    if (base->partition_count == 0 || ask_both(log, timeout_ms, &state, settings, NULL)) return;
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        if (state.partition_count[topic] > 0) advise_topic(log, topic, &state, &settings[topic], advice);
    if (log->options.partition_count > 0 && log->options.partition_count != base->partition_count)
        advice_add(advice, "the topics have %d partitions, not the %d that are set: the topics' number counts",
                   base->partition_count, log->options.partition_count);
}
