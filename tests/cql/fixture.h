/* What the tests of src/cql share: a session, a keyspace of the test's own on a real Cassandra, requests that must
 * succeed, and a node that is not quite there (node.h). */
#ifndef TESTS_CQL_FIXTURE_H
#define TESTS_CQL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cql/cql.h"

#define WAIT_MS 30000 /* for whatever must come; generous, the machine may be busy */

struct fixture {
    struct cql_session *session;
    char keyspace[48];
};

/* For cmocka's group: connects to CASSANDRA_CONTACT_POINTS and makes the keyspace; drops it and ends the session. */
int fixture_open(void **state);
int fixture_close(void **state);

struct cql_session *connect_to(const struct cql_options *options); /* must succeed */
const char *contact_points(void);

/* Each "@" in the CQL stands for the fixture's keyspace. */
void must_run(struct fixture *fixture, const char *cql);
struct cql_result *must_read(struct fixture *fixture, const char *cql);
struct cql_statement *must_prepare(struct fixture *fixture, const char *cql);

/* Up to max completions, waiting for the first; fails the test after WAIT_MS. */
size_t wait_some(struct cql_session *session, struct cql_completion *completions, size_t max);
struct cql_completion wait_one(struct cql_session *session);

/* One statement with its values, submitted; and the same, waited for. */
struct cql_execute request_of(struct cql_statement *const *statement, const struct cql_value *const *values);
void must_submit(struct cql_session *session, const struct cql_execute *execute);
struct cql_completion execute(struct cql_session *session, const struct cql_execute *execute);
void must_execute(struct cql_session *session, struct cql_statement *statement, const struct cql_value *values);

void assert_code_is(enum cql_code code, enum cql_code expected, const char *text, const char *file, int line);
#define assert_code(code, expected, text) assert_code_is(code, expected, text, __FILE__, __LINE__)

int64_t now_ms(void);

#define BOOLEAN(value) ((struct cql_value){.type = CQL_BOOLEAN, .integer = (value)})
#define INT(value) ((struct cql_value){.type = CQL_INT, .integer = (value)})
#define BIGINT(value) ((struct cql_value){.type = CQL_BIGINT, .integer = (value)})
#define TIMESTAMP(value) ((struct cql_value){.type = CQL_TIMESTAMP, .integer = (value)})
#define UUID(bytes) ((struct cql_value){.type = CQL_UUID, .data = (bytes)})
#define TEXT(bytes, length) ((struct cql_value){.type = CQL_TEXT, .data = (bytes), .size = (length)})
#define BLOB(bytes, length) ((struct cql_value){.type = CQL_BLOB, .data = (bytes), .size = (length)})
#define NONE ((struct cql_value){.type = CQL_NULL})

#endif
