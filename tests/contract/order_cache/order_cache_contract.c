/* What every order cache promises, tried through the port alone. */
#include "contract/order_cache/order_cache_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contract/completion.h"

#define TTL_MS 60000     /* does not pass within a test */
#define SHORT_TTL_MS 300 /* passes when a test lets it */
#define POLLS_MAX 2000   /* of 5 ms, for requests without done */

static struct order_cache_subject *subject_of(void **state) {
    return *state;
}

static void assert_version(struct order_cache *cache, const struct uuid *id, uint32_t version) {
    struct cache_answer answer = cache_test_get(cache, id, NULL);
    assert_int_equal(answer.status, STATUS_OK);
    assert_int_equal(answer.version, version);
    assert_true(answer.is_genuine);
}

static void assert_absent(struct order_cache *cache, const struct uuid *id) {
    assert_int_equal(cache_test_get(cache, id, NULL).status, STATUS_NOT_FOUND);
}

/* drop and put without done say nothing when they are through. */
static void wait_for(struct order_cache *cache, const struct uuid *id, enum status status) {
    for (int i = 0; i < POLLS_MAX; i++) {
        if (cache_test_get(cache, id, NULL).status == status) return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("the cache did not come to say %s", status_name(status));
}

/* --- what is put comes back --- */

static void test_an_order_that_was_never_put_is_not_found(void **state) {
    struct uuid id = cache_test_id(1);
    assert_absent(subject_of(state)->cache, &id);
}

static void test_an_entry_comes_back_as_it_was_put(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    static const char binary[] = "{\"a\":\"\xc3\xa9\"}\r\n\0\xff end";
    char value[sizeof binary];
    struct uuid id = cache_test_id(1);
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS + 7;
    assert_int_equal(cache_test_put(subject->cache, &id, 9999, (struct bytes){binary, sizeof binary}, expires_at_ms),
                     STATUS_OK);
    struct cache_answer answer = cache_test_get(subject->cache, &id, NULL);
    assert_int_equal(answer.value_size, sizeof binary);
    answer = cache_test_get(subject->cache, &id, value);
    assert_int_equal(answer.status, STATUS_OK);
    assert_int_equal(answer.version, 9999);
    assert_int_equal(answer.expires_at_ms, expires_at_ms);
    assert_memory_equal(value, binary, sizeof binary);
}

static void test_values_up_to_the_limit_are_kept(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    static const size_t sizes[] = {0, 1, ORDER_CACHE_VALUE_MAX, ORDER_CACHE_VALUE_MAX + 1};
    char *value = malloc(ORDER_CACHE_VALUE_MAX + 1), *seen = malloc(ORDER_CACHE_VALUE_MAX + 1);
    assert_true(value && seen);
    for (size_t i = 0; i <= ORDER_CACHE_VALUE_MAX; i++)
        value[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct uuid id = cache_test_id(i);
        int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
        assert_int_equal(cache_test_put(subject->cache, &id, 1, (struct bytes){value, sizes[i]}, expires_at_ms),
                         STATUS_OK);
        struct cache_answer answer = cache_test_get(subject->cache, &id, seen);
        if (sizes[i] > ORDER_CACHE_VALUE_MAX) {
            assert_int_equal(answer.status, STATUS_NOT_FOUND);
            continue;
        }
        assert_int_equal(answer.status, STATUS_OK);
        assert_int_equal(answer.value_size, sizes[i]);
        assert_memory_equal(seen, value, sizes[i]);
    }
    free(value), free(seen);
}

static void test_entries_of_many_orders_do_not_mix(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    enum { COUNT = 2000 };
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        assert_int_equal(cache_test_put_version(subject->cache, &id, i % 7 + 1, expires_at_ms), STATUS_OK);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid id = cache_test_id(i);
        assert_version(subject->cache, &id, i % 7 + 1);
    }
}

/* --- put-if-newer --- */

static void test_versions_in_any_order_of_arrival_leave_the_highest(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    for (unsigned a = 0; a < 4 * 4 * 4 * 4; a++) {
        struct uuid id = cache_test_id(a);
        uint32_t highest = 0;
        for (unsigned i = 0; i < 4; i++) {
            uint32_t version = (a >> 2 * i & 3) + 1; /* every sequence of four out of versions 1 to 4 */
            assert_int_equal(cache_test_put_version(subject->cache, &id, version, expires_at_ms), STATUS_OK);
            if (version > highest) highest = version;
            assert_version(subject->cache, &id, highest);
        }
    }
}

