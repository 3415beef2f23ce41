/* Fields: every value and text comes back as it was given. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

/* The row, by every way of reading it. */
static void assert_comes_back(struct order_store_subject *subject, const struct history_row *row) {
    struct order order;
    const struct history_row *rows, **found;
    size_t count;
    struct order_store_key key = {row->order.order_id, row->order.version};
    assert_int_equal(store_test_apply_one(subject->store, NULL, row), STATUS_OK);
    assert_int_equal(store_test_get(subject->store, &subject->arena, &key.order_id, &order, NULL), STATUS_OK);
    assert_true(order_equal(&order, &row->order));
    assert_int_equal(store_test_rows(subject->store, &subject->arena, &key, 1, &found), STATUS_OK);
    assert_true(found[0] && history_row_equal(found[0], row));
    assert_int_equal(store_test_history(subject->store, &subject->arena, &key.order_id, 1, 10, &rows, &count),
                     STATUS_OK);
    assert_int_equal(count, 1);
    assert_true(history_row_equal(&rows[0], row));
}

void test_every_field_comes_back_exactly(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 11);
    static const int64_t positions[] = {HISTORY_POSITION_RESTORED, 0, 1, 127, 128, INT64_MAX};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        struct history_row *row = sample_row(&subject->arena, &random.base, "Ada", SAMPLE_TIME_MS + (int64_t)i);
        row->position = positions[i];
        assert_comes_back(subject, row);
    }
    static const int64_t amounts[] = {0, 1, 63, 64, INT32_MAX, UINT32_MAX, ORDER_AMOUNT_MAX};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        struct history_row *row = sample_row(&subject->arena, &random.base, "Ada", SAMPLE_TIME_MS);
        struct order_item item = {BYTES("lamp"), 1, amounts[i]};
        row->order.items = &item;
        row->order.total = amounts[i];
        memcpy(row->order.currency, i % 2 ? "JPY" : "USD", 4);
        assert_comes_back(subject, row);
    }
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        struct history_row *row = sample_row(&subject->arena, &random.base, "Ada", SAMPLE_TIME_MS);
        row->order.status = (enum order_status)status;
        row->order.updated_at_ms += 86400000 * (int64_t)status;
        assert_comes_back(subject, row);
    }
}

void test_texts_of_every_kind_come_back_exactly(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 12);
    static const char *const texts[] = {"x",
                                        " x ",
                                        "'; DROP TABLE orders; --",
                                        "\"quoted\\\" {\"a\": [1]}",
                                        "line\nline\r\n\ttab",
                                        "\x01\x1f\x7f",
                                        "\xc3\xa9 e\xcc\x81",
                                        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                        "\xd7\xa2\xd7\x91\xd7\xa8\xd7\x99\xd7\xaa",
                                        "\xf0\x9f\xa6\x89\xe2\x80\x8d\xf0\x9f\x8f\xbd",
                                        "\xef\xbf\xbd\xef\xbf\xbf",
                                        "\xf4\x8f\xbf\xbf",
                                        "%s%n",
                                        "null"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct history_row *row = sample_row(&subject->arena, &random.base, texts[i], SAMPLE_TIME_MS);
        struct order_item items[2] = {{bytes_of(texts[i]), 1, 5}, {BYTES("lamp"), 2, 7}};
        struct order_pair pairs[3] = {
            {bytes_of(texts[i]), BYTES("")}, {BYTES("k"), bytes_of(texts[i])}, {BYTES("a"), BYTES("z")}};
        row->order.items = items;
        row->order.item_count = 2;
        row->order.metadata = pairs;
        row->order.metadata_count = 3;
        row->order.total = 19;
        assert_comes_back(subject, row);
    }
}

void test_the_largest_and_the_empty_order_come_back_exactly(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 13);
    struct history_row *largest = sample_largest(&subject->arena, &random.base);
    struct history_row *empty = sample_empty(&subject->arena, &random.base);
    assert_comes_back(subject, largest);
    assert_comes_back(subject, empty);
    struct store_model model;
    model_init(&model, &subject->arena, 2);
    model_show(&model, &largest->order);
    model_show(&model, &empty->order);
    assert_lists(subject->store, &model, &(struct order_store_list){.limit = 10});
    assert_lists(subject->store, &model, &(struct order_store_list){.limit = 10, .customer_name = BYTES("")});
    assert_lists(subject->store, &model,
                 &(struct order_store_list){.limit = 10, .customer_name = largest->order.customer_name});
}

/* Pages may become short where orders are large, but the walk must give them all. */
void test_many_largest_orders_come_back_in_pages(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 14);
    enum { COUNT = 120 };
    struct store_model model;
    model_init(&model, &subject->arena, COUNT);
    struct history_row *largest = sample_largest(&subject->arena, &random.base);
    for (int i = 0; i < COUNT; i++) {
        struct history_row *row = store_test_alloc(&subject->arena, 1, sizeof *row);
        *row = *largest;
        row->order.order_id = sample_uuid(&random.base);
        assert_int_equal(store_test_apply_one(subject->store, NULL, row), STATUS_OK);
        model_show(&model, &row->order);
    }
    assert_lists(subject->store, &model, &(struct order_store_list){.limit = ORDER_STORE_LIST_MAX});
    const struct order *orders;
    size_t count;
    assert_int_equal(store_test_scan_all(subject->store, &subject->arena, ORDER_STORE_BATCH_MAX, &orders, &count),
                     STATUS_OK);
    assert_int_equal(count, COUNT);
}
