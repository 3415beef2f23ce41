/* Appending: records go to the producer's queue on the caller's thread; their delivery reports come back on the
 * supervisor's, and the append ends with the last of them. */
#include "event_log/kafka_internal.h"

#define FIELDS_MAX 8 /* of a record for librdkafka, besides its headers */

_Static_assert(sizeof(intptr_t) <= sizeof(int64_t), "a record's offset holds a pointer while it is under way");

/* What became of the records of one append. */
enum outcome { WRITTEN = 1, NOT_WRITTEN = 2, PERHAPS_WRITTEN = 4, REFUSED_AS_TOO_LARGE = 8, REFUSED_AS_FULL = 16 };

static struct event_log_append *append_of(struct kafka_append_work *work) {
    return CONTAINER_OF(work, struct event_log_append, reserved);
}

/* --- the end --- */

static enum status status_of(const struct kafka_log *log, unsigned outcomes) {
    switch (outcomes) {
    case WRITTEN: return STATUS_OK;
    case NOT_WRITTEN: return log->closing ? STATUS_CLOSED : STATUS_UNAVAILABLE;
    case REFUSED_AS_TOO_LARGE: return STATUS_TOO_LARGE;
    case REFUSED_AS_FULL: return STATUS_FULL;
    default: return STATUS_UNKNOWN;
    }
}

/* The request belongs to its caller again once done is called. */
static void finish(struct kafka_append_work *work) {
    struct kafka_producer *producer = work->producer;
    struct kafka_log *log = producer->client->log;
    struct event_log_append *append = append_of(work);
    size_t count = append->count, size = work->size;
    rd_kafka_resp_err_t code = (rd_kafka_resp_err_t)atomic_load(&work->code);
    pthread_mutex_lock(&log->mutex);
    if (work->prev)
        work->prev->next = work->next;
    else
        producer->appends = work->next;
    if (work->next)
        work->next->prev = work->prev;
    else
        producer->oldest = work->prev;
    enum status status = status_of(log, atomic_load(&work->outcomes));
    pthread_mutex_unlock(&log->mutex);
    if (status == STATUS_OK) metric_add(log->appended[append->topic], count);
    append->done(append, status, status == STATUS_OK ? "" : rd_kafka_err2str(code));
    pthread_mutex_lock(&log->mutex);
    log->records_under_way -= count;
    log->size_under_way -= size;
    if (--log->appends_under_way == 0) pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

static void note(struct kafka_append_work *work, unsigned outcome, rd_kafka_resp_err_t code) {
    int none = RD_KAFKA_RESP_ERR_NO_ERROR;
    atomic_fetch_or(&work->outcomes, outcome);
    if (code) atomic_compare_exchange_strong(&work->code, &none, (int)code);
}

static void let_go(struct kafka_append_work *work) {
    if (atomic_fetch_sub(&work->left, 1) == 1) finish(work);
}

/* --- delivery reports --- */

/* A success without an offset is none: 2.0.2 reports so a record that the broker refused as a repeat, and that may be the
 * repeat of one it never took (the broker lets a new producer begin with any sequence number). */
static unsigned outcome_of(const rd_kafka_message_t *message) {
    if (!message->err) return message->offset >= 0 ? WRITTEN : PERHAPS_WRITTEN;
    if (rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) return PERHAPS_WRITTEN;
    return message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? REFUSED_AS_TOO_LARGE : NOT_WRITTEN;
}

void kafka_append_reported(struct kafka_client *client, rd_kafka_event_t *event) {
    const rd_kafka_message_t *message;
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_DR) return;
    while ((message = rd_kafka_event_message_next(event))) {
        struct event_log_record *record = message->_private;
        struct kafka_append_work *work = (struct kafka_append_work *)(intptr_t)record->offset;
        record->offset = message->err ? -1 : message->offset;
        note(work, outcome_of(message), message->err);
        let_go(work);
    }
}

void kafka_append_abandon(struct kafka_log *log, struct kafka_producer *producer) {
    struct kafka_append_work *work;
    for (;;) {
        pthread_mutex_lock(&log->mutex);
        work = producer->appends;
        pthread_mutex_unlock(&log->mutex);
        if (!work) return;
        note(work, PERHAPS_WRITTEN | NOT_WRITTEN, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT);
        finish(work);
    }
}

/* --- the beginning --- */

