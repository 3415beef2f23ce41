/* Runs the contract of the order store on an adapter: each test in a namespace of its own. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

static int open_store(void **state) {
    struct order_store_subject *subject = *state;
    arena_init(&subject->arena, 1 << 20, STORE_TEST_ARENA_MAX);
    snprintf(subject->namespace_name, sizeof subject->namespace_name, "contract%ldn%u", (long)getpid(),
             subject->namespaces++);
    return subject->open(subject, subject->namespace_name, &subject->store) == STATUS_OK ? 0 : -1;
}

static int close_store(void **state) {
    struct order_store_subject *subject = *state;
    if (subject->store) subject->close(subject, subject->store);
    subject->store = NULL;
    arena_free(&subject->arena);
    return 0;
}

int order_store_contract_run(struct order_store_subject *subject) {
#define TEST(function)                                                                                                 \
    { #function, function, open_store, close_store, subject }
    const struct CMUnitTest tests[] = {
        TEST(test_an_order_that_was_never_applied_is_not_found),
        TEST(test_a_created_order_is_in_get_history_rows_and_list),
        TEST(test_applying_twice_changes_nothing),
        TEST(test_an_older_version_after_a_newer_one_changes_nothing),
        TEST(test_versions_applied_out_of_order_end_at_the_highest),
        TEST(test_a_history_row_is_never_overwritten),
        TEST(test_history_gives_the_versions_asked_for),
        TEST(test_rows_gives_each_key_its_row_or_null),
        TEST(test_one_request_may_hold_many_versions_of_many_orders),
        TEST(test_what_was_applied_is_there_after_reopening),
        TEST(test_done_may_submit_further_requests),
        TEST(test_close_ends_what_is_under_way),
        TEST(test_setup_may_be_repeated),
        TEST(test_check_says_that_it_answers),
        TEST(test_an_empty_store_has_an_empty_list),
        TEST(test_pages_of_any_size_give_each_order_once),
        TEST(test_a_status_change_moves_the_order_between_lists),
        TEST(test_an_amended_name_moves_the_order_between_customers),
        TEST(test_names_that_share_a_beginning_are_different_customers),
        TEST(test_time_bounds_are_exclusive),
        TEST(test_inserting_between_pages_neither_repeats_nor_loses),
        TEST(test_a_needle_behind_many_rows_is_found),
        TEST(test_a_foreign_cursor_is_invalid),
        TEST(test_a_scan_gives_each_order_once),
        TEST(test_a_scan_gives_each_order_once_while_others_are_inserted),
        TEST(test_every_field_comes_back_exactly),
        TEST(test_texts_of_every_kind_come_back_exactly),
        TEST(test_the_largest_and_the_empty_order_come_back_exactly),
        TEST(test_many_largest_orders_come_back_in_pages),
        TEST(test_random_orders_and_filters_agree_with_a_model),
        TEST(test_threads_that_repeat_and_shuffle_applies_agree),
        TEST(test_readers_see_consistent_pages_while_a_writer_works),
    };
#undef TEST
    return cmocka_run_group_tests_name(subject->name, tests, NULL, NULL);
}
