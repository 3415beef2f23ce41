/* What the endpoints share: the state behind struct api, and answers that come later. Private to src/api. */
#ifndef ORDERLY_API_API_STATE_H
#define ORDERLY_API_API_STATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/health_watch.h"
#include "api/hot_orders.h"
#include "api/pending.h"
#include "api/problem.h"

#define API_JSON "application/json"
#define API_NEAR_SLOTS 4096      /* see near_cache.c */
#define API_NEAR_TTL_MS 1000     /* how long an entry of the own cache is used at most */
#define API_FILL_AGE_MAX_MS 100  /* an older read fills no cache */
#define API_RECHECK_MS 100       /* between two looks at forgotten pending orders, at least */
#define API_WARN_MS 1000         /* between two lines of the same kind in the log, at least */

enum api_cache { API_CACHE_OWN, API_CACHE_PENDING, API_CACHE_SHARED, API_CACHE_COUNT };
enum api_cache_result { API_CACHE_HIT, API_CACHE_MISS, API_CACHE_UNAVAILABLE, API_CACHE_RESULT_COUNT };

struct api_metrics {
    struct metric_histogram *append;
    struct metric_counter *cache[API_CACHE_COUNT][API_CACHE_RESULT_COUNT];
};

/* See pending_recheck.c. */
struct api_recheck {
    _Atomic int64_t next_ns;
    atomic_bool busy; /* whoever sets it owns the rest until it is cleared */
    struct pending_key position;
    struct pending_order *order;
    struct order_store_get get;
    struct order_store_list list;
};

struct create;

struct api {
    struct api_options options;
    struct pending *pending;
    struct feed_listener listener;
    int64_t started_ns;
    struct api_metrics metrics;
    struct health_watch health;
    struct hot_orders *hot_orders;
    atomic_int simulation_streams; /* of GET /simulation/events */
    struct api_recheck recheck;
    _Atomic int64_t warned_ns;
    _Atomic uint32_t near_events[API_NEAR_SLOTS];
    pthread_mutex_t waiting_mutex;
    struct create *waiting; /* requests registered with the feed */
    /* Asynchronous operations under way, and one for the api itself: what comes last posts `idle`. */
    atomic_size_t operations;
    sem_t idle;
};

/* Around each asynchronous operation: api_free waits for all of them. Any thread. */
void api_begin(struct api *api);
void api_end(struct api *api);

void api_count_cache(struct api *api, enum api_cache cache, enum api_cache_result result);

/* A line in the log for a failure behind an answer, at most one per second. error_text may be NULL. */
void api_warn(struct api *api, const struct http_request *request, const char *message, enum status status,
              const char *error_text);

/* --- answers that come later: lives in the request's arena, first in the endpoint's own struct --- */

struct deferred {
    struct api *api;
    struct http_request *request;
    atomic_bool claimed;
};

/* Defers the request, with one hold for the operation about to start. expired: as for http_defer; http_data gives the
 * struct deferred. */
void deferred_start(struct deferred *deferred, struct api *api, struct http_request *request, int deadline_ms,
                    void (*expired)(struct http_request *request));

/* True for exactly one caller: that one may add headers and respond. */
bool deferred_claim(struct deferred *deferred);

/* One more operation that uses the request; ends with deferred_end. */
void deferred_hold(struct deferred *deferred);

/* The operation has ended; the struct may be gone afterwards. */
void deferred_end(struct deferred *deferred);

/* Claims and responds; nothing happens if somebody else did. */
void deferred_problem(struct deferred *deferred, enum api_problem problem);

/* The expired callback of reads: store_unavailable. */
void deferred_read_expired(struct http_request *request);

/* --- endpoints: see routes.c --- */

void api_post_orders(struct http_request *request, void *data);
void api_post_api_orders(struct http_request *request, void *data);
void api_get_order(struct http_request *request, void *data);
void api_get_api_order(struct http_request *request, void *data);
void api_list_orders(struct http_request *request, void *data);
void api_get_docs(struct http_request *request, void *data);
void api_get_docs_file(struct http_request *request, void *data);
void api_get_openapi(struct http_request *request, void *data);
void api_get_live(struct http_request *request, void *data);
void api_get_ready(struct http_request *request, void *data);
void api_get_metrics(struct http_request *request, void *data);
void api_post_simulation_start(struct http_request *request, void *data);
void api_post_simulation_stop(struct http_request *request, void *data);
void api_get_simulation_status(struct http_request *request, void *data);
void api_get_simulation_events(struct http_request *request, void *data);
void api_get_simulation_parameters(struct http_request *request, void *data);
void api_get_simulation_runs(struct http_request *request, void *data);
void api_get_simulation_run(struct http_request *request, void *data);
void api_get_simulation_report(struct http_request *request, void *data);
void api_get_simulation_seconds(struct http_request *request, void *data);
void api_get_simulation_latency(struct http_request *request, void *data);

/* --- parts --- */

/* Looks at one forgotten pending order, if it is time (pending_recheck.c). Called by requests; cheap. */
void pending_recheck(struct api *api);

/* Ends what waits for a verdict that will not come any more: the feed is closed (create_verdict.c). */
void create_abandon_waiting(struct api *api);

#endif
