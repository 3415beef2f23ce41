/* Tests the decision case by case: verdict, reason, the row to write and the order shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "order/decide.h"
#include "unit/order_sample.h"

#define POSITION 100

/* A row of the sample order as another command left it. */
static struct history_row row_of(enum order_status status, uint32_t version, int64_t position) {
    struct history_row row = {.order = sample_order(),
                              .position = position,
                              .command_id = sample_uuid(50),
                              .attempt_id = sample_uuid(51),
                              .fingerprint = {50}};
    row.order.status = status, row.order.version = version;
    return row;
}

static struct command transition_to(enum order_status target) {
    struct command command = sample_command(COMMAND_TRANSITION);
    command.target = target;
    command_fingerprint(&command, command.fingerprint);
    return command;
}

/* Makes the row the command's own. */
static struct history_row own(struct history_row row, const struct command *command) {
    row.command_id = command->command_id;
    memcpy(row.fingerprint, command->fingerprint, sizeof row.fingerprint);
    return row;
}

static void assert_rows_equal(const struct history_row *a, const struct history_row *b) {
    assert_true(order_equal(&a->order, &b->order));
    assert_int_equal(a->position, b->position);
    assert_true(uuid_equal(&a->command_id, &b->command_id) && uuid_equal(&a->attempt_id, &b->attempt_id));
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof a->fingerprint);
}

static void assert_rejected(const struct decision *decision, enum reason reason, const struct order *shown) {
    assert_string_equal(reason_name(decision->reason), reason_name(reason));
    assert_int_equal(decision->verdict, VERDICT_REJECTED);
    assert_ptr_equal(decision->shown, shown);
    assert_false(decision->write);
    assert_false(decision->repeat);
}

static void a_create_makes_row_1(void **state) {
    struct command command = sample_command(COMMAND_CREATE);
    struct decision decision;
    decide(&command, POSITION, NULL, NULL, &decision);
    assert_int_equal(decision.verdict, VERDICT_CREATED);
    assert_true(decision.write && !decision.repeat && decision.reason == REASON_NONE);
    assert_ptr_equal(decision.shown, &decision.row.order);
    const struct order *order = &decision.row.order;
    struct order expected = command.order;
    expected.order_id = command.order_id, expected.status = ORDER_CREATED, expected.version = 1;
    expected.created_at_ms = expected.updated_at_ms = command.time_ms;
    assert_true(order_equal(order, &expected));
    assert_int_equal(decision.row.position, POSITION);
    assert_true(uuid_equal(&decision.row.command_id, &command.command_id));
    assert_true(uuid_equal(&decision.row.attempt_id, &command.attempt_id));
    assert_memory_equal(decision.row.fingerprint, command.fingerprint, COMMAND_FINGERPRINT_SIZE);
}

static void a_create_of_an_order_that_exists(void **state) {
    struct command command = sample_command(COMMAND_CREATE);
    struct history_row other = row_of(ORDER_CREATED, 1, 5), restored = row_of(ORDER_CREATED, 1, -1);
    struct history_row mine = own(other, &command), reused = mine;
    struct decision decision;
    decide(&command, POSITION, NULL, &other, &decision);
    assert_rejected(&decision, REASON_ORDER_EXISTS, &other.order);
    decide(&command, POSITION, NULL, &restored, &decision);
    assert_rejected(&decision, REASON_ORDER_EXISTS, &restored.order);
    decide(&command, POSITION, NULL, &mine, &decision);
    assert_int_equal(decision.verdict, VERDICT_CREATED);
    assert_true(decision.write && decision.repeat);
    assert_rows_equal(&decision.row, &mine); /* as it is stored, position and attempt too */
    assert_ptr_equal(decision.shown, &decision.row.order);
    reused.fingerprint[15] ^= 1;
    decide(&command, POSITION, NULL, &reused, &decision);
    assert_rejected(&decision, REASON_KEY_REUSED, &reused.order);
}

