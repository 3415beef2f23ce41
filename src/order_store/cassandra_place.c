/* Where in the listings an order is: a pure function of the order, so that a replay hits the same cells; and a memory
 * of the partitions that the directory is known to name. */
#include <xxhash.h>

#include "order_store/cassandra_store.h"

int64_t cassandra_floor(int64_t time_ms, int64_t width_ms) {
    int64_t remainder = time_ms % width_ms;
    return time_ms - remainder - (remainder < 0 ? width_ms : 0);
}

struct cassandra_place cassandra_place_of(const struct cassandra_layout *layout, enum cassandra_scope scope,
                                          int64_t created_at_ms, const struct uuid *order_id) {
    uint64_t hash = XXH3_64bits(order_id->bytes, sizeof order_id->bytes);
    return (struct cassandra_place){
        .period_ms = cassandra_floor(created_at_ms, layout->period_ms[scope]),
        .bucket_ms = cassandra_floor(created_at_ms, layout->bucket_ms[scope]),
        .shard = (int64_t)(hash % (uint64_t)layout->shards[scope]),
    };
}

struct bytes cassandra_scope_text(enum cassandra_scope scope, struct bytes customer_name, struct arena *arena) {
    if (scope == SCOPE_ALL) return BYTES("all");
    char *text = arena_alloc(arena, 2 + customer_name.size);
    if (!text) return (struct bytes){NULL, 0};
    memcpy(text, "c:", 2);
    if (customer_name.size) memcpy(text + 2, customer_name.data, customer_name.size);
    return (struct bytes){text, 2 + customer_name.size};
}

/* --- the memory: each hash has one slot, so it is bounded, and forgets what another one takes the slot of --- */

static uint8_t *slot_of(struct cassandra_known *known, struct bytes key, XXH128_canonical_t *hash) {
    XXH128_hash_t value = XXH3_128bits(key.data, key.size);
    XXH128_canonicalFromHash(hash, value);
    return known->hashes[value.low64 % CASSANDRA_KNOWN_SLOTS];
}

bool cassandra_known_has(struct cassandra_known *known, struct bytes key) {
    if (atomic_exchange(&known->forget, false)) memset(known->hashes, 0, CASSANDRA_KNOWN_SLOTS * sizeof *known->hashes);
    XXH128_canonical_t hash;
    const uint8_t *slot = slot_of(known, key, &hash);
    return memcmp(slot, hash.digest, sizeof hash.digest) == 0;
}

void cassandra_known_add(struct cassandra_known *known, struct bytes key) {
    XXH128_canonical_t hash;
    uint8_t *slot = slot_of(known, key, &hash);
    memcpy(slot, hash.digest, sizeof hash.digest);
}
