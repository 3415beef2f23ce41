/* The order itself: names of statuses, totals, deep copies, equality. */
#include "order/order.h"

static const char *const status_names[ORDER_STATUS_COUNT] = {
    [ORDER_CREATED] = "created", [ORDER_CONFIRMED] = "confirmed", [ORDER_PAID] = "paid",
    [ORDER_SHIPPED] = "shipped", [ORDER_DELIVERED] = "delivered", [ORDER_CANCELLED] = "cancelled",
    [ORDER_FAILED] = "failed",   [ORDER_REFUNDED] = "refunded",
};

const char *order_status_name(enum order_status status) {
    return status < ORDER_STATUS_COUNT ? status_names[status] : "unknown";
}

enum status order_status_parse(struct bytes name, enum order_status *status_out) {
    for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
        if (!bytes_equal(name, bytes_of(status_names[i]))) continue;
        *status_out = (enum order_status)i;
        return STATUS_OK;
    }
    return STATUS_INVALID;
}

enum status order_total(const struct order_item *items, size_t count, int64_t *total_out) {
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t amount;
        if (__builtin_mul_overflow(items[i].quantity, items[i].unit_price, &amount)) return STATUS_TOO_LARGE;
        if (__builtin_add_overflow(total, amount, &total) || total > ORDER_AMOUNT_MAX) return STATUS_TOO_LARGE;
    }
    *total_out = total;
    return STATUS_OK;
}

/* Copies into the arena; false: no memory. */
static bool copy_bytes(struct bytes *bytes, struct arena *arena) {
    *bytes = arena_copy(arena, *bytes);
    return bytes->data != NULL;
}

static enum status copy_items(const struct order *order, struct arena *arena, const struct order_item **items_out) {
    struct order_item *items = arena_alloc(arena, order->item_count * sizeof *items);
    if (!items) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < order->item_count; i++) {
        items[i] = order->items[i];
        if (!copy_bytes(&items[i].item, arena)) return STATUS_NO_MEMORY;
    }
    *items_out = items;
    return STATUS_OK;
}

static enum status copy_metadata(const struct order *order, struct arena *arena, const struct order_pair **pairs_out) {
    struct order_pair *pairs = arena_alloc(arena, order->metadata_count * sizeof *pairs);
    if (!pairs) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < order->metadata_count; i++) {
        pairs[i] = order->metadata[i];
        if (!copy_bytes(&pairs[i].key, arena) || !copy_bytes(&pairs[i].value, arena)) return STATUS_NO_MEMORY;
    }
    *pairs_out = pairs;
    return STATUS_OK;
}

enum status order_copy(const struct order *order, struct arena *arena, struct order *order_out) {
    struct order copy = *order;
    enum status status = STATUS_OK;
    if (!copy_bytes(&copy.customer_name, arena)) return STATUS_NO_MEMORY;
    if (copy.item_count > 0 && (status = copy_items(order, arena, &copy.items))) return status;
    if (copy.metadata_count > 0 && (status = copy_metadata(order, arena, &copy.metadata))) return status;
    *order_out = copy;
    return STATUS_OK;
}

static bool items_are_equal(const struct order *a, const struct order *b) {
    if (a->item_count != b->item_count) return false;
    for (size_t i = 0; i < a->item_count; i++) {
        const struct order_item *x = &a->items[i], *y = &b->items[i];
        if (!bytes_equal(x->item, y->item) || x->quantity != y->quantity || x->unit_price != y->unit_price)
            return false;
    }
    return true;
}

static bool metadata_is_equal(const struct order *a, const struct order *b) {
    if (a->metadata_count != b->metadata_count) return false;
    for (size_t i = 0; i < a->metadata_count; i++)
        if (!bytes_equal(a->metadata[i].key, b->metadata[i].key) ||
            !bytes_equal(a->metadata[i].value, b->metadata[i].value))
            return false;
    return true;
}

bool order_equal(const struct order *a, const struct order *b) {
    return uuid_equal(&a->order_id, &b->order_id) && bytes_equal(a->customer_name, b->customer_name) &&
           items_are_equal(a, b) && metadata_is_equal(a, b) && strncmp(a->currency, b->currency, 4) == 0 &&
           a->total == b->total && a->status == b->status && a->version == b->version &&
           a->created_at_ms == b->created_at_ms && a->updated_at_ms == b->updated_at_ms;
}
