/* Tearing clients down: each on a thread of its own, because rd_kafka_destroy waits for librdkafka's threads and some
 * of its versions can wait for ever. */
#include <stdlib.h>

#include "event_log/kafka_internal.h"

#define TEARDOWN_WAIT_NS ((int64_t)10000000000) /* at the close of the log */

/* Lives until the log and the last teardown have let go: one that hangs touches nothing that is freed. */
struct kafka_teardowns {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    size_t running;
    bool is_closed;
};

struct teardown {
    struct kafka_teardowns *teardowns;
    rd_kafka_t *rk;
};

struct kafka_teardowns *kafka_teardowns_new(void) {
    struct kafka_teardowns *teardowns = calloc(1, sizeof *teardowns);
    if (!teardowns) return NULL;
    pthread_mutex_init(&teardowns->mutex, NULL);
    kafka_condition_init(&teardowns->ended);
    return teardowns;
}

static void teardowns_free(struct kafka_teardowns *teardowns) {
    pthread_cond_destroy(&teardowns->ended);
    pthread_mutex_destroy(&teardowns->mutex);
    free(teardowns);
}

/* A member has left its group before, if it could: nothing is closed here that needs an answer. */
static void destroy_client(rd_kafka_t *rk) {
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void teardown_ended(struct kafka_teardowns *teardowns) {
    pthread_mutex_lock(&teardowns->mutex);
    bool is_last = --teardowns->running == 0 && teardowns->is_closed;
    pthread_cond_broadcast(&teardowns->ended);
    pthread_mutex_unlock(&teardowns->mutex);
    if (is_last) teardowns_free(teardowns);
}

static void *teardown_main(void *data) {
    struct teardown *teardown = data;
    destroy_client(teardown->rk);
    teardown_ended(teardown->teardowns);
    free(teardown);
    return NULL;
}

void kafka_teardowns_add(struct kafka_teardowns *teardowns, rd_kafka_t *rk) {
    struct teardown *teardown = malloc(sizeof *teardown);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_mutex_lock(&teardowns->mutex);
    teardowns->running++;
    pthread_mutex_unlock(&teardowns->mutex);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (teardown) *teardown = (struct teardown){teardowns, rk};
    if (!teardown || pthread_create(&thread, &attributes, teardown_main, teardown) != 0) {
        free(teardown); /* without a thread to spare: here, as it were an ordinary close */
        destroy_client(rk);
        teardown_ended(teardowns);
    }
    pthread_attr_destroy(&attributes);
}

bool kafka_teardowns_are_full(struct kafka_teardowns *teardowns) {
    pthread_mutex_lock(&teardowns->mutex);
    bool is_full = teardowns->running >= KAFKA_TEARDOWNS_MAX;
    pthread_mutex_unlock(&teardowns->mutex);
    return is_full;
}

size_t kafka_teardowns_close(struct kafka_teardowns *teardowns) {
    if (!teardowns) return 0;
    struct timespec until = kafka_until(kafka_now_ns() + TEARDOWN_WAIT_NS);
    pthread_mutex_lock(&teardowns->mutex);
    while (teardowns->running > 0 && pthread_cond_timedwait(&teardowns->ended, &teardowns->mutex, &until) == 0) {
    }
    size_t left = teardowns->running;
    teardowns->is_closed = true;
    pthread_mutex_unlock(&teardowns->mutex);
    if (left == 0) teardowns_free(teardowns);
    return left;
}
