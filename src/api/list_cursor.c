/* The list's cursors: opaque to clients, checked in full when they come back. */
#include "api/list.h"

#include <sodium.h>
#include <xxhash.h>

#define CURSOR_VERSION 1
#define KEY_SIZE (8 + 16)
#define CHECKSUM_SIZE 4
/* version, filters, bound, pending_below | the store's cursor | checksum */
#define HEAD_SIZE (1 + 8 + 2 * KEY_SIZE)
#define CURSOR_SIZE_MAX (HEAD_SIZE + ORDER_STORE_CURSOR_MAX + CHECKSUM_SIZE)

_Static_assert(sodium_base64_ENCODED_LEN(CURSOR_SIZE_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
                   LIST_CURSOR_TEXT_MAX,
               "a cursor fits its text");

struct list_position list_position_first(void) {
    return (struct list_position){.bound = pending_newest(), .pending_below = pending_newest()};
}

/* Of everything that decides which orders are in the list; the limit may change from page to page. */
static uint64_t filters_hash(const struct list_query *query) {
    uint8_t rest[1 + 1 + 8 + 8];
    rest[0] = query->customer_name.data != NULL;
    rest[1] = query->has_status ? (uint8_t)(1 + query->status) : 0;
    bytes_put_u64(rest + 2, (uint64_t)query->created_after_ms);
    bytes_put_u64(rest + 10, (uint64_t)query->created_before_ms);
    return XXH3_64bits_withSeed(query->customer_name.data, query->customer_name.size, XXH3_64bits(rest, sizeof rest));
}

static void put_key(uint8_t *to, const struct pending_key *key) {
    bytes_put_u64(to, (uint64_t)key->created_at_ms);
    memcpy(to + 8, key->order_id.bytes, 16);
}

static struct pending_key get_key(const uint8_t *from) {
    struct uuid order_id;
    memcpy(order_id.bytes, from + 8, 16);
    return pending_position((int64_t)bytes_get_u64(from), &order_id);
}

void list_cursor_write(const struct list_query *query, const struct list_position *position,
                       char out[LIST_CURSOR_TEXT_MAX]) {
    uint8_t bytes[CURSOR_SIZE_MAX];
    bytes[0] = CURSOR_VERSION;
    bytes_put_u64(bytes + 1, filters_hash(query));
    put_key(bytes + 9, &position->bound);
    put_key(bytes + 9 + KEY_SIZE, &position->pending_below);
    memcpy(bytes + HEAD_SIZE, position->store.bytes, position->store.size);
    size_t size = HEAD_SIZE + position->store.size;
    bytes_put_u32(bytes + size, (uint32_t)XXH3_64bits(bytes, size));
    sodium_bin2base64(out, LIST_CURSOR_TEXT_MAX, bytes, size + CHECKSUM_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum status list_cursor_read(const struct list_query *query, struct bytes text, struct list_position *position_out) {
    uint8_t bytes[CURSOR_SIZE_MAX];
    size_t size;
    if (sodium_base642bin(bytes, sizeof bytes, text.data, text.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return STATUS_INVALID;
    if (size < HEAD_SIZE + CHECKSUM_SIZE) return STATUS_INVALID;
    size -= CHECKSUM_SIZE;
    if (bytes_get_u32(bytes + size) != (uint32_t)XXH3_64bits(bytes, size)) return STATUS_INVALID;
    if (bytes[0] != CURSOR_VERSION) return STATUS_UNSUPPORTED;
    if (bytes_get_u64(bytes + 1) != filters_hash(query)) return STATUS_CONFLICT;
    struct list_position position = {
        .bound = get_key(bytes + 9),
        .pending_below = get_key(bytes + 9 + KEY_SIZE),
        .store = {.size = size - HEAD_SIZE},
    };
    memcpy(position.store.bytes, bytes + HEAD_SIZE, position.store.size);
    *position_out = position;
    return STATUS_OK;
}
