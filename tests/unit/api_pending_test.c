/* The table of pending orders: what it shows and when, its bounds, and its views against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/pending.h"
#include "base/random.h"

static struct pending_filter everything(void) {
    return (struct pending_filter){.below = pending_newest()};
}

static struct order make_order(uint8_t id, int64_t created_at_ms, const char *customer) {
    struct order order = {.customer_name = bytes_of(customer), .created_at_ms = created_at_ms, .version = 1};
    memset(order.order_id.bytes, id, sizeof order.order_id.bytes);
    return order;
}

static struct pending_order *reserve(struct pending *pending, const struct order *order) {
    struct pending_order *made = NULL;
    assert_int_equal(pending_reserve(pending, order, BYTES("{}"), &made), STATUS_OK);
    return made;
}

static size_t count_listed(struct pending *pending, const struct pending_filter *filter) {
    struct pending_order *list[64];
    size_t count = pending_list(pending, filter, list, 64);
    for (size_t i = 0; i < count; i++)
        pending_release(list[i]);
    return count;
}

static void shows_an_order_from_its_acknowledgement_to_its_report(void **state) {
    struct pending *pending = pending_new(10);
    struct order order = make_order(1, 1000, "Ada");
    const struct pending_filter all = everything();
    struct pending_order *made = reserve(pending, &order);
    assert_null(pending_get(pending, &order.order_id)); /* not durable yet: nobody may see it */
    assert_int_equal(count_listed(pending, &all), 0);
    assert_int_equal(pending_count(pending), 1);

    pending_acknowledge(pending, made);
    struct pending_order *found = pending_get(pending, &order.order_id);
    assert_ptr_equal(found, made);
    assert_true(bytes_equal(found->json, BYTES("{}")));
    assert_true(bytes_equal(found->customer_name, BYTES("Ada")));
    assert_int_equal(count_listed(pending, &all), 1);

    pending_remove(pending, &order.order_id);
    assert_null(pending_get(pending, &order.order_id));
    assert_int_equal(count_listed(pending, &all), 0);
    assert_int_equal(pending_count(pending), 0);
    assert_true(bytes_equal(found->json, BYTES("{}"))); /* a reader still holds it */
    pending_release(found);
    pending_release(made);
    pending_free(pending);
}

/* The pipeline may be faster than the log's acknowledgement: then the order must not appear for ever. */
static void a_report_before_the_acknowledgement_counts(void **state) {
    struct pending *pending = pending_new(10);
    struct order order = make_order(1, 1000, "Ada");
    const struct pending_filter all = everything();
    struct pending_order *made = reserve(pending, &order);
    pending_remove(pending, &order.order_id);
    pending_acknowledge(pending, made);
    assert_null(pending_get(pending, &order.order_id));
    assert_int_equal(count_listed(pending, &all), 0);
    pending_release(made);
    pending_free(pending);
}

static void is_bounded_in_orders(void **state) {
    struct pending *pending = pending_new(2);
    struct order orders[] = {make_order(1, 1, "a"), make_order(2, 2, "b"), make_order(3, 3, "c")};
    pending_release(reserve(pending, &orders[0]));
    pending_release(reserve(pending, &orders[1]));
    struct pending_order *third = NULL;
    assert_int_equal(pending_reserve(pending, &orders[2], BYTES("{}"), &third), STATUS_FULL);
    assert_null(third);
    pending_remove(pending, &orders[0].order_id);
    pending_release(reserve(pending, &orders[2]));
    pending_free(pending);
}

static void is_bounded_in_bytes(void **state) {
    const size_t orders_max = 65536;
    struct pending *pending = pending_new(orders_max);
    struct bytes json = {calloc(1, 8u << 20), 8u << 20};
    size_t count = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count < 100) {
        struct order order = make_order((uint8_t)count, 1, "a");
        struct pending_order *made;
        status = pending_reserve(pending, &order, json, &made);
        if (status == STATUS_OK) pending_release(made), count++;
    }
    assert_int_equal(status, STATUS_FULL);
    assert_int_equal(count, orders_max * PENDING_ORDER_SIZE / json.size - 1); /* the orders' own structs take a little */
    free((void *)json.data);
    pending_free(pending);
}

static void bounds_in_time_are_exclusive(void **state) {
    struct pending *pending = pending_new(10);
    for (uint8_t i = 1; i <= 5; i++) {
        struct order order = make_order(i, 1000 + i, "Ada");
        struct pending_order *made = reserve(pending, &order);
        pending_acknowledge(pending, made);
        pending_release(made);
    }
    struct pending_filter filter = everything();
    filter.created_after_ms = 1002;
    assert_int_equal(count_listed(pending, &filter), 3);
    filter.created_before_ms = 1005;
    assert_int_equal(count_listed(pending, &filter), 2);
    filter.below = pending_position(1004, &(struct uuid){{4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}});
    assert_int_equal(count_listed(pending, &filter), 1);
    pending_free(pending);
}

/* --- against a model: an array that is searched from end to end --- */

