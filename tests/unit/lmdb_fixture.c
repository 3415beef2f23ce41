/* An environment in a scratch directory, for the tests of src/lmdb. */
#include "unit/lmdb_fixture.h"

#define VALUE_MAX (24u << 20)

void fixture_make(struct fixture *fixture) {
    memset(fixture, 0, sizeof *fixture);
    scratch_make(fixture->scratch);
    snprintf(fixture->directory, sizeof fixture->directory, "%s/data", fixture->scratch);
}

enum status fixture_try_open(struct fixture *fixture, struct error *error) {
    struct lmdb_env_options options = {.directory = fixture->directory, .create = true, .databases_max = 8};
    return lmdb_env_open(&options, &fixture->env, error);
}

void fixture_open(struct fixture *fixture, uint64_t limit_bytes, uint64_t reserve_bytes) {
    struct lmdb_env_options options = {.directory = fixture->directory,
                                       .create = true,
                                       .databases_max = 8,
                                       .limit_bytes = limit_bytes,
                                       .reserve_bytes = reserve_bytes};
    struct error error;
    if (lmdb_env_open(&options, &fixture->env, &error)) fail_msg("%s", error.text);
    if (lmdb_env_database(fixture->env, "rows", MDB_INTEGERKEY, &fixture->rows, &error)) fail_msg("%s", error.text);
}

void fixture_close(struct fixture *fixture) {
    lmdb_env_close(fixture->env);
    fixture->env = NULL;
}

void fixture_remove(struct fixture *fixture) {
    fixture_close(fixture);
    scratch_remove(fixture->scratch);
}

static enum status put_run(struct lmdb_job *job, MDB_txn *txn) {
    struct put *put = CONTAINER_OF(job, struct put, job);
    if (put->answer != STATUS_OK && put->answer != STATUS_FULL && put->answer != STATUS_IO) return put->answer;
    MDB_val key = {sizeof put->key, &put->key}, value = {put->value_size, NULL};
    int rc = mdb_put(txn, put->fixture->rows, &key, &value, MDB_RESERVE);
    if (rc == 0) memset(value.mv_data, (int)(put->key & 0xff), value.mv_size);
    return rc ? lmdb_status(rc, NULL) : put->answer;
}

static void put_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct put *put = CONTAINER_OF(job, struct put, job);
    put->status = status;
    snprintf(put->error_text, sizeof put->error_text, "%s", error_text ? error_text : "");
    completion_signal(&put->completion);
}

void put_init(struct put *put, const struct fixture *fixture, uint64_t key, size_t value_size) {
    assert_true(value_size <= VALUE_MAX);
    *put = (struct put){.job = {.run = put_run, .done = put_done, .size_bytes = value_size},
                        .fixture = fixture,
                        .key = key,
                        .value_size = value_size};
    completion_init(&put->completion);
}

void put_submit(struct put *put) {
    lmdb_env_submit(put->fixture->env, &put->job);
}

enum status put_wait(struct put *put) {
    completion_wait(&put->completion);
    assert_int_equal(put->status == STATUS_OK, put->error_text[0] == '\0');
    return put->status;
}

enum status put_now(const struct fixture *fixture, uint64_t key, size_t value_size, bool uses_reserve) {
    struct put put;
    put_init(&put, fixture, key, value_size);
    put.job.uses_reserve = uses_reserve;
    put_submit(&put);
    return put_wait(&put);
}

static enum status delete_run(struct lmdb_job *job, MDB_txn *txn) {
    struct put *put = CONTAINER_OF(job, struct put, job);
    MDB_val key = {sizeof put->key, &put->key};
    return lmdb_status(mdb_del(txn, put->fixture->rows, &key, NULL), NULL);
}

enum status delete_now(const struct fixture *fixture, uint64_t key) {
    struct put put;
    put_init(&put, fixture, key, 64);
    put.job.run = delete_run;
    put.job.uses_reserve = true;
    put_submit(&put);
    return put_wait(&put);
}

long row_size(const struct fixture *fixture, uint64_t number) {
    MDB_txn *txn;
    MDB_val key = {sizeof number, &number}, value;
    assert_int_equal(lmdb_env_read_begin(fixture->env, &txn), STATUS_OK);
    int rc = mdb_get(txn, fixture->rows, &key, &value);
    long size = rc ? -1 : (long)value.mv_size;
    for (long i = 0; i < size; i++)
        assert_int_equal(((unsigned char *)value.mv_data)[i], number & 0xff);
    lmdb_env_read_end(fixture->env, txn);
    assert_true(rc == 0 || rc == MDB_NOTFOUND);
    return size;
}

static enum status gate_run(struct lmdb_job *job, MDB_txn *txn) {
    struct gate *gate = CONTAINER_OF(job, struct gate, job);
    completion_signal(&gate->entered);
    completion_wait(&gate->open);
    return STATUS_OK;
}

static void gate_done(struct lmdb_job *job, enum status status, const char *error_text) {
    completion_signal(&CONTAINER_OF(job, struct gate, job)->done);
}

void gate_close(struct gate *gate, struct fixture *fixture) {
    *gate = (struct gate){.job = {.run = gate_run, .done = gate_done}};
    completion_init(&gate->entered);
    completion_init(&gate->open);
    completion_init(&gate->done);
    lmdb_env_submit(fixture->env, &gate->job);
    completion_wait(&gate->entered);
}

void gate_open(struct gate *gate) {
    completion_signal(&gate->open);
    completion_wait(&gate->done);
}
