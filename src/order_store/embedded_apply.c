/* Writing to the embedded order store: one job of the committer for all changes of a request, so all or none. */
#include "order_store/embedded_store.h"

/* Lies in the request's reserved room while the request is under way. */
struct apply_job {
    struct lmdb_job job;
    struct embedded_store *store;
    int64_t started_ns;
};
_Static_assert(sizeof(struct apply_job) <= sizeof(((struct order_store_apply *)0)->reserved),
               "an apply request has room for the committer's job");

/* What a change writes beside its history row: the current row and one row in each listing. */
#define APPLY_SMALL_ROWS_SIZE                                                                                          \
    (sizeof(struct uuid) + LMDB_SEAL_SIZE + CURRENT_ROW_SIZE + LISTING_COUNT * (LISTING_KEY_MAX + LMDB_SEAL_SIZE))
/* And what LMDB copies for it. Most rows of a batch share pages, being new; but each customer is somewhere else. */
#define APPLY_COPIED_SIZE 2048

static struct order_store_apply *apply_of(struct lmdb_job *job) {
    return CONTAINER_OF(job, struct order_store_apply, reserved);
}

static struct bytes bytes_in(const void *data, size_t size) {
    return (struct bytes){data, size};
}

/* Puts a small value that is complete but for its seal. */
static int put_sealed(MDB_txn *txn, MDB_dbi dbi, struct bytes key, uint8_t *value, size_t size) {
    lmdb_seal(key, value, size);
    MDB_val k = {key.size, (void *)key.data}, v = {size, value};
    return mdb_put(txn, dbi, &k, &v, 0);
}

/* A history row that exists stays as it is. */
static int put_history(const struct embedded_store *store, MDB_txn *txn, const struct history_row *row) {
    uint8_t key[HISTORY_KEY_SIZE];
    history_key(&row->order.order_id, row->order.version, key);
    MDB_val k = {sizeof key, key}, v = {LMDB_SEAL_SIZE + history_row_size(row), NULL};
    int code = mdb_put(txn, store->history, &k, &v, MDB_NOOVERWRITE | MDB_RESERVE);
    if (code == MDB_KEYEXIST) return 0;
    if (code) return code;
    history_row_encode(row, (uint8_t *)v.mv_data + LMDB_SEAL_SIZE);
    lmdb_seal(bytes_in(key, sizeof key), v.mv_data, v.mv_size);
    return 0;
}

/* Moves an order's row in one listing, if its key has changed. before: NULL for an order that is new. */
static int put_listing(const struct embedded_store *store, MDB_txn *txn, enum embedded_listing listing,
                       const struct uuid *order_id, const struct current_row *before, const struct current_row *after) {
    uint8_t key[LISTING_KEY_MAX], old_key[LISTING_KEY_MAX], value[LMDB_SEAL_SIZE];
    size_t size = listing_key(listing, order_id, after, key);
    if (before) {
        size_t old_size = listing_key(listing, order_id, before, old_key);
        if (bytes_equal(bytes_in(old_key, old_size), bytes_in(key, size))) return 0;
        MDB_val old = {old_size, old_key};
        int code = mdb_del(txn, store->listings[listing], &old, NULL);
        if (code && code != MDB_NOTFOUND) return code;
    }
    return put_sealed(txn, store->listings[listing], bytes_in(key, size), value, sizeof value);
}

/* The rows to delete follow from what is stored, not from the request's `before`: a repeated or late request may know
 * another past than the store. */
static enum status write_change(const struct embedded_store *store, MDB_txn *txn, const struct history_row *after) {
    const struct uuid *order_id = &after->order.order_id;
    int code = put_history(store, txn, after);
    if (code) return lmdb_status(code, NULL);
    struct current_row stored, current;
    enum status found = embedded_current(store, txn, order_id, &stored, NULL);
    if (found != STATUS_OK && found != STATUS_NOT_FOUND) return found;
    if (found == STATUS_OK && stored.version >= after->order.version) return STATUS_OK;

