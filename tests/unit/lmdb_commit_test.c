/* The committer: many writes share one sync, a job fails alone or all of a transaction together, every job ends once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "unit/lmdb_fixture.h"

static struct fixture fixture;

static int setup(void **state) {
    fixture_make(&fixture);
    fixture_open(&fixture, 0, 1u << 20);
    return 0;
}

static int teardown(void **state) {
    fixture_remove(&fixture);
    return 0;
}

static struct put *puts_make(size_t count, size_t value_size) {
    struct put *puts = calloc(count, sizeof *puts);
    assert_non_null(puts);
    for (size_t i = 0; i < count; i++)
        put_init(&puts[i], &fixture, i, value_size);
    return puts;
}

/* Submits all while the committer is busy; returns how many transactions they took. */
static uint64_t puts_gathered(struct put *puts, size_t count) {
    struct gate gate;
    gate_close(&gate, &fixture);
    for (size_t i = 0; i < count; i++)
        put_submit(&puts[i]);
    uint64_t before = lmdb_env_last_commit(fixture.env); /* the gate itself writes nothing */
    gate_open(&gate);
    for (size_t i = 0; i < count; i++)
        put_wait(&puts[i]);
    return lmdb_env_last_commit(fixture.env) - before;
}

static void many_jobs_share_one_commit(void **state) {
    struct put *puts = puts_make(1000, 100);
    assert_int_equal(puts_gathered(puts, 1000), 1);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(row_size(&fixture, i), 100);
    free(puts);
}

static void one_transaction_is_bounded_by_jobs_and_by_size(void **state) {
    struct put *puts = puts_make(2 * LMDB_ENV_BATCH_JOBS_MAX + 1, 10);
    assert_int_equal(puts_gathered(puts, 2 * LMDB_ENV_BATCH_JOBS_MAX + 1), 3);
    free(puts);
    puts = puts_make(5, LMDB_ENV_BATCH_SIZE_MAX / 2);
    assert_int_equal(puts_gathered(puts, 5), 3);
    free(puts);
    puts = puts_make(2, LMDB_ENV_BATCH_SIZE_MAX + 1); /* too large to share, not too large to write */
    for (int i = 0; i < 2; i++)
        puts[i].value_size = 1000;
    assert_int_equal(puts_gathered(puts, 2), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(puts[i].status, STATUS_OK);
    free(puts);
}

static void a_job_that_refuses_fails_alone(void **state) {
    struct put *puts = puts_make(10, 100);
    puts[4].answer = STATUS_CONFLICT;
    assert_int_equal(puts_gathered(puts, 10), 1);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(puts[i].status, i == 4 ? STATUS_CONFLICT : STATUS_OK);
        assert_int_equal(row_size(&fixture, i), i == 4 ? -1 : 100);
    }
    free(puts);
}

static void a_failed_write_takes_the_whole_transaction_back(void **state) {
    static const enum status failures[] = {STATUS_FULL, STATUS_IO};
    for (size_t f = 0; f < 2; f++) {
        struct put *puts = puts_make(10, 100);
        puts[2].answer = STATUS_NOT_FOUND;
        puts[4].answer = failures[f];
        assert_int_equal(puts_gathered(puts, 10), 0);
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(puts[i].status, i == 2 ? STATUS_NOT_FOUND : failures[f]);
            assert_int_equal(row_size(&fixture, i), -1);
        }
        free(puts);
    }
    assert_int_equal(put_now(&fixture, 1, 100, true), STATUS_OK);
}

static void jobs_run_in_the_order_they_came(void **state) {
    struct put *puts = puts_make(3000, 8);
    for (size_t i = 0; i < 3000; i++)
        puts[i].key = 7, puts[i].value_size = i + 1;
    puts_gathered(puts, 3000);
    assert_int_equal(row_size(&fixture, 7), 3000);
    free(puts);
}

#define THREADS 4
#define PUTS_EACH 500

static void *submit_many(void *data) {
    struct put *puts = data;
    for (size_t i = 0; i < PUTS_EACH; i++)
        put_submit(&puts[i]);
    return NULL;
}

static void threads_lose_nothing(void **state) {
    struct put *puts = puts_make(THREADS * PUTS_EACH, 50);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, puts + i * PUTS_EACH), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS * PUTS_EACH; i++)
        assert_int_equal(put_wait(&puts[i]), STATUS_OK);
    for (size_t i = 0; i < THREADS * PUTS_EACH; i++)
        assert_int_equal(row_size(&fixture, i), 50);
    free(puts);
}

