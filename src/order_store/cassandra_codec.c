/* Orders as the cells of Cassandra's rows, and back; safe for any cells it is given. */
#include <stdio.h>

#include "base/json.h"
#include "order_store/cassandra_store.h"

/* --- writing --- */

void cassandra_draft_reset(struct cassandra_draft *draft) {
    draft->count = 0;
    arena_reset(&draft->arena);
}

struct cql_value *cassandra_draft_add(struct cassandra_draft *draft, const struct cassandra_store *store,
                                      enum cassandra_statement statement) {
    size_t at = draft->count++;
    draft->statements[at] = store->session->statements[statement];
    draft->values[at] = draft->cells[at];
    return draft->cells[at];
}

struct cql_value cassandra_uuid(const struct uuid *uuid) {
    return (struct cql_value){.type = CQL_UUID, .data = uuid->bytes, .size = sizeof uuid->bytes};
}

struct cql_value cassandra_text(struct bytes text) {
    return (struct cql_value){.type = CQL_TEXT, .data = text.size ? text.data : "", .size = text.size};
}

struct cql_value cassandra_int(int64_t value) {
    return (struct cql_value){.type = CQL_INT, .integer = value};
}

struct cql_value cassandra_bigint(int64_t value) {
    return (struct cql_value){.type = CQL_BIGINT, .integer = value};
}

struct cql_value cassandra_time(int64_t wall_ms) {
    return (struct cql_value){.type = CQL_TIMESTAMP, .integer = wall_ms};
}

int64_t cassandra_write_time(const struct order *order) {
    return order->created_at_ms * 1000 + order->version;
}

