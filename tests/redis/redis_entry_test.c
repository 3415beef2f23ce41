/* What the Redis cache keeps, and whose: entries as redis-cli shows them, expiry by either clock, scripts that Redis
 * has forgotten, keys of others. */
#include "redis/redis_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TTL_MS 60000

static void key_of(const struct fixture *fixture, const struct uuid *id, char out[128]) {
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    snprintf(out, 128, "%sorderly:order:%s", fixture->options.namespace_prefix, text);
}

static void assert_answer(const char *expected, char *answer) {
    assert_string_equal(answer, expected);
    free(answer);
}

static void test_an_entry_is_readable_text_that_expires_by_itself(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    char key[128];
    fixture_open(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_int_equal(cache_test_put(fixture->cache, &id, 12, BYTES("{\"status\":\"paid\"}"), expires_at_ms), STATUS_OK);
    key_of(fixture, &id, key);
    char *entry = redis_server_ask(&fixture->server, "GET %s", key), head[64];
    snprintf(head, sizeof head, "12 %" PRId64 " ", expires_at_ms);
    assert_memory_equal(entry, head, strlen(head));
    assert_string_equal(strchr(entry, '\n'), "\n{\"status\":\"paid\"}");
    assert_true(redis_server_number(&fixture->server, "PEXPIRETIME %s", key) == expires_at_ms);
    free(entry);
}

/* --- the clocks --- */

static void test_a_get_looks_at_our_clock_too(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    cache_test_put_version(fixture->cache, &id, 1, expires_at_ms);
    fixture->clock.shift_ms = TTL_MS - 5000;
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_OK);
    fixture->clock.shift_ms = TTL_MS;
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    assert_true(redis_server_number(&fixture->server, "DBSIZE") == 1); /* Redis has it still */
}

static void test_a_put_looks_at_the_clock_of_redis_too(void **state) {
    struct fixture *fixture = *state;
    struct uuid absent = cache_test_id(1), present = cache_test_id(2);
    fixture_open(fixture);
    cache_test_put_version(fixture->cache, &present, 1, fixture_now_ms(fixture) + TTL_MS);
    fixture->clock.shift_ms = -2 * TTL_MS; /* our clock is slow */
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_int_equal(cache_test_put_version(fixture->cache, &absent, 1, expires_at_ms), STATUS_OK);
    assert_int_equal(cache_test_put_version(fixture->cache, &present, 2, expires_at_ms), STATUS_OK);
    assert_int_equal(cache_test_get(fixture->cache, &absent, NULL).status, STATUS_NOT_FOUND);
    assert_int_equal(cache_test_get(fixture->cache, &present, NULL).version, 1);
}

/* --- scripts --- */

/* Clears and drops say nothing when they are through. */
static void wait_for_absence(struct order_cache *cache, const struct uuid *id) {
    int64_t until_ms = fixture_monotonic_ms() + WAIT_S * 1000;
    while (cache_test_get(cache, id, NULL).status != STATUS_NOT_FOUND)
        assert_true(fixture_monotonic_ms() < until_ms);
}

static void test_a_redis_that_forgot_the_scripts_learns_them_again(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1), other = cache_test_id(2);
    struct order_cache_stats before;
    fixture_open(fixture);
    order_cache_stats(fixture->cache, &before);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    for (uint32_t version = 1; version <= 3; version++) {
        assert_answer("OK", redis_server_ask(&fixture->server, "SCRIPT FLUSH"));
        assert_int_equal(cache_test_put_version(fixture->cache, &id, version, expires_at_ms), STATUS_OK);
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, version);
    }
    assert_int_equal(cache_test_put_version(fixture->cache, &other, 1, expires_at_ms), STATUS_OK);
    assert_answer("OK", redis_server_ask(&fixture->server, "SCRIPT FLUSH"));
    order_cache_drop(fixture->cache, &id, 4);
    wait_for_absence(fixture->cache, &id);
    assert_answer("OK", redis_server_ask(&fixture->server, "SCRIPT FLUSH"));
    order_cache_clear(fixture->cache);
    wait_for_absence(fixture->cache, &other);
    struct order_cache_stats after;
    order_cache_stats(fixture->cache, &after);
    assert_int_equal(after.errors, before.errors);
}

