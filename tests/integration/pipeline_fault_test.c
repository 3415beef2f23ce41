/* The pipeline when something fails: at every call to a service, before and after it is carried out, with and without a
 * crash. Whatever happens, the store ends up as if nothing had, and no verdict changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/verdicts.h"

#define PARTITIONS 2
#define ORDERS 3

/* The same wall time in every run, so that their dumps can be compared; monotonic time goes on, for the waits. */
static int64_t stopped_wall_ms(const struct clock *clock) {
    return RIG_TIME_MS;
}
static int64_t running_ns(const struct clock *clock) {
    return clock_monotonic_ns(clock_system());
}
static const struct clock stopped_clock = {.wall_ms = stopped_wall_ms, .monotonic_ns = running_ns};

/* One life, the same each time: every kind of command and verdict, and poison. */
static void send_commands(struct rig *rig) {
    for (size_t i = 0; i < ORDERS; i++) {
        struct uuid id = rig_uuid(rig);
        struct command create = rig_create(rig, id, i != 1);
        struct command again = create;
        again.minted = false;
        again.attempt_id = rig_uuid(rig);
        struct command commands[] = {
            create,
            rig_transition(rig, id, 1, ORDER_CONFIRMED),
            rig_transition(rig, id, 1, ORDER_CANCELLED),
            again,
            rig_amend(rig, id, 2, "Grace"),
            rig_transition(rig, id, 4, ORDER_PAID),
        };
        rig_send_all(rig, commands, 6, NULL);
    }
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        const struct event_log_record poison = {.partition = partition, .key = BYTES("k"), .value = BYTES("?")};
        rig_append(rig, TOPIC_COMMANDS, &poison);
    }
}

/* Small batches, so that there are steps of several to fail in. */
static const struct pipeline_options small = {.batch_max = 5, .cache_wait_ms = 20};

/* Runs until all is committed or the faults have let it "crash". */
static bool is_over(struct rig *rig) {
    if (faults_have_crashed(&rig->faults)) return true;
    for (int32_t i = 0; i < PARTITIONS; i++)
        if (rig_committed(rig, i) < rig_end(rig, TOPIC_COMMANDS, i)) return false;
    return true;
}

struct outcome {
    struct bytes dump;
    struct verdicts verdicts;
    size_t letters; /* different ones */
};

static size_t different_letters(struct rig *rig) {
    struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
    size_t count = 0;
    for (size_t i = 0; i < letters.count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i; j++)
            is_new &= !bytes_equal(rig_header(&letters.records[i], "ce_id"), rig_header(&letters.records[j], "ce_id"));
        count += is_new;
    }
    return count;
}

static struct outcome outcome_of(struct rig *rig) {
    struct outcome outcome = {.dump = rig_dump(rig, &rig->arena),
                              .verdicts = verdicts_read(rig, NULL, &rig->arena),
                              .letters = different_letters(rig)};
    assert_int_equal(outcome.verdicts.malformed, 0);
    assert_true(outcome.verdicts.all_agree);
    return outcome;
}

static struct outcome live_with(struct rig *rig, const struct fault_rule *rule) {
    rig_open(rig, PARTITIONS, &stopped_clock, 77);
    send_commands(rig);
    if (rule) faults_add(&rig->faults, *rule);
    rig_start(rig, &small);
    assert_true(rig_wait(is_over, rig));
    rig_crash(rig);
    unsigned calls = rig->faults.calls[FAULT_ANY];
    if (rule) { /* after a crash: a new process */
        faults_reset(&rig->faults);
        rig_start(rig, &small);
        assert_true(rig_wait_committed(rig));
        rig_stop(rig);
    }
    rig->faults.calls[FAULT_ANY] = calls;
    return outcome_of(rig);
}

static void assert_same(const struct outcome *expected, const struct outcome *outcome) {
    assert_true(bytes_equal(expected->dump, outcome->dump));
    assert_int_equal(expected->letters, outcome->letters);
    assert_int_equal(expected->verdicts.count, outcome->verdicts.count);
    for (size_t i = 0; i < expected->verdicts.count; i++) {
        assert_true(uuid_equal(&expected->verdicts.list[i].attempt_id, &outcome->verdicts.list[i].attempt_id));
        assert_true(bytes_equal(expected->verdicts.list[i].value, outcome->verdicts.list[i].value));
        assert_true(bytes_equal(expected->verdicts.list[i].id, outcome->verdicts.list[i].id));
    }
}

