/* Errors: each has its code, and says whether the request may be sent again; panics and a node's death among them. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cql/fixture.h"
#include "cql/node.h"

enum { TIMEOUT_MS = 300, CONNECT_MS = 3000, DOWN_MS = 7000, RECONNECT_MS = 2500, MANY = 20 };

static int open_errors(void **state) {
    if (fixture_open(state) != 0) return -1;
    must_run(*state, "CREATE TABLE @.rows (p int PRIMARY KEY)");
    return 0;
}

static void the_server_refuses(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *cql;
        enum cql_code code;
    } cases[] = {
        {"SELEC 1", CQL_SYNTAX_ERROR},
        {"SELECT nothing FROM %s.rows", CQL_INVALID},
        {"SELECT p FROM %s.nowhere", CQL_INVALID},
        {"CREATE TABLE %s.rows (p int PRIMARY KEY)", CQL_ALREADY_EXISTS},
        {"CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
         CQL_ALREADY_EXISTS},
        {"CREATE KEYSPACE %s_x WITH replication = {'class': 'NoSuchStrategy', 'replication_factor': 1}",
         CQL_CONFIG_ERROR},
        {"\xff", CQL_BAD_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char cql[256], error[CQL_ERROR_SIZE] = "";
        snprintf(cql, sizeof cql, cases[i].cql, fixture->keyspace);
        struct cql_result *result = (void *)"untouched";
        assert_code(cql_run(fixture->session, cql, WAIT_MS, &result, error), cases[i].code, error);
        assert_string_equal((const char *)result, "untouched");
        assert_true(strlen(error) > 10);
    }
    struct cql_statement *statement = (void *)"untouched";
    char error[CQL_ERROR_SIZE] = "";
    assert_code(cql_prepare(fixture->session, "SELECT p FROM nowhere.rows", &statement, error), CQL_INVALID, error);
    assert_code(cql_prepare(fixture->session, "SELEC", &statement, error), CQL_SYNTAX_ERROR, error);
    assert_code(cql_prepare(fixture->session, NULL, &statement, error), CQL_BAD_ARGUMENT, error);
    assert_string_equal((const char *)statement, "untouched");
}

/* A prepared statement whose table went away, and came back another. */
static void a_statement_outlives_its_table(void **state) {
    struct fixture *fixture = *state;
    must_run(fixture, "CREATE TABLE @.brief (p int PRIMARY KEY, v int)");
    struct cql_statement *insert = must_prepare(fixture, "INSERT INTO @.brief (p, v) VALUES (?, 7)");
    struct cql_statement *read = must_prepare(fixture, "SELECT * FROM @.brief WHERE p = ?");
    must_execute(fixture->session, insert, &INT(1));
    must_run(fixture, "DROP TABLE @.brief");
    const struct cql_value *values = &INT(1);
    struct cql_execute request = request_of(&insert, &values);
    struct cql_completion completion = execute(fixture->session, &request);
    assert_code(completion.code, CQL_INVALID, cql_result_error(completion.result));
    assert_int_equal(completion.retry, CQL_RETRY_NO);
    cql_result_free(completion.result);

    must_run(fixture, "CREATE TABLE @.brief (p int PRIMARY KEY, v int)");
    must_run(fixture, "ALTER TABLE @.brief ADD a text"); /* sorts before v: a stale description would mix them up */
    must_execute(fixture->session, insert, &INT(1));
    request = request_of(&read, &values);
    completion = execute(fixture->session, &request);
    assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
    assert_int_equal(cql_result_columns(completion.result), 3);
    assert_null(cql_result_cell(completion.result, 0, 1, NULL));
    assert_int_equal(cql_int(cql_result_cell(completion.result, 0, 2, NULL)), 7);
    cql_result_free(completion.result);
    cql_statement_free(insert);
    cql_statement_free(read);
}

static void panics_stay_inside(void **state) {
    struct fixture *fixture = *state;
    for (int round = 0; round < 2; round++) {
        for (int where = 0; where < 3; where++) {
            assert_int_equal(cql_test_panic(fixture->session, where), CQL_PANIC);
            must_run(fixture, "SELECT key FROM system.local"); /* and the session works on */
        }
    }
}

static void codes_have_names(void **state) {
    assert_string_equal(cql_code_name(CQL_OK), "ok");
    assert_string_equal(cql_code_name(CQL_BAD_ARGUMENT), "bad_argument");
    assert_string_equal(cql_code_name(CQL_WRITE_TIMEOUT), "write_timeout");
    assert_string_equal(cql_code_name(CQL_SCHEMA_DISAGREEMENT), "schema_disagreement");
    assert_string_equal(cql_code_name(CQL_FUNCTION_FAILURE), "function_failure");
    assert_string_equal(cql_code_name((enum cql_code)12345), "unknown");
}

/* A session through a node of the test's own, and a statement on it. */
struct through {
    struct node *node;
    struct fixture fixture;
    struct cql_statement *statement;
};

