/* Trimming: removes old records from the front of a partition, on request and by time, a bounded piece at once. */
#include <stdint.h>

#include "event_log/embedded_internal.h"

#define RETENTION_INTERVAL_NS 500000000

struct trim_limits {
    enum event_log_topic topic;
    int32_t partition;
    int64_t below_offset, before_ms;
};

/* True if the first record may go. */
static bool first_is_old(MDB_cursor *cursor, const struct trim_limits *limits, int64_t *offset_out) {
    MDB_val key, value;
    int64_t time_ms;
    if (mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) return false;
    memcpy(offset_out, key.mv_data, sizeof *offset_out);
    if (*offset_out >= limits->below_offset || embedded_record_time(value, &time_ms)) return false;
    return time_ms < limits->before_ms;
}

static enum status trim_piece(struct embedded_log *log, MDB_txn *txn, const struct trim_limits *limits) {
    MDB_cursor *cursor;
    MDB_val key, value;
    int64_t offset, next = 0;
    size_t removed = 0;
    int rc = mdb_cursor_open(txn, log->records[limits->topic][limits->partition], &cursor);
    while (rc == 0 && removed < EMBEDDED_TRIM_RECORDS_MAX && first_is_old(cursor, limits, &offset)) {
        rc = mdb_cursor_del(cursor, 0);
        next = offset + 1;
        removed++;
    }
    enum status status = lmdb_status(rc, NULL);
    /* The last record says where the next one goes; without any, a row does. */
    if (removed > 0 && status == STATUS_OK && mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == MDB_NOTFOUND)
        status = embedded_position_write(log, txn, "", limits->topic, limits->partition, next);
    mdb_cursor_close(cursor);
    if (status == STATUS_OK) metric_add(log->trimmed[limits->topic], removed);
    /* With records removed, a failure must take the whole transaction back. */
    return removed > 0 && status != STATUS_OK && status != STATUS_FULL && status != STATUS_NO_MEMORY ? STATUS_IO
                                                                                                     : status;
}

/* --- on request --- */

struct trim_work {
    struct lmdb_job job;
    struct embedded_log *log;
};
_Static_assert(sizeof(struct trim_work) <= sizeof((struct event_log_trim *)0)->reserved, "the work fits the request");

static struct event_log_trim *trim_of(struct lmdb_job *job) {
    return CONTAINER_OF(CONTAINER_OF(job, struct trim_work, job), struct event_log_trim, reserved);
}

static enum status trim_run(struct lmdb_job *job, MDB_txn *txn) {
    struct event_log_trim *trim = trim_of(job);
    struct trim_limits limits = {trim->topic, trim->partition, trim->below_offset, trim->before_ms};
    return trim_piece(CONTAINER_OF(job, struct trim_work, job)->log, txn, &limits);
}

static void trim_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct embedded_log *log = CONTAINER_OF(job, struct trim_work, job)->log;
    struct event_log_trim *trim = trim_of(job);
    trim->done(trim, status, error_text);
    embedded_log_leave(log);
}

void embedded_trim(struct event_log *base, struct event_log_trim *trim) {
    struct embedded_log *log = embedded_log_of(base);
    struct trim_work *work = (struct trim_work *)(void *)trim->reserved;
    if (trim->topic >= TOPIC_COUNT || trim->partition < 0 || trim->partition >= base->partition_count) {
        trim->done(trim, STATUS_INVALID, "there is no such partition");
        return;
    }
    *work = (struct trim_work){
        .job = {.run = trim_run, .done = trim_done, .size_bytes = EMBEDDED_TRIM_SIZE, .uses_reserve = true},
        .log = log,
    };
    embedded_log_enter(log);
    lmdb_env_submit(log->env, &work->job);
}

/* --- by time: a thread that looks at the first record of each partition now and then --- */

struct retention_job {
    struct lmdb_job job;
    struct embedded_log *log;
    struct trim_limits limits;
};

static enum status retention_run(struct lmdb_job *job, MDB_txn *txn) {
    struct retention_job *retention = CONTAINER_OF(job, struct retention_job, job);
    return trim_piece(retention->log, txn, &retention->limits);
}

static bool partition_has_old(struct embedded_log *log, const struct trim_limits *limits) {
    MDB_txn *txn;
    MDB_cursor *cursor;
    int64_t offset;
    bool old = false;
    if (lmdb_env_read_begin(log->env, &txn)) return false;
    if (mdb_cursor_open(txn, log->records[limits->topic][limits->partition], &cursor) == 0) {
        old = first_is_old(cursor, limits, &offset);
        mdb_cursor_close(cursor);
    }
    lmdb_env_read_end(log->env, txn);
    return old;
}

static bool retention_waits(struct embedded_log *log, int64_t wait_ns) {
    struct timespec until = embedded_wait_until(embedded_now_ns() + wait_ns);
    pthread_mutex_lock(&log->mutex);
    while (!log->closing && wait_ns > 0 && pthread_cond_timedwait(&log->changed, &log->mutex, &until) == 0) {
    }
    bool goes_on = !log->closing;
    pthread_mutex_unlock(&log->mutex);
    return goes_on;
}

/* One piece for each partition in turn, until there is none with old records: other writes come in between. */
static void retention_pass(struct embedded_log *log) {
    bool more = true;
    while (more) {
        more = false;
        for (int32_t i = 0; i < TOPIC_COUNT * log->base.partition_count; i++) {
            struct trim_limits limits = {i % TOPIC_COUNT, i / TOPIC_COUNT, INT64_MAX, 0};
            if (log->retention_ms[limits.topic] == 0) continue;
            limits.before_ms = clock_wall_ms(log->clock) - log->retention_ms[limits.topic];
            if (!retention_waits(log, 0)) return;
            if (!partition_has_old(log, &limits)) continue;
            struct retention_job retention = {
                .job = {.run = retention_run, .size_bytes = EMBEDDED_TRIM_SIZE, .uses_reserve = true},
                .log = log,
                .limits = limits};
            if (lmdb_env_run(log->env, &retention.job, NULL)) return; /* tried again in a while */
            more = true;
        }
    }
}

static void *retention_main(void *data) {
    struct embedded_log *log = data;
    while (retention_waits(log, RETENTION_INTERVAL_NS))
        retention_pass(log);
    return NULL;
}

enum status embedded_retention_start(struct embedded_log *log, struct error *error) {
    bool wanted = false;
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        wanted = wanted || log->retention_ms[topic] > 0;
    if (!wanted || log->retention_runs) return STATUS_OK;
    int rc = pthread_create(&log->retention, NULL, retention_main, log);
    if (rc) return error_set_errno(error, STATUS_NO_MEMORY, rc, "the retention thread cannot be started");
    log->retention_runs = true;
    return STATUS_OK;
}

void embedded_retention_stop(struct embedded_log *log) {
    pthread_mutex_lock(&log->mutex);
    log->closing = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    if (log->retention_runs) pthread_join(log->retention, NULL);
    log->retention_runs = false;
}
