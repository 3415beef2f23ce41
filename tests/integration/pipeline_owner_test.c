/* Who owns a partition: handing over, losing, taking over, and two that both think they own it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/verdicts.h"

#define PARTITIONS 4

static int open_rig(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig) return 1;
    rig_open(rig, PARTITIONS, NULL, 5);
    *state = rig;
    return 0;
}

static int close_rig(void **state) {
    rig_close(*state);
    free(*state);
    return 0;
}

static void hold_once(struct rig *rig, enum fault_point point) {
    faults_add(&rig->faults, (struct fault_rule){.point = point, .first = 1, .count = 1, .effect = FAULT_HELD});
}

static struct command send_one(struct rig *rig) {
    struct command create = rig_create(rig, rig_uuid(rig), false);
    rig_send(rig, &create);
    return create;
}

static struct command send_to(struct rig *rig, int32_t partition) {
    struct uuid id = rig_uuid(rig);
    while (rig_partition(rig, &id) != partition)
        id = rig_uuid(rig);
    struct command create = rig_create(rig, id, false);
    rig_send(rig, &create);
    return create;
}

static void assert_all_once(struct rig *rig, size_t commands, size_t repeats_max) {
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_int_equal(verdicts.malformed, 0);
    assert_true(verdicts.all_agree);
    assert_int_equal(verdicts.count, commands);
    for (size_t i = 0; i < verdicts.count; i++)
        assert_in_range(verdicts.list[i].count, 1, repeats_max);
}

static bool state_is(struct rig *rig, int32_t partition, bool assigned) {
    struct pipeline_partition_state shown;
    pipeline_state(rig->pipeline, partition, &shown);
    return shown.assigned == assigned;
}

static int32_t watched;
static bool watched_is_gone(struct rig *rig) {
    return state_is(rig, watched, false);
}
static bool watched_is_ours(struct rig *rig) {
    return state_is(rig, watched, true);
}
static bool watched_is_waiting(struct rig *rig) {
    struct pipeline_partition_state shown;
    pipeline_state(rig->pipeline, watched, &shown);
    return shown.waiting;
}

/* --- handing over --- */

/* The batch under way is finished and committed first; what was read ahead is left to the next owner. */
static void test_a_revoked_partition_is_finished_then_released(void **state) {
    struct rig *rig = *state;
    hold_once(rig, FAULT_APPLY);
    rig_start(rig, NULL);
    struct command first = send_one(rig);
    int32_t partition = watched = rig_partition(rig, &first.order_id);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    send_to(rig, partition); /* may be read ahead */
    faulty_log_inject(rig->faulty_log, POLL_REVOKED, partition);
    send_to(rig, (partition + 1) % PARTITIONS); /* others are not held up */
    assert_true(faults_wait_calls(&rig->faults, FAULT_COMMIT, 1));
    assert_int_equal(rig_committed(rig, partition), 0);
    assert_true(state_is(rig, partition, true));
    faults_release(&rig->faults);
    assert_true(faulty_log_wait_released(rig->faulty_log, partition));
    assert_int_equal(rig_committed(rig, partition), 1);
    assert_true(rig_wait(watched_is_gone, rig));

    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, 3, 1);
}

/* A store that is away must not keep the next owner, whose store may answer, from its partition. */
static void test_a_revoked_partition_that_waits_is_released_at_once(void **state) {
    struct rig *rig = *state;
    struct pipeline_options options = {.backoff_min_ms = 60000, .backoff_max_ms = 60000};
    faults_add(
        &rig->faults,
        (struct fault_rule){
            .point = FAULT_APPLY, .first = 1, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_UNAVAILABLE});
    rig_start(rig, &options);
    struct command create = send_one(rig);
    int32_t partition = watched = rig_partition(rig, &create.order_id);
    assert_true(rig_wait(watched_is_waiting, rig));
    faulty_log_inject(rig->faulty_log, POLL_REVOKED, partition);
    assert_true(faulty_log_wait_released(rig->faulty_log, partition));
    assert_int_equal(rig_committed(rig, partition), 0);
    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, 1, 1);
}

