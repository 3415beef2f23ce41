/* Asks the log whether it takes writes now: room on disk, and a committer that gets the writer lock in time. */
#include <stdlib.h>

#include "event_log/embedded_internal.h"

#define CHECK_ROOM_MIN (256u << 10) /* with less, all but the smallest orders are refused */

/* A job that writes nothing: it ends when the committer gets the writer lock. Freed by whoever lets go last. */
struct check_job {
    struct lmdb_job job;
    struct embedded_log *log;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool has_ended, is_awaited;
    enum status status;
};

static enum status check_run(struct lmdb_job *job, MDB_txn *txn) {
    return STATUS_OK;
}

static void check_free(struct check_job *check) {
    pthread_mutex_destroy(&check->mutex);
    pthread_cond_destroy(&check->ended);
    free(check);
}

static void check_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct check_job *check = CONTAINER_OF(job, struct check_job, job);
    struct embedded_log *log = check->log;
    pthread_mutex_lock(&check->mutex);
    check->has_ended = true;
    check->status = status;
    bool is_awaited = check->is_awaited;
    pthread_cond_signal(&check->ended);
    pthread_mutex_unlock(&check->mutex);
    if (!is_awaited) check_free(check);
    embedded_log_leave(log);
}

static enum status await_check(struct check_job *check, int timeout_ms) {
    struct timespec until = embedded_wait_until(embedded_now_ns() + (int64_t)timeout_ms * 1000000);
    pthread_mutex_lock(&check->mutex);
    while (!check->has_ended && pthread_cond_timedwait(&check->ended, &check->mutex, &until) == 0) {
    }
    enum status status = check->has_ended ? check->status : STATUS_UNAVAILABLE;
    check->is_awaited = false;
    bool has_ended = check->has_ended;
    pthread_mutex_unlock(&check->mutex);
    if (has_ended) check_free(check);
    return status;
}

enum status embedded_check(struct event_log *base, int timeout_ms, struct error *error) {
    struct embedded_log *log = embedded_log_of(base);
    enum status status = embedded_log_check_partition(base, 0, 0, error);
    if (status) return status;
    if (lmdb_env_room_bytes(log->env) < CHECK_ROOM_MIN)
        return error_set(error, STATUS_FULL, "%s has no room for new orders", lmdb_env_directory(log->env));
    struct check_job *check = calloc(1, sizeof *check);
    if (!check) return error_set(error, STATUS_NO_MEMORY, "no memory to ask the log");
    *check = (struct check_job){
        .job = {.run = check_run, .done = check_done, .uses_reserve = true}, .log = log, .is_awaited = true};
    pthread_mutex_init(&check->mutex, NULL);
    embedded_wait_init(&check->ended);
    embedded_log_enter(log);
    lmdb_env_submit(log->env, &check->job);
    status = await_check(check, timeout_ms);
    return status ? error_set(error, status, "the log took no write within %d ms", timeout_ms) : STATUS_OK;
}
