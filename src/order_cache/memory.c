/* The cache in this process's memory: shards, each a hash table and a list in order of use, within a limit in bytes.
 *
 * Threads: every shard has a mutex that guards all it holds; no call takes two. An entry never changes once it is in a
 * table, and is counted: the table holds one reference, every get under way another. So `done` runs without the lock
 * and may use the cache, while others replace or evict the very entry that it reads. */
#include "order_cache/memory.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/random.h"

#define MEMORY_SHARDS_MAX 16                               /* a power of two */
#define MEMORY_SHARD_SIZE_MIN (4u * ORDER_CACHE_VALUE_MAX) /* bytes: a smaller cache has fewer shards */
#define MEMORY_BUCKETS_MIN 16                              /* of one shard, powers of two */
#define MEMORY_BUCKETS_MAX 65536
#define MEMORY_BUCKET_SIZE 1024   /* bytes of entries that one bucket is made for */
#define MEMORY_MALLOC_OVERHEAD 16 /* bytes that malloc keeps for itself */

struct cached {
    struct cached *chain;         /* the next one in the bucket */
    struct cached *newer, *older; /* by last use */
    atomic_uint references;
    struct uuid order_id;
    uint64_t hash;
    size_t size_bytes; /* with overhead */
    uint32_t version;
    uint32_t value_size;
    int64_t expires_at_ms;
    char value[];
};

struct shard {
    pthread_mutex_t mutex;
    struct cached **buckets;
    struct cached *newest, *oldest;
    size_t size_bytes;
    struct order_cache_stats stats;
} __attribute__((aligned(64))); /* no two mutexes on one cache line */

struct memory_cache {
    struct order_cache base;
    const struct clock *clock;
    size_t shard_count, bucket_count; /* powers of two */
    size_t shard_limit_bytes;
    /* Clients may choose order ids; a keyed hash keeps them from aiming at one bucket. */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    struct shard shards[];
};

static struct memory_cache *memory_of(struct order_cache *cache) {
    return (struct memory_cache *)(void *)cache;
}

static uint64_t hash_of(const struct memory_cache *cache, const struct uuid *order_id) {
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, order_id->bytes, sizeof order_id->bytes, cache->hash_key);
    return bytes_get_u64(out);
}

/* The shard comes from the hash's upper half, the bucket from its lower one. */
static struct shard *shard_of(struct memory_cache *cache, uint64_t hash) {
    return &cache->shards[(hash >> 32) & (cache->shard_count - 1)];
}

/* --- entries --- */

static struct cached *cached_new(const struct order_cache_put *put, uint64_t hash) {
    const struct order_cache_entry *entry = &put->entry;
    struct cached *cached = malloc(sizeof *cached + entry->value.size);
    if (!cached) return NULL;
    *cached = (struct cached){
        .order_id = put->order_id,
        .hash = hash,
        .size_bytes = sizeof *cached + entry->value.size + MEMORY_MALLOC_OVERHEAD,
        .version = entry->version,
        .value_size = (uint32_t)entry->value.size,
        .expires_at_ms = entry->expires_at_ms,
    };
    atomic_init(&cached->references, 1);
    if (entry->value.size) memcpy(cached->value, entry->value.data, entry->value.size);
    return cached;
}

static void cached_release(struct cached *cached) {
    if (atomic_fetch_sub_explicit(&cached->references, 1, memory_order_acq_rel) == 1) free(cached);
}

/* --- a shard; its mutex is held in all of these --- */

static struct cached **shard_slot(const struct memory_cache *cache, struct shard *shard, uint64_t hash,
                                  const struct uuid *order_id) {
    struct cached **slot = &shard->buckets[hash & (cache->bucket_count - 1)];
    while (*slot && !((*slot)->hash == hash && uuid_equal(&(*slot)->order_id, order_id)))
        slot = &(*slot)->chain;
    return slot;
}

static void shard_link_newest(struct shard *shard, struct cached *cached) {
    cached->newer = NULL;
    cached->older = shard->newest;
    if (shard->newest)
        shard->newest->newer = cached;
    else
        shard->oldest = cached;
    shard->newest = cached;
}

static void shard_unlink(struct shard *shard, struct cached *cached) {
    if (cached->newer)
        cached->newer->older = cached->older;
    else
        shard->newest = cached->older;
    if (cached->older)
        cached->older->newer = cached->newer;
    else
        shard->oldest = cached->newer;
}

