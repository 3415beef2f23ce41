/* Waiting, with a bound, for a callback that may come on this thread or another, before or after the call returns. */
#ifndef ORDERLY_TESTS_CONTRACT_COMPLETION_H
#define ORDERLY_TESTS_CONTRACT_COMPLETION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COMPLETION_TIMEOUT_S 30

struct completion {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_done;
};

static inline void completion_init(struct completion *completion) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&completion->mutex, NULL);
    pthread_cond_init(&completion->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    completion->is_done = false;
}

/* Twice is a broken promise of the adapter. */
static inline void completion_signal(struct completion *completion) {
    pthread_mutex_lock(&completion->mutex);
    if (completion->is_done) {
        fprintf(stderr, "done was called twice\n");
        abort();
    }
    completion->is_done = true;
    pthread_cond_signal(&completion->cond);
    pthread_mutex_unlock(&completion->mutex);
}

/* A request that never ends is still owned by the adapter, so the test cannot go on: the program ends. */
static inline void completion_wait(struct completion *completion) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += COMPLETION_TIMEOUT_S;
    pthread_mutex_lock(&completion->mutex);
    while (!completion->is_done) {
        if (pthread_cond_timedwait(&completion->cond, &completion->mutex, &until) != 0) {
            fprintf(stderr, "done did not come within %d s\n", COMPLETION_TIMEOUT_S);
            abort();
        }
    }
    pthread_mutex_unlock(&completion->mutex);
    pthread_cond_destroy(&completion->cond);
    pthread_mutex_destroy(&completion->mutex);
}

#endif
