/* Checksums of values: LMDB has none for its pages, so a bit that turned on the disk would be believed. */
#include <xxhash.h>

#include "lmdb/lmdb_env.h"

static uint64_t seal_of(struct bytes key, const void *payload, size_t size) {
    XXH64_hash_t key_hash = XXH3_64bits(key.data, key.size);
    return XXH3_64bits_withSeed(payload, size, key_hash);
}

void lmdb_seal(struct bytes key, void *value, size_t size) {
    bytes_put_u64(value, seal_of(key, (char *)value + LMDB_SEAL_SIZE, size - LMDB_SEAL_SIZE));
}

enum status lmdb_unseal(struct bytes key, MDB_val value, struct bytes *payload_out) {
    if (value.mv_size < LMDB_SEAL_SIZE) return STATUS_CORRUPT;
    struct bytes payload = {(const char *)value.mv_data + LMDB_SEAL_SIZE, value.mv_size - LMDB_SEAL_SIZE};
    if (bytes_get_u64(value.mv_data) != seal_of(key, payload.data, payload.size)) return STATUS_CORRUPT;
    *payload_out = payload;
    return STATUS_OK;
}
