/* The parts of the Cassandra order store that need no Cassandra: places, the memory of the directory, cursors, batches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contract/order_store/order_store_contract.h"
#include "order_store/cassandra_writes.h"

static void test_times_are_rounded_down_before_1970_too(void **state) {
    static const int64_t cases[][3] = {{0, 10, 0},    {9, 10, 0},     {10, 10, 10},
                                       {-1, 10, -10}, {-10, 10, -10}, {-11, 10, -20}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(cassandra_floor(cases[i][0], cases[i][1]), cases[i][2]);
}

static void test_cursors_come_back_and_no_turned_bit_is_taken(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 1);
    struct uuid id = sample_uuid(&random.base), read_id;
    struct order_store_cursor cursor = {.size = 0};
    int64_t number;
    cassandra_cursor_write(CURSOR_LIST, -5, &id, 77, &cursor);
    assert_int_equal(cassandra_cursor_read(&cursor, CURSOR_LIST, 77, &number, &read_id), STATUS_OK);
    assert_int_equal(number, -5);
    assert_true(uuid_equal(&id, &read_id));
    assert_int_equal(cassandra_cursor_read(&cursor, CURSOR_LIST, 78, &number, &read_id), STATUS_INVALID);
    assert_int_equal(cassandra_cursor_read(&cursor, CURSOR_SCAN, 77, &number, &read_id), STATUS_INVALID);
    for (size_t bit = 0; bit < 8 * cursor.size; bit++) {
        struct order_store_cursor turned = cursor;
        turned.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(cassandra_cursor_read(&turned, CURSOR_LIST, 77, &number, &read_id), STATUS_INVALID);
    }
}

static void test_the_memory_forgets_but_invents_nothing(void **state) {
    struct cassandra_known known = {.hashes = calloc(CASSANDRA_KNOWN_SLOTS, 16)};
    size_t kept = 0;
    assert_non_null(known.hashes);
    for (uint32_t i = 0; i < 4 * CASSANDRA_KNOWN_SLOTS; i++) {
        struct bytes key = {(const char *)&i, sizeof i};
        assert_false(cassandra_known_has(&known, key));
        cassandra_known_add(&known, key);
        assert_true(cassandra_known_has(&known, key));
    }
    for (uint32_t i = 0; i < 4 * CASSANDRA_KNOWN_SLOTS; i++)
        kept += cassandra_known_has(&known, (struct bytes){(const char *)&i, sizeof i});
    assert_true(kept > 0 && kept <= CASSANDRA_KNOWN_SLOTS);
    atomic_store(&known.forget, true);
    for (uint32_t i = 0; i < 4 * CASSANDRA_KNOWN_SLOTS; i++)
        assert_false(cassandra_known_has(&known, (struct bytes){(const char *)&i, sizeof i}));
    free(known.hashes);
}

/* --- batches --- */

#define ORDERS 400
#define VERSIONS 3

struct shelf {
    struct cassandra_store store;
    struct cassandra_session session;
    struct arena arena;
    struct random_seeded random;
    struct cassandra_writes writes;
};

static struct shelf *shelf_new(void) {
    struct shelf *shelf = calloc(1, sizeof *shelf);
    assert_non_null(shelf);
    shelf->session.layout = (struct cassandra_layout){{10000, 120000}, {86400000, 34560000000}, {4, 4}};
    shelf->store.session = &shelf->session;
    shelf->store.metrics.rows_written = metrics_counter(NULL, "rows", "", "");
    shelf->store.known.hashes = calloc(CASSANDRA_KNOWN_SLOTS, 16);
    assert_non_null(shelf->store.known.hashes);
    arena_init(&shelf->arena, 1 << 20, STORE_TEST_ARENA_MAX);
    random_seeded_init(&shelf->random, 3);
    assert_int_equal(cassandra_writes_init(&shelf->writes, ORDERS * VERSIONS * 5, &shelf->arena), STATUS_OK);
    return shelf;
}

static void shelf_free(struct shelf *shelf) {
    arena_free(&shelf->arena);
    free(shelf->store.known.hashes);
    free(shelf);
}

static bool is_same_partition(const struct cassandra_write *a, const struct cassandra_write *b) {
    if (a->kind != b->kind || !bytes_equal(a->scope, b->scope)) return false;
    if (a->kind == WRITE_ORDER) return uuid_equal(&a->row->order.order_id, &b->row->order.order_id);
    if (a->kind == WRITE_DIRECTORY) return a->place.period_ms == b->place.period_ms;
    if (a->kind == WRITE_PERIOD) return true;
    return a->place.bucket_ms == b->place.bucket_ms && a->place.shard == b->place.shard;
}

