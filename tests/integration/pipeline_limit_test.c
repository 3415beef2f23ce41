/* The pipeline and time and size: what is too large is done in smaller pieces, what is old is not cached and is trimmed
 * from the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/verdicts.h"

#define PARTITIONS 2
#define DAY_MS ((int64_t)24 * 3600 * 1000)

struct bench {
    struct rig rig; /* first */
    struct clock_manual clock;
};

static int open_bench(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench) return 1;
    clock_manual_init(&bench->clock, RIG_TIME_MS);
    rig_open(&bench->rig, PARTITIONS, &bench->clock.base, 9);
    *state = bench;
    return 0;
}

static int close_bench(void **state) {
    rig_close(*state);
    free(*state);
    return 0;
}

static void process(struct rig *rig, const struct pipeline_options *options) {
    rig_start(rig, options);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
}

static struct command sent[64];

static void send_some(struct rig *rig, size_t count, bool minted) {
    for (size_t i = 0; i < count; i++)
        sent[i] = rig_create(rig, rig_uuid(rig), minted);
    rig_send_all(rig, sent, count, NULL);
}

static void assert_all_created(struct rig *rig, size_t count) {
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_true(verdicts.all_agree);
    assert_int_equal(verdicts.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(verdicts_find(&verdicts, &sent[i].attempt_id)->event.verdict, VERDICT_CREATED);
        assert_int_equal(rig_history(rig, sent[i].order_id, &rig->arena).count, 1);
    }
}

/* --- size --- */

static void test_a_request_too_large_is_halved(void **state) {
    struct rig *rig = *state;
    static const enum fault_point points[] = {FAULT_ROWS, FAULT_APPLY, FAULT_EVENTS};
    static const enum status statuses[] = {STATUS_NO_MEMORY, STATUS_TOO_LARGE, STATUS_TOO_LARGE};
    for (size_t p = 0; p < 3; p++) {
        int64_t before = (int64_t)rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count;
        faults_reset(&rig->faults);
        faults_add(&rig->faults,
                   (struct fault_rule){
                       .point = points[p], .first = 1, .count = 3, .effect = FAULT_REFUSED, .status = statuses[p]});
        send_some(rig, 64, false);
        process(rig, NULL); /* the clock stands still: no wait may be needed */
        assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, before + 64);
        assert_in_range(faults_calls(&rig->faults, points[p]), 3 + 4, 3 + 64);
    }
    assert_int_equal(rig_read(rig, TOPIC_DLQ, NULL, &rig->arena).count, 0);
}

/* More rows and changes than one request to the store may have. */
static void test_a_batch_of_several_requests(void **state) {
    struct rig *rig = *state;
    enum { COUNT = 3000 };
    static struct command many[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        many[i] = rig_create(rig, rig_uuid(rig), false);
        while (rig_partition(rig, &many[i].order_id) != 0)
            many[i].order_id = rig_uuid(rig);
    }
    rig_send_all(rig, many, COUNT, NULL);
    struct pipeline_options options = {.batch_max = PIPELINE_UNCOMMITTED_MAX};
    process(rig, &options);
    assert_int_equal(faults_calls(&rig->faults, FAULT_ROWS), 3);
    assert_int_equal(faults_calls(&rig->faults, FAULT_APPLY), 3);
    assert_int_equal(faults_calls(&rig->faults, FAULT_EVENTS), 1);
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_int_equal(verdicts.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(rig_order(rig, many[i].order_id, &rig->arena)->version, 1);
}

/* One command that the store or the log never takes: it becomes a dead letter, and the others go on. */
static void test_a_command_no_service_takes_is_buried(void **state) {
    struct rig *rig = *state;
    static const enum fault_point points[] = {FAULT_APPLY, FAULT_EVENTS};
    for (size_t p = 0; p < 2; p++) {
        faults_reset(&rig->faults);
        faults_add(
            &rig->faults,
            (struct fault_rule){
                .point = points[p], .first = 1, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_TOO_LARGE});
        send_some(rig, 1, false);
        process(rig, NULL);
        struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
        assert_int_equal(letters.count, p + 1);
        assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, 0);
        assert_int_equal(rig_order(rig, sent[0].order_id, &rig->arena) != NULL, points[p] == FAULT_EVENTS);
    }
    struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
    for (size_t i = 0; i < letters.count; i++)
        assert_true(bytes_equal(rig_header(&letters.records[i], "ce_reason"), BYTES("too_large")));
}

