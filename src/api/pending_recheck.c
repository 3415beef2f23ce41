/* Forgotten pending orders: the feed reports each order, but an event may be lost to it (a gap after a long outage) or
 * never come (a dead letter). So, while requests come, one old pending order after the other is looked up in the store,
 * one at a time, and taken out when it is there. Without this the table would fill up with them. */
#include "api/api_state.h"

static void advance(struct api_recheck *recheck) {
    recheck->position = pending_position(recheck->order->created_at_ms, &recheck->order->order_id);
    pending_release(recheck->order);
    recheck->order = NULL;
    atomic_store(&recheck->busy, false);
}

static void looked_up(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                      const char *error_text) {
    struct api *api = get->data;
    if (status == STATUS_OK) pending_remove(api->pending, &get->order_id);
    advance(&api->recheck);
    api_end(api);
}

/* The next one that is older than a cache entry may be; from the oldest again after the last. */
static struct pending_order *next_old(struct api *api) {
    struct api_recheck *recheck = &api->recheck;
    int64_t before_ms = clock_wall_ms(api->options.clock) - api->options.cache_ttl_ms;
    struct pending_order *order = pending_oldest(api->pending, &recheck->position);
    if (order && order->created_at_ms < before_ms) return order;
    pending_release(order);
    recheck->position = (struct pending_key){0};
    return NULL;
}

void pending_recheck(struct api *api) {
    struct api_recheck *recheck = &api->recheck;
    int64_t now_ns = clock_monotonic_ns(api->options.clock);
    if (now_ns < atomic_load(&recheck->next_ns)) return;
    if (atomic_exchange(&recheck->busy, true)) return;
    atomic_store(&recheck->next_ns, now_ns + API_RECHECK_MS * INT64_C(1000000));
    recheck->order = next_old(api);
    if (!recheck->order) {
        atomic_store(&recheck->busy, false);
        return;
    }
    recheck->get = (struct order_store_get){.order_id = recheck->order->order_id, .done = looked_up, .data = api};
    api_begin(api);
    order_store_get(api->options.store, &recheck->get);
}
