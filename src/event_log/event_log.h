/* The event log port: durable, partitioned, ordered topics of bytes, and members of a group that share partitions.
 *
 * It knows no orders. An adapter (embedded.c, kafka.c) fills struct event_log_ops and embeds struct event_log first.
 *
 * Threads: append, commit, trim and wake may be called from any thread. A consumer belongs to one thread. `done`
 * callbacks come exactly once for each accepted request, from a thread of the adapter or, before the call returns, from
 * the caller's own; they must not block, may submit further requests, and must not close anything.
 * Request structs belong to the caller, who keeps them unchanged and alive until `done`. */
#ifndef ORDERLY_EVENT_LOG_EVENT_LOG_H
#define ORDERLY_EVENT_LOG_EVENT_LOG_H

#include "base/advice.h"
#include "base/bytes.h"
#include "base/status.h"

#define EVENT_LOG_HEADERS_MAX 16
#define EVENT_LOG_KEY_MAX 256          /* bytes */
#define EVENT_LOG_RECORD_MAX 1000000   /* bytes of one record with headers (Kafka's default broker limit) */
#define EVENT_LOG_APPEND_MAX (16u << 20) /* bytes of all records of one append */
#define EVENT_LOG_PARTITIONS_MAX 128   /* of one topic */
#define EVENT_LOG_GROUP_MEMBERS_MAX 64

/* The topics of Orderly. Names on the wire: order-commands, order-events, order-dlq, invoices (after the namespace). */
enum event_log_topic { TOPIC_COMMANDS, TOPIC_EVENTS, TOPIC_DLQ, TOPIC_INVOICES, TOPIC_COUNT };

/* All topics have the same number of partitions, so that an order has the same partition in each. */

struct event_log_header {
    const char *name; /* NUL-terminated, 1 to 64 characters */
    struct bytes value;
};

struct event_log_record {
    int32_t partition;  /* append: -1 = by key (murmur2; see event_log_partition_of) */
    int64_t offset;     /* set by append and poll: from 0, growing within the partition, perhaps with holes */
    int64_t time_ms;    /* append: 0 = now; else ms since 1970 */
    struct bytes key, value;
    const struct event_log_header *headers;
    size_t header_count;
};

/* --- append --- */

struct event_log_append {
    /* set by the caller */
    enum event_log_topic topic;
    struct event_log_record *records; /* partition and offset are filled in before done(OK) */
    size_t count;                     /* from 1 */
    bool uses_reserve; /* true: processing what was promised (may use the disk's reserve); false: new work */
    /* OK: all records are durable (Kafka: acks=all; embedded: synced). FULL, UNAVAILABLE, CLOSED: none was written.
     * TOO_LARGE, INVALID: a record breaks a limit, none was written. UNKNOWN: any of them may have been written. */
    void (*done)(struct event_log_append *append, enum status status, const char *error_text);
    void *data;
    /* the adapter's own while under way */
    void *reserved[8];
};

/* --- commit a position, trim --- */

struct event_log_commit {
    int32_t partition;
    int64_t next_offset; /* the first offset not yet processed */
    /* CONFLICT: the partition is no longer this member's; nothing was committed. */
    void (*done)(struct event_log_commit *commit, enum status status, const char *error_text);
    void *data;
    void *reserved[8];
};

struct event_log_trim {
    enum event_log_topic topic;
    int32_t partition;
    int64_t below_offset;  /* nothing at or above it is removed */
    int64_t before_ms;     /* nothing of that time or later is removed */
    void (*done)(struct event_log_trim *trim, enum status status, const char *error_text);
    void *data;
    void *reserved[8];
};

/* --- consume --- */

/* Records handed out together; they live until event_log_batch_free, also after the consumer is closed. */
struct event_log_batch {
    const struct event_log_record *records;
    size_t count;
    void (*free)(struct event_log_batch *batch);
};

static inline void event_log_batch_free(struct event_log_batch *batch) {
    if (batch) batch->free(batch);
}

