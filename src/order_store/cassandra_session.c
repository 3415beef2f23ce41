/* Sessions: connecting to the cluster, preparing the statements, and who holds which session. */
#include <stdio.h>
#include <stdlib.h>

#include "order_store/cassandra_store.h"

#define CONNECT_TIMEOUT_MS 5000
#define STATEMENT_TEXT_MAX 768
#define OTHER_CALLS 16 /* beside the loop's: of check, setup, advise */

/* %1$s: the keyspace. Where a page of a listing begins is given by time and id of the order before it. */
#define PAGE_TEXT                                                                                                      \
    "SELECT " CASSANDRA_ORDER_COLUMNS " FROM %1$s.listing WHERE scope = ? AND bucket = ? AND shard = ?"                \
    " AND (created_at, order_id) < (?, ?)"
static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_GET] = "SELECT " CASSANDRA_ORDER_COLUMNS " FROM %1$s.orders WHERE order_id = ? LIMIT 1",
    [STATEMENT_ROWS] =
        "SELECT " CASSANDRA_ROW_COLUMNS " FROM %1$s.orders WHERE order_id = ? AND version >= ? AND version <= ?",
    [STATEMENT_HISTORY] = "SELECT " CASSANDRA_ROW_COLUMNS
                          " FROM %1$s.orders WHERE order_id = ? AND version >= ? ORDER BY version ASC LIMIT ?",
    [STATEMENT_SCAN] = "SELECT " CASSANDRA_ORDER_COLUMNS ", token(order_id)"
                       " FROM %1$s.orders WHERE token(order_id) >= ? PER PARTITION LIMIT 1 LIMIT ?",
    [STATEMENT_WRITER] = "SELECT position, command_id, attempt_id FROM %1$s.orders WHERE order_id = ? AND version = ?",
    [STATEMENT_PERIODS] = "SELECT period FROM %1$s.listing_periods WHERE scope = ? AND period < ? LIMIT 1",
    [STATEMENT_DIRECTORY] = "SELECT bucket, shard FROM %1$s.listing_directory"
                            " WHERE scope = ? AND period = ? AND bucket < ? LIMIT ?",
    [STATEMENT_PAGE] = PAGE_TEXT " LIMIT ?",
    [STATEMENT_PAGE_OF_STATUS] = PAGE_TEXT " AND status = ? LIMIT ?",
    [STATEMENT_VERSION] = "SELECT value FROM %1$s.meta WHERE name = 'version'",
    [STATEMENT_PUT_ORDER] = "INSERT INTO %1$s.orders (" CASSANDRA_ROW_COLUMNS ")"
                            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    [STATEMENT_PUT_STATUS] = "INSERT INTO %1$s.order_status (order_id, status) VALUES (?, ?) USING TIMESTAMP ?",
    [STATEMENT_PUT_LISTING] = "INSERT INTO %1$s.listing (" CASSANDRA_ORDER_COLUMNS ", scope, bucket, shard)"
                              " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    [STATEMENT_DELETE_LISTING] = "DELETE FROM %1$s.listing USING TIMESTAMP ?"
                                 " WHERE scope = ? AND bucket = ? AND shard = ? AND created_at = ? AND order_id = ?",
    [STATEMENT_PUT_DIRECTORY] = "INSERT INTO %1$s.listing_directory (scope, period, bucket, shard)"
                                " VALUES (?, ?, ?, ?) USING TIMESTAMP 1",
    [STATEMENT_PUT_PERIOD] = "INSERT INTO %1$s.listing_periods (scope, period) VALUES (?, ?) USING TIMESTAMP 1",
};

static const char *or_null(const char *text) {
    return text && *text ? text : NULL;
}

static enum status connect_session(struct cassandra_store *store, struct cassandra_session *session,
                                   struct error *error) {
    const struct order_store_cassandra_options *options = &store->options;
    const struct cql_options cql_options = {
        .contact_points = options->contact_points,
        .local_dc = or_null(options->local_dc),
        .user = or_null(options->user),
        .password = or_null(options->password),
        .tls_ca_file = or_null(options->tls_ca_file),
        .tls_cert_file = or_null(options->tls_cert_file),
        .tls_key_file = or_null(options->tls_key_file),
        .consistency = CQL_LOCAL_QUORUM,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .request_timeout_ms = (uint32_t)options->request_timeout_ms,
        .max_in_flight = (uint32_t)store->in_flight_max + OTHER_CALLS,
    };
    char detail[CQL_ERROR_SIZE] = "";
    enum cql_code code = cql_connect(&cql_options, &session->cql, detail);
    return code == CQL_OK ? STATUS_OK : cassandra_explain(store, code, detail, error);
}

/* --- what the keyspace was set up with --- */

struct layout_name {
    const char *name;
    size_t offset;
    int64_t maximum;
};
#define LAYOUT(name_, member, scope, maximum_)                                                                         \
    { name_, offsetof(struct cassandra_layout, member) + (scope) * sizeof(int64_t), maximum_ }
#define YEAR_MS (366 * INT64_C(86400000))
static const struct layout_name layout_names[] = {
    LAYOUT("listing_bucket_ms", bucket_ms, SCOPE_ALL, YEAR_MS),
    LAYOUT("listing_period_ms", period_ms, SCOPE_ALL, 100 * YEAR_MS),
    LAYOUT("listing_shards", shards, SCOPE_ALL, CASSANDRA_SHARDS_MAX),
    LAYOUT("customer_bucket_ms", bucket_ms, SCOPE_CUSTOMER, YEAR_MS),
    LAYOUT("customer_period_ms", period_ms, SCOPE_CUSTOMER, 100 * YEAR_MS),
    LAYOUT("customer_shards", shards, SCOPE_CUSTOMER, CASSANDRA_SHARDS_MAX),
};

