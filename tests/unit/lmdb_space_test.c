/* A full disk: new work is refused in time, the reserve is real, nothing is half written, and it recovers by itself. */
#include <sys/resource.h>
#include <sys/stat.h>

#include "lmdb/lmdb_internal.h"
#include "unit/lmdb_fixture.h"

#define MIB (1u << 20)
#define LIMIT (8 * MIB)
#define RESERVE (2 * MIB)
#define VALUE 40000
#define KEYS_MAX 4000
#define RECOVERY_S 20

static struct fixture fixture;

static int setup(void **state) {
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state) {
    fixture_remove(&fixture);
    return 0;
}

/* Writes rows from first_key on until one is refused; returns its key. */
static uint64_t fill(uint64_t first_key, bool uses_reserve) {
    for (uint64_t key = first_key; key < KEYS_MAX; key++) {
        enum status status = put_now(&fixture, key, VALUE, uses_reserve);
        if (status == STATUS_FULL) return key;
        assert_int_equal(status, STATUS_OK);
    }
    fail_msg("it never was full");
    return 0;
}

static void assert_rows(uint64_t end) {
    for (uint64_t key = 0; key < end; key++)
        assert_int_equal(row_size(&fixture, key), VALUE);
    assert_int_equal(row_size(&fixture, end), -1);
}

static off_t file_size(void) {
    char path[SCRATCH_PATH_MAX + 32];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", fixture.directory);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static bool puts_again_within(int seconds, uint64_t key) {
    for (int i = 0; i < seconds * 50; i++) {
        if (put_now(&fixture, key, VALUE, false) == STATUS_OK) return true;
        usleep(20000);
    }
    return false;
}

static void new_work_stops_at_the_reserve_and_processing_goes_on(void **state) {
    fixture_open(&fixture, LIMIT, RESERVE);
    assert_true(lmdb_env_room_bytes(fixture.env) > LIMIT / 2);
    uint64_t ordinary_end = fill(0, false);
    assert_true(ordinary_end * VALUE > (LIMIT - RESERVE) / 2);
    assert_true(lmdb_env_room_bytes(fixture.env) < 8 * VALUE);
    uint64_t end = fill(ordinary_end, true);
    assert_true((end - ordinary_end) * VALUE > RESERVE / 2);
    assert_rows(end);
    assert_int_equal(file_size(), LIMIT); /* never above, and what is promised is allocated */
    fixture_close(&fixture);
    fixture_open(&fixture, LIMIT, RESERVE);
    assert_rows(end);
}

static void the_reserve_is_allocated_on_disk(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    struct stat st;
    fixture_open(&fixture, 0, 32 * MIB);
    snprintf(path, sizeof path, "%s/data.mdb", fixture.directory);
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= 32 * MIB);
}

static void removing_rows_makes_room_again(void **state) {
    fixture_open(&fixture, LIMIT, RESERVE);
    uint64_t end = fill(0, false);
    for (uint64_t key = 0; key < end / 2; key++)
        assert_int_equal(delete_now(&fixture, key), STATUS_OK);
    assert_true(puts_again_within(RECOVERY_S, KEYS_MAX));
    uint64_t more = 0;
    while (more < end / 4 && put_now(&fixture, KEYS_MAX + 1 + more, VALUE, false) == STATUS_OK)
        more++;
    assert_int_equal(more, end / 4); /* the freed pages are used, not only the tail */
    assert_true(file_size() <= LIMIT);
}

static void a_raised_limit_makes_room_again(void **state) {
    struct rlimit before, low;
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    fixture_open(&fixture, 0, RESERVE);
    uint64_t end = fill(fill(0, false), true);
    assert_rows(end);
    assert_true(file_size() <= LIMIT);
    assert_int_equal(put_now(&fixture, end, VALUE, false), STATUS_FULL);
    low.rlim_cur = 2 * LIMIT;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    bool recovered = puts_again_within(RECOVERY_S, end);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(recovered);
    assert_rows(end + 1);
}

static void room_comes_back_without_a_write(void **state) {
    struct rlimit before, low;
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    fixture_open(&fixture, 0, RESERVE);
    fill(0, false);
    assert_true(lmdb_env_room_bytes(fixture.env) < 8 * VALUE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (int i = 0; i < RECOVERY_S * 50 && lmdb_env_room_bytes(fixture.env) < MIB; i++)
        usleep(20000);
    assert_true(lmdb_env_room_bytes(fixture.env) >= MIB); /* a server that refuses at once submits nothing */
}

/* The estimate was wrong, and the disk is full in the middle of the writes. */
static void a_write_that_fails_half_way_leaves_nothing(void **state) {
    struct rlimit before, low;
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    fixture_open(&fixture, 0, RESERVE);
    assert_int_equal(put_now(&fixture, 0, VALUE, false), STATUS_OK);
    struct gate gate;
    struct put small, liar;
    put_init(&small, &fixture, 1, VALUE);
    put_init(&liar, &fixture, 2, 2 * LIMIT);
    liar.job.size_bytes = 1;
    gate_close(&gate, &fixture);
    put_submit(&small);
    put_submit(&liar);
    gate_open(&gate);
    enum status small_status = put_wait(&small), liar_status = put_wait(&liar);
    bool recovered = puts_again_within(RECOVERY_S, 1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(small_status, STATUS_FULL); /* it shared the transaction */
    assert_int_equal(liar_status, STATUS_FULL);
    assert_true(recovered);
    assert_rows(2);
}

static void refusals_are_counted(void **state) {
    struct metrics *metrics = metrics_new();
    struct lmdb_env_options options = {.directory = fixture.directory,
                                       .create = true,
                                       .databases_max = 8,
                                       .limit_bytes = LIMIT,
                                       .reserve_bytes = RESERVE,
                                       .metrics = metrics};
    assert_int_equal(lmdb_env_open(&options, &fixture.env, NULL), STATUS_OK);
    assert_int_equal(lmdb_env_database(fixture.env, "rows", MDB_INTEGERKEY, &fixture.rows, NULL), STATUS_OK);
    fill(0, false);
    assert_int_equal(metric_count(fixture.env->refused), 1);
    assert_true(metric_count(fixture.env->commits) > 50);
    fixture_close(&fixture);
    metrics_free(metrics);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(new_work_stops_at_the_reserve_and_processing_goes_on),
        TEST(the_reserve_is_allocated_on_disk),
        TEST(removing_rows_makes_room_again),
        TEST(a_raised_limit_makes_room_again),
        TEST(room_comes_back_without_a_write),
        TEST(a_write_that_fails_half_way_leaves_nothing),
        TEST(refusals_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