static void too_many_waiting_jobs_are_refused_at_once(void **state) {
    struct put *puts = puts_make(LMDB_ENV_JOBS_MAX + 1, 1);
    struct gate gate;
    gate_close(&gate, &fixture);
    for (size_t i = 0; i < LMDB_ENV_JOBS_MAX; i++)
        puts[i].answer = STATUS_CONFLICT, put_submit(&puts[i]);
    put_submit(&puts[LMDB_ENV_JOBS_MAX]);
    assert_int_equal(put_wait(&puts[LMDB_ENV_JOBS_MAX]), STATUS_FULL); /* although the committer stands still */
    gate_open(&gate);
    for (size_t i = 0; i < LMDB_ENV_JOBS_MAX; i++)
        assert_int_equal(put_wait(&puts[i]), STATUS_CONFLICT);
    free(puts);
}

static void closing_ends_every_job(void **state) {
    struct put *puts = puts_make(3000, 100), late;
    for (size_t i = 0; i < 3000; i++)
        put_submit(&puts[i]);
    fixture_close(&fixture);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(put_wait(&puts[i]), STATUS_OK);
    fixture_open(&fixture, 0, 0);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(row_size(&fixture, i), 100);
    put_init(&late, &fixture, 1, 1);
    put_submit(&late);
    put_wait(&late);
    free(puts);
}

struct chain { /* a job whose done submits the next one */
    struct lmdb_job job;
    int left;
    enum status last;
    struct completion ended;
};

static enum status chain_run(struct lmdb_job *job, MDB_txn *txn) {
    return STATUS_OK;
}

static void chain_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct chain *chain = CONTAINER_OF(job, struct chain, job);
    chain->last = status;
    if (status == STATUS_OK && --chain->left > 0)
        lmdb_env_submit(fixture.env, job);
    else
        completion_signal(&chain->ended);
}

static void a_done_may_submit_and_a_closing_environment_says_so(void **state) {
    struct chain chain = {.job = {.run = chain_run, .done = chain_done}, .left = 100};
    completion_init(&chain.ended);
    lmdb_env_submit(fixture.env, &chain.job);
    completion_wait(&chain.ended);
    assert_int_equal(chain.left, 0);

    struct chain endless = {.job = {.run = chain_run, .done = chain_done}, .left = 1 << 30};
    completion_init(&endless.ended);
    lmdb_env_submit(fixture.env, &endless.job);
    lmdb_env_close(fixture.env);
    completion_wait(&endless.ended);
    assert_int_equal(endless.last, STATUS_CLOSED);
    fixture.env = NULL;
}

struct counter {
    struct lmdb_listener listener;
    atomic_int calls;
};

static void count_commit(struct lmdb_listener *listener) {
    atomic_fetch_add(&CONTAINER_OF(listener, struct counter, listener)->calls, 1);
}

static void listeners_hear_of_commits_until_they_leave(void **state) {
    struct counter counters[2] = {{.listener = {count_commit}}, {.listener = {count_commit}}};
    for (int i = 0; i < 2; i++)
        lmdb_env_listen(fixture.env, &counters[i].listener);
    for (int i = 0; i < 10; i++)
        put_now(&fixture, 1, 1, false);
    lmdb_env_unlisten(fixture.env, &counters[0].listener);
    int before = atomic_load(&counters[0].calls);
    assert_true(before >= 9); /* the call for the last put may come after its done: it must not come any more now */
    for (int i = 0; i < 10; i++)
        put_now(&fixture, 1, 1, false);
    lmdb_env_unlisten(fixture.env, &counters[1].listener);
    assert_int_equal(atomic_load(&counters[0].calls), before);
    assert_true(atomic_load(&counters[1].calls) >= 19);
}

static void settings_are_recorded_once(void **state) {
    struct error error;
    uint64_t value = 5;
    assert_int_equal(lmdb_env_recorded(fixture.env, "partitions", &value, &error), STATUS_NOT_FOUND);
    assert_int_equal(value, 5);
    assert_int_equal(lmdb_env_record(fixture.env, "partitions", 12, &error), STATUS_OK);
    assert_int_equal(lmdb_env_record(fixture.env, "partitions", 12, &error), STATUS_OK);
    assert_int_equal(lmdb_env_record(fixture.env, "partitions", 13, &error), STATUS_CONFLICT);
    assert_non_null(strstr(error.text, "partitions"));
    fixture_close(&fixture);
    fixture_open(&fixture, 0, 0);
    assert_int_equal(lmdb_env_recorded(fixture.env, "partitions", &value, &error), STATUS_OK);
    assert_int_equal(value, 12);
}

