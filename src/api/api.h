/* The service's endpoints: both dialects, documentation, health, metrics. One endpoint or one tight group per file. */
#ifndef ORDERLY_API_API_H
#define ORDERLY_API_API_H

#include "feed/feed.h"
#include "hotkey/lab.h"
#include "http/http.h"
#include "order_cache/order_cache.h"
#include "order_store/order_store.h"
#include "pipeline/pipeline.h"

struct api;

struct api_options {
    struct event_log *log; /* all borrowed */
    struct order_store *store;
    struct order_cache *own_cache;    /* this process's memory: its get is done within the call; may be NULL */
    struct order_cache *shared_cache; /* Redis; may be NULL */
    struct feed *feed;
    struct pipeline *pipeline; /* in the same process; may be NULL */
    struct lab *lab;           /* the hot-key lab; NULL: its endpoints answer 503 */
    const struct clock *clock;
    struct random *random;
    const struct log *logger;
    struct metrics *metrics;
    const char *default_currency;
    size_t pending_max; /* acknowledged, not yet seen orders */
    int answer_timeout_ms, verdict_timeout_ms;
    int64_t cache_ttl_ms; /* of entries in the shared cache; the own one is kept <= 1 s */
};

/* Prepares the state behind the endpoints (pending orders, listener on the feed). NULL: no memory. */
struct api *api_new(const struct api_options *options);

/* After http_server_close and feed_close. */
void api_free(struct api *api);

/* The route table to serve; the handlers' data is the struct api. */
const struct http_route *api_routes(size_t *count_out);

#endif