enum event_log_poll_kind {
    POLL_NOTHING,  /* the time is over, or event_log_wake was called */
    POLL_RECORDS,  /* batch: records of one partition, in order, following the last ones; the caller frees it */
    POLL_ASSIGNED, /* partition is this member's from now on; next_offset: where reading starts */
    POLL_REVOKED,  /* partition shall be handed over: finish, commit, then event_log_release; no more records of it */
    POLL_LOST,     /* partition was taken away: drop its state, commit nothing */
    POLL_GAP,      /* records before next_offset are gone (trimmed) or the position was lost; reading goes on there */
};

struct event_log_poll {
    enum event_log_poll_kind kind;
    int32_t partition;
    int64_t next_offset;
    struct event_log_batch *batch;
};

struct event_log_consumer_options {
    enum event_log_topic topic;
    /* A member of this group: partitions are shared out among the live members and positions are committed. NULL: a
     * reader on its own, which is assigned every partition at once and commits nothing. */
    const char *group;
    /* Readers only: where to start, one for each partition; NULL: at the end. EVENT_LOG_FIRST: at the first record. */
    const int64_t *positions;
    size_t batch_max; /* records in one batch, at most; bytes are bounded too (4 MiB, but always one record) */
};
#define EVENT_LOG_FIRST ((int64_t)-2)

struct event_log_consumer {
    const struct event_log_consumer_ops *ops;
};

struct event_log_consumer_ops {
    enum status (*poll)(struct event_log_consumer *consumer, int timeout_ms, struct event_log_poll *poll_out, struct error *error);
    void (*wake)(struct event_log_consumer *consumer);
    void (*pause)(struct event_log_consumer *consumer, int32_t partition, bool paused);
    void (*commit)(struct event_log_consumer *consumer, struct event_log_commit *commit);
    void (*release)(struct event_log_consumer *consumer, int32_t partition);
    enum status (*seek)(struct event_log_consumer *consumer, int32_t partition, int64_t offset, struct error *error);
    int64_t (*lag)(struct event_log_consumer *consumer, int32_t partition);
    void (*close)(struct event_log_consumer *consumer);
};

/* Waits up to timeout_ms for the next thing to know. OK: *poll_out is set. UNAVAILABLE: the log does not answer now;
 * poll again (the adapter reconnects by itself). Other statuses are final. Must be called at least every few seconds,
 * also with all partitions paused, or the group gives the partitions to others. */
static inline enum status event_log_poll(struct event_log_consumer *consumer, int timeout_ms, struct event_log_poll *poll_out,
                                         struct error *error) {
    return consumer->ops->poll(consumer, timeout_ms, poll_out, error);
}

/* Makes a poll that waits now, or the next one, return. Any thread. */
static inline void event_log_wake(struct event_log_consumer *consumer) {
    consumer->ops->wake(consumer);
}

/* While paused, poll returns no records of the partition; no record is lost or repeated by it. The owner's thread. */
static inline void event_log_pause(struct event_log_consumer *consumer, int32_t partition, bool paused) {
    consumer->ops->pause(consumer, partition, paused);
}

/* Makes next_offset durable as the group's position. Commits of one partition end in the order given. */
static inline void event_log_commit(struct event_log_consumer *consumer, struct event_log_commit *commit) {
    consumer->ops->commit(consumer, commit);
}

/* Hands a revoked partition over; another member may have it at once. The owner's thread. */
static inline void event_log_release(struct event_log_consumer *consumer, int32_t partition) {
    consumer->ops->release(consumer, partition);
}

/* The next records of the partition start at offset. Batches handed out before stay valid. The owner's thread. */
static inline enum status event_log_seek(struct event_log_consumer *consumer, int32_t partition, int64_t offset,
                                         struct error *error) {
    return consumer->ops->seek(consumer, partition, offset, error);
}

/* Records of the partition that this consumer has not been handed yet (an estimate), or -1 if unknown. Any thread. */
static inline int64_t event_log_lag(struct event_log_consumer *consumer, int32_t partition) {
    return consumer->ops->lag(consumer, partition);
}

/* Leaves the group (partitions become free at once; what was not committed is read again by others) and frees the
 * consumer. Waits for its commits under way. NULL is allowed. */
static inline void event_log_consumer_close(struct event_log_consumer *consumer) {
    if (consumer) consumer->ops->close(consumer);
}

/* --- the log --- */

struct event_log {
    const struct event_log_ops *ops;
    int32_t partition_count; /* of every topic; known after open */
};