/* Every batch is of one partition and below its limits; all rows are in some batch. */
static void assert_batches(const struct cassandra_writes *writes, size_t rows) {
    size_t sum = 0;
    for (size_t i = 0; i < writes->batch_count; i++) {
        const struct cassandra_batch *batch = &writes->batches[i];
        size_t size = 0;
        assert_true(batch->count >= 1 && batch->count <= CASSANDRA_BATCH_ROWS_MAX);
        for (size_t k = 0; k < batch->count; k++) {
            assert_true(is_same_partition(&batch->writes[0], &batch->writes[k]));
            if (batch->writes[k].row) size += cassandra_order_size(&batch->writes[k].row->order);
        }
        assert_true(batch->count == 1 || size <= CASSANDRA_BATCH_BYTES_MAX);
        sum += batch->count;
    }
    assert_int_equal(sum, rows);
}

static const struct history_row *some_row(struct shelf *shelf) {
    static const char *const names[] = {"Ada", "Grace", "Linus", ""};
    struct random *random = &shelf->random.base;
    return sample_row(&shelf->arena, random, names[random_below(random, 4)],
                      SAMPLE_TIME_MS + (int64_t)random_below(random, 40000));
}

static void test_batches_are_of_one_partition_and_bounded(void **state) {
    struct shelf *shelf = shelf_new();
    size_t listings = 0;
    for (int i = 0; i < ORDERS; i++) {
        const struct history_row *row = some_row(shelf);
        for (int version = 0; version < VERSIONS; version++) {
            cassandra_add_order(&shelf->writes, row);
            cassandra_add_order(&shelf->writes, row); /* a repeat */
            row = sample_transition(&shelf->arena, &shelf->random.base, row, ORDER_PAID);
            assert_int_equal(cassandra_add_listing(&shelf->writes, &shelf->store, row, &shelf->arena), STATUS_OK);
        }
        listings += SCOPE_COUNT; /* of the last version alone */
    }
    assert_int_equal(cassandra_writes_cut(&shelf->writes, &shelf->arena), STATUS_OK);
    assert_batches(&shelf->writes, ORDERS * VERSIONS + listings);
    for (size_t i = 0; i < shelf->writes.count; i++)
        if (shelf->writes.list[i].kind == WRITE_LISTING)
            assert_int_equal(shelf->writes.list[i].row->order.version, VERSIONS + 1);
    assert_true(shelf->writes.batch_count < ORDERS + 120); /* most listings share partitions */
    shelf_free(shelf);
}

static void test_large_rows_go_out_alone(void **state) {
    struct shelf *shelf = shelf_new();
    for (int i = 0; i < 5; i++) {
        struct history_row *row = sample_largest(&shelf->arena, &shelf->random.base);
        assert_true(cassandra_order_size(&row->order) > CASSANDRA_BATCH_BYTES_MAX);
        assert_int_equal(cassandra_add_listing(&shelf->writes, &shelf->store, row, &shelf->arena), STATUS_OK);
    }
    assert_int_equal(cassandra_writes_cut(&shelf->writes, &shelf->arena), STATUS_OK);
    assert_int_equal(shelf->writes.batch_count, 5 * SCOPE_COUNT);
    assert_batches(&shelf->writes, 5 * SCOPE_COUNT);
    shelf_free(shelf);
}

static void test_the_directory_is_written_until_it_is_acknowledged(void **state) {
    struct shelf *shelf = shelf_new();
    const struct history_row *row = some_row(shelf);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cassandra_add_directory(&shelf->writes, &shelf->store, row, &shelf->arena), STATUS_OK);
    assert_int_equal(shelf->writes.count, 2 * 2 * SCOPE_COUNT);
    assert_int_equal(cassandra_writes_cut(&shelf->writes, &shelf->arena), STATUS_OK);
    assert_batches(&shelf->writes, 2 * SCOPE_COUNT);
    for (size_t i = 0; i < shelf->writes.batch_count; i++)
        cassandra_batch_done(&shelf->writes.batches[i], &shelf->store);
    assert_int_equal(cassandra_writes_init(&shelf->writes, 8, &shelf->arena), STATUS_OK);
    assert_int_equal(cassandra_add_directory(&shelf->writes, &shelf->store, row, &shelf->arena), STATUS_OK);
    assert_int_equal(shelf->writes.count, 0);
    shelf_free(shelf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_rounded_down_before_1970_too),
        cmocka_unit_test(test_cursors_come_back_and_no_turned_bit_is_taken),
        cmocka_unit_test(test_the_memory_forgets_but_invents_nothing),
        cmocka_unit_test(test_batches_are_of_one_partition_and_bounded),
        cmocka_unit_test(test_large_rows_go_out_alone),
        cmocka_unit_test(test_the_directory_is_written_until_it_is_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