static void reads_see_commits_and_only_commits(void **state) {
    MDB_txn *old, *new;
    assert_int_equal(put_now(&fixture, 1, 10, false), STATUS_OK);
    assert_int_equal(lmdb_env_read_begin(fixture.env, &old), STATUS_OK);
    uint64_t before = lmdb_env_last_commit(fixture.env);
    assert_int_equal(mdb_txn_id(old), before);
    assert_int_equal(put_now(&fixture, 1, 20, false), STATUS_OK);
    assert_int_equal(lmdb_env_last_commit(fixture.env), before + 1);
    uint64_t number = 1;
    MDB_val key = {sizeof number, &number}, value;
    assert_int_equal(mdb_get(old, fixture.rows, &key, &value), 0);
    assert_int_equal(value.mv_size, 10); /* a read keeps its moment */
    assert_int_equal(lmdb_env_read_begin(fixture.env, &new), STATUS_OK);
    assert_int_equal(mdb_get(new, fixture.rows, &key, &value), 0);
    assert_int_equal(value.mv_size, 20);
    lmdb_env_read_end(fixture.env, new);
    lmdb_env_read_end(fixture.env, old);
    for (int i = 0; i < 5000; i++) { /* more than there are reader slots */
        assert_int_equal(lmdb_env_read_begin(fixture.env, &new), STATUS_OK);
        lmdb_env_read_end(fixture.env, new);
    }
}

static void return_codes_have_meanings(void **state) {
    struct error error;
    assert_int_equal(lmdb_status(MDB_SUCCESS, &error), STATUS_OK);
    assert_int_equal(lmdb_status(MDB_NOTFOUND, &error), STATUS_NOT_FOUND);
    assert_int_equal(lmdb_status(MDB_MAP_FULL, &error), STATUS_FULL);
    assert_int_equal(lmdb_status(ENOSPC, &error), STATUS_FULL);
    assert_int_equal(lmdb_status(EFBIG, &error), STATUS_FULL);
    assert_int_equal(lmdb_status(EIO, &error), STATUS_IO);
    assert_int_equal(lmdb_status(-1, &error), STATUS_IO);
    assert_int_equal(lmdb_status(ENOMEM, NULL), STATUS_NO_MEMORY);
}

static void a_seal_shows_every_changed_bit(void **state) {
    char value[LMDB_SEAL_SIZE + 20] = {0};
    struct bytes key = BYTES("key"), payload = {NULL, 0};
    memcpy(value + LMDB_SEAL_SIZE, "the payload, 20 byte", 20);
    lmdb_seal(key, value, sizeof value);
    MDB_val sealed = {sizeof value, value};
    assert_int_equal(lmdb_unseal(key, sealed, &payload), STATUS_OK);
    assert_true(bytes_equal(payload, BYTES("the payload, 20 byte")));
    for (size_t bit = 0; bit < 8 * sizeof value; bit++) {
        value[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(lmdb_unseal(key, sealed, &payload), STATUS_CORRUPT);
        value[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(lmdb_unseal(BYTES("kex"), sealed, &payload), STATUS_CORRUPT); /* a value in another's place */
    for (size_t size = 0; size < sizeof value; size++)
        assert_int_equal(lmdb_unseal(key, (MDB_val){size, value}, &payload), STATUS_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(many_jobs_share_one_commit),
        TEST(one_transaction_is_bounded_by_jobs_and_by_size),
        TEST(a_job_that_refuses_fails_alone),
        TEST(a_failed_write_takes_the_whole_transaction_back),
        TEST(jobs_run_in_the_order_they_came),
        TEST(threads_lose_nothing),
        TEST(too_many_waiting_jobs_are_refused_at_once),
        TEST(closing_ends_every_job),
        TEST(a_done_may_submit_and_a_closing_environment_says_so),
        TEST(listeners_hear_of_commits_until_they_leave),
        TEST(settings_are_recorded_once),
        TEST(reads_see_commits_and_only_commits),
        cmocka_unit_test(return_codes_have_meanings),
        cmocka_unit_test(a_seal_shows_every_changed_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
