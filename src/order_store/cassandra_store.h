/* What the files of the Cassandra order store share.
 *
 *   caller's thread   makes an operation of the request, puts it into the inbox, wakes the loop
 *   loop thread       owns every operation from then on: sends its calls, takes their answers, runs done callbacks
 *   cql's thread      does the I/O
 *
 * An operation is a sequence of phases; a phase is a number of calls (one request to Cassandra each) that go out in
 * parallel, as far as there is room. When all are answered, `advance` sets up the next phase or none. The tables are in
 * deploy/cassandra/schema.cql, the reasons in docs/decisions/0006-cassandra-tables.md. */
#ifndef ORDERLY_ORDER_STORE_CASSANDRA_STORE_H
#define ORDERLY_ORDER_STORE_CASSANDRA_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/queue.h"
#include "cql/cql.h"
#include "order_store/cassandra.h"

#define CASSANDRA_SCHEMA_VERSION 1
#define CASSANDRA_KEYSPACE_MAX 48   /* characters: Cassandra's own limit */
#define CASSANDRA_REQUESTS_MAX 4096 /* accepted and not ended; beyond it FULL */
#define CASSANDRA_CALLS_MAX 256     /* of one operation on their way at a time */
#define CASSANDRA_BATCH_ROWS_MAX 64 /* rows in one batch */
#define CASSANDRA_BATCH_BYTES_MAX                                                                                      \
    (40 << 10)                        /* and about so many bytes: Cassandra's batch_size_fail_threshold is 50 KiB */
#define CASSANDRA_JSON_MAX (1u << 20) /* bytes of items or metadata as JSON, however much has to be escaped */
#define CASSANDRA_PAGE_BYTES_MAX (8u << 20)        /* of rows, after which a page of list or scan ends early */
#define CASSANDRA_OPERATION_BYTES_MAX (512u << 20) /* of decoded rows: the largest request, of the largest rows */
#define CASSANDRA_SHARDS_MAX 64

/* --- the tables: cassandra_schema.c, cassandra_session.c --- */

enum cassandra_statement {
    STATEMENT_GET,
    STATEMENT_ROWS,
    STATEMENT_HISTORY,
    STATEMENT_SCAN,
    STATEMENT_WRITER,
    STATEMENT_PERIODS,
    STATEMENT_DIRECTORY,
    STATEMENT_PAGE,
    STATEMENT_PAGE_OF_STATUS,
    STATEMENT_VERSION,
    STATEMENT_PUT_ORDER,
    STATEMENT_PUT_STATUS,
    STATEMENT_PUT_LISTING,
    STATEMENT_DELETE_LISTING,
    STATEMENT_PUT_DIRECTORY,
    STATEMENT_PUT_PERIOD,
    STATEMENT_COUNT
};

enum cassandra_scope { SCOPE_ALL, SCOPE_CUSTOMER, SCOPE_COUNT };

/* How listings are divided, as the keyspace was set up. */
struct cassandra_layout {
    int64_t bucket_ms[SCOPE_COUNT], period_ms[SCOPE_COUNT], shards[SCOPE_COUNT];
};

/* A connection to the cluster and what was prepared on it. Replaced when it is beyond repair. */
struct cassandra_session {
    struct cql_session *cql;
    struct cql_statement *statements[STATEMENT_COUNT];
    struct cassandra_layout layout;
    atomic_bool is_set_up; /* the two above are there; never turns back */
    unsigned references;   /* under the store's mutex */
};

/* --- the store --- */

enum cassandra_kind { KIND_GET, KIND_ROWS, KIND_HISTORY, KIND_LIST, KIND_SCAN, KIND_CHECK, KIND_COUNT };

/* The request to Cassandra that is being put together; the loop's. */
#define CASSANDRA_CELLS_MAX 16
struct cassandra_draft {
    const struct cql_statement *statements[CASSANDRA_BATCH_ROWS_MAX + 1];
    const struct cql_value *values[CASSANDRA_BATCH_ROWS_MAX + 1];
    struct cql_value cells[CASSANDRA_BATCH_ROWS_MAX + 1][CASSANDRA_CELLS_MAX];
    size_t count;
    struct arena arena; /* texts */
    struct buffer json;
};