static void test_every_fault_at_every_call(void **state) {
    static const struct fault_rule rules[] = {
        {.point = FAULT_ANY, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_UNAVAILABLE},
        {.point = FAULT_ANY, .count = 3, .effect = FAULT_REFUSED, .status = STATUS_FULL},
        {.point = FAULT_ANY, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_CORRUPT},
        {.point = FAULT_ANY, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_NO_MEMORY},
        {.point = FAULT_ANY, .count = 2, .effect = FAULT_MISREPORTED, .status = STATUS_UNKNOWN},
        {.point = FAULT_ANY, .count = 1, .effect = FAULT_CRASH_BEFORE},
        {.point = FAULT_ANY, .count = 1, .effect = FAULT_CRASH_AFTER},
    };
    struct rig reference_rig;
    struct outcome reference = live_with(&reference_rig, NULL);
    unsigned calls = reference_rig.faults.calls[FAULT_ANY];
    assert_int_equal(reference.verdicts.count, ORDERS * 6);
    assert_int_equal(reference.letters, PARTITIONS);
    assert_in_range(calls, 15, 100);
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        for (unsigned call = 1; call <= calls; call++) {
            struct rig rig;
            struct fault_rule rule = rules[r];
            rule.first = call;
            struct outcome outcome = live_with(&rig, &rule);
            assert_same(&reference, &outcome);
            rig_close(&rig);
        }
    }
    rig_close(&reference_rig);
}

/* --- the services, one by one --- */

static int open_rig(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig) return 1;
    rig_open(rig, PARTITIONS, NULL, 3);
    *state = rig;
    return 0;
}

static int close_rig(void **state) {
    rig_close(*state);
    free(*state);
    return 0;
}

static struct command send_one(struct rig *rig) {
    struct command create = rig_create(rig, rig_uuid(rig), false);
    rig_send(rig, &create);
    return create;
}

static int32_t watched;
static bool is_waiting(struct rig *rig) {
    struct pipeline_partition_state shown;
    pipeline_state(rig->pipeline, watched, &shown);
    return shown.waiting;
}

/* Each step in turn fails for a while: it is shown, said, tried again and gone on with; nothing is skipped. */
static void test_a_service_that_is_away_is_waited_for(void **state) {
    struct rig *rig = *state;
    static const enum fault_point points[] = {FAULT_ROWS, FAULT_APPLY, FAULT_EVENTS, FAULT_COMMIT};
    static const char *const steps[] = {"read", "store", "events", "commit"};
    struct pipeline_options patient = {.backoff_min_ms = 20, .backoff_max_ms = 40};
    rig_start(rig, &patient);
    for (size_t i = 0; i < 4; i++) {
        faults_reset(&rig->faults);
        faults_add(
            &rig->faults,
            (struct fault_rule){
                .point = points[i], .first = 1, .count = 4, .effect = FAULT_REFUSED, .status = STATUS_UNAVAILABLE});
        struct command create = send_one(rig);
        watched = rig_partition(rig, &create.order_id);
        assert_true(rig_wait(is_waiting, rig));
        char text[ERROR_TEXT_SIZE], labels[64];
        pipeline_last_error(rig->pipeline, text, sizeof text);
        assert_non_null(strstr(text, steps[i]));
        assert_non_null(strstr(text, "refused by the test"));
        assert_true(rig_wait_committed(rig));
        assert_non_null(rig_order(rig, create.order_id, &rig->arena));
        assert_int_equal(faults_calls(&rig->faults, points[i]), 5);
        snprintf(labels, sizeof labels, "step=\"%s\"", steps[i]);
        assert_int_equal(metric_count(metrics_counter(rig->metrics, "orderly_pipeline_retries_total", "", labels)), 4);
    }
    rig_stop(rig);
}

static bool has_failed_to_poll(struct rig *rig) {
    char text[ERROR_TEXT_SIZE];
    pipeline_last_error(rig->pipeline, text, sizeof text);
    return strstr(text, "poll") != NULL;
}

static void test_polls_that_fail_are_repeated(void **state) {
    struct rig *rig = *state;
    rig_start(rig, NULL);
    faulty_log_fail_polls(rig->faulty_log, STATUS_UNAVAILABLE);
    send_one(rig);
    assert_true(rig_wait(has_failed_to_poll, rig));
    faulty_log_fail_polls(rig->faulty_log, STATUS_OK);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
}

/* --- a cache that does not answer --- */

