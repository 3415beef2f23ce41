/* An environment in a scratch directory, and the simplest job: one row. */
#ifndef ORDERLY_TESTS_UNIT_LMDB_FIXTURE_H
#define ORDERLY_TESTS_UNIT_LMDB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/completion.h"
#include "lmdb/lmdb_env.h"
#include "support/scratch.h"

struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char directory[SCRATCH_PATH_MAX + 8]; /* scratch/data: not there before the first open */
    struct lmdb_env *env;
    MDB_dbi rows;
};

void fixture_make(struct fixture *fixture);
void fixture_open(struct fixture *fixture, uint64_t limit_bytes, uint64_t reserve_bytes); /* must succeed */
enum status fixture_try_open(struct fixture *fixture, struct error *error);
void fixture_close(struct fixture *fixture);
void fixture_remove(struct fixture *fixture); /* closes too */

struct put {
    struct lmdb_job job;
    const struct fixture *fixture;
    uint64_t key;
    size_t value_size;
    enum status answer; /* what run returns after (OK: the put's own) or instead of writing */
    enum status status; /* what done was given */
    char error_text[200];
    struct completion completion;
};

/* size_bytes: what the job claims to write. */
void put_init(struct put *put, const struct fixture *fixture, uint64_t key, size_t value_size);
void put_submit(struct put *put);
enum status put_wait(struct put *put);
enum status put_now(const struct fixture *fixture, uint64_t key, size_t value_size, bool uses_reserve);
enum status delete_now(const struct fixture *fixture, uint64_t key);

/* The size of the row's value, or -1. Every value is checked to be whole. */
long row_size(const struct fixture *fixture, uint64_t key);

/* A job that keeps the committer in its run until it is opened: what is submitted meanwhile gathers behind it. */
struct gate {
    struct lmdb_job job;
    struct completion entered, open, done;
};
void gate_close(struct gate *gate, struct fixture *fixture); /* returns when the committer is in it */
void gate_open(struct gate *gate);

#endif
