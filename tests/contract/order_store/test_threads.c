/* The order store under several threads at once. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/random.h"

#define WRITERS 4
#define READERS 3
#define ORDERS 40
#define VERSIONS 6
#define CHANGES (ORDERS * VERSIONS)

static const char *const customers[] = {"Ada", "Grace", "Linus"};
static const enum order_status steps[] = {ORDER_CONFIRMED, ORDER_PAID, ORDER_SHIPPED, ORDER_DELIVERED, ORDER_REFUNDED};

struct crowd {
    struct order_store *store;
    struct order_store_change changes[CHANGES]; /* version by version: index = (version - 1) * ORDERS + order */
    atomic_uint failures;                       /* cmocka's assertions work on the main thread only */
    atomic_uint next_seed;
    atomic_bool writer_has_ended;
};

static void expect(struct crowd *crowd, bool holds) {
    if (!holds) atomic_fetch_add(&crowd->failures, 1);
}

/* Versions change the status and, now and then, the customer. */
static struct crowd *crowd_new(struct order_store_subject *subject) {
    struct crowd *crowd = store_test_alloc(&subject->arena, 1, sizeof *crowd);
    struct random_seeded random;
    random_seeded_init(&random, 77);
    crowd->store = subject->store;
    for (size_t i = 0; i < CHANGES; i++) {
        const struct history_row *before = i < ORDERS ? NULL : crowd->changes[i - ORDERS].after;
        size_t version = i / ORDERS;
        struct history_row *row =
            before ? sample_transition(&subject->arena, &random.base, before, steps[version - 1])
                   : sample_row(&subject->arena, &random.base, customers[0], SAMPLE_TIME_MS + (int64_t)(i / 3));
        row->order.customer_name = bytes_of(customers[(i * 7 + version) % 3]);
        crowd->changes[i] = (struct order_store_change){before ? &before->order : NULL, row};
    }
    return crowd;
}

/* --- writers that disagree about the order of things --- */

static void shuffle(struct random *random, struct order_store_change *changes, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, i);
        struct order_store_change change = changes[i - 1];
        changes[i - 1] = changes[other];
        changes[other] = change;
    }
}

static void *write_shuffled(void *data) {
    struct crowd *crowd = data;
    struct random_seeded random;
    random_seeded_init(&random, atomic_fetch_add(&crowd->next_seed, 1));
    struct arena arena;
    arena_init(&arena, 65536, STORE_TEST_ARENA_MAX);
    uint32_t highest_seen[ORDERS] = {0};
    struct order_store_change mine[CHANGES];
    memcpy(mine, crowd->changes, sizeof mine);
    shuffle(&random.base, mine, CHANGES);
    for (size_t i = 0; i < CHANGES; i++) {
        expect(crowd, store_test_apply(crowd->store, &mine[i], 1) == STATUS_OK);
        size_t at = random_below(&random.base, ORDERS);
        struct order order = {0};
        enum status status =
            store_test_get(crowd->store, &arena, &crowd->changes[at].after->order.order_id, &order, NULL);
        expect(crowd, status == STATUS_OK || (status == STATUS_NOT_FOUND && highest_seen[at] == 0));
        expect(crowd, order.version >= highest_seen[at]);
        highest_seen[at] = order.version;
    }
    for (size_t version = 0; version < VERSIONS; version++) /* again, in order and together */
        expect(crowd, store_test_apply(crowd->store, &crowd->changes[version * ORDERS], ORDERS) == STATUS_OK);
    arena_free(&arena);
    return NULL;
}

void test_threads_that_repeat_and_shuffle_applies_agree(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct crowd *crowd = crowd_new(subject);
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_shuffled, crowd), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd->failures), 0);

    struct store_model model;
    model_init(&model, &subject->arena, ORDERS);
    for (size_t i = 0; i < ORDERS; i++) {
        const struct history_row *last = crowd->changes[CHANGES - ORDERS + i].after, *rows;
        size_t count;
        model_show(&model, &last->order);
        assert_int_equal(
            store_test_history(subject->store, &subject->arena, &last->order.order_id, 1, 100, &rows, &count),
            STATUS_OK);
        assert_int_equal(count, VERSIONS);
        for (size_t version = 0; version < VERSIONS; version++)
            assert_true(history_row_equal(&rows[version], crowd->changes[version * ORDERS + i].after));
    }
    assert_all_lists(subject->store, &model, customers, 3);
}

/* --- readers beside a writer --- */

/* One walk over a list: in order, and of what the filter asks for. */
static size_t walk(struct crowd *crowd, struct arena *arena, const struct order_store_list *filter) {
    const struct order *orders;
    size_t count = 0;
    expect(crowd, store_test_list_all(crowd->store, arena, filter, &orders, &count) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        if (i) expect(crowd, order_comes_before(&orders[i - 1], &orders[i]));
        if (filter->has_status) expect(crowd, orders[i].status == filter->status);
        if (filter->customer_name.data) expect(crowd, bytes_equal(orders[i].customer_name, filter->customer_name));
    }
    return count;
}

static void *read_lists(void *data) {
    struct crowd *crowd = data;
    struct random_seeded random;
    random_seeded_init(&random, atomic_fetch_add(&crowd->next_seed, 1));
    struct arena arena;
    arena_init(&arena, 65536, STORE_TEST_ARENA_MAX);
    uint32_t highest_seen[ORDERS] = {0};
    bool last_round;
    do {
        last_round = atomic_load(&crowd->writer_has_ended);
        size_t limit = 1 + random_below(&random.base, 20), scanned = 0;
        const struct order *orders;
        expect(crowd, walk(crowd, &arena, &(struct order_store_list){.limit = limit}) == ORDERS);
        for (int status = 0; status < ORDER_STATUS_COUNT; status++)
            walk(crowd, &arena,
                 &(struct order_store_list){.limit = limit, .has_status = true, .status = (enum order_status)status});
        for (int i = 0; i < 3; i++)
            walk(crowd, &arena, &(struct order_store_list){.limit = limit, .customer_name = bytes_of(customers[i])});
        expect(crowd, store_test_scan_all(crowd->store, &arena, limit, &orders, &scanned) == STATUS_OK);
        expect(crowd, scanned == ORDERS);
        for (size_t at = 0; at < ORDERS; at++) {
            struct order order = {0};
            expect(crowd, store_test_get(crowd->store, &arena, &crowd->changes[at].after->order.order_id, &order,
                                         NULL) == STATUS_OK);
            expect(crowd, order.version >= highest_seen[at] && order.version <= VERSIONS);
            if (order.version >= 1 && order.version <= VERSIONS)
                expect(crowd, order_equal(&order, &crowd->changes[(order.version - 1) * ORDERS + at].after->order));
            highest_seen[at] = order.version;
        }
        arena_reset(&arena);
    } while (!last_round);
    for (size_t at = 0; at < ORDERS; at++)
        expect(crowd, highest_seen[at] == VERSIONS);
    arena_free(&arena);
    return NULL;
}

void test_readers_see_consistent_pages_while_a_writer_works(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct crowd *crowd = crowd_new(subject);
    pthread_t readers[READERS];
    assert_int_equal(store_test_apply(subject->store, crowd->changes, ORDERS), STATUS_OK);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_lists, crowd), 0);
    for (size_t i = ORDERS; i < CHANGES; i++)
        expect(crowd, store_test_apply(crowd->store, &crowd->changes[i], 1) == STATUS_OK);
    atomic_store(&crowd->writer_has_ended, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&crowd->failures), 0);
}
