/* Lists: filters, pages, and what moves between them. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

#define ORDERS 1000

/* Orders in the store and in a model, so many to each moment that pages end within a tie. */
struct stock {
    struct store_model model;
    struct random_seeded random;
    const struct history_row **rows;
    size_t count;
};

static void stock_fill(struct order_store_subject *subject, struct stock *stock, const char *customer, size_t count,
                       size_t per_moment) {
    struct order_store_change *changes = store_test_alloc(&subject->arena, count, sizeof *changes);
    random_seeded_init(&stock->random, 42);
    model_init(&stock->model, &subject->arena, 4 * count + 100);
    stock->rows = store_test_alloc(&subject->arena, count, sizeof *stock->rows);
    stock->count = count;
    for (size_t i = 0; i < count; i++) {
        stock->rows[i] =
            sample_row(&subject->arena, &stock->random.base, customer, SAMPLE_TIME_MS + (int64_t)(i / per_moment));
        changes[i] = (struct order_store_change){NULL, stock->rows[i]};
        model_show(&stock->model, &stock->rows[i]->order);
    }
    for (size_t i = 0; i < count; i += 250)
        assert_int_equal(store_test_apply(subject->store, changes + i, count - i < 250 ? count - i : 250), STATUS_OK);
}

/* The next version of one order of the stock. */
static void stock_advance(struct order_store_subject *subject, struct stock *stock, size_t index,
                          const struct history_row *next) {
    assert_int_equal(store_test_apply_one(subject->store, &stock->rows[index]->order, next), STATUS_OK);
    stock->rows[index] = next;
    model_show(&stock->model, &next->order);
}

void test_an_empty_store_has_an_empty_list(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const struct order_store_list filters[] = {
        {.limit = 1},
        {.limit = 200, .customer_name = {"", 0}},
        {.limit = 50, .has_status = true, .status = ORDER_REFUNDED},
        {.limit = 50, .created_after_ms = 1, .created_before_ms = SAMPLE_TIME_MS},
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const struct order *orders;
        size_t count = 1;
        assert_int_equal(store_test_list_all(subject->store, &subject->arena, &filters[i], &orders, &count), STATUS_OK);
        assert_int_equal(count, 0);
    }
}

void test_pages_of_any_size_give_each_order_once(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const size_t limits[] = {1, 2, 3, 5, 7, 10, 13, 49, 50, 51, 99, 100, 101, 125, 199, 200};
    struct stock stock;
    stock_fill(subject, &stock, "Ada", ORDERS, 7);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_lists(subject->store, &stock.model, &(struct order_store_list){.limit = limits[i]});
        if (limits[i] < 10) continue;
        assert_lists(subject->store, &stock.model,
                     &(struct order_store_list){.limit = limits[i], .customer_name = BYTES("Ada")});
        assert_lists(subject->store, &stock.model,
                     &(struct order_store_list){.limit = limits[i], .has_status = true, .status = ORDER_CREATED});
    }
}

void test_a_status_change_moves_the_order_between_lists(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const enum order_status steps[] = {ORDER_CONFIRMED, ORDER_PAID, ORDER_SHIPPED, ORDER_DELIVERED,
                                              ORDER_REFUNDED};
    static const char *const customers[] = {"Ada"};
    struct stock stock;
    stock_fill(subject, &stock, "Ada", 20, 3);
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
        for (size_t i = step; i < stock.count; i += 2)
            stock_advance(subject, &stock, i,
                          sample_transition(&subject->arena, &stock.random.base, stock.rows[i], steps[step]));
        assert_all_lists(subject->store, &stock.model, customers, 1);
    }
}

void test_an_amended_name_moves_the_order_between_customers(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const char *const names[] = {"Ada", "Grace", "",
                                        ("Gr\xc3\xa2"
                                         "ce"),
                                        "Ada"};
    struct stock stock;
    stock_fill(subject, &stock, "Ada", 20, 3);
    for (size_t step = 1; step < sizeof names / sizeof *names; step++) {
        for (size_t i = step; i < stock.count; i += 3)
            stock_advance(subject, &stock, i,
                          sample_amendment(&subject->arena, &stock.random.base, stock.rows[i], names[step]));
        assert_all_lists(subject->store, &stock.model, names, sizeof names / sizeof *names - 1);
    }
}

void test_names_that_share_a_beginning_are_different_customers(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const char *const names[] = {"",
                                        " ",
                                        "a",
                                        "A",
                                        "a ",
                                        "aa",
                                        "aaa",
                                        "\xc3\xa4",
                                        "a\xcc\x88",
                                        "Zo\xc3\xab",
                                        "Zo",
                                        "\xf0\x9f\xa6\x89",
                                        "\xf0\x9f\xa6\x89\xf0\x9f\xa6\x89",
                                        "a%",
                                        "a_",
                                        "a'",
                                        "a\"",
                                        "a\\",
                                        "a\n",
                                        "NULL"};
    struct stock stock;
    stock_fill(subject, &stock, "somebody", 1, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t order = 0; order <= i % 3; order++) {
            struct history_row *row = sample_row(&subject->arena, &stock.random.base, names[i], SAMPLE_TIME_MS);
            assert_int_equal(store_test_apply_one(subject->store, NULL, row), STATUS_OK);
            model_show(&stock.model, &row->order);
        }
    assert_all_lists(subject->store, &stock.model, names, sizeof names / sizeof *names);
    assert_lists(subject->store, &stock.model, &(struct order_store_list){.limit = 5, .customer_name = BYTES("b")});
}

