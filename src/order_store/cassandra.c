/* The Cassandra order store: opening and closing it, and its table of functions. */
#include "order_store/cassandra.h"

#include <ctype.h>
#include <stdlib.h>
#include <stdio.h>

#include "order_store/cassandra_store.h"

#define REQUEST_TIMEOUT_MS 5000
#define IN_FLIGHT_MAX 1024
#define SESSION_FAILING_MS 10000
#define DRAFT_BLOCK_SIZE 65536
#define DRAFT_BYTES_MAX (4u << 20) /* texts of one call: a batch or a largest row */

static const char *const read_labels[KIND_COUNT] = {
    [KIND_GET] = "operation=\"get\"",   [KIND_ROWS] = "operation=\"rows\"", [KIND_HISTORY] = "operation=\"history\"",
    [KIND_LIST] = "operation=\"list\"", [KIND_SCAN] = "operation=\"scan\"", [KIND_CHECK] = "operation=\"check\"",
};

static void register_metrics(struct cassandra_store *store, struct metrics *metrics) {
    store->metrics = (struct cassandra_metrics){
        .apply_seconds =
            metrics_histogram(metrics, "orderly_store_apply_seconds", "Time from an apply to its durable commit.", ""),
        .apply_changes = metrics_sizes(metrics, "orderly_store_apply_changes", "Changes in one apply.", ""),
        .page_partitions = metrics_sizes(metrics, "orderly_store_page_partitions",
                                         "Partitions of Cassandra read for one page of orders.", ""),
        .page_rows = metrics_sizes(metrics, "orderly_store_page_rows", "Rows read for one page of orders.", ""),
        .calls = metrics_counter(metrics, "orderly_store_calls_total", "Requests sent to Cassandra.", ""),
        .rows_written = metrics_counter(metrics, "orderly_store_rows_written_total", "Rows written to Cassandra.", ""),
        .failures = metrics_counter(metrics, "orderly_store_failures_total", "Requests to the store that failed.", ""),
        .sessions = metrics_counter(metrics, "orderly_store_sessions_replaced_total",
                                    "Sessions with Cassandra that were beyond repair.", ""),
    };
    for (int i = 0; i < KIND_COUNT; i++)
        store->metrics.read_seconds[i] = metrics_histogram(metrics, "orderly_store_read_seconds",
                                                           "Time of one read of the order store.", read_labels[i]);
}

static void cassandra_close(struct order_store *base) {
    struct cassandra_store *store = cassandra_of(base);
    cassandra_loop_stop(store);
    cassandra_session_free(store->session);
    arena_free(&store->draft.arena);
    buffer_free(&store->draft.json);
    free(store->known.hashes);
    pthread_cond_destroy(&store->idle);
    pthread_mutex_destroy(&store->setup_mutex);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static const struct order_store_ops cassandra_ops = {
    .name = "cassandra",
    .setup = cassandra_setup,
    .check = cassandra_check,
    .advise = cassandra_advise,
    .get = cassandra_get,
    .rows = cassandra_rows,
    .history = cassandra_history,
    .apply = cassandra_apply,
    .list = cassandra_list,
    .scan = cassandra_scan,
    .close = cassandra_close,
};

/* A name that needs no quotes, so that it cannot mean anything else in a statement. */
static bool keyspace_is_plain(const char *name) {
    if (!islower((unsigned char)name[0])) return false;
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_') return false;
    return true;
}

static enum status name_keyspace(struct cassandra_store *store, struct error *error) {
    const char *prefix = store->options.prefix ? store->options.prefix : "";
    int size = snprintf(store->keyspace, sizeof store->keyspace, "%sorders", prefix);
    if (size <= CASSANDRA_KEYSPACE_MAX && keyspace_is_plain(store->keyspace)) return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "\"%sorders\" cannot name a keyspace: up to %d lower-case letters, digits and _, a letter first",
                     prefix, CASSANDRA_KEYSPACE_MAX);
}

static struct cassandra_store *store_new(const struct order_store_cassandra_options *options) {
    struct cassandra_store *store = calloc(1, sizeof *store);
    uint8_t(*hashes)[16] = calloc(CASSANDRA_KNOWN_SLOTS, sizeof *hashes);
    if (!store || !hashes) {
        free(store);
        free(hashes);
        return NULL;
    }
    store->base.ops = &cassandra_ops;
    store->options = *options;
    if (!store->options.local_dc) store->options.local_dc = "";
    if (store->options.request_timeout_ms <= 0) store->options.request_timeout_ms = REQUEST_TIMEOUT_MS;
    store->in_flight_max = options->in_flight_max > 0 ? options->in_flight_max : IN_FLIGHT_MAX;
    store->session_failing_ms = SESSION_FAILING_MS;
    store->known.hashes = hashes;
    store->wake_fd = -1;
    arena_init(&store->draft.arena, DRAFT_BLOCK_SIZE, DRAFT_BYTES_MAX);
    buffer_init(&store->draft.json, CASSANDRA_JSON_MAX);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_mutex_init(&store->setup_mutex, NULL);
    pthread_cond_init(&store->idle, NULL);
    register_metrics(store, options->metrics);
    return store;
}

enum status order_store_cassandra_open(const struct order_store_cassandra_options *options,
                                       struct order_store **store_out, struct error *error) {
    struct cassandra_store *store = store_new(options);
    if (!store) return error_set(error, STATUS_NO_MEMORY, "order store: out of memory");
    enum status status = name_keyspace(store, error);
    if (status == STATUS_OK) status = cassandra_session_open(store, &store->session, error);
    bool is_usable = status == STATUS_OK || status == STATUS_NOT_FOUND;
    if (is_usable) {
        enum status started = cassandra_loop_start(store, error);
        if (started != STATUS_OK) {
            status = started;
            is_usable = false;
        }
    }
    if (is_usable)
        *store_out = &store->base;
    else
        cassandra_close(&store->base);
    return status;
}
