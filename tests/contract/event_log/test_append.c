/* Contract: what is appended is there, once, in order, unchanged, and for good. */
#include <pthread.h>
#include <stdatomic.h>

#include "contract/event_log/log_requests.h"

static void setup_twice_changes_nothing(void **state) {
    struct error error;
    append_numbers(1, 100, 3, NULL);
    assert_int_equal(event_log_setup(contract.log, &error), STATUS_OK);
    contract_reopen();
    assert_int_equal(event_log_setup(contract.log, &error), STATUS_OK);
    assert_int_equal(contract.log->partition_count, CONTRACT_PARTITIONS);
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 3);
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void setup_with_another_count_is_refused(void **state) {
    struct event_log *other;
    struct error error;
    assert_int_equal(contract.adapter->open(contract.place, "", CONTRACT_PARTITIONS + 1, &other, &error), STATUS_OK);
    assert_int_equal(other->partition_count, CONTRACT_PARTITIONS); /* what is recorded counts */
    assert_int_equal(event_log_setup(other, &error), STATUS_CONFLICT);
    assert_true(error.text[0]);
    contract.adapter->close(other);
}

static void before_setup_there_is_nothing(void **state) {
    struct event_log *other = NULL;
    struct error error;
    assert_int_equal(contract.adapter->open(contract.place, "new_", 3, &other, &error), STATUS_NOT_FOUND);
    assert_non_null(other);
    assert_int_equal(event_log_setup(other, &error), STATUS_OK);
    assert_int_equal(other->partition_count, 3);
    assert_int_equal(event_log_check(other, CONTRACT_WAIT_MS, &error), STATUS_OK);
    contract.adapter->close(other);
}

static void a_partition_keeps_its_order(void **state) {
    int64_t offsets[50];
    append_numbers(2, 1000, 50, offsets);
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 50);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(tape->records[i]->partition, 2);
        assert_int_equal(tape->records[i]->offset, offsets[i]);
        assert_int_equal(number_of(tape->records[i]), 1000 + i);
    }
    tape_expect_silence(tape, reader);
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void keys_choose_partitions(void **state) {
    struct tape *tape = tape_new();
    char keys[40][40];
    int seen = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof keys[i], "019abcde-0000-7000-8000-%012d", i * 7919);
        struct event_log_record record = record_of(-1, bytes_of(keys[i]), BYTES("x"));
        assert_int_equal(append_now(TOPIC_EVENTS, &record, 1), STATUS_OK);
        assert_int_equal(record.partition, event_log_partition_of(bytes_of(keys[i]), CONTRACT_PARTITIONS));
        seen |= 1 << record.partition;
    }
    assert_int_equal(seen, (1 << CONTRACT_PARTITIONS) - 1);
    struct event_log_consumer *reader = open_first(TOPIC_EVENTS);
    tape_read(tape, reader, 40);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(tape->records[i]->partition,
                         event_log_partition_of(tape->records[i]->key, CONTRACT_PARTITIONS));
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void assert_same_record(const struct event_log_record *a, const struct event_log_record *b) {
    assert_true(bytes_equal(a->key, b->key));
    assert_true(bytes_equal(a->value, b->value));
    assert_int_equal(a->header_count, b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        assert_string_equal(a->headers[i].name, b->headers[i].name);
        assert_true(bytes_equal(a->headers[i].value, b->headers[i].value));
        assert_ptr_equal(event_log_header(a, b->headers[i].name), &a->headers[i]);
    }
    assert_null(event_log_header(a, "not-there"));
}

static void all_fields_come_back(void **state) {
    static char large[EVENT_LOG_RECORD_MAX], names[EVENT_LOG_HEADERS_MAX][65], key[EVENT_LOG_KEY_MAX];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 31 + i / 256);
    memset(key, '\0', sizeof key);
    struct event_log_header headers[EVENT_LOG_HEADERS_MAX];
    size_t header_bytes = 0;
    for (size_t i = 0; i < EVENT_LOG_HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%064zu", i);
        headers[i] = (struct event_log_header){names[i], {large + i, i * 10}}; /* the first is empty */
        header_bytes += 64 + i * 10;
    }
    struct event_log_record records[] = {
        {.partition = 0, .time_ms = 1700000000123, .key = BYTES("plain"), .value = BYTES("value")},
        {.partition = 0, .time_ms = 1700000000124, .key = BYTES("no value"), .value = BYTES("")},
        {.partition = 0,
         .time_ms = 1700000000125,
         .key = {key, sizeof key},
         .value = BYTES("v"),
         .headers = headers,
         .header_count = EVENT_LOG_HEADERS_MAX},
        {.partition = 0,
         .time_ms = 1700000000126,
         .key = BYTES("largest"),
         .value = {large, sizeof large - 7 - header_bytes},
         .headers = headers,
         .header_count = EVENT_LOG_HEADERS_MAX},
    };
    struct tape *tape = tape_new();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(append_now(TOPIC_DLQ, &records[i], 1), STATUS_OK);
    struct event_log_consumer *reader = open_first(TOPIC_DLQ);
    tape_read(tape, reader, 4);
    event_log_consumer_close(reader); /* what was handed out stays */
    for (size_t i = 0; i < 4; i++) {
        assert_same_record(tape->records[i], &records[i]);
        assert_int_equal(tape->records[i]->time_ms, records[i].time_ms);
    }
    tape_free(tape);
}

