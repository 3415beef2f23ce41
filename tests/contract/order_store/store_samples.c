/* Orders and history rows to fill a store with. */
#include "contract/order_store/order_store_contract.h"

#include <stdio.h>

struct uuid sample_uuid(struct random *random) {
    struct uuid id;
    random_fill(random, id.bytes, sizeof id.bytes);
    return id;
}

static void set_writer(struct history_row *row, struct random *random) {
    row->position = (int64_t)random_below(random, 1u << 30);
    row->command_id = sample_uuid(random);
    row->attempt_id = sample_uuid(random);
    random_fill(random, row->fingerprint, sizeof row->fingerprint);
}

/* A text of count times the same, in the arena. */
static struct bytes text_of(struct arena *arena, const char *unit, size_t count) {
    size_t size = strlen(unit);
    char *text = store_test_alloc(arena, count, size);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, unit, size);
    return (struct bytes){text, count * size};
}

struct history_row *sample_row(struct arena *arena, struct random *random, const char *customer_name,
                               int64_t created_at_ms) {
    static const char *const goods[] = {"lamp", "desk", "chair", "shelf", "mirror"};
    struct history_row *row = store_test_alloc(arena, 1, sizeof *row);
    struct order_item *item = store_test_alloc(arena, 1, sizeof *item);
    item->item = bytes_of(goods[random_below(random, 5)]);
    item->quantity = 1 + (int64_t)random_below(random, 9);
    item->unit_price = (int64_t)random_below(random, 100000);
    set_writer(row, random);
    row->order = (struct order){.order_id = sample_uuid(random),
                                .customer_name = text_of(arena, customer_name, 1),
                                .items = item,
                                .item_count = 1,
                                .currency = "EUR",
                                .total = item->quantity * item->unit_price,
                                .status = ORDER_CREATED,
                                .version = 1,
                                .created_at_ms = created_at_ms,
                                .updated_at_ms = created_at_ms};
    return row;
}

static struct history_row *next_row(struct arena *arena, struct random *random, const struct history_row *row) {
    struct history_row *next = store_test_alloc(arena, 1, sizeof *next);
    *next = *row;
    set_writer(next, random);
    next->order.version++;
    next->order.updated_at_ms += 1 + (int64_t)random_below(random, 1000);
    return next;
}

struct history_row *sample_transition(struct arena *arena, struct random *random, const struct history_row *row,
                                      enum order_status status) {
    struct history_row *next = next_row(arena, random, row);
    next->order.status = status;
    return next;
}

struct history_row *sample_amendment(struct arena *arena, struct random *random, const struct history_row *row,
                                     const char *customer_name) {
    struct history_row *next = next_row(arena, random, row);
    next->order.customer_name = text_of(arena, customer_name, 1);
    return next;
}

#define FOUR_BYTES "\xf0\x9f\xa6\x89" /* one character, as long as UTF-8 has them */

struct history_row *sample_largest(struct arena *arena, struct random *random) {
    struct history_row *row = sample_row(arena, random, "", SAMPLE_TIME_MS);
    struct order_item *items = store_test_alloc(arena, ORDER_ITEMS_MAX, sizeof *items);
    struct order_pair *pairs = store_test_alloc(arena, ORDER_METADATA_MAX, sizeof *pairs);
    for (size_t i = 0; i < ORDER_ITEMS_MAX; i++) {
        items[i].item = text_of(arena, FOUR_BYTES, ORDER_ITEM_NAME_MAX);
        items[i].quantity = ORDER_QUANTITY_MAX;
        items[i].unit_price = ORDER_AMOUNT_MAX / (ORDER_ITEMS_MAX * ORDER_QUANTITY_MAX);
    }
    for (size_t i = 0; i < ORDER_METADATA_MAX; i++) {
        char *key = store_test_alloc(arena, 4 * ORDER_METADATA_KEY_MAX, 1);
        memcpy(key, text_of(arena, FOUR_BYTES, ORDER_METADATA_KEY_MAX).data, 4 * ORDER_METADATA_KEY_MAX);
        key[4 * ORDER_METADATA_KEY_MAX - 1] = (char)(0x80 + i); /* keys are different */
        pairs[i].key = (struct bytes){key, 4 * ORDER_METADATA_KEY_MAX};
        pairs[i].value = text_of(arena, FOUR_BYTES, ORDER_METADATA_VALUE_MAX);
    }
    row->order.customer_name = text_of(arena, FOUR_BYTES, ORDER_CUSTOMER_NAME_MAX);
    row->order.items = items;
    row->order.item_count = ORDER_ITEMS_MAX;
    row->order.metadata = pairs;
    row->order.metadata_count = ORDER_METADATA_MAX;
    row->order.total = ORDER_ITEMS_MAX * ORDER_QUANTITY_MAX * items[0].unit_price;
    return row;
}

struct history_row *sample_empty(struct arena *arena, struct random *random) {
    struct history_row *row = sample_row(arena, random, "", SAMPLE_TIME_MS);
    row->order.customer_name = (struct bytes){"", 0};
    row->order.items = NULL;
    row->order.item_count = 0;
    row->order.total = 0;
    return row;
}