/* Checks the limits and sets each record's partition. */
static enum status prepare(struct kafka_log *log, struct event_log_append *append, size_t *size_out,
                           struct error *error) {
    int32_t partition_count = log->base.partition_count;
    size_t size = 0;
    if (partition_count == 0)
        return error_set(error, STATUS_NOT_FOUND, "the topics are not there: run `orderly setup`");
    if (append->count == 0 || append->topic >= TOPIC_COUNT)
        return error_set(error, STATUS_INVALID, "nothing to append");
    for (size_t i = 0; i < append->count; i++) {
        const struct event_log_record *record = &append->records[i];
        enum status status = event_log_record_check(record, partition_count, error);
        if (status) return status;
        size += record->key.size + record->value.size;
        for (size_t j = 0; j < record->header_count; j++)
            size += strlen(record->headers[j].name) + record->headers[j].value.size;
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

/* True if there is room for the append, or if it is the only one. */
static bool has_room(const struct kafka_log *log, size_t count, size_t size) {
    return log->appends_under_way == 0 || (log->records_under_way + count <= KAFKA_RECORDS_UNDER_WAY_MAX &&
                                           log->size_under_way + size <= KAFKA_SIZE_UNDER_WAY_MAX);
}

static enum status enter(struct kafka_log *log, struct event_log_append *append, size_t size, struct error *error) {
    struct kafka_append_work *work = (struct kafka_append_work *)(void *)append->reserved;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&log->mutex);
    if (log->closing)
        status = error_set(error, STATUS_CLOSED, "the log is closing");
    else if (!has_room(log, append->count, size))
        status = error_set(error, STATUS_FULL, "%zu records wait for Kafka", log->records_under_way);
    if (status == STATUS_OK) {
        struct kafka_producer *producer = log->producer;
        *work = (struct kafka_append_work){
            .next = producer->appends, .producer = producer, .entered_ns = kafka_now_ns(), .size = size};
        atomic_init(&work->left, append->count + 1);
        if (work->next)
            work->next->prev = work;
        else
            producer->oldest = work;
        producer->appends = work;
        atomic_fetch_add(&producer->callers, 1);
        log->appends_under_way++;
        log->records_under_way += append->count;
        log->size_under_way += size;
    }
    pthread_mutex_unlock(&log->mutex);
    return status;
}

static rd_kafka_vu_t bytes_field(rd_kafka_vtype_t type, struct bytes bytes) {
    rd_kafka_vu_t field = {.vtype = type};
    field.u.mem.ptr = (void *)(uintptr_t)(bytes.data ? bytes.data : "");
    field.u.mem.size = bytes.size;
    return field;
}

/* The bytes are copied: a producer that had to be left behind must not read what its caller has freed. */
static rd_kafka_resp_err_t produce(struct kafka_producer *producer, enum event_log_topic topic,
                                   struct event_log_record *record, int64_t now_ms) {
    rd_kafka_vu_t fields[FIELDS_MAX + EVENT_LOG_HEADERS_MAX];
    size_t count = 0;
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = producer->topics[topic]};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    fields[count++] =
        (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = record->time_ms ? record->time_ms : now_ms};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record};
    fields[count++] = bytes_field(RD_KAFKA_VTYPE_KEY, record->key);
    fields[count++] = bytes_field(RD_KAFKA_VTYPE_VALUE, record->value);
    for (size_t i = 0; i < record->header_count; i++) {
        struct bytes value = record->headers[i].value;
        fields[count] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER};
        fields[count].u.header.name = record->headers[i].name;
        fields[count].u.header.val = value.data ? value.data : "";
        fields[count++].u.header.size = (ssize_t)value.size;
    }
    rd_kafka_error_t *failure = rd_kafka_produceva(producer->client->rk, fields, count);
    if (!failure) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return code;
}

static unsigned outcome_of_refusal(rd_kafka_resp_err_t code) {
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return REFUSED_AS_TOO_LARGE;
    return code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? REFUSED_AS_FULL : NOT_WRITTEN;
}

void kafka_append(struct event_log *base, struct event_log_append *append) {
    struct kafka_log *log = kafka_log_of(base);
    struct kafka_append_work *work = (struct kafka_append_work *)(void *)append->reserved;
    struct error error;
    size_t size = 0;
    enum status status = prepare(log, append, &size, &error);
    if (status == STATUS_OK) status = enter(log, append, size, &error);
    if (status) {
        append->done(append, status, error.text);
        return;
    }
    struct kafka_producer *producer = work->producer;
    int64_t now_ms = clock_wall_ms(log->options.clock);
    for (size_t i = 0, count = append->count; i < count; i++) {
        struct event_log_record *record = &append->records[i];
        record->offset = (int64_t)(intptr_t)work;
        rd_kafka_resp_err_t code = produce(producer, append->topic, record, now_ms);
        if (!code) continue;
        record->offset = -1;
        note(work, outcome_of_refusal(code), code);
        let_go(work); /* not the last one: append() holds one more */
    }
    let_go(work);
    atomic_fetch_sub(&producer->callers, 1);
}
