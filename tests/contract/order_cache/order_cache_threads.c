/* The order cache under several threads at once. */
#include "contract/order_cache/order_cache_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/random.h"

#define TTL_MS 60000
#define THREADS 4
#define ROUNDS 4000 /* of one thread */
#define ORDERS 8
#define VERSIONS 200

struct crowd {
    struct order_cache *cache;
    int64_t expires_at_ms;
    bool drops;           /* then versions may be seen to go back */
    atomic_uint failures; /* cmocka's assertions work on the main thread only */
    atomic_uint next_seed;
};

static void expect(struct crowd *crowd, bool holds) {
    if (!holds) atomic_fetch_add(&crowd->failures, 1);
}

/* Reads, checks that the value is the version's own and that no version goes back for this reader. */
static void look(struct crowd *crowd, uint64_t number, uint32_t *highest_seen) {
    struct uuid id = cache_test_id(number);
    struct cache_answer answer = cache_test_get(crowd->cache, &id, NULL);
    if (answer.status != STATUS_OK) {
        expect(crowd, answer.status == STATUS_NOT_FOUND && (crowd->drops || *highest_seen == 0));
        return;
    }
    expect(crowd, answer.is_genuine);
    expect(crowd, crowd->drops || answer.version >= *highest_seen);
    *highest_seen = answer.version;
}

static void *member(void *data) {
    struct crowd *crowd = data;
    struct random_seeded random;
    random_seeded_init(&random, atomic_fetch_add(&crowd->next_seed, 1));
    uint32_t highest_seen[ORDERS] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = random_below(&random.base, ORDERS);
        struct uuid id = cache_test_id(number);
        uint32_t version = 1 + (uint32_t)random_below(&random.base, VERSIONS);
        switch (random_below(&random.base, 4)) {
        case 0: look(crowd, number, &highest_seen[number]); break;
        case 1:
            if (crowd->drops) {
                if (version == VERSIONS)
                    order_cache_clear(crowd->cache);
                else
                    order_cache_drop(crowd->cache, &id, version);
                break;
            }
            /* fallthrough */
        default:
            expect(crowd, cache_test_put_version(crowd->cache, &id, version, crowd->expires_at_ms) == STATUS_OK);
            look(crowd, number, &highest_seen[number]);
        }
    }
    /* Every thread has put the highest version of each order when it ends. */
    for (uint64_t number = 0; number < ORDERS; number++) {
        struct uuid id = cache_test_id(number);
        expect(crowd, cache_test_put_version(crowd->cache, &id, VERSIONS, crowd->expires_at_ms) == STATUS_OK);
    }
    return NULL;
}

static void run(struct crowd *crowd) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, member, crowd), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd->failures), 0);
}

void test_concurrent_puts_end_at_the_highest_version(void **state) {
    struct order_cache_subject *subject = *state;
    struct crowd crowd = {.cache = subject->cache, .expires_at_ms = subject->now_ms(subject) + TTL_MS};
    run(&crowd);
    for (uint64_t number = 0; number < ORDERS; number++) {
        struct uuid id = cache_test_id(number);
        struct cache_answer answer = cache_test_get(subject->cache, &id, NULL);
        assert_int_equal(answer.status, STATUS_OK);
        assert_int_equal(answer.version, VERSIONS);
        assert_true(answer.is_genuine);
    }
}

void test_concurrent_use_gives_only_genuine_values(void **state) {
    struct order_cache_subject *subject = *state;
    struct crowd crowd = {.cache = subject->cache, .expires_at_ms = subject->now_ms(subject) + TTL_MS, .drops = true};
    run(&crowd);
}
