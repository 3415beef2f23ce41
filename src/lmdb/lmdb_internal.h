/* The inside of an environment: shared by the files of this folder, for nobody else. */
#ifndef ORDERLY_LMDB_LMDB_INTERNAL_H
#define ORDERLY_LMDB_LMDB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "lmdb/lmdb_env.h"

#define LMDB_READERS_MAX 1024            /* reader slots of all processes */
#define LMDB_READS_KEPT_MAX 64           /* idle read transactions kept for reuse */
#define LMDB_READER_CHECK_NS 10000000000 /* how often slots of dead processes are given back */
#define LMDB_TICK_NS 1000000000          /* how often an idle committer looks after room and readers */
#define LMDB_PATH_MAX 4096

/* The identity is a key of the unnamed database, and '!' sorts before every database name: so it is the leftmost key of
 * that tree, and a reader that knows pages but not LMDB finds it without a search. */
#define LMDB_IDENTITY_KEY "!orderly"
#define LMDB_META_DATABASE "meta" /* recorded settings */

/* What one transaction may write, in bytes. */
struct lmdb_room {
    uint64_t ordinary; /* for any job */
    uint64_t total;    /* for jobs with uses_reserve */
};

/* The committer's, except room_bytes. */
struct lmdb_space {
    int fd; /* the data file, LMDB's */
    size_t page_size;
    uint64_t limit_bytes, reserve_bytes;
    uint64_t allocated_end; /* the disk has given us the file up to here */
    bool cannot_allocate;   /* the file system knows no fallocate: reckon with statvfs */
    uint64_t free_bytes;    /* in LMDB's free pages, when last counted, less what was written since */
    int64_t next_try_ns;    /* no allocation before, after one failed */
    int64_t next_count_ns;  /* no count of free pages before */
    _Atomic uint64_t room_bytes;
};

struct lmdb_reads {
    pthread_mutex_t mutex;
    MDB_txn *kept[LMDB_READS_KEPT_MAX]; /* reset */
    size_t count;
};

struct lmdb_env {
    struct lmdb_env_options options;
    char directory[LMDB_PATH_MAX];
    MDB_env *mdb;
    MDB_dbi meta;
    int process_fd; /* the lock that says: open in this process */
    struct lmdb_space space;
    struct lmdb_reads reads;

    pthread_mutex_t mutex; /* queue, closing */
    pthread_cond_t wake;
    struct queue queue;
    bool closing;
    bool committer_runs;
    pthread_t committer;
    int64_t next_reader_check_ns; /* the committer's */

    pthread_mutex_t listeners_mutex;
    struct lmdb_listener *listeners;

    struct metric_counter *commits, *refused;
    struct metric_histogram *commit_seconds, *commit_jobs;
};

/* lmdb_identity.c */
enum lmdb_judgement { LMDB_ABSENT, LMDB_EMPTY, LMDB_OURS };
enum status lmdb_identity_judge(const char *directory, enum lmdb_judgement *judgement_out, struct error *error);
/* The turn to write, among processes: taken before each write transaction, so that LMDB's own mutex is never waited for.
 * A process killed at the moment it is woken for that mutex takes the wake-up with it, and the next in line sleeps until
 * others contend again; the kernel's file locks know no such loss. (lmdb_env.c) */
void lmdb_writer_lock(const struct lmdb_env *env);
void lmdb_writer_unlock(const struct lmdb_env *env);

enum status lmdb_identity_establish(MDB_env *mdb, bool is_new, MDB_dbi *meta_out, struct error *error);

/* lmdb_committer.c */
enum status lmdb_committer_start(struct lmdb_env *env, struct error *error);
void lmdb_committer_stop(struct lmdb_env *env); /* after the last job has ended */

/* lmdb_space.c */
void lmdb_space_init(struct lmdb_env *env);
struct lmdb_room lmdb_space_refresh(struct lmdb_env *env);
uint64_t lmdb_space_cost(const struct lmdb_env *env, const struct lmdb_job *job);
void lmdb_space_wrote(struct lmdb_env *env, uint64_t cost_bytes);
bool lmdb_space_is_tight(const struct lmdb_env *env);

/* lmdb_read.c */
void lmdb_reads_close(struct lmdb_env *env);

/* The system's monotonic clock: for waits and intervals of the committer only. */
int64_t lmdb_now_ns(void);

#endif
