/* Records: librdkafka's own partitioner agrees with ours, other programs' records are read as they are, large ones come
 * in bounded batches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event_log/kafka_consumer.h"
#include "kafka/kafka_fixture.h"

static struct fixture fixture;

/* A user's tuning, by which more than one batch holds lies ready. */
static const struct kafka_property large_queues[] = {
    {"queued.max.messages.kbytes", "65536", "a test"},
    {"fetch.message.max.bytes", "16000000", "a test"},
    {"fetch.max.bytes", "16000000", "a test"},
};

static int setup(void **state) {
    fixture_init(&fixture, NULL);
    fixture.options.properties = large_queues;
    fixture.options.property_count = sizeof large_queues / sizeof *large_queues;
    fixture_open(&fixture);
    return 0;
}

static int teardown(void **state) {
    fixture_close(&fixture);
    return 0;
}

/* --- another program's producer --- */

static void count_partition(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    assert_int_equal(message->err, 0);
    *(int32_t *)message->_private = message->partition;
}

static rd_kafka_t *open_stranger(void) {
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", fixture.servers, NULL, 0);
    rd_kafka_conf_set(conf, "partitioner", "murmur2_random", NULL, 0);
    rd_kafka_conf_set_dr_msg_cb(conf, count_partition);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) fail_msg("%s", text);
    return rk;
}

static void librdkafkas_partitioner_agrees(void **state) {
    enum { KEYS = 1000 };
    static int32_t partitions[KEYS];
    static char keys[KEYS][40];
    rd_kafka_t *rk = open_stranger();
    for (int i = 0; i < KEYS; i++) {
        int size = snprintf(keys[i], sizeof keys[i], "%.*s%d", i % 13, "key-of-length", i * 7919);
        partitions[i] = -1;
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(kafka_log_of(fixture.log)->topic_names[TOPIC_DLQ]),
                                           RD_KAFKA_V_KEY(keys[i], (size_t)size), RD_KAFKA_V_OPAQUE(&partitions[i]),
                                           RD_KAFKA_V_END),
                         0);
    }
    assert_int_equal(rd_kafka_flush(rk, FIXTURE_WAIT_MS), 0);
    rd_kafka_destroy(rk);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(partitions[i], event_log_partition_of(bytes_of(keys[i]), FIXTURE_PARTITIONS));
}

/* No key, no value, headers without values, more headers than we write. */
static void a_strangers_records_are_read_as_they_are(void **state) {
    enum { HEADERS = 100 };
    int32_t ignored[2];
    rd_kafka_t *rk = open_stranger();
    const char *topic = kafka_log_of(fixture.log)->topic_names[TOPIC_COMMANDS];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(HEADERS);
    for (int i = 0; i < HEADERS; i++)
        rd_kafka_header_add(headers, "name", -1, i == 0 ? NULL : "value", i == 0 ? 0 : i % 6);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(1),
                                       RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&ignored[0]), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(1), RD_KAFKA_V_VALUE("v", 1),
                                       RD_KAFKA_V_OPAQUE(&ignored[1]), RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(rk, FIXTURE_WAIT_MS), 0);
    rd_kafka_destroy(rk);
    struct event_log_consumer *reader = fixture_reader(&fixture, TOPIC_COMMANDS, true);
    size_t count = 0;
    while (count < 2) {
        struct event_log_poll poll = fixture_poll_until(reader, POLL_RECORDS);
        for (size_t i = 0; i < poll.batch->count; i++, count++) {
            const struct event_log_record *record = &poll.batch->records[i];
            assert_int_equal(record->key.size, 0);
            assert_int_equal(record->value.size, count);
            assert_int_equal(record->header_count, count == 0 ? HEADERS : 0);
            for (size_t j = 0; j < record->header_count; j++)
                assert_true(bytes_equal(record->headers[j].value, (struct bytes){"value", j % 6}));
        }
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(reader);
}

static void large_records_come_in_bounded_batches(void **state) {
    enum { RECORDS = 24, SIZE = 900000 };
    char *value = calloc(1, SIZE);
    assert_non_null(value);
    struct event_log_consumer *reader = fixture_reader(&fixture, TOPIC_COMMANDS, true);
    fixture_assign(reader);
    rd_kafka_t *rk = open_stranger();
    int32_t ignored;
    for (int i = 0; i < RECORDS; i++) {
        bytes_put_u64(value, (uint64_t)i);
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(kafka_log_of(fixture.log)->topic_names[TOPIC_COMMANDS]),
                                           RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(value, SIZE),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(&ignored),
                                           RD_KAFKA_V_END),
                         0);
    }
    assert_int_equal(rd_kafka_flush(rk, FIXTURE_WAIT_MS), 0);
    rd_kafka_destroy(rk);
    rd_kafka_queue_t *queue = CONTAINER_OF(reader, struct kafka_consumer, base)->partitions[0].queue;
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; rd_kafka_queue_length(queue) < RECORDS; usleep(1000))
        assert_true(now_ms() < until_ms);
    uint64_t next = 0;
    while (next < RECORDS) {
        struct event_log_poll poll = fixture_poll_until(reader, POLL_RECORDS);
        assert_true(poll.batch->count * SIZE <= 4u << 20);
        for (size_t i = 0; i < poll.batch->count; i++)
            assert_int_equal(bytes_get_u64(poll.batch->records[i].value.data), next++);
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(reader);
    free(value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(librdkafkas_partitioner_agrees),
        TEST(a_strangers_records_are_read_as_they_are),
        TEST(large_records_come_in_bounded_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