static void a_record_without_a_time_gets_one(void **state) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    append_numbers(0, 1, 1, NULL);
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 1);
    int64_t age_ms = tape->records[0]->time_ms - (int64_t)now.tv_sec * 1000;
    assert_true(age_ms > -60000 && age_ms < 60000);
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void what_breaks_a_limit_is_refused_whole(void **state) {
    static char large[EVENT_LOG_RECORD_MAX + 1];
    static struct event_log_header many[EVENT_LOG_HEADERS_MAX + 1];
    for (size_t i = 0; i <= EVENT_LOG_HEADERS_MAX; i++)
        many[i] = (struct event_log_header){"name", BYTES("value")};
    struct event_log_header unnamed = {"", BYTES("value")};
    struct {
        struct event_log_record record;
        enum status expected;
    } bad[] = {
        {{.partition = 0, .key = BYTES("k"), .value = {large, sizeof large}}, STATUS_TOO_LARGE},
        {{.partition = 0, .key = BYTES("k"), .value = {large, EVENT_LOG_RECORD_MAX}}, STATUS_TOO_LARGE},
        {{.partition = 0, .key = {large, EVENT_LOG_KEY_MAX + 1}, .value = BYTES("v")}, STATUS_TOO_LARGE},
        {{.partition = 0, .key = BYTES("k"), .headers = many, .header_count = EVENT_LOG_HEADERS_MAX + 1},
         STATUS_TOO_LARGE},
        {{.partition = 0, .key = BYTES("k"), .headers = &unnamed, .header_count = 1}, STATUS_INVALID},
        {{.partition = CONTRACT_PARTITIONS, .key = BYTES("k")}, STATUS_INVALID},
        {{.partition = -2, .key = BYTES("k")}, STATUS_INVALID},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct event_log_record records[] = {record_of(0, BYTES("good"), BYTES("g")), bad[i].record};
        assert_int_equal(append_now(TOPIC_COMMANDS, records, 2), bad[i].expected);
    }
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    tape_expect_silence(tape, reader);
    assert_int_equal(tape->count, 0);
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void one_append_may_span_partitions(void **state) {
    struct event_log_record records[60];
    struct number_value values[60];
    for (int i = 0; i < 60; i++)
        records[i] = record_of(i % CONTRACT_PARTITIONS, BYTES("k"), number_value_set(&values[i], (uint64_t)i));
    assert_int_equal(append_now(TOPIC_EVENTS, records, 60), STATUS_OK);
    uint64_t next[CONTRACT_PARTITIONS];
    for (uint64_t i = 0; i < CONTRACT_PARTITIONS; i++)
        next[i] = i;
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_EVENTS);
    tape_read(tape, reader, 60);
    for (size_t i = 0; i < 60; i++) {
        const struct event_log_record *record = tape->records[i];
        assert_int_equal(number_of(record), next[record->partition]);
        assert_int_equal(record->offset, records[number_of(record)].offset);
        next[record->partition] += CONTRACT_PARTITIONS;
    }
    event_log_consumer_close(reader);
    tape_free(tape);
}

#define APPENDERS 4
#define APPENDS_EACH 300

struct appender {
    pthread_t thread;
    uint64_t number;
    struct append_call calls[APPENDS_EACH];
    struct event_log_record records[APPENDS_EACH];
    struct number_value values[APPENDS_EACH];
};

/* Without waiting in between: the order of one thread must hold all the same. */
static void *append_many(void *data) {
    struct appender *appender = data;
    for (uint64_t i = 0; i < APPENDS_EACH; i++) {
        struct bytes value = number_value_set(&appender->values[i], appender->number * APPENDS_EACH + i);
        appender->records[i] = record_of((int32_t)(i % CONTRACT_PARTITIONS), BYTES("k"), value);
        append_begin(&appender->calls[i], contract.log, TOPIC_COMMANDS, &appender->records[i], 1, false);
    }
    return NULL;
}

static void threads_lose_nothing_and_keep_their_order(void **state) {
    struct appender *appenders = calloc(APPENDERS, sizeof *appenders);
    assert_non_null(appenders);
    for (uint64_t i = 0; i < APPENDERS; i++) {
        appenders[i].number = i;
        assert_int_equal(pthread_create(&appenders[i].thread, NULL, append_many, &appenders[i]), 0);
    }
    for (int i = 0; i < APPENDERS; i++)
        pthread_join(appenders[i].thread, NULL);
    for (int i = 0; i < APPENDERS * APPENDS_EACH; i++)
        assert_int_equal(append_end(&appenders[i / APPENDS_EACH].calls[i % APPENDS_EACH]), STATUS_OK);

    bool seen[APPENDERS * APPENDS_EACH] = {false};
    uint64_t last[APPENDERS][CONTRACT_PARTITIONS] = {{0}};
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, APPENDERS * APPENDS_EACH);
    tape_expect_silence(tape, reader);
    for (size_t i = 0; i < tape->count; i++) {
        const struct event_log_record *record = tape->records[i];
        uint64_t number = number_of(record), appender = number / APPENDS_EACH;
        assert_false(seen[number]);
        seen[number] = true;
        assert_int_equal(record->offset, appenders[appender].records[number % APPENDS_EACH].offset);
        assert_true(number % APPENDS_EACH + 1 > last[appender][record->partition]);
        last[appender][record->partition] = number % APPENDS_EACH + 1;
    }
    event_log_consumer_close(reader);
    tape_free(tape);
    free(appenders);
}

