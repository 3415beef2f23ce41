/* The near cache: used only while the feed is live, since it is the feed that takes old versions out of it.
 *
 * A fill races with the feed: the read finds version 1, the event of version 2 drops what is there, then the fill puts
 * version 1 back, and a client that has seen 2 reads 1. So events are counted per slot of a small table: a fill whose
 * count has changed since its read began takes its entry out again. Other orders of the slot only cost a fill. */
#include "api/near_cache.h"

struct near_read {
    struct order_cache_get get; /* first */
    void (*use)(void *data, uint32_t version, struct bytes json);
    void *data;
    bool found;
};

static _Atomic uint32_t *slot_of(struct api *api, const struct uuid *order_id) {
    return &api->near_events[bytes_get_u32(order_id->bytes + 12) % API_NEAR_SLOTS];
}

static void read_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct near_read *read = (struct near_read *)(void *)get;
    if (status != STATUS_OK) return;
    read->found = true;
    read->use(read->data, entry->version, entry->value);
}

bool near_cache_read(struct api *api, const struct uuid *order_id,
                     void (*use)(void *data, uint32_t version, struct bytes json), void *data) {
    if (!api->options.own_cache) return false;
    if (!feed_is_live(api->options.feed)) {
        api_count_cache(api, API_CACHE_OWN, API_CACHE_UNAVAILABLE);
        return false;
    }
    struct near_read read = {.get = {.order_id = *order_id, .done = read_done}, .use = use, .data = data};
    order_cache_get(api->options.own_cache, &read.get); /* answers within the call, see api.h */
    api_count_cache(api, API_CACHE_OWN, read.found ? API_CACHE_HIT : API_CACHE_MISS);
    return read.found;
}

uint32_t near_cache_mark(struct api *api, const struct uuid *order_id) {
    return atomic_load(slot_of(api, order_id));
}

void near_cache_fill(struct api *api, uint32_t mark, const struct order_cache_put *read, int64_t read_at_ms) {
    struct order_cache *cache = api->options.own_cache;
    if (!cache || !feed_is_live(api->options.feed)) return;
    if (clock_wall_ms(api->options.clock) - read_at_ms > API_FILL_AGE_MAX_MS) return;
    struct order_cache_put put = *read;
    if (put.entry.expires_at_ms > read_at_ms + API_NEAR_TTL_MS) put.entry.expires_at_ms = read_at_ms + API_NEAR_TTL_MS;
    order_cache_put(cache, &put);
    if (near_cache_mark(api, &put.order_id) != mark) order_cache_drop(cache, &put.order_id, UINT32_MAX);
}

void near_cache_event(struct api *api, const struct uuid *order_id, uint32_t version) {
    if (!api->options.own_cache) return;
    atomic_fetch_add(slot_of(api, order_id), 1);
    if (version > 0) order_cache_drop(api->options.own_cache, order_id, version);
}
