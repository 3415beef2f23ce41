/* Tests events: what a decision becomes, types and ids, round trips, and what a reader refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "order/event.h"
#include "unit/order_sample.h"

static struct arena arena;
static struct buffer buffer;

static int setup(void **state) {
    arena_init(&arena, 4096, 8 << 20);
    buffer_init(&buffer, EVENT_TEXT_MAX);
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    buffer_free(&buffer);
    return 0;
}

static void round_trip(const struct event *event) {
    struct event read;
    struct error error = {""};
    buffer_reset(&buffer);
    event_write(&buffer, event);
    assert_int_equal(buffer.status, STATUS_OK);
    enum status status = event_read(buffer_bytes(&buffer), &arena, &read, &error);
    if (status) fail_msg("%s", error.text);
    assert_true(uuid_equal(&event->order_id, &read.order_id));
    assert_true(uuid_equal(&event->command_id, &read.command_id));
    assert_true(uuid_equal(&event->attempt_id, &read.attempt_id));
    assert_int_equal(event->kind, read.kind);
    assert_int_equal(event->verdict, read.verdict);
    assert_int_equal(event->reason, read.reason);
    assert_int_equal(event->is_first, read.is_first);
    assert_int_equal(event->partition, read.partition);
    assert_int_equal(event->offset, read.offset);
    assert_int_equal(event->time_ms, read.time_ms);
    assert_int_equal(event->has_order, read.has_order);
    if (event->has_order) assert_true(order_equal(&event->order, &read.order));
}

static void assert_event(const struct event *event, const char *type, const char *id) {
    char got[EVENT_ID_SIZE];
    event_id(event, got);
    assert_string_equal(event_type(event), type);
    assert_string_equal(got, id);
    round_trip(event);
}

#define ORDER_ID "019a1b2c-3d4e-7f50-8123-000000000001"
#define ATTEMPT_ID "019a1b2c-3d4e-7f50-8123-000000000003"

static void a_create(void **state) {
    struct command command = sample_command(COMMAND_CREATE);
    struct decision first, again;
    struct event event;
    decide(&command, 41, NULL, NULL, &first);
    event_of(&command, &first, 5, 41, &event);
    assert_int_equal(event.partition, 5);
    assert_int_equal(event.offset, 41);
    assert_int_equal(event.time_ms, command.time_ms);
    assert_event(&event, "orderly.order.created", ORDER_ID "/1");
    /* The replay of the same attempt gives the same event; another attempt's is a repeat, with an id of its own. */
    decide(&command, 41, NULL, &first.row, &again);
    event_of(&command, &again, 5, 41, &event);
    assert_event(&event, "orderly.order.created", ORDER_ID "/1");
    command.attempt_id = sample_uuid(4);
    decide(&command, 42, NULL, &first.row, &again);
    event_of(&command, &again, 5, 42, &event);
    assert_event(&event, "orderly.command.repeated", "019a1b2c-3d4e-7f50-8123-000000000004");
}

static void later_steps(void **state) {
    struct history_row row = {.order = sample_order(), .position = 1};
    struct command command = sample_command(COMMAND_TRANSITION);
    struct decision decision;
    struct event event;
    row.order.version = 3;
    decide(&command, 41, &row, NULL, &decision);
    event_of(&command, &decision, 0, 41, &event);
    assert_event(&event, "orderly.order.paid", ORDER_ID "/4");
    command.target = ORDER_CONFIRMED;
    decide(&command, 41, &row, NULL, &decision);
    event_of(&command, &decision, 0, 41, &event);
    assert_int_equal(event.verdict, VERDICT_UNCHANGED);
    assert_event(&event, "orderly.command.repeated", ATTEMPT_ID);
    command.target = ORDER_DELIVERED;
    decide(&command, 41, &row, NULL, &decision);
    event_of(&command, &decision, 0, 41, &event);
    assert_true(event.has_order);
    assert_event(&event, "orderly.command.rejected", ATTEMPT_ID);
    decide(&command, 41, NULL, NULL, &decision);
    event_of(&command, &decision, 0, 41, &event);
    assert_false(event.has_order);
    assert_int_equal(event.reason, REASON_VERSION_AHEAD);
    assert_event(&event, "orderly.command.rejected", ATTEMPT_ID);
    command = sample_command(COMMAND_AMEND);
    decide(&command, 41, &row, NULL, &decision);
    event_of(&command, &decision, 0, 41, &event);
    assert_event(&event, "orderly.order.amended", ORDER_ID "/4");
}

