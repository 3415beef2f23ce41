/* Cursors of lists and scans: kind, number, order id, and a checksum over them and over what else decides the rows. */
#include <xxhash.h>

#include "order_store/cassandra_store.h"

#define CURSOR_SIZE (1 + 8 + 16 + 8)
_Static_assert(CURSOR_SIZE <= ORDER_STORE_CURSOR_MAX, "a cursor fits the port's");

static uint64_t checksum(const uint8_t *bytes, uint64_t filter) {
    return XXH3_64bits_withSeed(bytes, CURSOR_SIZE - 8, filter);
}

void cassandra_cursor_write(enum cassandra_cursor_kind kind, int64_t number, const struct uuid *order_id,
                            uint64_t filter, struct order_store_cursor *cursor_out) {
    uint8_t *bytes = cursor_out->bytes;
    bytes[0] = (uint8_t)kind;
    bytes_put_u64(bytes + 1, (uint64_t)number);
    memcpy(bytes + 9, order_id->bytes, sizeof order_id->bytes);
    bytes_put_u64(bytes + CURSOR_SIZE - 8, checksum(bytes, filter));
    cursor_out->size = CURSOR_SIZE;
}

enum status cassandra_cursor_read(const struct order_store_cursor *cursor, enum cassandra_cursor_kind kind,
                                  uint64_t filter, int64_t *number_out, struct uuid *order_id_out) {
    const uint8_t *bytes = cursor->bytes;
    if (cursor->size != CURSOR_SIZE || bytes[0] != (uint8_t)kind) return STATUS_INVALID;
    if (bytes_get_u64(bytes + CURSOR_SIZE - 8) != checksum(bytes, filter)) return STATUS_INVALID;
    *number_out = (int64_t)bytes_get_u64(bytes + 1);
    memcpy(order_id_out->bytes, bytes + 9, sizeof order_id_out->bytes);
    return STATUS_OK;
}
