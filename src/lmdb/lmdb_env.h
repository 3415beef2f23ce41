/* One LMDB environment for the embedded adapters: its identity on disk, its limits, and the one committer thread.
 *
 * It knows no orders and no log. Writes are jobs in a queue; the committer takes the writer lock, drains the queue into
 * one transaction, commits it (two syncs: data, then the meta page) and completes all of them: many requests, one sync,
 * no timer. Only the committer ever waits for the writer lock, which other processes share. */
#ifndef ORDERLY_LMDB_LMDB_ENV_H
#define ORDERLY_LMDB_LMDB_ENV_H

#include <lmdb.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "base/status.h"

#define LMDB_ENV_FORMAT 1            /* of the data directory; a newer one is refused */
#define LMDB_GROUPS_DIRECTORY "groups" /* lock files of the users beside the data: a sign of use */
#define LMDB_ENV_JOBS_MAX 65536      /* waiting jobs; further ones end with FULL */
#define LMDB_ENV_BATCH_JOBS_MAX 2048 /* jobs in one transaction */
#define LMDB_ENV_BATCH_SIZE_MAX (8u << 20) /* bytes (by lmdb_job.size_bytes) in one transaction; always one job */

struct lmdb_env;

struct lmdb_env_options {
    const char *directory;   /* created (0700) with its parents if absent */
    bool create;             /* false: NOT_FOUND if there is no environment yet */
    size_t map_size_bytes;   /* 0: 256 GiB of address space (16 GiB under TSan) */
    uint64_t limit_bytes;    /* the data file may grow to this; 0: what the disk and RLIMIT_FSIZE allow */
    uint64_t reserve_bytes;  /* kept for jobs with uses_reserve; allocated on disk ahead */
    unsigned databases_max;  /* named databases */
    struct metrics *metrics; /* may be NULL; orderly_commit_* */
    /* Called from the committer when a sync failed: what was written may be lost although the kernel forgets the error
     * (see fsync(2)), so the process must end. Must not return. No job of that transaction gets a done. */
    void (*fatal)(void *data, const char *text);
    void *fatal_data;
};

/* Opens the environment once for this process and starts the committer. Refuses, changing nothing on disk: a directory
 * of another program (UNSUPPORTED), of a newer format (UNSUPPORTED), a truncated or damaged file (CORRUPT), one that is
 * open in this process already (CONFLICT). Sets SIGXFSZ to be ignored. */
enum status lmdb_env_open(const struct lmdb_env_options *options, struct lmdb_env **env_out, struct error *error);

/* Completes all jobs, stops the committer, closes. NULL is allowed. */
void lmdb_env_close(struct lmdb_env *env);

/* Opens (creates, if the environment may be written) a named database; before jobs use it. Keep the handle. */
enum status lmdb_env_database(struct lmdb_env *env, const char *name, unsigned flags, MDB_dbi *dbi_out, struct error *error);

/* One write. The struct belongs to the caller and stays alive until done. */
struct lmdb_job {
    /* Writes within the transaction, on the committer's thread. Returning other than OK ends only this job, and then it
     * must not have changed anything yet; a failing mdb_put must be returned through lmdb_status, which for a full map or
     * an I/O error fails the whole transaction (all of its jobs end with that status, nothing is written). */
    enum status (*run)(struct lmdb_job *job, MDB_txn *txn);
    /* After the commit is durable, or with a failure: nothing was written. On the committer's thread (or on the
     * submitter's, if the job is refused at once: FULL, CLOSED). Must not block. */
    void (*done)(struct lmdb_job *job, enum status status, const char *error_text);
    size_t size_bytes;  /* about what it writes: bounds the transaction */
    bool uses_reserve;
    struct queue_link link; /* the committer's */
    enum status status;     /* the committer's */
};

/* Any thread; never blocks. */
void lmdb_env_submit(struct lmdb_env *env, struct lmdb_job *job);

/* Submits and waits: for setup and tests, never from the committer's thread. The job's done is ignored. */
enum status lmdb_env_run(struct lmdb_env *env, struct lmdb_job *job, struct error *error);

/* A read transaction of this thread, kept and renewed by the environment. Short: milliseconds. Not nested. */
enum status lmdb_env_read_begin(struct lmdb_env *env, MDB_txn **txn_out);
void lmdb_env_read_end(struct lmdb_env *env, MDB_txn *txn);

/* The id of the last durable transaction, of any process: if it has not changed, nothing has. Cheap. */
uint64_t lmdb_env_last_commit(struct lmdb_env *env);

/* Calls listener on the committer's thread after each commit of this process. Any thread, any time; must not block. */
struct lmdb_listener {
    void (*committed)(struct lmdb_listener *listener);
    struct lmdb_listener *next; /* the environment's */
};
void lmdb_env_listen(struct lmdb_env *env, struct lmdb_listener *listener);
void lmdb_env_unlisten(struct lmdb_env *env, struct lmdb_listener *listener); /* after it returns, no call is under way */

/* Bytes that can still be written before new work is refused (0: it is refused now). */
uint64_t lmdb_env_room_bytes(struct lmdb_env *env);

/* The directory, for lock files beside the data. */
const char *lmdb_env_directory(const struct lmdb_env *env);

/* Settings recorded at setup ("partitions" -> 12). record: CONFLICT if another value is there. */
enum status lmdb_env_record(struct lmdb_env *env, const char *name, uint64_t value, struct error *error);
enum status lmdb_env_recorded(struct lmdb_env *env, const char *name, uint64_t *value_out, struct error *error);

/* Maps an LMDB return code to a status and, if error is given, text. */
enum status lmdb_status(int code, struct error *error);

/* LMDB has no page checksums: every value carries an XXH3-64 of key and value in its first 8 bytes. */
#define LMDB_SEAL_SIZE 8
void lmdb_seal(struct bytes key, void *value, size_t size); /* value: LMDB_SEAL_SIZE free bytes, then the payload */
enum status lmdb_unseal(struct bytes key, MDB_val value, struct bytes *payload_out); /* CORRUPT */

#endif
