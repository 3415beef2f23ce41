/* The state behind the endpoints: made before the server starts, freed when the last operation has ended. */
#include "api/api_state.h"

#include <stdlib.h>

#include "api/near_cache.h"
#include "base/queue.h"

static double read_pending(void *data) {
    struct api *api = data;
    return (double)pending_count(api->pending);
}

static void register_metrics(struct api *api) {
    static const char *const labels[API_CACHE_COUNT][API_CACHE_RESULT_COUNT] = {
        {"cache=\"own\",result=\"hit\"", "cache=\"own\",result=\"miss\"", "cache=\"own\",result=\"unavailable\""},
        {"cache=\"pending\",result=\"hit\"", "cache=\"pending\",result=\"miss\"",
         "cache=\"pending\",result=\"unavailable\""},
        {"cache=\"shared\",result=\"hit\"", "cache=\"shared\",result=\"miss\"",
         "cache=\"shared\",result=\"unavailable\""},
    };
    struct metrics *metrics = api->options.metrics;
    api->metrics.append = metrics_histogram(metrics, "orderly_api_append_seconds",
                                            "Time from handing a command to the event log until it is durable.", "");
    for (size_t cache = 0; cache < API_CACHE_COUNT; cache++) {
        for (size_t result = 0; result < API_CACHE_RESULT_COUNT; result++)
            api->metrics.cache[cache][result] =
                metrics_counter(metrics, "orderly_api_cache_requests_total",
                                "Reads of one order, by cache and what it said.", labels[cache][result]);
    }
    metrics_gauge_callback(metrics, "orderly_api_pending", "Accepted orders that the feed has not reported yet.", "",
                           read_pending, api);
    hot_orders_show(api->hot_orders, metrics);
}

/* The feed's thread: the store and the shared cache have this version now. */
static void event_seen(struct feed_listener *listener, const struct feed_event *event) {
    struct api *api = CONTAINER_OF(listener, struct api, listener);
    near_cache_event(api, &event->order_id, event->version);
    if (event->version > 0) pending_remove(api->pending, &event->order_id);
}

struct api *api_new(const struct api_options *options) {
    struct api *api = calloc(1, sizeof *api);
    if (!api) return NULL;
    api->options = *options;
    api->pending = pending_new(options->pending_max);
    api->hot_orders = hot_orders_new(options->clock, options->random, options->metrics);
    if (!api->pending || !api->hot_orders) {
        hot_orders_free(api->hot_orders);
        pending_free(api->pending);
        free(api);
        return NULL;
    }
    if (!health_watch_start(&api->health, api)) {
        health_watch_stop(&api->health);
        hot_orders_free(api->hot_orders);
        pending_free(api->pending);
        free(api);
        return NULL;
    }
    pthread_mutex_init(&api->waiting_mutex, NULL);
    sem_init(&api->idle, 0, 0);
    atomic_init(&api->operations, 1);
    api->started_ns = clock_monotonic_ns(options->clock);
    register_metrics(api);
    api->listener.event = event_seen;
    feed_listen(options->feed, &api->listener);
    return api;
}

void api_free(struct api *api) {
    if (!api) return;
    health_watch_stop(&api->health);
    create_abandon_waiting(api);
    api_end(api);
    while (sem_wait(&api->idle) != 0) {
    }
    sem_destroy(&api->idle);
    pthread_mutex_destroy(&api->waiting_mutex);
    pending_free(api->pending);
    hot_orders_free(api->hot_orders);
    free(api);
}

void api_begin(struct api *api) {
    atomic_fetch_add(&api->operations, 1);
}

void api_end(struct api *api) {
    if (atomic_fetch_sub(&api->operations, 1) == 1) sem_post(&api->idle);
}

void api_count_cache(struct api *api, enum api_cache cache, enum api_cache_result result) {
    metric_add(api->metrics.cache[cache][result], 1);
}

void api_warn(struct api *api, const struct http_request *request, const char *message, enum status status,
              const char *error_text) {
    int64_t now_ns = clock_monotonic_ns(api->options.clock), last_ns = atomic_load(&api->warned_ns);
    if (last_ns != 0 && now_ns - last_ns < API_WARN_MS * INT64_C(1000000)) return;
    if (!atomic_compare_exchange_strong(&api->warned_ns, &last_ns, now_ns)) return;
    log_event(api->options.logger, LOG_WARN, message, LOG_S("status", status_name(status)), LOG_S("error", error_text),
              LOG_S("request_id", http_request_id(request)));
}
