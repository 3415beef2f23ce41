/* A Cassandra order store for each test. */
#include "cassandra/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"

struct order_store *fixture_store(struct cassandra_fixture *fixture, const char *prefix) {
    struct order_store_cassandra_options options = test_options(prefix);
    struct order_store *store = NULL;
    struct error error = {""};
    options.metrics = fixture->metrics;
    enum status status = order_store_cassandra_open(&options, &store, &error);
    if (status == STATUS_NOT_FOUND) status = order_store_setup(store, &error);
    if (status == STATUS_OK) return store;
    fprintf(stderr, "no store: %s: %s\n", status_name(status), error.text);
    abort();
}

int fixture_open_group(void **state) {
    struct cassandra_fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    return fixture && test_keyspaces_open(&fixture->keyspaces) ? 0 : -1;
}

int fixture_close_group(void **state) {
    struct cassandra_fixture *fixture = *state;
    test_keyspaces_close(&fixture->keyspaces);
    free(fixture);
    return 0;
}

int fixture_open(void **state) {
    struct cassandra_fixture *fixture = *state;
    char name[16];
    snprintf(name, sizeof name, "n%u", fixture->tests++);
    test_prefix(&fixture->keyspaces, name, fixture->prefix, sizeof fixture->prefix);
    arena_init(&fixture->arena, 1 << 20, STORE_TEST_ARENA_MAX);
    random_seeded_init(&fixture->random, 4711 + fixture->tests);
    fixture->metrics = metrics_new();
    fixture->store = fixture_store(fixture, fixture->prefix);
    return 0;
}

int fixture_close(void **state) {
    struct cassandra_fixture *fixture = *state;
    order_store_close(fixture->store);
    test_drop(&fixture->keyspaces, fixture->prefix);
    metrics_free(fixture->metrics);
    arena_free(&fixture->arena);
    return 0;
}

static void must_apply(struct cassandra_fixture *fixture, const struct order *before, const struct history_row *after) {
    enum status status = store_test_apply_one(fixture->store, before, after);
    if (status == STATUS_OK) return;
    fprintf(stderr, "an apply ended as %s\n", status_name(status));
    abort();
}

const struct history_row *fixture_create(struct cassandra_fixture *fixture, const char *customer,
                                         int64_t created_at_ms) {
    const struct history_row *row = sample_row(&fixture->arena, &fixture->random.base, customer, created_at_ms);
    must_apply(fixture, NULL, row);
    return row;
}

const struct history_row *fixture_advance(struct cassandra_fixture *fixture, const struct history_row *row,
                                          enum order_status status) {
    const struct history_row *next = sample_transition(&fixture->arena, &fixture->random.base, row, status);
    must_apply(fixture, &row->order, next);
    return next;
}

void fixture_cell(struct cassandra_fixture *fixture, const char *format, char *out, size_t size) {
    char cql[1024];
    size_t length = 0;
    const char *name = strstr(format, "%s"), *rest = name ? name + 2 : "";
    snprintf(cql, sizeof cql, "%.*s%s%s", name ? (int)(name - format) : (int)strlen(format), format,
             name ? fixture->prefix : "", rest);
    struct cql_result *rows = test_query(&fixture->keyspaces, "%s", cql);
    const char *text = rows && cql_result_rows(rows) > 0 ? cql_result_cell(rows, 0, 0, &length) : NULL;
    snprintf(out, size, "%.*s", (int)length, text ? text : "");
    cql_result_free(rows);
}

int64_t fixture_now_ms(void) {
    return clock_monotonic_ns(clock_system()) / 1000000;
}