/* Listing partitions whose directory rows were acknowledged: a bounded memory that may forget. The loop's. */
#define CASSANDRA_KNOWN_SLOTS 16384
struct cassandra_known {
    uint8_t (*hashes)[16]; /* CASSANDRA_KNOWN_SLOTS of them */
    atomic_bool forget;    /* any thread: the tables may be other ones now */
};

struct cassandra_metrics {
    struct metric_histogram *apply_seconds, *apply_changes, *read_seconds[KIND_COUNT];
    struct metric_histogram *page_partitions, *page_rows;
    struct metric_counter *calls, *rows_written, *failures, *sessions;
};

struct cassandra_store {
    struct order_store base;
    struct order_store_cassandra_options options; /* what it points to is borrowed; defaults are put in */
    char keyspace[CASSANDRA_KEYSPACE_MAX + 1];
    struct cassandra_metrics metrics;
    pthread_mutex_t setup_mutex; /* one setup or check prepares statements at a time */

    /* Shared between callers and the loop. */
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* accepted has become 0 */
    struct queue inbox;
    size_t accepted; /* operations that have not ended */
    bool closing;
    struct cassandra_session *session; /* the current one: written by the loop alone, so it reads it without the lock */
    struct cassandra_session *new_session; /* made by the connector for the loop */
    bool connector_ended;
    int wake_fd;

    /* The loop's. */
    pthread_t loop;
    bool loop_runs;
    struct queue ready[2]; /* operations with calls to send: reads, writes */
    size_t in_flight, in_flight_max;
    struct cassandra_draft draft;
    struct cassandra_known known;
    pthread_t connector;
    bool connector_runs;
    int session_failing_ms;   /* without any success: the session is replaced */
    int64_t failing_since_ns; /* the first of the failures since the last success; 0: none */
    int64_t failed_ns;        /* the last one */
    int64_t connect_after_ns; /* not before: attempts keep a distance */
    int64_t swept_ns;

    /* For tests: set before the first request; called on the loop with the trace session of every answer to a list. */
    void (*on_trace)(void *data, const uint8_t trace_id[16]);
    void *on_trace_data;
};

static inline struct cassandra_store *cassandra_of(struct order_store *store) {
    return (struct cassandra_store *)(void *)store;
}

/* --- cassandra_operation.c: the life of one request --- */

struct cassandra_operation;

struct cassandra_operation_ops {
    bool writes;  /* the second ready queue */
    bool is_page; /* its calls may be traced, for tests */
    /* Puts call number `index` of the phase into the draft, which is empty. Not OK ends the operation. */
    enum status (*prepare)(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft);
    /* The answer of a call, with rows or NULL. The result is the operation's until it ends. Not OK ends it. */
    enum status (*answer)(struct cassandra_operation *operation, size_t index, const struct cql_result *result);
    /* All calls of the phase were answered well. Calls cassandra_phase for a next one, or not: then all is done. */
    enum status (*advance)(struct cassandra_operation *operation);
    /* Calls the request's done. Afterwards the operation is freed. */
    void (*finish)(struct cassandra_operation *operation, enum status status, const char *error_text);
};

/* One request to Cassandra. */
struct cassandra_call {
    struct cassandra_operation *operation;
    size_t index;
};

struct cassandra_kept {
    struct cassandra_kept *next;
    struct cql_result *result;
};

struct cassandra_operation {
    struct queue_link link; /* in the inbox or a ready queue */
    const struct cassandra_operation_ops *ops;
    struct cassandra_store *store;
    struct metric_histogram *seconds;
    struct arena arena; /* ends with the operation */
    int64_t started_ns, deadline_ns;
    struct cassandra_call *calls; /* of the phase */
    size_t call_count, sent, answered;
    bool is_ready; /* in a ready queue */
    struct cassandra_kept *kept;
    bool writes_now;  /* the phase's calls write */
    bool has_written; /* something was, or perhaps was */
    enum status status;
    struct error error;
};

/* Makes an operation of `size` bytes (its struct begins with a cassandra_operation), cleared. NULL: no memory. */
void *cassandra_operation_new(struct cassandra_store *store, const struct cassandra_operation_ops *ops, size_t size,
                              struct metric_histogram *seconds);
/* Hands it to the loop. Not OK (FULL, CLOSED, UNAVAILABLE): nothing was accepted, the operation is still the caller's:
 * free it and answer the request. */