    current_row_of(&after->order, &current);
    uint8_t value[LMDB_SEAL_SIZE + CURRENT_ROW_SIZE];
    current_row_encode(&current, value + LMDB_SEAL_SIZE);
    code = put_sealed(txn, store->orders, bytes_in(order_id->bytes, sizeof order_id->bytes), value, sizeof value);
    for (int listing = 0; listing < LISTING_COUNT && !code; listing++)
        code = put_listing(store, txn, (enum embedded_listing)listing, order_id, found == STATUS_OK ? &stored : NULL,
                           &current);
    return code ? lmdb_status(code, NULL) : STATUS_OK;
}

/* On the committer's thread. A job that fails must have written nothing, so every row that the changes build on is
 * checked before the first write. */
static enum status apply_run(struct lmdb_job *job, MDB_txn *txn) {
    const struct order_store_apply *apply = apply_of(job);
    const struct embedded_store *store = ((struct apply_job *)job)->store;
    for (size_t i = 0; i < apply->count; i++) {
        struct current_row stored;
        enum status status = embedded_current(store, txn, &apply->changes[i].after->order.order_id, &stored, NULL);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    for (size_t i = 0; i < apply->count; i++) {
        enum status status = write_change(store, txn, apply->changes[i].after);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* On the committer's thread, or on the submitter's if the committer refuses the job at once. The request may be gone
 * after its done; the store is not, since close waits for `applies`. */
static void apply_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct order_store_apply *apply = apply_of(job);
    struct embedded_store *store = ((struct apply_job *)job)->store;
    int64_t started_ns = ((struct apply_job *)job)->started_ns;
    metric_observe_ns(store->apply_seconds, clock_monotonic_ns(store->clock) - started_ns);
    apply->done(apply, status, error_text);
    pthread_mutex_lock(&store->mutex);
    if (--store->applies == 0) pthread_cond_broadcast(&store->idle);
    pthread_mutex_unlock(&store->mutex);
}

/* Only rows that can be read again are written. */
static bool row_is_storable(const struct history_row *row, size_t size) {
    const struct order *order = &row->order;
    return order->version >= 1 && (unsigned)order->status < ORDER_STATUS_COUNT &&
           order->item_count <= ORDER_ITEMS_MAX && order->metadata_count <= ORDER_METADATA_MAX &&
           size <= EMBEDDED_ROW_MAX;
}

/* The bytes that a request writes, or 0 if it breaks a limit. */
static size_t apply_size(const struct order_store_apply *apply) {
    if (apply->count < 1 || apply->count > ORDER_STORE_BATCH_MAX) return 0;
    size_t sum = 0;
    for (size_t i = 0; i < apply->count; i++) {
        size_t size = history_row_size(apply->changes[i].after);
        if (!row_is_storable(apply->changes[i].after, size)) return 0;
        sum += HISTORY_KEY_SIZE + LMDB_SEAL_SIZE + size + APPLY_SMALL_ROWS_SIZE + APPLY_COPIED_SIZE;
    }
    return sum;
}

void embedded_apply(struct order_store *base, struct order_store_apply *apply) {
    struct embedded_store *store = embedded_of(base);
    size_t size_bytes = apply_size(apply);
    if (!size_bytes) {
        apply->done(apply, STATUS_INVALID, "a change is above a limit of the order store");
        return;
    }
    struct apply_job *job = (struct apply_job *)(void *)apply->reserved;
    *job = (struct apply_job){
        /* What comes here was promised to a client: it may use the room that new work may not. */
        .job = {.run = apply_run, .done = apply_done, .size_bytes = size_bytes, .uses_reserve = true},
        .store = store,
        .started_ns = clock_monotonic_ns(store->clock),
    };
    metric_observe_size(store->apply_sizes, apply->count);
    pthread_mutex_lock(&store->mutex);
    store->applies++;
    pthread_mutex_unlock(&store->mutex);
    lmdb_env_submit(store->env, &job->job);
}
