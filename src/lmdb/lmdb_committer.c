/* The one committer thread: takes the writer lock, drains the queue into one transaction, commits, completes all.
 *
 * While one commit is being synced, further jobs gather in the queue: the busier it is, the more share one sync, and
 * there is no timer to tune. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lmdb/lmdb_internal.h"

struct batch {
    struct queue jobs;
    size_t refused;      /* of these, for want of room */
    uint64_t cost_bytes; /* by lmdb_space_cost */
    enum status failure; /* of the whole transaction */
    struct error error;  /* why */
};

static struct lmdb_job *job_of(struct queue_link *link) {
    return CONTAINER_OF(link, struct lmdb_job, link);
}

/* --- any thread: the queue --- */

void lmdb_env_submit(struct lmdb_env *env, struct lmdb_job *job) {
    enum status refused = STATUS_OK;
    job->status = STATUS_OK;
    pthread_mutex_lock(&env->mutex);
    if (env->closing) {
        refused = STATUS_CLOSED;
    } else if (env->queue.count >= LMDB_ENV_JOBS_MAX) {
        refused = STATUS_FULL;
    } else {
        queue_push(&env->queue, &job->link);
        if (env->queue.count == 1) pthread_cond_signal(&env->wake);
    }
    pthread_mutex_unlock(&env->mutex);
    if (refused) job->done(job, refused, refused == STATUS_CLOSED ? "closed" : "too many writes are waiting");
}

/* A job somebody waits for: stands in for the caller's. */
struct awaited_job {
    struct lmdb_job job;
    struct lmdb_job *inner;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool has_ended;
    enum status status;
    struct error *error;
};

static enum status awaited_run(struct lmdb_job *job, MDB_txn *txn) {
    struct lmdb_job *inner = CONTAINER_OF(job, struct awaited_job, job)->inner;
    return inner->run(inner, txn);
}

static void awaited_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct awaited_job *awaited = CONTAINER_OF(job, struct awaited_job, job);
    pthread_mutex_lock(&awaited->mutex);
    awaited->status = status;
    if (status) error_set(awaited->error, status, "%s", error_text);
    awaited->has_ended = true;
    pthread_cond_signal(&awaited->ended);
    pthread_mutex_unlock(&awaited->mutex);
}

enum status lmdb_env_run(struct lmdb_env *env, struct lmdb_job *job, struct error *error) {
    struct awaited_job awaited = {
        .job = {.run = awaited_run,
                .done = awaited_done,
                .size_bytes = job->size_bytes,
                .uses_reserve = job->uses_reserve},
        .inner = job,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .ended = PTHREAD_COND_INITIALIZER,
        .error = error,
    };
    lmdb_env_submit(env, &awaited.job);
    pthread_mutex_lock(&awaited.mutex);
    while (!awaited.has_ended)
        pthread_cond_wait(&awaited.ended, &awaited.mutex);
    pthread_mutex_unlock(&awaited.mutex);
    pthread_cond_destroy(&awaited.ended);
    pthread_mutex_destroy(&awaited.mutex);
    return awaited.status;
}

void lmdb_env_listen(struct lmdb_env *env, struct lmdb_listener *listener) {
    pthread_mutex_lock(&env->listeners_mutex);
    listener->next = env->listeners;
    env->listeners = listener;
    pthread_mutex_unlock(&env->listeners_mutex);
}

void lmdb_env_unlisten(struct lmdb_env *env, struct lmdb_listener *listener) {
    pthread_mutex_lock(&env->listeners_mutex);
    for (struct lmdb_listener **at = &env->listeners; *at; at = &(*at)->next) {
        if (*at != listener) continue;
        *at = listener->next;
        break;
    }
    pthread_mutex_unlock(&env->listeners_mutex);
}

/* --- the committer's thread --- */

static _Noreturn void committer_fatal(struct lmdb_env *env, int rc) {
    struct error error;
    error_set(&error, STATUS_IO, "a sync of %s failed: %s; what was written may be lost", env->directory,
              mdb_strerror(rc));
    if (env->options.fatal) env->options.fatal(env->options.fatal_data, error.text);
    abort(); /* going on would answer for data that is not there */
}

/* Moves jobs into the batch while they fit; a job without room is in it too, but only to be refused. */
static void batch_drain(struct lmdb_env *env, struct lmdb_room room, struct batch *batch) {
    size_t size_bytes = 0;
    pthread_mutex_lock(&env->mutex);
    while (env->queue.head && batch->jobs.count < LMDB_ENV_BATCH_JOBS_MAX) {
        struct lmdb_job *job = job_of(env->queue.head);
        uint64_t cost_bytes = lmdb_space_cost(env, job);
        bool is_first = batch->jobs.count == batch->refused;
        if (!is_first && size_bytes + job->size_bytes > LMDB_ENV_BATCH_SIZE_MAX) break;
        if (cost_bytes > 0 && batch->cost_bytes + cost_bytes > (job->uses_reserve ? room.total : room.ordinary)) {
            if (!is_first) break; /* it may fit into the next transaction */
            job->status = STATUS_FULL;
            batch->refused++;
        } else {
            size_bytes += job->size_bytes;
            batch->cost_bytes += cost_bytes;
        }
        queue_push(&batch->jobs, queue_pop(&env->queue));
    }
    pthread_mutex_unlock(&env->mutex);
}

/* After these a transaction is of no use any more: what the job wanted to write is written in part. */
static bool breaks_transaction(enum status status) {
    return status == STATUS_FULL || status == STATUS_IO || status == STATUS_NO_MEMORY;
}