static void a_transition_makes_the_next_row(void **state) {
    struct command command = transition_to(ORDER_PAID);
    struct history_row row_e = row_of(ORDER_CONFIRMED, 3, 5);
    struct order expected = row_e.order;
    struct decision decision;
    command.time_ms = row_e.order.updated_at_ms + 10;
    decide(&command, POSITION, &row_e, NULL, &decision);
    assert_int_equal(decision.verdict, VERDICT_APPLIED);
    assert_true(decision.write && !decision.repeat);
    expected.status = ORDER_PAID, expected.version = 4, expected.updated_at_ms += 10;
    assert_true(order_equal(&decision.row.order, &expected));
    assert_int_equal(decision.row.position, POSITION);
    /* A clock that went back does not take updated_at along. */
    command.time_ms = row_e.order.updated_at_ms - 10;
    decide(&command, POSITION, &row_e, NULL, &decision);
    assert_int_equal(decision.row.order.updated_at_ms, row_e.order.updated_at_ms);
    assert_int_equal(decision.row.order.created_at_ms, row_e.order.created_at_ms);
}

static void every_step_follows_the_table(void **state) {
    for (int from = 0; from < ORDER_STATUS_COUNT; from++)
        for (int to = 0; to < ORDER_STATUS_COUNT; to++) {
            struct command command = transition_to((enum order_status)to);
            struct history_row row_e = row_of((enum order_status)from, 3, 5);
            struct decision decision;
            decide(&command, POSITION, &row_e, NULL, &decision);
            if (from == to) {
                assert_int_equal(decision.verdict, VERDICT_UNCHANGED);
                assert_ptr_equal(decision.shown, &row_e.order);
                assert_false(decision.write);
            } else if (order_transition_is_allowed(1, (enum order_status)from, (enum order_status)to)) {
                assert_int_equal(decision.verdict, VERDICT_APPLIED);
            } else {
                assert_rejected(&decision, REASON_ILLEGAL_TRANSITION, &row_e.order);
            }
        }
}

static void the_expected_version_must_have_been_there(void **state) {
    struct command command = transition_to(ORDER_PAID);
    struct history_row later = row_of(ORDER_CONFIRMED, 3, POSITION + 1), restored = row_of(ORDER_CONFIRMED, 3, -1);
    struct decision decision;
    decide(&command, POSITION, NULL, NULL, &decision);
    assert_rejected(&decision, REASON_VERSION_AHEAD, NULL);
    decide(&command, POSITION, &later, NULL, &decision);
    assert_rejected(&decision, REASON_VERSION_AHEAD, NULL); /* shows nothing, as at first sight */
    decide(&command, POSITION, &restored, NULL, &decision);
    assert_int_equal(decision.verdict, VERDICT_APPLIED);
}

static void another_made_the_next_row(void **state) {
    struct command command = transition_to(ORDER_PAID);
    struct history_row row_e = row_of(ORDER_CONFIRMED, 3, 5), cancelled = row_of(ORDER_CANCELLED, 4, 6);
    struct history_row paid = row_of(ORDER_PAID, 4, 6);
    struct decision decision;
    decide(&command, POSITION, &row_e, &cancelled, &decision);
    assert_rejected(&decision, REASON_VERSION_CONFLICT, &row_e.order);
    decide(&command, POSITION, &row_e, &paid, &decision);
    assert_int_equal(decision.verdict, VERDICT_UNCHANGED);
    assert_ptr_equal(decision.shown, &paid.order);
    assert_false(decision.write);
    /* The reason on row e comes first. */
    command = transition_to(ORDER_DELIVERED);
    decide(&command, POSITION, &row_e, &cancelled, &decision);
    assert_rejected(&decision, REASON_ILLEGAL_TRANSITION, &row_e.order);
    command = transition_to(ORDER_CONFIRMED);
    decide(&command, POSITION, &row_e, &cancelled, &decision);
    assert_int_equal(decision.verdict, VERDICT_UNCHANGED);
    assert_ptr_equal(decision.shown, &row_e.order);
    command = sample_command(COMMAND_AMEND);
    decide(&command, POSITION, &row_e, &cancelled, &decision);
    assert_rejected(&decision, REASON_VERSION_CONFLICT, &row_e.order);
}

