/* Clients that turn fatal are replaced: what was promised stays promised, once; readers go on; members lose and win. */
#include <unistd.h>

#include "event_log/kafka_consumer.h"
#include "kafka/kafka_fixture.h"

static struct fixture fixture;

static int setup(void **state) {
    fixture_init(&fixture, NULL);
    fixture_open(&fixture);
    return 0;
}

static int teardown(void **state) {
    fixture_close(&fixture);
    return 0;
}

static void fail_client(rd_kafka_t *rk) {
    rd_kafka_test_fatal_error(rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "injected by a test");
}

/* Under the mutex the log's producer stays. */
static void fail_producer(void) {
    struct kafka_log *log = kafka_log_of(fixture.log);
    pthread_mutex_lock(&log->mutex);
    fail_client(log->producer->client->rk);
    pthread_mutex_unlock(&log->mutex);
}

static void fail_consumer(struct event_log_consumer *consumer) {
    fail_client(CONTAINER_OF(consumer, struct kafka_consumer, base)->client->rk);
}

static void a_fatal_producer_is_replaced_under_load(void **state) {
    enum { ROUNDS = 5 };
    struct load *load = load_start(&fixture, 200000, 200);
    for (int i = 0; i < ROUNDS; i++) {
        load_wait_kept(load, 500, FIXTURE_WAIT_MS);
        fail_producer();
    }
    load_wait_kept(load, 500, FIXTURE_WAIT_MS);
    load_stop(load);
    load_check(load);
    assert_int_equal(fixture_replaced(&fixture, KAFKA_PRODUCER), ROUNDS);
    load_free(load);
}

/* --- a client that hangs: what it should report never comes --- */

static void swallow(struct kafka_client *client, rd_kafka_event_t *event) {
}

static void silence_producer(void) {
    struct kafka_log *log = kafka_log_of(fixture.log);
    pthread_mutex_lock(&log->mutex);
    struct kafka_client *client = log->producer->client;
    pthread_mutex_unlock(&log->mutex);
    pthread_mutex_lock(&log->clients_mutex);
    while (client->is_served)
        pthread_cond_wait(&log->client_served, &log->clients_mutex);
    client->on_event = swallow;
    pthread_mutex_unlock(&log->clients_mutex);
}

/* Nothing ends any more once the producer is silent: those under way stay so. */
static void await_under_way(struct load *load, size_t count) {
    size_t under_way = 0;
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; under_way < count && now_ms() < until_ms; usleep(1000)) {
        pthread_mutex_lock(&load->mutex);
        under_way = load->in_flight;
        pthread_mutex_unlock(&load->mutex);
    }
    assert_int_equal(under_way, count);
}

static void what_a_hanging_producer_does_not_report_ends_as_unknown(void **state) {
    struct load *load = load_start(&fixture, 50000, 50);
    load_wait_kept(load, 200, FIXTURE_WAIT_MS);
    silence_producer();
    await_under_way(load, 50);
    fail_producer();
    load_wait_kept(load, 200, FIXTURE_WAIT_MS);
    load_stop(load);
    assert_int_equal(load_count(load, PROMISE_UNKNOWN), 50);
    load_check(load);
    load_free(load);
}

static void a_producer_without_answers_is_silent_and_replaced(void **state) {
    struct kafka_log *log = kafka_log_of(fixture.log);
    log->options.silent_max_ms = 1500; /* nothing is under way: the supervisor has not looked at it */
    silence_producer();
    struct load *load = load_start(&fixture, 50000, 10);
    load_wait_kept(load, 200, FIXTURE_WAIT_MS);
    load_stop(load);
    assert_int_equal(load_count(load, PROMISE_UNKNOWN), 10);
    assert_true(fixture_replaced(&fixture, KAFKA_PRODUCER) >= 1);
    load_check(load);
    load_free(load);
}

/* --- consumers --- */

static void append_numbers(uint64_t first, uint64_t end) {
    for (uint64_t i = first; i < end; i++)
        assert_int_equal(fixture_append(&fixture, (int32_t)(i % FIXTURE_PARTITIONS), i, NULL), STATUS_OK);
}

/* Every number once; each partition's in order. */
static void read_numbers(struct event_log_consumer *reader, uint64_t first, uint64_t end) {
    uint64_t next[FIXTURE_PARTITIONS], count = 0;
    for (uint64_t i = first; i < first + FIXTURE_PARTITIONS; i++)
        next[i % FIXTURE_PARTITIONS] = i;
    while (count < end - first) {
        struct event_log_poll poll = fixture_poll_until(reader, POLL_RECORDS);
        for (size_t i = 0; i < poll.batch->count; i++, count++) {
            assert_int_equal(bytes_get_u64(poll.batch->records[i].value.data), next[poll.partition]);
            next[poll.partition] += FIXTURE_PARTITIONS;
        }
        event_log_batch_free(poll.batch);
    }
}

static void a_fatal_reader_goes_on_where_it_was(void **state) {
    append_numbers(0, 40);
    struct event_log_consumer *reader = fixture_reader(&fixture, TOPIC_COMMANDS, true);
    fixture_assign(reader);
    read_numbers(reader, 0, 40);
    fail_consumer(reader);
    append_numbers(40, 80);
    read_numbers(reader, 40, 80);
    assert_int_equal(fixture_replaced(&fixture, KAFKA_READER), 1);
    fail_consumer(reader); /* with records fetched and not handed out */
    append_numbers(80, 120);
    read_numbers(reader, 80, 120);
    event_log_consumer_close(reader);
}

static void a_fatal_member_loses_its_partitions_and_gets_them_anew(void **state) {
    int64_t offset;
    struct event_log_consumer *member = fixture_member(&fixture, "g");
    fixture_assign(member);
    assert_int_equal(fixture_append(&fixture, 0, 1, &offset), STATUS_OK);
    assert_int_equal(fixture_commit(member, 0, offset + 1), STATUS_OK);
    fail_consumer(member);
    for (int i = 0; i < FIXTURE_PARTITIONS; i++)
        fixture_poll_until(member, POLL_LOST);
    assert_int_equal(fixture_commit(member, 0, offset), STATUS_CONFLICT);
    for (int i = 0; i < FIXTURE_PARTITIONS; i++) {
        struct event_log_poll poll = fixture_poll_until(member, POLL_ASSIGNED);
        if (poll.partition == 0) assert_int_equal(poll.next_offset, offset + 1);
    }
    assert_int_equal(fixture_commit(member, 0, offset + 1), STATUS_OK);
    assert_int_equal(fixture_replaced(&fixture, KAFKA_MEMBER), 1);
    event_log_consumer_close(member);
}

/* As if the group had not come to an end for very long. */
static void a_member_whose_group_never_settles_is_replaced(void **state) {
    struct event_log_consumer *member = fixture_member(&fixture, "g");
    CONTAINER_OF(member, struct kafka_consumer, base)->joining_since_ns -= (int64_t)1000 * 1000000000;
    fixture_assign(member);
    assert_int_equal(fixture_replaced(&fixture, KAFKA_MEMBER), 1);
    event_log_consumer_close(member);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_fatal_producer_is_replaced_under_load),
        TEST(what_a_hanging_producer_does_not_report_ends_as_unknown),
        TEST(a_producer_without_answers_is_silent_and_replaced),
        TEST(a_fatal_reader_goes_on_where_it_was),
        TEST(a_fatal_member_loses_its_partitions_and_gets_them_anew),
        TEST(a_member_whose_group_never_settles_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
