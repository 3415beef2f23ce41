/* Whether Cassandra answers, and what in its settings is weak. */
#include <stdio.h>
#include <stdlib.h>

#include "order_store/cassandra_store.h"

#define NAME_MAX_SIZE 256

/* --- check: one small read on the way of all requests, so that the loop learns of a session that is beyond repair ---
 */

struct check_operation {
    struct cassandra_operation operation;
    struct check_wait *wait;
    char version[32];
};

struct check_wait {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool has_ended;
    enum status status;
    char version[32];
    struct error *error; /* the caller's, may be NULL */
};

static enum status check_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    cassandra_draft_add(draft, operation->store, STATEMENT_VERSION);
    return STATUS_OK;
}

static enum status check_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct check_operation *check = (struct check_operation *)operation;
    if (result) cassandra_cell_text(result, 0, 0, check->version, sizeof check->version);
    return STATUS_OK;
}

static enum status check_advance(struct cassandra_operation *operation) {
    return operation->calls ? STATUS_OK : cassandra_phase(operation, 1, false);
}

static void check_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct check_operation *check = (struct check_operation *)operation;
    struct check_wait *wait = check->wait;
    pthread_mutex_lock(&wait->mutex);
    wait->status = error_text ? error_set(wait->error, status, "%s", error_text) : status;
    memcpy(wait->version, check->version, sizeof wait->version);
    wait->has_ended = true;
    pthread_cond_signal(&wait->ended);
    pthread_mutex_unlock(&wait->mutex);
}

static const struct cassandra_operation_ops check_ops = {
    .prepare = check_prepare, .answer = check_answer, .advance = check_advance, .finish = check_finish};

static enum status run_check(struct cassandra_store *store, int timeout_ms, struct check_wait *wait) {
    struct check_operation *check =
        cassandra_operation_new(store, &check_ops, sizeof *check, store->metrics.read_seconds[KIND_CHECK]);
    if (!check) return error_set(wait->error, STATUS_NO_MEMORY, "order store: out of memory");
    check->wait = wait;
    check->operation.deadline_ns = check->operation.started_ns + timeout_ms * INT64_C(1000000);
    enum status status = cassandra_operation_submit(&check->operation, wait->error);
    if (status != STATUS_OK) {
        cassandra_operation_free(&check->operation);
        return status;
    }
    pthread_mutex_lock(&wait->mutex);
    while (!wait->has_ended) /* it ends by its deadline */
        pthread_cond_wait(&wait->ended, &wait->mutex);
    pthread_mutex_unlock(&wait->mutex);
    return wait->status;
}

/* Somebody may have set the keyspace up since this store was opened. */
static enum status prepare_late(struct cassandra_store *store, int timeout_ms, struct error *error) {
    struct cassandra_session *session = cassandra_session_hold(store);
    enum status status = STATUS_OK;
    if (!atomic_load(&session->is_set_up)) status = cassandra_session_prepare(store, session, timeout_ms, error);
    cassandra_session_release(store, session);
    return status;
}

enum status cassandra_check(struct order_store *base, int timeout_ms, struct error *error) {
    struct cassandra_store *store = cassandra_of(base);
    enum status status = prepare_late(store, timeout_ms, error);
    if (status != STATUS_OK) return status;
    struct check_wait wait = {.error = error};
    pthread_mutex_init(&wait.mutex, NULL);
    pthread_cond_init(&wait.ended, NULL);
    status = run_check(store, timeout_ms, &wait);
    pthread_cond_destroy(&wait.ended);
    pthread_mutex_destroy(&wait.mutex);
    if (status != STATUS_OK) return status;
    if (atoi(wait.version) > CASSANDRA_SCHEMA_VERSION)
        return error_set(error, STATUS_UNSUPPORTED,
                         "the keyspace %s has tables of version %s; this program knows version %d: use a newer one",
                         store->keyspace, wait.version, CASSANDRA_SCHEMA_VERSION);
    if (atoi(wait.version) < 1)
        return error_set(error, STATUS_NOT_FOUND, "the keyspace %s is not set up: run `orderly setup`",
                         store->keyspace);
    return STATUS_OK;
}

/* --- advise --- */

struct advisor {
    struct cassandra_store *store;
    struct cassandra_session *session;
    struct advice *advice;
    int64_t until_ns;
};

