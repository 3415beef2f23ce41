/* What any thread may ask of the Redis cache: a request becomes a call in the loop's queue, or is answered at once when
 * the circuit is open or too much is under way. */
#include <stdlib.h>
#include <unistd.h>

#include "order_cache/redis_internal.h"

static struct redis_cache *redis_of(struct order_cache *base) {
    return (struct redis_cache *)(void *)base;
}

/* The call as it shall be sent; false: it was not taken. Deadlines are made under the mutex, so that they ascend. */
static bool submit(struct redis_cache *cache, struct redis_call wanted) {
    bool is_taken = false, wakes = false;
    pthread_mutex_lock(&cache->mutex);
    if (cache->accepts && cache->in_flight_bytes + wanted.size_bytes <= REDIS_IN_FLIGHT_SIZE_MAX) {
        struct queue_link *link = queue_pop(&cache->free_calls);
        if (link) {
            struct redis_call *call = CONTAINER_OF(link, struct redis_call, link);
            *call = wanted;
            call->cache = cache;
            call->started_ns = redis_now_ns(cache);
            call->deadline_ns = call->started_ns + cache->options.timeout_ms * NS_PER_MS;
            cache->in_flight_bytes += wanted.size_bytes;
            wakes = cache->queue.count == 0;
            queue_push(&cache->queue, &call->link);
            is_taken = true;
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    if (wakes && write(cache->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0) {
        /* The counter is full: the loop is awake already. */
    }
    return is_taken;
}

void redis_get(struct order_cache *base, struct order_cache_get *get) {
    struct redis_cache *cache = redis_of(base);
    if (submit(cache, (struct redis_call){.kind = CALL_GET, .order_id = get->order_id, .get = get})) return;
    redis_count(&cache->stats.errors);
    metric_add(cache->metrics.skipped, 1);
    get->done(get, STATUS_UNAVAILABLE, NULL);
}

static void put_ended(struct order_cache_put *put, enum status status) {
    if (put->done) put->done(put, status);
}

static void put_skipped(struct redis_cache *cache, struct order_cache_put *put, enum status status) {
    redis_count(&cache->stats.skipped);
    put_ended(put, status);
}

/* One more byte than needed: malloc(0) may be NULL. */
static char *copy_of(struct bytes value) {
    char *copy = malloc(value.size + 1);
    if (copy && value.size) memcpy(copy, value.data, value.size);
    return copy;
}

void redis_put(struct order_cache *base, struct order_cache_put *put) {
    struct redis_cache *cache = redis_of(base);
    const struct order_cache_entry *entry = &put->entry;
    if (entry->expires_at_ms <= clock_wall_ms(cache->options.clock)) {
        put_skipped(cache, put, STATUS_OK);
        return;
    }
    if (entry->value.size > ORDER_CACHE_VALUE_MAX) {
        redis_drop(base, &put->order_id, entry->version); /* what is there is known to be old */
        put_skipped(cache, put, STATUS_OK);
        return;
    }
    struct redis_call call = {
        .kind = CALL_PUT, .order_id = put->order_id, .size_bytes = entry->value.size, .put.entry = *entry};
    if (put->done) {
        call.put.request = put;
    } else {
        call.put.copy = copy_of(entry->value);
        if (!call.put.copy) {
            redis_count(&cache->stats.errors);
            return;
        }
        call.put.entry.value.data = call.put.copy;
    }
    if (submit(cache, call)) return;
    free(call.put.copy);
    metric_add(cache->metrics.skipped, 1);
    put_skipped(cache, put, STATUS_UNAVAILABLE);
}

void redis_drop(struct order_cache *base, const struct uuid *order_id, uint32_t below_version) {
    struct redis_cache *cache = redis_of(base);
    struct redis_call call = {.kind = CALL_DROP, .order_id = *order_id, .below_version = below_version};
    if (!submit(cache, call)) metric_add(cache->metrics.skipped, 1);
}

void redis_clear(struct order_cache *base) {
    struct redis_cache *cache = redis_of(base);
    struct redis_call call = {.kind = CALL_CLEAR, .clear.cursor = "0"};
    if (!submit(cache, call)) metric_add(cache->metrics.skipped, 1);
}
