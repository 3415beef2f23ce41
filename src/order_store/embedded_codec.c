/* Keys and rows of the embedded order store as bytes, and back: pure, and safe for any bytes it is given.
 *
 * A history row is a format byte, then its fields in a fixed order: whole numbers as LEB128 (signed ones folded so that
 * small negative ones stay short), texts with their length before them. Order id and version are in the key. */
#include "order_store/embedded_store.h"

#include <xxhash.h>

#define HISTORY_ROW_FORMAT 1
#define CURRENT_ROW_FORMAT 1
#define VARINT_SIZE_MAX 10

/* --- whole numbers and texts --- */

/* One function walks a row both to measure it (to is NULL) and to write it, so that the two cannot differ. */
struct row_writer {
    uint8_t *to;
    size_t size;
};

static void put_raw(struct row_writer *writer, const void *data, size_t size) {
    if (writer->to && size) memcpy(writer->to + writer->size, data, size);
    writer->size += size;
}

static void put_unsigned(struct row_writer *writer, uint64_t value) {
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    put_raw(writer, bytes, size);
}

static void put_signed(struct row_writer *writer, int64_t value) {
    put_unsigned(writer, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_text(struct row_writer *writer, struct bytes text) {
    put_unsigned(writer, text.size);
    put_raw(writer, text.data, text.size);
}

/* After the first failure every get gives nothing, so that a row is checked once at its end. */
struct row_reader {
    const uint8_t *at, *end;
    bool failed;
};

static const uint8_t *get_raw(struct row_reader *reader, size_t size) {
    if (reader->failed || (size_t)(reader->end - reader->at) < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    return at;
}

static void get_copy(struct row_reader *reader, void *to, size_t size) {
    const uint8_t *from = get_raw(reader, size);
    if (from) memcpy(to, from, size);
}

static uint64_t get_unsigned(struct row_reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *byte = get_raw(reader, 1);
        if (!byte) return 0;
        if (shift == 63 && *byte > 1) break;
        value |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte < 0x80) return value;
    }
    reader->failed = true;
    return 0;
}

static int64_t get_signed(struct row_reader *reader) {
    uint64_t folded = get_unsigned(reader);
    return (int64_t)((folded >> 1) ^ (folded & 1 ? UINT64_MAX : 0));
}

/* A whole number up to max. */
static size_t get_bounded(struct row_reader *reader, size_t max) {
    uint64_t value = get_unsigned(reader);
    if (value <= max) return (size_t)value;
    reader->failed = true;
    return 0;
}

static struct bytes get_text(struct row_reader *reader) {
    size_t size = get_bounded(reader, EMBEDDED_ROW_MAX);
    const uint8_t *data = get_raw(reader, size);
    return (struct bytes){(const char *)data, data ? size : 0};
}

/* --- history rows --- */

static void put_order(struct row_writer *writer, const struct order *order) {
    put_unsigned(writer, order->status);
    put_signed(writer, order->created_at_ms);
    put_signed(writer, order->updated_at_ms);
    put_text(writer, (struct bytes){order->currency, strnlen(order->currency, sizeof order->currency - 1)});
    put_signed(writer, order->total);
    put_text(writer, order->customer_name);
    put_unsigned(writer, order->item_count);
    for (size_t i = 0; i < order->item_count; i++) {
        put_text(writer, order->items[i].item);
        put_signed(writer, order->items[i].quantity);
        put_signed(writer, order->items[i].unit_price);
    }
    put_unsigned(writer, order->metadata_count);
    for (size_t i = 0; i < order->metadata_count; i++) {
        put_text(writer, order->metadata[i].key);
        put_text(writer, order->metadata[i].value);
    }
}

static size_t put_row(const struct history_row *row, uint8_t *to) {
    struct row_writer writer = {to, 0};
    put_unsigned(&writer, HISTORY_ROW_FORMAT);
    put_signed(&writer, row->position);
    put_raw(&writer, row->command_id.bytes, sizeof row->command_id.bytes);
    put_raw(&writer, row->attempt_id.bytes, sizeof row->attempt_id.bytes);
    put_raw(&writer, row->fingerprint, sizeof row->fingerprint);
    put_order(&writer, &row->order);
    return writer.size;
}

size_t history_row_size(const struct history_row *row) {
    return put_row(row, NULL);
}

void history_row_encode(const struct history_row *row, uint8_t *out) {
    put_row(row, out);
}

/* Both arrays: allocated only for a count that is within its limit, so that no row can ask for more. */
static enum status get_items(struct row_reader *reader, struct arena *arena, struct order *order) {
    size_t count = get_bounded(reader, ORDER_ITEMS_MAX);
    struct order_item *items = arena_calloc(arena, count ? count : 1, sizeof *items);
    if (!items) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        items[i].item = get_text(reader);
        items[i].quantity = get_signed(reader);
        items[i].unit_price = get_signed(reader);
    }
    order->items = items;
    order->item_count = count;
    return STATUS_OK;
}

static enum status get_metadata(struct row_reader *reader, struct arena *arena, struct order *order) {
    size_t count = get_bounded(reader, ORDER_METADATA_MAX);
    struct order_pair *pairs = arena_calloc(arena, count ? count : 1, sizeof *pairs);
    if (!pairs) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = get_text(reader);
        pairs[i].value = get_text(reader);
    }
    order->metadata = pairs;
    order->metadata_count = count;
    return STATUS_OK;
}

