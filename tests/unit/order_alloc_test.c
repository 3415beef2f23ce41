/* Tests that the n-th allocation may fail, for every n, in everything of JSON and orders that allocates: NO_MEMORY,
 * outputs untouched, nothing lost (under asan), and the same call works afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "order/event.h"
#include "order/input.h"
#include "support/failing_alloc.h"
#include "unit/order_sample.h"

#define ALLOCATIONS_MAX 2000
#define BLOCK_SIZE 64 /* so small that nearly every piece of an arena is an allocation of its own */

/* One call under test. It must return NO_MEMORY if an allocation fails, and assert the rest itself. */
typedef enum status (*attempt_fn)(void *data);

static void fail_every_allocation(attempt_fn attempt, void *data, int allocations_min) {
    for (int n = 1; n < ALLOCATIONS_MAX; n++) {
        failing_alloc_arm(n);
        enum status status = attempt(data);
        bool has_failed = failing_alloc_disarm();
        if (!has_failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(n > allocations_min); /* or the test tested nothing */
            return;
        }
        if (status != STATUS_NO_MEMORY) fail_msg("allocation %d failed: %s", n, status_name(status));
    }
    fail_msg("more than %d allocations", ALLOCATIONS_MAX);
}

/* Outputs are filled with a pattern before, and must still hold it after a failure. */
static void mark(void *out, size_t size) {
    memset(out, 0xa5, size);
}
static void assert_marked_if(bool has_failed, const void *out, size_t size) {
    for (size_t i = 0; has_failed && i < size; i++)
        assert_int_equal(((const uint8_t *)out)[i], 0xa5);
}

static enum status attempt_json_read(void *data) {
    struct arena arena;
    struct json_value *value, *before;
    struct json_error error;
    mark(&value, sizeof value);
    before = value;
    arena_init(&arena, BLOCK_SIZE, 1 << 20);
    enum status status = json_read(*(struct bytes *)data, &arena, &value, &error);
    assert_true(status == STATUS_OK || value == before);
    arena_free(&arena);
    return status;
}

static void json_reading(void **state) {
    struct bytes text =
        BYTES("{\"a\\n\":[1,\"\\u20ac\",{\"b\":null}],\"c\":1.000000000000000000000000000000000000000000"
              "0000000000000000000000000000000000000001}");
    struct buffer many;
    fail_every_allocation(attempt_json_read, &text, 8);
    buffer_init(&many, 4096); /* the many keys are sorted in memory of the arena */
    for (int i = 0; i < 30; i++)
        buffer_printf(&many, "%s\"k%d\":%d", i ? "," : "{", i, i);
    buffer_put_char(&many, '}');
    text = buffer_bytes(&many);
    fail_every_allocation(attempt_json_read, &text, 30);
    buffer_free(&many);
}

static enum status attempt_json_write(void *data) {
    struct buffer buffer;
    struct json_writer writer;
    struct order order = sample_order();
    buffer_init(&buffer, 1 << 20);
    json_writer_init(&writer, &buffer);
    json_begin_array(&writer);
    for (int i = 0; i < 20; i++)
        order_write_json(&writer, &order);
    json_end_array(&writer);
    enum status status = buffer.status;
    assert_int_equal(writer.depth, 0);
    buffer_free(&buffer);
    return status;
}

static void json_writing(void **state) {
    fail_every_allocation(attempt_json_write, NULL, 3);
}

/* --- input: bad input must not be taken for no memory, nor the other way round --- */

static const char good_input[] =
    "{\"customer_name\":\"Ada\",\"items\":[{\"item\":\"a\",\"quantity\":1},{\"item\":\"b\",\"quantity\":2}],"
    "\"metadata\":{\"b\":\"1\",\"a\":\"2\"},\"currency\":\"EUR\"}";
static const char bad_input[] =
    "{\"x\":1,\"customer_name\":\"\",\"items\":[7,{\"item\":\"b\",\"quantity\":0}],\"metadata\":{\"b\":1},"
    "\"currency\":\"x\",\"order_id\":0}";

static enum status attempt_input(void *data) {
    struct arena values, arena; /* the body is parsed before: this is about input_read_create alone */
    struct json_value *body;
    struct input_create create;
    struct input_errors errors;
    bool is_bad = data == bad_input;
    arena_init(&values, BLOCK_SIZE, 1 << 20);
    arena_init(&arena, BLOCK_SIZE, 1 << 20);
    mark(&create, sizeof create);
    enum status status = json_read(bytes_of(data), &values, &body, NULL);
    if (!status) status = input_read_create(body, INPUT_ORDERS, "USD", &arena, &create, &errors);
    assert_marked_if(status != STATUS_OK, &create, sizeof create);
    if (is_bad && status == STATUS_INVALID) {
        assert_int_equal(errors.total, 7);
        status = STATUS_OK; /* as it should be, without a failure */
    }
    arena_free(&arena);
    arena_free(&values);
    return status;
}

static void input_reading(void **state) {
    fail_every_allocation(attempt_input, (void *)good_input, 10);
    fail_every_allocation(attempt_input, (void *)bad_input, 20);
}

/* --- messages --- */

static enum status attempt_command(void *data) {
    struct command command = sample_command(*(enum command_kind *)data), read;
    struct arena arena;
    struct buffer buffer;
    buffer_init(&buffer, COMMAND_TEXT_MAX);
    arena_init(&arena, BLOCK_SIZE, 1 << 20);
    mark(&read, sizeof read);
    command_write(&buffer, &command);
    enum status status = buffer.status;
    if (!status) status = command_read(buffer_bytes(&buffer), &arena, &read, NULL, NULL);
    assert_marked_if(status != STATUS_OK, &read, sizeof read);
    if (!status) assert_true(order_equal(&command.order, &read.order));
    arena_free(&arena);
    buffer_free(&buffer);
    return status;
}

static void commands(void **state) {
    for (enum command_kind kind = 0; kind < COMMAND_KIND_COUNT; kind++)
        fail_every_allocation(attempt_command, &kind, 10);
}

static enum status attempt_event(void *data) {
    struct command command = sample_command(COMMAND_CREATE);
    struct decision decision;
    struct event event, read;
    struct arena arena;
    struct buffer buffer;
    decide(&command, 1, NULL, NULL, &decision);
    event_of(&command, &decision, 0, 1, &event);
    buffer_init(&buffer, EVENT_TEXT_MAX);
    arena_init(&arena, BLOCK_SIZE, 1 << 20);
    mark(&read, sizeof read);
    event_write(&buffer, &event);
    enum status status = buffer.status;
    if (!status) status = event_read(buffer_bytes(&buffer), &arena, &read, NULL);
    assert_marked_if(status != STATUS_OK, &read, sizeof read);
    if (!status) assert_true(order_equal(&event.order, &read.order));
    arena_free(&arena);
    buffer_free(&buffer);
    return status;
}

static void events(void **state) {
    fail_every_allocation(attempt_event, NULL, 10);
}

static enum status attempt_copy(void *data) {
    struct order order = sample_order(), copy;
    struct arena arena;
    arena_init(&arena, BLOCK_SIZE, 1 << 20);
    enum status status = order_copy(&order, &arena, &copy);
    if (!status) assert_true(order_equal(&order, &copy));
    arena_free(&arena);
    return status;
}

static void copies(void **state) {
    fail_every_allocation(attempt_copy, NULL, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reading), cmocka_unit_test(json_writing), cmocka_unit_test(input_reading),
        cmocka_unit_test(commands),     cmocka_unit_test(events),       cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