static struct through open_through(struct fixture *fixture) {
    struct through through = {.node = node_start(contact_points(), NODE_FORWARDS)};
    struct cql_options options = {.contact_points = node_address(through.node), .connect_timeout_ms = WAIT_MS};
    through.fixture.session = connect_to(&options);
    memcpy(through.fixture.keyspace, fixture->keyspace, sizeof fixture->keyspace);
    through.statement = must_prepare(&through.fixture, "INSERT INTO @.rows (p) VALUES (?)");
    must_execute(through.fixture.session, through.statement, &INT(1));
    return through;
}

static void close_through(struct through *through) {
    cql_statement_free(through->statement);
    cql_free(through->fixture.session);
    node_stop(through->node);
}

static struct cql_completion insert(struct through *through, uint32_t timeout_ms) {
    const struct cql_value *values = &INT(1);
    struct cql_execute request = request_of(&through->statement, &values);
    request.timeout_ms = timeout_ms;
    return execute(through->fixture.session, &request);
}

static void a_frozen_node_is_a_timeout(void **state) {
    struct through through = open_through(*state);
    node_set(through.node, NODE_FROZEN);
    int64_t started_ms = now_ms();
    struct cql_completion completion = insert(&through, TIMEOUT_MS);
    assert_code(completion.code, CQL_CLIENT_TIMEOUT, cql_result_error(completion.result));
    assert_int_equal(completion.retry, CQL_RETRY_IDEMPOTENT);
    assert_in_range(now_ms() - started_ms, TIMEOUT_MS - 10, TIMEOUT_MS + 5000);
    cql_result_free(completion.result);
    char error[CQL_ERROR_SIZE] = "";
    enum cql_code code = cql_run(through.fixture.session, "SELECT key FROM system.local", TIMEOUT_MS, NULL, error);
    assert_code(code, CQL_CLIENT_TIMEOUT, error);
    node_set(through.node, NODE_FORWARDS); /* late answers disturb nobody */
    completion = insert(&through, WAIT_MS);
    assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
    close_through(&through);
}

/* In flight when the connection breaks: unknown. After it: not sent. And it comes back by itself. */
static void a_dead_node_is_told_and_reconnected(void **state) {
    struct through through = open_through(*state);
    node_set(through.node, NODE_FROZEN);
    const struct cql_value *values = &INT(1);
    struct cql_execute request = request_of(&through.statement, &values);
    for (int i = 0; i < MANY; i++)
        must_submit(through.fixture.session, &request);
    /* The next is refused by its own time-out: so the ones before are on the wire. */
    request.timeout_ms = TIMEOUT_MS;
    must_submit(through.fixture.session, &request);
    struct cql_completion completion = wait_one(through.fixture.session);
    assert_code(completion.code, CQL_CLIENT_TIMEOUT, cql_result_error(completion.result));
    cql_result_free(completion.result);

    node_set(through.node, NODE_DOWN);
    for (int i = 0; i < MANY; i++) {
        completion = wait_one(through.fixture.session);
        assert_code(completion.code, CQL_CONNECTION_BROKEN, cql_result_error(completion.result));
        assert_int_equal(completion.retry, CQL_RETRY_IDEMPOTENT);
        cql_result_free(completion.result);
    }
    completion = insert(&through, WAIT_MS);
    assert_code(completion.code, CQL_NO_HOST, cql_result_error(completion.result));
    assert_int_equal(completion.retry, CQL_RETRY_SAFE);
    cql_result_free(completion.result);
    struct cql_stats stats;
    cql_stats(through.fixture.session, &stats);
    assert_int_equal(stats.nodes_up, 0);

    poll(NULL, 0, DOWN_MS); /* long enough for the back-off to have grown to its cap */
    node_set(through.node, NODE_FORWARDS);
    int64_t back_ms = now_ms();
    enum cql_code code = CQL_NO_HOST;
    while (code == CQL_NO_HOST && now_ms() - back_ms < WAIT_MS) {
        completion = insert(&through, WAIT_MS);
        code = completion.code;
        cql_result_free(completion.result);
        if (code == CQL_NO_HOST) poll(NULL, 0, 20);
    }
    assert_code(code, CQL_OK, "");
    print_message("reconnected after %d ms\n", (int)(now_ms() - back_ms));
    assert_true(now_ms() - back_ms < RECONNECT_MS);
    close_through(&through);
}

/* Contact points are tried one after the other: one that is frozen leaves time for the next. */
static void a_silent_contact_point_is_passed_over(void **state) {
    struct node *node = node_start(NULL, NODE_SILENT);
    char points[256];
    snprintf(points, sizeof points, "%s, %s", node_address(node), contact_points());
    struct cql_options options = {.contact_points = points, .connect_timeout_ms = 2 * CONNECT_MS};
    struct fixture fixture = {.session = connect_to(&options)};
    must_run(&fixture, "SELECT key FROM system.local");
    cql_free(fixture.session);
    node_stop(node);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_refuses),
        cmocka_unit_test(a_statement_outlives_its_table),
        cmocka_unit_test(panics_stay_inside),
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(a_frozen_node_is_a_timeout),
        cmocka_unit_test(a_dead_node_is_told_and_reconnected),
        cmocka_unit_test(a_silent_contact_point_is_passed_over),
    };
    return cmocka_run_group_tests(tests, open_errors, fixture_close);
}