static void test_a_letter_no_log_takes_is_cut(void **state) {
    struct rig *rig = *state;
    struct bytes text = {memset(arena_alloc(&rig->arena, 500000), 'x', 500000), 500000};
    const struct event_log_record poison = {.partition = 0, .key = BYTES("k"), .value = text};
    faults_add(
        &rig->faults,
        (struct fault_rule){
            .point = FAULT_LETTERS, .first = 1, .count = 3, .effect = FAULT_REFUSED, .status = STATUS_TOO_LARGE});
    rig_append(rig, TOPIC_COMMANDS, &poison);
    process(rig, NULL);
    struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
    assert_int_equal(letters.count, 1);
    assert_int_equal(letters.records[0].value.size, EVENT_LOG_RECORD_MAX / 8);
    assert_true(bytes_equal(rig_header(&letters.records[0], "ce_cutfrom"), BYTES("500000")));
}

/* A batch of the largest orders there can be: more than one request may carry. */
static void test_the_largest_orders(void **state) {
    struct rig *rig = *state;
    struct order_item items[ORDER_ITEMS_MAX];
    struct order_pair metadata[ORDER_METADATA_MAX];
    char name[ORDER_ITEM_NAME_MAX * 4], keys[ORDER_METADATA_MAX][3], value[ORDER_METADATA_VALUE_MAX * 4];
    for (size_t i = 0; i < ORDER_ITEM_NAME_MAX; i++)
        memcpy(name + i * 4, "\xf0\x9f\x92\xa1", 4); /* a light bulb */
    for (size_t i = 0; i < ORDER_METADATA_VALUE_MAX; i++)
        memcpy(value + i * 4, "\xf0\x9f\x92\xa1", 4);
    for (size_t i = 0; i < ORDER_ITEMS_MAX; i++)
        items[i] = (struct order_item){{name, sizeof name}, 1, 1};
    for (size_t i = 0; i < ORDER_METADATA_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "%02zu", i);
        metadata[i] = (struct order_pair){{keys[i], 2}, {value, sizeof value}};
    }
    for (size_t i = 0; i < 64; i++) {
        sent[i] = rig_create(rig, rig_uuid(rig), i % 2 == 0);
        sent[i].order.items = items;
        sent[i].order.item_count = ORDER_ITEMS_MAX;
        sent[i].order.total = ORDER_ITEMS_MAX;
        sent[i].order.metadata = metadata;
        sent[i].order.metadata_count = ORDER_METADATA_MAX;
        rig_send(rig, &sent[i]);
    }
    process(rig, NULL);
    assert_all_created(rig, 64);
    struct command confirm[64];
    for (size_t i = 0; i < 64; i++) {
        confirm[i] = rig_transition(rig, sent[i].order_id, 1, ORDER_CONFIRMED);
        rig_send(rig, &confirm[i]);
    }
    process(rig, NULL);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(rig_order(rig, sent[i].order_id, &rig->arena)->version, 2);
}

/* --- the cache --- */

/* A replay of old creates puts nothing: the orders may have long moved on. */
static void test_old_minted_creates_are_not_cached(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    send_some(rig, 1, true);
    struct command confirm = rig_transition(rig, sent[0].order_id, 1, ORDER_CONFIRMED);
    process(rig, NULL);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 1);
    rig_send(rig, &confirm);
    process(rig, NULL);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 2);

    clock_manual_advance(&bench->clock, 61000);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 0);
    const int64_t start[PARTITIONS] = {0};
    faulty_log_be_zombie(rig->faulty_log, start, STATUS_CONFLICT); /* it gets no further than the create */
    struct pipeline_options options = {.batch_max = 1};
    unsigned commits = faults_calls(&rig->faults, FAULT_COMMIT);
    rig_start(rig, &options);
    assert_true(faults_wait_calls(&rig->faults, FAULT_COMMIT, commits + 1));
    rig_stop(rig);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 0);
}

/* A row found, not made, is not put: it may be old. But what is older than it goes. */
static void test_a_repeated_row_drops_what_is_older(void **state) {
    struct rig *rig = *state;
    send_some(rig, 1, false);
    struct command confirm = rig_transition(rig, sent[0].order_id, 1, ORDER_CONFIRMED);
    process(rig, NULL);
    struct pipeline_options uncached = {.cache_wait_ms = 1};
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_PUT, .first = 2, .count = 1, .effect = FAULT_REFUSED});
    rig_send(rig, &confirm);
    process(rig, &uncached);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 1); /* stale, as after a crash before the put */
    confirm.attempt_id = rig_uuid(rig);
    rig_send(rig, &confirm);
    process(rig, NULL);
    assert_int_equal(faults_calls(&rig->faults, FAULT_APPLY), 3); /* found or not, it is written again */
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 0);
    assert_int_equal(rig_order(rig, sent[0].order_id, &rig->arena)->version, 2);
}