static void test_a_slow_cache_is_not_waited_for(void **state) {
    struct rig *rig = *state;
    struct pipeline_options options = {.cache_wait_ms = 5};
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_PUT, .first = 1, .effect = FAULT_HELD});
    rig_start(rig, &options);
    struct command create = send_one(rig);
    assert_true(rig_wait_committed(rig)); /* though the put is still held */
    assert_int_equal(rig_cached_version(rig, create.order_id), 0);
    assert_int_equal(metric_count(metrics_counter(rig->metrics, "orderly_pipeline_cache_skipped_total", "", "")), 1);
    faults_release(&rig->faults); /* it comes after all: harmless, and not lost */
    assert_int_equal(rig_cached_version(rig, create.order_id), 1);
    rig_stop(rig);
}

/* Its puts are bounded: at some point the step is left out, and all else goes on. */
static void test_a_dead_cache_costs_bounded_memory(void **state) {
    struct rig *rig = *state;
    struct pipeline_options options = {.cache_wait_ms = 1};
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_PUT, .first = 1, .effect = FAULT_HELD});
    rig_start(rig, &options);
    for (int i = 0; i < 60; i++) {
        send_one(rig);
        assert_true(rig_wait_committed(rig));
    }
    assert_int_equal(faults_calls(&rig->faults, FAULT_PUT), 32 + PARTITIONS);
    rig_crash(rig);
    faults_release(&rig->faults); /* answers for a pipeline that is gone: they free themselves */
}

/* --- services that hang --- */

static void test_a_hanging_store_does_not_hang_the_shutdown(void **state) {
    struct rig *rig = *state;
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_APPLY, .first = 1, .count = 1, .effect = FAULT_HELD});
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    assert_int_equal(pipeline_drain(rig->pipeline, 20), STATUS_BUSY);
    assert_int_equal(pipeline_drain(rig->pipeline, 20), STATUS_BUSY);
    rig_crash(rig);
    faults_release(&rig->faults); /* the write comes late; its memory is freed (the sanitizers see to that) */
    assert_int_equal(rig_committed(rig, rig_partition(rig, &create.order_id)), 0);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_int_equal(rig_history(rig, create.order_id, &rig->arena).count, 1);
}

static void test_a_hanging_log_does_not_hang_the_shutdown(void **state) {
    struct rig *rig = *state;
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_EVENTS, .first = 1, .count = 1, .effect = FAULT_HELD});
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    assert_true(faults_wait_calls(&rig->faults, FAULT_EVENTS, 1));
    rig_crash(rig);
    faults_release(&rig->faults);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_true(verdicts.all_agree);
    assert_int_equal(verdicts_find(&verdicts, &create.attempt_id)->count, 2);
}

/* --- drain --- */

/* Whatever the moment of the drain, what is committed is done and what is not is done by the next owner, once. */
static void test_a_drain_ends_between_batches(void **state) {
    struct rig *rig = *state;
    struct command commands[600];
    for (size_t i = 0; i < 600; i++)
        commands[i] = rig_create(rig, rig_uuid(rig), true);
    rig_send_all(rig, commands, 600, NULL);
    struct pipeline_options options = {.batch_max = 10};
    rig_start(rig, &options);
    assert_true(faults_wait_calls(&rig->faults, FAULT_COMMIT, 3));
    assert_int_equal(pipeline_drain(rig->pipeline, 30000), STATUS_OK);
    rig_crash(rig);
    int64_t committed = rig_committed(rig, 0) + rig_committed(rig, 1);
    assert_in_range(committed, 20, 599);
    assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, committed);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_int_equal(verdicts.count, 600);
    assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, 600); /* none was done twice */
}

static void test_a_drain_waits_for_a_store_that_comes_back(void **state) {
    struct rig *rig = *state;
    faults_add(
        &rig->faults,
        (struct fault_rule){
            .point = FAULT_APPLY, .first = 1, .count = 10, .effect = FAULT_REFUSED, .status = STATUS_UNAVAILABLE});
    rig_start(rig, NULL);
    send_one(rig);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    assert_int_equal(pipeline_drain(rig->pipeline, 30000), STATUS_OK);
    rig_crash(rig);
    assert_int_equal(rig_committed(rig, 0) + rig_committed(rig, 1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault_at_every_call),
        cmocka_unit_test_setup_teardown(test_a_service_that_is_away_is_waited_for, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_polls_that_fail_are_repeated, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_slow_cache_is_not_waited_for, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_dead_cache_costs_bounded_memory, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_hanging_store_does_not_hang_the_shutdown, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_hanging_log_does_not_hang_the_shutdown, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_drain_ends_between_batches, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_drain_waits_for_a_store_that_comes_back, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
