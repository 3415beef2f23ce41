/* Contract: positions of a group, and the handshake by which a partition changes hands. One thread polls all members.
 */
#include "contract/event_log/log_requests.h"

static struct tape *tapes[3];

static int setup(void **state) {
    for (int i = 0; i < 3; i++)
        tapes[i] = tape_new();
    return contract_setup(state);
}

static int teardown(void **state) {
    for (int i = 0; i < 3; i++)
        tape_free(tapes[i]);
    return contract_teardown(state);
}

static int64_t committed(const char *group, int32_t partition) {
    int64_t position = -1;
    enum status status =
        event_log_committed(contract.log, group, TOPIC_COMMANDS, partition, CONTRACT_WAIT_MS, &position, NULL);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK ? position : -1;
}

static void a_new_group_starts_at_the_first_record(void **state) {
    append_numbers(0, 0, 5, NULL);
    struct event_log_consumer *member = open_member("g");
    tape_read(tapes[0], member, 5);
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    assert_int_equal(number_of(tapes[0]->records[0]), 0);
    assert_int_equal(committed("g", 0), -1);
    event_log_consumer_close(member);
}

static void a_member_goes_on_at_the_position(void **state) {
    int64_t offsets[10];
    append_numbers(0, 0, 10, offsets);
    struct event_log_consumer *member = open_member("g");
    tape_read(tapes[0], member, 10);
    assert_int_equal(commit_now(member, 0, offsets[3]), STATUS_OK);
    assert_int_equal(commit_now(member, 0, offsets[6] + 1), STATUS_OK);
    assert_int_equal(committed("g", 0), offsets[6] + 1);
    assert_int_equal(committed("other", 0), -1);
    assert_int_equal(committed("g", 1), -1);
    event_log_consumer_close(member);
    contract_reopen();
    assert_int_equal(committed("g", 0), offsets[6] + 1);
    member = open_member("g");
    tape_read(tapes[1], member, 3); /* what was not committed comes again */
    assert_int_equal(tapes[1]->assigned_at[0], offsets[6] + 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(number_of(tapes[1]->records[i]), 7 + i);
    tape_expect_silence(tapes[1], member);
    event_log_consumer_close(member);
}

static void groups_have_positions_of_their_own(void **state) {
    int64_t offsets[4];
    append_numbers(0, 0, 4, offsets);
    struct event_log_consumer *member = open_member("a");
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    assert_int_equal(commit_now(member, 0, offsets[3] + 1), STATUS_OK);
    struct event_log_consumer *other = open_member("b");
    tape_assign(tapes[1], other, CONTRACT_PARTITIONS); /* although a's member holds all of a's */
    tape_read(tapes[1], other, 4);
    event_log_consumer_close(other);
    event_log_consumer_close(member);
}

static void a_commit_of_what_is_not_ours_conflicts(void **state) {
    struct event_log_consumer *member = open_member("g");
    assert_int_equal(commit_now(member, 0, 1), STATUS_CONFLICT); /* not assigned yet */
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    assert_int_equal(commit_now(member, CONTRACT_PARTITIONS, 1), STATUS_CONFLICT);
    assert_int_equal(committed("g", 0), -1);
    event_log_consumer_close(member);
}

static int assigned_now(const struct tape *tape) {
    int count = 0;
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        count += tape->assigned[i];
    return count;
}

/* Polls until so many are revoked at least, and no more are. */
static int poll_until_revoked(struct event_log_consumer *first, struct event_log_consumer *second, int at_least) {
    int revoked = 0, quiet = 0;
    for (int i = 0; i < CONTRACT_WAIT_MS / 20 && (revoked < at_least || quiet < 10); i++, quiet++) {
        if (tape_poll(tapes[0], first, 10) == POLL_REVOKED) revoked++, quiet = 0;
        tape_poll(tapes[1], second, 10);
    }
    return revoked;
}

static void release_revoked(struct event_log_consumer *member, struct tape *tape) {
    for (int32_t i = 0; i < CONTRACT_PARTITIONS; i++) {
        if (!tape->revoked[i]) continue;
        event_log_release(member, i);
        tape->assigned[i] = false;
    }
}

/* Two members: the first has all partitions, then the second comes. Nothing changes hands before it is released. A log
 * may revoke just what moves, or all and give back what does not. */
static void a_partition_changes_hands_by_revoke_and_release(void **state) {
    int64_t offsets[CONTRACT_PARTITIONS];
    for (int32_t i = 0; i < CONTRACT_PARTITIONS; i++)
        append_numbers(i, (uint64_t)i, 1, &offsets[i]);
    struct event_log_consumer *first = open_member("g");
    tape_assign(tapes[0], first, CONTRACT_PARTITIONS);
    tape_read(tapes[0], first, CONTRACT_PARTITIONS);
    struct event_log_consumer *second = open_member("g"); /* only now: some logs join before the first poll */
    int revoked = poll_until_revoked(first, second, CONTRACT_PARTITIONS / 2);
    assert_true(revoked == CONTRACT_PARTITIONS / 2 || revoked == CONTRACT_PARTITIONS);
    assert_int_equal(assigned_now(tapes[1]), 0); /* not released yet */
    for (int32_t i = 0; i < CONTRACT_PARTITIONS; i++) {
        if (!tapes[0]->revoked[i]) continue;
        assert_int_equal(commit_now(first, i, offsets[i] + 1), STATUS_OK); /* still ours, to finish */
        append_numbers(i, 100 + (uint64_t)i, 1, NULL);
    }
    tape_expect_silence(tapes[0], first); /* no more records of them */
    release_revoked(first, tapes[0]);
    for (int i = 0; i < CONTRACT_WAIT_MS / 20; i++) {
        if (assigned_now(tapes[0]) == CONTRACT_PARTITIONS / 2 && assigned_now(tapes[1]) == CONTRACT_PARTITIONS / 2)
            break;
        tape_poll(tapes[0], first, 10);
        tape_poll(tapes[1], second, 10);
    }
    tape_read(tapes[1], second, CONTRACT_PARTITIONS / 2);
    for (int32_t i = 0; i < CONTRACT_PARTITIONS; i++) {
        assert_int_not_equal(tapes[0]->assigned[i], tapes[1]->assigned[i]); /* one owner each */
        if (!tapes[0]->revoked[i]) continue;
        struct tape *owner = tapes[1]->assigned[i] ? tapes[1] : tapes[0];
        assert_int_equal(owner->assigned_at[i], offsets[i] + 1); /* the new owner sees the last commit */
        if (owner == tapes[0]) continue;
        assert_int_equal(commit_now(first, i, offsets[i]), STATUS_CONFLICT);
        assert_int_equal(committed("g", i), offsets[i] + 1);
    }
    for (size_t i = 0; i < tapes[1]->count; i++)
        assert_true(number_of(tapes[1]->records[i]) >= 100);
    event_log_consumer_close(second);
    event_log_consumer_close(first);
}

static void what_a_leaving_member_had_is_taken_over(void **state) {
    append_numbers(0, 0, 3, NULL);
    struct event_log_consumer *first = open_member("g");
    tape_assign(tapes[0], first, CONTRACT_PARTITIONS);
    tape_read(tapes[0], first, 3);
    event_log_consumer_close(first);
    struct event_log_consumer *second = open_member("g");
    tape_assign(tapes[1], second, CONTRACT_PARTITIONS);
    tape_read(tapes[1], second, 3); /* nothing was committed */
    event_log_consumer_close(second);
}

static void commits_end_in_order_and_before_close(void **state) {
    enum { COMMITS = 200 };
    int64_t offset;
    struct commit_call *all = calloc(COMMITS, sizeof *all);
    assert_non_null(all);
    append_numbers(0, 0, 1, &offset);
    struct event_log_consumer *member = open_member("g");
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    for (int i = 0; i < COMMITS; i++)
        commit_begin(&all[i], member, 0, offset + (i == COMMITS - 1));
    event_log_consumer_close(member);
    for (int i = 0; i < COMMITS; i++) {
        assert_true(all[i].completion.is_done);
        assert_int_equal(commit_end(&all[i]), STATUS_OK);
    }
    assert_int_equal(committed("g", 0), offset + 1); /* the last one given */
    free(all);
}

static void a_bad_group_name_is_refused(void **state) {
    struct event_log_consumer *consumer = NULL;
    struct event_log_consumer_options options = {.topic = TOPIC_COMMANDS, .group = "../g", .batch_max = 1};
    assert_int_equal(event_log_consumer_open(contract.log, &options, &consumer, NULL), STATUS_INVALID);
    assert_null(consumer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int test_groups(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_group_starts_at_the_first_record),
        TEST(a_member_goes_on_at_the_position),
        TEST(groups_have_positions_of_their_own),
        TEST(a_commit_of_what_is_not_ours_conflicts),
        TEST(a_partition_changes_hands_by_revoke_and_release),
        TEST(what_a_leaving_member_had_is_taken_over),
        TEST(commits_end_in_order_and_before_close),
        TEST(a_bad_group_name_is_refused),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