struct event_log_ops {
    const char *name; /* "embedded", "kafka" */
    enum status (*setup)(struct event_log *log, struct error *error);
    enum status (*check)(struct event_log *log, int timeout_ms, struct error *error);
    void (*advise)(struct event_log *log, int timeout_ms, struct advice *advice); /* NULL: nothing to say */
    void (*append)(struct event_log *log, struct event_log_append *append);
    void (*trim)(struct event_log *log, struct event_log_trim *trim);
    enum status (*range)(struct event_log *log, enum event_log_topic topic, int32_t partition, int timeout_ms,
                         int64_t *first_out, int64_t *end_out, struct error *error);
    enum status (*committed)(struct event_log *log, const char *group, enum event_log_topic topic, int32_t partition,
                             int timeout_ms, int64_t *next_offset_out, struct error *error);
    enum status (*consumer_open)(struct event_log *log, const struct event_log_consumer_options *options,
                                 struct event_log_consumer **consumer_out, struct error *error);
    void (*close)(struct event_log *log);
};

/* Creates the topics and records the number of partitions, if that was not done yet. CONFLICT: they exist with another
 * number of partitions. Running it again changes nothing. */
static inline enum status event_log_setup(struct event_log *log, struct error *error) {
    return log->ops->setup(log, error);
}

/* OK if the log answers and takes new records within timeout_ms; else a status and, in error, what is wrong. */
static inline enum status event_log_check(struct event_log *log, int timeout_ms, struct error *error) {
    return log->ops->check(log, timeout_ms, error);
}

/* Adds a line for each weak setting of the service (replication, durability, eviction…). One that does not answer within
 * timeout_ms adds none. */
static inline void event_log_advise(struct event_log *log, int timeout_ms, struct advice *advice) {
    if (log->ops->advise) log->ops->advise(log, timeout_ms, advice);
}

/* Appends records, all of one topic; see struct event_log_append. Appends from one thread keep their order within a
 * partition. Never blocks; what is under way is bounded (then done gets FULL). */
static inline void event_log_append(struct event_log *log, struct event_log_append *append) {
    log->ops->append(log, append);
}

/* Removes old records from the front of a partition: below_offset and before_ms both hold. May remove fewer. */
static inline void event_log_trim(struct event_log *log, struct event_log_trim *trim) {
    log->ops->trim(log, trim);
}

/* The first offset that can be read and the offset that the next record will have at least. */
static inline enum status event_log_range(struct event_log *log, enum event_log_topic topic, int32_t partition,
                                          int timeout_ms, int64_t *first_out, int64_t *end_out, struct error *error) {
    return log->ops->range(log, topic, partition, timeout_ms, first_out, end_out, error);
}

/* A group's position. NOT_FOUND: it has none. */
static inline enum status event_log_committed(struct event_log *log, const char *group, enum event_log_topic topic,
                                              int32_t partition, int timeout_ms, int64_t *next_offset_out, struct error *error) {
    return log->ops->committed(log, group, topic, partition, timeout_ms, next_offset_out, error);
}

/* Joins a group or opens a reader. A member without a committed position starts at the first record. */
static inline enum status event_log_consumer_open(struct event_log *log, const struct event_log_consumer_options *options,
                                                  struct event_log_consumer **consumer_out, struct error *error) {
    return log->ops->consumer_open(log, options, consumer_out, error);
}

/* Frees the log. Appends under way end first (OK) or with CLOSED or UNKNOWN. Consumers must be closed before. */
static inline void event_log_close(struct event_log *log) {
    if (log) log->ops->close(log);
}

/* The name of a topic without namespace: "order-commands". */
const char *event_log_topic_name(enum event_log_topic topic);

/* The partition of a key: Kafka's murmur2 partitioner (the Java client's Utils.murmur2 and toPositive). A key of size 0
 * gets partition 0: Orderly's records all have keys. */
int32_t event_log_partition_of(struct bytes key, int32_t partition_count);

/* For adapters: TOO_LARGE or INVALID if the record breaks a limit of this header, with the reason in error. */
enum status event_log_record_check(const struct event_log_record *record, int32_t partition_count, struct error *error);

/* The header of that name, or NULL. */
const struct event_log_header *event_log_header(const struct event_log_record *record, const char *name);

#endif