static void write_items(struct json_writer *writer, const struct order *order) {
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

static void write_metadata(struct json_writer *writer, const struct order *order) {
    json_begin_object(writer);
    for (size_t i = 0; i < order->metadata_count; i++) {
        json_key_bytes(writer, order->metadata[i].key);
        json_string(writer, order->metadata[i].value);
    }
    json_end_object(writer);
}

static enum status put_json(struct cassandra_draft *draft, const struct order *order,
                            void (*write)(struct json_writer *writer, const struct order *order),
                            struct cql_value *cell) {
    struct json_writer writer;
    buffer_reset(&draft->json);
    json_writer_init(&writer, &draft->json);
    write(&writer, order);
    if (draft->json.status != STATUS_OK) return draft->json.status;
    struct bytes text = arena_copy(&draft->arena, buffer_bytes(&draft->json));
    if (!text.data) return STATUS_NO_MEMORY;
    *cell = cassandra_text(text);
    return STATUS_OK;
}

enum status cassandra_put_id(struct cassandra_draft *draft, const struct order *order, struct cql_value *cell) {
    char *text = arena_alloc(&draft->arena, UUID_TEXT_SIZE);
    if (!text) return STATUS_NO_MEMORY;
    uuid_format(&order->order_id, text);
    *cell = cassandra_text(bytes_of(text));
    return STATUS_OK;
}

enum status cassandra_put_order(struct cassandra_draft *draft, struct cql_value *cells, const struct order *order,
                                bool id_as_text) {
    enum status status = STATUS_OK;
    if (id_as_text)
        status = cassandra_put_id(draft, order, &cells[COLUMN_ORDER_ID]);
    else
        cells[COLUMN_ORDER_ID] = cassandra_uuid(&order->order_id);
    cells[COLUMN_CREATED_AT] = cassandra_time(order->created_at_ms);
    cells[COLUMN_VERSION] = cassandra_int(order->version);
    cells[COLUMN_CUSTOMER_NAME] = cassandra_text(order->customer_name);
    cells[COLUMN_STATUS] = cassandra_text(bytes_of(order_status_name(order->status)));
    cells[COLUMN_CURRENCY] =
        cassandra_text((struct bytes){order->currency, strnlen(order->currency, sizeof order->currency - 1)});
    cells[COLUMN_TOTAL] = cassandra_bigint(order->total);
    if (status == STATUS_OK) status = put_json(draft, order, write_items, &cells[COLUMN_ITEMS]);
    if (status == STATUS_OK) status = put_json(draft, order, write_metadata, &cells[COLUMN_METADATA]);
    cells[COLUMN_UPDATED_AT] = cassandra_time(order->updated_at_ms);
    return status;
}

size_t cassandra_order_size(const struct order *order) {
    enum { FIXED = 200, PER_ITEM = 60, PER_PAIR = 8 }; /* numbers, ids, keys and quotes */
    size_t size = FIXED + order->customer_name.size;
    for (size_t i = 0; i < order->item_count; i++)
        size += PER_ITEM + order->items[i].item.size;
    for (size_t i = 0; i < order->metadata_count; i++)
        size += PER_PAIR + order->metadata[i].key.size + order->metadata[i].value.size;
    return size;
}

/* --- reading --- */

static struct bytes cell(const struct cql_result *result, size_t row, size_t column) {
    size_t size;
    const void *data = cql_result_cell(result, row, column, &size);
    return (struct bytes){data, data ? size : 0};
}

/* An int, bigint or timestamp, by its size. */
bool cassandra_cell_integer(const struct cql_result *result, size_t row, size_t column, int64_t *value_out) {
    struct bytes bytes = cell(result, row, column);
    if (bytes.size == 4)
        *value_out = cql_int(bytes.data);
    else if (bytes.size == 8)
        *value_out = cql_bigint(bytes.data);
    else
        return false;
    return true;
}

/* A uuid, or its text. */
bool cassandra_cell_uuid(const struct cql_result *result, size_t row, size_t column, struct uuid *uuid_out) {
    struct bytes bytes = cell(result, row, column);
    if (bytes.size != sizeof uuid_out->bytes) return uuid_parse(bytes, uuid_out) == STATUS_OK;
    memcpy(uuid_out->bytes, bytes.data, sizeof uuid_out->bytes);
    return true;
}

static bool read_text(const struct cql_result *result, size_t row, size_t column, struct bytes *text_out) {
    *text_out = cell(result, row, column);
    return text_out->data != NULL;
}

static enum status read_json(struct bytes text, enum json_kind kind, size_t count_max, struct arena *arena,
                             struct json_value **value_out) {
    enum status status = text.data ? json_read(text, arena, value_out, NULL) : STATUS_CORRUPT;
    if (status == STATUS_NO_MEMORY) return status;
    if (status != STATUS_OK || (*value_out)->kind != kind || (*value_out)->count > count_max) return STATUS_CORRUPT;
    return STATUS_OK;
}

/* Not by the rules for a client's input: what was once taken must stay readable. */
static enum status read_items(struct bytes text, struct arena *arena, struct order *order) {
    struct json_value *list;
    enum status status = read_json(text, JSON_ARRAY, ORDER_ITEMS_MAX, arena, &list);
    if (status != STATUS_OK) return status;
    struct order_item *items = arena_calloc(arena, list->count ? list->count : 1, sizeof *items);
    if (!items) return STATUS_NO_MEMORY;
    order->items = items;
    order->item_count = list->count;
    for (const struct json_value *value = list->first; value; value = value->next, items++)
        if (json_member_string(value, "item", &items->item) != STATUS_OK ||
            json_member_integer(value, "quantity", &items->quantity) != STATUS_OK ||
            json_member_integer(value, "unit_price", &items->unit_price) != STATUS_OK)
            return STATUS_CORRUPT;
    return STATUS_OK;
}

static enum status read_metadata(struct bytes text, struct arena *arena, struct order *order) {
    struct json_value *list;
    enum status status = read_json(text, JSON_OBJECT, ORDER_METADATA_MAX, arena, &list);
    if (status != STATUS_OK) return status;
    struct order_pair *pairs = arena_calloc(arena, list->count ? list->count : 1, sizeof *pairs);
    if (!pairs) return STATUS_NO_MEMORY;
    order->metadata = pairs;
    order->metadata_count = list->count;
    for (const struct json_value *value = list->first; value; value = value->next, pairs++) {
        if (value->kind != JSON_STRING) return STATUS_CORRUPT;
        *pairs = (struct order_pair){value->key, value->string};
    }
    return STATUS_OK;
}

static bool read_fields(const struct cql_result *result, size_t row, struct order *order) {
    struct bytes status, currency;
    int64_t version;
    if (!cassandra_cell_integer(result, row, COLUMN_CREATED_AT, &order->created_at_ms)) return false;
    if (!cassandra_cell_integer(result, row, COLUMN_VERSION, &version) || version < 1) return false;
    if (!read_text(result, row, COLUMN_CUSTOMER_NAME, &order->customer_name)) return false;
    if (!read_text(result, row, COLUMN_STATUS, &status)) return false;
    if (order_status_parse(status, &order->status) != STATUS_OK) return false;
    if (!read_text(result, row, COLUMN_CURRENCY, &currency) || currency.size >= sizeof order->currency) return false;
    if (!cassandra_cell_integer(result, row, COLUMN_TOTAL, &order->total)) return false;
    if (!cassandra_cell_integer(result, row, COLUMN_UPDATED_AT, &order->updated_at_ms)) return false;
    memcpy(order->currency, currency.data, currency.size);
    order->version = (uint32_t)version;
    return true;
}

static enum status corrupt(const struct order *order, const char *table, struct error *error) {
    char text[UUID_TEXT_SIZE];
    uuid_format(&order->order_id, text);
    return error_set(error, STATUS_CORRUPT, "order %s: its row in the table %s cannot be read (version %u)", text,
                     table, (unsigned)order->version);
}

enum status cassandra_read_order(const struct cql_result *result, size_t row, const char *table, struct arena *arena,
                                 struct order *order_out, struct error *error) {
    struct order order = {0};
    bool is_read = cassandra_cell_uuid(result, row, COLUMN_ORDER_ID, &order.order_id);
    is_read = read_fields(result, row, &order) && is_read;
    enum status status = is_read ? STATUS_OK : STATUS_CORRUPT;
    if (status == STATUS_OK) status = read_items(cell(result, row, COLUMN_ITEMS), arena, &order);
    if (status == STATUS_OK) status = read_metadata(cell(result, row, COLUMN_METADATA), arena, &order);
    if (status == STATUS_CORRUPT) return corrupt(&order, table, error);
    if (status == STATUS_OK) *order_out = order;
    return status;
}

enum status cassandra_read_row(const struct cql_result *result, size_t row, struct arena *arena,
                               struct history_row *row_out, struct error *error) {
    struct history_row found = {.position = 0};
    enum status status = cassandra_read_order(result, row, "orders", arena, &found.order, error);
    if (status != STATUS_OK) return status;
    struct bytes fingerprint = cell(result, row, COLUMN_FINGERPRINT);
    if (!cassandra_cell_integer(result, row, COLUMN_POSITION, &found.position) ||
        !cassandra_cell_uuid(result, row, COLUMN_COMMAND_ID, &found.command_id) ||
        !cassandra_cell_uuid(result, row, COLUMN_ATTEMPT_ID, &found.attempt_id) ||
        fingerprint.size != sizeof found.fingerprint)
        return corrupt(&found.order, "orders", error);
    memcpy(found.fingerprint, fingerprint.data, sizeof found.fingerprint);
    *row_out = found;
    return STATUS_OK;
}

void cassandra_cell_text(const struct cql_result *result, size_t row, size_t column, char *out, size_t size) {
    struct bytes text = cell(result, row, column);
    snprintf(out, size, "%.*s", (int)text.size, text.data ? text.data : "");
}
