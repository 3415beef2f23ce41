/* The table of rows: a hash table sized once for the largest batch. */
#include "pipeline/row_table.h"

#include <stdlib.h>

enum status row_table_init(struct row_table *table, size_t limit) {
    size_t slot_count = 16;
    while (slot_count < limit * 2)
        slot_count *= 2;
    struct row_slot *slots = calloc(slot_count, sizeof *slots);
    if (!slots) return STATUS_NO_MEMORY;
    *table = (struct row_table){.slots = slots, .mask = slot_count - 1, .limit = limit, .generation = 1};
    return STATUS_OK;
}

void row_table_free(struct row_table *table) {
    free(table->slots);
    *table = (struct row_table){0};
}

void row_table_clear(struct row_table *table) {
    table->generation++;
    table->count = 0;
}

/* Ids may be chosen by clients, so the hash mixes all their bits; a batch has at most `limit` of them, which bounds
 * what colliding ids could cost. */
static size_t slot_of(const struct row_table *table, const struct uuid *order_id, uint32_t version) {
    uint64_t a, b;
    memcpy(&a, order_id->bytes, 8);
    memcpy(&b, order_id->bytes + 8, 8);
    uint64_t h = (a ^ (b << 29 | b >> 35)) + version * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32) & table->mask;
}

/* The slot that holds the row, or the free one where it would be. There is always a free one: half stay so. */
static struct row_slot *probe(const struct row_table *table, const struct uuid *order_id, uint32_t version) {
    size_t i = slot_of(table, order_id, version);
    for (;; i = (i + 1) & table->mask) {
        struct row_slot *slot = &table->slots[i];
        if (slot->generation != table->generation) return slot;
        if (slot->version == version && uuid_equal(&slot->order_id, order_id)) return slot;
    }
}

struct row_slot *row_table_find(const struct row_table *table, const struct uuid *order_id, uint32_t version) {
    struct row_slot *slot = probe(table, order_id, version);
    return slot->generation == table->generation ? slot : NULL;
}

struct row_slot *row_table_add(struct row_table *table, const struct uuid *order_id, uint32_t version,
                               enum row_state state, bool *is_new_out) {
    struct row_slot *slot = probe(table, order_id, version);
    *is_new_out = slot->generation != table->generation;
    if (!*is_new_out) return slot;
    if (table->count == table->limit) return NULL;
    table->count++;
    *slot =
        (struct row_slot){.generation = table->generation, .order_id = *order_id, .version = version, .state = state};
    return slot;
}

const struct history_row *row_table_row(const struct row_table *table, const struct uuid *order_id, uint32_t version) {
    const struct row_slot *slot = row_table_find(table, order_id, version);
    return slot && slot->state == ROW_KNOWN ? slot->row : NULL;
}
