/* The Kafka event log: open, close, and the table of functions. */
#include "event_log/kafka.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "event_log/kafka_internal.h"

#define LOOK_MS 100
#define LOOK_MAX_NS ((int64_t)5000000000) /* for topics that only some brokers know */
#define CONNECT_TIMEOUT_MS 10000
#define SESSION_TIMEOUT_MS 6000 /* a broker takes no less unless it is told to */
#define SILENT_MAX_MS 20000
#define CLOSE_FLUSH_NS ((int64_t)5000000000) /* for the answers to appends under way */

bool kafka_name_is_valid(const char *name) {
    size_t length = strlen(name);
    if (length > KAFKA_NAME_MAX || name[0] == '.') return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at)) return false;
    return true;
}

enum status kafka_check_partition(const struct event_log *base, enum event_log_topic topic, int32_t partition,
                                  struct error *error) {
    if (base->partition_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "the topics are not there: run `orderly setup`");
    if (topic >= TOPIC_COUNT || partition < 0 || partition >= base->partition_count)
        return error_set(error, STATUS_INVALID, "there is no partition %d", partition);
    return STATUS_OK;
}

/* --- close --- */

/* What is under way gets a moment to be answered; the rest is purged, and ends as not written or unknown. */
static void close_producer(struct kafka_log *log) {
    struct timespec until = kafka_until(kafka_now_ns() + CLOSE_FLUSH_NS);
    pthread_mutex_lock(&log->mutex);
    log->closing = true;
    while (log->appends_under_way > 0 && pthread_cond_timedwait(&log->changed, &log->mutex, &until) == 0) {
    }
    pthread_mutex_unlock(&log->mutex);
    kafka_producer_change(log, NULL);
    kafka_event_fd_ring(log->wake_fd);
    pthread_mutex_lock(&log->mutex);
    while (log->retiring > 0) /* bounded by the supervisor */
        pthread_cond_wait(&log->changed, &log->mutex);
    pthread_mutex_unlock(&log->mutex);
}

static void log_free(struct kafka_log *log) {
    if (log->wake_fd >= 0) close(log->wake_fd);
    pthread_cond_destroy(&log->changed);
    pthread_cond_destroy(&log->client_served);
    pthread_mutex_destroy(&log->mutex);
    pthread_mutex_destroy(&log->clients_mutex);
    pthread_mutex_destroy(&log->admin_mutex);
    free(log);
}

static void kafka_close(struct event_log *base) {
    struct kafka_log *log = kafka_log_of(base);
    if (log->supervisor_runs) {
        kafka_trimmer_stop(log);
        close_producer(log);
    }
    kafka_supervisor_stop(log);
    kafka_admin_close(log);
    size_t left = kafka_teardowns_close(log->teardowns);
    if (left > 0)
        log_event(log->options.logger, LOG_WARN, "Kafka clients that hang were left behind", LOG_N("clients", left));
    log_free(log);
}

static const struct event_log_ops kafka_ops = {
    .name = "kafka",
    .setup = kafka_setup,
    .check = kafka_check,
    .advise = kafka_advise,
    .append = kafka_append,
    .trim = kafka_trim,
    .range = kafka_range,
    .committed = kafka_committed,
    .consumer_open = kafka_consumer_open,
    .close = kafka_close,
};

/* --- open --- */

static void register_metrics(struct kafka_log *log, struct metrics *metrics) {
    static const char *const roles[KAFKA_ROLE_COUNT] = {"admin", "producer", "reader", "member"};
    char labels[64];
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        snprintf(labels, sizeof labels, "topic=\"%s\"", event_log_topic_name(topic));
        log->appended[topic] =
            metrics_counter(metrics, "orderly_log_appended_total", "Records appended to the log", labels);
    }
    for (int role = 0; role < KAFKA_ROLE_COUNT; role++) {
        snprintf(labels, sizeof labels, "client=\"%s\"", roles[role]);
        log->replaced[role] = metrics_counter(metrics, "orderly_log_clients_replaced_total",
                                              "Kafka clients that no longer worked and were replaced", labels);
    }
}

static void set_defaults(struct event_log_kafka_options *options) {
    if (options->connect_timeout_ms == 0) options->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (options->session_timeout_ms == 0) options->session_timeout_ms = SESSION_TIMEOUT_MS;
    if (options->silent_max_ms == 0) options->silent_max_ms = SILENT_MAX_MS;
    if (!options->namespace_prefix) options->namespace_prefix = "";
}

static struct kafka_log *log_new(const struct event_log_kafka_options *options) {
    struct kafka_log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    log->base.ops = &kafka_ops;
    log->options = *options;
    set_defaults(&log->options);
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        snprintf(log->topic_names[topic], sizeof log->topic_names[topic], "%s%s", log->options.namespace_prefix,
                 event_log_topic_name(topic));
    pthread_mutex_init(&log->mutex, NULL);
    pthread_mutex_init(&log->clients_mutex, NULL);
    pthread_mutex_init(&log->admin_mutex, NULL);
    kafka_condition_init(&log->changed);
    kafka_condition_init(&log->client_served);
    register_metrics(log, options->metrics);
    log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    log->teardowns = kafka_teardowns_new();
    if (log->wake_fd >= 0 && log->teardowns) return log;
    kafka_teardowns_close(log->teardowns);
    log_free(log);
    return NULL;
}

enum status kafka_log_begin(struct kafka_log *log, int32_t partition_count, struct error *error) {
    if (partition_count > EVENT_LOG_PARTITIONS_MAX)
        return error_set(error, STATUS_CONFLICT, "the topics have %d partitions: %d are possible", partition_count,
                         EVENT_LOG_PARTITIONS_MAX);
    if (log->base.partition_count > 0) return STATUS_OK;
    struct kafka_producer *producer;
    enum status status = kafka_producer_new(log, &producer, error);
    if (status) return status;
    kafka_producer_change(log, producer); /* there was none */
    log->base.partition_count = partition_count;
    return STATUS_OK;
}

/* One broker of several may not have heard yet of topics that were made a moment ago: then it is asked again. */
static enum status find_topics(struct kafka_log *log, struct error *error) {
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
    int64_t until_ns = kafka_now_ns() + LOOK_MAX_NS;
    struct kafka_topics_state state;
    int32_t partition_count;
    for (;;) {
        enum status status = kafka_topics_ask(log, log->options.connect_timeout_ms, &state, error);
        if (status == STATUS_OK) status = kafka_topics_count(log, &state, &partition_count, error);
        if (status) return status;
        if (partition_count > 0 || state.broker_count == 1 || kafka_now_ns() > until_ns) break;
        nanosleep(&look, NULL);
    }
    if (partition_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "the topics are not there: run `orderly setup`");
    return kafka_log_begin(log, partition_count, error);
}

enum status event_log_kafka_open(const struct event_log_kafka_options *options, struct event_log **log_out,
                                 struct error *error) {
    if (options->namespace_prefix && !kafka_name_is_valid(options->namespace_prefix))
        return error_set(error, STATUS_INVALID, "\"%s\" cannot be a namespace", options->namespace_prefix);
    struct kafka_log *log = log_new(options);
    if (!log) return error_set(error, STATUS_NO_MEMORY, "no memory for the log");
    enum status status = kafka_conf_check(&log->options, error);
    if (status == STATUS_OK) status = kafka_supervisor_start(log, error);
    if (status == STATUS_OK) status = find_topics(log, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        *log_out = &log->base;
    else
        kafka_close(&log->base);
    return status;
}