/* The rows of a query, or NULL: it did not answer, or the time is up. `%s` in the text is the keyspace. */
static struct cql_result *ask(struct advisor *advisor, const char *format) {
    char cql[512];
    struct cql_result *rows = NULL;
    int64_t left_ms = (advisor->until_ns - clock_monotonic_ns(advisor->store->options.clock)) / 1000000;
    if (left_ms <= 0) return NULL;
    snprintf(cql, sizeof cql, format, advisor->store->keyspace);
    cassandra_run(advisor->store, advisor->session, cql, (int)left_ms, &rows, NULL);
    return rows;
}

static void advise_replication(struct advisor *advisor) {
    struct cql_result *rows =
        ask(advisor, "SELECT toJson(replication) FROM system_schema.keyspaces WHERE keyspace_name = '%s'");
    char text[NAME_MAX_SIZE] = "";
    if (rows) cassandra_cell_text(rows, 0, 0, text, sizeof text);
    cql_result_free(rows);
    struct cql_stats stats;
    cql_stats(advisor->session->cql, &stats);
    /* {"class": "...", "dc1": "3"}: every value that is a number is a count of copies. */
    for (char *c = strchr(text, ':'); c; c = strchr(c + 1, ':')) {
        int copies = atoi(c + strspn(c, ": \""));
        if (copies < 1) continue;
        if (copies < 3)
            advice_add(advisor->advice,
                       "Cassandra keeps %d %s of each order (%u nodes): below 3 the loss of one node stops or loses "
                       "orders; on three nodes or more ALTER KEYSPACE %s, then `nodetool repair`",
                       copies, copies == 1 ? "copy" : "copies", (unsigned)stats.nodes, advisor->store->keyspace);
        else if (stats.nodes > 0 && (unsigned)copies > stats.nodes)
            advice_add(advisor->advice, "Cassandra should keep %d copies of each order but has %u nodes: add nodes",
                       copies, (unsigned)stats.nodes);
    }
}

static void advise_gc_grace(struct advisor *advisor) {
    int64_t retention_s = advisor->store->options.commands_retention_ms / 1000, grace_s = INT64_MAX, value;
    struct cql_result *rows =
        ask(advisor, "SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = '%s'");
    for (size_t row = 0; rows && row < cql_result_rows(rows); row++)
        if (cassandra_cell_integer(rows, row, 0, &value) && value < grace_s) grace_s = value;
    cql_result_free(rows);
    if (grace_s < retention_s)
        advice_add(
            advisor->advice,
            "gc_grace_seconds of %s is %lld, but the log keeps commands for %lld s: a replay could bring deleted "
            "listing rows back; raise it, or lower the retention of commands",
            advisor->store->keyspace, (long long)grace_s, (long long)retention_s);
}

static void advise_commitlog(struct advisor *advisor) {
    struct cql_result *rows = ask(advisor, "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'");
    char mode[NAME_MAX_SIZE] = "";
    if (rows) cassandra_cell_text(rows, 0, 0, mode, sizeof mode);
    cql_result_free(rows);
    if (strcmp(mode, "periodic") == 0)
        advice_add(
            advisor->advice,
            "Cassandra's commitlog_sync is periodic: a node that loses power loses its last writes, and only its "
            "other copies have them; `batch` or `group` in cassandra.yaml waits for the disk");
}

static void advise_schema(struct advisor *advisor) {
    static const char *const tables[] = {"SELECT schema_version FROM system.local",
                                         "SELECT schema_version FROM system.peers"};
    struct uuid first, version;
    bool has_first = false, differs = false;
    for (int i = 0; i < 2; i++) {
        struct cql_result *rows = ask(advisor, tables[i]);
        for (size_t row = 0; rows && row < cql_result_rows(rows); row++) {
            if (!cassandra_cell_uuid(rows, row, 0, &version)) continue;
            if (has_first && !uuid_equal(&first, &version)) differs = true;
            first = version;
            has_first = true;
        }
        cql_result_free(rows);
    }
    if (differs)
        advice_add(advisor->advice, "Cassandra's nodes disagree about the schema: see `nodetool describecluster`");
}

void cassandra_advise(struct order_store *base, int timeout_ms, struct advice *advice) {
    struct cassandra_store *store = cassandra_of(base);
    struct advisor advisor = {.store = store,
                              .session = cassandra_session_hold(store),
                              .advice = advice,
                              .until_ns = clock_monotonic_ns(store->options.clock) + timeout_ms * INT64_C(1000000)};
    advise_replication(&advisor);
    advise_gc_grace(&advisor);
    advise_commitlog(&advisor);
    advise_schema(&advisor);
    cassandra_session_release(store, advisor.session);
}
