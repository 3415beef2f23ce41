/* The contract suite of the order store port: what an adapter's program gives it, and what its files share. */
#ifndef ORDERLY_TESTS_ORDER_STORE_CONTRACT_H
#define ORDERLY_TESTS_ORDER_STORE_CONTRACT_H

#include "base/clock.h"
#include "order_store/order_store.h"

/* The adapter under test. The program embeds it and keeps its own state behind it. */
struct order_store_subject {
    const char *name;
    const struct clock *clock; /* the adapter's */
    /* Opens the store of a namespace (lower-case letters and digits), set up. A namespace that is named for the first
     * time is empty; one that was closed is as it was left. */
    enum status (*open)(struct order_store_subject *subject, const char *namespace_name,
                        struct order_store **store_out);
    void (*close)(struct order_store_subject *subject, struct order_store *store);

    /* The suite's: of the test that runs. */
    struct order_store *store;
    struct arena arena; /* for all that the test makes and reads */
    unsigned namespaces;
    char namespace_name[32];
};

/* Runs all tests; returns the number of failures. */
int order_store_contract_run(struct order_store_subject *subject);

static inline struct order_store_subject *subject_of(void **state) {
    return *state;
}

/* --- store_requests.c: requests, waited for; answers are copied into the arena --- */

#define STORE_TEST_ARENA_MAX ((size_t)1 << 30)
#define STORE_TEST_PAGES_MAX 100000 /* of one walk: more are a walk without an end */

/* For allocations of tests: aborts if there is no memory. */
void *store_test_alloc(struct arena *arena, size_t count, size_t size);

enum status store_test_get(struct order_store *store, struct arena *arena, const struct uuid *order_id,
                           struct order *order_out, int64_t *read_at_ms_out);
enum status store_test_rows(struct order_store *store, struct arena *arena, const struct order_store_key *keys,
                            size_t count, const struct history_row ***found_out);
enum status store_test_history(struct order_store *store, struct arena *arena, const struct uuid *order_id,
                               uint32_t from_version, size_t limit, const struct history_row **rows_out,
                               size_t *count_out);
enum status store_test_apply(struct order_store *store, const struct order_store_change *changes, size_t count);
enum status store_test_apply_one(struct order_store *store, const struct order *before,
                                 const struct history_row *after);

struct store_page {
    const struct order *orders;
    size_t count;
    struct order_store_cursor next;
};
/* filter: everything but done and data. */
enum status store_test_list(struct order_store *store, struct arena *arena, const struct order_store_list *filter,
                            struct store_page *page_out);
enum status store_test_scan(struct order_store *store, struct arena *arena, const struct order_store_cursor *cursor,
                            size_t limit, struct store_page *page_out);

/* All pages of a list or a scan, one after the other. */
enum status store_test_list_all(struct order_store *store, struct arena *arena, const struct order_store_list *filter,
                                const struct order **orders_out, size_t *count_out);
enum status store_test_scan_all(struct order_store *store, struct arena *arena, size_t limit,
                                const struct order **orders_out, size_t *count_out);

bool history_row_equal(const struct history_row *a, const struct history_row *b);

/* --- store_samples.c: believable orders --- */

#define SAMPLE_TIME_MS 1790000000000

struct uuid sample_uuid(struct random *random);

/* The first version of an order: one item, random ids. */
struct history_row *sample_row(struct arena *arena, struct random *random, const char *customer_name,
                               int64_t created_at_ms);
/* The version that follows, by another command: a copy with one change. */
struct history_row *sample_transition(struct arena *arena, struct random *random, const struct history_row *row,
                                      enum order_status status);
struct history_row *sample_amendment(struct arena *arena, struct random *random, const struct history_row *row,
                                     const char *customer_name);
/* An order with every list and text at its limit, and one with nothing. */
struct history_row *sample_largest(struct arena *arena, struct random *random);
struct history_row *sample_empty(struct arena *arena, struct random *random);

/* --- store_model.c: what a store should show, in plain memory --- */

struct store_model {
    struct arena *arena;
    const struct order **orders; /* the current ones, in no order */
    size_t count, capacity;
};

void model_init(struct store_model *model, struct arena *arena, size_t capacity);
/* Adds the order or replaces its older version. */
void model_show(struct store_model *model, const struct order *order);
/* What a list with that filter holds over all its pages, in order. */
const struct order **model_list(const struct store_model *model, const struct order_store_list *filter,
                                size_t *count_out);
/* Newest first: by created_at, then order id, both descending. */
bool order_comes_before(const struct order *a, const struct order *b);

/* Asserts that the store lists, over all pages, what the model says. */
void assert_lists(struct order_store *store, const struct store_model *model, const struct order_store_list *filter);
/* The same for all orders, each status and each of the customers. */
void assert_all_lists(struct order_store *store, const struct store_model *model, const char *const *customers,
                      size_t customer_count);

/* --- the tests --- */

/* test_versions.c */
void test_an_order_that_was_never_applied_is_not_found(void **state);
void test_a_created_order_is_in_get_history_rows_and_list(void **state);
void test_applying_twice_changes_nothing(void **state);
void test_an_older_version_after_a_newer_one_changes_nothing(void **state);
void test_versions_applied_out_of_order_end_at_the_highest(void **state);
void test_a_history_row_is_never_overwritten(void **state);
void test_history_gives_the_versions_asked_for(void **state);
void test_rows_gives_each_key_its_row_or_null(void **state);
void test_one_request_may_hold_many_versions_of_many_orders(void **state);
void test_what_was_applied_is_there_after_reopening(void **state);
void test_done_may_submit_further_requests(void **state);
void test_close_ends_what_is_under_way(void **state);
void test_setup_may_be_repeated(void **state);
void test_check_says_that_it_answers(void **state);

/* test_lists.c */
void test_an_empty_store_has_an_empty_list(void **state);
void test_pages_of_any_size_give_each_order_once(void **state);
void test_a_status_change_moves_the_order_between_lists(void **state);
void test_an_amended_name_moves_the_order_between_customers(void **state);
void test_names_that_share_a_beginning_are_different_customers(void **state);
void test_time_bounds_are_exclusive(void **state);
void test_inserting_between_pages_neither_repeats_nor_loses(void **state);
void test_a_needle_behind_many_rows_is_found(void **state);
void test_a_foreign_cursor_is_invalid(void **state);

/* test_scans.c */
void test_a_scan_gives_each_order_once(void **state);
void test_a_scan_gives_each_order_once_while_others_are_inserted(void **state);

/* test_fields.c */
void test_every_field_comes_back_exactly(void **state);
void test_texts_of_every_kind_come_back_exactly(void **state);
void test_the_largest_and_the_empty_order_come_back_exactly(void **state);
void test_many_largest_orders_come_back_in_pages(void **state);

/* test_random.c */
void test_random_orders_and_filters_agree_with_a_model(void **state);

/* test_threads.c */
void test_threads_that_repeat_and_shuffle_applies_agree(void **state);
void test_readers_see_consistent_pages_while_a_writer_works(void **state);

#endif