static void shard_remove(struct shard *shard, struct cached **slot) {
    struct cached *cached = *slot;
    *slot = cached->chain;
    shard_unlink(shard, cached);
    shard->size_bytes -= cached->size_bytes;
    shard->stats.entries--;
    cached_release(cached);
}

static void shard_insert(struct shard *shard, struct cached **slot, struct cached *cached) {
    cached->chain = *slot;
    *slot = cached;
    shard_link_newest(shard, cached);
    shard->size_bytes += cached->size_bytes;
    shard->stats.entries++;
}

static void shard_evict(const struct memory_cache *cache, struct shard *shard) {
    while (shard->size_bytes > cache->shard_limit_bytes) {
        struct cached *oldest = shard->oldest;
        shard_remove(shard, shard_slot(cache, shard, oldest->hash, &oldest->order_id));
        shard->stats.evictions++;
    }
}

/* Whether what is there stays, against a new entry of the same order. */
static bool cached_outranks(const struct cached *there, const struct cached *cached, int64_t now_ms) {
    if (there->expires_at_ms <= now_ms) return false;
    if (there->version != cached->version) return there->version > cached->version;
    return there->expires_at_ms >= cached->expires_at_ms;
}

/* --- the port --- */

static enum status memory_check(struct order_cache *base, int timeout_ms, struct error *error) {
    return STATUS_OK;
}

static void memory_get(struct order_cache *base, struct order_cache_get *get) {
    struct memory_cache *cache = memory_of(base);
    uint64_t hash = hash_of(cache, &get->order_id);
    struct shard *shard = shard_of(cache, hash);
    int64_t now_ms = clock_wall_ms(cache->clock);

    pthread_mutex_lock(&shard->mutex);
    struct cached **slot = shard_slot(cache, shard, hash, &get->order_id);
    struct cached *cached = *slot;
    if (cached && cached->expires_at_ms <= now_ms) {
        shard_remove(shard, slot);
        cached = NULL;
    }
    if (cached) {
        shard_unlink(shard, cached);
        shard_link_newest(shard, cached);
        atomic_fetch_add_explicit(&cached->references, 1, memory_order_relaxed);
        shard->stats.hits++;
    } else {
        shard->stats.misses++;
    }
    pthread_mutex_unlock(&shard->mutex);

    if (!cached) {
        get->done(get, STATUS_NOT_FOUND, NULL);
        return;
    }
    struct order_cache_entry entry = {cached->version, {cached->value, cached->value_size}, cached->expires_at_ms};
    get->done(get, STATUS_OK, &entry);
    cached_release(cached);
}

static void memory_drop(struct order_cache *base, const struct uuid *order_id, uint32_t below_version) {
    struct memory_cache *cache = memory_of(base);
    uint64_t hash = hash_of(cache, order_id);
    struct shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->mutex);
    struct cached **slot = shard_slot(cache, shard, hash, order_id);
    if (*slot && (*slot)->version < below_version) shard_remove(shard, slot);
    pthread_mutex_unlock(&shard->mutex);
}

static void shard_put(struct memory_cache *cache, struct shard *shard, struct cached *cached, int64_t now_ms) {
    pthread_mutex_lock(&shard->mutex);
    struct cached **slot = shard_slot(cache, shard, cached->hash, &cached->order_id);
    bool outranked = *slot && cached_outranks(*slot, cached, now_ms);
    if (outranked) {
        shard->stats.skipped++;
    } else {
        if (*slot) shard_remove(shard, slot);
        shard_insert(shard, slot, cached);
        shard->stats.puts++;
        shard_evict(cache, shard);
    }
    pthread_mutex_unlock(&shard->mutex);
    if (outranked) cached_release(cached);
}

static void shard_tally(struct shard *shard, uint64_t *counter) {
    pthread_mutex_lock(&shard->mutex);
    (*counter)++;
    pthread_mutex_unlock(&shard->mutex);
}

