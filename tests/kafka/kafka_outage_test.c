/* The only broker freezes and dies, several times, under load: every append ends, what was promised is there once, and
 * all goes on by itself within a bound. */
#include <string.h>
#include <unistd.h>

#include "event_log/kafka_consumer.h"
#include "kafka/kafka_fixture.h"

#define SILENT_MAX_MS 6000
#define FREEZE_MS 9000      /* longer than that, than socket.timeout.ms, and than the broker's own session */
#define APPEND_MAX_MS 25000 /* message.timeout.ms, and what a frozen machine's scheduler adds */
#define RECOVERY_MS 30000

static struct broker broker;
static struct fixture fixture;

static int start(void **state) {
    broker_start(&broker);
    return 0;
}

static int end(void **state) {
    broker_end(&broker);
    return 0;
}

static int setup(void **state) {
    fixture_init(&fixture, broker.servers);
    fixture.options.silent_max_ms = SILENT_MAX_MS;
    fixture_open(&fixture);
    return 0;
}

static int teardown(void **state) {
    broker_do(&broker, "thaw kafka"); /* also after a failure in the middle */
    fixture_close(&fixture);
    return 0;
}

static void sleep_ms(int ms) {
    usleep((useconds_t)ms * 1000);
}

static void a_frozen_broker_delays_and_loses_nothing(void **state) {
    struct load *load = load_start(&fixture, 500000, 500);
    for (int i = 0; i < 3; i++) {
        load_wait_kept(load, 2000, RECOVERY_MS);
        broker_do(&broker, "freeze kafka");
        sleep_ms(FREEZE_MS);
        broker_do(&broker, "thaw kafka");
        load_wait_kept(load, 1, RECOVERY_MS);
    }
    load_wait_kept(load, 2000, RECOVERY_MS);
    load_stop(load);
    assert_true(load->longest_ms < APPEND_MAX_MS);
    assert_true(fixture_replaced(&fixture, KAFKA_PRODUCER) >= 1);
    load_check(load);
    load_free(load);
}

static void a_killed_broker_comes_back_and_nothing_is_lost(void **state) {
    struct load *load = load_start(&fixture, 500000, 500);
    for (int i = 0; i < 2; i++) {
        load_wait_kept(load, 2000, RECOVERY_MS);
        broker_do(&broker, "kill kafka");
        broker_do(&broker, "start kafka");
        load_wait_kept(load, 1, RECOVERY_MS);
    }
    load_wait_kept(load, 2000, RECOVERY_MS);
    load_stop(load);
    assert_true(load->longest_ms < APPEND_MAX_MS);
    load_check(load);
    load_free(load);
}

/* A broker that comes back is fenced for a while: what fails meanwhile is tried again. */
static void append_at_last(uint64_t number) {
    int64_t until_ms = now_ms() + FIXTURE_WAIT_MS;
    while (fixture_append(&fixture, 0, number, NULL) != STATUS_OK)
        if (now_ms() > until_ms) fail_msg("appends do not work again");
}

/* --- consumers through a freeze that is longer than silent_max_ms --- */

static enum status poll_once(struct event_log_consumer *consumer, struct error *error) {
    struct event_log_poll poll = {.kind = POLL_NOTHING};
    enum status status = event_log_poll(consumer, 50, &poll, error);
    if (poll.kind == POLL_RECORDS) event_log_batch_free(poll.batch);
    return status;
}

static void poll_until_unavailable(struct event_log_consumer *consumer) {
    struct error error;
    enum status status = STATUS_OK;
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; status == STATUS_OK && now_ms() < until_ms;)
        status = poll_once(consumer, &error);
    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, fixture.servers));
}

static void a_reader_and_a_member_live_through_a_freeze(void **state) {
    struct event_log_poll poll;
    struct event_log_consumer *reader = fixture_reader(&fixture, TOPIC_COMMANDS, false);
    struct event_log_consumer *member = fixture_member(&fixture, "g");
    fixture_assign(reader);
    fixture_assign(member);
    append_at_last(1);
    event_log_batch_free(fixture_poll_until(reader, POLL_RECORDS).batch);
    broker_do(&broker, "freeze kafka");
    int64_t frozen_ms = now_ms();
    poll_until_unavailable(reader);
    poll_until_unavailable(member);
    print_message("away after %lld ms\n", (long long)(now_ms() - frozen_ms));
    assert_true(now_ms() - frozen_ms < 8000);
    while (fixture_replaced(&fixture, KAFKA_READER) == 0 || fixture_replaced(&fixture, KAFKA_MEMBER) == 0) {
        poll_once(reader, NULL);
        poll_once(member, NULL);
        assert_true(now_ms() - frozen_ms < FIXTURE_WAIT_MS);
    }
    broker_do(&broker, "thaw kafka");
    append_at_last(2);
    poll = fixture_poll_until(reader, POLL_RECORDS); /* the next record, and nothing before it */
    assert_int_equal(bytes_get_u64(poll.batch->records[0].value.data), 2);
    event_log_batch_free(poll.batch);
    fixture_assign(member);
    assert_int_equal(fixture_commit(member, 0, poll.next_offset), STATUS_OK);
    event_log_consumer_close(member);
    event_log_consumer_close(reader);
}

