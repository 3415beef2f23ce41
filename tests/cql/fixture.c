/* See fixture.h. */
#include "cql/fixture.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void assert_code_is(enum cql_code code, enum cql_code expected, const char *text, const char *file, int line) {
    if (code == expected) return;
    print_error("%s, expected %s: %s\n", cql_code_name(code), cql_code_name(expected), text);
    _fail(file, line);
}

const char *contact_points(void) {
    const char *points = getenv("CASSANDRA_CONTACT_POINTS");
    if (!points) fail_msg("CASSANDRA_CONTACT_POINTS is not set");
    return points;
}

struct cql_session *connect_to(const struct cql_options *options) {
    struct cql_session *session = NULL;
    char error[CQL_ERROR_SIZE] = "";
    assert_code(cql_connect(options, &session, error), CQL_OK, error);
    return session;
}

/* The CQL with the keyspace's name in it; to be freed. */
static char *expand(const struct fixture *fixture, const char *cql) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    for (; *cql; cql++) {
        if (*cql == '@')
            fputs(fixture->keyspace, stream);
        else
            fputc(*cql, stream);
    }
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void run(struct fixture *fixture, const char *cql, struct cql_result **result_out) {
    char error[CQL_ERROR_SIZE] = "", *text = expand(fixture, cql);
    enum cql_code code = cql_run(fixture->session, text, WAIT_MS, result_out, error);
    free(text);
    assert_code(code, CQL_OK, error);
}

void must_run(struct fixture *fixture, const char *cql) {
    run(fixture, cql, NULL);
}

struct cql_result *must_read(struct fixture *fixture, const char *cql) {
    struct cql_result *result = NULL;
    run(fixture, cql, &result);
    assert_non_null(result);
    return result;
}

struct cql_statement *must_prepare(struct fixture *fixture, const char *cql) {
    struct cql_statement *statement = NULL;
    char error[CQL_ERROR_SIZE] = "", *text = expand(fixture, cql);
    enum cql_code code = cql_prepare(fixture->session, text, &statement, error);
    free(text);
    assert_code(code, CQL_OK, error);
    return statement;
}

int fixture_open(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture) return -1;
    struct cql_options options = {.contact_points = contact_points(), .connect_timeout_ms = WAIT_MS};
    fixture->session = connect_to(&options);
    uint64_t number = 0;
    assert_int_equal(getrandom(&number, sizeof number, 0), sizeof number);
    snprintf(fixture->keyspace, sizeof fixture->keyspace, "cqltest_%016" PRIx64, number);
    must_run(fixture, "CREATE KEYSPACE @ WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    *state = fixture;
    return 0;
}

int fixture_close(void **state) {
    struct fixture *fixture = *state;
    if (!fixture) return -1; /* it was not opened */
    must_run(fixture, "DROP KEYSPACE @");
    cql_shutdown(fixture->session, WAIT_MS);
    cql_free(fixture->session);
    free(fixture);
    return 0;
}

size_t wait_some(struct cql_session *session, struct cql_completion *completions, size_t max) {
    for (;;) {
        size_t count = cql_take(session, completions, max);
        if (count > 0) return count;
        struct pollfd ready = {.fd = cql_eventfd(session), .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) != 1) fail_msg("no completion within %d ms", WAIT_MS);
    }
}

struct cql_completion wait_one(struct cql_session *session) {
    struct cql_completion completion;
    wait_some(session, &completion, 1);
    return completion;
}

struct cql_execute request_of(struct cql_statement *const *statement, const struct cql_value *const *values) {
    return (struct cql_execute){.statements = (const struct cql_statement *const *)statement,
                                .values = values,
                                .count = 1,
                                .timestamp_us = CQL_NO_TIMESTAMP,
                                .timeout_ms = WAIT_MS};
}

void must_submit(struct cql_session *session, const struct cql_execute *execute) {
    char error[CQL_ERROR_SIZE] = "";
    assert_code(cql_submit(session, execute, error), CQL_OK, error);
}

struct cql_completion execute(struct cql_session *session, const struct cql_execute *execute) {
    must_submit(session, execute);
    struct cql_completion completion = wait_one(session);
    assert_ptr_equal(completion.data, execute->data);
    return completion;
}

void must_execute(struct cql_session *session, struct cql_statement *statement, const struct cql_value *values) {
    struct cql_execute request = request_of(&statement, &values);
    struct cql_completion completion = execute(session, &request);
    assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
    cql_result_free(completion.result);
}
