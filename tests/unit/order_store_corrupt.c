/* Damage to the embedded order store's data: every turned bit is noticed and named, none is believed, none crashes. */
#include "order_store/embedded.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "contract/completion.h"
#include "contract/order_store/order_store_contract.h"
#include "order_store/embedded_store.h"

#define ORDERS 3
#define VALUE_MAX 4096

static const char *const databases[] = {"t_orders", "t_order_history", "t_orders_by_time", "t_orders_by_customer",
                                        "t_orders_by_status"};
enum { DATABASES = sizeof databases / sizeof *databases };

struct fixture {
    char directory[64];
    struct lmdb_env *env;
    struct order_store *store;
    struct arena arena;
    struct random_seeded random;
    MDB_dbi dbis[DATABASES];
    const struct history_row *rows[ORDERS]; /* the current versions: order i has i + 1 */
};

static void fatal(void *data, const char *text) {
    abort();
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    strcpy(fixture->directory, "/tmp/orderly-corrupt-XXXXXX");
    arena_init(&fixture->arena, 1 << 20, STORE_TEST_ARENA_MAX);
    random_seeded_init(&fixture->random, 3);
    if (!mkdtemp(fixture->directory)) return -1;
    struct lmdb_env_options options = {
        .directory = fixture->directory, .create = true, .databases_max = 16, .fatal = fatal};
    if (lmdb_env_open(&options, &fixture->env, NULL)) return -1;
    if (order_store_embedded_open(fixture->env, clock_system(), "t_", NULL, &fixture->store, NULL)) return -1;
    if (order_store_setup(fixture->store, NULL)) return -1;
    for (int i = 0; i < DATABASES; i++)
        if (lmdb_env_database(fixture->env, databases[i], 0, &fixture->dbis[i], NULL)) return -1;
    for (int i = 0; i < ORDERS; i++) {
        const struct history_row *before = NULL;
        for (int version = 0; version <= i; version++) {
            const struct history_row *row =
                before ? sample_transition(&fixture->arena, &fixture->random.base, before, (enum order_status)version)
                       : sample_row(&fixture->arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS);
            if (store_test_apply_one(fixture->store, before ? &before->order : NULL, row)) return -1;
            before = row;
        }
        fixture->rows[i] = before;
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk) {
    return remove(path);
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    order_store_close(fixture->store);
    lmdb_env_close(fixture->env);
    nftw(fixture->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* --- raw values, behind the store's back --- */

struct raw_job {
    struct lmdb_job job;
    MDB_dbi dbi;
    MDB_val key, value; /* value.mv_data NULL: remove the key */
};

static enum status raw_run(struct lmdb_job *job, MDB_txn *txn) {
    struct raw_job *raw = CONTAINER_OF(job, struct raw_job, job);
    if (!raw->value.mv_data) return lmdb_status(mdb_del(txn, raw->dbi, &raw->key, NULL), NULL);
    return lmdb_status(mdb_put(txn, raw->dbi, &raw->key, &raw->value, 0), NULL);
}

static void raw_put(struct fixture *fixture, int database, struct bytes key, void *value, size_t size) {
    struct raw_job raw = {.job = {.run = raw_run, .size_bytes = 4096},
                          .dbi = fixture->dbis[database],
                          .key = {key.size, (void *)key.data},
                          .value = {size, value}};
    assert_int_equal(lmdb_env_run(fixture->env, &raw.job, NULL), STATUS_OK);
}

/* Copies the row number `index` of a database; false: there are no more. */
static bool raw_row(struct fixture *fixture, int database, size_t index, struct bytes *key_out,
                    struct bytes *value_out) {
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    assert_int_equal(lmdb_env_read_begin(fixture->env, &txn), STATUS_OK);
    assert_int_equal(mdb_cursor_open(txn, fixture->dbis[database], &cursor), 0);
    int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (!code && index--)
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    if (!code) {
        *key_out = arena_copy(&fixture->arena, (struct bytes){key.mv_data, key.mv_size});
        *value_out = arena_copy(&fixture->arena, (struct bytes){value.mv_data, value.mv_size});
    }
    mdb_cursor_close(cursor);
    lmdb_env_read_end(fixture->env, txn);
    return code == 0;
}

/* --- every read there is --- */

/* What all reads said: OK only if each did and showed what was applied. */
struct verdicts {
    unsigned corrupt, other; /* reads that ended so */
    bool wrong;              /* one ended well but showed something else */
};

static void count(struct verdicts *verdicts, enum status status) {
    verdicts->corrupt += status == STATUS_CORRUPT;
    verdicts->other += status != STATUS_CORRUPT && status != STATUS_OK;
}

static void read_lists(struct fixture *fixture, struct verdicts *verdicts) {
    const struct order *orders;
    size_t shown;
    struct order_store_list list = {.limit = 10};
    enum status status = store_test_list_all(fixture->store, &fixture->arena, &list, &orders, &shown);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && shown != ORDERS;
    list.customer_name = BYTES("Ada");
    status = store_test_list_all(fixture->store, &fixture->arena, &list, &orders, &shown);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && shown != ORDERS;
    for (int i = 0; i < ORDERS; i++) {
        list = (struct order_store_list){.limit = 10, .has_status = true, .status = fixture->rows[i]->order.status};
        status = store_test_list_all(fixture->store, &fixture->arena, &list, &orders, &shown);
        count(verdicts, status);
        verdicts->wrong |= status == STATUS_OK && (shown != 1 || !order_equal(&orders[0], &fixture->rows[i]->order));
    }
    status = store_test_scan_all(fixture->store, &fixture->arena, 10, &orders, &shown);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && shown != ORDERS;
}

static void read_order(struct fixture *fixture, const struct history_row *row, struct verdicts *verdicts) {
    struct order order;
    const struct history_row **found, *rows;
    size_t shown;
    struct order_store_key key = {row->order.order_id, row->order.version};
    enum status status = store_test_get(fixture->store, &fixture->arena, &key.order_id, &order, NULL);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && !order_equal(&order, &row->order);
    status = store_test_rows(fixture->store, &fixture->arena, &key, 1, &found);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && !(found[0] && history_row_equal(found[0], row));
    status = store_test_history(fixture->store, &fixture->arena, &key.order_id, 1, 10, &rows, &shown);
    count(verdicts, status);
    verdicts->wrong |= status == STATUS_OK && shown != row->order.version;
}

static struct verdicts read_everything(struct fixture *fixture) {
    struct verdicts verdicts = {0};
    read_lists(fixture, &verdicts);
    for (int i = 0; i < ORDERS; i++)
        read_order(fixture, fixture->rows[i], &verdicts);
    return verdicts;
}

static void test_whole_data_is_read_without_complaint(void **state) {
    struct verdicts verdicts = read_everything(*state);
    assert_int_equal(verdicts.corrupt + verdicts.other, 0);
    assert_false(verdicts.wrong);
}

/* One bit of every byte of every value: at least one read notices, none fails otherwise or shows anything wrong. */
static void test_every_turned_bit_is_noticed(void **state) {
    struct fixture *fixture = *state;
    struct bytes key, value;
    unsigned flips = 0;
    for (int database = 0; database < DATABASES; database++)
        for (size_t index = 0; raw_row(fixture, database, index, &key, &value); index++) {
            char damaged[VALUE_MAX];
            assert_true(value.size <= sizeof damaged);
            for (size_t at = 0; at < value.size; at++, flips++) {
                memcpy(damaged, value.data, value.size);
                damaged[at] ^= (char)(1u << random_below(&fixture->random.base, 8));
                raw_put(fixture, database, key, damaged, value.size);
                struct verdicts verdicts = read_everything(fixture);
                assert_true(verdicts.corrupt > 0);
                assert_int_equal(verdicts.other, 0);
                assert_false(verdicts.wrong);
            }
            raw_put(fixture, database, key, (void *)value.data, value.size);
        }
    assert_true(flips > 500);
    test_whole_data_is_read_without_complaint(state);
}

static void test_cut_and_longer_values_are_noticed(void **state) {
    struct fixture *fixture = *state;
    struct bytes key, value;
    for (int database = 0; database < DATABASES; database++) {
        assert_true(raw_row(fixture, database, 0, &key, &value));
        char changed[VALUE_MAX + 1] = {0};
        memcpy(changed, value.data, value.size);
        size_t sizes[] = {0, 1, LMDB_SEAL_SIZE - 1, value.size - 1, value.size + 1};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            raw_put(fixture, database, key, changed, sizes[i]);
            struct verdicts verdicts = read_everything(fixture);
            assert_true(verdicts.corrupt > 0);
            assert_int_equal(verdicts.other, 0);
            assert_false(verdicts.wrong);
        }
        raw_put(fixture, database, key, (void *)value.data, value.size);
    }
}

/* A good value under another key: the seal covers the key. */
static void test_values_under_the_wrong_key_are_noticed(void **state) {
    struct fixture *fixture = *state;
    struct bytes key, value, other_key, other_value;
    for (int database = 0; database < DATABASES; database++) {
        assert_true(raw_row(fixture, database, 0, &key, &value));
        assert_true(raw_row(fixture, database, 1, &other_key, &other_value));
        raw_put(fixture, database, key, (void *)other_value.data, other_value.size);
        struct verdicts verdicts = read_everything(fixture);
        assert_true(verdicts.corrupt > 0);
        assert_false(verdicts.wrong);
        raw_put(fixture, database, key, (void *)value.data, value.size);
    }
}

static void test_missing_rows_are_noticed(void **state) {
    struct fixture *fixture = *state;
    const struct history_row *row = fixture->rows[ORDERS - 1];
    uint8_t key[HISTORY_KEY_SIZE];
    history_key(&row->order.order_id, row->order.version, key);
    raw_put(fixture, 1, (struct bytes){(char *)key, sizeof key}, NULL, 0);
    assert_int_equal(store_test_get(fixture->store, &fixture->arena, &row->order.order_id, NULL, NULL), STATUS_CORRUPT);

    raw_put(fixture, 0, (struct bytes){(char *)row->order.order_id.bytes, 16}, NULL, 0);
    assert_int_equal(store_test_get(fixture->store, &fixture->arena, &row->order.order_id, NULL, NULL),
                     STATUS_NOT_FOUND);
    struct store_page page;
    struct order_store_list list = {.limit = 10};
    assert_int_equal(store_test_list(fixture->store, &fixture->arena, &list, &page), STATUS_CORRUPT);
}

/* --- the text, and writing onto damage --- */

struct text_get {
    struct order_store_get get;
    struct completion completion;
    char text[ERROR_TEXT_SIZE];
};

static void text_done(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                      const char *error_text) {
    struct text_get *text = get->data;
    snprintf(text->text, sizeof text->text, "%s", error_text ? error_text : "");
    completion_signal(&text->completion);
}

static void damage(struct fixture *fixture, int database, struct bytes key) {
    struct bytes row_key, value;
    size_t index = 0;
    do
        assert_true(raw_row(fixture, database, index++, &row_key, &value));
    while (!bytes_equal(row_key, key));
    char *damaged = (char *)value.data;
    damaged[value.size - 1] ^= 1;
    raw_put(fixture, database, key, damaged, value.size);
}

static void test_the_text_names_order_and_row(void **state) {
    struct fixture *fixture = *state;
    const struct order *order = &fixture->rows[1]->order;
    uint8_t key[HISTORY_KEY_SIZE];
    history_key(&order->order_id, order->version, key);
    damage(fixture, 1, (struct bytes){(char *)key, sizeof key});
    struct text_get text = {.get = {.order_id = order->order_id, .done = text_done, .data = &text}};
    completion_init(&text.completion);
    order_store_get(fixture->store, &text.get);
    completion_wait(&text.completion);
    char id[UUID_TEXT_SIZE], expected[ERROR_TEXT_SIZE];
    uuid_format(&order->order_id, id);
    snprintf(expected, sizeof expected, "order %s, version 2: its history row does not match its checksum or format",
             id);
    assert_string_equal(text.text, expected);
}

/* A request with one order whose current row is damaged writes none of its orders. */
static void test_nothing_is_written_onto_damage(void **state) {
    struct fixture *fixture = *state;
    const struct history_row *row = fixture->rows[0];
    damage(fixture, 0, (struct bytes){(char *)row->order.order_id.bytes, 16});
    struct history_row *fresh = sample_row(&fixture->arena, &fixture->random.base, "Grace", SAMPLE_TIME_MS);
    struct history_row *next = sample_transition(&fixture->arena, &fixture->random.base, row, ORDER_PAID);
    struct order_store_change changes[] = {{NULL, fresh}, {&row->order, next}};
    assert_int_equal(store_test_apply(fixture->store, changes, 2), STATUS_CORRUPT);
    assert_int_equal(store_test_get(fixture->store, &fixture->arena, &fresh->order.order_id, NULL, NULL),
                     STATUS_NOT_FOUND);
    struct order_store_key keys[] = {{fresh->order.order_id, 1}, {next->order.order_id, 2}};
    const struct history_row **found;
    assert_int_equal(store_test_rows(fixture->store, &fixture->arena, keys, 2, &found), STATUS_OK);
    assert_null(found[0]);
    assert_null(found[1]);
}

/* --- names that share a hash, limits, formats --- */

/* No two names with one XXH3-128 are at hand, so an order is filed by hand under the hash of another name. */
static void test_a_name_with_the_same_hash_is_not_taken_for_the_customer(void **state) {
    struct fixture *fixture = *state;
    const struct order *order = &fixture->rows[0]->order;
    struct current_row current;
    current_row_of(order, &current);
    customer_hash(BYTES("Grace"), current.customer_hash);
    uint8_t value[LMDB_SEAL_SIZE + CURRENT_ROW_SIZE], key[LISTING_KEY_MAX];
    struct bytes id = {(char *)order->order_id.bytes, 16};
    current_row_encode(&current, value + LMDB_SEAL_SIZE);
    lmdb_seal(id, value, sizeof value);
    raw_put(fixture, 0, id, value, sizeof value);
    size_t size = listing_key(LISTING_CUSTOMER, &order->order_id, &current, key);
    lmdb_seal((struct bytes){(char *)key, size}, value, LMDB_SEAL_SIZE);
    raw_put(fixture, 3, (struct bytes){(char *)key, size}, value, LMDB_SEAL_SIZE);
    const struct order *orders;
    size_t shown = 1;
    struct order_store_list list = {.limit = 10, .customer_name = BYTES("Grace")};
    assert_int_equal(store_test_list_all(fixture->store, &fixture->arena, &list, &orders, &shown), STATUS_OK);
    assert_int_equal(shown, 0);
}

static void test_requests_above_the_limits_are_invalid(void **state) {
    struct fixture *fixture = *state;
    struct arena *arena = &fixture->arena;
    struct history_row *row = sample_row(arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS);
    struct order_store_change change = {NULL, row};
    assert_int_equal(store_test_apply(fixture->store, &change, 0), STATUS_INVALID);
    assert_int_equal(store_test_apply(fixture->store, &change, ORDER_STORE_BATCH_MAX + 1), STATUS_INVALID);
    row->order.version = 0;
    assert_int_equal(store_test_apply(fixture->store, &change, 1), STATUS_INVALID);
    row->order.version = 1;
    row->order.customer_name = (struct bytes){store_test_alloc(arena, EMBEDDED_ROW_MAX, 1), EMBEDDED_ROW_MAX};
    assert_int_equal(store_test_apply(fixture->store, &change, 1), STATUS_INVALID);
    assert_int_equal(store_test_get(fixture->store, arena, &row->order.order_id, NULL, NULL), STATUS_NOT_FOUND);

    struct store_page page;
    const struct history_row *rows;
    size_t shown;
    struct order_store_list list = {.limit = 0};
    struct order_store_cursor cursor = {.size = 0};
    assert_int_equal(store_test_list(fixture->store, arena, &list, &page), STATUS_INVALID);
    list.limit = ORDER_STORE_LIST_MAX + 1;
    assert_int_equal(store_test_list(fixture->store, arena, &list, &page), STATUS_INVALID);
    assert_int_equal(store_test_scan(fixture->store, arena, &cursor, ORDER_STORE_BATCH_MAX + 1, &page), STATUS_INVALID);
    assert_int_equal(store_test_history(fixture->store, arena, &row->order.order_id, 1, 0, &rows, &shown),
                     STATUS_INVALID);
}

static void test_orders_of_a_newer_format_are_refused(void **state) {
    struct fixture *fixture = *state;
    struct order_store *store = NULL;
    struct error error = {""};
    assert_int_equal(lmdb_env_record(fixture->env, "new_orders_format", EMBEDDED_FORMAT + 1, NULL), STATUS_OK);
    assert_int_equal(order_store_embedded_open(fixture->env, clock_system(), "new_", NULL, &store, &error),
                     STATUS_UNSUPPORTED);
    assert_null(store);
    assert_non_null(strstr(error.text, "format 2"));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_data_is_read_without_complaint),
        TEST(test_every_turned_bit_is_noticed),
        TEST(test_cut_and_longer_values_are_noticed),
        TEST(test_values_under_the_wrong_key_are_noticed),
        TEST(test_missing_rows_are_noticed),
        TEST(test_the_text_names_order_and_row),
        TEST(test_nothing_is_written_onto_damage),
        TEST(test_a_name_with_the_same_hash_is_not_taken_for_the_customer),
        TEST(test_requests_above_the_limits_are_invalid),
        TEST(test_orders_of_a_newer_format_are_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
