/* Room on disk: how much the next transaction may write, and what is kept for jobs that use the reserve.
 *
 * The file is allocated ahead with fallocate(2), so a page that LMDB appends already has its blocks: the reserve is
 * real, and a write does not end half way on a full disk. What is left is the allocated tail behind LMDB's last page
 * plus the pages in LMDB's free list (counted only when the tail alone does not suffice). Below the reserve new work is
 * refused; processing goes on. A guess that was too high costs nothing but a transaction: LMDB aborts it, nothing is
 * written.
 *
 * All of this is the committer's, but for room_bytes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lmdb/lmdb_internal.h"

#define STEP_MIN (16u << 20) /* allocate this much at once, more as the file grows */
#define STEP_MAX (64u << 20)
#define PIECE_MIN (64u << 10)   /* allocations are halved down to this when the disk is nearly full */
#define TRY_AGAIN_NS 1000000000 /* after an allocation failed */
#define JOB_PAGES 4             /* what a job writes, at most about: these pages, */
#define JOB_GROWTH 4            /* and this many times the bytes that it says: pages are copied whole, and split */
#define TRANSACTION_PAGES 16    /* the free list and the roots */
#define BATCH_COST_MAX (JOB_GROWTH * LMDB_ENV_BATCH_SIZE_MAX + LMDB_ENV_BATCH_JOBS_MAX * JOB_PAGES * 4096u)
#define COUNT_SHARE 50 /* counting free pages may take 1/50 of the CPU */

int64_t lmdb_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The end of LMDB's last page in the file. Exact while this process holds the writer lock. */
static uint64_t space_used_end(const struct lmdb_env *env) {
    MDB_envinfo info;
    mdb_env_info(env->mdb, &info);
    return ((uint64_t)info.me_last_pgno + 1) * env->space.page_size;
}

/* How large the file may become: asked for anew each time, since limits can be raised while we run. */
static uint64_t space_cap(const struct lmdb_env *env) {
    uint64_t cap = env->options.map_size_bytes;
    if (env->space.limit_bytes) cap = smaller(cap, env->space.limit_bytes);
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) cap = smaller(cap, limit.rlim_cur);
    return cap - cap % env->space.page_size;
}

static uint64_t space_step(uint64_t used_end) {
    uint64_t step = used_end / 8;
    return step < STEP_MIN ? STEP_MIN : smaller(step, STEP_MAX);
}

/* Without fallocate: what the disk says it has; and the file is made as long as its pages need, or a reader of pages
 * that were never written would die of SIGBUS. */
static void space_reckon(struct lmdb_space *space, uint64_t used_end, uint64_t target) {
    struct statvfs fs;
    struct stat st;
    space->allocated_end = used_end;
    if (fstatvfs(space->fd, &fs) || fstat(space->fd, &st)) return;
    uint64_t end = smaller(target, used_end + (uint64_t)fs.f_bavail * fs.f_frsize);
    if ((uint64_t)st.st_size < end && ftruncate(space->fd, (off_t)end)) return;
    space->allocated_end = end;
}

/* Allocates up to target, or as far as the disk goes. */
static void space_allocate(struct lmdb_space *space, uint64_t used_end, uint64_t target, int64_t now_ns) {
    uint64_t from = space->allocated_end > used_end ? space->allocated_end : used_end;
    while (from < target) {
        if (fallocate(space->fd, 0, (off_t)from, (off_t)(target - from)) == 0) {
            space->allocated_end = target;
            return;
        }
        if (errno == EINTR) continue;
        if (errno == EOPNOTSUPP) {
            space->cannot_allocate = true;
            return;
        }
        space->next_try_ns = now_ns + TRY_AGAIN_NS;
        uint64_t piece = (target - from) / 2;
        if (piece < PIECE_MIN) return;
        target = from + piece - piece % space->page_size;
    }
}

static uint64_t space_tail(const struct lmdb_env *env, uint64_t used_end) {
    uint64_t end = smaller(env->space.allocated_end, space_cap(env));
    return end > used_end ? end - used_end : 0;
}