static void records_outlive_the_process(void **state) {
    int64_t offsets[20], more;
    append_numbers(3, 1, 20, offsets);
    contract_reopen();
    append_numbers(3, 21, 1, &more);
    assert_true(more > offsets[19]);
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tape, reader, 21);
    for (size_t i = 0; i < 21; i++)
        assert_int_equal(number_of(tape->records[i]), i + 1);
    event_log_consumer_close(reader);
    tape_free(tape);
}

static void namespaces_do_not_see_each_other(void **state) {
    struct event_log *other = NULL;
    struct error error;
    struct number_value value;
    assert_int_equal(contract.adapter->open(contract.place, "other_", CONTRACT_PARTITIONS, &other, &error),
                     STATUS_NOT_FOUND);
    assert_int_equal(event_log_setup(other, &error), STATUS_OK);
    append_numbers(0, 1, 3, NULL);
    struct event_log_record record = record_of(0, BYTES("k"), number_value_set(&value, 77));
    struct append_call call;
    append_begin(&call, other, TOPIC_COMMANDS, &record, 1, false);
    assert_int_equal(append_end(&call), STATUS_OK);

    struct event_log_consumer *members[2];
    struct event_log *logs[2] = {contract.log, other};
    struct tape *tapes[2] = {tape_new(), tape_new()};
    for (int i = 0; i < 2; i++) { /* the same group's name in both: each has all partitions of its own */
        struct event_log_consumer_options options = {.topic = TOPIC_COMMANDS, .group = "orderly", .batch_max = 10};
        assert_int_equal(event_log_consumer_open(logs[i], &options, &members[i], &error), STATUS_OK);
        tape_assign(tapes[i], members[i], CONTRACT_PARTITIONS);
        tape_read(tapes[i], members[i], i == 0 ? 3 : 1);
        tape_expect_silence(tapes[i], members[i]);
    }
    assert_int_equal(number_of(tapes[1]->records[0]), 77);
    assert_int_equal(commit_now(members[1], 0, record.offset + 1), STATUS_OK);
    int64_t position;
    assert_int_equal(
        event_log_committed(contract.log, "orderly", TOPIC_COMMANDS, 0, CONTRACT_WAIT_MS, &position, &error),
        STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        event_log_consumer_close(members[i]);
        tape_free(tapes[i]);
    }
    contract.adapter->close(other);
}

#define UNDER_WAY 500

static void closing_ends_appends_under_way(void **state) {
    struct append_call *calls = calloc(UNDER_WAY, sizeof *calls);
    struct event_log_record *records = calloc(UNDER_WAY, sizeof *records);
    struct number_value *values = calloc(UNDER_WAY, sizeof *values);
    assert_true(calls && records && values);
    for (uint64_t i = 0; i < UNDER_WAY; i++) {
        records[i] = record_of(-1, BYTES("k"), number_value_set(&values[i], i));
        append_begin(&calls[i], contract.log, TOPIC_COMMANDS, &records[i], 1, false);
    }
    contract_reopen();
    size_t written = 0;
    for (size_t i = 0; i < UNDER_WAY; i++) {
        assert_true(calls[i].completion.is_done); /* by the time close has returned */
        enum status status = append_end(&calls[i]);
        assert_true(status == STATUS_OK || status == STATUS_CLOSED || status == STATUS_UNKNOWN);
        written += status == STATUS_OK;
    }
    struct tape *tape = tape_new();
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_assign(tape, reader, CONTRACT_PARTITIONS);
    tape_read(tape, reader, written);
    event_log_consumer_close(reader);
    tape_free(tape);
    free(values);
    free(records);
    free(calls);
}

int test_appends(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(setup_twice_changes_nothing),      CONTRACT_TEST(setup_with_another_count_is_refused),
        CONTRACT_TEST(before_setup_there_is_nothing),    CONTRACT_TEST(a_partition_keeps_its_order),
        CONTRACT_TEST(keys_choose_partitions),           CONTRACT_TEST(all_fields_come_back),
        CONTRACT_TEST(a_record_without_a_time_gets_one), CONTRACT_TEST(what_breaks_a_limit_is_refused_whole),
        CONTRACT_TEST(one_append_may_span_partitions),   CONTRACT_TEST(threads_lose_nothing_and_keep_their_order),
        CONTRACT_TEST(records_outlive_the_process),      CONTRACT_TEST(namespaces_do_not_see_each_other),
        CONTRACT_TEST(closing_ends_appends_under_way),
    };
    return cmocka_run_group_tests_name("append", tests, NULL, NULL);
}
