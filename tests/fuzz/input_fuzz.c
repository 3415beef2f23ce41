/* Fuzzes a client's input in both dialects: what is taken keeps every limit and becomes a command that reads back;
 * what is refused names at least one field. */
#include "fuzz/fuzz.h"
#include "order/command.h"
#include "order/input.h"

static void check_order(const struct order *order, struct arena *arena) {
    struct command command = {.kind = COMMAND_CREATE, .rules = ORDER_RULES_CURRENT, .order = *order}, read;
    struct buffer buffer;
    int64_t total;
    buffer_init(&buffer, COMMAND_TEXT_MAX);
    FUZZ_CHECK(order_total(order->items, order->item_count, &total) == STATUS_OK && total == order->total);
    FUZZ_CHECK(json_utf8_length(order->customer_name) <= ORDER_CUSTOMER_NAME_MAX);
    command_fingerprint(&command, command.fingerprint);
    command_write(&buffer, &command);
    FUZZ_CHECK(buffer.status == STATUS_OK);
    FUZZ_CHECK(command_read(buffer_bytes(&buffer), arena, &read, NULL, NULL) == STATUS_OK);
    command.order.order_id = read.order.order_id; /* it is beside the payload */
    FUZZ_CHECK(order_equal(&command.order, &read.order));
    buffer_free(&buffer);
}

static void check_errors(const struct input_errors *errors) {
    FUZZ_CHECK(errors->count > 0 && errors->count <= INPUT_ERRORS_MAX && errors->total >= errors->count);
    for (size_t i = 0; i < errors->count; i++) {
        struct bytes pointer = errors->list[i].pointer;
        FUZZ_CHECK(pointer.size == 0 || pointer.data[0] == '/');
        FUZZ_CHECK(json_utf8_is_valid(pointer));
        FUZZ_CHECK(errors->list[i].detail && errors->list[i].detail[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct json_value *body = NULL;
    arena_init(&arena, 4096, FUZZ_ARENA_LIMIT);
    enum status status =
        size > 0 ? json_read((struct bytes){(const char *)data, size}, &arena, &body, NULL) : STATUS_OK;
    for (int dialect = INPUT_ORDERS; status == STATUS_OK && dialect <= INPUT_API_ORDERS; dialect++) {
        struct input_create create;
        struct input_errors errors;
        enum status read = input_read_create(body, (enum input_dialect)dialect, "USD", &arena, &create, &errors);
        FUZZ_CHECK(read == STATUS_OK || read == STATUS_INVALID);
        if (read == STATUS_OK)
            check_order(&create.order, &arena);
        else
            check_errors(&errors);
    }
    arena_free(&arena);
    return 0;
}