/* Keeps the reserve and a whole batch allocated behind the last page. */
static void space_grow(struct lmdb_env *env, uint64_t used_end, int64_t now_ns) {
    struct lmdb_space *space = &env->space;
    uint64_t wanted = space->reserve_bytes + BATCH_COST_MAX;
    uint64_t target = smaller(used_end + wanted + space_step(used_end), space_cap(env));
    if (space->cannot_allocate) {
        space_reckon(space, used_end, target);
        return;
    }
    if (space_tail(env, used_end) >= wanted || now_ns < space->next_try_ns) return;
    space_allocate(space, used_end, target, now_ns);
}

/* Bytes in LMDB's free list: database 0, one row for each transaction that freed pages, its first word their number. */
static uint64_t count_free_bytes(struct lmdb_env *env) {
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t pages = 0;
    if (lmdb_env_read_begin(env, &txn)) return 0;
    if (mdb_cursor_open(txn, 0, &cursor) == 0) {
        while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
            size_t count;
            memcpy(&count, value.mv_data, sizeof count);
            pages += count;
        }
        mdb_cursor_close(cursor);
    }
    lmdb_env_read_end(env, txn);
    return pages * env->space.page_size;
}

static int64_t thread_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* The last count serves until it has paid for itself. What was written since is taken off, by reckoning too much: so a
 * count must not serve longer because the thread was held up in it, or room that is there would be refused. */
static uint64_t space_free(struct lmdb_env *env, int64_t now_ns) {
    struct lmdb_space *space = &env->space;
    if (now_ns >= space->next_count_ns) {
        int64_t begin_ns = thread_cpu_ns();
        space->free_bytes = count_free_bytes(env);
        space->next_count_ns = now_ns + (thread_cpu_ns() - begin_ns) * COUNT_SHARE;
    }
    return space->free_bytes;
}

struct lmdb_room lmdb_space_refresh(struct lmdb_env *env) {
    struct lmdb_space *space = &env->space;
    int64_t now_ns = lmdb_now_ns();
    uint64_t used_end = space_used_end(env);
    space_grow(env, used_end, now_ns);
    uint64_t overhead = TRANSACTION_PAGES * space->page_size;
    uint64_t total = space_tail(env, used_end);
    if (total < space->reserve_bytes + BATCH_COST_MAX) total += space_free(env, now_ns);
    total = total > overhead ? total - overhead : 0;
    struct lmdb_room room = {total > space->reserve_bytes ? total - space->reserve_bytes : 0, total};
    atomic_store_explicit(&space->room_bytes, room.ordinary, memory_order_relaxed);
    return room;
}

uint64_t lmdb_space_cost(const struct lmdb_env *env, const struct lmdb_job *job) {
    if (job->uses_reserve && job->size_bytes == 0) return 0; /* opens what is there */
    return JOB_GROWTH * (uint64_t)job->size_bytes + JOB_PAGES * env->space.page_size;
}

void lmdb_space_wrote(struct lmdb_env *env, uint64_t cost_bytes) {
    env->space.free_bytes -= smaller(env->space.free_bytes, cost_bytes);
}

/* True while a whole batch does not fit: then a write may have been cut short, however it was reckoned. */
bool lmdb_space_is_tight(const struct lmdb_env *env) {
    return space_tail(env, space_used_end(env)) < env->space.reserve_bytes + BATCH_COST_MAX;
}

void lmdb_space_init(struct lmdb_env *env) {
    struct lmdb_space *space = &env->space;
    MDB_stat stat;
    mdb_env_stat(env->mdb, &stat);
    space->page_size = stat.ms_psize;
    space->limit_bytes = env->options.limit_bytes;
    space->reserve_bytes = env->options.reserve_bytes;
    mdb_env_get_fd(env->mdb, &space->fd);
    lmdb_space_refresh(env);
}

uint64_t lmdb_env_room_bytes(struct lmdb_env *env) {
    return atomic_load_explicit(&env->space.room_bytes, memory_order_relaxed);
}
