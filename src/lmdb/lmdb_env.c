/* Opens and closes the environment: the directory, LMDB, named databases, recorded settings. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lmdb/lmdb_internal.h"

#if defined(__SANITIZE_THREAD__)
#define MAP_SIZE_DEFAULT (16ull << 30) /* its shadow memory leaves no more */
#else
#define MAP_SIZE_DEFAULT (256ull << 30)
#endif

static enum status make_directories(const char *directory, struct error *error) {
    char path[LMDB_PATH_MAX];
    snprintf(path, sizeof path, "%s", directory);
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char end = *at;
        *at = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return error_set_errno(error, STATUS_IO, errno, "%s cannot be made", path);
        *at = end;
        if (end == '\0') return STATUS_OK;
    }
}

#define WRITER_BYTE 0 /* of the lock file; no process has the number 0 */

/* One byte of a lock file stands for each process. A lock of an open file description excludes a second open in the
 * same process too, and a killed process leaves none behind. (LMDB's own locks would be lost when a second descriptor
 * is closed: the reason why one process must not open an environment twice.) */
static enum status claim_process(struct lmdb_env *env, struct error *error) {
    char path[LMDB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/processes", env->directory);
    env->process_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (env->process_fd < 0) return error_set_errno(error, STATUS_IO, errno, "%s cannot be opened", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = getpid(), .l_len = 1};
    if (fcntl(env->process_fd, F_OFD_SETLK, &lock) == 0) return STATUS_OK;
    if (errno == EAGAIN || errno == EACCES)
        return error_set(error, STATUS_CONFLICT, "%s is open in this process already", env->directory);
    return error_set_errno(error, STATUS_IO, errno, "%s cannot be locked", path);
}

static void set_writer_lock(const struct lmdb_env *env, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = WRITER_BYTE, .l_len = 1};
    while (fcntl(env->process_fd, F_OFD_SETLKW, &lock) && errno == EINTR)
        continue; /* any other failure: LMDB's own lock still keeps writers apart */
}

void lmdb_writer_lock(const struct lmdb_env *env) {
    set_writer_lock(env, F_WRLCK);
}

void lmdb_writer_unlock(const struct lmdb_env *env) {
    set_writer_lock(env, F_UNLCK);
}

static enum status open_mdb(struct lmdb_env *env, struct error *error) {
    const struct lmdb_env_options *options = &env->options;
    int rc = mdb_env_create(&env->mdb);
    if (rc == 0) rc = mdb_env_set_maxdbs(env->mdb, options->databases_max + 1);
    if (rc == 0) rc = mdb_env_set_maxreaders(env->mdb, LMDB_READERS_MAX);
    if (rc == 0) rc = mdb_env_set_mapsize(env->mdb, options->map_size_bytes);
    if (rc == 0) rc = mdb_env_open(env->mdb, env->directory, MDB_NOTLS, 0600);
    if (rc) {
        enum status status = lmdb_status(rc, NULL);
        return error_set(error, status, "%s cannot be opened: %s", env->directory, mdb_strerror(rc));
    }
    int fd, dead;
    mdb_env_get_fd(env->mdb, &fd); /* LMDB leaves this one to be inherited */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC)) return error_set_errno(error, STATUS_IO, errno, "%s", env->directory);
    rc = mdb_reader_check(env->mdb, &dead);
    return rc ? lmdb_status(rc, error) : STATUS_OK;
}

static enum status sync_directory(const char *directory, struct error *error) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) {
        int failure = errno;
        if (fd >= 0) close(fd);
        return error_set_errno(error, STATUS_IO, failure, "%s cannot be synced", directory);
    }
    close(fd);
    return STATUS_OK;
}

/* The names of the new file and its directory must be as durable as its contents. */
static enum status sync_names(const char *directory, struct error *error) {
    char parent[LMDB_PATH_MAX + 16];
    snprintf(parent, sizeof parent, "%s/..", directory);
    enum status status = sync_directory(directory, error);
    return status ? status : sync_directory(parent, error);
}

static enum status open_data(struct lmdb_env *env, struct error *error) {
    enum lmdb_judgement judgement;
    enum status status = lmdb_identity_judge(env->directory, &judgement, error);
    if (status) return status;
    if (judgement == LMDB_ABSENT && !env->options.create)
        return error_set(error, STATUS_NOT_FOUND, "%s holds no data yet: run `orderly setup`", env->directory);
    bool is_new = judgement != LMDB_OURS;
    if (is_new) status = make_directories(env->directory, error);
    if (status == STATUS_OK) status = claim_process(env, error);
    if (status == STATUS_OK) status = open_mdb(env, error);
    if (status == STATUS_OK) {
        lmdb_writer_lock(env);
        status = lmdb_identity_establish(env->mdb, is_new, &env->meta, error);
        lmdb_writer_unlock(env);
    }
    if (status == STATUS_OK && is_new) status = sync_names(env->directory, error);
    return status;
}

static void register_metrics(struct lmdb_env *env) {
    struct metrics *metrics = env->options.metrics;
    env->commits = metrics_counter(metrics, "orderly_commit_total", "Transactions of the embedded engine", "");
    env->refused =
        metrics_counter(metrics, "orderly_commit_refused_total", "Writes refused for want of disk space", "");
    env->commit_jobs = metrics_sizes(metrics, "orderly_commit_jobs", "Writes that shared one transaction", "");
    env->commit_seconds =
        metrics_histogram(metrics, "orderly_commit_seconds", "From the writer lock to the last sync", "");
}

