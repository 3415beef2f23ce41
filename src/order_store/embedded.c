/* The embedded order store: opening, setting up, checking and closing it. */
#include "order_store/embedded.h"

#include <stdio.h>
#include <stdlib.h>

#include "order_store/embedded_store.h"

static const char *const listing_names[LISTING_COUNT] = {
    [LISTING_TIME] = "orders_by_time",
    [LISTING_CUSTOMER] = "orders_by_customer",
    [LISTING_STATUS] = "orders_by_status",
};

static const char *const read_labels[READ_KIND_COUNT] = {
    [READ_GET] = "operation=\"get\"",   [READ_ROWS] = "operation=\"rows\"", [READ_HISTORY] = "operation=\"history\"",
    [READ_LIST] = "operation=\"list\"", [READ_SCAN] = "operation=\"scan\"",
};

/* OK also where nothing is recorded yet. */
static enum status check_format(struct embedded_store *store, struct error *error) {
    uint64_t format = EMBEDDED_FORMAT;
    enum status status = lmdb_env_recorded(store->env, store->format_name, &format, error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    if (format == EMBEDDED_FORMAT) return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED, "the orders in %s have format %llu; this program knows format %d",
                     lmdb_env_directory(store->env), (unsigned long long)format, EMBEDDED_FORMAT);
}

static enum status embedded_setup(struct order_store *base, struct error *error) {
    struct embedded_store *store = embedded_of(base);
    enum status status = check_format(store, error);
    return status == STATUS_OK ? lmdb_env_record(store->env, store->format_name, EMBEDDED_FORMAT, error) : status;
}

/* In this process there is nobody to wait for: what can fail is the read itself. */
static enum status embedded_check(struct order_store *base, int timeout_ms, struct error *error) {
    struct embedded_store *store = embedded_of(base);
    MDB_txn *txn;
    MDB_stat stat;
    enum status status = lmdb_env_read_begin(store->env, &txn);
    if (status != STATUS_OK) return error_set(error, status, "order store: cannot begin a read");
    status = lmdb_status(mdb_stat(txn, store->orders, &stat), error);
    lmdb_env_read_end(store->env, txn);
    return status == STATUS_OK ? check_format(store, error) : status;
}

static void embedded_close(struct order_store *base) {
    struct embedded_store *store = embedded_of(base);
    pthread_mutex_lock(&store->mutex);
    while (store->applies)
        pthread_cond_wait(&store->idle, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
    pthread_cond_destroy(&store->idle);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static const struct order_store_ops embedded_ops = {
    .name = "embedded",
    .setup = embedded_setup,
    .check = embedded_check,
    .get = embedded_get,
    .rows = embedded_rows,
    .history = embedded_history,
    .apply = embedded_apply,
    .list = embedded_list,
    .scan = embedded_scan,
    .close = embedded_close,
};

static enum status open_database(struct embedded_store *store, const char *prefix, const char *name, MDB_dbi *dbi_out,
                                 struct error *error) {
    char full_name[EMBEDDED_PREFIX_MAX + 32];
    snprintf(full_name, sizeof full_name, "%s%s", prefix, name);
    return lmdb_env_database(store->env, full_name, MDB_CREATE, dbi_out, error);
}

static enum status open_databases(struct embedded_store *store, const char *prefix, struct error *error) {
    enum status status = open_database(store, prefix, "orders", &store->orders, error);
    if (status == STATUS_OK) status = open_database(store, prefix, "order_history", &store->history, error);
    for (int i = 0; i < LISTING_COUNT && status == STATUS_OK; i++)
        status = open_database(store, prefix, listing_names[i], &store->listings[i], error);
    return status;
}

static void register_metrics(struct embedded_store *store, struct metrics *metrics) {
    store->apply_seconds =
        metrics_histogram(metrics, "orderly_store_apply_seconds", "Time from an apply to its durable commit.", "");
    store->apply_sizes = metrics_sizes(metrics, "orderly_store_apply_changes", "Changes in one apply.", "");
    for (int i = 0; i < READ_KIND_COUNT; i++)
        store->read_seconds[i] = metrics_histogram(metrics, "orderly_store_read_seconds",
                                                   "Time of one read of the order store.", read_labels[i]);
}

enum status order_store_embedded_open(struct lmdb_env *env, const struct clock *clock, const char *prefix,
                                      struct metrics *metrics, struct order_store **store_out, struct error *error) {
    if (strlen(prefix) > EMBEDDED_PREFIX_MAX)
        return error_set(error, STATUS_INVALID, "the prefix \"%s\" has more than %d characters", prefix,
                         EMBEDDED_PREFIX_MAX);
    struct embedded_store *store = calloc(1, sizeof *store);
    if (!store) return error_set(error, STATUS_NO_MEMORY, "order store: out of memory");
    *store = (struct embedded_store){.base.ops = &embedded_ops, .env = env, .clock = clock};
    snprintf(store->format_name, sizeof store->format_name, "%sorders_format", prefix);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->idle, NULL);
    register_metrics(store, metrics);
    enum status status = check_format(store, error);
    if (status == STATUS_OK) status = open_databases(store, prefix, error);
    if (status != STATUS_OK) {
        embedded_close(&store->base);
        return status;
    }
    *store_out = &store->base;
    return STATUS_OK;
}
