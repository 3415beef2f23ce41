/* Random puts, gets and drops through several caches on one Redis, held against a model of a single entry each: what a
 * get shows is exactly the newest that was put and has not expired; and concurrent readers never see a version go back.
 */
#include "redis/redis_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHES 2
#define ORDERS 4
#define VERSIONS 6
#define SHORT_MS 120 /* expiries lie within it */
#define EDGE_MS 20   /* so near to an expiry the model does not know */
#ifdef ORDERLY_SLOW
#define STEPS 1500
#define ROUNDS 10
#else
#define STEPS 6000
#define ROUNDS 40
#endif

/* --- one thread, an exact model --- */

struct model {
    uint32_t version; /* 0: none */
    int64_t expires_at_ms;
};

/* Whether the expiry is passed; *knows is cleared when it is too near to say. */
static bool is_over(int64_t expires_at_ms, int64_t now_ms, bool *knows) {
    if (now_ms > expires_at_ms - EDGE_MS && now_ms < expires_at_ms + EDGE_MS) *knows = false;
    return now_ms >= expires_at_ms;
}

static void model_put(struct model *model, uint32_t version, int64_t expires_at_ms, int64_t now_ms, bool *knows) {
    if (is_over(expires_at_ms, now_ms, knows)) return;
    bool is_there = model->version > 0 && !is_over(model->expires_at_ms, now_ms, knows);
    bool stays =
        is_there && (model->version > version || (model->version == version && model->expires_at_ms >= expires_at_ms));
    if (!stays) *model = (struct model){version, expires_at_ms};
}

struct walk {
    struct fixture *fixture;
    struct order_cache *caches[CACHES];
    struct random_seeded random;
    struct model models[ORDERS];
    bool knows[ORDERS]; /* the model says what is there */
    uint64_t first_id;
    unsigned compared, found;
};

static uint64_t below(struct walk *walk, uint64_t bound) {
    return random_below(&walk->random.base, bound);
}

/* Beside an expiry nobody knows what happened: the order is given up for a new one. */
static void forget_unknown(struct walk *walk, size_t order) {
    if (walk->knows[order]) return;
    walk->models[order] = (struct model){0};
    walk->knows[order] = true;
    walk->first_id += ORDERS;
    for (size_t i = 0; i < ORDERS; i++)
        walk->models[i] = (struct model){0};
}

static void compare(struct walk *walk, struct order_cache *cache, size_t order, const struct uuid *id) {
    struct cache_answer answer = cache_test_get(cache, id, NULL);
    int64_t now_ms = fixture_now_ms(walk->fixture);
    const struct model *model = &walk->models[order];
    bool is_there = model->version > 0 && !is_over(model->expires_at_ms, now_ms, &walk->knows[order]);
    if (!walk->knows[order]) return;
    walk->compared++;
    walk->found += is_there;
    assert_int_equal(answer.status, is_there ? STATUS_OK : STATUS_NOT_FOUND);
    if (!is_there) return;
    assert_int_equal(answer.version, model->version);
    assert_int_equal(answer.expires_at_ms, model->expires_at_ms);
    assert_true(answer.is_genuine);
}

static void step(struct walk *walk) {
    size_t order = below(walk, ORDERS);
    struct order_cache *cache = walk->caches[below(walk, CACHES)];
    struct uuid id = cache_test_id(walk->first_id + order);
    uint32_t version = 1 + (uint32_t)below(walk, VERSIONS);
    int64_t now_ms = fixture_now_ms(walk->fixture);
    int64_t expires_at_ms = now_ms - 2 * EDGE_MS + (int64_t)below(walk, SHORT_MS);
    switch (below(walk, 8)) {
    case 0:
        order_cache_drop(cache, &id, version);
        cache_test_get(cache, &id, NULL); /* behind the drop on the same connection: now it is through */
        if (walk->models[order].version < version) walk->models[order].version = 0;
        break;
    case 1:
    case 2:
    case 3:
        assert_int_equal(cache_test_put_version(cache, &id, version, expires_at_ms), STATUS_OK);
        model_put(&walk->models[order], version, expires_at_ms, now_ms, &walk->knows[order]);
        model_put(&(struct model){0}, version, expires_at_ms, fixture_now_ms(walk->fixture), &walk->knows[order]);
        break;
    default: compare(walk, cache, order, &id);
    }
    forget_unknown(walk, order);
}

