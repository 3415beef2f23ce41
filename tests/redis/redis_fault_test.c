/* A Redis that is killed, frozen and started again under load: every request gets its done once and in time, no read
 * shows what was never put, and the cache helps again afterwards, with nothing done by hand. */
#include "redis/redis_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define TTL_MS 60000
#define CALL_TIMEOUT_MS 50
#define THREADS 2
#define SLOTS 64 /* requests of one thread that are under way at most */
#define ORDERS 16
#define PAUSE_NS 200000 /* between two requests of one thread */
#ifdef ORDERLY_SLOW
#define ROUNDS 2
#else
#define ROUNDS 4
#endif

struct load;

struct slot {
    struct order_cache_get get;
    struct order_cache_put put;
    struct load *load;
    int64_t started_ms;
    char value[CACHE_TEST_VALUE_SIZE];
    atomic_bool is_busy;
};

struct load {
    struct order_cache *cache;
    struct fixture *fixture;
    atomic_bool ends;
    atomic_uint next_seed;
    atomic_uint submitted, ended, doubled, strange, good; /* good: gets that found something */
    atomic_int longest_ms;
    struct slot slots[THREADS][SLOTS];
};

static void note_end(struct slot *slot) {
    struct load *load = slot->load;
    int took_ms = (int)(fixture_monotonic_ms() - slot->started_ms);
    int longest_ms = load->longest_ms;
    while (took_ms > longest_ms && !atomic_compare_exchange_weak(&load->longest_ms, &longest_ms, took_ms))
        ;
    load->ended++;
    if (!atomic_exchange(&slot->is_busy, false)) load->doubled++;
}

static void get_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct slot *slot = get->data;
    if (status == STATUS_OK) {
        char expected[CACHE_TEST_VALUE_SIZE];
        cache_test_value(&get->order_id, entry->version, expected);
        if (!bytes_equal(entry->value, (struct bytes){expected, sizeof expected})) slot->load->strange++;
        slot->load->good++;
    }
    note_end(slot);
}

static void put_done(struct order_cache_put *put, enum status status) {
    note_end(put->data);
}

static void submit(struct load *load, struct slot *slot, struct random *random) {
    struct uuid id = cache_test_id(random_below(random, ORDERS));
    slot->load = load;
    slot->started_ms = fixture_monotonic_ms();
    load->submitted++;
    atomic_store(&slot->is_busy, true);
    if (random_below(random, 2)) {
        slot->get = (struct order_cache_get){.order_id = id, .done = get_done, .data = slot};
        order_cache_get(load->cache, &slot->get);
        return;
    }
    uint32_t version = 1 + (uint32_t)random_below(random, 1000);
    cache_test_value(&id, version, slot->value);
    slot->put = (struct order_cache_put){
        .order_id = id,
        .entry = {version, {slot->value, sizeof slot->value}, fixture_now_ms(load->fixture) + TTL_MS},
        .done = put_done,
        .data = slot};
    order_cache_put(load->cache, &slot->put);
}

static void *member(void *data) {
    struct load *load = data;
    struct random_seeded random;
    unsigned number = atomic_fetch_add(&load->next_seed, 1);
    random_seeded_init(&random, number);
    for (unsigned i = 0; !load->ends; i++) {
        struct slot *slot = &load->slots[number][i % SLOTS];
        if (!slot->is_busy) submit(load, slot, &random.base);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return NULL;
}

/* Enough requests meet the state that Redis is in now. */
static bool has_gone_on(void *data) {
    struct load *load = ((void **)data)[0];
    return load->submitted >= *(unsigned *)((void **)data)[1];
}

static void let_go_on(struct load *load, unsigned count) {
    unsigned until = load->submitted + count;
    void *data[] = {load, &until};
    assert_true(fixture_wait(has_gone_on, data));
}

static bool has_found_more(void *data) {
    struct load *load = ((void **)data)[0];
    return load->good > *(unsigned *)((void **)data)[1];
}

/* The cache helps again: gets find what is put. */
static void let_help(struct load *load) {
    unsigned before = load->good;
    void *data[] = {load, &before};
    assert_true(fixture_wait(has_found_more, data));
}

static bool all_ended(void *data) {
    struct load *load = data;
    return load->ended == load->submitted;
}

static void restart(struct load *load) {
    redis_server_kill(&load->fixture->server);
    let_go_on(load, 500);
    redis_server_start(&load->fixture->server);
}

static void freeze_shortly(struct load *load) {
    redis_server_freeze(&load->fixture->server);
    let_go_on(load, 20);
    redis_server_thaw(&load->fixture->server);
}

static void freeze_long(struct load *load) {
    redis_server_freeze(&load->fixture->server);
    let_go_on(load, 1000); /* most of them with the circuit open */
    redis_server_thaw(&load->fixture->server);
}

static void kill_frozen(struct load *load) {
    redis_server_freeze(&load->fixture->server);
    let_go_on(load, 200);
    restart(load);
}

static void forget_scripts(struct load *load) {
    free(redis_server_ask(&load->fixture->server, "SCRIPT FLUSH"));
}

static void cut_connections(struct load *load) {
    free(redis_server_ask(&load->fixture->server, "CLIENT KILL TYPE normal SKIPME yes"));
}

static void test_faults_under_load(void **state) {
    static void (*const faults[])(struct load * load) = {restart,     freeze_shortly, freeze_long,
                                                         kill_frozen, forget_scripts, cut_connections};
    struct fixture *fixture = *state;
    fixture->options.timeout_ms = CALL_TIMEOUT_MS;
    fixture->options.connect_timeout_ms = 200;
    fixture_open(fixture);
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    load->cache = fixture->cache;
    load->fixture = fixture;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, member, load), 0);
    for (int i = 0; i < ROUNDS * (int)(sizeof faults / sizeof *faults); i++) {
        let_help(load);
        faults[i % (sizeof faults / sizeof *faults)](load);
    }
    let_help(load);
    load->ends = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(fixture_wait(all_ended, load));
    print_message("%u requests, the longest %d ms (limit %d)\n", load->ended, load->longest_ms, CALL_TIMEOUT_MS);
    assert_int_equal(load->doubled, 0);
    assert_int_equal(load->strange, 0);
    assert_true(load->longest_ms <= CALL_TIMEOUT_MS + SLACK_MS);
    free(load);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_faults_under_load, fixture_setup, fixture_teardown)};
    return cmocka_run_group_tests_name("redis cache: faults", tests, NULL, NULL);
}
