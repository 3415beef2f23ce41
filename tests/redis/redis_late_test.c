/* Lateness: puts that Redis reads when it thaws, replies that come after their call was cut off, and the limits that
 * every caller is held to meanwhile. */
#include "redis/redis_fixture.h"

#include <stdlib.h>
#include <time.h>

#define TTL_MS 60000
#define CALL_TIMEOUT_MS 50
#define LATE 10 /* calls: too few to open the circuit */

static void open_with_timeout(struct fixture *fixture) {
    fixture->options.timeout_ms = CALL_TIMEOUT_MS;
    fixture_open(fixture);
}

static bool scripts_have_run(void *data) {
    const struct fixture *fixture = data;
    char *stats = redis_server_ask(&fixture->server, "INFO commandstats");
    const char *evalsha = strstr(stats, "cmdstat_evalsha:calls=");
    int calls = evalsha ? atoi(evalsha + strlen("cmdstat_evalsha:calls=")) : 0;
    free(stats);
    return calls >= 2;
}

/* All lie in the socket of a frozen Redis; it reads them after the expiry of the first two. */
static void test_a_put_that_redis_reads_after_its_expiry_is_not_made(void **state) {
    struct fixture *fixture = *state;
    struct uuid late = cache_test_id(1), first = cache_test_id(2), in_time = cache_test_id(3);
    open_with_timeout(fixture);
    redis_server_freeze(&fixture->server);
    int64_t now_ms = fixture_now_ms(fixture);
    struct watched *puts[] = {watch_put(fixture->cache, &late, 2, BYTES("{}"), now_ms + 300),
                              watch_put(fixture->cache, &first, 1, BYTES("{}"), now_ms + 300),
                              watch_put(fixture->cache, &in_time, 2, BYTES("{}"), now_ms + TTL_MS)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(watch_end(puts[i]), STATUS_UNKNOWN); /* sent, and no answer */
    while (fixture_now_ms(fixture) <= now_ms + 300)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    redis_server_thaw(&fixture->server);
    assert_true(fixture_wait(scripts_have_run, fixture));
    fixture_wait_up(fixture->cache);
    assert_int_equal(cache_test_get(fixture->cache, &in_time, NULL).version, 2);
    assert_int_equal(cache_test_get(fixture->cache, &late, NULL).status, STATUS_NOT_FOUND);
    assert_int_equal(cache_test_get(fixture->cache, &first, NULL).status, STATUS_NOT_FOUND);
    assert_true(redis_server_number(&fixture->server, "DBSIZE") == 1);
}

/* The requests' memory is gone when the replies come, and no reply may be taken for another's. */
static void test_late_replies_meet_nobody(void **state) {
    struct fixture *fixture = *state;
    open_with_timeout(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    for (uint32_t i = 0; i < 2 * LATE; i++) {
        struct uuid id = cache_test_id(i);
        fixture_wait_up(fixture->cache);
        while (cache_test_put_version(fixture->cache, &id, i + 1, expires_at_ms) != STATUS_OK)
            fixture_wait_up(fixture->cache);
    }
    for (int round = 0; round < 5; round++) {
        struct watched *gets[LATE];
        fixture_wait_up(fixture->cache);
        redis_server_freeze(&fixture->server);
        for (uint32_t i = 0; i < LATE; i++) {
            struct uuid id = cache_test_id(i);
            gets[i] = watch_get(fixture->cache, &id);
        }
        for (uint32_t i = 0; i < LATE; i++)
            assert_int_equal(watch_end(gets[i]), STATUS_UNAVAILABLE);
        redis_server_thaw(&fixture->server);
        for (uint32_t i = LATE; i < 2 * LATE; i++) {
            struct uuid id = cache_test_id(i);
            struct cache_answer answer = cache_test_get(fixture->cache, &id, NULL);
            assert_true(answer.status == STATUS_UNAVAILABLE || (answer.version == i + 1 && answer.is_genuine));
        }
    }
}

static void test_no_call_takes_longer_than_its_limit(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    open_with_timeout(fixture);
    redis_server_freeze(&fixture->server);
    for (int i = 0; i < 40; i++) { /* before the circuit opens, and after */
        struct watched *get = watch_get(fixture->cache, &id);
        struct watched *put = watch_put(fixture->cache, &id, 1, BYTES("{}"), fixture_now_ms(fixture) + TTL_MS);
        watch_wait(get), watch_wait(put);
        assert_true(get->took_ms <= CALL_TIMEOUT_MS + SLACK_MS);
        assert_true(put->took_ms <= CALL_TIMEOUT_MS + SLACK_MS);
        assert_int_equal(watch_end(get), STATUS_UNAVAILABLE);
        assert_int_not_equal(watch_end(put), STATUS_OK);
    }
    redis_server_thaw(&fixture->server);
    fixture_wait_up(fixture->cache);
}

static void test_close_ends_what_is_under_way(void **state) {
    struct fixture *fixture = *state;
    enum { COUNT = 50 };
    struct watched *watched[2 * COUNT];
    fixture->options.timeout_ms = WAIT_S * 1000;
    fixture_open(fixture);
    redis_server_freeze(&fixture->server);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
        watched[2 * i] = watch_get(fixture->cache, &id);
        watched[2 * i + 1] = watch_put(fixture->cache, &id, 1, BYTES("{}"), expires_at_ms);
        order_cache_put(fixture->cache,
                        &(struct order_cache_put){.order_id = id, .entry = {1, BYTES("{}"), expires_at_ms}});
        order_cache_drop(fixture->cache, &id, 1);
    }
    order_cache_clear(fixture->cache);
    int64_t started_ms = fixture_monotonic_ms();
    order_cache_close(fixture->cache);
    fixture->cache = NULL;
    assert_true(fixture_monotonic_ms() - started_ms < SLACK_MS);
    for (uint32_t i = 0; i < 2 * COUNT; i++) {
        assert_true(watch_is_done(watched[i])); /* none comes after close */
        assert_int_not_equal(watch_end(watched[i]), STATUS_OK);
    }
}

static void test_a_check_keeps_its_time(void **state) {
    struct fixture *fixture = *state;
    struct error error;
    struct advice advice = {0};
    fixture_open(fixture);
    assert_int_equal(order_cache_check(fixture->cache, 5000, &error), STATUS_OK);
    redis_server_freeze(&fixture->server);
    int64_t started_ms = fixture_monotonic_ms();
    assert_int_equal(order_cache_check(fixture->cache, 200, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "no answer within 200 ms; it is frozen"));
    order_cache_advise(fixture->cache, 200, &advice);
    assert_true(fixture_monotonic_ms() - started_ms < 400 + SLACK_MS);
    assert_int_equal(advice.count, 0);
    redis_server_thaw(&fixture->server);
    assert_int_equal(order_cache_check(fixture->cache, 5000, &error), STATUS_OK);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_put_that_redis_reads_after_its_expiry_is_not_made),
        TEST(test_late_replies_meet_nobody),
        TEST(test_no_call_takes_longer_than_its_limit),
        TEST(test_close_ends_what_is_under_way),
        TEST(test_a_check_keeps_its_time),
    };
#undef TEST
    return cmocka_run_group_tests_name("redis cache: lateness", tests, NULL, NULL);
}
