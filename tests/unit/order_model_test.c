/* Tests the order itself: status names, the transition table as DESIGN has it, totals, copies, equality. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "unit/order_sample.h"

static void status_names_there_and_back(void **state) {
    static const char *const names[] = {"created",   "confirmed", "paid",   "shipped",
                                        "delivered", "cancelled", "failed", "refunded"};
    for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
        enum order_status status = ORDER_STATUS_COUNT;
        assert_string_equal(order_status_name((enum order_status)i), names[i]);
        assert_int_equal(order_status_parse(bytes_of(names[i]), &status), STATUS_OK);
        assert_int_equal(status, i);
    }
    enum order_status status = ORDER_PAID;
    assert_int_equal(order_status_parse(BYTES("Created"), &status), STATUS_INVALID);
    assert_int_equal(order_status_parse(BYTES("create"), &status), STATUS_INVALID);
    assert_int_equal(order_status_parse(BYTES(""), &status), STATUS_INVALID);
    assert_int_equal(status, ORDER_PAID);
}

/* A second writing of the table, in words: a changed step must be changed here too (and needs new rules). */
static void transitions_of_rules_1(void **state) {
    static const char allowed[] = "created>confirmed created>cancelled created>failed "
                                  "confirmed>paid confirmed>cancelled confirmed>failed "
                                  "paid>shipped paid>refunded paid>failed "
                                  "shipped>delivered shipped>refunded "
                                  "delivered>refunded ";
    int count = 0;
    for (int from = 0; from < ORDER_STATUS_COUNT; from++)
        for (int to = 0; to < ORDER_STATUS_COUNT; to++) {
            char step[40];
            snprintf(step, sizeof step, "%s>%s ", order_status_name((enum order_status)from),
                     order_status_name((enum order_status)to));
            bool is_allowed = order_transition_is_allowed(1, (enum order_status)from, (enum order_status)to);
            if (is_allowed != (strstr(allowed, step) != NULL)) fail_msg("%s", step);
            assert_int_equal(order_next_statuses(1, (enum order_status)from) >> to & 1, is_allowed);
            count += is_allowed;
        }
    assert_int_equal(count, 12);
    for (int status = 0; status < ORDER_STATUS_COUNT; status++)
        assert_int_equal(order_is_amendable(1, (enum order_status)status), status <= ORDER_CONFIRMED);
}

static void unknown_rules_allow_nothing(void **state) {
    static const uint32_t unknown[] = {0, ORDER_RULES_CURRENT + 1, UINT32_MAX};
    assert_true(order_rules_exist(ORDER_RULES_CURRENT));
    for (int i = 0; i < 3; i++) {
        assert_false(order_rules_exist(unknown[i]));
        assert_false(order_transition_is_allowed(unknown[i], ORDER_CREATED, ORDER_CONFIRMED));
        assert_false(order_is_amendable(unknown[i], ORDER_CREATED));
        assert_int_equal(order_next_statuses(unknown[i], ORDER_CREATED), 0);
    }
    assert_false(order_transition_is_allowed(1, ORDER_STATUS_COUNT, ORDER_CONFIRMED));
    assert_false(order_transition_is_allowed(1, ORDER_CREATED, ORDER_STATUS_COUNT));
}

static void totals(void **state) {
    struct order_item items[ORDER_ITEMS_MAX];
    int64_t total = -1;
    assert_int_equal(order_total(NULL, 0, &total), STATUS_OK);
    assert_int_equal(total, 0);
    assert_int_equal(order_total(sample_items, 2, &total), STATUS_OK);
    assert_int_equal(total, 3998);
    items[0] = (struct order_item){BYTES("a"), 1, ORDER_AMOUNT_MAX};
    assert_int_equal(order_total(items, 1, &total), STATUS_OK);
    assert_int_equal(total, ORDER_AMOUNT_MAX);
    items[1] = (struct order_item){BYTES("b"), 1, 1};
    assert_int_equal(order_total(items, 2, &total), STATUS_TOO_LARGE); /* by one */
    items[0].quantity = 2;
    assert_int_equal(order_total(items, 1, &total), STATUS_TOO_LARGE);
    /* Every amount at its limit: products beyond 64 bits. */
    for (int i = 0; i < ORDER_ITEMS_MAX; i++)
        items[i] = (struct order_item){BYTES("x"), ORDER_QUANTITY_MAX, ORDER_AMOUNT_MAX};
    assert_int_equal(order_total(items, ORDER_ITEMS_MAX, &total), STATUS_TOO_LARGE);
    /* A sum that wraps around 2^64 to a small number. */
    for (int i = 0; i < ORDER_ITEMS_MAX; i++)
        items[i].unit_price = (int64_t)1 << 43;
    assert_int_equal(order_total(items, ORDER_ITEMS_MAX, &total), STATUS_TOO_LARGE);
    assert_int_equal(total, ORDER_AMOUNT_MAX);
}

static void copies_share_nothing(void **state) {
    struct order order = sample_order(), copy;
    char name[] = "Ada";
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    order.customer_name = (struct bytes){name, 3};
    assert_int_equal(order_copy(&order, &arena, &copy), STATUS_OK);
    assert_true(order_equal(&order, &copy));
    name[0] = 'X';
    assert_true(bytes_equal(copy.customer_name, BYTES("Ada")));
    assert_true(copy.items != order.items && copy.metadata != order.metadata);
    assert_true(copy.items[1].item.data != order.items[1].item.data);
    assert_true(copy.metadata[1].key.data != order.metadata[1].key.data);
    assert_true(copy.metadata[1].value.data != order.metadata[1].value.data);
    struct order empty = {.currency = "EUR", .version = 1};
    assert_int_equal(order_copy(&empty, &arena, &copy), STATUS_OK);
    assert_true(order_equal(&empty, &copy));
    arena_free(&arena);
}

static void equality_looks_at_every_field(void **state) {
    struct order a = sample_order(), b = sample_order();
    struct order_item items[2];
    struct order_pair pairs[2];
    assert_true(order_equal(&a, &b));
#define DIFFERS(change)                                                                                                \
    do {                                                                                                               \
        b = a;                                                                                                         \
        memcpy(items, a.items, sizeof items), b.items = items;                                                         \
        memcpy(pairs, a.metadata, sizeof pairs), b.metadata = pairs;                                                   \
        assert_true(order_equal(&a, &b));                                                                              \
        change;                                                                                                        \
        assert_false(order_equal(&a, &b));                                                                             \
        assert_false(order_equal(&b, &a));                                                                             \
    } while (0)
    DIFFERS(b.order_id = sample_uuid(9));
    DIFFERS(b.customer_name = BYTES("Bob"));
    DIFFERS(b.item_count = 1);
    DIFFERS(items[1].item = BYTES("bulc"));
    DIFFERS(items[1].quantity++);
    DIFFERS(items[0].unit_price++);
    DIFFERS(b.metadata_count = 1);
    DIFFERS(pairs[0].key = BYTES("Channel"));
    DIFFERS(pairs[1].value = BYTES(""));
    DIFFERS(memcpy(b.currency, "USD", 4));
    DIFFERS(b.total++);
    DIFFERS(b.status = ORDER_CREATED);
    DIFFERS(b.version++);
    DIFFERS(b.created_at_ms++);
    DIFFERS(b.updated_at_ms++);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names_there_and_back), cmocka_unit_test(transitions_of_rules_1),
        cmocka_unit_test(unknown_rules_allow_nothing), cmocka_unit_test(totals),
        cmocka_unit_test(copies_share_nothing),        cmocka_unit_test(equality_looks_at_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