#define MODEL_ORDERS 300
struct model_order {
    struct order order;
    struct pending_order *handle; /* NULL: not in the table */
    bool listed;
};
static const char *const customers[] = {"Ada", "Grace", "Linus"};

static int newest_first(const void *a, const void *b) {
    const struct model_order *const *x = a, *const *y = b;
    struct pending_key left = pending_position((*x)->order.created_at_ms, &(*x)->order.order_id);
    struct pending_key right = pending_position((*y)->order.created_at_ms, &(*y)->order.order_id);
    return pending_key_compare(&right, &left);
}

static bool passes(const struct model_order *entry, const struct pending_filter *filter) {
    const struct order *order = &entry->order;
    struct pending_key key = pending_position(order->created_at_ms, &order->order_id), below = filter->below;
    below.group = key.group;
    if (!entry->listed || pending_key_compare(&key, &below) >= 0) return false;
    if (filter->customer_name.data && !bytes_equal(filter->customer_name, order->customer_name)) return false;
    if (filter->created_after_ms && order->created_at_ms <= filter->created_after_ms) return false;
    return !filter->created_before_ms || order->created_at_ms < filter->created_before_ms;
}

static void check_list(struct pending *pending, struct model_order *model, struct random *random) {
    struct pending_filter filter = everything();
    if (random_below(random, 2)) filter.customer_name = bytes_of(customers[random_below(random, 3)]);
    if (random_below(random, 2)) filter.created_after_ms = 1 + (int64_t)random_below(random, 40);
    if (random_below(random, 2)) filter.created_before_ms = 1 + (int64_t)random_below(random, 40);
    if (random_below(random, 2)) {
        const struct order *order = &model[random_below(random, MODEL_ORDERS)].order;
        filter.below = pending_position(order->created_at_ms, &order->order_id);
    }
    const struct model_order *expected[MODEL_ORDERS];
    size_t expected_count = 0;
    for (size_t i = 0; i < MODEL_ORDERS; i++)
        if (passes(&model[i], &filter)) expected[expected_count++] = &model[i];
    qsort(expected, expected_count, sizeof *expected, newest_first);
    struct pending_order *found[20];
    size_t max = 1 + random_below(random, 20), count = pending_list(pending, &filter, found, max);
    assert_int_equal(count, expected_count < max ? expected_count : max);
    for (size_t i = 0; i < count; i++) {
        assert_true(uuid_equal(&found[i]->order_id, &expected[i]->order.order_id));
        pending_release(found[i]);
    }
}

static void step(struct pending *pending, struct model_order *entry, struct random *random) {
    if (!entry->handle && random_below(random, 3) > 0) {
        entry->order.created_at_ms = 1 + (int64_t)random_below(random, 40); /* many in one millisecond */
        entry->order.customer_name = bytes_of(customers[random_below(random, 3)]);
        entry->handle = reserve(pending, &entry->order);
        entry->listed = false;
    } else if (entry->handle && !entry->listed && random_below(random, 2)) {
        pending_acknowledge(pending, entry->handle);
        entry->listed = true;
    } else if (entry->handle) {
        pending_remove(pending, &entry->order.order_id);
        pending_release(entry->handle);
        entry->handle = NULL;
        entry->listed = false;
    }
}

static void agrees_with_a_model(void **state) {
    struct random_seeded seeded;
    random_seeded_init(&seeded, 4);
    struct random *random = &seeded.base;
    struct pending *pending = pending_new(MODEL_ORDERS);
    static struct model_order model[MODEL_ORDERS];
    for (size_t i = 0; i < MODEL_ORDERS; i++)
        model[i].order.order_id = uuid_make_v4(random);
    for (int round = 0; round < 20000; round++) {
        step(pending, &model[random_below(random, MODEL_ORDERS)], random);
        if (round % 4 == 0) check_list(pending, model, random);
    }
    for (size_t i = 0; i < MODEL_ORDERS; i++)
        pending_release(model[i].handle);
    pending_free(pending);
}

static void walks_the_oldest_first(void **state) {
    struct pending *pending = pending_new(10);
    for (uint8_t i = 1; i <= 3; i++) {
        struct order order = make_order(i, 1000 + i, "Ada");
        struct pending_order *made = reserve(pending, &order);
        pending_acknowledge(pending, made);
        pending_release(made);
    }
    struct pending_key position = {0};
    for (int64_t i = 1; i <= 3; i++) {
        struct pending_order *order = pending_oldest(pending, &position);
        assert_non_null(order);
        assert_int_equal(order->created_at_ms, 1000 + i);
        position = pending_position(order->created_at_ms, &order->order_id);
        pending_release(order);
    }
    assert_null(pending_oldest(pending, &position)); /* not an entry of another group */
    pending_free(pending);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_an_order_from_its_acknowledgement_to_its_report),
        cmocka_unit_test(a_report_before_the_acknowledgement_counts),
        cmocka_unit_test(is_bounded_in_orders),
        cmocka_unit_test(is_bounded_in_bytes),
        cmocka_unit_test(bounds_in_time_are_exclusive),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(walks_the_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
