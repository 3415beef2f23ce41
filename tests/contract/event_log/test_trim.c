/* Contract: trimming removes from the front, only what it may, and readers hear of what they missed. */
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

static void a_trimmed_front_is_a_gap(void **state) {
    int64_t offsets[10], positions[CONTRACT_PARTITIONS] = {0};
    append_numbers(0, 0, 10, offsets);
    trim_up_to(TOPIC_COMMANDS, 0, offsets[6]);
    positions[0] = offsets[0];
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, positions);
    tape_read(tape, reader, 4);
    assert_int_equal(tape->gaps, 1);
    assert_int_equal(tape->gap_to, offsets[6]);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(number_of(tape->records[i]), 6 + i);
    event_log_consumer_close(reader);

    struct tape *whole = tape_new(); /* who asks for the first record there is misses nothing */
    reader = open_first(TOPIC_COMMANDS);
    tape_read(whole, reader, 4);
    assert_int_equal(whole->gaps, 0);
    event_log_consumer_close(reader);
    tape_free(whole);
}

static void a_reader_is_overtaken_by_a_trim(void **state) {
    int64_t offsets[10];
    append_numbers(1, 0, 10, offsets);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    tape_read(tape, reader, 10);
    event_log_pause(reader, 1, true);
    assert_int_equal(event_log_seek(reader, 1, offsets[2], NULL), STATUS_OK);
    trim_up_to(TOPIC_COMMANDS, 1, offsets[5]);
    event_log_pause(reader, 1, false);
    tape_read(tape, reader, 15);
    assert_int_equal(tape->gaps, 1);
    assert_int_equal(number_of(tape->records[10]), 5);
    event_log_consumer_close(reader);
}

static void a_position_below_the_front_is_a_gap(void **state) {
    int64_t offsets[10];
    append_numbers(0, 0, 10, offsets);
    struct event_log_consumer *member = open_member("g");
    tape_assign(tape, member, CONTRACT_PARTITIONS);
    assert_int_equal(commit_now(member, 0, offsets[2]), STATUS_OK);
    event_log_consumer_close(member);
    trim_up_to(TOPIC_COMMANDS, 0, offsets[5]);
    struct tape *again = tape_new();
    member = open_member("g");
    tape_read(again, member, 5);
    assert_int_equal(again->gaps, 1);
    assert_int_equal(again->gap_to, offsets[5]);
    assert_int_equal(number_of(again->records[0]), 5);
    event_log_consumer_close(member);
    tape_free(again);
}

static void offsets_go_on_after_everything_was_trimmed(void **state) {
    int64_t offsets[5], next, first, end;
    append_numbers(2, 0, 5, offsets);
    trim_up_to(TOPIC_COMMANDS, 2, offsets[4]);
    assert_int_equal(trim_now(TOPIC_COMMANDS, 2, offsets[4] + 1, INT64_MAX), STATUS_OK);
    contract_reopen();
    append_numbers(2, 5, 1, &next);
    assert_true(next > offsets[4]);
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 2, CONTRACT_WAIT_MS, &first, &end, NULL), STATUS_OK);
    assert_true(first >= offsets[4] && first <= next && end > next);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    do
        tape_read(tape, reader, tape->count + 1);
    while (number_of(tape->records[tape->count - 1]) != 5);
    event_log_consumer_close(reader);
}

static void a_reader_at_the_end_survives_trimming_everything(void **state) {
    int64_t offsets[5], positions[CONTRACT_PARTITIONS] = {0};
    append_numbers(0, 0, 5, offsets);
    assert_int_equal(trim_now(TOPIC_COMMANDS, 0, offsets[4] + 1, INT64_MAX), STATUS_OK);
    struct event_log_consumer *reader = open_reader(TOPIC_COMMANDS, positions);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    for (int i = 0; i < CONTRACT_WAIT_MS / 100 && tape->gaps == 0; i++)
        tape_poll(tape, reader, 100);
    assert_int_equal(tape->gaps, 1); /* told even though there is nothing to read */
    append_numbers(0, 5, 1, NULL);
    do
        tape_read(tape, reader, tape->count + 1);
    while (number_of(tape->records[tape->count - 1]) != 5);
    assert_int_equal(tape->gaps, 1);
    event_log_consumer_close(reader);
}

static void a_trim_spares_what_is_young_and_what_is_above(void **state) {
    struct event_log_record records[10];
    struct number_value values[10];
    const int64_t begin_ms = 1700000000000;
    for (int i = 0; i < 10; i++) {
        records[i] = record_of(0, BYTES("k"), number_value_set(&values[i], (uint64_t)i));
        records[i].time_ms = begin_ms + i * 1000;
        assert_int_equal(append_now(TOPIC_COMMANDS, &records[i], 1), STATUS_OK);
    }
    int64_t first = 0, end;
    assert_int_equal(trim_now(TOPIC_COMMANDS, 0, INT64_MAX, begin_ms + 4000), STATUS_OK);
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 0, CONTRACT_WAIT_MS, &first, &end, NULL), STATUS_OK);
    assert_true(first <= records[4].offset);
    assert_int_equal(trim_now(TOPIC_COMMANDS, 0, records[6].offset, begin_ms + 60000), STATUS_OK);
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 0, CONTRACT_WAIT_MS, &first, &end, NULL), STATUS_OK);
    assert_true(first <= records[6].offset);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    do
        tape_read(tape, reader, tape->count + 1);
    while (number_of(tape->records[tape->count - 1]) != 9);
    size_t from_six = 0;
    for (size_t i = 0; i < tape->count; i++)
        from_six += number_of(tape->records[i]) >= 6;
    assert_int_equal(from_six, 4);
    event_log_consumer_close(reader);
}

static void a_trim_of_what_is_not_there_is_refused(void **state) {
    assert_int_equal(trim_now(TOPIC_COMMANDS, CONTRACT_PARTITIONS, 1, 1), STATUS_INVALID);
    assert_int_equal(trim_now(TOPIC_COMMANDS, 0, 100, INT64_MAX), STATUS_OK); /* nothing to do */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int test_trims(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_trimmed_front_is_a_gap),
        TEST(a_reader_is_overtaken_by_a_trim),
        TEST(a_position_below_the_front_is_a_gap),
        TEST(offsets_go_on_after_everything_was_trimmed),
        TEST(a_reader_at_the_end_survives_trimming_everything),
        TEST(a_trim_spares_what_is_young_and_what_is_above),
        TEST(a_trim_of_what_is_not_there_is_refused),
    };
    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
