/* A small C border over the Rust crate `scylla`: asynchronous CQL sessions for Apache Cassandra (native protocol v4).
 *
 * It knows no orders. One runtime thread per session does all I/O; requests may be submitted from any thread; answers are
 * taken from a completion queue with an eventfd, or waited for by the calls that say "blocks".
 *
 * Exactly one completion comes for each accepted request. Arguments are copied before a call returns. No panic crosses
 * the border: it becomes CQL_PANIC. One such static library per program; connect after any fork. */
#ifndef ORDERLY_CQL_CQL_H
#define ORDERLY_CQL_CQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_ERROR_SIZE 512

struct cql_session;   /* any thread */
struct cql_statement; /* immutable, any thread; free it before or after the session */
struct cql_result;    /* owned by who receives it; one thread at a time */

enum cql_code {
    CQL_OK = 0,
    /* local, nothing was sent */
    CQL_BUSY = 1,         /* max_in_flight requests are under way: take completions, then try again */
    CQL_CLOSED = 2,       /* shutdown has begun */
    CQL_BAD_ARGUMENT = 3, /* wrong number or type of values, a bad option, text that is not UTF-8 */
    /* local, outcome unknown */
    CQL_PANIC = 4,
    CQL_CANCELLED = 5, /* cut off by shutdown */
    /* transport */
    CQL_NO_HOST = 10,           /* no live connection to a suitable node: not sent */
    CQL_CONNECTION_BROKEN = 11, /* it broke with the request on it: unknown */
    CQL_CLIENT_TIMEOUT = 12,    /* no answer within the time: unknown */
    CQL_PROTOCOL = 13,          /* malformed or unexpected answer: unknown */
    CQL_TLS = 14,               /* TLS could not be set up */
    /* the state of the cluster */
    CQL_UNAVAILABLE = 20, /* too few replicas are alive: not applied */
    CQL_WRITE_TIMEOUT = 21,
    CQL_READ_TIMEOUT = 22,
    CQL_WRITE_FAILURE = 23,
    CQL_READ_FAILURE = 24,
    CQL_OVERLOADED = 25,
    CQL_BOOTSTRAPPING = 26,
    CQL_TRUNCATE_ERROR = 27,
    CQL_SERVER_ERROR = 28,
    CQL_SCHEMA_DISAGREEMENT = 29, /* a DDL statement was applied, but the nodes did not agree in time */
    /* the request is wrong */
    CQL_SYNTAX_ERROR = 40,
    CQL_INVALID = 41,
    CQL_ALREADY_EXISTS = 42,
    CQL_CONFIG_ERROR = 43,
    CQL_UNAUTHORIZED = 44,
    CQL_BAD_CREDENTIALS = 45,
    CQL_FUNCTION_FAILURE = 46,
    CQL_OTHER = 99,
};

/* May the request be sent again? */
enum cql_retry {
    CQL_RETRY_NO = 0,         /* the same request would fail again */
    CQL_RETRY_SAFE = 1,       /* it was not applied: anything may be sent again */
    CQL_RETRY_IDEMPOTENT = 2, /* it may have been applied: only what may be repeated */
};

enum cql_consistency { /* the protocol's numbers; 0 in options means the default */
    CQL_CONSISTENCY_DEFAULT = 0,
    CQL_ONE = 1,
    CQL_QUORUM = 4,
    CQL_ALL = 5,
    CQL_LOCAL_QUORUM = 6,
    CQL_LOCAL_ONE = 10,
};

struct cql_options { /* zeroed fields are defaults; texts are copied */
    const char *contact_points; /* "host[:port],host,[v6]:port"; port 9042 */
    const char *local_dc;       /* or NULL */
    const char *user, *password;
    const char *tls_ca_file;                  /* PEM; NULL: plain TCP. Certificates need the node's address as SAN */
    const char *tls_cert_file, *tls_key_file; /* PEM, or NULL */
    enum cql_consistency consistency;         /* LOCAL_QUORUM */
    uint32_t connect_timeout_ms;   /* 5,000: all of cql_connect, and each TCP connect */
    uint32_t request_timeout_ms;   /* 10,000 */
    uint32_t keepalive_ms;         /* 5,000: an OPTIONS ping on each connection */
    uint32_t keepalive_timeout_ms; /* 10,000. The ping queues behind requests: keep it above in flight / throughput */
    uint32_t reconnect_max_ms;     /* 1,000 */
    uint32_t max_in_flight;        /* 1,024 */
};

