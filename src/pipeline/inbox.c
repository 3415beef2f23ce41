/* The inbox: a queue under a mutex, whose owner waits in event_log_poll or, while the log is away, on a condition. */
#include "pipeline/inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct inbox {
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t rung;   /* for inbox_wait, on CLOCK_MONOTONIC */
    struct queue queue;
    struct event_log_consumer *consumer; /* NULL: no owner yet, or closed */
    pthread_t owner;
    size_t references;
    bool bell;
    bool closed;
};

struct inbox *inbox_new(void) {
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox) return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&inbox->rung, &attributes); /* cannot fail on Linux, and no more can the mutex */
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&inbox->mutex, NULL);
    inbox->references = 1;
    return inbox;
}

void inbox_own(struct inbox *inbox, struct event_log_consumer *consumer) {
    pthread_mutex_lock(&inbox->mutex);
    inbox->consumer = consumer;
    inbox->owner = pthread_self();
    pthread_mutex_unlock(&inbox->mutex);
}

struct inbox *inbox_hold(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->mutex);
    inbox->references++;
    pthread_mutex_unlock(&inbox->mutex);
    return inbox;
}

void inbox_release(struct inbox *inbox) {
    if (!inbox) return;
    pthread_mutex_lock(&inbox->mutex);
    bool is_last = --inbox->references == 0;
    pthread_mutex_unlock(&inbox->mutex);
    if (!is_last) return;
    pthread_mutex_destroy(&inbox->mutex);
    pthread_cond_destroy(&inbox->rung);
    free(inbox);
}

/* Under the mutex, so that inbox_close cannot pull the consumer away in between. */
static void wake_owner(struct inbox *inbox) {
    inbox->bell = true;
    pthread_cond_signal(&inbox->rung);
    if (inbox->consumer) event_log_wake(inbox->consumer);
}

void inbox_deliver(struct inbox *inbox, struct message *message) {
    pthread_mutex_lock(&inbox->mutex);
    bool is_closed = inbox->closed;
    if (!is_closed) {
        bool was_empty = inbox->queue.count == 0;
        queue_push(&inbox->queue, &message->link);
        /* The owner looks here before it waits: what it delivers to itself needs no wake-up. */
        if (was_empty && !pthread_equal(inbox->owner, pthread_self())) wake_owner(inbox);
    }
    pthread_mutex_unlock(&inbox->mutex);
    if (is_closed) message->orphaned(message);
}

void inbox_ring(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->mutex);
    wake_owner(inbox);
    pthread_mutex_unlock(&inbox->mutex);
}

static struct queue take_all(struct inbox *inbox) {
    struct queue taken = inbox->queue;
    inbox->queue = (struct queue){0};
    return taken;
}

struct queue inbox_take(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->mutex);
    struct queue taken = take_all(inbox);
    inbox->bell = false;
    pthread_mutex_unlock(&inbox->mutex);
    return taken;
}

void inbox_wait(struct inbox *inbox, int timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&inbox->mutex);
    int failure = 0;
    while (!inbox->bell && inbox->queue.count == 0 && failure == 0)
        failure = pthread_cond_timedwait(&inbox->rung, &inbox->mutex, &until);
    inbox->bell = false;
    pthread_mutex_unlock(&inbox->mutex);
}

struct queue inbox_close(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    inbox->consumer = NULL;
    struct queue taken = take_all(inbox);
    pthread_mutex_unlock(&inbox->mutex);
    return taken;
}
