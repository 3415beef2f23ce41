/* The embedded order store's codec: what goes in comes out, and any bytes at all are either a row or refused. */
#include "order_store/embedded_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contract/order_store/order_store_contract.h"

#define ROUNDS 20000

static int set_up(void **state) {
    struct arena *arena = malloc(sizeof *arena);
    arena_init(arena, 65536, STORE_TEST_ARENA_MAX);
    *state = arena;
    return 0;
}

static int tear_down(void **state) {
    arena_free(*state);
    free(*state);
    return 0;
}

/* On the heap at its exact size, so that a sanitizer sees a read beyond it. */
static enum status decode(struct arena *arena, const uint8_t *key, const uint8_t *data, size_t size,
                          struct history_row *row_out) {
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    if (size) memcpy(exact, data, size);
    enum status status = history_row_decode(key, (struct bytes){(char *)exact, size}, arena, row_out);
    free(exact);
    return status;
}

static uint8_t *encode(struct arena *arena, const struct history_row *row, uint8_t key[HISTORY_KEY_SIZE],
                       size_t *size_out) {
    *size_out = history_row_size(row);
    uint8_t *data = store_test_alloc(arena, *size_out + 1, 1);
    data[*size_out] = 0xa5;
    history_key(&row->order.order_id, row->order.version, key);
    history_row_encode(row, data);
    assert_int_equal(data[*size_out], 0xa5);
    return data;
}

static void test_rows_survive_the_way_there_and_back(void **state) {
    struct arena *arena = *state;
    struct random_seeded random;
    random_seeded_init(&random, 1);
    struct history_row *rows[] = {sample_row(arena, &random.base, "Ada", SAMPLE_TIME_MS),
                                  sample_row(arena, &random.base, "Ada", INT64_MIN),
                                  sample_row(arena, &random.base, "Ada", INT64_MAX),
                                  sample_largest(arena, &random.base), sample_empty(arena, &random.base)};
    rows[0]->position = HISTORY_POSITION_RESTORED;
    rows[1]->order.version = UINT32_MAX;
    rows[1]->order.currency[0] = 0;
    rows[2]->order.total = INT64_MIN;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t key[HISTORY_KEY_SIZE];
        size_t size;
        struct history_row decoded;
        const uint8_t *data = encode(arena, rows[i], key, &size);
        assert_true(size <= EMBEDDED_ROW_MAX);
        assert_int_equal(decode(arena, key, data, size, &decoded), STATUS_OK);
        assert_true(history_row_equal(&decoded, rows[i]));
    }
}

static void test_every_cut_row_is_corrupt(void **state) {
    struct arena *arena = *state;
    struct random_seeded random;
    random_seeded_init(&random, 2);
    struct history_row *row = sample_row(arena, &random.base, "Ada", SAMPLE_TIME_MS), decoded;
    uint8_t key[HISTORY_KEY_SIZE], longer[1024] = {0};
    size_t size;
    const uint8_t *data = encode(arena, row, key, &size);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(decode(arena, key, data, cut, &decoded), STATUS_CORRUPT);
    assert_true(size < sizeof longer);
    memcpy(longer, data, size);
    assert_int_equal(decode(arena, key, longer, size + 1, &decoded), STATUS_CORRUPT);
}

/* The encoder trusts its caller, so it can make what the decoder must not take. */
static void test_more_items_or_pairs_than_allowed_are_corrupt(void **state) {
    struct arena *arena = *state;
    struct random_seeded random;
    random_seeded_init(&random, 4);
    struct history_row *row = sample_row(arena, &random.base, "Ada", SAMPLE_TIME_MS), decoded;
    uint8_t key[HISTORY_KEY_SIZE];
    size_t size;
    row->order.items = store_test_alloc(arena, ORDER_ITEMS_MAX + 1, sizeof *row->order.items);
    row->order.metadata = store_test_alloc(arena, ORDER_METADATA_MAX + 1, sizeof *row->order.metadata);
    for (size_t over = 0; over <= 1; over++) {
        row->order.item_count = ORDER_ITEMS_MAX + over;
        row->order.metadata_count = ORDER_METADATA_MAX;
        const uint8_t *data = encode(arena, row, key, &size);
        assert_int_equal(decode(arena, key, data, size, &decoded), over ? STATUS_CORRUPT : STATUS_OK);
        row->order.item_count = ORDER_ITEMS_MAX;
        row->order.metadata_count = ORDER_METADATA_MAX + over;
        data = encode(arena, row, key, &size);
        assert_int_equal(decode(arena, key, data, size, &decoded), over ? STATUS_CORRUPT : STATUS_OK);
    }
}