/* --- questions during an outage --- */

static void questions_end_in_time_and_name_the_broker(void **state) {
    int64_t first, end_offset, began_ms = now_ms();
    struct error error;
    broker_do(&broker, "freeze kafka");
    enum status checked = event_log_check(fixture.log, 1500, &error);
    enum status ranged = event_log_range(fixture.log, TOPIC_COMMANDS, 0, 1500, &first, &end_offset, NULL);
    enum status asked = event_log_committed(fixture.log, "g", TOPIC_COMMANDS, 0, 1500, &first, NULL);
    int64_t took_ms = now_ms() - began_ms;
    broker_do(&broker, "thaw kafka");
    assert_int_equal(checked, STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, fixture.servers));
    assert_int_equal(ranged, STATUS_UNAVAILABLE);
    assert_int_equal(asked, STATUS_UNAVAILABLE);
    assert_true(took_ms < 8000);
    enum status status = STATUS_UNAVAILABLE;
    for (int64_t until_ms = now_ms() + RECOVERY_MS; status && now_ms() < until_ms;)
        status = event_log_check(fixture.log, 2000, &error);
    assert_int_equal(status, STATUS_OK);
}

static void closing_during_an_outage_is_bounded(void **state) {
    struct load *load = load_start(&fixture, 500000, 100);
    struct event_log_consumer *member = fixture_member(&fixture, "g");
    fixture_assign(member);
    load_wait_kept(load, 100, RECOVERY_MS);
    broker_do(&broker, "freeze kafka");
    sleep_ms(300);
    atomic_store(&load->stops, true);
    int64_t began_ms = now_ms();
    event_log_consumer_close(member);
    load_stop(load); /* its appends end, here or in close */
    event_log_close(fixture.log);
    int64_t took_ms = now_ms() - began_ms;
    broker_do(&broker, "thaw kafka");
    print_message("closed after %lld ms\n", (long long)took_ms);
    assert_true(took_ms < 45000);
    fixture_open(&fixture);
    load_check(load);
    load_free(load);
}

/* --- too much at once --- */

static _Atomic size_t ended, full;

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    atomic_fetch_add(&full, status == STATUS_FULL);
    atomic_fetch_add(&ended, 1);
}

static void what_is_under_way_is_bounded(void **state) {
    enum { APPENDS = 120, SIZE = 900000, FIT = KAFKA_SIZE_UNDER_WAY_MAX / SIZE };
    static struct event_log_append appends[APPENDS];
    static struct event_log_record records[APPENDS];
    char *value = calloc(1, SIZE);
    assert_non_null(value);
    append_at_last(1); /* it is connected */
    broker_do(&broker, "freeze kafka");
    for (size_t i = 0; i < APPENDS; i++) {
        records[i] = (struct event_log_record){.partition = (int32_t)(i % FIXTURE_PARTITIONS), .value = {value, SIZE}};
        appends[i] =
            (struct event_log_append){.topic = TOPIC_COMMANDS, .records = &records[i], .count = 1, .done = append_done};
        event_log_append(fixture.log, &appends[i]);
    }
    /* At once. What a broker still took in the moment of its freeze has made room. */
    size_t refused = atomic_load(&full), taken = atomic_load(&ended) - refused;
    assert_in_range(refused, APPENDS - FIT - taken, APPENDS - FIT);
    broker_do(&broker, "thaw kafka");
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; atomic_load(&ended) < APPENDS && now_ms() < until_ms;)
        sleep_ms(10);
    assert_int_equal(atomic_load(&ended), APPENDS);
    append_at_last(1); /* there is room again */
    free(value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_frozen_broker_delays_and_loses_nothing),
        TEST(a_killed_broker_comes_back_and_nothing_is_lost),
        TEST(a_reader_and_a_member_live_through_a_freeze),
        TEST(questions_end_in_time_and_name_the_broker),
        TEST(what_is_under_way_is_bounded),
        TEST(closing_during_an_outage_is_bounded),
    };
    return cmocka_run_group_tests(tests, start, end);
}
