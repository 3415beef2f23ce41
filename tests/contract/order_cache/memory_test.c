/* The contract of the order cache, held against the cache in memory; and what only that one promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "contract/order_cache/order_cache_contract.h"
#include "order_cache/memory.h"

#define LIMIT_BYTES (8u << 20)
#define START_MS 1790000000000
#define SMALL_LIMIT_BYTES (1u << 20) /* small enough for a single shard: the order of use is that of all entries */

struct memory_subject {
    struct order_cache_subject base;
    struct clock_manual clock;
};

static struct order_cache *open_memory(struct order_cache_subject *subject) {
    return order_cache_memory_new(&((struct memory_subject *)subject)->clock.base, subject->limit_bytes);
}

static int64_t now_ms(struct order_cache_subject *subject) {
    return clock_wall_ms(&((struct memory_subject *)subject)->clock.base);
}

static void pass_ms(struct order_cache_subject *subject, int64_t ms) {
    clock_manual_advance(&((struct memory_subject *)subject)->clock, ms);
}

static void test_the_longest_unused_go_first(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, START_MS);
    struct order_cache *cache = order_cache_memory_new(&clock.base, SMALL_LIMIT_BYTES);
    assert_non_null(cache);
    enum { SIZE = SMALL_LIMIT_BYTES / 5, FIT = 4 };
    static const char value[SIZE];
    struct uuid ids[FIT + 2];
    for (int i = 0; i < FIT + 2; i++)
        ids[i] = cache_test_id((uint64_t)i);
    for (int i = 0; i < FIT; i++)
        cache_test_put(cache, &ids[i], 1, (struct bytes){value, SIZE}, START_MS + 1000);
    assert_int_equal(cache_test_get(cache, &ids[0], NULL).status, STATUS_OK);
    cache_test_put(cache, &ids[2], 2, (struct bytes){value, SIZE}, START_MS + 1000);
    for (int i = FIT; i < FIT + 2; i++)
        cache_test_put(cache, &ids[i], 1, (struct bytes){value, SIZE}, START_MS + 1000);
    static const enum status expected[] = {STATUS_OK,        STATUS_NOT_FOUND, STATUS_OK,
                                           STATUS_NOT_FOUND, STATUS_OK,        STATUS_OK};
    for (int i = 0; i < FIT + 2; i++)
        assert_int_equal(cache_test_get(cache, &ids[i], NULL).status, expected[i]);
    order_cache_close(cache);
}

static void test_a_newer_version_that_is_not_kept_takes_the_older_away(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, START_MS);
    struct order_cache *cache = order_cache_memory_new(&clock.base, 4096);
    assert_non_null(cache);
    static const char value[4096];
    struct uuid id = cache_test_id(1);
    cache_test_put_version(cache, &id, 1, START_MS + 1000);
    assert_int_equal(cache_test_get(cache, &id, NULL).status, STATUS_OK);
    assert_int_equal(cache_test_put(cache, &id, 2, (struct bytes){value, sizeof value}, START_MS + 1000), STATUS_OK);
    assert_int_equal(cache_test_get(cache, &id, NULL).status, STATUS_NOT_FOUND);
    order_cache_close(cache);
    order_cache_close(NULL);
}

int main(void) {
    struct memory_subject subject = {.base = {.name = "order_cache on memory",
                                              .open = open_memory,
                                              .now_ms = now_ms,
                                              .pass_ms = pass_ms,
                                              .limit_bytes = LIMIT_BYTES}};
    clock_manual_init(&subject.clock, START_MS);
    const struct CMUnitTest own[] = {
        cmocka_unit_test(test_the_longest_unused_go_first),
        cmocka_unit_test(test_a_newer_version_that_is_not_kept_takes_the_older_away),
    };
    int failures = order_cache_contract_run(&subject.base);
    return failures + cmocka_run_group_tests_name("memory cache", own, NULL, NULL);
}