static void test_a_higher_version_replaces_whatever_its_expiry(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    int64_t now_ms = subject->now_ms(subject);
    struct uuid id = cache_test_id(1);
    cache_test_put_version(subject->cache, &id, 3, now_ms + 2 * TTL_MS);
    cache_test_put_version(subject->cache, &id, 4, now_ms + TTL_MS);
    assert_version(subject->cache, &id, 4);
    assert_int_equal(cache_test_get(subject->cache, &id, NULL).expires_at_ms, now_ms + TTL_MS);
}

static void test_a_lower_version_never_replaces(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    int64_t now_ms = subject->now_ms(subject);
    struct uuid id = cache_test_id(1);
    cache_test_put_version(subject->cache, &id, 4, now_ms + TTL_MS);
    assert_int_equal(cache_test_put_version(subject->cache, &id, 3, now_ms + 2 * TTL_MS), STATUS_OK);
    assert_version(subject->cache, &id, 4);
    assert_int_equal(cache_test_get(subject->cache, &id, NULL).expires_at_ms, now_ms + TTL_MS);
}

static void test_an_equal_version_replaces_only_with_a_later_expiry(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    int64_t now_ms = subject->now_ms(subject);
    struct uuid id = cache_test_id(1);
    static const struct {
        const char *value;
        int64_t ttl_ms;
        const char *expected;
        int64_t expected_ttl_ms;
    } steps[] = {
        {"first", TTL_MS, "first", TTL_MS},
        {"same expiry", TTL_MS, "first", TTL_MS},
        {"earlier", TTL_MS - 1, "first", TTL_MS},
        {"later", TTL_MS + 1, "later", TTL_MS + 1},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char seen[16] = {0};
        assert_int_equal(cache_test_put(subject->cache, &id, 5, bytes_of(steps[i].value), now_ms + steps[i].ttl_ms),
                         STATUS_OK);
        struct cache_answer answer = cache_test_get(subject->cache, &id, seen);
        assert_int_equal(answer.version, 5);
        assert_string_equal(seen, steps[i].expected);
        assert_int_equal(answer.expires_at_ms, now_ms + steps[i].expected_ttl_ms);
    }
}

/* --- expiry --- */

static void test_an_entry_is_gone_from_its_expiry_on(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid id = cache_test_id(1), other = cache_test_id(2);
    int64_t now_ms = subject->now_ms(subject);
    cache_test_put_version(subject->cache, &id, 7, now_ms + SHORT_TTL_MS);
    cache_test_put_version(subject->cache, &other, 7, now_ms + TTL_MS);
    assert_version(subject->cache, &id, 7);
    subject->pass_ms(subject, SHORT_TTL_MS);
    assert_absent(subject->cache, &id);
    assert_version(subject->cache, &other, 7);
}

static void test_an_expired_entry_counts_as_absent_for_a_put(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid id = cache_test_id(1);
    cache_test_put_version(subject->cache, &id, 7, subject->now_ms(subject) + SHORT_TTL_MS);
    subject->pass_ms(subject, SHORT_TTL_MS);
    cache_test_put_version(subject->cache, &id, 3, subject->now_ms(subject) + TTL_MS);
    assert_version(subject->cache, &id, 3);
}

static void test_a_put_that_comes_after_its_own_expiry_is_not_made(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid absent = cache_test_id(1), present = cache_test_id(2);
    int64_t now_ms = subject->now_ms(subject);
    cache_test_put_version(subject->cache, &present, 2, now_ms + TTL_MS);
    for (int64_t late_ms = 0; late_ms <= 1; late_ms++) {
        assert_int_equal(cache_test_put_version(subject->cache, &absent, 1, now_ms - late_ms), STATUS_OK);
        assert_int_equal(cache_test_put_version(subject->cache, &present, 3, now_ms - late_ms), STATUS_OK);
    }
    assert_absent(subject->cache, &absent);
    assert_version(subject->cache, &present, 2);
}

/* --- drop, clear --- */

