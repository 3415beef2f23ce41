/* The tables: the text that makes them is deploy/cassandra/schema.cql, embedded here; setup applies it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "order_store/cassandra_store.h"

__asm__(".pushsection .rodata\n"
        "orderly_cassandra_schema:\n"
        ".incbin \"" ORDERLY_CASSANDRA_SCHEMA "\"\n"
        "orderly_cassandra_schema_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char orderly_cassandra_schema[], orderly_cassandra_schema_end[];

#define KEYSPACE_IN_TEXT "orders"
#define SCHEMA_BYTES_MAX (64u << 10)
#define STATEMENT_TIMEOUT_MS 30000 /* tables take their time, also the agreement about them */
#define ATTEMPTS_MAX 20            /* of one statement, while another setup makes the same */
#define ATTEMPT_PAUSE_MS 250
#define REPLICATION_DEFAULT 3

/* Sleeping is fine here: setup is a command's own call, and may take its time. */
static void pause_ms(int ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

enum status cassandra_run(const struct cassandra_store *store, struct cassandra_session *session, const char *cql,
                          int timeout_ms, struct cql_result **result_out, struct error *error) {
    char detail[CQL_ERROR_SIZE] = "";
    enum cql_code code = cql_run(session->cql, cql, (uint32_t)timeout_ms, result_out, detail);
    return code == CQL_OK ? STATUS_OK : cassandra_explain(store, code, detail, error);
}

/* --- where the keyspace goes --- */

struct placement {
    char dc[128];
    size_t nodes; /* of that data centre */
};

/* Counts the nodes of the wanted data centre, or of the only one there is. */
static enum status count_nodes(struct placement *place, const struct cql_result *rows, const char *wanted,
                               struct error *error) {
    for (size_t row = 0; row < cql_result_rows(rows); row++) {
        char dc[sizeof place->dc];
        cassandra_cell_text(rows, row, 0, dc, sizeof dc);
        if (*wanted && strcmp(dc, wanted) != 0) continue;
        if (place->nodes > 0 && strcmp(dc, place->dc) != 0)
            return error_set(error, STATUS_INVALID,
                             "the cluster has several data centres (%s, %s): name one by ORDERLY_CASSANDRA_LOCAL_DC",
                             place->dc, dc);
        snprintf(place->dc, sizeof place->dc, "%s", dc);
        place->nodes++;
    }
    return STATUS_OK;
}

static enum status find_place(const struct cassandra_store *store, struct cassandra_session *session,
                              struct placement *place, struct error *error) {
    static const char *const tables[] = {"SELECT data_center FROM system.local",
                                         "SELECT data_center FROM system.peers"};
    const char *wanted = store->options.local_dc;
    enum status status = STATUS_OK;
    *place = (struct placement){.nodes = 0};
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        struct cql_result *rows = NULL;
        status = cassandra_run(store, session, tables[i], STATEMENT_TIMEOUT_MS, &rows, error);
        if (status == STATUS_OK && rows) status = count_nodes(place, rows, wanted, error);
        cql_result_free(rows);
    }
    if (status == STATUS_OK && (place->nodes == 0 || strpbrk(place->dc, "'\"\\")))
        return error_set(error, STATUS_INVALID,
                         "the cluster has no data centre \"%s\": correct ORDERLY_CASSANDRA_LOCAL_DC", wanted);
    return status;
}

static int replication_of(const struct cassandra_store *store, const struct placement *place) {
    if (store->options.replication > 0) return store->options.replication;
    return place->nodes < REPLICATION_DEFAULT ? (int)place->nodes : REPLICATION_DEFAULT;
}

/* --- the text, statement by statement --- */