static void test_many_puts_under_way_survive_a_flush_of_the_scripts(void **state) {
    struct fixture *fixture = *state;
    enum { COUNT = 200 };
    struct watched *puts[COUNT];
    fixture_open(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_answer("OK", redis_server_ask(&fixture->server, "SCRIPT FLUSH"));
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        puts[i] = watch_put(fixture->cache, &id, 2, BYTES("{}"), expires_at_ms);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(watch_end(puts[i]), STATUS_OK);
    assert_true(redis_server_number(&fixture->server, "DBSIZE") == COUNT);
}

/* --- keys of others --- */

static void test_clear_leaves_what_others_made(void **state) {
    struct fixture *fixture = *state;
    static const char *const strange[][3] = {
        {"SET", "orderly:order:01935b3a-771c-7000-0000-000000000001", "1 2 3\n{}"}, /* of the namespace "" */
        {"SET", "tx:orderly:order:01935b3a-771c-7000-0000-000000000001", "1 2 3\n{}"},
        {"SET", "t:orderly:lab:1", "1 2 3\n{}"},
        {"SET", "t:orderly:order:mine", "not an entry"},
        {"RPUSH", "t:orderly:order:list", "1 2 3\n{}"},
        {"SET", "somebody", "else"},
    };
    enum { STRANGERS = sizeof strange / sizeof *strange, COUNT = 3000 };
    fixture->options.namespace_prefix = "t*:"; /* as a pattern it would match the neighbours */
    fixture_open(fixture);
    struct order_cache *cache = fixture->cache;
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    for (size_t i = 0; i < STRANGERS; i++)
        free(redis_server_ask(&fixture->server, "%s %s %s", strange[i][0], strange[i][1], strange[i][2]));
    free(redis_server_ask(&fixture->server, "RPUSH %s a", "t*:orderly:order:list"));
    free(redis_server_ask(&fixture->server, "SET %s a", "t*:orderly:order:mine"));
    struct watched *puts[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        puts[i] = watch_put(cache, &id, 1, BYTES("{}"), expires_at_ms);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(watch_end(puts[i]), STATUS_OK);
    assert_true(redis_server_number(&fixture->server, "DBSIZE") == COUNT + STRANGERS + 2);

    order_cache_clear(cache);
    struct uuid later = cache_test_id(COUNT); /* while the clear goes on: it stays */
    assert_int_equal(cache_test_put_version(cache, &later, 2, expires_at_ms), STATUS_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        wait_for_absence(cache, &id);
    }
    assert_int_equal(cache_test_get(cache, &later, NULL).status, STATUS_OK);
    assert_true(redis_server_number(&fixture->server, "DBSIZE") == STRANGERS + 2 + 1);
}

static void test_bytes_of_others_under_our_key_are_no_entry(void **state) {
    struct fixture *fixture = *state;
    static const char *const values[] = {"99999999999 9999999999999 1\n{}",
                                         "1 99999999999999999999 1\n{}",
                                         "",
                                         "{}",
                                         "1",
                                         "1 2",
                                         "x 1 2\n",
                                         "-1 1 2\n{}",
                                         "1  2\n",
                                         "1 9999999999999 3{}"};
    struct uuid id = cache_test_id(1);
    char key[128];
    key_of(fixture, &id, key);
    fixture_open(fixture);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_answer("OK", redis_server_ask(&fixture->server, "SET %s %s", key, values[i]));
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    }
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, fixture_now_ms(fixture) + TTL_MS), STATUS_OK);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
}

static void test_two_namespaces_do_not_see_each_other(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    fixture->options.namespace_prefix = "u:";
    struct order_cache *other = fixture_open_another(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    cache_test_put_version(fixture->cache, &id, 1, expires_at_ms);
    assert_int_equal(cache_test_get(other, &id, NULL).status, STATUS_NOT_FOUND);
    cache_test_put_version(other, &id, 2, expires_at_ms);
    order_cache_clear(other);
    wait_for_absence(other, &id);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    order_cache_close(other);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_entry_is_readable_text_that_expires_by_itself),
        TEST(test_a_get_looks_at_our_clock_too),
        TEST(test_a_put_looks_at_the_clock_of_redis_too),
        TEST(test_a_redis_that_forgot_the_scripts_learns_them_again),
        TEST(test_many_puts_under_way_survive_a_flush_of_the_scripts),
        TEST(test_clear_leaves_what_others_made),
        TEST(test_bytes_of_others_under_our_key_are_no_entry),
        TEST(test_two_namespaces_do_not_see_each_other),
    };
#undef TEST
    return cmocka_run_group_tests_name("redis cache: entries", tests, NULL, NULL);
}
