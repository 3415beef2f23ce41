/* The order as JSON: what every reader sees, and the way back. */
#include <stdio.h>

#include "base/clock.h"
#include "order/member.h"

/* --- writing --- */

void member_write_items(struct json_writer *writer, const struct order *order) {
    json_key(writer, "items");
    json_begin_array(writer);
    for (size_t i = 0; i < order->item_count; i++) {
        json_begin_object(writer);
        json_key(writer, "item");
        json_string(writer, order->items[i].item);
        json_key(writer, "quantity");
        json_integer(writer, order->items[i].quantity);
        json_key(writer, "unit_price");
        json_integer(writer, order->items[i].unit_price);
        json_end_object(writer);
    }
    json_end_array(writer);
}

void member_write_metadata(struct json_writer *writer, const struct order *order) {
    json_key(writer, "metadata");
    json_begin_object(writer);
    for (size_t i = 0; i < order->metadata_count; i++) {
        json_key_bytes(writer, order->metadata[i].key);
        json_string(writer, order->metadata[i].value);
    }
    json_end_object(writer);
}

static void write_next_statuses(struct json_writer *writer, enum order_status from) {
    unsigned next = order_next_statuses(ORDER_RULES_CURRENT, from);
    json_key(writer, "next_statuses");
    json_begin_array(writer);
    for (int status = 0; status < ORDER_STATUS_COUNT; status++)
        if (next >> status & 1) json_text(writer, order_status_name((enum order_status)status));
    json_end_array(writer);
}

static void write_time(struct json_writer *writer, const char *key, int64_t time_ms) {
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(time_ms, text);
    json_key(writer, key);
    json_text(writer, text);
}

void order_write_json(struct json_writer *writer, const struct order *order) {
    json_begin_object(writer);
    member_write_uuid(writer, "order_id", &order->order_id);
    json_key(writer, "customer_name");
    json_string(writer, order->customer_name);
    json_key(writer, "item"); /* the first line, for readers of the short form */
    json_string(writer, order->item_count > 0 ? order->items[0].item : BYTES(""));
    json_key(writer, "quantity");
    json_integer(writer, order->item_count > 0 ? order->items[0].quantity : 0);
    member_write_items(writer, order);
    json_key(writer, "currency");
    json_text(writer, order->currency);
    json_key(writer, "total");
    json_integer(writer, order->total);
    json_key(writer, "status");
    json_text(writer, order_status_name(order->status));
    json_key(writer, "version");
    json_integer(writer, order->version);
    write_next_statuses(writer, order->status);
    write_time(writer, "created_at", order->created_at_ms);
    write_time(writer, "updated_at", order->updated_at_ms);
    member_write_metadata(writer, order);
    json_end_object(writer);
}

/* --- reading --- */

static enum status read_item(const struct json_value *value, struct order_item *item, struct error *error) {
    enum status status = member_text(value, "item", TEXT_NAME, 1, ORDER_ITEM_NAME_MAX, &item->item, error);
    if (!status) status = member_integer(value, "quantity", 1, ORDER_QUANTITY_MAX, &item->quantity, error);
    if (!status) status = member_integer(value, "unit_price", 0, ORDER_AMOUNT_MAX, &item->unit_price, error);
    return status;
}

enum status member_items(const struct json_value *object, size_t minimum_count, struct arena *arena,
                         struct order *order, struct error *error) {
    const struct json_value *list = json_member(object, "items");
    if (!list || list->kind != JSON_ARRAY || list->count < minimum_count || list->count > ORDER_ITEMS_MAX)
        return error_set(error, STATUS_INVALID, "items must be a list of %zu to %d", minimum_count, ORDER_ITEMS_MAX);
    struct order_item *items = list->count > 0 ? arena_alloc(arena, list->count * sizeof *items) : NULL;
    if (list->count > 0 && !items) return error_set(error, STATUS_NO_MEMORY, "no memory for items");
    size_t i = 0;
    for (const struct json_value *value = list->first; value; value = value->next, i++) {
        struct error why = {""};
        if (read_item(value, &items[i], &why)) return error_set(error, STATUS_INVALID, "items[%zu]: %s", i, why.text);
    }
    order->items = items;
    order->item_count = list->count;
    return STATUS_OK;
}