static void memory_put(struct order_cache *base, struct order_cache_put *put) {
    struct memory_cache *cache = memory_of(base);
    uint64_t hash = hash_of(cache, &put->order_id);
    struct shard *shard = shard_of(cache, hash);
    int64_t now_ms = clock_wall_ms(cache->clock);
    size_t size_bytes = sizeof(struct cached) + put->entry.value.size + MEMORY_MALLOC_OVERHEAD;
    enum status status = STATUS_OK;

    if (put->entry.expires_at_ms <= now_ms) {
        shard_tally(shard, &shard->stats.skipped);
    } else if (put->entry.value.size > ORDER_CACHE_VALUE_MAX || size_bytes > cache->shard_limit_bytes) {
        memory_drop(base, &put->order_id, put->entry.version); /* what is there is known to be old */
        shard_tally(shard, &shard->stats.skipped);
    } else {
        struct cached *cached = cached_new(put, hash);
        if (cached) {
            shard_put(cache, shard, cached, now_ms);
        } else {
            memory_drop(base, &put->order_id, put->entry.version);
            shard_tally(shard, &shard->stats.errors);
            status = STATUS_NO_MEMORY;
        }
    }
    if (put->done) put->done(put, status);
}

static void memory_clear(struct order_cache *base) {
    struct memory_cache *cache = memory_of(base);
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->mutex);
        while (shard->oldest) {
            struct cached *oldest = shard->oldest;
            shard_remove(shard, shard_slot(cache, shard, oldest->hash, &oldest->order_id));
        }
        pthread_mutex_unlock(&shard->mutex);
    }
}

static void memory_stats(struct order_cache *base, struct order_cache_stats *stats_out) {
    struct memory_cache *cache = memory_of(base);
    struct order_cache_stats sum = {0};
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->mutex);
        sum.hits += shard->stats.hits;
        sum.misses += shard->stats.misses;
        sum.puts += shard->stats.puts;
        sum.skipped += shard->stats.skipped;
        sum.evictions += shard->stats.evictions;
        sum.errors += shard->stats.errors;
        sum.entries += shard->stats.entries;
        sum.size_bytes += shard->size_bytes;
        pthread_mutex_unlock(&shard->mutex);
    }
    *stats_out = sum;
}

/* Also for a cache that memory_new could make only in part: a shard without buckets has no mutex yet. */
static void memory_close(struct order_cache *base) {
    struct memory_cache *cache = memory_of(base);
    for (size_t i = 0; i < cache->shard_count && cache->shards[i].buckets; i++) {
        struct shard *shard = &cache->shards[i];
        for (struct cached *cached = shard->newest, *next; cached; cached = next) {
            next = cached->older;
            cached_release(cached);
        }
        pthread_mutex_destroy(&shard->mutex);
        free(shard->buckets);
    }
    free(cache);
}

static const struct order_cache_ops memory_ops = {
    .name = "memory",
    .check = memory_check,
    .get = memory_get,
    .put = memory_put,
    .drop = memory_drop,
    .clear = memory_clear,
    .stats = memory_stats,
    .close = memory_close,
};

static size_t bucket_count_for(size_t shard_limit_bytes) {
    size_t count = MEMORY_BUCKETS_MIN;
    while (count < MEMORY_BUCKETS_MAX && count < shard_limit_bytes / MEMORY_BUCKET_SIZE)
        count *= 2;
    return count;
}

struct order_cache *order_cache_memory_new(const struct clock *clock, size_t limit_bytes) {
    size_t shard_count = MEMORY_SHARDS_MAX;
    while (shard_count > 1 && limit_bytes / shard_count < MEMORY_SHARD_SIZE_MIN)
        shard_count /= 2;
    size_t size = sizeof(struct memory_cache) + shard_count * sizeof(struct shard);
    struct memory_cache *cache = aligned_alloc(_Alignof(struct memory_cache), size);
    if (!cache) return NULL;
    memset(cache, 0, size);
    cache->base.ops = &memory_ops;
    cache->clock = clock;
    cache->shard_count = shard_count;
    cache->shard_limit_bytes = limit_bytes / shard_count;
    cache->bucket_count = bucket_count_for(cache->shard_limit_bytes);
    random_fill(random_system(), cache->hash_key, sizeof cache->hash_key);
    for (size_t i = 0; i < shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        shard->buckets = calloc(cache->bucket_count, sizeof(struct cached *));
        if (!shard->buckets || pthread_mutex_init(&shard->mutex, NULL) != 0) {
            free(shard->buckets), shard->buckets = NULL;
            memory_close(&cache->base);
            return NULL;
        }
    }
    return &cache->base;
}