static void test_drop_removes_only_below_its_version(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid old = cache_test_id(1), same = cache_test_id(2), absent = cache_test_id(3);
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    cache_test_put_version(subject->cache, &old, 4, expires_at_ms);
    cache_test_put_version(subject->cache, &same, 5, expires_at_ms);
    order_cache_drop(subject->cache, &same, 5);
    order_cache_drop(subject->cache, &absent, 5);
    order_cache_drop(subject->cache, &old, 5);
    wait_for(subject->cache, &old, STATUS_NOT_FOUND);
    assert_version(subject->cache, &same, 5);
    assert_absent(subject->cache, &absent);
    cache_test_put_version(subject->cache, &old, 1, expires_at_ms);
    assert_version(subject->cache, &old, 1);
}

static void test_clear_removes_everything(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    enum { COUNT = 500 };
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    struct uuid id;
    for (uint32_t i = 0; i < COUNT; i++) {
        id = cache_test_id(i);
        cache_test_put_version(subject->cache, &id, 1, expires_at_ms);
    }
    order_cache_clear(subject->cache);
    for (uint32_t i = 0; i < COUNT; i++) {
        id = cache_test_id(i);
        wait_for(subject->cache, &id, STATUS_NOT_FOUND);
    }
    cache_test_put_version(subject->cache, &id, 1, expires_at_ms);
    assert_version(subject->cache, &id, 1);
}

/* --- ownership --- */

static void test_a_put_without_done_has_copied_when_it_returns(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid id = cache_test_id(1);
    char value[CACHE_TEST_VALUE_SIZE];
    cache_test_value(&id, 1, value);
    struct order_cache_put *put = malloc(sizeof *put);
    assert_non_null(put);
    *put = (struct order_cache_put){.order_id = id,
                                    .entry = {1, {value, sizeof value}, subject->now_ms(subject) + TTL_MS}};
    order_cache_put(subject->cache, put);
    memset(value, 'x', sizeof value);
    memset(put, 'x', sizeof *put);
    free(put);
    wait_for(subject->cache, &id, STATUS_OK);
    assert_version(subject->cache, &id, 1);
}

/* A done that uses the cache itself, and reads its entry after having replaced and dropped it. */
struct nested {
    struct order_cache_get get;
    struct order_cache_put put;
    struct order_cache *cache;
    struct completion get_ended, put_ended;
    char value[CACHE_TEST_VALUE_SIZE];
    bool was_intact;
};

static void nested_put_done(struct order_cache_put *put, enum status status) {
    struct nested *nested = put->data;
    completion_signal(&nested->put_ended);
}

static void nested_get_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct nested *nested = get->data;
    char expected[CACHE_TEST_VALUE_SIZE];
    cache_test_value(&get->order_id, 1, expected);
    order_cache_put(nested->cache, &nested->put);
    order_cache_drop(nested->cache, &get->order_id, 100);
    nested->was_intact = status == STATUS_OK && entry->version == 1 &&
                         bytes_equal(entry->value, (struct bytes){expected, sizeof expected});
    completion_signal(&nested->get_ended);
}

static void test_done_may_use_the_cache_and_keeps_its_entry(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct uuid id = cache_test_id(1);
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    cache_test_put_version(subject->cache, &id, 1, expires_at_ms);
    struct nested nested = {.cache = subject->cache, .get = {.order_id = id, .done = nested_get_done, .data = &nested}};
    cache_test_value(&id, 2, nested.value);
    nested.put = (struct order_cache_put){.order_id = id,
                                          .entry = {2, {nested.value, sizeof nested.value}, expires_at_ms},
                                          .done = nested_put_done,
                                          .data = &nested};
    completion_init(&nested.get_ended);
    completion_init(&nested.put_ended);
    order_cache_get(subject->cache, &nested.get);
    completion_wait(&nested.get_ended);
    completion_wait(&nested.put_ended);
    assert_true(nested.was_intact);
    wait_for(subject->cache, &id, STATUS_NOT_FOUND);
}

/* --- figures --- */