static void batch_fail(struct batch *batch, enum status status, const char *text) {
    batch->failure = status;
    error_set(&batch->error, status, "%s", text);
}

/* The status is OK, or that of the job after which the transaction must be given up. */
static void batch_run(struct batch *batch, MDB_txn *txn) {
    for (struct queue_link *link = batch->jobs.head; link; link = link->next) {
        struct lmdb_job *job = job_of(link);
        if (job->status) continue;
        job->status = job->run(job, txn);
        if (!breaks_transaction(job->status)) continue;
        batch_fail(batch, job->status, job->status == STATUS_FULL ? "the disk is full" : "a write failed");
        return;
    }
}

/* True if LMDB gave up the environment: then the meta page itself was hit. */
static bool committer_lost_meta(struct lmdb_env *env) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (rc == 0) mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

/* LMDB has aborted the transaction. Its own codes, no space and no memory mean that nothing of it counts: the next one
 * writes over its pages. Any other errno may be that of a sync, and must end the process; but LMDB also says EIO for a
 * write that a full disk cut short. */
static void batch_commit_failed(struct lmdb_env *env, struct batch *batch, int rc) {
    struct error error;
    if (rc == EIO && lmdb_space_is_tight(env)) rc = ENOSPC;
    enum status status = lmdb_status(rc, &error);
    bool is_harmless = rc < 0 || status == STATUS_FULL || status == STATUS_NO_MEMORY;
    if (!is_harmless || committer_lost_meta(env)) committer_fatal(env, rc);
    if (rc == MDB_BAD_TXN) status = STATUS_CORRUPT; /* LMDB met a damaged page in one of the runs */
    batch_fail(batch, status, error.text);
}

static void batch_write(struct lmdb_env *env, struct batch *batch, MDB_txn *txn) {
    batch_run(batch, txn);
    if (batch->failure) {
        mdb_txn_abort(txn);
        return;
    }
    int rc = mdb_txn_commit(txn);
    if (rc) batch_commit_failed(env, batch, rc);
    lmdb_space_wrote(env, batch->cost_bytes);
}

static void batch_complete(struct batch *batch) {
    struct queue_link *link;
    while ((link = queue_pop(&batch->jobs))) {
        struct lmdb_job *job = job_of(link);
        enum status status = job->status;
        const char *text = status == STATUS_FULL ? "the disk's limit is reached" : status_name(status);
        if (status == STATUS_OK && batch->failure) status = batch->failure, text = batch->error.text;
        job->done(job, status, status ? text : NULL);
    }
}

static void call_listeners(struct lmdb_env *env) {
    pthread_mutex_lock(&env->listeners_mutex);
    for (struct lmdb_listener *listener = env->listeners; listener; listener = listener->next)
        listener->committed(listener);
    pthread_mutex_unlock(&env->listeners_mutex);
}

static void committer_round(struct lmdb_env *env) {
    struct batch batch = {.failure = STATUS_OK};
    MDB_txn *txn = NULL;
    int64_t begin_ns = lmdb_now_ns();
    lmdb_writer_lock(env); /* may wait for another process */
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (rc == MDB_PANIC) committer_fatal(env, rc);
    batch_drain(env, lmdb_space_refresh(env), &batch);
    if (rc)
        batch_fail(&batch, lmdb_status(rc, NULL), mdb_strerror(rc));
    else
        batch_write(env, &batch, txn);
    lmdb_writer_unlock(env);
    metric_add(env->commits, 1);
    metric_add(env->refused, batch.refused);
    metric_observe_size(env->commit_jobs, batch.jobs.count);
    metric_observe_ns(env->commit_seconds, lmdb_now_ns() - begin_ns);
    bool wrote = batch.failure == STATUS_OK;
    batch_complete(&batch);
    if (wrote) call_listeners(env);
}

static void committer_tick(struct lmdb_env *env) {
    int64_t now_ns = lmdb_now_ns();
    if (now_ns < env->next_reader_check_ns) return;
    env->next_reader_check_ns = now_ns + LMDB_READER_CHECK_NS;
    mdb_reader_check(env->mdb, NULL);
}

/* True: there are jobs. False: nothing for a while, or closing and all is done (then *ended_out). */
static bool committer_wait(struct lmdb_env *env, bool *ended_out) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LMDB_TICK_NS / 1000000000;
    pthread_mutex_lock(&env->mutex);
    int rc = 0;
    while (!env->queue.head && !env->closing && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&env->wake, &env->mutex, &until);
    bool has_jobs = env->queue.head != NULL;
    *ended_out = !has_jobs && env->closing;
    pthread_mutex_unlock(&env->mutex);
    return has_jobs;
}

static void *committer_main(void *data) {
    struct lmdb_env *env = data;
    bool ended = false;
    while (!ended) {
        if (committer_wait(env, &ended))
            committer_round(env);
        else
            lmdb_space_refresh(env); /* room may have come back although nothing was written */
        committer_tick(env);
    }
    return NULL;
}

enum status lmdb_committer_start(struct lmdb_env *env, struct error *error) {
    int rc = pthread_create(&env->committer, NULL, committer_main, env);
    if (rc) return error_set_errno(error, STATUS_NO_MEMORY, rc, "the committer thread cannot be started");
    env->committer_runs = true;
    return STATUS_OK;
}

void lmdb_committer_stop(struct lmdb_env *env) {
    if (!env->committer_runs) return;
    pthread_mutex_lock(&env->mutex);
    env->closing = true;
    pthread_cond_signal(&env->wake);
    pthread_mutex_unlock(&env->mutex);
    pthread_join(env->committer, NULL);
    env->committer_runs = false;
}
