/* Setup, and what it makes: repeatable, by two at once, refused if newer; tables that people can read; advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <pthread.h>

#include "cassandra/fixture.h"

static void test_setup_twice_keeps_what_is_there(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    const struct history_row *row = fixture_create(fixture, "Ada", SAMPLE_TIME_MS);
    struct order order;
    struct error error = {""};
    assert_int_equal(order_store_setup(fixture->store, &error), STATUS_OK);
    assert_int_equal(store_test_get(fixture->store, &fixture->arena, &row->order.order_id, &order, NULL), STATUS_OK);
    assert_true(order_equal(&order, &row->order));
}

/* --- two at once --- */

struct setup_thread {
    pthread_t thread;
    char prefix[64];
    enum status status;
    struct error error;
};

static void *set_up(void *data) {
    struct setup_thread *own = data;
    struct order_store_cassandra_options options = test_options(own->prefix);
    struct order_store *store = NULL;
    own->status = order_store_cassandra_open(&options, &store, &own->error);
    if (own->status == STATUS_NOT_FOUND || own->status == STATUS_OK)
        own->status = order_store_setup(store, &own->error);
    if (own->status == STATUS_OK) own->status = order_store_check(store, 20000, &own->error);
    order_store_close(store);
    return NULL;
}

static void test_two_setups_at_once_both_end_well(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct setup_thread threads[3];
    for (int i = 0; i < 3; i++) {
        threads[i] = (struct setup_thread){.status = STATUS_COUNT};
        test_prefix(&fixture->keyspaces, "race", threads[i].prefix, sizeof threads[i].prefix);
        assert_int_equal(pthread_create(&threads[i].thread, NULL, set_up, &threads[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i].thread, NULL);
    struct order_store *store = fixture_store(fixture, threads[0].prefix);
    const struct history_row *row = sample_row(&fixture->arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS);
    enum status applied = store_test_apply_one(store, NULL, row);
    order_store_close(store);
    test_drop(&fixture->keyspaces, threads[0].prefix);
    for (int i = 0; i < 3; i++) {
        if (threads[i].status != STATUS_OK) fprintf(stderr, "%s\n", threads[i].error.text);
        assert_int_equal(threads[i].status, STATUS_OK);
    }
    assert_int_equal(applied, STATUS_OK);
}

static void test_a_newer_schema_is_refused(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct order_store_cassandra_options options = test_options(fixture->prefix);
    struct order_store *store = NULL;
    struct error error = {""};
    cql_result_free(test_query(&fixture->keyspaces, "INSERT INTO %sorders.meta (name, value) VALUES ('version', '2')",
                               fixture->prefix));
    assert_int_equal(order_store_cassandra_open(&options, &store, &error), STATUS_UNSUPPORTED);
    assert_null(store);
    assert_non_null(strstr(error.text, "version 2; this program knows version 1"));
    assert_int_equal(order_store_setup(fixture->store, &error), STATUS_UNSUPPORTED);
    assert_int_equal(order_store_check(fixture->store, 20000, &error), STATUS_UNSUPPORTED);
    char version[32];
    fixture_cell(fixture, "SELECT value FROM %sorders.meta WHERE name = 'version'", version, sizeof version);
    assert_string_equal(version, "2"); /* the setup that was refused changed nothing */
}

static void test_a_keyspace_that_is_not_set_up_is_said_and_found_later(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    char prefix[64];
    test_prefix(&fixture->keyspaces, "late", prefix, sizeof prefix);
    struct order_store_cassandra_options options = test_options(prefix);
    struct order_store *store = NULL;
    struct error error = {""};
    assert_int_equal(order_store_cassandra_open(&options, &store, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "run `orderly setup`"));
    assert_int_equal(order_store_check(store, 20000, &error), STATUS_NOT_FOUND);
    const struct history_row *row = sample_row(&fixture->arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS);
    assert_int_equal(store_test_apply_one(store, NULL, row), STATUS_UNAVAILABLE);
    order_store_close(fixture_store(fixture, prefix)); /* another program sets it up */
    enum status checked = order_store_check(store, 20000, &error), applied = store_test_apply_one(store, NULL, row);
    order_store_close(store);
    test_drop(&fixture->keyspaces, prefix);
    assert_int_equal(checked, STATUS_OK);
    assert_int_equal(applied, STATUS_OK);
}

static void test_two_namespaces_do_not_see_each_other(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    char prefix[64];
    test_prefix(&fixture->keyspaces, "other", prefix, sizeof prefix);
    struct order_store *other = fixture_store(fixture, prefix);
    const struct history_row *row = fixture_create(fixture, "Ada", SAMPLE_TIME_MS);
    struct store_page page = {.count = 1}, scanned = {.count = 1};
    struct order_store_list all = {.limit = 10};
    struct order_store_cursor start = {.size = 0};
    enum status got = store_test_get(other, &fixture->arena, &row->order.order_id, NULL, NULL);
    enum status listed = store_test_list(other, &fixture->arena, &all, &page);
    enum status walked = store_test_scan(other, &fixture->arena, &start, 10, &scanned);
    order_store_close(other);
    test_drop(&fixture->keyspaces, prefix);
    assert_int_equal(got, STATUS_NOT_FOUND);
    assert_int_equal(listed, STATUS_OK);
    assert_int_equal(walked, STATUS_OK);
    assert_int_equal(page.count + scanned.count, 0);
}

static void test_people_can_read_the_tables(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    char text[512];
    const struct history_row *row = fixture_create(fixture, "Ada", SAMPLE_TIME_MS);
    fixture_cell(fixture, "SELECT status FROM %sorders.order_status LIMIT 1", text, sizeof text);
    assert_string_equal(text, "created");
    row = fixture_advance(fixture, row, ORDER_CONFIRMED);
    const struct history_row *paid = fixture_advance(fixture, row, ORDER_PAID);
    fixture_cell(fixture, "SELECT status FROM %sorders.order_status LIMIT 1", text, sizeof text);
    assert_string_equal(text, "paid");
    /* An older version again does not turn it back. */
    assert_int_equal(store_test_apply_one(fixture->store, &row->order, row), STATUS_OK);
    fixture_cell(fixture, "SELECT status FROM %sorders.order_status LIMIT 1", text, sizeof text);
    assert_string_equal(text, "paid");
    fixture_cell(fixture, "SELECT items FROM %sorders.orders LIMIT 1", text, sizeof text);
    assert_non_null(strstr(text, "\"quantity\":"));
    fixture_cell(fixture, "SELECT customer_name FROM %sorders.orders LIMIT 1", text, sizeof text);
    assert_string_equal(text, "Ada");
    char id[UUID_TEXT_SIZE];
    uuid_format(&paid->order.order_id, id);
    fixture_cell(fixture, "SELECT order_id FROM %sorders.listing LIMIT 1", text, sizeof text);
    assert_string_equal(text, id);
    fixture_cell(fixture, "SELECT status FROM %sorders.listing LIMIT 1", text, sizeof text);
    assert_string_equal(text, "paid");
}

static bool advises(const struct advice *advice, const char *part) {
    for (size_t i = 0; i < advice->count; i++)
        if (strstr(advice->lines[i].text, part)) return true;
    return false;
}

static void test_weak_settings_are_named(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct order_store_cassandra_options options = test_options(fixture->prefix);
    struct order_store *store = NULL;
    options.commands_retention_ms = INT64_C(11) * 86400 * 1000; /* more than gc_grace, which is 10 days */
    assert_int_equal(order_store_cassandra_open(&options, &store, NULL), STATUS_OK);
    struct advice advice = {0}, none = {0};
    order_store_advise(store, 20000, &advice);
    order_store_advise(fixture->store, 20000, &none); /* retention 0 */
    order_store_close(store);
    assert_true(advises(&advice, "keeps 1 copy of each order (1 nodes)"));
    assert_true(advises(&advice, "gc_grace_seconds"));
    assert_false(advises(&none, "gc_grace_seconds"));
    assert_false(advises(&advice, "disagree"));
    char mode[32];
    fixture_cell(fixture, "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'", mode, sizeof mode);
    assert_int_equal(advises(&advice, "commitlog_sync is periodic"), strcmp(mode, "periodic") == 0);
}

/* What somebody else wrote there is noticed and named, not believed. */
static void test_a_row_that_cannot_be_read_is_named(void **state) {
    static const char *const damages[] = {"items = '[{\"item\":1}]'", "items = 'x'",     "metadata = '[]'",
                                          "status = 'lost'",          "currency = NULL", "total = NULL"};
    struct cassandra_fixture *fixture = fixture_of(state);
    const struct history_row *row = fixture_create(fixture, "Ada", SAMPLE_TIME_MS);
    char id[UUID_TEXT_SIZE];
    uuid_format(&row->order.order_id, id);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct order order;
        cql_result_free(test_query(&fixture->keyspaces,
                                   "UPDATE %sorders.orders USING TIMESTAMP %lld SET %s WHERE order_id = %s AND version "
                                   "= 1",
                                   fixture->prefix, (long long)SAMPLE_TIME_MS * 1000 + 100 + (long long)i, damages[i],
                                   id));
        assert_int_equal(store_test_get(fixture->store, &fixture->arena, &row->order.order_id, &order, NULL),
                         STATUS_CORRUPT);
    }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_setup_twice_keeps_what_is_there),
        TEST(test_two_setups_at_once_both_end_well),
        TEST(test_a_newer_schema_is_refused),
        TEST(test_a_keyspace_that_is_not_set_up_is_said_and_found_later),
        TEST(test_two_namespaces_do_not_see_each_other),
        TEST(test_people_can_read_the_tables),
        TEST(test_weak_settings_are_named),
        TEST(test_a_row_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, fixture_open_group, fixture_close_group);
}
