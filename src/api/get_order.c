/* GET /orders/{order_id} and GET /api/orders/{order_id}: own cache, pending orders, shared cache, store. */
#include <strings.h>

#include "api/api_state.h"
#include "api/near_cache.h"
#include "api/order_view.h"

#define NOT_VISIBLE_YET_MS 30000 /* how long an order may take from its id to a place where every process sees it */

struct get_order {
    struct deferred deferred; /* first: http_data points to it */
    enum input_dialect dialect;
    struct uuid order_id;
    uint32_t mark;       /* see near_cache.h */
    int64_t asked_at_ms; /* when the shared cache was asked */
    union {              /* one after the other */
        struct order_cache_get cache;
        struct order_store_get store;
    };
};

/* What the near cache and the pending orders answer at once. */
struct lookup {
    struct http_request *request;
    enum input_dialect dialect;
    struct uuid order_id;
};

static void use_near(void *data, uint32_t version, struct bytes json) {
    const struct lookup *lookup = data;
    order_view_respond(lookup->request, lookup->dialect, &lookup->order_id, version, json);
}

/* Answers from the pending orders. Like a cache entry, one answers by itself only as long as the TTL and while the
 * feed, which takes it out, is live; after that only when the store does not know the order (any_age). */
static bool respond_pending(struct api *api, struct http_request *request, enum input_dialect dialect,
                            const struct uuid *order_id, bool any_age) {
    struct pending_order *order = pending_get(api->pending, order_id);
    if (!any_age) api_count_cache(api, API_CACHE_PENDING, order ? API_CACHE_HIT : API_CACHE_MISS);
    if (!order) return false;
    int64_t age_ms = clock_wall_ms(api->options.clock) - order->created_at_ms;
    bool answers = any_age || (age_ms < api->options.cache_ttl_ms && feed_is_live(api->options.feed));
    if (answers) order_view_respond(request, dialect, order_id, 1, order->json);
    pending_release(order);
    return answers;
}

static void respond_not_found(struct api *api, struct http_request *request, const struct uuid *order_id) {
    bool is_young = false;
    if (uuid_version(order_id) == 7) {
        int64_t age_ms = clock_wall_ms(api->options.clock) - uuid_v7_wall_ms(order_id);
        is_young = age_ms > -NOT_VISIBLE_YET_MS && age_ms < NOT_VISIBLE_YET_MS; /* clocks differ */
    }
    api_respond_problem(request, is_young ? PROBLEM_NOT_VISIBLE_YET : PROBLEM_ORDER_NOT_FOUND);
}

/* --- the store --- */

/* Upward into both caches; what took too long fills none. */
static void fill_caches(struct get_order *get, const struct order *order, struct bytes json, int64_t read_at_ms) {
    const struct api_options *options = &get->deferred.api->options;
    struct order_cache_put put = {
        .order_id = order->order_id,
        .entry = {.version = order->version, .value = json, .expires_at_ms = read_at_ms + options->cache_ttl_ms},
    };
    near_cache_fill(get->deferred.api, get->mark, &put, read_at_ms);
    if (options->shared_cache && clock_wall_ms(options->clock) - read_at_ms <= API_FILL_AGE_MAX_MS)
        order_cache_put(options->shared_cache, &put);
}

static void store_found(struct get_order *get, const struct order *order, int64_t read_at_ms) {
    struct buffer json;
    buffer_init(&json, ORDER_TEXT_MAX);
    if (order_view_render(order, &json) == STATUS_OK) {
        fill_caches(get, order, buffer_bytes(&json), read_at_ms);
        if (deferred_claim(&get->deferred))
            order_view_respond(get->deferred.request, get->dialect, &get->order_id, order->version,
                               buffer_bytes(&json));
    } else {
        deferred_problem(&get->deferred, api_problem_of_read(json.status));
    }
    buffer_free(&json);
}