static bool is_name_character(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Copies one statement, without comments, with this keyspace's name in the place of the text's. Returns what follows
 * the semicolon, or NULL if there was none. */
static const char *next_statement(const char *text, const char *keyspace, struct buffer *out) {
    static const char name[] = KEYSPACE_IN_TEXT ".";
    buffer_reset(out);
    for (char before = ' '; *text && *text != ';'; before = *text++) {
        if (strncmp(text, "--", 2) == 0) text += strcspn(text, "\n");
        if (!is_name_character(before) && strncmp(text, name, strlen(name)) == 0) {
            buffer_put_text(out, keyspace);
            text += strlen(name) - 1;
        }
        if (*text == '\0') break;
        if (out->size > 0 || !isspace((unsigned char)*text)) buffer_put_char(out, *text);
    }
    buffer_put_char(out, '\0');
    return *text == ';' ? text + 1 : NULL;
}

/* Two setups at once may trip over each other's half-made tables; the statements may all be repeated. */
static enum status run_patiently(const struct cassandra_store *store, struct cassandra_session *session,
                                 const char *cql, struct error *error) {
    enum cql_code code = CQL_OK;
    char detail[CQL_ERROR_SIZE] = "";
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        if (attempt) pause_ms(ATTEMPT_PAUSE_MS);
        code = cql_run(session->cql, cql, STATEMENT_TIMEOUT_MS, NULL, detail);
        bool may_pass = code == CQL_ALREADY_EXISTS || code == CQL_SCHEMA_DISAGREEMENT || code == CQL_CONFIG_ERROR ||
                        code == CQL_SERVER_ERROR || code == CQL_INVALID;
        if (!may_pass) break;
    }
    return code == CQL_OK ? STATUS_OK : cassandra_explain(store, code, detail, error);
}

static enum status apply_schema(const struct cassandra_store *store, struct cassandra_session *session,
                                struct error *error) {
    struct placement place;
    struct buffer statement;
    enum status status = find_place(store, session, &place, error);
    buffer_init(&statement, SCHEMA_BYTES_MAX);
    const char *text = orderly_cassandra_schema;
    while (status == STATUS_OK && (text = next_statement(text, store->keyspace, &statement)) != NULL) {
        if (strncmp(statement.data, "CREATE KEYSPACE", strlen("CREATE KEYSPACE")) == 0) {
            buffer_reset(&statement);
            buffer_printf(&statement,
                          "CREATE KEYSPACE IF NOT EXISTS %s WITH replication = "
                          "{'class': 'NetworkTopologyStrategy', '%s': %d}",
                          store->keyspace, place.dc, replication_of(store, &place));
            buffer_put_char(&statement, '\0');
        }
        if (statement.status != STATUS_OK) status = error_set(error, statement.status, "order store: out of memory");
        if (status == STATUS_OK) status = run_patiently(store, session, statement.data, error);
    }
    buffer_free(&statement);
    return status;
}

/* A new index takes a moment until it may be asked. */
static enum status await_index(const struct cassandra_store *store, struct cassandra_session *session,
                               struct error *error) {
    char cql[256], detail[CQL_ERROR_SIZE] = "";
    snprintf(cql, sizeof cql,
             "SELECT order_id FROM %s.listing WHERE scope = 'all' AND bucket = 0 AND shard = 0"
             " AND status = 'created' LIMIT 1",
             store->keyspace);
    enum cql_code code = CQL_OK;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        if (attempt) pause_ms(ATTEMPT_PAUSE_MS);
        code = cql_run(session->cql, cql, STATEMENT_TIMEOUT_MS, NULL, detail);
        if (code == CQL_OK) return STATUS_OK;
    }
    return cassandra_explain(store, code, detail, error);
}

enum status cassandra_setup(struct order_store *base, struct error *error) {
    struct cassandra_store *store = cassandra_of(base);
    struct cassandra_session *session = cassandra_session_hold(store);
    enum status status = cassandra_session_prepare(store, session, STATEMENT_TIMEOUT_MS, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        status = apply_schema(store, session, error);
        if (status == STATUS_OK) status = await_index(store, session, error);
        if (status == STATUS_OK) status = cassandra_session_prepare(store, session, STATEMENT_TIMEOUT_MS, error);
    }
    cassandra_session_release(store, session);
    return status;
}