/* An entry lives as long as its read is young, however long the store took to write. */
static void test_an_entry_ages_from_its_read(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct pipeline_options options = {.cache_ttl_ms = 10000};
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_APPLY, .first = 1, .count = 1, .effect = FAULT_HELD});
    rig_start(rig, &options);
    send_some(rig, 1, false);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    clock_manual_advance(&bench->clock, 9000); /* the process was frozen */
    faults_release(&rig->faults);
    assert_true(rig_wait_committed(rig));
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 1);
    clock_manual_advance(&bench->clock, 1001);
    assert_int_equal(rig_cached_version(rig, sent[0].order_id), 0);
    rig_stop(rig);
}

/* --- trim --- */

static struct bench *watched_bench;
static bool has_trimmed(struct rig *rig) {
    clock_manual_advance(&watched_bench->clock, 1000);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        int64_t first, end;
        struct error error;
        if (event_log_range(rig->log, TOPIC_COMMANDS, i, 1000, &first, &end, &error) != STATUS_OK) return false;
        if (first < end - 1) return false;
    }
    return true;
}

/* Committed and older than the retention: gone. Committed a moment ago: kept. */
static void test_old_commands_are_trimmed(void **state) {
    struct bench *bench = watched_bench = *state;
    struct rig *rig = &bench->rig;
    send_some(rig, 64, true);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    clock_manual_advance(&bench->clock, 7 * DAY_MS);
    struct command young[2];
    for (int32_t i = 0; i < PARTITIONS; i++) {
        young[i] = rig_create(rig, rig_uuid(rig), true);
        while (rig_partition(rig, &young[i].order_id) != i)
            young[i].order_id = rig_uuid(rig);
        rig_send(rig, &young[i]);
    }
    assert_true(rig_wait_committed(rig));
    assert_true(rig_wait(has_trimmed, rig));
    rig_stop(rig);
    struct event_log_trim last;
    assert_true(faulty_log_trims(rig->faulty_log, &last) >= 2);
    assert_int_equal(last.topic, TOPIC_COMMANDS);
    assert_int_equal(last.below_offset, rig_committed(rig, last.partition));
    assert_in_range(last.before_ms, RIG_TIME_MS, clock_wall_ms(&bench->clock.base) - 7 * DAY_MS);
    assert_int_equal(rig_read(rig, TOPIC_COMMANDS, NULL, &rig->arena).count, PARTITIONS);
}

static void test_nothing_is_trimmed_when_told_so(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct pipeline_options options = {.retention_ms = -1};
    send_some(rig, 4, true);
    rig_start(rig, &options);
    assert_true(rig_wait_committed(rig));
    clock_manual_advance(&bench->clock, 30 * DAY_MS);
    send_some(rig, 4, true);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_int_equal(faulty_log_trims(rig->faulty_log, NULL), 0);
}

/* What was trimmed is gone for a position before it, too: the log says so, and the pipeline goes on behind. */
static void test_a_gap_is_passed_over(void **state) {
    struct bench *bench = watched_bench = *state;
    struct rig *rig = &bench->rig;
    send_some(rig, 64, true);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    clock_manual_advance(&bench->clock, 8 * DAY_MS);
    assert_true(rig_wait(has_trimmed, rig));
    rig_stop(rig);
    const int64_t start[PARTITIONS] = {0};
    faulty_log_be_zombie(rig->faulty_log, start, STATUS_OK);
    rig_start(rig, NULL);
    struct command more = rig_create(rig, rig_uuid(rig), true);
    int64_t offset = rig_send(rig, &more);
    assert_true(rig_wait_position(rig->pipeline, rig_partition(rig, &more.order_id), offset + 1));
    rig_stop(rig);
    assert_non_null(rig_order(rig, more.order_id, &rig->arena));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_request_too_large_is_halved, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_batch_of_several_requests, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_command_no_service_takes_is_buried, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_letter_no_log_takes_is_cut, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_the_largest_orders, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_old_minted_creates_are_not_cached, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_repeated_row_drops_what_is_older, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_an_entry_ages_from_its_read, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_old_commands_are_trimmed, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_nothing_is_trimmed_when_told_so, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_gap_is_passed_over, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
