/* How a Redis is entered and set up: passwords, ACL users, memory limits, replicas, and what is said about each. */
#include "redis/redis_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define TTL_MS 60000
#define PASSWORD "s3cr3t-p4ss"

static void assert_check(struct fixture *fixture, enum status status, const char *part) {
    struct error error = {""};
    assert_int_equal(order_cache_check(fixture->cache, 5000, &error), status);
    if (part && !strstr(error.text, part)) fail_msg("not \"%s\" in \"%s\"", part, error.text);
    assert_null(strstr(error.text, PASSWORD));
}

static void assert_no_secret_logged(struct fixture *fixture) {
    assert_null(strstr(fixture_log(fixture), PASSWORD));
}

static void assert_advised(struct fixture *fixture, const char *part) {
    struct advice advice = {0};
    order_cache_advise(fixture->cache, 5000, &advice);
    bool is_there = false;
    for (size_t i = 0; i < advice.count; i++)
        is_there = is_there || strstr(advice.lines[i].text, part);
    if (!is_there) fail_msg("not \"%s\" in %zu lines, \"%s\"", part, advice.count, advice.lines[0].text);
}

static void assert_not_advised(struct fixture *fixture) {
    struct advice advice = {0};
    order_cache_advise(fixture->cache, 5000, &advice);
    if (advice.count) fail_msg("\"%s\"", advice.lines[0].text);
}

static void reopen(struct fixture *fixture, const char *user, const char *password) {
    order_cache_close(fixture->cache);
    fixture->options.user = user;
    fixture->options.password = password;
    fixture_open_only(fixture);
}

static void test_a_password_is_given_and_a_wrong_one_explained(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    free(redis_server_ask(&fixture->server, "CONFIG SET requirepass %s", PASSWORD));
    fixture->server.password = PASSWORD;
    reopen(fixture, "", "");
    assert_check(fixture, STATUS_UNAVAILABLE,
                 "NOAUTH Authentication required.; it wants a password: set ORDERLY_REDIS_PASS");
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_UNAVAILABLE);
    reopen(fixture, "", "not-" PASSWORD);
    assert_check(fixture, STATUS_UNAVAILABLE, "correct ORDERLY_REDIS_USER and ORDERLY_REDIS_PASSWORD");
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_UNAVAILABLE);
    reopen(fixture, "", PASSWORD);
    fixture_wait_up(fixture->cache);
    assert_check(fixture, STATUS_OK, NULL);
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, fixture_now_ms(fixture) + TTL_MS), STATUS_OK);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    assert_no_secret_logged(fixture);
}

static void test_a_password_that_nobody_asked_for_is_explained(void **state) {
    struct fixture *fixture = *state;
    reopen(fixture, "", PASSWORD);
    assert_check(fixture, STATUS_UNAVAILABLE, "it has no password: unset ORDERLY_REDIS_PASSWORD");
    assert_no_secret_logged(fixture);
}

/* Such a Redis repeats what it was sent. */
static void test_a_password_is_never_repeated(void **state) {
    struct fixture *fixture = *state;
    redis_server_kill(&fixture->server);
    static const char *const rename_auth[] = {"--rename-command", "AUTH", ""};
    memcpy(fixture->server.arguments, rename_auth, sizeof rename_auth);
    redis_server_start(&fixture->server);
    reopen(fixture, "", PASSWORD);
    assert_check(fixture, STATUS_UNAVAILABLE, "it refuses the user or password (AUTH); correct ORDERLY_REDIS_USER");
    int64_t until_ms = fixture_monotonic_ms() + WAIT_S * 1000;
    while (!strstr(fixture_log(fixture), "refuses the user or password"))
        assert_true(fixture_monotonic_ms() < until_ms);
    assert_no_secret_logged(fixture);
}

/* The rights that docs/decisions/0008 names, and no more; without SCRIPT LOAD and INFO. */
static void test_an_acl_user_needs_only_the_rights_that_are_named(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    struct order_cache_stats before;
    free(redis_server_ask(&fixture->server,
                          "ACL SETUSER orderly on >%s ~t:orderly:order:* resetchannels -@all +ping +get +eval +evalsha "
                          "+getrange +set +unlink +time +scan +type",
                          PASSWORD));
    reopen(fixture, "orderly", PASSWORD);
    fixture_wait_up(fixture->cache);
    order_cache_stats(fixture->cache, &before);
    assert_check(fixture, STATUS_OK, NULL);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, expires_at_ms), STATUS_OK);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    order_cache_drop(fixture->cache, &id, 2);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, expires_at_ms), STATUS_OK);
    order_cache_clear(fixture->cache);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    assert_not_advised(fixture); /* INFO is refused: that is no error */
    struct order_cache_stats after;
    order_cache_stats(fixture->cache, &after);
    assert_int_equal(after.errors, before.errors);
    reopen(fixture, "orderly", "wrong");
    assert_check(fixture, STATUS_UNAVAILABLE, "WRONGPASS");
    assert_no_secret_logged(fixture);
}