enum cql_type {
    CQL_NULL,
    CQL_BOOLEAN,
    CQL_INT,       /* 32 bits, in .integer */
    CQL_BIGINT,    /* 64 bits, in .integer */
    CQL_TIMESTAMP, /* ms since 1970, in .integer */
    CQL_UUID,      /* 16 bytes at .data */
    CQL_TEXT,      /* or ascii: UTF-8 at .data, .size bytes */
    CQL_BLOB,
};
struct cql_value {
    enum cql_type type;
    int64_t integer;
    const void *data;
    size_t size;
};

#define CQL_NO_TIMESTAMP INT64_MIN
struct cql_execute { /* one request; a batch has several statements, all of one partition (unlogged) */
    const struct cql_statement *const *statements;
    const struct cql_value *const *values; /* values[i]: those of statements[i], cql_statement_parameters of them */
    size_t count;                          /* 1: a plain statement */
    int64_t timestamp_us;                  /* write time of all, or CQL_NO_TIMESTAMP */
    const void *page_state;                /* from cql_result_page_state, or NULL */
    size_t page_state_size;
    uint32_t page_size; /* rows; 0: one answer with all */
    enum cql_consistency consistency;
    uint32_t timeout_ms; /* 0: the session's */
    bool tracing;        /* for tests and diagnosis: the answer names its trace session */
    void *data;          /* comes back in the completion */
};

struct cql_completion {
    void *data;
    enum cql_code code;
    enum cql_retry retry;
    struct cql_result *result; /* NULL if OK without rows; else free it (errors too) */
};

/* --- session --- */

/* Connects; blocks up to connect_timeout_ms. Does not retry. error: room for CQL_ERROR_SIZE, names the addresses tried.
 * Not OK: *session_out is untouched. */
enum cql_code cql_connect(const struct cql_options *options, struct cql_session **session_out, char *error);

/* Level-triggered: readable while completions wait (rarely once more: then cql_take gives 0). Owned by the session. */
int cql_eventfd(const struct cql_session *session);

/* Takes up to max completions without blocking; returns how many. One thread at a time. */
size_t cql_take(struct cql_session *session, struct cql_completion *completions, size_t max);

/* Refuses new requests, waits up to grace_ms for those under way, cancels the rest (their completions can still be taken)
 * and ends the runtime thread. May be called twice. */
void cql_shutdown(struct cql_session *session, uint32_t grace_ms);

/* After cql_shutdown (it is called if it was not). Drops what was not taken. NULL is allowed. */
void cql_free(struct cql_session *session);

struct cql_stats {
    uint64_t submitted, completed, failed, busy;
    uint32_t in_flight, nodes, nodes_up;
};
void cql_stats(const struct cql_session *session, struct cql_stats *stats_out);

/* --- statements --- */

/* Prepares on the cluster; blocks up to the request time-out. */
enum cql_code cql_prepare(struct cql_session *session, const char *cql, struct cql_statement **statement_out, char *error);
size_t cql_statement_parameters(const struct cql_statement *statement);
void cql_statement_free(struct cql_statement *statement); /* NULL is allowed */

/* --- requests --- */

/* Submits. OK: one completion will come, into the queue. Else nothing was accepted, and no completion comes. */
enum cql_code cql_submit(struct cql_session *session, const struct cql_execute *execute, char *error);

/* Runs an unprepared statement (DDL, system tables); blocks. result_out may be NULL; else set if there are rows. */
enum cql_code cql_run(struct cql_session *session, const char *cql, uint32_t timeout_ms, struct cql_result **result_out,
                      char *error);

/* --- results: what they point to lives until cql_result_free --- */

size_t cql_result_rows(const struct cql_result *result);
size_t cql_result_columns(const struct cql_result *result);
/* The cell's bytes as on the wire; NULL if null (size_out 0). Out of range is null too. */
const void *cql_result_cell(const struct cql_result *result, size_t row, size_t column, size_t *size_out);
const void *cql_result_page_state(const struct cql_result *result, size_t *size_out); /* NULL: this was the last page */
bool cql_result_trace_id(const struct cql_result *result, uint8_t id_out[16]);        /* false: not traced */
const char *cql_result_error(const struct cql_result *result); /* "" if none */
void cql_result_free(struct cql_result *result);               /* NULL is allowed */

/* Cells of the types int, bigint and timestamp, and boolean. */
static inline int32_t cql_int(const void *cell) {
    const uint8_t *byte = cell;
    return (int32_t)((uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3]);
}
static inline int64_t cql_bigint(const void *cell) {
    return (int64_t)((uint64_t)(uint32_t)cql_int(cell) << 32 | (uint32_t)cql_int((const char *)cell + 4));
}

/* --- the rest --- */

const char *cql_code_name(enum cql_code code); /* "write_timeout"; never NULL */

/* For tests: panics inside the library, at entry (0), on the runtime thread (1) or in a request (2), and comes back with
 * the code that the border made of it. */
enum cql_code cql_test_panic(struct cql_session *session, int where);

#endif