/* Random damage that a checksum did not see: refused, or a row within all limits. */
static void test_random_bytes_never_do_harm(void **state) {
    struct arena *arena = *state, own;
    struct random_seeded random;
    random_seeded_init(&random, 3);
    arena_init(&own, 65536, STORE_TEST_ARENA_MAX);
    struct history_row *row = sample_row(arena, &random.base, "Ada", SAMPLE_TIME_MS), decoded;
    uint8_t key[HISTORY_KEY_SIZE];
    size_t size, accepted = 0;
    uint8_t *data = encode(arena, row, key, &size), *damaged = store_test_alloc(arena, size, 1);
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(damaged, data, size);
        for (uint64_t n = 1 + random_below(&random.base, 4); n; n--)
            damaged[random_below(&random.base, size)] = (uint8_t)random_below(&random.base, 256);
        enum status status = decode(&own, key, damaged, size, &decoded);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_OK) {
            accepted++;
            assert_true(decoded.order.item_count <= ORDER_ITEMS_MAX);
            assert_true(decoded.order.metadata_count <= ORDER_METADATA_MAX);
            assert_true((unsigned)decoded.order.status < ORDER_STATUS_COUNT);
            assert_true(history_row_size(&decoded) <= size);
        }
        arena_reset(&own);
    }
    assert_true(accepted > 0 && accepted < ROUNDS);
    arena_free(&own);
}

static void test_listing_keys_sort_newest_first(void **state) {
    static const int64_t times[] = {INT64_MIN, -1000, -1, 0, 1, 255, 256, SAMPLE_TIME_MS, INT64_MAX};
    static const struct uuid ids[] = {{{0}}, {{0, 1}}, {{0x7f}}, {{0x80}}, {{0xff, 0xff}}};
    enum { TIMES = sizeof times / sizeof *times, IDS = sizeof ids / sizeof *ids };
    uint8_t last[TAIL_SIZE], tail[TAIL_SIZE];
    memset(last, 0xff, sizeof last);
    for (int time = 0; time < TIMES; time++)
        for (int i = 0; i < IDS; i++) {
            int64_t time_ms;
            struct uuid id;
            tail_encode(times[time], &ids[i], tail);
            tail_decode(tail, &time_ms, &id);
            assert_int_equal(time_ms, times[time]);
            assert_true(uuid_equal(&id, &ids[i]));
            assert_true(time + i == 0 || memcmp(tail, last, TAIL_SIZE) < 0);
            memcpy(last, tail, TAIL_SIZE);
        }
}

static void test_current_rows_survive_and_others_are_refused(void **state) {
    struct current_row row = {.version = 10000, .status = ORDER_REFUNDED, .created_at_ms = -5}, decoded;
    uint8_t data[CURRENT_ROW_SIZE + 1] = {0};
    customer_hash(BYTES("Ada"), row.customer_hash);
    current_row_encode(&row, data);
    assert_int_equal(current_row_decode((struct bytes){(char *)data, CURRENT_ROW_SIZE}, &decoded), STATUS_OK);
    assert_int_equal(decoded.version, row.version);
    assert_int_equal(decoded.status, row.status);
    assert_int_equal(decoded.created_at_ms, row.created_at_ms);
    assert_memory_equal(decoded.customer_hash, row.customer_hash, CUSTOMER_HASH_SIZE);
    for (size_t size = 0; size <= sizeof data; size++)
        if (size != CURRENT_ROW_SIZE)
            assert_int_equal(current_row_decode((struct bytes){(char *)data, size}, &decoded), STATUS_CORRUPT);
    data[5] = ORDER_STATUS_COUNT;
    assert_int_equal(current_row_decode((struct bytes){(char *)data, CURRENT_ROW_SIZE}, &decoded), STATUS_CORRUPT);
    data[5] = 0;
    data[0]++;
    assert_int_equal(current_row_decode((struct bytes){(char *)data, CURRENT_ROW_SIZE}, &decoded), STATUS_CORRUPT);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rows_survive_the_way_there_and_back),
        TEST(test_every_cut_row_is_corrupt),
        TEST(test_more_items_or_pairs_than_allowed_are_corrupt),
        TEST(test_random_bytes_never_do_harm),
        TEST(test_listing_keys_sort_newest_first),
        TEST(test_current_rows_survive_and_others_are_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