static enum status get_order(struct row_reader *reader, struct arena *arena, struct order *order) {
    order->status = (enum order_status)get_bounded(reader, ORDER_STATUS_COUNT - 1);
    order->created_at_ms = get_signed(reader);
    order->updated_at_ms = get_signed(reader);
    size_t currency_size = get_bounded(reader, sizeof order->currency - 1);
    get_copy(reader, order->currency, currency_size);
    order->total = get_signed(reader);
    order->customer_name = get_text(reader);
    enum status status = get_items(reader, arena, order);
    return status == STATUS_OK ? get_metadata(reader, arena, order) : status;
}

enum status history_row_decode(const uint8_t key[HISTORY_KEY_SIZE], struct bytes payload, struct arena *arena,
                               struct history_row *row_out) {
    struct bytes copy = arena_copy(arena, payload);
    if (!copy.data) return STATUS_NO_MEMORY;
    const uint8_t *start = (const uint8_t *)copy.data;
    struct row_reader reader = {start, start + copy.size, false};
    struct history_row row = {0};
    memcpy(row.order.order_id.bytes, key, sizeof row.order.order_id.bytes);
    row.order.version = history_key_version(key);
    if (get_unsigned(&reader) != HISTORY_ROW_FORMAT) return STATUS_CORRUPT;
    row.position = get_signed(&reader);
    get_copy(&reader, row.command_id.bytes, sizeof row.command_id.bytes);
    get_copy(&reader, row.attempt_id.bytes, sizeof row.attempt_id.bytes);
    get_copy(&reader, row.fingerprint, sizeof row.fingerprint);
    enum status status = get_order(&reader, arena, &row.order);
    if (status != STATUS_OK) return status;
    if (reader.failed || reader.at != reader.end) return STATUS_CORRUPT;
    *row_out = row;
    return STATUS_OK;
}

void history_key(const struct uuid *order_id, uint32_t version, uint8_t out[HISTORY_KEY_SIZE]) {
    memcpy(out, order_id->bytes, sizeof order_id->bytes);
    bytes_put_u32(out + sizeof order_id->bytes, version);
}

uint32_t history_key_version(const uint8_t key[HISTORY_KEY_SIZE]) {
    return bytes_get_u32(key + sizeof(struct uuid));
}

/* --- current rows --- */

void customer_hash(struct bytes customer_name, uint8_t out[CUSTOMER_HASH_SIZE]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(customer_name.data, customer_name.size));
    memcpy(out, canonical.digest, CUSTOMER_HASH_SIZE);
}

void current_row_of(const struct order *order, struct current_row *current_out) {
    current_out->version = order->version;
    current_out->status = order->status;
    current_out->created_at_ms = order->created_at_ms;
    customer_hash(order->customer_name, current_out->customer_hash);
}

void current_row_encode(const struct current_row *current, uint8_t out[CURRENT_ROW_SIZE]) {
    out[0] = CURRENT_ROW_FORMAT;
    bytes_put_u32(out + 1, current->version);
    out[5] = (uint8_t)current->status;
    bytes_put_u64(out + 6, (uint64_t)current->created_at_ms);
    memcpy(out + 14, current->customer_hash, CUSTOMER_HASH_SIZE);
}

enum status current_row_decode(struct bytes payload, struct current_row *current_out) {
    const uint8_t *in = (const uint8_t *)payload.data;
    if (payload.size != CURRENT_ROW_SIZE || in[0] != CURRENT_ROW_FORMAT || in[5] >= ORDER_STATUS_COUNT)
        return STATUS_CORRUPT;
    current_out->version = bytes_get_u32(in + 1);
    current_out->status = (enum order_status)in[5];
    current_out->created_at_ms = (int64_t)bytes_get_u64(in + 6);
    memcpy(current_out->customer_hash, in + 14, CUSTOMER_HASH_SIZE);
    return STATUS_OK;
}

/* --- listing keys --- */

/* XOR with INT64_MAX keeps the sign bit and turns the rest around: as an unsigned number, later times come first. */
void tail_encode(int64_t created_at_ms, const struct uuid *order_id, uint8_t out[TAIL_SIZE]) {
    bytes_put_u64(out, (uint64_t)created_at_ms ^ INT64_MAX);
    for (size_t i = 0; i < sizeof order_id->bytes; i++)
        out[8 + i] = (uint8_t)~order_id->bytes[i];
}

void tail_decode(const uint8_t tail[TAIL_SIZE], int64_t *created_at_ms_out, struct uuid *order_id_out) {
    *created_at_ms_out = (int64_t)(bytes_get_u64(tail) ^ INT64_MAX);
    for (size_t i = 0; i < sizeof order_id_out->bytes; i++)
        order_id_out->bytes[i] = (uint8_t)~tail[8 + i];
}

size_t listing_prefix(enum embedded_listing listing, enum order_status status, const uint8_t hash[CUSTOMER_HASH_SIZE],
                      uint8_t out[LISTING_KEY_MAX]) {
    switch (listing) {
    case LISTING_CUSTOMER: memcpy(out, hash, CUSTOMER_HASH_SIZE); return CUSTOMER_HASH_SIZE;
    case LISTING_STATUS: out[0] = (uint8_t)status; return 1;
    default: return 0;
    }
}

size_t listing_key(enum embedded_listing listing, const struct uuid *order_id, const struct current_row *current,
                   uint8_t out[LISTING_KEY_MAX]) {
    size_t size = listing_prefix(listing, current->status, current->customer_hash, out);
    tail_encode(current->created_at_ms, order_id, out + size);
    return size + TAIL_SIZE;
}
