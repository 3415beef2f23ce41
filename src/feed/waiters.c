/* The waiters' table. A verdict is called outside the mutex, so that it may register and cancel; what the mutex guards
 * is who is being called, and whoever cancels that one waits until the call has ended. */
#include "feed/waiters.h"

#include <stdlib.h>

enum status waiters_init(struct waiters *waiters) {
    *waiters = (struct waiters){.buckets = calloc(WAITERS_BUCKETS, sizeof *waiters->buckets)};
    if (!waiters->buckets) return STATUS_NO_MEMORY;
    pthread_mutex_init(&waiters->mutex, NULL); /* neither can fail on Linux */
    pthread_cond_init(&waiters->called, NULL);
    return STATUS_OK;
}

void waiters_free(struct waiters *waiters) {
    if (!waiters->buckets) return;
    pthread_cond_destroy(&waiters->called);
    pthread_mutex_destroy(&waiters->mutex);
    free(waiters->buckets);
    waiters->buckets = NULL;
}

/* Attempt ids are random: their last bits are a hash. */
static struct feed_waiter **bucket_of(struct waiters *waiters, const struct uuid *attempt_id) {
    return &waiters->buckets[bytes_get_u32(attempt_id->bytes + 12) & (WAITERS_BUCKETS - 1)];
}

enum status waiters_add(struct waiters *waiters, struct feed_waiter *waiter) {
    enum status status = STATUS_FULL;
    pthread_mutex_lock(&waiters->mutex);
    if (waiters->count < FEED_WAITERS_MAX) {
        struct feed_waiter **bucket = bucket_of(waiters, &waiter->attempt_id);
        waiter->next = *bucket;
        *bucket = waiter;
        waiters->count++;
        status = STATUS_OK;
    }
    pthread_mutex_unlock(&waiters->mutex);
    return status;
}

static void unlink_waiter(struct waiters *waiters, struct feed_waiter **link) {
    *link = (*link)->next;
    waiters->count--;
}

bool waiters_cancel(struct waiters *waiters, struct feed_waiter *waiter) {
    pthread_mutex_lock(&waiters->mutex);
    struct feed_waiter **link = bucket_of(waiters, &waiter->attempt_id);
    while (*link && *link != waiter)
        link = &(*link)->next;
    bool is_registered = *link != NULL;
    if (is_registered) unlink_waiter(waiters, link);
    while (!is_registered && waiters->calling == waiter && !pthread_equal(waiters->caller, pthread_self()))
        pthread_cond_wait(&waiters->called, &waiters->mutex);
    pthread_mutex_unlock(&waiters->mutex);
    return is_registered;
}

static struct feed_waiter **find(struct waiters *waiters, const struct uuid *attempt_id) {
    struct feed_waiter **link = bucket_of(waiters, attempt_id);
    while (*link && !uuid_equal(&(*link)->attempt_id, attempt_id))
        link = &(*link)->next;
    return link;
}

bool waiters_expect(struct waiters *waiters, const struct uuid *attempt_id) {
    pthread_mutex_lock(&waiters->mutex);
    bool is_expected = *find(waiters, attempt_id) != NULL;
    pthread_mutex_unlock(&waiters->mutex);
    return is_expected;
}

void waiters_call(struct waiters *waiters, const struct uuid *attempt_id, const struct event *event) {
    pthread_mutex_lock(&waiters->mutex);
    struct feed_waiter **link;
    while (*(link = find(waiters, attempt_id))) {
        struct feed_waiter *waiter = *link;
        unlink_waiter(waiters, link);
        waiters->calling = waiter;
        waiters->caller = pthread_self();
        pthread_mutex_unlock(&waiters->mutex);
        waiter->verdict(waiter, event); /* the struct may be gone when it returns */
        pthread_mutex_lock(&waiters->mutex);
        waiters->calling = NULL;
        pthread_cond_broadcast(&waiters->called);
    }
    pthread_mutex_unlock(&waiters->mutex);
}

size_t waiters_count(struct waiters *waiters) {
    pthread_mutex_lock(&waiters->mutex);
    size_t count = waiters->count;
    pthread_mutex_unlock(&waiters->mutex);
    return count;
}