static void applied_before(void **state) {
    struct command command = transition_to(ORDER_PAID);
    struct history_row row_e = row_of(ORDER_CONFIRMED, 3, 5);
    struct history_row mine = own(row_of(ORDER_PAID, 4, POSITION - 1), &command), reused = mine;
    struct decision decision;
    decide(&command, POSITION, &row_e, &mine, &decision);
    assert_int_equal(decision.verdict, VERDICT_APPLIED);
    assert_true(decision.write && decision.repeat);
    assert_rows_equal(&decision.row, &mine);
    reused.fingerprint[0] ^= 1;
    decide(&command, POSITION, &row_e, &reused, &decision);
    assert_rejected(&decision, REASON_KEY_REUSED, &reused.order);
    /* Rules may have changed between the attempts: what was applied stays applied. */
    struct history_row now_illegal = row_of(ORDER_DELIVERED, 3, 5);
    decide(&command, POSITION, &now_illegal, &mine, &decision);
    assert_int_equal(decision.verdict, VERDICT_APPLIED);
}

/* The first attempt was illegal, or a no-op; the second, with the same key and another payload, was applied. On replay
 * the first must not turn into key_reused. */
static void a_later_row_of_the_same_key_changes_nothing(void **state) {
    struct command illegal = transition_to(ORDER_DELIVERED), noop = transition_to(ORDER_CONFIRMED);
    struct command applied = transition_to(ORDER_PAID);
    struct history_row row_e = row_of(ORDER_CONFIRMED, 3, 5);
    struct history_row later = own(row_of(ORDER_PAID, 4, POSITION + 1), &applied);
    struct decision decision;
    decide(&illegal, POSITION, &row_e, &later, &decision);
    assert_rejected(&decision, REASON_ILLEGAL_TRANSITION, &row_e.order);
    decide(&noop, POSITION, &row_e, &later, &decision);
    assert_int_equal(decision.verdict, VERDICT_UNCHANGED);
    assert_ptr_equal(decision.shown, &row_e.order);
    /* After it, the same attempts are reuses. */
    decide(&illegal, POSITION + 2, &row_e, &later, &decision);
    assert_rejected(&decision, REASON_KEY_REUSED, &later.order);
}

static void an_amend_replaces_what_it_names(void **state) {
    struct history_row row_e = row_of(ORDER_CREATED, 3, 5);
    struct order_item items[] = {{BYTES("candle"), 3, 7}};
    for (unsigned set = 1; set < 8; set++) {
        struct command command = sample_command(COMMAND_AMEND);
        struct order expected = row_e.order;
        struct decision decision;
        command.amend_set = set;
        command.order.customer_name = BYTES("Grace");
        command.order.items = items, command.order.item_count = 1;
        command.order.metadata_count = 1;
        if (set & AMEND_CUSTOMER_NAME) expected.customer_name = BYTES("Grace");
        if (set & AMEND_ITEMS) expected.items = items, expected.item_count = 1, expected.total = 21;
        if (set & AMEND_METADATA) expected.metadata_count = 1;
        expected.version = 4;
        decide(&command, POSITION, &row_e, NULL, &decision);
        assert_int_equal(decision.verdict, VERDICT_APPLIED);
        assert_true(order_equal(&decision.row.order, &expected));
    }
}

