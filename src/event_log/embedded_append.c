/* Appending: a job for the committer that writes records behind the last offset of their partitions. */
#include "event_log/embedded_internal.h"

/* Lives in the request's reserved words, so that an accepted append needs no memory of its own. */
struct append_work {
    struct lmdb_job job;
    struct embedded_log *log;
};
_Static_assert(sizeof(struct append_work) <= sizeof((struct event_log_append *)0)->reserved,
               "the work fits the request");

static struct event_log_append *append_of(struct lmdb_job *job) {
    return CONTAINER_OF(CONTAINER_OF(job, struct append_work, job), struct event_log_append, reserved);
}

/* Behind the last record; a partition whose records were all trimmed goes on where it was. */
static enum status next_offset(struct embedded_log *log, MDB_cursor *cursor, enum event_log_topic topic,
                               int32_t partition, int64_t *offset_out) {
    MDB_val key, value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    if (rc == 0) {
        int64_t last;
        memcpy(&last, key.mv_data, sizeof last);
        *offset_out = last + 1;
        return STATUS_OK;
    }
    if (rc != MDB_NOTFOUND) return lmdb_status(rc, NULL);
    enum status status = embedded_position_read(log, mdb_cursor_txn(cursor), "", topic, partition, offset_out);
    if (status != STATUS_NOT_FOUND) return status;
    *offset_out = 0;
    return STATUS_OK;
}

static enum status append_record(struct embedded_log *log, MDB_txn *txn, enum event_log_topic topic,
                                 struct event_log_record *record) {
    MDB_cursor *cursor;
    int64_t offset;
    int rc = mdb_cursor_open(txn, log->records[topic][record->partition], &cursor);
    if (rc) return lmdb_status(rc, NULL);
    enum status status = next_offset(log, cursor, topic, record->partition, &offset);
    if (status == STATUS_OK) {
        MDB_val key = {sizeof offset, &offset}, value = {embedded_record_size(record), NULL};
        status = lmdb_status(mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE), NULL);
        if (status == STATUS_OK)
            embedded_record_encode(record, offset, record->time_ms ? record->time_ms : clock_wall_ms(log->clock),
                                   value.mv_data);
    }
    mdb_cursor_close(cursor);
    if (status == STATUS_OK) record->offset = offset;
    return status;
}

static enum status append_run(struct lmdb_job *job, MDB_txn *txn) {
    struct append_work *work = CONTAINER_OF(job, struct append_work, job);
    struct event_log_append *append = append_of(job);
    for (size_t i = 0; i < append->count; i++) {
        enum status status = append_record(work->log, txn, append->topic, &append->records[i]);
        /* With records before it in the transaction, a failure must take all of it back. */
        if (status) return i == 0 || status == STATUS_FULL || status == STATUS_NO_MEMORY ? status : STATUS_IO;
    }
    return STATUS_OK;
}

static void append_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct embedded_log *log = CONTAINER_OF(job, struct append_work, job)->log;
    struct event_log_append *append = append_of(job);
    if (status == STATUS_OK) metric_add(log->appended[append->topic], append->count);
    append->done(append, status, error_text);
    embedded_log_leave(log);
}

/* Checks the limits and sets each record's partition. */
static enum status append_check(const struct embedded_log *log, struct event_log_append *append, size_t *size_out,
                                struct error *error) {
    int32_t partition_count = log->base.partition_count;
    size_t size = 0;
    if (partition_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "the topics are not there: run `orderly setup`");
    if (append->count == 0 || append->topic >= TOPIC_COUNT)
        return error_set(error, STATUS_INVALID, "nothing to append");
    for (size_t i = 0; i < append->count; i++) {
        enum status status = event_log_record_check(&append->records[i], partition_count, error);
        if (status) return status;
        size += embedded_record_size(&append->records[i]);
        if (size > EVENT_LOG_APPEND_MAX)
            return error_set(error, STATUS_TOO_LARGE, "one append has more than %u bytes", EVENT_LOG_APPEND_MAX);
    }
    for (size_t i = 0; i < append->count; i++) {
        struct event_log_record *record = &append->records[i];
        if (record->partition < 0) record->partition = event_log_partition_of(record->key, partition_count);
    }
    *size_out = size;
    return STATUS_OK;
}

void embedded_append(struct event_log *base, struct event_log_append *append) {
    struct embedded_log *log = embedded_log_of(base);
    struct append_work *work = (struct append_work *)(void *)append->reserved;
    struct error error;
    size_t size = 0;
    enum status status = append_check(log, append, &size, &error);
    if (status) {
        append->done(append, status, error.text);
        return;
    }
    *work = (struct append_work){
        .job = {.run = append_run, .done = append_done, .size_bytes = size, .uses_reserve = append->uses_reserve},
        .log = log,
    };
    embedded_log_enter(log);
    lmdb_env_submit(log->env, &work->job);
}
