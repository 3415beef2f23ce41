/* The embedded event log: opening, setup, and what can be asked of it. */
#include "event_log/embedded.h"

#include <stdio.h>
#include <stdlib.h>

#include "event_log/embedded_internal.h"

/* --- requests under way: a log is not freed while the committer may still call back into it --- */

void embedded_log_enter(struct embedded_log *log) {
    pthread_mutex_lock(&log->mutex);
    log->under_way++;
    pthread_mutex_unlock(&log->mutex);
}

void embedded_log_leave(struct embedded_log *log) {
    pthread_mutex_lock(&log->mutex);
    if (--log->under_way == 0) pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

/* --- databases --- */

struct databases_job {
    struct lmdb_job job;
    struct embedded_log *log;
    int32_t partition_count;
};

/* All in one transaction, on the committer's thread: one sync at the first setup, none later. */
static enum status databases_run(struct lmdb_job *job, MDB_txn *txn) {
    struct databases_job *databases = CONTAINER_OF(job, struct databases_job, job);
    struct embedded_log *log = databases->log;
    char name[EMBEDDED_KEY_MAX];
    snprintf(name, sizeof name, "%spositions", log->prefix);
    int rc = mdb_dbi_open(txn, name, MDB_CREATE, &log->positions);
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        for (int32_t i = 0; rc == 0 && i < databases->partition_count; i++) {
            snprintf(name, sizeof name, "%s%s/%d", log->prefix, event_log_topic_name(topic), i);
            rc = mdb_dbi_open(txn, name, MDB_CREATE | MDB_INTEGERKEY, &log->records[topic][i]);
        }
    if (rc == 0) return STATUS_OK;
    enum status status = lmdb_status(rc, NULL);
    return status == STATUS_FULL || status == STATUS_NO_MEMORY ? status : STATUS_IO; /* takes back those created */
}

static enum status open_databases(struct embedded_log *log, int32_t partition_count, struct error *error) {
    struct databases_job databases = {
        .job = {.run = databases_run, .uses_reserve = true}, .log = log, .partition_count = partition_count};
    enum status status = lmdb_env_run(log->env, &databases.job, error);
    if (status) return status;
    log->base.partition_count = partition_count;
    return embedded_retention_start(log, error);
}

static void partitions_name(const struct embedded_log *log, char name[EMBEDDED_KEY_MAX]) {
    snprintf(name, EMBEDDED_KEY_MAX, "%spartitions", log->prefix);
}

static enum status embedded_setup(struct event_log *base, struct error *error) {
    struct embedded_log *log = embedded_log_of(base);
    char name[EMBEDDED_KEY_MAX];
    partitions_name(log, name);
    if (log->setup_partition_count < 1 || log->setup_partition_count > EVENT_LOG_PARTITIONS_MAX)
        return error_set(error, STATUS_INVALID, "%d partitions: 1 to %d are possible", log->setup_partition_count,
                         EVENT_LOG_PARTITIONS_MAX);
    /* The number first: of two that set up at once with different numbers, one is told so before it makes anything. */
    enum status status = lmdb_env_record(log->env, name, (uint64_t)log->setup_partition_count, error);
    uint64_t recorded = 0;
    if (status == STATUS_CONFLICT && lmdb_env_recorded(log->env, name, &recorded, NULL) == STATUS_OK)
        return error_set(error, status,
                         "the topics have %d partitions, not %d: set ORDERLY_PARTITIONS=%d; another number is a migration",
                         (int)recorded, log->setup_partition_count, (int)recorded);
    if (status || base->partition_count > 0) return status;
    return open_databases(log, log->setup_partition_count, error);
}

/* --- questions --- */

static enum status find_bound(MDB_cursor *cursor, MDB_cursor_op which, int64_t *offset_out) {
    MDB_val key, value;
    int rc = mdb_cursor_get(cursor, &key, &value, which);
    if (rc) return lmdb_status(rc, NULL);
    memcpy(offset_out, key.mv_data, sizeof *offset_out);
    return STATUS_OK;
}

enum status embedded_log_bounds(struct embedded_log *log, MDB_txn *txn, enum event_log_topic topic, int32_t partition,
                                int64_t *first_out, int64_t *end_out) {
    MDB_cursor *cursor;
    int64_t first = 0, last = 0;
    int rc = mdb_cursor_open(txn, log->records[topic][partition], &cursor);
    if (rc) return lmdb_status(rc, NULL);
    enum status status = find_bound(cursor, MDB_FIRST, &first);
    if (status == STATUS_OK) status = find_bound(cursor, MDB_LAST, &last);
    mdb_cursor_close(cursor);
    if (status == STATUS_NOT_FOUND) { /* no record: none yet, or none any more */
        status = embedded_position_read(log, txn, "", topic, partition, &first);
        if (status == STATUS_NOT_FOUND) status = STATUS_OK;
        last = first - 1;
    }
    if (status) return status;
    *first_out = first, *end_out = last + 1;
    return STATUS_OK;
}

enum status embedded_log_check_partition(const struct event_log *base, enum event_log_topic topic, int32_t partition,
                                         struct error *error) {
    if (base->partition_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "the topics are not there: run `orderly setup`");
    if (topic >= TOPIC_COUNT || partition < 0 || partition >= base->partition_count)
        return error_set(error, STATUS_INVALID, "there is no partition %d", partition);
    return STATUS_OK;
}

static enum status embedded_range(struct event_log *base, enum event_log_topic topic, int32_t partition, int timeout_ms,
                                  int64_t *first_out, int64_t *end_out, struct error *error) {
    struct embedded_log *log = embedded_log_of(base);
    MDB_txn *txn;
    enum status status = embedded_log_check_partition(base, topic, partition, error);
    if (status) return status;
    status = lmdb_env_read_begin(log->env, &txn);
    if (status == STATUS_OK) {
        status = embedded_log_bounds(log, txn, topic, partition, first_out, end_out);
        lmdb_env_read_end(log->env, txn);
    }
    return status ? error_set(error, status, "the log cannot be read: %s", status_name(status)) : STATUS_OK;
}

static enum status embedded_committed(struct event_log *base, const char *group, enum event_log_topic topic,
                                      int32_t partition, int timeout_ms, int64_t *next_offset_out,
                                      struct error *error) {
    struct embedded_log *log = embedded_log_of(base);
    MDB_txn *txn;
    enum status status = embedded_log_check_partition(base, topic, partition, error);
    if (status) return status;
    status = lmdb_env_read_begin(log->env, &txn);
    if (status == STATUS_OK) {
        status = embedded_position_read(log, txn, group, topic, partition, next_offset_out);
        lmdb_env_read_end(log->env, txn);
    }
    return status ? error_set(error, status, "the group's position: %s", status_name(status)) : STATUS_OK;
}

/* --- open, close --- */

static void embedded_close(struct event_log *base) {
    struct embedded_log *log = embedded_log_of(base);
    embedded_retention_stop(log);
    pthread_mutex_lock(&log->mutex);
    while (log->under_way > 0)
        pthread_cond_wait(&log->changed, &log->mutex);
    pthread_mutex_unlock(&log->mutex);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

static const struct event_log_ops embedded_ops = {
    .name = "embedded",
    .setup = embedded_setup,
    .check = embedded_check,
    .append = embedded_append,
    .trim = embedded_trim,
    .range = embedded_range,
    .committed = embedded_committed,
    .consumer_open = embedded_consumer_open,
    .close = embedded_close,
};

static void register_metrics(struct embedded_log *log, struct metrics *metrics) {
    for (int topic = 0; topic < TOPIC_COUNT; topic++) {
        char labels[64];
        snprintf(labels, sizeof labels, "topic=\"%s\"", event_log_topic_name(topic));
        log->appended[topic] =
            metrics_counter(metrics, "orderly_log_appended_total", "Records appended to the log", labels);
        log->trimmed[topic] =
            metrics_counter(metrics, "orderly_log_trimmed_total", "Old records removed from the log", labels);
    }
}

static struct embedded_log *log_new(const struct event_log_embedded_options *options) {
    struct embedded_log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    log->base.ops = &embedded_ops;
    log->env = options->env;
    log->clock = options->clock;
    log->setup_partition_count = options->partition_count;
    memcpy(log->retention_ms, options->retention_ms, sizeof log->retention_ms);
    snprintf(log->prefix, sizeof log->prefix, "%s", options->namespace_prefix);
    embedded_wait_init(&log->changed);
    pthread_mutex_init(&log->mutex, NULL);
    register_metrics(log, options->metrics);
    return log;
}

enum status event_log_embedded_open(const struct event_log_embedded_options *options, struct event_log **log_out,
                                    struct error *error) {
    if (strlen(options->namespace_prefix) > EMBEDDED_NAME_MAX || strchr(options->namespace_prefix, '/'))
        return error_set(error, STATUS_INVALID, "\"%s\" cannot be a namespace", options->namespace_prefix);
    struct embedded_log *log = log_new(options);
    if (!log) return error_set(error, STATUS_NO_MEMORY, "no memory for the log");
    char name[EMBEDDED_KEY_MAX];
    uint64_t partition_count;
    partitions_name(log, name);
    enum status status = lmdb_env_recorded(log->env, name, &partition_count, error);
    if (status == STATUS_OK && (partition_count < 1 || partition_count > EVENT_LOG_PARTITIONS_MAX))
        status = error_set(error, STATUS_CORRUPT, "the recorded number of partitions is %llu",
                           (unsigned long long)partition_count);
    if (status == STATUS_OK) status = open_databases(log, (int32_t)partition_count, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *log_out = &log->base;
        return status == STATUS_OK ? STATUS_OK
                                   : error_set(error, status, "the topics are not there: run `orderly setup`");
    }
    embedded_close(&log->base);
    return status;
}
