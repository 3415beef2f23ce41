/* librdkafka's properties: what the promises rest on, good defaults, and the user's own between them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "event_log/kafka_internal.h"

#define ERROR_SIZE 512
#define NUMBER_SIZE 24

enum roles {
    ADMIN = 1 << KAFKA_ADMIN,
    PRODUCER = 1 << KAFKA_PRODUCER,
    READER = 1 << KAFKA_READER,
    MEMBER = 1 << KAFKA_MEMBER,
    CONSUMERS = READER | MEMBER,
    ALL = ADMIN | PRODUCER | CONSUMERS
};

struct property {
    unsigned roles;
    const char *name, *value;
    bool is_optional; /* not known to every version */
};

/* The user may set these otherwise. */
static const struct property defaults[] = {
    {ALL, "client.id", "orderly", false},
    {ALL, "socket.timeout.ms", "5000", false},
    {ALL, "socket.keepalive.enable", "true", false},
    {ALL, "reconnect.backoff.ms", "50", false},
    {ALL, "reconnect.backoff.max.ms", "1000", false}, /* 10 s would turn a restart into a long outage */
    {ALL, "socket.connection.setup.timeout.ms", "5000", false},
    {PRODUCER, "linger.ms", "0", false}, /* one request waits for nothing; under load it batches by itself */
    {PRODUCER, "request.timeout.ms", "5000", false},
    /* For ever: a record that librdkafka gives up makes it number the later ones anew, and one of them that the broker
     * has taken, but not yet answered, is then written twice (seen with 2.0.2). The supervisor ends the waiting. */
    {PRODUCER, "message.timeout.ms", "0", false},
    {PRODUCER, "retry.backoff.ms", "50", false},
    /* Each partition has a queue of its own, so these count for one: 12 of them stay small, and yet hold what is read
     * in the second that versions before 2.2 may take to look at a full queue again. */
    {CONSUMERS, "queued.max.messages.kbytes", "1024", false},
    {CONSUMERS, "fetch.message.max.bytes", "1048576", false},
    {CONSUMERS, "fetch.max.bytes", "4194304", false},
    {CONSUMERS, "fetch.wait.max.ms", "250", false}, /* also how soon a partition that has room again is asked for */
    {CONSUMERS, "fetch.error.backoff.ms", "100", false},
    {CONSUMERS, "fetch.queue.backoff.ms", "20", true},
    {MEMBER, "heartbeat.interval.ms", "1500", false},
};

/* The promises rest on these: they are set last, and the user may not name them. */
static const struct property fixed[] = {
    {ALL, "log.queue", "true", false},
    {PRODUCER, "acks", "all", false},
    {PRODUCER, "enable.idempotence", "true", false},
    {PRODUCER, "partitioner", "murmur2_random", false},
    {PRODUCER, "message.max.bytes", "1048576", false}, /* the largest record and its framing */
    /* Our own limits hold before these do, so that an append is taken whole or not at all. */
    {PRODUCER, "queue.buffering.max.messages", "10000000", false},
    {PRODUCER, "queue.buffering.max.kbytes", "2000000", false},
    {CONSUMERS, "enable.auto.commit", "false", false},
    {CONSUMERS, "enable.auto.offset.store", "false", false},
    {CONSUMERS, "auto.offset.reset", "error", false},
    {CONSUMERS, "enable.partition.eof", "false", false},
    /* We see whether a broker answers by the statistics. A member that waits for its group to settle, and a paused
     * reader, hear nothing from it but the answer to this question. */
    {CONSUMERS, "statistics.interval.ms", "1000", false},
    {CONSUMERS, "topic.metadata.refresh.interval.ms", "1000", false},
    {MEMBER, "partition.assignment.strategy", "range", false},
    {MEMBER, "group.protocol", "classic", true},
};

/* What else the user may not set: other names of these, what would call back into us, what is a setting of its own. */
static const char *const refused[] = {
    "request.required.acks",
    "group.id",
    "group.protocol",
    "group.remote.assignor",
    "group.instance.id",
    "transactional.id",
    "isolation.level",
    "max.in.flight.requests.per.connection",
    "max.in.flight",
    "retries",
    "message.send.max.retries",
    "bootstrap.servers",
    "metadata.broker.list",
    "session.timeout.ms",
    "max.poll.interval.ms",
    "plugin.library.paths",
    "interceptors",
    "opaque",
    "default_topic_conf",
    "auto.commit.enable",
    "offset.store.method",
    "allow.auto.create.topics",
    "delivery.report.only.error",
    "enable.random.seed",
    "test.mock.num.brokers",
    "produce.offset.report",
    "delivery.timeout.ms",
    "message.timeout.ms",
    "queuing.strategy",
    "consume.callback.max.messages",
    "log.thread.name",
    "topic.blacklist",
};

