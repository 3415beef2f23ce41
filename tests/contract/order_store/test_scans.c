/* Scans: the walk over all orders, for export. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

#define ORDERS 500

/* Applies count new orders and shows them to the model. */
static void insert(struct order_store_subject *subject, struct random *random, struct store_model *model,
                   size_t count) {
    struct order_store_change *changes = store_test_alloc(&subject->arena, count, sizeof *changes);
    for (size_t i = 0; i < count; i++) {
        struct history_row *row = sample_row(&subject->arena, random, "Ada", SAMPLE_TIME_MS + (int64_t)(i / 3));
        changes[i] = (struct order_store_change){NULL, row};
        model_show(model, &row->order);
    }
    assert_int_equal(store_test_apply(subject->store, changes, count), STATUS_OK);
}

/* Each order of `orders` is one of the model's, and none comes twice; returns how many of the first `old_count` came.
 */
static size_t count_old(const struct store_model *model, size_t old_count, const struct order *orders, size_t count) {
    size_t old = 0;
    bool *came = store_test_alloc(model->arena, model->count, sizeof *came);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < model->count && !uuid_equal(&model->orders[at]->order_id, &orders[i].order_id))
            at++;
        assert_true(at < model->count);
        assert_false(came[at]);
        assert_true(order_equal(model->orders[at], &orders[i]));
        came[at] = true;
        old += at < old_count;
    }
    return old;
}

void test_a_scan_gives_each_order_once(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const size_t limits[] = {1, 7, 100, 499, 500, 501, ORDER_STORE_BATCH_MAX};
    struct random_seeded random;
    random_seeded_init(&random, 5);
    struct store_model model;
    model_init(&model, &subject->arena, ORDERS);
    const struct order *orders;
    size_t count = 1;
    assert_int_equal(store_test_scan_all(subject->store, &subject->arena, 10, &orders, &count), STATUS_OK);
    assert_int_equal(count, 0);
    insert(subject, &random.base, &model, ORDERS);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(store_test_scan_all(subject->store, &subject->arena, limits[i], &orders, &count), STATUS_OK);
        assert_int_equal(count, ORDERS);
        assert_int_equal(count_old(&model, ORDERS, orders, count), ORDERS);
    }
}

void test_a_scan_gives_each_order_once_while_others_are_inserted(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 6);
    enum { ROOM = 4 * ORDERS, PAGE = 20, INSERTED = 10 };
    struct store_model model;
    model_init(&model, &subject->arena, ROOM);
    insert(subject, &random.base, &model, ORDERS);
    struct order *seen = store_test_alloc(&subject->arena, ROOM, sizeof *seen);
    size_t seen_count = 0;
    struct order_store_cursor cursor = {.size = 0};
    do {
        struct store_page page;
        assert_int_equal(store_test_scan(subject->store, &subject->arena, &cursor, PAGE, &page), STATUS_OK);
        assert_true(seen_count + page.count <= ROOM);
        if (page.count) memcpy(seen + seen_count, page.orders, page.count * sizeof *seen);
        seen_count += page.count;
        cursor = page.next;
        insert(subject, &random.base, &model, INSERTED);
    } while (cursor.size);
    assert_int_equal(count_old(&model, ORDERS, seen, seen_count), ORDERS);
}