static void test_what_is_shown_is_the_newest_that_has_not_expired(void **state) {
    struct walk walk = {.fixture = *state, .first_id = 1};
    uint64_t seed;
    random_fill(random_system(), &seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    random_seeded_init(&walk.random, seed);
    fixture_open(walk.fixture);
    walk.caches[0] = walk.fixture->cache;
    walk.caches[1] = fixture_open_another(walk.fixture);
    for (size_t i = 0; i < ORDERS; i++)
        walk.knows[i] = true;
    for (int i = 0; i < STEPS; i++)
        step(&walk);
    order_cache_close(walk.caches[1]);
    print_message("%u gets compared, %u of them found\n", walk.compared, walk.found);
    assert_true(walk.found > STEPS / 20);
}

/* --- many threads: within its expiry a version is never followed by a lower one --- */

struct race {
    struct order_cache *caches[CACHES];
    struct fixture *fixture;
    struct uuid id;
    int64_t expires_at_ms; /* of every version: while it lasts, nothing may go back or vanish */
    atomic_uint highest;   /* seen by any reader */
    atomic_uint steps_back, wrong, next_seed;
};

static void look(struct race *race, struct order_cache *cache) {
    unsigned floor = race->highest;
    struct cache_answer answer = cache_test_get(cache, &race->id, NULL);
    if (answer.status == STATUS_OK && answer.expires_at_ms != race->expires_at_ms) race->wrong++;
    if (answer.status == STATUS_OK && !answer.is_genuine) race->wrong++;
    if (fixture_now_ms(race->fixture) >= race->expires_at_ms) return;
    if (answer.status != STATUS_OK && answer.status != STATUS_NOT_FOUND) race->wrong++;
    unsigned seen = answer.status == STATUS_OK ? answer.version : 0;
    if (seen < floor) race->steps_back++;
    while (seen > floor && !atomic_compare_exchange_weak(&race->highest, &floor, seen))
        ;
}

static void *racer(void *data) {
    struct race *race = data;
    struct random_seeded random;
    unsigned number = atomic_fetch_add(&race->next_seed, 1);
    random_seeded_init(&random, number);
    struct order_cache *cache = race->caches[number % CACHES];
    while (fixture_now_ms(race->fixture) < race->expires_at_ms) {
        uint32_t version = race->highest + (uint32_t)random_below(&random.base, 3); /* often one that is old by then */
        if (random_below(&random.base, 3) == 0)
            cache_test_put_version(cache, &race->id, version ? version : 1, race->expires_at_ms);
        else
            look(race, cache);
    }
    if (cache_test_get(cache, &race->id, NULL).status != STATUS_NOT_FOUND) race->wrong++; /* all is over */
    return NULL;
}

static void test_no_version_goes_back_within_its_expiry(void **state) {
    struct fixture *fixture = *state;
    enum { RACERS = 4 };
    fixture_open(fixture);
    struct order_cache *other = fixture_open_another(fixture);
    unsigned highest = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct race race = {.caches = {fixture->cache, other},
                            .fixture = fixture,
                            .id = cache_test_id(round),
                            .expires_at_ms = fixture_now_ms(fixture) + SHORT_MS,
                            .next_seed = round * RACERS};
        pthread_t threads[RACERS];
        for (int i = 0; i < RACERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, racer, &race), 0);
        for (int i = 0; i < RACERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(race.steps_back, 0);
        assert_int_equal(race.wrong, 0);
        if (race.highest > highest) highest = race.highest;
    }
    order_cache_close(other);
    assert_true(highest > 3);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_shown_is_the_newest_that_has_not_expired),
        TEST(test_no_version_goes_back_within_its_expiry),
    };
#undef TEST
    return cmocka_run_group_tests_name("redis cache: properties", tests, NULL, NULL);
}
