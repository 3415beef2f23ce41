/* Prints what the server knows of its own API as JSON, for openapi_test.py: routes, fields, limits, codes. */
#include <stdio.h>

#include "api/list.h"
#include "api/problem.h"
#include "hotkey/lab.h"
#include "order/currency.h"
#include "order/decide.h"
#include "order/input.h"

static void put_routes(struct json_writer *writer) {
    size_t count;
    const struct http_route *routes = api_routes(&count);
    json_key(writer, "routes");
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(writer);
        json_key(writer, "method"), json_text(writer, routes[i].method);
        json_key(writer, "path"), json_text(writer, routes[i].path);
        json_key(writer, "summary"), json_text(writer, routes[i].summary);
        json_key(writer, "has_body"), json_bool(writer, routes[i].body != HTTP_BODY_NONE);
        json_key(writer, "needs_body"), json_bool(writer, routes[i].body == HTTP_BODY_JSON);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void put_fields(struct json_writer *writer) {
    size_t count;
    const struct input_field *fields = input_create_fields(&count);
    json_key(writer, "fields");
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(writer);
        json_key(writer, "pointer"), json_text(writer, fields[i].pointer);
        json_key(writer, "type"), json_text(writer, fields[i].type);
        json_key(writer, "minimum"), json_integer(writer, fields[i].minimum);
        json_key(writer, "maximum"), json_integer(writer, fields[i].maximum);
        json_key(writer, "required"), json_bool(writer, fields[i].required);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void put_names(struct json_writer *writer) {
    json_key(writer, "statuses");
    json_begin_array(writer);
    for (int i = 0; i < ORDER_STATUS_COUNT; i++)
        json_text(writer, order_status_name((enum order_status)i));
    json_end_array(writer);
    json_key(writer, "reasons");
    json_begin_array(writer);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
        json_text(writer, reason_name((enum reason)i));
    json_end_array(writer);
    json_key(writer, "problems");
    json_begin_array(writer);
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        const struct api_problem_kind *kind = api_problem_kind((enum api_problem)i);
        json_begin_object(writer);
        json_key(writer, "code"), json_text(writer, kind->code);
        json_key(writer, "status"), json_integer(writer, kind->status);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void put_currencies(struct json_writer *writer) {
    json_key(writer, "currencies");
    json_begin_array(writer);
    for (int i = 0; i < 26 * 26 * 26; i++) {
        const char code[] = {(char)('A' + i / 676), (char)('A' + i / 26 % 26), (char)('A' + i % 26)};
        if (currency_is_active((struct bytes){code, sizeof code}))
            json_string(writer, (struct bytes){code, sizeof code});
    }
    json_end_array(writer);
}

static void put_limits(struct json_writer *writer) {
    json_key(writer, "list_parameters");
    json_begin_array(writer);
    for (size_t i = 0; i < list_parameter_count; i++)
        json_text(writer, list_parameters[i]);
    json_end_array(writer);
    json_key(writer, "list_limit_default"), json_integer(writer, LIST_LIMIT_DEFAULT);
    json_key(writer, "list_limit_max"), json_integer(writer, LIST_LIMIT_MAX);
    json_key(writer, "cursor_length_max"), json_integer(writer, LIST_CURSOR_TEXT_MAX - 1);
    json_key(writer, "version_max"), json_integer(writer, ORDER_VERSION_MAX);
    json_key(writer, "amount_max"), json_integer(writer, ORDER_AMOUNT_MAX);
    json_key(writer, "errors_max"), json_integer(writer, INPUT_ERRORS_MAX);
}

/* A full order, so that its members can be compared with the schema's. */
static void put_order(struct json_writer *writer) {
    const struct order_item item = {BYTES("lamp"), 2, 5};
    const struct order_pair pair = {BYTES("a"), BYTES("b")};
    const struct order order = {
        .items = &item, .item_count = 1, .metadata = &pair, .metadata_count = 1, .currency = "EUR", .version = 1};
    json_key(writer, "order");
    order_write_json(writer, &order);
}

static void put_simulation(struct json_writer *writer) {
    json_key(writer, "simulation"), lab_parameters_write_schema(writer);
    json_key(writer, "runs_max"), json_integer(writer, LAB_HISTORY_MAX);
    json_key(writer, "listeners_max"), json_integer(writer, LAB_LISTENERS_MAX);
}

int main(void) {
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 1u << 20);
    json_writer_init(&writer, &out);
    json_begin_object(&writer);
    put_routes(&writer);
    put_fields(&writer);
    put_names(&writer);
    put_currencies(&writer);
    put_limits(&writer);
    put_order(&writer);
    put_simulation(&writer);
    json_end_object(&writer);
    bool is_written = out.status == STATUS_OK && fwrite(out.data, 1, out.size, stdout) == out.size;
    buffer_free(&out);
    return is_written ? 0 : 1;
}
