/* Many operations through one cache: pipelined, and at flat memory, also when none waits for an answer. */
#include "redis/redis_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TTL_MS 60000
#define ORDERS 512
#define BATCH 256 /* under way at once */
#ifdef ORDERLY_SLOW
#define OPERATIONS 20000 /* a sanitizer keeps freed memory: its size says nothing */
#define GROWTH_MAX_KIB (1 << 30)
#else
#define OPERATIONS 200000
#define GROWTH_MAX_KIB 2048
#endif

static long rss_anon_kib(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    long kib = -1;
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0) kib = atol(line + 8);
    if (file) fclose(file);
    return kib;
}

struct batch {
    struct order_cache_get gets[BATCH];
    struct order_cache_put puts[BATCH];
    atomic_int left, failed;
};

static void get_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct batch *batch = get->data;
    batch->failed += status != STATUS_OK && status != STATUS_NOT_FOUND;
    batch->left--;
}

static void put_done(struct order_cache_put *put, enum status status) {
    struct batch *batch = put->data;
    batch->failed += status != STATUS_OK;
    batch->left--;
}

static bool has_ended(void *data) {
    return ((struct batch *)data)->left == 0;
}

static void run(struct fixture *fixture, struct batch *batch, int operations) {
    static char value[1000];
    int64_t expires_at_ms = fixture_now_ms(fixture) + TTL_MS;
    for (int done = 0; done < operations; done += 3 * BATCH) {
        batch->left = 2 * BATCH;
        for (int i = 0; i < BATCH; i++) {
            struct uuid id = cache_test_id((uint64_t)(done + i) % ORDERS);
            struct order_cache_entry entry = {(uint32_t)done + 1, {value, sizeof value}, expires_at_ms};
            struct order_cache_put lone = {.order_id = id, .entry = entry};
            lone.entry.version++;
            batch->puts[i] = (struct order_cache_put){.order_id = id, .entry = entry, .done = put_done, .data = batch};
            batch->gets[i] = (struct order_cache_get){.order_id = id, .done = get_done, .data = batch};
            order_cache_put(fixture->cache, &batch->puts[i]);
            order_cache_get(fixture->cache, &batch->gets[i]);
            order_cache_put(fixture->cache, &lone);
        }
        assert_true(fixture_wait(has_ended, batch));
    }
}

static void test_memory_is_flat(void **state) {
    struct fixture *fixture = *state;
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    fixture_open(fixture);
    run(fixture, batch, OPERATIONS / 10);
    long before_kib = rss_anon_kib();
    int64_t started_ms = fixture_monotonic_ms();
    run(fixture, batch, OPERATIONS);
    int64_t took_ms = fixture_monotonic_ms() - started_ms;
    long after_kib = rss_anon_kib();
    print_message("%d operations in %d ms, RssAnon %ld KiB, then %ld KiB\n", OPERATIONS, (int)took_ms, before_kib,
                  after_kib);
    assert_int_equal(batch->failed, 0);
    assert_true(before_kib > 0 && after_kib - before_kib < GROWTH_MAX_KIB);
    free(batch);
}

/* Redis being away costs no memory either. */
static void test_memory_is_flat_without_redis(void **state) {
    struct fixture *fixture = *state;
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    redis_server_kill(&fixture->server);
    fixture_open_only(fixture);
    run(fixture, batch, OPERATIONS / 10);
    long before_kib = rss_anon_kib();
    run(fixture, batch, OPERATIONS);
    assert_true(rss_anon_kib() - before_kib < GROWTH_MAX_KIB);
    free(batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_is_flat, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_flat_without_redis, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("redis cache: load", tests, NULL, NULL);
}
