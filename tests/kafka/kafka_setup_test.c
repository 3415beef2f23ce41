/* Setup, check and advice on a real broker. */
#include <string.h>

#include "contract/event_log/kafka_adapter.h"
#include "kafka/kafka_fixture.h"

static struct fixture fixture;

static int setup(void **state) {
    fixture_init(&fixture, NULL);
    return 0;
}

static int teardown(void **state) {
    fixture_close(&fixture);
    return 0;
}

static struct event_log *open_log(const struct event_log_kafka_options *options, enum status expected) {
    struct event_log *log = NULL;
    struct error error = {.text = ""};
    enum status status = event_log_kafka_open(options, &log, &error);
    if (status != expected) fail_msg("%s: %s", status_name(status), error.text);
    return log;
}

struct setup {
    pthread_t thread;
    struct event_log *log;
    enum status status;
};

static void *setup_main(void *data) {
    struct setup *one = data;
    one->status = event_log_setup(one->log, NULL);
    return NULL;
}

static void set_up_at_once(struct setup *one, struct setup *other) {
    assert_int_equal(pthread_create(&one->thread, NULL, setup_main, one), 0);
    assert_int_equal(pthread_create(&other->thread, NULL, setup_main, other), 0);
    pthread_join(one->thread, NULL);
    pthread_join(other->thread, NULL);
}

static void two_at_once_both_end_well(void **state) {
    struct setup one = {.log = open_log(&fixture.options, STATUS_NOT_FOUND)};
    struct setup other = {.log = open_log(&fixture.options, STATUS_NOT_FOUND)};
    set_up_at_once(&one, &other);
    assert_int_equal(one.status, STATUS_OK);
    assert_int_equal(other.status, STATUS_OK);
    assert_int_equal(event_log_check(other.log, FIXTURE_WAIT_MS, NULL), STATUS_OK);
    event_log_close(other.log);
    fixture.log = one.log;
}

static void of_two_that_differ_one_wins_whole(void **state) {
    struct event_log_kafka_options options = fixture.options;
    options.partition_count = FIXTURE_PARTITIONS + 3;
    struct setup one = {.log = open_log(&fixture.options, STATUS_NOT_FOUND)};
    struct setup other = {.log = open_log(&options, STATUS_NOT_FOUND)};
    set_up_at_once(&one, &other);
    assert_true((one.status == STATUS_OK && other.status == STATUS_CONFLICT) ||
                (one.status == STATUS_CONFLICT && other.status == STATUS_OK));
    int32_t expected = one.status == STATUS_OK ? FIXTURE_PARTITIONS : FIXTURE_PARTITIONS + 3;
    event_log_close(one.log);
    event_log_close(other.log);
    fixture.log = open_log(&fixture.options, STATUS_OK);
    assert_int_equal(fixture.log->partition_count, expected);
}

/* --- what does not fit --- */

static void await_topic(enum event_log_topic topic) {
    struct kafka_topics_state told = {0};
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; told.partition_count[topic] == 0;) {
        assert_int_equal(kafka_topics_ask(kafka_log_of(fixture.log), FIXTURE_WAIT_MS, &told, NULL), STATUS_OK);
        assert_true(now_ms() < until_ms);
    }
}