static void test_a_user_without_rights_is_advised(void **state) {
    struct fixture *fixture = *state;
    free(redis_server_ask(&fixture->server, "ACL SETUSER orderly on >%s ~other:* +@all", PASSWORD));
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory 100mb"));
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory-policy allkeys-lru"));
    reopen(fixture, "orderly", PASSWORD);
    assert_check(fixture, STATUS_OK, NULL);
    assert_advised(fixture, "NOPERM");
    assert_advised(fixture, "takes no entries now");
}

static void test_memory_settings_are_advised(void **state) {
    struct fixture *fixture = *state;
    fixture_open(fixture);
    assert_advised(fixture, "maxmemory is 0");
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory 100mb"));
    assert_advised(fixture, "maxmemory-policy is noeviction");
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory-policy allkeys-lru"));
    assert_not_advised(fixture);
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory-policy volatile-ttl"));
    assert_not_advised(fixture);
    assert_true(redis_server_number(&fixture->server, "EXISTS t:orderly:order:check") <= 1); /* it expires */
    assert_true(redis_server_number(&fixture->server, "PTTL t:orderly:order:check") <= 5000);
}

static void test_a_full_redis_refuses_puts_and_still_answers_gets(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, expires_at_ms), STATUS_OK);
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory 1"));
    for (uint32_t i = 2; i < 100; i++) {
        assert_int_equal(cache_test_put_version(fixture->cache, &id, i, expires_at_ms), STATUS_UNAVAILABLE);
        assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    }
    assert_advised(fixture, "OOM");
    const char *first = strstr(fixture_log(fixture), "Redis refuses entries");
    assert_true(first && strstr(first, "raise maxmemory"));
    assert_null(strstr(first + 1, "Redis refuses entries")); /* not for each */
    order_cache_drop(fixture->cache, &id, 100);              /* makes room: it is not refused */
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).status, STATUS_NOT_FOUND);
    free(redis_server_ask(&fixture->server, "CONFIG SET maxmemory 0"));
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 100, expires_at_ms), STATUS_OK);
}

static void test_a_replica_is_advised_and_reads_go_on(void **state) {
    struct fixture *fixture = *state;
    struct uuid id = cache_test_id(1);
    fixture_open(fixture);
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 1, expires_at_ms), STATUS_OK);
    free(redis_server_ask(&fixture->server, "REPLICAOF 127.0.0.1 1"));
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 2, expires_at_ms), STATUS_UNAVAILABLE);
    assert_int_equal(cache_test_get(fixture->cache, &id, NULL).version, 1);
    assert_advised(fixture, "it is a replica: name the primary");
    free(redis_server_ask(&fixture->server, "REPLICAOF NO ONE"));
    assert_int_equal(cache_test_put_version(fixture->cache, &id, 2, expires_at_ms), STATUS_OK);
}

static void test_no_more_clients_is_explained(void **state) {
    struct fixture *fixture = *state;
    fixture_open(fixture);
    free(redis_server_ask(&fixture->server, "CONFIG SET maxclients 1")); /* the cache's connection is the one */
    assert_check(fixture, STATUS_UNAVAILABLE, "max number of clients reached; raise maxclients");
}

static void test_open_refuses_what_cannot_be(void **state) {
    struct fixture *fixture = *state;
    struct order_cache *cache = NULL;
    struct error error;
    char prefix[200];
    memset(prefix, 'x', sizeof prefix - 1), prefix[sizeof prefix - 1] = '\0';
    struct order_cache_redis_options options = fixture->options;
    options.namespace_prefix = prefix;
    assert_int_equal(order_cache_redis_open(&options, &cache, &error), STATUS_INVALID);
#ifndef ORDERLY_HAS_TLS
    options = fixture->options;
    options.tls = true;
    assert_int_equal(order_cache_redis_open(&options, &cache, &error), STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.text, "needs hiredis 1.0 or newer"));
#endif
    assert_null(cache);
    order_cache_close(NULL);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_password_is_given_and_a_wrong_one_explained),
        TEST(test_a_password_that_nobody_asked_for_is_explained),
        TEST(test_a_password_is_never_repeated),
        TEST(test_an_acl_user_needs_only_the_rights_that_are_named),
        TEST(test_a_user_without_rights_is_advised),
        TEST(test_memory_settings_are_advised),
        TEST(test_a_full_redis_refuses_puts_and_still_answers_gets),
        TEST(test_a_replica_is_advised_and_reads_go_on),
        TEST(test_no_more_clients_is_explained),
        TEST(test_open_refuses_what_cannot_be),
    };
#undef TEST
    return cmocka_run_group_tests_name("redis cache: access", tests, NULL, NULL);
}
