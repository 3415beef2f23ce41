/* What an order store should show, in plain memory: an array, filtered and sorted anew for every question. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PAGE_LIMIT 37 /* no divisor of the tests' counts */

void model_init(struct store_model *model, struct arena *arena, size_t capacity) {
    *model = (struct store_model){.arena = arena, .capacity = capacity};
    model->orders = store_test_alloc(arena, capacity, sizeof *model->orders);
}

void model_show(struct store_model *model, const struct order *order) {
    for (size_t i = 0; i < model->count; i++) {
        if (!uuid_equal(&model->orders[i]->order_id, &order->order_id)) continue;
        if (model->orders[i]->version < order->version) model->orders[i] = order;
        return;
    }
    assert_true(model->count < model->capacity);
    model->orders[model->count++] = order;
}

bool order_comes_before(const struct order *a, const struct order *b) {
    if (a->created_at_ms != b->created_at_ms) return a->created_at_ms > b->created_at_ms;
    return uuid_compare(&a->order_id, &b->order_id) > 0;
}

static int compare(const void *left, const void *right) {
    const struct order *a = *(const struct order *const *)left, *b = *(const struct order *const *)right;
    return order_comes_before(a, b) ? -1 : order_comes_before(b, a);
}

static bool passes(const struct order *order, const struct order_store_list *filter) {
    if (filter->customer_name.data && !bytes_equal(order->customer_name, filter->customer_name)) return false;
    if (filter->has_status && order->status != filter->status) return false;
    if (filter->created_after_ms && order->created_at_ms <= filter->created_after_ms) return false;
    return !filter->created_before_ms || order->created_at_ms < filter->created_before_ms;
}

const struct order **model_list(const struct store_model *model, const struct order_store_list *filter,
                                size_t *count_out) {
    const struct order **orders = store_test_alloc(model->arena, model->count, sizeof *orders);
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++)
        if (passes(model->orders[i], filter)) orders[count++] = model->orders[i];
    if (count) qsort(orders, count, sizeof *orders, compare);
    *count_out = count;
    return orders;
}

void assert_lists(struct order_store *store, const struct store_model *model, const struct order_store_list *filter) {
    const struct order *orders;
    size_t count, expected_count;
    const struct order **expected = model_list(model, filter, &expected_count);
    assert_int_equal(store_test_list_all(store, model->arena, filter, &orders, &count), STATUS_OK);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_true(order_equal(&orders[i], expected[i]));
}

void assert_all_lists(struct order_store *store, const struct store_model *model, const char *const *customers,
                      size_t customer_count) {
    assert_lists(store, model, &(struct order_store_list){.limit = PAGE_LIMIT});
    for (int status = 0; status < ORDER_STATUS_COUNT; status++)
        assert_lists(
            store, model,
            &(struct order_store_list){.has_status = true, .status = (enum order_status)status, .limit = PAGE_LIMIT});
    for (size_t i = 0; i < customer_count; i++)
        assert_lists(store, model,
                     &(struct order_store_list){.customer_name = bytes_of(customers[i]), .limit = PAGE_LIMIT});
}
