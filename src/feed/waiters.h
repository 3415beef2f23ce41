/* The requests that wait for verdicts: a hash table by attempt id, and the hand-over of one waiter to its call. */
#ifndef ORDERLY_FEED_WAITERS_H
#define ORDERLY_FEED_WAITERS_H

#include <pthread.h>

#include "feed/feed.h"

#define WAITERS_BUCKETS 16384 /* a power of two */

struct waiters {
    pthread_mutex_t mutex; /* guards everything below, and `next` of the waiters */
    pthread_cond_t called; /* `calling` has changed */
    struct feed_waiter **buckets;
    size_t count;
    const struct feed_waiter *calling; /* whose verdict is being called now; for comparison only */
    pthread_t caller;                  /* by this thread */
};

enum status waiters_init(struct waiters *waiters);
void waiters_free(struct waiters *waiters);

/* FULL: FEED_WAITERS_MAX are registered. Any thread. */
enum status waiters_add(struct waiters *waiters, struct feed_waiter *waiter);

/* See feed_cancel. Any thread. */
bool waiters_cancel(struct waiters *waiters, struct feed_waiter *waiter);

/* True if somebody waits for the attempt. The feed's thread. */
bool waiters_expect(struct waiters *waiters, const struct uuid *attempt_id);

/* Calls every waiter for the attempt, outside the lock. The feed's thread. */
void waiters_call(struct waiters *waiters, const struct uuid *attempt_id, const struct event *event);

size_t waiters_count(struct waiters *waiters);

#endif