static void create_topic(enum event_log_topic which, int partitions, const char *setting, const char *value) {
    char text[512];
    struct kafka_client *client;
    struct kafka_log *log = kafka_log_of(fixture.log);
    assert_int_equal(kafka_admin_take(log, &client, NULL), STATUS_OK);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(log->topic_names[which], partitions, 1, text, sizeof text);
    if (setting) rd_kafka_NewTopic_set_config(topic, setting, value);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_CreateTopics(client->rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, FIXTURE_WAIT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    kafka_admin_give(log, true);
    await_topic(which);
}

static void topics_that_differ_do_not_open(void **state) {
    fixture.log = open_log(&fixture.options, STATUS_NOT_FOUND);
    create_topic(TOPIC_COMMANDS, FIXTURE_PARTITIONS, NULL, NULL);
    create_topic(TOPIC_EVENTS, FIXTURE_PARTITIONS + 1, NULL, NULL);
    struct event_log *other = NULL;
    struct error error;
    assert_int_equal(event_log_kafka_open(&fixture.options, &other, &error), STATUS_CONFLICT);
    assert_null(other);
    assert_non_null(strstr(error.text, "order-events"));
    assert_int_equal(event_log_setup(fixture.log, &error), STATUS_CONFLICT);
    assert_non_null(strstr(error.text, "ORDERLY_PARTITIONS"));
}

/* A setup that was interrupted is finished by the next one. */
static void what_is_missing_is_created(void **state) {
    fixture.log = open_log(&fixture.options, STATUS_NOT_FOUND);
    create_topic(TOPIC_INVOICES, FIXTURE_PARTITIONS, NULL, NULL);
    assert_int_equal(event_log_check(fixture.log, FIXTURE_WAIT_MS, NULL), STATUS_NOT_FOUND);
    struct event_log_consumer *consumer;
    struct event_log_consumer_options options = {.topic = TOPIC_COMMANDS, .batch_max = 1};
    assert_int_equal(event_log_consumer_open(fixture.log, &options, &consumer, NULL), STATUS_NOT_FOUND);
    assert_int_equal(fixture_append(&fixture, 0, 1, NULL), STATUS_NOT_FOUND);
    assert_int_equal(event_log_setup(fixture.log, NULL), STATUS_OK);
    assert_int_equal(fixture_append(&fixture, 0, 1, NULL), STATUS_OK);
}

static void impossible_numbers_are_invalid(void **state) {
    struct event_log_kafka_options options = fixture.options;
    fixture.log = open_log(&fixture.options, STATUS_NOT_FOUND);
    options.partition_count = EVENT_LOG_PARTITIONS_MAX + 1;
    struct event_log *log = open_log(&options, STATUS_NOT_FOUND);
    assert_int_equal(event_log_setup(log, NULL), STATUS_INVALID);
    event_log_close(log);
    options.partition_count = 1;
    options.replication = 30; /* more than there are brokers */
    log = open_log(&options, STATUS_NOT_FOUND);
    struct error error;
    assert_int_equal(event_log_setup(log, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "order-commands"));
    event_log_close(log);
    options.replication = 1, options.min_insync_replicas = 2;
    log = open_log(&options, STATUS_NOT_FOUND);
    assert_int_equal(event_log_setup(log, NULL), STATUS_INVALID);
    event_log_close(log);
}

/* --- settings, advice --- */

static bool advises(const struct advice *advice, const char *part, const char *other) {
    for (size_t i = 0; i < advice->count; i++)
        if (strstr(advice->lines[i].text, part) && strstr(advice->lines[i].text, other)) return true;
    return false;
}

/* What setup makes has no weakness but the one broker. */
static void setup_makes_topics_that_are_as_strong_as_can_be(void **state) {
    struct advice advice = {0};
    fixture.options.replication = 1;
    fixture.options.retention_ms[TOPIC_EVENTS] = 86400000;
    fixture_open(&fixture);
    event_log_advise(fixture.log, FIXTURE_WAIT_MS, &advice);
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        assert_true(advises(&advice, event_log_topic_name(topic), "1 replica:"));
    assert_int_equal(advice.count, TOPIC_COUNT);
}

static void weak_settings_are_named(void **state) {
    struct advice advice = {0};
    struct event_log_kafka_options options = fixture.options;
    fixture.log = open_log(&fixture.options, STATUS_NOT_FOUND);
    create_topic(TOPIC_COMMANDS, FIXTURE_PARTITIONS, "retention.ms", "1000000");
    create_topic(TOPIC_EVENTS, FIXTURE_PARTITIONS, "unclean.leader.election.enable", "true");
    assert_int_equal(event_log_setup(fixture.log, NULL), STATUS_OK);
    options.partition_count = FIXTURE_PARTITIONS + 1;
    struct event_log *other = open_log(&options, STATUS_OK);
    event_log_advise(other, FIXTURE_WAIT_MS, &advice);
    assert_true(advises(&advice, "order-commands", "retention.ms=-1"));
    assert_true(advises(&advice, "order-events", "unclean.leader.election"));
    assert_false(advises(&advice, "order-events", "retention"));
    assert_true(advises(&advice, "have 4 partitions", "not the 5"));
    event_log_close(other);
}

static void topics_that_went_away_are_not_found(void **state) {
    struct error error;
    fixture_open(&fixture);
    assert_int_equal(event_log_check(fixture.log, FIXTURE_WAIT_MS, &error), STATUS_OK);
    kafka_remove_topics(fixture.servers, fixture.prefix);
    enum status status = STATUS_OK;
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; status == STATUS_OK && now_ms() < until_ms;)
        status = event_log_check(fixture.log, FIXTURE_WAIT_MS, &error);
    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "orderly setup"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(two_at_once_both_end_well),      TEST(of_two_that_differ_one_wins_whole),
        TEST(topics_that_differ_do_not_open), TEST(what_is_missing_is_created),
        TEST(impossible_numbers_are_invalid), TEST(setup_makes_topics_that_are_as_strong_as_can_be),
        TEST(weak_settings_are_named),        TEST(topics_that_went_away_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
