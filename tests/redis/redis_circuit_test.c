/* The circuit: when callers are refused at once, what is said about it, and how much may be under way. */
#include "redis/redis_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TTL_MS 60000

/* What callers see comes a moment before what is counted and logged: so both are waited for. */
static void wait_for_metric(struct fixture *fixture, const char *line) {
    int64_t until_ms = fixture_monotonic_ms() + WAIT_S * 1000;
    for (;;) {
        char *text = fixture_metrics(fixture);
        bool is_there = strstr(text, line);
        if (!is_there && fixture_monotonic_ms() > until_ms) fail_msg("no %s in\n%s", line, text);
        free(text);
        if (is_there) return;
    }
}

static void wait_for_log(struct fixture *fixture, const char *first, const char *second) {
    int64_t until_ms = fixture_monotonic_ms() + WAIT_S * 1000;
    for (;;) {
        const char *text = fixture_log(fixture), *at = strstr(text, first);
        if (at && (!second || strstr(at, second))) return;
        if (fixture_monotonic_ms() > until_ms) fail_msg("not \"%s\" and then \"%s\" in\n%s", first, second, text);
    }
}

static void test_it_opens_when_redis_dies_and_closes_when_it_is_back(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    cache_test_put_version(fixture->cache, &id, 1, fixture_now_ms(fixture) + TTL_MS);
    wait_for_metric(fixture, "orderly_redis_up 1\n");
    wait_for_metric(fixture, "orderly_redis_circuit_opened_total 0\n");
    redis_server_kill(&fixture->server);
    fixture_wait_down(fixture->cache);
    wait_for_metric(fixture, "orderly_redis_up 0\n");
    wait_for_metric(fixture, "orderly_redis_circuit_opened_total 1\n");
    redis_server_start(&fixture->server);
    fixture_wait_up(fixture->cache);
    wait_for_metric(fixture, "orderly_redis_up 1\n");
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND); /* it began empty */
    cache_test_put_version(fixture->cache, &id, 1, fixture_now_ms(fixture) + TTL_MS);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    wait_for_log(fixture, "the order cache is left out until Redis answers", "Redis answers again");
}

static void test_a_redis_that_is_away_at_first_is_no_failure(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    redis_server_kill(&fixture->server);
    fixture_open_only(fixture);
    for (int i = 0; i < 100; i++) {
        struct watched *get = watch_get(fixture->cache, &id);
        assert_true(watch_is_done(get)); /* at once, from the caller's own thread */
        assert_int_equal(watch_end(get), STATUS_UNAVAILABLE);
        struct watched *put = watch_put(fixture->cache, &id, 1, BYTES("{}"), fixture_now_ms(fixture) + TTL_MS);
        assert_true(watch_is_done(put));
        assert_int_equal(watch_end(put), STATUS_UNAVAILABLE);
    }
    struct order_cache_stats stats;
    order_cache_stats(fixture->cache, &stats);
    assert_int_equal(stats.errors, 100);
    assert_int_equal(stats.skipped, 100);
    assert_int_equal(stats.hits + stats.misses + stats.puts, 0);
    struct error error;
    assert_int_equal(order_cache_check(fixture->cache, 1000, &error), STATUS_UNAVAILABLE);
    char expected[128];
    snprintf(expected, sizeof expected, "Redis at 127.0.0.1:%u: Connection refused; nothing listens there",
             fixture->server.port);
    assert_memory_equal(error.text, expected, strlen(expected));
    redis_server_start(&fixture->server);
    fixture_wait_up(fixture->cache);
}

static bool has_tried_often(void *data) {
    static const char name[] = "\norderly_redis_connects_total ";
    char *text = fixture_metrics(data);
    const char *at = strstr(text, name);
    int connects = at ? atoi(at + sizeof name - 1) : 0;
    free(text);
    return connects >= 8;
}

/* One line for each outage, however many connects it takes. */
static void test_an_outage_is_one_line(void **state) {
    struct fixture *fixture = *state;
    fixture_open(fixture);
    redis_server_kill(&fixture->server);
    fixture_wait_down(fixture->cache);
    assert_true(fixture_wait(has_tried_often, fixture));
    const char *first = strstr(fixture_log(fixture), "left out");
    assert_non_null(first);
    assert_null(strstr(first + 1, "left out"));
}

/* A connection that was cut takes no part any more: the frozen one's answers are not waited for. */
static void test_it_opens_after_too_many_late_answers_and_refuses_at_once(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture->options.timeout_ms = 20;
    fixture->options.connect_timeout_ms = 100;
    fixture_open(fixture);
    redis_server_freeze(&fixture->server);
    int slow = 0;
    for (int i = 0; i < 60; i++) {
        struct watched *get = watch_get(fixture->cache, &id);
        slow += !watch_is_done(get);
        assert_int_equal(watch_end(get), STATUS_UNAVAILABLE);
    }
    assert_in_range(slow, 1, 20); /* the circuit opens after 16 */
    wait_for_metric(fixture, "orderly_redis_circuit_opened_total 1\n");
    wait_for_log(fixture, "no answer within 20 ms", NULL);
    redis_server_thaw(&fixture->server);
    fixture_wait_up(fixture->cache);
    wait_for_log(fixture, "Redis answers again", NULL);
}