enum status cassandra_operation_submit(struct cassandra_operation *operation, struct error *error);
void cassandra_operation_free(struct cassandra_operation *operation);

/* Sets up a phase of `count` calls. NO_MEMORY. */
enum status cassandra_phase(struct cassandra_operation *operation, size_t count, bool writes);

/* For the loop. Sends calls while there is room; the operation may have ended (and be freed) afterwards. */
void cassandra_operation_pump(struct cassandra_operation *operation, size_t room);
void cassandra_operation_begin(struct cassandra_operation *operation);
void cassandra_operation_answered(struct cassandra_call *call, struct cql_completion *completion);
/* Notes the first failure; text NULL: it is in the operation's error already. No more calls go out. */
void cassandra_operation_fail(struct cassandra_operation *operation, enum status status, const char *text);
void cassandra_operation_expire(struct cassandra_operation *operation);
/* Ends it if it has failed, nothing of it is on its way and no queue has it; true: it is gone. */
bool cassandra_operation_settle(struct cassandra_operation *operation);

/* --- cassandra_loop.c --- */

enum status cassandra_loop_start(struct cassandra_store *store, struct error *error);
void cassandra_loop_stop(struct cassandra_store *store);
void cassandra_loop_wake(struct cassandra_store *store);
void cassandra_loop_ready(struct cassandra_operation *operation);
/* How a call ended, for the judgement of the session. */
void cassandra_loop_note(struct cassandra_store *store, enum cql_code code);

/* --- cassandra_session.c --- */

/* Connects and, if the keyspace is set up, prepares. NOT_FOUND: it is not (*session_out is set all the same). */
enum status cassandra_session_open(struct cassandra_store *store, struct cassandra_session **session_out,
                                   struct error *error);
/* Reads the layout within timeout_ms and, if it is there, prepares what is not prepared yet. NOT_FOUND: not set up;
 * UNSUPPORTED: by a newer version. */
enum status cassandra_session_prepare(struct cassandra_store *store, struct cassandra_session *session, int timeout_ms,
                                      struct error *error);
void cassandra_session_free(struct cassandra_session *session); /* NULL is allowed */
/* The current session, kept alive until released. */
struct cassandra_session *cassandra_session_hold(struct cassandra_store *store);
void cassandra_session_release(struct cassandra_store *store, struct cassandra_session *session);
/* Makes another one the current one; the old one lives on while it is held. The loop's thread. */
void cassandra_session_replace(struct cassandra_store *store, struct cassandra_session *session);

/* --- cassandra_error.c --- */

/* What went wrong in plain words, with the addresses and the remedy; returns the status of a request of which nothing
 * was written. detail: the library's text, or "". */
enum status cassandra_explain(const struct cassandra_store *store, enum cql_code code, const char *detail,
                              struct error *error);

/* --- cassandra_schema.c, cassandra_check.c --- */

enum status cassandra_setup(struct order_store *base, struct error *error);
enum status cassandra_check(struct order_store *base, int timeout_ms, struct error *error);
void cassandra_advise(struct order_store *base, int timeout_ms, struct advice *advice);
/* Runs one statement; a failure is explained. result_out may be NULL. */
enum status cassandra_run(const struct cassandra_store *store, struct cassandra_session *session, const char *cql,
                          int timeout_ms, struct cql_result **result_out, struct error *error);
/* The text in a cell, cut to fit; "" if there is none. */
void cassandra_cell_text(const struct cql_result *result, size_t row, size_t column, char *out, size_t size);

/* --- cassandra_codec.c: orders as cells, and back --- */

/* The columns that both tables of orders have, in the order in which they are read and written. */
#define CASSANDRA_ORDER_COLUMNS                                                                                        \
    "order_id, created_at, version, customer_name, status, currency, total, items, metadata, updated_at"
#define CASSANDRA_ROW_COLUMNS CASSANDRA_ORDER_COLUMNS ", position, command_id, attempt_id, fingerprint"
enum cassandra_column {
    COLUMN_ORDER_ID,
    COLUMN_CREATED_AT,
    COLUMN_VERSION,
    COLUMN_CUSTOMER_NAME,
    COLUMN_STATUS,
    COLUMN_CURRENCY,
    COLUMN_TOTAL,
    COLUMN_ITEMS,
    COLUMN_METADATA,
    COLUMN_UPDATED_AT,
    COLUMN_COUNT, /* of an order; a row of history has also: */
    COLUMN_POSITION = COLUMN_COUNT,
    COLUMN_COMMAND_ID,
    COLUMN_ATTEMPT_ID,
    COLUMN_FINGERPRINT,
    ROW_COLUMN_COUNT
};