static void every_status_has_a_type(void **state) {
    struct event event = {.kind = COMMAND_TRANSITION, .verdict = VERDICT_APPLIED, .is_first = true, .has_order = true};
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        char expected[64];
        event.order.status = (enum order_status)status;
        snprintf(expected, sizeof expected, "orderly.order.%s", order_status_name(event.order.status));
        assert_string_equal(event_type(&event), expected);
    }
}

static void refuses(void **state) {
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"\"schema\":1", "\"schema\":0", "schema must be"},
        {"\"kind\":\"create\"", "\"kind\":\"make\"", "kind is unknown"},
        {"\"kind\":\"create\"", "\"kind\":\"amend\"", "verdict does not go with the kind"},
        {"\"verdict\":\"created\"", "\"verdict\":\"x\"", "verdict is unknown"},
        {"\"verdict\":\"created\"", "\"verdict\":\"applied\"", "verdict does not go with the kind"},
        {"\"verdict\":\"created\"", "\"verdict\":\"rejected\"", "reason does not go with the verdict"},
        {"\"reason\":\"none\"", "\"reason\":\"order_exists\"", "reason does not go with the verdict"},
        {"\"reason\":\"none\"", "\"reason\":null", "reason must be a string"},
        {"\"reason\":\"none\"", "\"reason\":\"other\"", "reason is unknown"},
        {"\"verdict\":\"created\",\"reason\":\"none\"", "\"verdict\":\"rejected\",\"reason\":\"order_exists\"",
         "first does not go with the verdict"},
        {"\"first\":true", "\"first\":1", "first must be true or false"},
        {"\"command_id\":\"019a", "\"command_id\":\"19a", "command_id must be a UUID"},
        {"\"partition\":5", "\"partition\":-1", "partition must be"},
        {"\"offset\":41", "\"offset\":-1", "offset must be"},
        {"\"offset\":41", "\"offset\":1.5", "offset must be"},
        {"\"time_ms\":", "\"time_ms\":-", "time_ms must be"},
        {"\"order\":{", "\"order\":null,\"x\":{", "order is missing"},
        {"\"order\":{", "\"order\":7,\"x\":{", "an order must be an object"},
        {"\"order\":{\"order_id\":\"0", "\"order\":{\"order_id\":\"1", "order is another one"},
        {"\"version\":1", "\"version\":0", "version must be"},
    };
    struct command command = sample_command(COMMAND_CREATE);
    struct decision decision;
    struct event event, before;
    decide(&command, 41, NULL, NULL, &decision);
    event_of(&command, &decision, 5, 41, &event);
    event_write(&buffer, &event);
    buffer_put(&buffer, (struct bytes){"", 1});
    assert_int_equal(buffer.status, STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[4096];
        struct error error = {""};
        const char *at = strstr(buffer.data, cases[i].from);
        if (!at) fail_msg("%s is not in %s", cases[i].from, buffer.data);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - buffer.data), buffer.data, cases[i].to,
                 at + strlen(cases[i].from));
        memset(&event, 0xa5, sizeof event);
        memcpy(&before, &event, sizeof before);
        enum status status = event_read(bytes_of(text), &arena, &event, &error);
        if (status != STATUS_INVALID || strncmp(error.text, cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("%s: %s: %s", cases[i].to, status_name(status), error.text);
        assert_memory_equal(&event, &before, sizeof event);
    }
    assert_int_equal(event_read(BYTES("{"), &arena, &event, NULL), STATUS_INVALID);
    /* A newer writer's additions do not matter. */
    assert_int_equal(event_read((struct bytes){buffer.data, buffer.size - 1}, &arena, &event, NULL), STATUS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_create, setup, teardown),
        cmocka_unit_test_setup_teardown(later_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(every_status_has_a_type, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
