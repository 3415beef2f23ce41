/* Contract: a reader on its own stands where it was told to, and moves only as it is told to. */
#include <pthread.h>
#include <unistd.h>

#include "contract/event_log/log_requests.h"

static struct tape *tape;

static int setup(void **state) {
    tape = tape_new();
    return contract_setup(state);
}

static int teardown(void **state) {
    tape_free(tape);
    return contract_teardown(state);
}

static void a_reader_starts_at_the_end(void **state) {
    append_numbers(0, 1, 5, NULL);
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, NULL);
    tape_assign(tape, reader, CONTRACT_PARTITIONS); /* all of them before any record */
    assert_int_equal(tape->count, 0);
    append_numbers(0, 6, 2, NULL);
    append_numbers(4, 8, 1, NULL);
    tape_read(tape, reader, 3);
    uint64_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += number_of(tape->records[i]);
    assert_int_equal(sum, 6 + 7 + 8);
    assert_int_equal(tape->gaps, 0);
    event_log_consumer_close(reader);
}

static void a_reader_starts_at_given_positions(void **state) {
    int64_t offsets[10], positions[CONTRACT_PARTITIONS];
    append_numbers(0, 0, 10, offsets);
    append_numbers(1, 10, 10, NULL);
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        positions[i] = EVENT_LOG_FIRST;
    positions[0] = offsets[7];
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, positions);
    tape_read(tape, reader, 13);
    assert_int_equal(tape->assigned_count, CONTRACT_PARTITIONS);
    assert_int_equal(tape->assigned_at[0], offsets[7]);
    uint64_t next[2] = {7, 10};
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(number_of(tape->records[i]), next[tape->records[i]->partition]++);
    tape_expect_silence(tape, reader);
    assert_int_equal(tape->gaps, 0);
    event_log_consumer_close(reader);
}

static void readers_do_not_share(void **state) {
    append_numbers(0, 0, 5, NULL);
    for (int i = 0; i < 3; i++) {
        struct tape *own = tape_new();
        struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
        tape_read(own, reader, 5);
        event_log_consumer_close(reader);
        tape_free(own);
    }
}

static void a_batch_is_bounded(void **state) {
    struct event_log_record records[250];
    struct number_value values[250];
    for (uint64_t i = 0; i < 250; i++)
        records[i] = record_of(0, BYTES("k"), number_value_set(&values[i], i));
    assert_int_equal(append_now(TOPIC_COMMANDS, records, 250), STATUS_OK);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS); /* batch_max 100 */
    tape_read(tape, reader, 250);
    for (size_t i = 0; i < tape->batch_count; i++)
        assert_true(tape->batches[i]->count <= 100);
    for (size_t i = 0; i < 250; i++)
        assert_int_equal(number_of(tape->records[i]), i);
    event_log_consumer_close(reader);
}

static void a_pause_holds_records_back_and_loses_none(void **state) {
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, NULL);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    append_numbers(0, 0, 3, NULL);
    tape_read(tape, reader, 3);
    event_log_pause(reader, 0, true);
    append_numbers(0, 3, 20, NULL);
    append_numbers(1, 100, 5, NULL);
    tape_read(tape, reader, 8);
    for (size_t i = 3; i < 8; i++)
        assert_int_equal(tape->records[i]->partition, 1);
    tape_expect_silence(tape, reader);
    event_log_pause(reader, 0, false);
    tape_read(tape, reader, 28);
    for (size_t i = 8; i < 28; i++)
        assert_int_equal(number_of(tape->records[i]), i - 5);
    tape_expect_silence(tape, reader);
    event_log_consumer_close(reader);
}

static void a_seek_goes_back_and_forth(void **state) {
    int64_t offsets[10];
    append_numbers(2, 0, 10, offsets);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 10);
    assert_int_equal(event_log_seek(reader, 2, offsets[4], NULL), STATUS_OK);
    tape_read(tape, reader, 16);
    for (size_t i = 10; i < 16; i++)
        assert_int_equal(number_of(tape->records[i]), i - 6);
    assert_int_equal(number_of(tape->records[4]), 4); /* batches from before stay valid */
    assert_int_equal(event_log_seek(reader, 2, EVENT_LOG_FIRST, NULL), STATUS_OK);
    assert_int_equal(event_log_seek(reader, 2, offsets[8], NULL), STATUS_OK); /* the last word counts */
    tape_read(tape, reader, 18);
    assert_int_equal(number_of(tape->records[16]), 8);
    tape_expect_silence(tape, reader);
    event_log_consumer_close(reader);
}