static void amends_have_limits(void **state) {
    struct order_item items[] = {{BYTES("gold"), 2, ORDER_AMOUNT_MAX}};
    struct command command = sample_command(COMMAND_AMEND);
    struct decision decision;
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        struct history_row row_e = row_of((enum order_status)status, 3, 5);
        decide(&command, POSITION, &row_e, NULL, &decision);
        if (status <= ORDER_CONFIRMED)
            assert_int_equal(decision.verdict, VERDICT_APPLIED);
        else
            assert_rejected(&decision, REASON_NOT_AMENDABLE, &row_e.order);
    }
    struct history_row row_e = row_of(ORDER_CREATED, 3, 5);
    command.order.items = items, command.order.item_count = 1;
    decide(&command, POSITION, &row_e, NULL, &decision);
    assert_rejected(&decision, REASON_TOTAL_TOO_LARGE, &row_e.order);
    command.amend_set = AMEND_CUSTOMER_NAME; /* the items do not count then */
    decide(&command, POSITION, &row_e, NULL, &decision);
    assert_int_equal(decision.verdict, VERDICT_APPLIED);
}

static void versions_have_a_limit(void **state) {
    struct command commands[] = {transition_to(ORDER_PAID), sample_command(COMMAND_AMEND)};
    for (int i = 0; i < 2; i++) {
        struct history_row row_e = row_of(ORDER_CONFIRMED, ORDER_VERSION_MAX - 1, 5);
        struct decision decision;
        commands[i].expected_version = ORDER_VERSION_MAX - 1;
        decide(&commands[i], POSITION, &row_e, NULL, &decision);
        assert_int_equal(decision.verdict, VERDICT_APPLIED);
        assert_int_equal(decision.row.order.version, ORDER_VERSION_MAX);
        row_e.order.version = commands[i].expected_version = ORDER_VERSION_MAX;
        decide(&commands[i], POSITION, &row_e, NULL, &decision);
        assert_rejected(&decision, REASON_VERSION_LIMIT, &row_e.order);
    }
}

static void names_and_http_statuses(void **state) {
    for (int i = 0; i < VERDICT_COUNT; i++) {
        enum verdict verdict;
        assert_int_equal(verdict_parse(bytes_of(verdict_name((enum verdict)i)), &verdict), STATUS_OK);
        assert_int_equal(verdict, i);
    }
    for (int i = 0; i < REASON_COUNT; i++) {
        enum reason reason;
        assert_int_equal(reason_parse(bytes_of(reason_name((enum reason)i)), &reason), STATUS_OK);
        assert_int_equal(reason, i);
        assert_true(strlen(reason_text((enum reason)i)) > 10);
        bool is_content = i == REASON_TOTAL_TOO_LARGE || i == REASON_KEY_REUSED;
        if (i != REASON_NONE)
            assert_int_equal(verdict_http_status(VERDICT_REJECTED, (enum reason)i), is_content ? 422 : 409);
    }
    enum verdict verdict = VERDICT_APPLIED;
    enum reason reason = REASON_KEY_REUSED;
    assert_int_equal(verdict_parse(BYTES(""), &verdict), STATUS_INVALID);
    assert_int_equal(reason_parse(BYTES("unknown"), &reason), STATUS_INVALID);
    assert_true(verdict == VERDICT_APPLIED && reason == REASON_KEY_REUSED);
    assert_int_equal(verdict_http_status(VERDICT_CREATED, REASON_NONE), 201);
    assert_int_equal(verdict_http_status(VERDICT_APPLIED, REASON_NONE), 200);
    assert_int_equal(verdict_http_status(VERDICT_UNCHANGED, REASON_NONE), 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_makes_row_1),
        cmocka_unit_test(a_create_of_an_order_that_exists),
        cmocka_unit_test(a_transition_makes_the_next_row),
        cmocka_unit_test(every_step_follows_the_table),
        cmocka_unit_test(the_expected_version_must_have_been_there),
        cmocka_unit_test(another_made_the_next_row),
        cmocka_unit_test(applied_before),
        cmocka_unit_test(a_later_row_of_the_same_key_changes_nothing),
        cmocka_unit_test(an_amend_replaces_what_it_names),
        cmocka_unit_test(amends_have_limits),
        cmocka_unit_test(versions_have_a_limit),
        cmocka_unit_test(names_and_http_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