static void store_done(struct order_store_get *store_get, enum status status, const struct order *order,
                       int64_t read_at_ms, const char *error_text) {
    struct get_order *get = store_get->data;
    struct api *api = get->deferred.api;
    struct http_request *request = get->deferred.request;
    if (status == STATUS_OK) {
        store_found(get, order, read_at_ms);
    } else if (status == STATUS_NOT_FOUND) {
        if (deferred_claim(&get->deferred) && !respond_pending(api, request, get->dialect, &get->order_id, true))
            respond_not_found(api, request, &get->order_id);
    } else {
        api_warn(api, request, "an order could not be read from the store", status, error_text);
        deferred_problem(&get->deferred, api_problem_of_read(status));
    }
    deferred_end(&get->deferred);
}

static void read_store(struct get_order *get) {
    get->mark = near_cache_mark(get->deferred.api, &get->order_id);
    get->store = (struct order_store_get){.order_id = get->order_id, .done = store_done, .data = get};
    order_store_get(get->deferred.api->options.store, &get->store);
}

/* --- the shared cache --- */

static void shared_done(struct order_cache_get *cache_get, enum status status, const struct order_cache_entry *entry) {
    struct get_order *get = cache_get->data;
    struct api *api = get->deferred.api;
    api_count_cache(api, API_CACHE_SHARED,
                    status == STATUS_OK          ? API_CACHE_HIT
                    : status == STATUS_NOT_FOUND ? API_CACHE_MISS
                                                 : API_CACHE_UNAVAILABLE);
    if (status != STATUS_OK) {
        read_store(get);
        return;
    }
    const struct order_cache_put put = {.order_id = get->order_id, .entry = *entry};
    near_cache_fill(api, get->mark, &put, get->asked_at_ms);
    if (deferred_claim(&get->deferred))
        order_view_respond(get->deferred.request, get->dialect, &get->order_id, entry->version, entry->value);
    deferred_end(&get->deferred);
}

static void read_shared(struct get_order *get) {
    get->asked_at_ms = clock_wall_ms(get->deferred.api->options.clock);
    get->mark = near_cache_mark(get->deferred.api, &get->order_id);
    get->cache = (struct order_cache_get){.order_id = get->order_id, .done = shared_done, .data = get};
    order_cache_get(get->deferred.api->options.shared_cache, &get->cache);
}

/* --- the request --- */

/* Cache-Control is a list; this is the directive that asks for a fresh answer. */
static bool wants_fresh(const struct http_request *request) {
    static const char directive[] = "no-cache";
    struct bytes control = http_header(request, "Cache-Control");
    for (size_t i = 0; i + sizeof directive - 1 <= control.size; i++) {
        if (strncasecmp(control.data + i, directive, sizeof directive - 1) == 0) return true;
    }
    return false;
}

static void handle(struct http_request *request, struct api *api, enum input_dialect dialect) {
    struct lookup lookup = {.request = request, .dialect = dialect};
    if (!api_path_order_id(request, &lookup.order_id)) return;
    hot_orders_touch(api->hot_orders, &lookup.order_id);
    bool fresh = wants_fresh(request);
    if (!fresh && near_cache_read(api, &lookup.order_id, use_near, &lookup)) return;
    if (!fresh && respond_pending(api, request, dialect, &lookup.order_id, false)) return;
    struct get_order *get = arena_calloc(http_arena(request), 1, sizeof *get);
    if (!get) {
        api_respond_problem(request, PROBLEM_NO_MEMORY);
        return;
    }
    get->dialect = dialect;
    get->order_id = lookup.order_id;
    deferred_start(&get->deferred, api, request, api->options.answer_timeout_ms, deferred_read_expired);
    if (!fresh && api->options.shared_cache)
        read_shared(get);
    else
        read_store(get);
}

void api_get_order(struct http_request *request, void *data) {
    handle(request, data, INPUT_ORDERS);
}

void api_get_api_order(struct http_request *request, void *data) {
    handle(request, data, INPUT_API_ORDERS);
}