/* The number beside a name in meta's rows; 0: not there, or no number. */
static int64_t meta_number(const struct cql_result *rows, const char *name) {
    char text[64], *end;
    for (size_t row = 0; row < cql_result_rows(rows); row++) {
        cassandra_cell_text(rows, row, 0, text, sizeof text);
        if (strcmp(text, name) != 0) continue;
        cassandra_cell_text(rows, row, 1, text, sizeof text);
        long long number = strtoll(text, &end, 10);
        return *end ? 0 : number;
    }
    return 0;
}

static enum status read_layout(struct cassandra_store *store, const struct cql_result *rows,
                               struct cassandra_layout *layout, struct error *error) {
    int64_t version = meta_number(rows, "version");
    if (version == 0)
        return error_set(error, STATUS_NOT_FOUND, "the keyspace %s is not set up: run `orderly setup`",
                         store->keyspace);
    if (version > CASSANDRA_SCHEMA_VERSION)
        return error_set(error, STATUS_UNSUPPORTED,
                         "the keyspace %s has tables of version %lld; this program knows version %d: use a newer one",
                         store->keyspace, (long long)version, CASSANDRA_SCHEMA_VERSION);
    for (size_t i = 0; i < sizeof layout_names / sizeof *layout_names; i++) {
        int64_t number = meta_number(rows, layout_names[i].name);
        if (number < 1 || number > layout_names[i].maximum)
            return error_set(error, STATUS_CORRUPT, "the table %s.meta says %lld for %s: must be from 1 to %lld",
                             store->keyspace, (long long)number, layout_names[i].name,
                             (long long)layout_names[i].maximum);
        memcpy((char *)layout + layout_names[i].offset, &number, sizeof number);
    }
    return STATUS_OK;
}

static enum status load_layout(struct cassandra_store *store, struct cassandra_session *session, int timeout_ms,
                               struct cassandra_layout *layout, struct error *error) {
    char cql[STATEMENT_TEXT_MAX], detail[CQL_ERROR_SIZE] = "";
    struct cql_result *rows = NULL;
    snprintf(cql, sizeof cql, "SELECT name, value FROM %s.meta", store->keyspace);
    enum cql_code code = cql_run(session->cql, cql, (uint32_t)timeout_ms, &rows, detail);
    enum status status;
    if (code == CQL_INVALID) /* no such keyspace or table: the text is ours, so nothing else can be wrong with it */
        status =
            error_set(error, STATUS_NOT_FOUND, "the keyspace %s is not set up: run `orderly setup`", store->keyspace);
    else if (code != CQL_OK)
        status = cassandra_explain(store, code, detail, error);
    else
        status = read_layout(store, rows, layout, error);
    cql_result_free(rows);
    return status;
}

enum status cassandra_session_prepare(struct cassandra_store *store, struct cassandra_session *session, int timeout_ms,
                                      struct error *error) {
    char cql[STATEMENT_TEXT_MAX], detail[CQL_ERROR_SIZE] = "";
    struct cassandra_layout layout;
    pthread_mutex_lock(&store->setup_mutex);
    enum status status = load_layout(store, session, timeout_ms, &layout, error);
    for (int i = 0; i < STATEMENT_COUNT && status == STATUS_OK; i++) {
        if (session->statements[i]) continue;
        snprintf(cql, sizeof cql, statement_texts[i], store->keyspace);
        enum cql_code code = cql_prepare(session->cql, cql, &session->statements[i], detail);
        if (code != CQL_OK) status = cassandra_explain(store, code, detail, error);
    }
    if (status == STATUS_OK && !atomic_load(&session->is_set_up)) {
        session->layout = layout; /* later ones are the same: it is never changed */
        atomic_store(&session->is_set_up, true);
    }
    pthread_mutex_unlock(&store->setup_mutex);
    return status;
}

/* --- sessions --- */

enum status cassandra_session_open(struct cassandra_store *store, struct cassandra_session **session_out,
                                   struct error *error) {
    struct cassandra_session *session = calloc(1, sizeof *session);
    if (!session) return error_set(error, STATUS_NO_MEMORY, "order store: out of memory");
    session->references = 1;
    enum status status = connect_session(store, session, error);
    if (status == STATUS_OK)
        status = cassandra_session_prepare(store, session, store->options.request_timeout_ms, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        *session_out = session;
    else
        cassandra_session_free(session);
    return status;
}

void cassandra_session_free(struct cassandra_session *session) {
    if (!session) return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        cql_statement_free(session->statements[i]);
    cql_free(session->cql);
    free(session);
}

struct cassandra_session *cassandra_session_hold(struct cassandra_store *store) {
    pthread_mutex_lock(&store->mutex);
    struct cassandra_session *session = store->session;
    session->references++;
    pthread_mutex_unlock(&store->mutex);
    return session;
}

void cassandra_session_release(struct cassandra_store *store, struct cassandra_session *session) {
    pthread_mutex_lock(&store->mutex);
    bool is_last = --session->references == 0;
    pthread_mutex_unlock(&store->mutex);
    if (is_last) cassandra_session_free(session);
}

void cassandra_session_replace(struct cassandra_store *store, struct cassandra_session *session) {
    pthread_mutex_lock(&store->mutex);
    struct cassandra_session *old = store->session;
    store->session = session;
    pthread_mutex_unlock(&store->mutex);
    cassandra_session_release(store, old);
}