void test_time_bounds_are_exclusive(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static const int64_t bounds[] = {0,
                                     1,
                                     SAMPLE_TIME_MS - 1,
                                     SAMPLE_TIME_MS,
                                     SAMPLE_TIME_MS + 1,
                                     SAMPLE_TIME_MS + 5,
                                     SAMPLE_TIME_MS + 9,
                                     SAMPLE_TIME_MS + 10,
                                     SAMPLE_TIME_MS + 1000000};
    enum { COUNT = sizeof bounds / sizeof *bounds };
    struct stock stock;
    stock_fill(subject, &stock, "Ada", 40, 4);
    for (size_t i = 0; i < stock.count; i += 3)
        stock_advance(subject, &stock, i,
                      sample_transition(&subject->arena, &stock.random.base, stock.rows[i], ORDER_CONFIRMED));
    for (int code = 0; code < COUNT * COUNT; code++) {
        struct order_store_list filter = {
            .created_after_ms = bounds[code / COUNT], .created_before_ms = bounds[code % COUNT], .limit = 3};
        assert_lists(subject->store, &stock.model, &filter);
        filter.customer_name = BYTES("Ada");
        assert_lists(subject->store, &stock.model, &filter);
        filter.has_status = true;
        filter.status = ORDER_CONFIRMED;
        assert_lists(subject->store, &stock.model, &filter);
        filter.customer_name.data = NULL;
        assert_lists(subject->store, &stock.model, &filter);
    }
}

/* A new order at a moment of the walk's: it must show up if the walk is still to come there, and must not otherwise,
 * or the walk would not be in order. */
static void insert_between_pages(struct order_store_subject *subject, struct stock *stock, int64_t created_at_ms,
                                 const struct order *last, struct store_model *expected) {
    struct history_row *row = sample_row(&subject->arena, &stock->random.base, "Ada", created_at_ms);
    assert_int_equal(store_test_apply_one(subject->store, NULL, row), STATUS_OK);
    if (order_comes_before(last, &row->order)) model_show(expected, &row->order);
}

void test_inserting_between_pages_neither_repeats_nor_loses(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct stock stock;
    stock_fill(subject, &stock, "Ada", 200, 7);
    struct order_store_list list = {.limit = 9, .customer_name = BYTES("Ada")};
    struct store_model expected = stock.model, seen;
    model_init(&seen, &subject->arena, 1000);
    const struct order *last = NULL;
    struct store_page page;
    do {
        assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            if (last) assert_true(order_comes_before(last, &page.orders[i]));
            last = &page.orders[i];
            model_show(&seen, last);
        }
        list.cursor = page.next;
        if (!last || page.next.size == 0) continue;
        for (int64_t ms = -30; ms <= 30; ms += 10)
            insert_between_pages(subject, &stock, last->created_at_ms + ms, last, &expected);
    } while (page.next.size);
    size_t count, expected_count;
    struct order_store_list all = {.limit = 1};
    const struct order **orders = model_list(&seen, &all, &count);
    const struct order **expected_orders = model_list(&expected, &all, &expected_count);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_true(order_equal(orders[i], expected_orders[i]));
}

/* More rows between the start and the only hit than one page may read. */
void test_a_needle_behind_many_rows_is_found(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct stock stock;
    stock_fill(subject, &stock, "Ada", ORDER_STORE_LIST_READS + 300, 1);
    stock_advance(subject, &stock, 0,
                  sample_transition(&subject->arena, &stock.random.base, stock.rows[0], ORDER_CANCELLED));
    assert_lists(subject->store, &stock.model,
                 &(struct order_store_list){
                     .customer_name = BYTES("Ada"), .has_status = true, .status = ORDER_CANCELLED, .limit = 10});
    assert_lists(subject->store, &stock.model,
                 &(struct order_store_list){
                     .customer_name = BYTES("Ada"), .has_status = true, .status = ORDER_PAID, .limit = 10});
}

static void assert_cursor_invalid(struct order_store_subject *subject, struct order_store_cursor cursor) {
    struct store_page page;
    struct order_store_list list = {.limit = 5, .cursor = cursor};
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_INVALID);
    assert_int_equal(store_test_scan(subject->store, &subject->arena, &cursor, 5, &page), STATUS_INVALID);
}

void test_a_foreign_cursor_is_invalid(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct stock stock;
    stock_fill(subject, &stock, "Ada", 20, 3);
    struct order_store_cursor cursor = {.size = 1};
    assert_cursor_invalid(subject, cursor);
    for (size_t size = 1; size <= ORDER_STORE_CURSOR_MAX; size++) {
        memset(cursor.bytes, 0xff, sizeof cursor.bytes);
        cursor.size = size;
        assert_cursor_invalid(subject, cursor);
        memset(cursor.bytes, 0, sizeof cursor.bytes);
        assert_cursor_invalid(subject, cursor);
    }
    cursor.size = ORDER_STORE_CURSOR_MAX + 1;
    assert_cursor_invalid(subject, cursor);

    struct store_page page;
    struct order_store_list list = {.limit = 5};
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_OK);
    assert_true(page.next.size > 1);
    list.cursor = page.next;
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_OK);
    list.cursor.size--;
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_INVALID);
    list.cursor.size += 2;
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_INVALID);
    list.cursor.size--;
    list.cursor.bytes[0] ^= 0x80; /* where a format says which it is */
    assert_int_equal(store_test_list(subject->store, &subject->arena, &list, &page), STATUS_INVALID);
}
