/* Thousands of random orders and hundreds of random filters, from a seed, against a plain model. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

#define ORDERS 2000
#define VERSIONS_MAX 4
#define MOMENTS 400 /* fewer than orders: many ties */
#define QUERIES 250
#define SEED 20261122

static const char *const customers[] = {"Ada",
                                        "Ada L",
                                        "Ada Lovelace",
                                        "ada",
                                        "Grace",
                                        "Gr\xc3\xa2"
                                        "ce",
                                        "\xe6\x97\xa5\xe6\x9c\xac",
                                        "",
                                        "Zo\xc3\xab",
                                        "Linus",
                                        "nobody"};
#define CUSTOMERS (sizeof customers / sizeof *customers)

/* The last customer never orders. */
static const char *some_customer(struct random *random) {
    return customers[random_below(random, CUSTOMERS - 1)];
}

/* The orders' changes, mixed among orders but ascending within each. */
static size_t make_changes(struct order_store_subject *subject, struct random *random, struct store_model *model,
                           struct order_store_change *changes) {
    const struct history_row **rows = store_test_alloc(&subject->arena, ORDERS, sizeof *rows);
    size_t count = 0, created = 0;
    while (created < ORDERS) {
        size_t at = random_below(random, ORDERS);
        const struct history_row *before = rows[at];
        if (!before) {
            rows[at] = sample_row(&subject->arena, random, some_customer(random),
                                  SAMPLE_TIME_MS + (int64_t)random_below(random, MOMENTS));
            created++;
        } else if (before->order.version == VERSIONS_MAX) {
            continue;
        } else if (random_below(random, 4) == 0) {
            rows[at] = sample_amendment(&subject->arena, random, before, some_customer(random));
        } else {
            rows[at] = sample_transition(&subject->arena, random, before,
                                         (enum order_status)random_below(random, ORDER_STATUS_COUNT));
        }
        changes[count++] = (struct order_store_change){before ? &before->order : NULL, rows[at]};
    }
    for (size_t i = 0; i < ORDERS; i++)
        model_show(model, &rows[i]->order);
    return count;
}

/* Batches of any size, some of them again, as a replay does. */
static void apply_all(struct order_store_subject *subject, struct random *random,
                      const struct order_store_change *changes, size_t count) {
    for (size_t at = 0; at < count;) {
        size_t size = 1 + random_below(random, 400);
        if (size > count - at) size = count - at;
        assert_int_equal(store_test_apply(subject->store, changes + at, size), STATUS_OK);
        size_t again = random_below(random, at + 1), again_size = size < at + size - again ? size : at + size - again;
        if (random_below(random, 3) == 0)
            assert_int_equal(store_test_apply(subject->store, changes + again, again_size), STATUS_OK);
        at += size;
    }
}

static struct order_store_list random_filter(struct random *random) {
    struct order_store_list filter = {.limit = 1 + random_below(random, ORDER_STORE_LIST_MAX)};
    if (random_below(random, 2)) filter.customer_name = bytes_of(customers[random_below(random, CUSTOMERS)]);
    if (random_below(random, 2)) {
        filter.has_status = true;
        filter.status = (enum order_status)random_below(random, ORDER_STATUS_COUNT);
    }
    if (random_below(random, 2))
        filter.created_after_ms = SAMPLE_TIME_MS - 2 + (int64_t)random_below(random, MOMENTS + 4);
    if (random_below(random, 2))
        filter.created_before_ms = SAMPLE_TIME_MS - 2 + (int64_t)random_below(random, MOMENTS + 4);
    return filter;
}

void test_random_orders_and_filters_agree_with_a_model(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, SEED);
    struct store_model model;
    model_init(&model, &subject->arena, ORDERS);
    struct order_store_change *changes =
        store_test_alloc(&subject->arena, (size_t)ORDERS * VERSIONS_MAX, sizeof *changes);
    size_t count = make_changes(subject, &random.base, &model, changes);
    assert_true(count > 2 * ORDERS);
    apply_all(subject, &random.base, changes, count);
    for (int i = 0; i < QUERIES; i++) {
        struct order_store_list filter = random_filter(&random.base);
        assert_lists(subject->store, &model, &filter);
    }
    assert_all_lists(subject->store, &model, customers, CUSTOMERS);
    for (size_t i = 0; i < model.count; i += 17) {
        struct order order;
        assert_int_equal(store_test_get(subject->store, &subject->arena, &model.orders[i]->order_id, &order, NULL),
                         STATUS_OK);
        assert_true(order_equal(&order, model.orders[i]));
    }
}
