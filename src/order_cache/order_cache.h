/* The order cache port: what an order looked like, by id, never older than its expiry.
 *
 * An entry is a version, opaque bytes (an order's JSON) and a fixed moment at which it expires: that of its store read or
 * log ack plus a TTL, carried by the put itself, so that a frozen writer cannot revive an old version for longer.
 * A cache that is away costs nothing but its help: get then says UNAVAILABLE at once, put is skipped.
 * Threads and ownership as in event_log/event_log.h. */
#ifndef ORDERLY_ORDER_CACHE_ORDER_CACHE_H
#define ORDERLY_ORDER_CACHE_ORDER_CACHE_H

#include "base/advice.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/uuid.h"

#define ORDER_CACHE_VALUE_MAX 262144 /* bytes; larger ones are not kept */

struct order_cache_entry {
    uint32_t version;
    struct bytes value;
    int64_t expires_at_ms; /* wall time */
};

/* OK: entry is valid until done returns. NOT_FOUND: no entry, or expired. UNAVAILABLE: the cache does not answer. */
struct order_cache_get {
    struct uuid order_id;
    void (*done)(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry);
    void *data;
    void *reserved[8];
};

/* Keeps the entry, unless a version at or above it is there (an equal version with a later expiry replaces), or it has
 * expired. done may be NULL: then the cache copies what it needs before the call returns. OK also when it was skipped. */
struct order_cache_put {
    struct uuid order_id;
    struct order_cache_entry entry;
    void (*done)(struct order_cache_put *put, enum status status);
    void *data;
    void *reserved[8];
};

struct order_cache {
    const struct order_cache_ops *ops;
};

struct order_cache_stats {
    uint64_t hits, misses, puts, skipped, evictions, errors;
    uint64_t entries, size_bytes; /* now; 0 where unknown */
};

struct order_cache_ops {
    const char *name; /* "memory", "redis" */
    enum status (*check)(struct order_cache *cache, int timeout_ms, struct error *error);
    void (*advise)(struct order_cache *cache, int timeout_ms, struct advice *advice); /* NULL: nothing to say */
    void (*get)(struct order_cache *cache, struct order_cache_get *get);
    void (*put)(struct order_cache *cache, struct order_cache_put *put);
    void (*drop)(struct order_cache *cache, const struct uuid *order_id, uint32_t below_version);
    void (*clear)(struct order_cache *cache);
    void (*stats)(struct order_cache *cache, struct order_cache_stats *stats_out);
    void (*close)(struct order_cache *cache);
};

static inline enum status order_cache_check(struct order_cache *cache, int timeout_ms, struct error *error) {
    return cache->ops->check(cache, timeout_ms, error);
}

/* Adds a line for each weak setting of the service (replication, durability, eviction…). One that does not answer within
 * timeout_ms adds none. */
static inline void order_cache_advise(struct order_cache *cache, int timeout_ms, struct advice *advice) {
    if (cache->ops->advise) cache->ops->advise(cache, timeout_ms, advice);
}
static inline void order_cache_get(struct order_cache *cache, struct order_cache_get *get) {
    cache->ops->get(cache, get);
}
static inline void order_cache_put(struct order_cache *cache, struct order_cache_put *put) {
    cache->ops->put(cache, put);
}
/* Removes the entry if its version is below below_version. Best effort on a remote cache. */
static inline void order_cache_drop(struct order_cache *cache, const struct uuid *order_id, uint32_t below_version) {
    cache->ops->drop(cache, order_id, below_version);
}
/* Removes all entries that this installation made. */
static inline void order_cache_clear(struct order_cache *cache) {
    cache->ops->clear(cache);
}
static inline void order_cache_stats(struct order_cache *cache, struct order_cache_stats *stats_out) {
    cache->ops->stats(cache, stats_out);
}
static inline void order_cache_close(struct order_cache *cache) {
    if (cache) cache->ops->close(cache);
}

#endif
