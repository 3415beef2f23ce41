/* Asks the parts behind the API whether they are well, on a thread of its own: a service that is away may take its
 * time, and no other request shall wait for it. Asks only while somebody wants to know. Private to src/api. */
#ifndef ORDERLY_API_HEALTH_WATCH_H
#define ORDERLY_API_HEALTH_WATCH_H

#include <pthread.h>
#include <stdint.h>

#include "base/advice.h"

#define HEALTH_CHECK_MS 1000   /* how long one part may take to say that it is well */
#define HEALTH_FRESH_MS 1000   /* a result is used again for this long */
#define HEALTH_ADVISE_MS 60000 /* settings are looked at again after this time */
#define HEALTH_ANSWER_MS 10000 /* then the question is answered without the answer */

enum health_part { HEALTH_LOG, HEALTH_STORE, HEALTH_CACHE, HEALTH_PART_COUNT };

struct health_result {
    enum status status[HEALTH_PART_COUNT];
    struct error error[HEALTH_PART_COUNT];
    struct advice advice[HEALTH_PART_COUNT];
};

struct api;
struct health_request;

struct health_watch {
    struct api *api;
    pthread_t thread;
    bool is_running;
    struct health_result working; /* the thread's own */
    int64_t advised_at_ns;        /* the thread's own; 0: never */
    pthread_mutex_t mutex;        /* what follows */
    pthread_cond_t wanted;
    bool stops;
    struct health_request *waiting;
    int64_t checked_at_ns; /* 0: never */
    struct health_result shown;
};

/* Starts the thread. False: it cannot be had. */
bool health_watch_start(struct health_watch *watch, struct api *api);

/* Ends it; requests that wait get no answer of it any more. Once, also after a failed start. */
void health_watch_stop(struct health_watch *watch);

#endif
