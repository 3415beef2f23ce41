/* GET /health/ready: from a fresh result at once, else when the watch has asked the parts. */
#include "api/health_watch.h"

#include <string.h>

#include "api/api_state.h"
#include "api/health_page.h"

struct health_request {
    struct deferred deferred; /* first: see http_data */
    struct health_request *next;
};

static int64_t now_ns(const struct health_watch *watch) {
    return clock_monotonic_ns(watch->api->options.clock);
}

static bool is_older(int64_t at_ns, int64_t now, int64_t age_ms) {
    return at_ns == 0 || now - at_ns >= age_ms * INT64_C(1000000);
}

/* --- the thread --- */

static void advise(struct health_watch *watch, struct health_result *result) {
    const struct api_options *options = &watch->api->options;
    int64_t now = now_ns(watch);
    if (!is_older(watch->advised_at_ns, now, HEALTH_ADVISE_MS)) return;
    watch->advised_at_ns = now;
    memset(result->advice, 0, sizeof result->advice);
    if (result->status[HEALTH_LOG] == STATUS_OK)
        event_log_advise(options->log, HEALTH_CHECK_MS, &result->advice[HEALTH_LOG]);
    if (result->status[HEALTH_STORE] == STATUS_OK)
        order_store_advise(options->store, HEALTH_CHECK_MS, &result->advice[HEALTH_STORE]);
    if (options->shared_cache && result->status[HEALTH_CACHE] == STATUS_OK)
        order_cache_advise(options->shared_cache, HEALTH_CHECK_MS, &result->advice[HEALTH_CACHE]);
}

static void ask(struct health_watch *watch, struct health_result *result) {
    const struct api_options *options = &watch->api->options;
    memset(result->error, 0, sizeof result->error);
    result->status[HEALTH_LOG] = event_log_check(options->log, HEALTH_CHECK_MS, &result->error[HEALTH_LOG]);
    result->status[HEALTH_STORE] = order_store_check(options->store, HEALTH_CHECK_MS, &result->error[HEALTH_STORE]);
    result->status[HEALTH_CACHE] = STATUS_OK;
    if (options->shared_cache)
        result->status[HEALTH_CACHE] =
            order_cache_check(options->shared_cache, HEALTH_CHECK_MS, &result->error[HEALTH_CACHE]);
    advise(watch, result);
}

static void answer(struct health_request *waiting, const struct health_result *result) {
    while (waiting) {
        struct health_request *next = waiting->next; /* the request's memory goes with its end */
        if (result && deferred_claim(&waiting->deferred))
            health_page_respond(waiting->deferred.request, waiting->deferred.api, result);
        deferred_end(&waiting->deferred);
        waiting = next;
    }
}

static struct health_request *take_waiting(struct health_watch *watch) {
    struct health_request *waiting = watch->waiting;
    watch->waiting = NULL;
    return waiting;
}

/* Says more of this moment than of the parts: not to be shown again. */
static bool lacks_memory(const struct health_result *result) {
    for (int part = 0; part < HEALTH_PART_COUNT; part++) {
        if (result->status[part] == STATUS_NO_MEMORY) return true;
    }
    return false;
}

static void *run(void *data) {
    struct health_watch *watch = data;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->stops) {
        if (!watch->waiting) {
            pthread_cond_wait(&watch->wanted, &watch->mutex);
            continue;
        }
        pthread_mutex_unlock(&watch->mutex);
        ask(watch, &watch->working);
        pthread_mutex_lock(&watch->mutex);
        watch->shown = watch->working;
        watch->checked_at_ns = lacks_memory(&watch->working) ? 0 : now_ns(watch);
        struct health_request *waiting = take_waiting(watch);
        pthread_mutex_unlock(&watch->mutex);
        answer(waiting, &watch->working);
        pthread_mutex_lock(&watch->mutex);
    }
    struct health_request *waiting = take_waiting(watch);
    pthread_mutex_unlock(&watch->mutex);
    answer(waiting, NULL);
    return NULL;
}

bool health_watch_start(struct health_watch *watch, struct api *api) {
    watch->api = api;
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_cond_init(&watch->wanted, NULL);
    watch->is_running = pthread_create(&watch->thread, NULL, run, watch) == 0;
    return watch->is_running;
}

void health_watch_stop(struct health_watch *watch) {
    if (watch->is_running) {
        pthread_mutex_lock(&watch->mutex);
        watch->stops = true;
        pthread_cond_signal(&watch->wanted);
        pthread_mutex_unlock(&watch->mutex);
        pthread_join(watch->thread, NULL);
    }
    pthread_cond_destroy(&watch->wanted);
    pthread_mutex_destroy(&watch->mutex);
}

/* --- the endpoint --- */

static void expired(struct http_request *request) {
    struct health_request *waiting = http_data(request);
    if (deferred_claim(&waiting->deferred)) health_page_respond(request, waiting->deferred.api, NULL);
}

void api_get_ready(struct http_request *request, void *data) {
    struct api *api = data;
    struct health_watch *watch = &api->health;
    pthread_mutex_lock(&watch->mutex);
    if (!is_older(watch->checked_at_ns, now_ns(watch), HEALTH_FRESH_MS)) {
        health_page_respond(request, api, &watch->shown);
        pthread_mutex_unlock(&watch->mutex);
        return;
    }
    struct health_request *waiting = arena_calloc(http_arena(request), 1, sizeof *waiting);
    if (waiting) {
        deferred_start(&waiting->deferred, api, request, HEALTH_ANSWER_MS, expired);
        waiting->next = watch->waiting;
        watch->waiting = waiting;
        pthread_cond_signal(&watch->wanted);
    }
    pthread_mutex_unlock(&watch->mutex);
    if (!waiting) api_respond_problem(request, PROBLEM_NO_MEMORY);
}