/* Late answers now and then are a slow Redis, not one that is away. */
static void test_it_stays_closed_while_good_answers_come_in_between(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture->options.timeout_ms = SLACK_MS / 5; /* good answers must not be late on a busy machine */
    fixture_open(fixture);
    for (int i = 0; i < 20; i++) {
        redis_server_freeze(&fixture->server);
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_UNAVAILABLE);
        redis_server_thaw(&fixture->server);
        fixture_wait_up(fixture->cache);
    }
    wait_for_metric(fixture, "orderly_redis_circuit_opened_total 0\n");
    wait_for_metric(fixture, "orderly_redis_connects_total 1\n");
}

/* It takes the connection, as the kernel does for a program that hangs, and never says a word. */
static void test_a_connection_without_a_word_is_given_up(void **state) {
    struct fixture *fixture = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    fixture->options.port = ntohs(address.sin_port);
    fixture->options.connect_timeout_ms = 30;
    fixture_open_only(fixture);
    assert_true(fixture_wait(has_tried_often, fixture));
    wait_for_log(fixture, "left out", "no answer within 30 ms");
    close(fd);
}

/* Quick errors stall nobody; still a Redis that refuses every get is no help. Put's errors leave gets alone. */
static void test_it_opens_when_every_get_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    free(redis_server_ask(&fixture->server, "ACL SETUSER default -evalsha -eval"));
    for (int i = 0; i < 100; i++) {
        int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
        assert_int_equal(cache_test_put_version(fixture->cache, &id, 2, expires_at_ms), STATUS_UNAVAILABLE);
    }
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    wait_for_log(fixture, "Redis refuses entries", "NOPERM");
    free(redis_server_ask(&fixture->server, "ACL SETUSER default +evalsha +eval -get"));
    for (int i = 0; i < 16; i++)
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_UNAVAILABLE);
    fixture_wait_down(fixture->cache);
    wait_for_log(fixture, "left out", "NOPERM");
    free(redis_server_ask(&fixture->server, "ACL SETUSER default +get"));
    fixture_wait_up(fixture->cache);
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, fixture_now_ms(fixture) + TTL_MS), STATUS_OK);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
}

static void test_what_is_under_way_is_bounded(void **state) {
    struct fixture *fixture = *state;
    enum { BOUND = 8, COUNT = 20 };
    struct uuid id = cache_test_id(1);
    struct watched *gets[COUNT];
    fixture->options.in_flight_max = BOUND;
    fixture->options.timeout_ms = 300;
    fixture_open(fixture);
    redis_server_freeze(&fixture->server);
    int waiting = 0;
    for (int i = 0; i < COUNT; i++) {
        gets[i] = watch_get(fixture->cache, &id);
        waiting += !watch_is_done(gets[i]);
    }
    assert_int_equal(waiting, BOUND);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(watch_end(gets[i]), STATUS_UNAVAILABLE);
    /* Cut off, but their replies are still owed: no more may be sent. */
    struct watched *get = watch_get(fixture->cache, &id);
    assert_true(watch_is_done(get));
    watch_end(get);
    redis_server_thaw(&fixture->server);
    fixture_wait_up(fixture->cache);
    for (int i = 0; i < 10 * BOUND; i++) /* all are given back */
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
}

static void test_bytes_under_way_are_bounded(void **state) {
    struct fixture *fixture = *state;
    enum { COUNT = 100, BOUND = (4 << 20) / ORDER_CACHE_VALUE_MAX };
    static const char value[ORDER_CACHE_VALUE_MAX];
    fixture->options.timeout_ms = 1000;
    fixture_open(fixture);
    redis_server_freeze(&fixture->server);
    struct watched *puts[COUNT];
    int refused = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        puts[i] =
            watch_put(fixture->cache, &id, 1, (struct bytes){value, sizeof value}, fixture_now_ms(fixture) + TTL_MS);
        refused += watch_is_done(puts[i]);
    }
    assert_int_equal(refused, COUNT - BOUND);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_not_equal(watch_end(puts[i]), STATUS_OK);
    redis_server_thaw(&fixture->server);
    fixture_wait_up(fixture->cache);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_it_opens_when_redis_dies_and_closes_when_it_is_back),
        TEST(test_a_redis_that_is_away_at_first_is_no_failure),
        TEST(test_an_outage_is_one_line),
        TEST(test_it_opens_after_too_many_late_answers_and_refuses_at_once),
        TEST(test_it_stays_closed_while_good_answers_come_in_between),
        TEST(test_a_connection_without_a_word_is_given_up),
        TEST(test_it_opens_when_every_get_is_refused),
        TEST(test_what_is_under_way_is_bounded),
        TEST(test_bytes_under_way_are_bounded),
    };
#undef TEST
    return cmocka_run_group_tests_name("redis cache: circuit", tests, NULL, NULL);
}