static void test_a_step_that_fails_while_revoked_is_given_up(void **state) {
    struct rig *rig = *state;
    hold_once(rig, FAULT_APPLY);
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    int32_t partition = rig_partition(rig, &create.order_id);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    faulty_log_inject(rig->faulty_log, POLL_REVOKED, partition);
    send_to(rig, (partition + 1) % PARTITIONS);
    assert_true(rig_wait_position(rig->pipeline, (partition + 1) % PARTITIONS, 1)); /* it has seen the revocation */
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_EVENTS,
                                                 .first = faults_calls(&rig->faults, FAULT_EVENTS) + 1,
                                                 .count = 1,
                                                 .effect = FAULT_MISREPORTED,
                                                 .status = STATUS_UNKNOWN});
    faults_release(&rig->faults);
    assert_true(faulty_log_wait_released(rig->faulty_log, partition));
    assert_int_equal(rig_committed(rig, partition), 0);
    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_true(verdicts.all_agree);
    assert_int_equal(verdicts_find(&verdicts, &create.attempt_id)->count, 2);
}

/* --- losing --- */

/* Lost in the middle of a write, given back, processed anew, and only then does the old write come to its end. */
static void test_a_lost_partition_commits_nothing(void **state) {
    struct rig *rig = *state;
    hold_once(rig, FAULT_APPLY);
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    int32_t partition = watched = rig_partition(rig, &create.order_id);
    assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, 1));
    faulty_log_inject(rig->faulty_log, POLL_LOST, partition);
    assert_true(rig_wait(watched_is_gone, rig));
    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait_committed(rig));
    assert_int_equal(faults_calls(&rig->faults, FAULT_COMMIT), 1);
    faults_release(&rig->faults);
    struct command more = send_to(rig, partition);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_int_equal(faults_calls(&rig->faults, FAULT_COMMIT), 2); /* the old batch has not committed */
    assert_non_null(rig_order(rig, more.order_id, &rig->arena));
    assert_all_once(rig, 2, 1);
}

static void test_a_refused_commit_means_lost(void **state) {
    struct rig *rig = *state;
    faults_add(&rig->faults,
               (struct fault_rule){
                   .point = FAULT_COMMIT, .first = 1, .count = 1, .effect = FAULT_REFUSED, .status = STATUS_CONFLICT});
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    int32_t partition = watched = rig_partition(rig, &create.order_id);
    assert_true(faults_wait_calls(&rig->faults, FAULT_COMMIT, 1));
    assert_true(rig_wait(watched_is_gone, rig));
    assert_int_equal(faults_calls(&rig->faults, FAULT_COMMIT), 1); /* it is not tried again */
    assert_int_equal(rig_committed(rig, partition), 0);
    faulty_log_inject(rig->faulty_log, POLL_LOST, partition); /* the log says so too, a little later */
    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, 1, 2);
}

/* However often a partition comes and goes while the store does not answer: memory stays bounded, nothing is skipped.
 */
static void test_coming_and_going_while_the_store_hangs(void **state) {
    struct rig *rig = *state;
    faults_add(&rig->faults, (struct fault_rule){.point = FAULT_APPLY, .first = 1, .count = 20, .effect = FAULT_HELD});
    rig_start(rig, NULL);
    struct command create = send_one(rig);
    int32_t partition = watched = rig_partition(rig, &create.order_id);
    for (int i = 0; i < 20; i++) {
        assert_true(rig_wait(watched_is_ours, rig));
        if (i < PARTITIONS * 2) assert_true(faults_wait_calls(&rig->faults, FAULT_APPLY, (unsigned)i + 1));
        faulty_log_inject(rig->faulty_log, POLL_LOST, partition);
        assert_true(rig_wait(watched_is_gone, rig));
        faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    }
    assert_int_equal(faults_calls(&rig->faults, FAULT_APPLY), PARTITIONS * 2); /* the batches of one pipeline */
    faults_reset(&rig->faults);
    faults_release(&rig->faults);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, 1, 1);
    assert_int_equal(rig_history(rig, create.order_id, &rig->arena).count, 1);
}

/* --- several consumers --- */

static struct command lives[4][200];

/* Create, confirm, a conflict, a repeat: for many orders, in one order of the log. */
static size_t send_lives(struct rig *rig) {
    for (size_t i = 0; i < 200; i++) {
        struct uuid id = rig_uuid(rig);
        lives[0][i] = rig_create(rig, id, i % 2 == 0);
        lives[1][i] = rig_transition(rig, id, 1, ORDER_CONFIRMED);
        lives[2][i] = rig_transition(rig, id, 1, ORDER_CANCELLED);
        lives[3][i] = lives[1][i];
        lives[3][i].attempt_id = rig_uuid(rig);
    }
    for (size_t i = 0; i < 4; i++)
        rig_send_all(rig, lives[i], 200, NULL);
    return 800;
}

