/* A consumer of the embedded log, as its two halves see it: embedded_consumer.c (what is called) and embedded_poll.c
 * (what a poll does). */
#ifndef ORDERLY_EVENT_LOG_EMBEDDED_CONSUMER_H
#define ORDERLY_EVENT_LOG_EMBEDDED_CONSUMER_H

#include <stdatomic.h>

#include "event_log/embedded_group.h"
#include "event_log/embedded_internal.h"

#define EMBEDDED_BATCH_RECORDS_MAX 16384
#define EMBEDDED_BATCH_SIZE_MAX (4u << 20) /* bytes of one batch, but always one record */

enum ownership {
    FREE, /* not this consumer's */
    OWNED,
    REVOKED,   /* to be handed over: the owner has been told, or will be */
    RELEASING, /* the owner has let go; the lock stays until its commits have ended */
};

/* Only the consumer's thread writes; ownership and commits_under_way are for other threads too, under the mutex. */
struct embedded_partition {
    enum ownership ownership;
    bool tell_assigned, tell_revoked;
    bool tell_gap; /* the position was lost */
    bool paused;
    size_t commits_under_way;
    _Atomic int64_t next_offset;
};

struct fetched_record {
    int64_t offset;
    struct bytes payload; /* in LMDB's map: valid within the transaction */
};

struct embedded_consumer {
    struct event_log_consumer base;
    struct embedded_log *log;
    enum event_log_topic topic;
    char group_name[EMBEDDED_NAME_MAX + 1]; /* "": a reader */
    struct embedded_group group;
    struct lmdb_listener listener;
    int32_t partition_count;
    struct embedded_partition *partitions;
    /* the consumer's thread */
    int64_t next_look_ns;   /* at the group */
    uint64_t scanned_txn;   /* in which nothing was found to read; 0: look again */
    int32_t next_partition; /* to read from, in turn */
    struct fetched_record *fetched;
    size_t batch_max;
    /* any thread */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken, committed;
};

static inline struct embedded_consumer *embedded_consumer_of(struct event_log_consumer *base) {
    return CONTAINER_OF(base, struct embedded_consumer, base);
}

enum status embedded_poll(struct event_log_consumer *base, int timeout_ms, struct event_log_poll *poll_out,
                          struct error *error);

#endif