void cassandra_draft_reset(struct cassandra_draft *draft);
/* Adds a statement; returns room for its CASSANDRA_CELLS_MAX values. */
struct cql_value *cassandra_draft_add(struct cassandra_draft *draft, const struct cassandra_store *store,
                                      enum cassandra_statement statement);

struct cql_value cassandra_uuid(const struct uuid *uuid);
struct cql_value cassandra_text(struct bytes text);
struct cql_value cassandra_int(int64_t value);
struct cql_value cassandra_bigint(int64_t value);
struct cql_value cassandra_time(int64_t wall_ms);

/* Created_at and version as the time of every write. */
int64_t cassandra_write_time(const struct order *order);

/* Fills the COLUMN_COUNT cells of an order; its id as a uuid, or as text for the listing. NO_MEMORY, TOO_LARGE. */
enum status cassandra_put_order(struct cassandra_draft *draft, struct cql_value *cells, const struct order *order,
                                bool id_as_text);
/* The order's id as text, in the draft's memory. NO_MEMORY. */
enum status cassandra_put_id(struct cassandra_draft *draft, const struct order *order, struct cql_value *cell);
/* About the bytes of an order's row, for the size of batches. */
size_t cassandra_order_size(const struct order *order);

/* A row of `table` ("orders") as an order; text points into the result. CORRUPT names the order, NO_MEMORY. */
enum status cassandra_read_order(const struct cql_result *result, size_t row, const char *table, struct arena *arena,
                                 struct order *order_out, struct error *error);
enum status cassandra_read_row(const struct cql_result *result, size_t row, struct arena *arena,
                               struct history_row *row_out, struct error *error);
bool cassandra_cell_integer(const struct cql_result *result, size_t row, size_t column, int64_t *value_out);
bool cassandra_cell_uuid(const struct cql_result *result, size_t row, size_t column, struct uuid *uuid_out);

/* --- cassandra_place.c: where in the listings an order is; pure, but for the memory --- */

struct cassandra_place {
    int64_t period_ms, bucket_ms; /* the times at which they begin */
    int64_t shard;
};
int64_t cassandra_floor(int64_t time_ms, int64_t width_ms);
struct cassandra_place cassandra_place_of(const struct cassandra_layout *layout, enum cassandra_scope scope,
                                          int64_t created_at_ms, const struct uuid *order_id);
/* The text of a scope: "all", or "c:" and the name, in the arena. .data NULL: no memory. */
struct bytes cassandra_scope_text(enum cassandra_scope scope, struct bytes customer_name, struct arena *arena);

/* key: everything that names a directory row. */
bool cassandra_known_has(struct cassandra_known *known, struct bytes key);
void cassandra_known_add(struct cassandra_known *known, struct bytes key);

/* --- cassandra_cursor.c --- */

enum cassandra_cursor_kind { CURSOR_LIST = 0x4c, CURSOR_SCAN = 0x53 };
/* number and order id: where the next page begins; filter: XXH3 of what else decides which rows there are. */
void cassandra_cursor_write(enum cassandra_cursor_kind kind, int64_t number, const struct uuid *order_id,
                            uint64_t filter, struct order_store_cursor *cursor_out);
/* INVALID: not one of these. The cursor must not be empty. */
enum status cassandra_cursor_read(const struct order_store_cursor *cursor, enum cassandra_cursor_kind kind,
                                  uint64_t filter, int64_t *number_out, struct uuid *order_id_out);

/* --- the requests --- */

void cassandra_get(struct order_store *base, struct order_store_get *get);
void cassandra_rows(struct order_store *base, struct order_store_rows *rows);
void cassandra_history(struct order_store *base, struct order_store_history *history);
void cassandra_apply(struct order_store *base, struct order_store_apply *apply);
void cassandra_list(struct order_store *base, struct order_store_list *list);
void cassandra_scan(struct order_store *base, struct order_store_scan *scan);

#endif