static void a_seek_while_paused_holds(void **state) {
    int64_t offsets[5];
    append_numbers(0, 0, 5, offsets);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 5);
    event_log_pause(reader, 0, true);
    assert_int_equal(event_log_seek(reader, 0, offsets[1], NULL), STATUS_OK);
    tape_expect_silence(tape, reader);
    event_log_pause(reader, 0, false);
    tape_read(tape, reader, 9);
    assert_int_equal(number_of(tape->records[5]), 1);
    event_log_consumer_close(reader);
}

static void *wake_soon(void *data) {
    usleep(100000); /* likely, not certainly, inside the poll: both must do */
    event_log_wake(data);
    return NULL;
}

static void a_wake_ends_a_poll(void **state) {
    pthread_t thread;
    struct timespec begin, end;
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, NULL);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, reader), 0);
    assert_int_equal(tape_poll(tape, reader, CONTRACT_WAIT_MS), POLL_NOTHING);
    pthread_join(thread, NULL);
    event_log_wake(reader); /* before the poll */
    assert_int_equal(tape_poll(tape, reader, CONTRACT_WAIT_MS), POLL_NOTHING);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < CONTRACT_WAIT_MS / 2000);
    event_log_consumer_close(reader);
}

static void a_poll_ends_in_time(void **state) {
    struct timespec begin, end;
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, NULL);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(tape_poll(tape, reader, 0), POLL_NOTHING);
    assert_int_equal(tape_poll(tape, reader, 200), POLL_NOTHING);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    assert_true(ms >= 195 && ms < 10000);
    event_log_consumer_close(reader);
}

/* Lag is an estimate, so it may need polls to become right. */
static void expect_lag(struct event_log_consumer *reader, int32_t partition, int64_t expected) {
    int64_t lag = -1;
    for (int i = 0; i < CONTRACT_WAIT_MS / 100; i++) {
        lag = event_log_lag(reader, partition);
        if (lag == expected) return;
        tape_poll(tape, reader, 100);
    }
    fail_msg("lag is %lld, not %lld", (long long)lag, (long long)expected);
}

static void lag_counts_what_was_not_handed_out(void **state) {
    append_numbers(0, 0, 10, NULL);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    event_log_pause(reader, 1, true);
    tape_read(tape, reader, 10);
    expect_lag(reader, 0, 0);
    append_numbers(1, 10, 4, NULL);
    expect_lag(reader, 1, 4);
    assert_int_equal(tape->count, 10);
    event_log_pause(reader, 1, false);
    tape_read(tape, reader, 14);
    expect_lag(reader, 1, 0);
    event_log_consumer_close(reader);
}

static void a_range_holds_all_records(void **state) {
    int64_t first, end, offsets[5];
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 3, CONTRACT_WAIT_MS, &first, &end, NULL), STATUS_OK);
    assert_int_equal(first, end);
    append_numbers(3, 0, 5, offsets);
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 3, CONTRACT_WAIT_MS, &first, &end, NULL), STATUS_OK);
    assert_true(first <= offsets[0] && end > offsets[4]);
    int64_t other_first, other_end;
    assert_int_equal(event_log_range(contract.log, TOPIC_EVENTS, 3, CONTRACT_WAIT_MS, &other_first, &other_end, NULL),
                     STATUS_OK);
    assert_int_equal(other_first, other_end);
    assert_int_equal(
        event_log_range(contract.log, TOPIC_COMMANDS, CONTRACT_PARTITIONS, CONTRACT_WAIT_MS, &first, &end, NULL),
        STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int test_readers(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_reader_starts_at_the_end),
        TEST(a_reader_starts_at_given_positions),
        TEST(readers_do_not_share),
        TEST(a_batch_is_bounded),
        TEST(a_pause_holds_records_back_and_loses_none),
        TEST(a_seek_goes_back_and_forth),
        TEST(a_seek_while_paused_holds),
        TEST(a_wake_ends_a_poll),
        TEST(a_poll_ends_in_time),
        TEST(lag_counts_what_was_not_handed_out),
        TEST(a_range_holds_all_records),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
