/* Read transactions: each holds a reader slot shared with other processes, so they are kept and renewed, not made anew.
 *
 * The environment is opened with MDB_NOTLS: a transaction belongs to whoever took it from the pool, not to a thread. */
#include "lmdb/lmdb_internal.h"

static MDB_txn *reads_take(struct lmdb_reads *reads) {
    pthread_mutex_lock(&reads->mutex);
    MDB_txn *txn = reads->count > 0 ? reads->kept[--reads->count] : NULL;
    pthread_mutex_unlock(&reads->mutex);
    return txn;
}

enum status lmdb_env_read_begin(struct lmdb_env *env, MDB_txn **txn_out) {
    MDB_txn *txn = reads_take(&env->reads);
    int rc;
    if (txn) {
        rc = mdb_txn_renew(txn);
        if (rc) mdb_txn_abort(txn);
    } else {
        rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
        if (rc == MDB_READERS_FULL) { /* killed processes leave their slots behind */
            mdb_reader_check(env->mdb, NULL);
            rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
        }
    }
    if (rc) return lmdb_status(rc, NULL);
    *txn_out = txn;
    return STATUS_OK;
}

void lmdb_env_read_end(struct lmdb_env *env, MDB_txn *txn) {
    struct lmdb_reads *reads = &env->reads;
    mdb_txn_reset(txn);
    pthread_mutex_lock(&reads->mutex);
    bool keep = reads->count < LMDB_READS_KEPT_MAX;
    if (keep) reads->kept[reads->count++] = txn;
    pthread_mutex_unlock(&reads->mutex);
    if (!keep) mdb_txn_abort(txn);
}

/* Not mdb_env_info: that looks at the meta page, which can be seen before it is on disk. What a reader may see is set
 * only after the write of the meta page has been synced. */
uint64_t lmdb_env_last_commit(struct lmdb_env *env) {
    MDB_txn *txn;
    if (lmdb_env_read_begin(env, &txn)) return 0;
    uint64_t id = mdb_txn_id(txn);
    lmdb_env_read_end(env, txn);
    return id;
}

void lmdb_reads_close(struct lmdb_env *env) {
    while (env->reads.count > 0)
        mdb_txn_abort(env->reads.kept[--env->reads.count]);
}
