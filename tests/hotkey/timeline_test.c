/* The timeline: who is next, who waits for an answer, and when all is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hotkey/schedule.h"

#define SECOND INT64_C(1000000000)

static struct lab_parameters base;

static int set_base(void **state) {
    assert_int_equal(lab_parameters_default("default", &base), STATUS_OK);
    base.duration_s = 3;
    base.keys = 100;
    base.classes[LAB_HOT].clients = 13;
    base.classes[LAB_NORMAL].clients = 7;
    base.classes[LAB_NORMAL].rate = 40;
    return 0;
}

static struct lab_schedule *new_schedule(void) {
    struct lab_schedule *schedule;
    assert_int_equal(lab_schedule_new(&base, &schedule), STATUS_OK);
    return schedule;
}

static struct lab_timeline *new_timeline(const struct lab_schedule *schedule, uint32_t first, uint32_t step,
                                         bool instant) {
    struct lab_timeline *timeline;
    assert_int_equal(lab_timeline_new(schedule, first, step, instant, &timeline), STATUS_OK);
    return timeline;
}

/* --- closed clients --- */

static void closed_clients_wait_for_answers(void **state) {
    base.classes[LAB_HOT].arrival = LAB_CLOSED;
    base.classes[LAB_HOT].clients = 2;
    base.classes[LAB_HOT].rate = 100; /* a pause of 10 ms */
    base.classes[LAB_NORMAL].clients = 0;
    struct lab_schedule *schedule = new_schedule();
    struct lab_timeline *timeline = new_timeline(schedule, 0, 1, false);
    struct lab_operation operation;
    for (uint32_t client = 0; client < 2; client++) {
        assert_int_equal(lab_timeline_next_ns(timeline), 0);
        assert_true(lab_timeline_pop(timeline, &operation));
        assert_int_equal(operation.client, client);
        assert_int_equal(operation.at_ns, 0);
    }
    assert_int_equal(lab_timeline_next_ns(timeline), INT64_MAX);
    assert_false(lab_timeline_pop(timeline, &operation));
    assert_false(lab_timeline_is_over(timeline));

    lab_timeline_answered(timeline, 1, 5000000);
    lab_timeline_answered(timeline, 1, 1); /* twice, and clients that there are not: nothing */
    lab_timeline_answered(timeline, 2, 1);
    lab_timeline_answered(timeline, UINT32_MAX, 1);
    assert_int_equal(lab_timeline_next_ns(timeline), 15000000);
    lab_timeline_answered(timeline, 0, 4000000);
    assert_true(lab_timeline_pop(timeline, &operation));
    assert_int_equal(operation.client, 0);
    assert_int_equal(operation.at_ns, 14000000);
    assert_int_equal(operation.number, 1);
    assert_true(lab_timeline_pop(timeline, &operation));
    assert_int_equal(operation.client, 1);

    lab_timeline_answered(timeline, 0, 3 * SECOND - 10000001); /* the very last moment */
    assert_int_equal(lab_timeline_next_ns(timeline), 3 * SECOND - 1);
    assert_true(lab_timeline_pop(timeline, &operation));
    lab_timeline_answered(timeline, 0, 3 * SECOND - 1); /* its next one would be past the end */
    assert_false(lab_timeline_is_over(timeline));
    struct lab_client client;
    for (int64_t late = -1; late < 2; late++) {
        lab_client_init(schedule, 0, &client);
        lab_client_answered(schedule, &client, 3 * SECOND - 10000000 + late);
        assert_int_equal(lab_client_next(schedule, &client, &operation), late < 0);
    }
    lab_timeline_answered(timeline, 1, 3 * SECOND - 10000000);
    assert_false(lab_timeline_pop(timeline, &operation));
    assert_true(lab_timeline_is_over(timeline));
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

/* How many operations there are, and when the n-th is. */
static size_t count_all(size_t n, int64_t *at_ns_out) {
    struct lab_schedule *schedule = new_schedule();
    struct lab_timeline *timeline = new_timeline(schedule, 0, 1, true);
    struct lab_operation operation;
    size_t count = 0;
    for (; lab_timeline_pop(timeline, &operation); count++)
        if (count == n) *at_ns_out = operation.at_ns;
    assert_true(lab_timeline_is_over(timeline));
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
    return count;
}

static void instant_answers_take_no_time_but_the_pause(void **state) {
    int64_t at_ns = 0;
    base.classes[LAB_HOT].arrival = LAB_CLOSED;
    base.classes[LAB_NORMAL].clients = 0;
    assert_int_equal(count_all(13, &at_ns), 13 * 300);
    assert_int_equal(at_ns, 10000000);
    base.classes[LAB_HOT].rate = 0;
    base.duration_s = 0.1;
    assert_int_equal(count_all(13, &at_ns), 13 * (100000000 / LAB_INSTANT_NS));
    assert_int_equal(at_ns, LAB_INSTANT_NS);
}

/* Of the clients 1, 4, 7, 10 of a thread, and of no other's. */
static void an_answer_for_another_thread_changes_nothing(void **state) {
    base.classes[LAB_HOT].arrival = LAB_CLOSED;
    base.classes[LAB_NORMAL].clients = 0;
    struct lab_schedule *schedule = new_schedule();
    struct lab_timeline *timeline = new_timeline(schedule, 1, 3, false);
    struct lab_operation operation;
    for (uint32_t client = 1; client < 13; client += 3) {
        assert_true(lab_timeline_pop(timeline, &operation));
        assert_int_equal(operation.client, client);
    }
    static const uint32_t others[] = {0, 2, 3, 5, 6, 8, 9, 11, 12, 13, 16};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        lab_timeline_answered(timeline, others[i], 0);
    assert_int_equal(lab_timeline_next_ns(timeline), INT64_MAX);
    lab_timeline_answered(timeline, 7, 5);
    assert_true(lab_timeline_pop(timeline, &operation));
    assert_int_equal(operation.client, 7);
    assert_int_equal(operation.at_ns, 10000005);
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

/* --- edges --- */

static void a_timeline_without_clients_is_over(void **state) {
    struct lab_schedule *schedule = new_schedule();
    struct lab_operation operation;
    assert_int_equal(lab_schedule_clients(schedule), 20);
    assert_int_equal(lab_schedule_parameters(schedule)->keys, 100);
    for (uint32_t first = 20; first < 30; first += 9) {
        struct lab_timeline *timeline = new_timeline(schedule, first, 7, true);
        assert_true(lab_timeline_is_over(timeline));
        assert_int_equal(lab_timeline_next_ns(timeline), INT64_MAX);
        assert_false(lab_timeline_pop(timeline, &operation));
        lab_timeline_answered(timeline, first, 0);
        lab_timeline_free(timeline);
    }
    struct lab_timeline *last = new_timeline(schedule, 19, 1, true);
    while (lab_timeline_pop(last, &operation))
        assert_int_equal(operation.client, 19);
    assert_int_equal(operation.number, 119);
    lab_timeline_free(last);
    lab_timeline_free(NULL);
    lab_schedule_free(schedule);
    lab_schedule_free(NULL);
}

static void the_next_time_is_that_of_the_next_operation(void **state) {
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    base.classes[LAB_NORMAL].arrival = LAB_CLOSED;
    struct lab_schedule *schedule = new_schedule();
    struct lab_timeline *timeline = new_timeline(schedule, 0, 1, true);
    struct lab_operation operation;
    for (int64_t next; (next = lab_timeline_next_ns(timeline)) != INT64_MAX;) {
        assert_false(lab_timeline_is_over(timeline));
        assert_true(lab_timeline_pop(timeline, &operation));
        assert_int_equal(operation.at_ns, next);
    }
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

/* As many clients as there may be, at the latest time there may be: nothing of time and number gets mixed up. */
static void the_largest_run_keeps_its_order(void **state) {
    base.classes[LAB_HOT].clients = base.classes[LAB_NORMAL].clients = LAB_CLIENTS_MAX;
    base.classes[LAB_HOT].rate = base.classes[LAB_NORMAL].rate = 2.0 / 86400;
    base.duration_s = 86400;
    struct lab_schedule *schedule = new_schedule();
    struct lab_timeline *timeline = new_timeline(schedule, 0, 1, true);
    struct lab_operation operation;
    int64_t before = 0;
    uint32_t count = 0, highest = 0;
    for (; lab_timeline_pop(timeline, &operation); count++) {
        assert_true(operation.at_ns >= before && operation.at_ns < 86400 * SECOND);
        before = operation.at_ns;
        if (operation.client > highest) highest = operation.client;
    }
    assert_int_equal(count, 4 * LAB_CLIENTS_MAX);
    assert_int_equal(highest, 2 * LAB_CLIENTS_MAX - 1);
    assert_true(before > 86390 * SECOND);
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(closed_clients_wait_for_answers, set_base),
        cmocka_unit_test_setup(instant_answers_take_no_time_but_the_pause, set_base),
        cmocka_unit_test_setup(an_answer_for_another_thread_changes_nothing, set_base),
        cmocka_unit_test_setup(a_timeline_without_clients_is_over, set_base),
        cmocka_unit_test_setup(the_next_time_is_that_of_the_next_operation, set_base),
        cmocka_unit_test_setup(the_largest_run_keeps_its_order, set_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
