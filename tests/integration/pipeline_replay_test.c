/* Replays: the log processed again, by a consumer that begins at its start, and in replay mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/verdicts.h"

#define PARTITIONS 4

static int open_rig(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig) return 1;
    rig_open(rig, PARTITIONS, NULL, 1);
    *state = rig;
    return 0;
}

static int close_rig(void **state) {
    rig_close(*state);
    free(*state);
    return 0;
}

static void process(struct rig *rig) {
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
}

static struct verdicts good_verdicts(struct rig *rig) {
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_int_equal(verdicts.malformed, 0);
    assert_true(verdicts.all_agree);
    return verdicts;
}

/* Life with every kind of verdict, in several batches. */
static void live(struct rig *rig, size_t orders) {
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < orders; i++) {
            struct uuid id = rig_uuid(rig);
            struct command create = rig_create(rig, id, i % 2 == 0);
            struct command again = create;
            again.attempt_id = rig_uuid(rig);
            again.minted = false;
            struct command commands[] = {
                create,
                rig_transition(rig, id, 1, ORDER_CANCELLED),
                rig_transition(rig, id, 1, ORDER_CONFIRMED), /* 409, and stays so */
                rig_transition(rig, id, 3, ORDER_CONFIRMED), /* ahead, and stays so */
                again,
                rig_amend(rig, id, 2, "nobody"),
            };
            if (i % 3 == 0) commands[1] = rig_amend(rig, id, 1, "Grace");
            rig_send_all(rig, commands, 6, NULL);
        }
        process(rig);
    }
}

static bool replay_is_done(struct rig *rig) {
    return pipeline_replay_is_done(rig->pipeline);
}

static void test_a_replay_from_the_start_says_the_same(void **state) {
    struct rig *rig = *state;
    live(rig, 10);
    struct bytes before = rig_dump(rig, &rig->arena);
    size_t count = good_verdicts(rig).count;
    const int64_t start[PARTITIONS] = {0};
    faulty_log_be_zombie(rig->faulty_log, start, STATUS_OK);
    unsigned commits = faults_calls(&rig->faults, FAULT_COMMIT);
    rig_start(rig, NULL);
    assert_true(faults_wait_calls(&rig->faults, FAULT_COMMIT, commits + PARTITIONS));
    rig_stop(rig);
    struct verdicts after = good_verdicts(rig); /* those of the replay agree with the first ones */
    assert_int_equal(after.count, count);
    for (size_t i = 0; i < after.count; i++)
        assert_true(after.list[i].count >= 2);
    assert_true(bytes_equal(before, rig_dump(rig, &rig->arena)));
}

static void test_replay_mode_writes_rows_alone(void **state) {
    struct rig *rig = *state;
    live(rig, 10);
    const struct event_log_record poison = {.partition = 0, .key = BYTES("k"), .value = BYTES("?")};
    rig_append(rig, TOPIC_COMMANDS, &poison);
    process(rig);
    struct bytes before = rig_dump(rig, &rig->arena);
    size_t events = rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count;
    struct pipeline_options options = {.replay = true};
    order_cache_clear(rig->cache);
    unsigned commits = faults_calls(&rig->faults, FAULT_COMMIT);
    rig_start(rig, &options);
    assert_true(rig_wait(replay_is_done, rig));
    rig_stop(rig);
    assert_true(bytes_equal(before, rig_dump(rig, &rig->arena)));
    assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, events);
    assert_int_equal(rig_read(rig, TOPIC_DLQ, NULL, &rig->arena).count, 1);
    assert_int_equal(faults_calls(&rig->faults, FAULT_COMMIT), commits);
    struct order_cache_stats stats;
    order_cache_stats(rig->cache, &stats);
    assert_int_equal(stats.entries, 0);
}

/* The log alone is enough: a replay into an empty store makes the same rows. */
static void test_replay_mode_rebuilds_a_store(void **state) {
    struct rig *rig = *state;
    live(rig, 10);
    struct bytes before = rig_dump(rig, &rig->arena);
    struct order_store *original = rig->store;
    struct error error;
    assert_int_equal(order_store_embedded_open(rig->env, rig->clock, "second-", NULL, &rig->store, &error), STATUS_OK);
    assert_int_equal(order_store_setup(rig->store, &error), STATUS_OK);
    struct pipeline_options options = {.replay = true, .store = rig->store, .batch_max = 7};
    rig_start(rig, &options);
    assert_true(rig_wait(replay_is_done, rig));
    rig_stop(rig);
    struct bytes after = rig_dump(rig, &rig->arena);
    order_store_close(rig->store);
    rig->store = original;
    assert_true(before.size > 1000);
    assert_true(bytes_equal(before, after));
}

static void test_a_replay_of_an_empty_log_is_done(void **state) {
    struct rig *rig = *state;
    struct pipeline_options options = {.replay = true};
    rig_start(rig, &options);
    assert_true(rig_wait(replay_is_done, rig));
    rig_stop(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_replay_from_the_start_says_the_same, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_replay_mode_writes_rows_alone, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_replay_mode_rebuilds_a_store, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_replay_of_an_empty_log_is_done, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
