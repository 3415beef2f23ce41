/* Forgotten pending orders: the feed reports each order, but an event may be lost to it (a gap after a long outage) or
 * never come (a dead letter). So, while requests come, one old pending order after the other is looked up in the store,
 * one at a time, and taken out when it is there. Without this the table would fill up with them.
 *
 * There means everywhere: a store's apply need not be atomic, and a consumer that died within one leaves an order that
 * a get finds and a list does not, until the next owner of its partition has repeated it. */
#include "api/api_state.h"

static void advance(struct api_recheck *recheck) {
    recheck->position = pending_position(recheck->order->created_at_ms, &recheck->order->order_id);
    pending_release(recheck->order);
    recheck->order = NULL;
    atomic_store(&recheck->busy, false);
}

static void end(struct api *api, bool is_there) {
    if (is_there) pending_remove(api->pending, &api->recheck.order->order_id);
    advance(&api->recheck);
    api_end(api);
}

static void list(struct api *api, bool by_customer,
                 void (*done)(struct order_store_list *, enum status, const struct order *, size_t,
                              const struct order_store_cursor *, const char *)) {
    struct api_recheck *recheck = &api->recheck;
    const struct pending_order *order = recheck->order;
    recheck->list = (struct order_store_list){
        .customer_name = by_customer ? order->customer_name : (struct bytes){0},
        .created_after_ms = order->created_at_ms - 1,
        .created_before_ms = order->created_at_ms + 1,
        .limit = ORDER_STORE_LIST_MAX,
        .done = done,
        .data = api,
    };
    order_store_list(api->options.store, &recheck->list);
}

/* More than a page within one millisecond: then it is looked for again later, or the feed reports it after all. */
static bool contains(const struct api *api, enum status status, const struct order *orders, size_t count) {
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (uuid_equal(&orders[i].order_id, &api->recheck.order->order_id)) return true;
    }
    return false;
}

static void listed_by_customer(struct order_store_list *list, enum status status, const struct order *orders,
                               size_t count, const struct order_store_cursor *next, const char *error_text) {
    end(list->data, contains(list->data, status, orders, count));
}

static void listed(struct order_store_list *all, enum status status, const struct order *orders, size_t count,
                   const struct order_store_cursor *next, const char *error_text) {
    struct api *api = all->data;
    if (contains(api, status, orders, count))
        list(api, true, listed_by_customer);
    else
        end(api, false);
}

/* A later version was applied after all of the first one, and may have another customer. */
static void looked_up(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                      const char *error_text) {
    struct api *api = get->data;
    if (status == STATUS_OK && order->version == 1)
        list(api, false, listed);
    else
        end(api, status == STATUS_OK);
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