static void test_stats_count_what_happened(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    struct order_cache_stats before, after;
    struct uuid id = cache_test_id(1), absent = cache_test_id(2);
    int64_t now_ms = subject->now_ms(subject);
    order_cache_stats(subject->cache, &before);
    cache_test_put_version(subject->cache, &id, 2, now_ms + TTL_MS);
    cache_test_put_version(subject->cache, &id, 1, now_ms + TTL_MS);
    cache_test_put_version(subject->cache, &id, 3, now_ms - 1);
    for (int i = 0; i < 3; i++)
        cache_test_get(subject->cache, &id, NULL);
    cache_test_get(subject->cache, &absent, NULL);
    order_cache_stats(subject->cache, &after);
    assert_int_equal(after.puts - before.puts, 1);
    assert_int_equal(after.skipped - before.skipped, 2);
    assert_int_equal(after.hits - before.hits, 3);
    assert_int_equal(after.misses - before.misses, 1);
    assert_int_equal(after.errors, before.errors);
}

static void test_the_limit_in_bytes_holds_and_the_used_ones_stay(void **state) {
    struct order_cache_subject *subject = subject_of(state);
    if (!subject->limit_bytes) skip();
    enum { SIZE = 4096, ROUNDS = 4 };
    static const char value[SIZE];
    int64_t expires_at_ms = subject->now_ms(subject) + TTL_MS;
    struct uuid used = cache_test_id(0);
    cache_test_put_version(subject->cache, &used, 1, expires_at_ms);
    for (uint32_t i = 1; i <= ROUNDS * subject->limit_bytes / SIZE; i++) {
        struct uuid id = cache_test_id(i);
        struct order_cache_stats stats;
        assert_int_equal(cache_test_put(subject->cache, &id, 1, (struct bytes){value, SIZE}, expires_at_ms), STATUS_OK);
        order_cache_stats(subject->cache, &stats);
        assert_true(stats.size_bytes <= subject->limit_bytes);
        assert_true(stats.size_bytes >= stats.entries * CACHE_TEST_VALUE_SIZE);
        assert_version(subject->cache, &used, 1);
    }
    struct order_cache_stats stats;
    order_cache_stats(subject->cache, &stats);
    assert_true(stats.evictions > 0);
    assert_true(stats.size_bytes > subject->limit_bytes / 2);
    order_cache_clear(subject->cache);
    order_cache_stats(subject->cache, &stats);
    assert_int_equal(stats.size_bytes, 0);
    assert_int_equal(stats.entries, 0);
}

static void test_check_says_that_it_answers(void **state) {
    assert_int_equal(order_cache_check(subject_of(state)->cache, 5000, NULL), STATUS_OK);
}

/* --- the suite --- */

static int open_cache(void **state) {
    struct order_cache_subject *subject = *state;
    subject->cache = subject->open(subject);
    return subject->cache ? 0 : -1;
}

static int close_cache(void **state) {
    struct order_cache_subject *subject = *state;
    order_cache_close(subject->cache);
    subject->cache = NULL;
    return 0;
}

int order_cache_contract_run(struct order_cache_subject *subject) {
#define TEST(function)                                                                                                 \
    { #function, function, open_cache, close_cache, subject }
    const struct CMUnitTest tests[] = {
        TEST(test_an_order_that_was_never_put_is_not_found),
        TEST(test_an_entry_comes_back_as_it_was_put),
        TEST(test_values_up_to_the_limit_are_kept),
        TEST(test_entries_of_many_orders_do_not_mix),
        TEST(test_versions_in_any_order_of_arrival_leave_the_highest),
        TEST(test_a_higher_version_replaces_whatever_its_expiry),
        TEST(test_a_lower_version_never_replaces),
        TEST(test_an_equal_version_replaces_only_with_a_later_expiry),
        TEST(test_an_entry_is_gone_from_its_expiry_on),
        TEST(test_an_expired_entry_counts_as_absent_for_a_put),
        TEST(test_a_put_that_comes_after_its_own_expiry_is_not_made),
        TEST(test_drop_removes_only_below_its_version),
        TEST(test_clear_removes_everything),
        TEST(test_a_put_without_done_has_copied_when_it_returns),
        TEST(test_done_may_use_the_cache_and_keeps_its_entry),
        TEST(test_stats_count_what_happened),
        TEST(test_the_limit_in_bytes_holds_and_the_used_ones_stay),
        TEST(test_check_says_that_it_answers),
        TEST(test_concurrent_puts_end_at_the_highest_version),
        TEST(test_concurrent_use_gives_only_genuine_values),
    };
#undef TEST
    return cmocka_run_group_tests_name(subject->name, tests, NULL, NULL);
}