static void assert_lives(struct rig *rig) {
    for (size_t i = 0; i < 200; i++) {
        struct rig_rows history = rig_history(rig, lives[0][i].order_id, &rig->arena);
        assert_int_equal(history.count, 2);
        assert_true(uuid_equal(&history.rows[1].attempt_id, &lives[1][i].attempt_id));
        assert_int_equal(rig_order(rig, lives[0][i].order_id, &rig->arena)->status, ORDER_CONFIRMED);
    }
    const struct order_store_list created = {.has_status = true, .status = ORDER_CREATED, .limit = 200};
    assert_int_equal(rig_list(rig, &created, &rig->arena).count, 0);
}

/* The second one reads the same partitions from the start, at the same time, and believes to commit. */
static void test_two_that_think_they_own_the_same(void **state) {
    struct rig *rig = *state;
    const int64_t start[PARTITIONS] = {0};
    struct faults faults;
    faults_init(&faults);
    struct event_log *zombie_log = faulty_log_new(rig->log, &faults);
    faulty_log_be_zombie(zombie_log, start, STATUS_OK);
    size_t commands = send_lives(rig);
    struct pipeline_options options = {.log = zombie_log, .batch_max = 7};
    rig_start(rig, &options);
    struct pipeline *zombie = rig->pipeline;
    options = (struct pipeline_options){.batch_max = 11};
    rig_start(rig, &options);
    assert_true(rig_wait_committed(rig));
    assert_true(faults_wait_calls(&faults, FAULT_COMMIT, (unsigned)commands / 7));
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_true(rig_wait_position(zombie, i, rig_end(rig, TOPIC_COMMANDS, i)));
    rig_stop(rig);
    pipeline_close(zombie);
    event_log_close(zombie_log);
    faults_free(&faults);
    assert_all_once(rig, commands, 2);
    assert_lives(rig);
}

/* A zombie whose commits are refused does one batch of each partition at most. */
static void test_a_zombie_with_refused_commits_stops(void **state) {
    struct rig *rig = *state;
    const int64_t start[PARTITIONS] = {0};
    struct faults faults;
    faults_init(&faults);
    struct event_log *zombie_log = faulty_log_new(rig->log, &faults);
    faulty_log_be_zombie(zombie_log, start, STATUS_CONFLICT);
    size_t commands = send_lives(rig);
    struct pipeline_options options = {.log = zombie_log, .batch_max = 5};
    rig_start(rig, &options);
    for (watched = 0; watched < PARTITIONS; watched++) {
        assert_true(faults_wait_calls(&faults, FAULT_COMMIT, PARTITIONS));
        assert_true(rig_wait(watched_is_gone, rig));
    }
    rig_stop(rig);
    assert_int_equal(faults_calls(&faults, FAULT_COMMIT), PARTITIONS);
    assert_int_equal(rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena).count, 5 * PARTITIONS);
    event_log_close(zombie_log);
    faults_free(&faults);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, commands, 2);
    assert_lives(rig);
}

static size_t assigned_count(struct pipeline *pipeline) {
    size_t count = 0;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        struct pipeline_partition_state shown;
        pipeline_state(pipeline, i, &shown);
        count += shown.assigned;
    }
    return count;
}

static struct pipeline *second;
static bool both_have_some(struct rig *rig) {
    return assigned_count(rig->pipeline) == PARTITIONS / 2 && assigned_count(second) == PARTITIONS / 2;
}
static bool first_has_all(struct rig *rig) {
    return assigned_count(rig->pipeline) == PARTITIONS;
}

/* Two honest members of the group: they share, and one takes over from the other, with work going on all the time. */
static void test_members_share_and_take_over(void **state) {
    struct rig *rig = *state;
    size_t commands = send_lives(rig);
    struct pipeline_options options = {.batch_max = 3};
    rig_start(rig, &options);
    struct pipeline *first = rig->pipeline;
    rig_start(rig, &options);
    second = rig->pipeline;
    rig->pipeline = first;
    assert_true(rig_wait(both_have_some, rig));
    pipeline_close(second); /* no drain: as good as killed */
    assert_true(rig_wait(first_has_all, rig));
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    assert_all_once(rig, commands, 4);
    assert_lives(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_revoked_partition_is_finished_then_released, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_revoked_partition_that_waits_is_released_at_once, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_step_that_fails_while_revoked_is_given_up, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_lost_partition_commits_nothing, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_refused_commit_means_lost, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_coming_and_going_while_the_store_hangs, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_two_that_think_they_own_the_same, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_zombie_with_refused_commits_stops, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_members_share_and_take_over, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