static struct lmdb_env *env_new(const struct lmdb_env_options *options) {
    struct lmdb_env *env = calloc(1, sizeof *env);
    if (!env) return NULL;
    env->options = *options;
    if (!env->options.map_size_bytes) env->options.map_size_bytes = MAP_SIZE_DEFAULT;
    env->process_fd = -1;
    snprintf(env->directory, sizeof env->directory, "%s", options->directory);
    env->options.directory = env->directory;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&env->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&env->mutex, NULL);
    pthread_mutex_init(&env->reads.mutex, NULL);
    pthread_mutex_init(&env->listeners_mutex, NULL);
    return env;
}

enum status lmdb_env_open(const struct lmdb_env_options *options, struct lmdb_env **env_out, struct error *error) {
    size_t length = strlen(options->directory);
    if (length == 0 || length >= LMDB_PATH_MAX)
        return error_set(error, STATUS_INVALID, "the data directory's name is too long");
    struct lmdb_env *env = env_new(options);
    if (!env) return error_set(error, STATUS_NO_MEMORY, "no memory for the data directory %s", options->directory);
    signal(SIGXFSZ, SIG_IGN); /* a write above RLIMIT_FSIZE shall fail with EFBIG, not kill */
    register_metrics(env);
    enum status status = open_data(env, error);
    if (status == STATUS_OK) {
        lmdb_space_init(env);
        status = lmdb_committer_start(env, error);
    }
    if (status) {
        lmdb_env_close(env);
        return status;
    }
    *env_out = env;
    return STATUS_OK;
}

void lmdb_env_close(struct lmdb_env *env) {
    if (!env) return;
    lmdb_committer_stop(env);
    lmdb_reads_close(env);
    if (env->mdb) mdb_env_close(env->mdb);
    if (env->process_fd >= 0) close(env->process_fd);
    pthread_mutex_destroy(&env->listeners_mutex);
    pthread_mutex_destroy(&env->reads.mutex);
    pthread_mutex_destroy(&env->mutex);
    pthread_cond_destroy(&env->wake);
    free(env);
}

const char *lmdb_env_directory(const struct lmdb_env *env) {
    return env->directory;
}

/* --- named databases: opened on the committer's thread, since LMDB allows one transaction at a time to open them ---
 */

struct database_job {
    struct lmdb_job job;
    const char *name;
    unsigned flags;
    MDB_dbi dbi;
};

static enum status database_run(struct lmdb_job *job, MDB_txn *txn) {
    struct database_job *database = CONTAINER_OF(job, struct database_job, job);
    return lmdb_status(mdb_dbi_open(txn, database->name, database->flags | MDB_CREATE, &database->dbi), NULL);
}

enum status lmdb_env_database(struct lmdb_env *env, const char *name, unsigned flags, MDB_dbi *dbi_out,
                              struct error *error) {
    struct database_job database = {.job = {.run = database_run, .uses_reserve = true}, .name = name, .flags = flags};
    enum status status = lmdb_env_run(env, &database.job, error);
    if (status) return status;
    *dbi_out = database.dbi;
    return STATUS_OK;
}

/* --- recorded settings --- */

struct record_job {
    struct lmdb_job job;
    MDB_dbi meta;
    struct bytes name;
    uint64_t value;
};

static enum status record_decode(struct bytes name, MDB_val sealed, uint64_t *value_out) {
    struct bytes payload;
    if (lmdb_unseal(name, sealed, &payload) || payload.size != sizeof(uint64_t)) return STATUS_CORRUPT;
    *value_out = bytes_get_u64(payload.data);
    return STATUS_OK;
}

static enum status record_run(struct lmdb_job *job, MDB_txn *txn) {
    struct record_job *record = CONTAINER_OF(job, struct record_job, job);
    MDB_val key = {record->name.size, (void *)record->name.data}, found;
    int rc = mdb_get(txn, record->meta, &key, &found);
    if (rc == 0) {
        uint64_t there;
        enum status status = record_decode(record->name, found, &there);
        if (status) return status;
        return there == record->value ? STATUS_OK : STATUS_CONFLICT;
    }
    if (rc != MDB_NOTFOUND) return lmdb_status(rc, NULL);
    char sealed[LMDB_SEAL_SIZE + sizeof(uint64_t)];
    bytes_put_u64(sealed + LMDB_SEAL_SIZE, record->value);
    lmdb_seal(record->name, sealed, sizeof sealed);
    return lmdb_status(mdb_put(txn, record->meta, &key, &(MDB_val){sizeof sealed, sealed}, 0), NULL);
}

enum status lmdb_env_record(struct lmdb_env *env, const char *name, uint64_t value, struct error *error) {
    struct record_job record = {.job = {.run = record_run, .size_bytes = 64, .uses_reserve = true},
                                .meta = env->meta,
                                .name = bytes_of(name),
                                .value = value};
    enum status status = lmdb_env_run(env, &record.job, error);
    if (status == STATUS_CONFLICT)
        error_set(error, status, "\"%s\" was set up with another value than %llu", name, (unsigned long long)value);
    return status;
}

enum status lmdb_env_recorded(struct lmdb_env *env, const char *name, uint64_t *value_out, struct error *error) {
    MDB_txn *txn;
    enum status status = lmdb_env_read_begin(env, &txn);
    if (status) return error_set(error, status, "\"%s\" cannot be read: %s", name, status_name(status));
    MDB_val key = {strlen(name), (void *)name}, found;
    int rc = mdb_get(txn, env->meta, &key, &found);
    status = rc ? lmdb_status(rc, NULL) : record_decode(bytes_of(name), found, value_out);
    lmdb_env_read_end(env, txn);
    return status ? error_set(error, status, "\"%s\": %s", name, status_name(status)) : STATUS_OK;
}