static bool is_refused(const char *name) {
    size_t size = strlen(name);
    if (size >= 3 && strcasecmp(name + size - 3, "_cb") == 0) return true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcasecmp(name, refused[i]) == 0) return true;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcasecmp(name, fixed[i].name) == 0) return true;
    return false;
}

/* librdkafka's texts quote the value: not to be shown for these. */
static bool is_secret(const char *name) {
    static const char *const parts[] = {"password", "secret", "key", "pem", "token", "oauthbearer", "sasl.username"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i])) return true;
    return false;
}

static enum status set_one(rd_kafka_conf_t *conf, const char *name, const char *value, const char *setting,
                           struct error *error) {
    char text[ERROR_SIZE];
    switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK: return STATUS_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        return error_set(error, STATUS_INVALID, "%s: librdkafka %s knows no property \"%s\"", setting,
                         rd_kafka_version_str(), name);
    default:
        if (is_secret(name))
            return error_set(error, STATUS_INVALID, "%s: not a value for \"%s\" (not shown)", setting, name);
        return error_set(error, STATUS_INVALID, "%s: %s: %s", setting, name, text);
    }
}

static enum status set_table(rd_kafka_conf_t *conf, const struct property *table, size_t count, enum kafka_role role,
                             struct error *error) {
    for (size_t i = 0; i < count; i++) {
        if (!(table[i].roles & (1u << role))) continue;
        enum status status = set_one(conf, table[i].name, table[i].value, "Orderly", error);
        if (status && !table[i].is_optional) return status;
    }
    return STATUS_OK;
}

static enum status set_number(rd_kafka_conf_t *conf, const char *name, int value, struct error *error) {
    char text[NUMBER_SIZE];
    snprintf(text, sizeof text, "%d", value);
    return set_one(conf, name, text, "Orderly", error);
}

static enum status set_user(rd_kafka_conf_t *conf, const struct event_log_kafka_options *options, struct error *error) {
    for (size_t i = 0; i < options->property_count; i++) {
        const struct kafka_property *property = &options->properties[i];
        enum status status = set_one(conf, property->name, property->value, property->setting, error);
        if (status) return status;
    }
    return STATUS_OK;
}

static int events_of(enum kafka_role role) {
    int events = RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG;
    if (role == KAFKA_PRODUCER) events |= RD_KAFKA_EVENT_DR;
    if (role == KAFKA_READER || role == KAFKA_MEMBER) events |= RD_KAFKA_EVENT_STATS;
    if (role == KAFKA_MEMBER) events |= RD_KAFKA_EVENT_REBALANCE;
    return events;
}

static enum status fill(rd_kafka_conf_t *conf, const struct event_log_kafka_options *options, enum kafka_role role,
                        const char *group, struct error *error) {
    enum status status = set_table(conf, defaults, sizeof defaults / sizeof *defaults, role, error);
    if (status == STATUS_OK) status = set_user(conf, options, error);
    if (status == STATUS_OK) status = set_table(conf, fixed, sizeof fixed / sizeof *fixed, role, error);
    if (status == STATUS_OK)
        status = set_one(conf, "bootstrap.servers", options->bootstrap_servers, "KAFKA_BOOTSTRAP_SERVERS", error);
    if (status == STATUS_OK && group) status = set_one(conf, "group.id", group, "Orderly", error);
    if (status == STATUS_OK && role == KAFKA_MEMBER) {
        status = set_number(conf, "session.timeout.ms", options->session_timeout_ms, error);
        int poll_max_ms =
            options->session_timeout_ms > KAFKA_POLL_MAX_MS ? options->session_timeout_ms : KAFKA_POLL_MAX_MS;
        if (status == STATUS_OK) status = set_number(conf, "max.poll.interval.ms", poll_max_ms, error);
    }
    if (status == STATUS_OK) rd_kafka_conf_set_events(conf, events_of(role));
    return status;
}

enum status kafka_conf_new(const struct event_log_kafka_options *options, enum kafka_role role, const char *group,
                           rd_kafka_conf_t **conf_out, struct error *error) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status = fill(conf, options, role, group, error);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    *conf_out = conf;
    return STATUS_OK;
}

enum status kafka_conf_check(const struct event_log_kafka_options *options, struct error *error) {
    if (!options->bootstrap_servers || !options->bootstrap_servers[0])
        return error_set(error, STATUS_INVALID, "KAFKA_BOOTSTRAP_SERVERS names no broker");
    for (size_t i = 0; i < options->property_count; i++)
        if (is_refused(options->properties[i].name))
            return error_set(error, STATUS_INVALID, "%s: \"%s\" cannot be set: Orderly's promises rest on its value",
                             options->properties[i].setting, options->properties[i].name);
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf_new(options, KAFKA_MEMBER, "check", &conf, error);
    if (status == STATUS_OK) rd_kafka_conf_destroy(conf);
    return status;
}