static enum status read_pair(const struct json_value *value, struct order_pair *pair) {
    if (value->kind != JSON_STRING) return STATUS_INVALID;
    if (text_check(value->key, TEXT_NAME, 1, ORDER_METADATA_KEY_MAX)) return STATUS_INVALID;
    if (text_check(value->string, TEXT_FREE, 0, ORDER_METADATA_VALUE_MAX)) return STATUS_INVALID;
    *pair = (struct order_pair){value->key, value->string};
    return STATUS_OK;
}

enum status member_metadata(const struct json_value *object, struct arena *arena, struct order *order,
                            struct error *error) {
    const struct json_value *list = json_member(object, "metadata");
    if (!list || list->kind != JSON_OBJECT || list->count > ORDER_METADATA_MAX)
        return error_set(error, STATUS_INVALID, "metadata must be an object of up to %d pairs", ORDER_METADATA_MAX);
    struct order_pair *pairs = list->count > 0 ? arena_alloc(arena, list->count * sizeof *pairs) : NULL;
    if (list->count > 0 && !pairs) return error_set(error, STATUS_NO_MEMORY, "no memory for metadata");
    size_t i = 0;
    for (const struct json_value *value = list->first; value; value = value->next, i++)
        if (read_pair(value, &pairs[i]))
            return error_set(error, STATUS_INVALID,
                             "metadata: pair %zu breaks the limits (key %d, value %d characters)", i,
                             ORDER_METADATA_KEY_MAX, ORDER_METADATA_VALUE_MAX);
    order->metadata = pairs;
    order->metadata_count = list->count;
    return STATUS_OK;
}

/* Only the form is checked: a currency that ISO 4217 has dropped since must not make old orders unreadable. */
enum status member_currency(const struct json_value *object, char out[4], struct error *error) {
    struct bytes text;
    bool is_code = json_member_string(object, "currency", &text) == STATUS_OK && text.size == 3;
    for (size_t i = 0; is_code && i < 3; i++)
        is_code = text.data[i] >= 'A' && text.data[i] <= 'Z';
    if (!is_code) return error_set(error, STATUS_INVALID, "currency must be three capital letters");
    memcpy(out, text.data, 3);
    out[3] = '\0';
    return STATUS_OK;
}

static enum status read_state(const struct json_value *value, struct order *order, struct error *error) {
    struct bytes name;
    int64_t version;
    enum status status = member_integer(value, "version", 1, ORDER_VERSION_MAX, &version, error);
    if (!status) status = member_rfc3339(value, "created_at", &order->created_at_ms, error);
    if (!status) status = member_rfc3339(value, "updated_at", &order->updated_at_ms, error);
    if (status) return status;
    if (json_member_string(value, "status", &name) || order_status_parse(name, &order->status))
        return error_set(error, STATUS_INVALID, "status is unknown");
    order->version = (uint32_t)version;
    return STATUS_OK;
}

enum status order_read_json(const struct json_value *value, struct arena *arena, struct order *order_out,
                            struct error *error) {
    if (!value || value->kind != JSON_OBJECT) return error_set(error, STATUS_INVALID, "an order must be an object");
    struct order order = {0};
    enum status status = member_uuid(value, "order_id", &order.order_id, error);
    /* Empty orders of the second dialect have neither a name nor items. */
    if (!status)
        status =
            member_text(value, "customer_name", TEXT_NAME, 0, ORDER_CUSTOMER_NAME_MAX, &order.customer_name, error);
    if (!status) status = member_items(value, 0, arena, &order, error);
    if (!status) status = member_currency(value, order.currency, error);
    if (!status) status = member_integer(value, "total", 0, ORDER_AMOUNT_MAX, &order.total, error);
    if (!status) status = read_state(value, &order, error);
    if (!status) status = member_metadata(value, arena, &order, error);
    if (!status) *order_out = order;
    return status;
}
