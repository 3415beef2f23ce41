/* The lines of a backup: written by export, read by import --restore. */
#include "app/backup.h"

#include <sodium.h>

static void write_row(struct json_writer *writer, const struct history_row *row) {
    char text[UUID_TEXT_SIZE], hex[2 * COMMAND_FINGERPRINT_SIZE + 1];
    json_begin_object(writer);
    json_key(writer, "position");
    json_integer(writer, row->position);
    uuid_format(&row->command_id, text);
    json_key(writer, "command_id");
    json_text(writer, text);
    uuid_format(&row->attempt_id, text);
    json_key(writer, "attempt_id");
    json_text(writer, text);
    json_key(writer, "fingerprint");
    json_text(writer, sodium_bin2hex(hex, sizeof hex, row->fingerprint, sizeof row->fingerprint));
    json_key(writer, "order");
    order_write_json(writer, &row->order);
    json_end_object(writer);
}

void backup_write(struct buffer *out, const struct history_row *rows, size_t count) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "order");
    order_write_json(&writer, &rows[count - 1].order);
    json_key(&writer, "history");
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++)
        write_row(&writer, &rows[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    buffer_put_char(out, '\n');
}

static enum status read_uuid(const struct json_value *value, const char *key, struct uuid *uuid_out,
                             struct error *error) {
    struct bytes text;
    if (json_member_string(value, key, &text) != STATUS_OK || uuid_parse(text, uuid_out) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "history: \"%s\" must be a UUID", key);
    return STATUS_OK;
}

static enum status read_row(const struct json_value *value, struct arena *arena, struct history_row *row,
                            struct error *error) {
    struct bytes hex;
    size_t size;
    *row = (struct history_row){.position = HISTORY_POSITION_RESTORED};
    enum status status = read_uuid(value, "command_id", &row->command_id, error);
    if (status == STATUS_OK) status = read_uuid(value, "attempt_id", &row->attempt_id, error);
    if (status != STATUS_OK) return status;
    if (json_member_string(value, "fingerprint", &hex) != STATUS_OK ||
        sodium_hex2bin(row->fingerprint, sizeof row->fingerprint, hex.data, hex.size, NULL, &size, NULL) != 0 ||
        size != sizeof row->fingerprint)
        return error_set(error, STATUS_INVALID, "history: \"fingerprint\" must be %d hexadecimal digits",
                         2 * COMMAND_FINGERPRINT_SIZE);
    const struct json_value *order = json_member(value, "order");
    if (!order) return error_set(error, STATUS_INVALID, "history: \"order\" is missing");
    return order_read_json(order, arena, &row->order, error);
}

enum status backup_read(struct bytes line, struct arena *arena, struct history_row *rows_out, size_t *count_out,
                        struct error *error) {
    struct json_value *root;
    struct json_error json_error;
    enum status status = json_read(line, arena, &root, &json_error);
    if (status == STATUS_NO_MEMORY) return error_set(error, status, "out of memory");
    if (status != STATUS_OK)
        return error_set(error, STATUS_INVALID, "column %u: %s", json_error.column, json_error.text);
    const struct json_value *history = json_member(root, "history");
    if (!history || history->kind != JSON_ARRAY || history->count < 1 || history->count > BACKUP_ROWS_MAX)
        return error_set(error, STATUS_INVALID,
                         "\"history\" must be an array of 1 to %d rows: is this a file of orderly export?",
                         BACKUP_ROWS_MAX);
    size_t count = 0;
    for (const struct json_value *value = history->first; value; value = value->next, count++) {
        status = read_row(value, arena, &rows_out[count], error);
        if (status != STATUS_OK) return status;
        if (count > 0 && (!uuid_equal(&rows_out[count].order.order_id, &rows_out[0].order.order_id) ||
                          rows_out[count].order.version != rows_out[count - 1].order.version + 1))
            return error_set(error, STATUS_INVALID, "\"history\" must be successive versions of one order");
    }
    *count_out = count;
    return STATUS_OK;
}
