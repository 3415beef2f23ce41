/* Shutdown: what is under way gets its grace, then one completion that says so; nothing new is accepted. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cql/fixture.h"
#include "cql/node.h"

enum { MANY = 200, GRACE_MS = 300 };

static int open_shutdown(void **state) {
    if (fixture_open(state) != 0) return -1;
    must_run(*state, "CREATE TABLE @.rows (p int PRIMARY KEY)");
    return 0;
}

static struct cql_session *session_with_many_under_way(struct fixture *fixture, struct node *node, enum node_mode mode,
                                                       struct cql_statement **statement_out) {
    struct cql_options options = {.contact_points = node_address(node), .connect_timeout_ms = WAIT_MS};
    struct fixture own = {.session = connect_to(&options)};
    memcpy(own.keyspace, fixture->keyspace, sizeof own.keyspace);
    *statement_out = must_prepare(&own, "INSERT INTO @.rows (p) VALUES (?)");
    node_set(node, mode);
    for (int i = 0; i < MANY; i++) {
        const struct cql_value *values = &INT(i);
        struct cql_execute request = request_of(statement_out, &values);
        must_submit(own.session, &request);
    }
    return own.session;
}

static void assert_all_taken(struct cql_session *session, enum cql_code code) {
    struct cql_completion completions[MANY + 1];
    assert_int_equal(cql_take(session, completions, MANY + 1), MANY);
    for (int i = 0; i < MANY; i++) {
        assert_code(completions[i].code, code, cql_result_error(completions[i].result));
        if (code == CQL_CANCELLED) assert_int_equal(completions[i].retry, CQL_RETRY_IDEMPOTENT);
        cql_result_free(completions[i].result);
    }
}

static void what_can_end_in_time_does(void **state) {
    struct node *node = node_start(contact_points(), NODE_FORWARDS);
    struct cql_statement *statement;
    struct cql_session *session = session_with_many_under_way(*state, node, NODE_FORWARDS, &statement);
    int64_t started_ms = now_ms();
    cql_shutdown(session, 10 * WAIT_MS);
    assert_true(now_ms() - started_ms < WAIT_MS); /* the last one ended it, not the grace */
    assert_all_taken(session, CQL_OK);

    const struct cql_value *values = &INT(1);
    struct cql_execute request = request_of(&statement, &values);
    char error[CQL_ERROR_SIZE] = "";
    assert_code(cql_submit(session, &request, error), CQL_CLOSED, error);
    assert_code(cql_run(session, "SELECT key FROM system.local", 0, NULL, error), CQL_CLOSED, error);
    struct cql_statement *none = NULL;
    assert_code(cql_prepare(session, "SELECT key FROM system.local", &none, error), CQL_CLOSED, error);
    assert_int_equal(cql_test_panic(session, 1), CQL_CLOSED);
    cql_shutdown(session, 0); /* twice */
    cql_statement_free(statement);
    cql_free(session);
    node_stop(node);
}

static void the_rest_is_cancelled(void **state) {
    struct node *node = node_start(contact_points(), NODE_FORWARDS);
    struct cql_statement *statement;
    struct cql_session *session = session_with_many_under_way(*state, node, NODE_FROZEN, &statement);
    int64_t started_ms = now_ms();
    cql_shutdown(session, GRACE_MS);
    assert_in_range(now_ms() - started_ms, GRACE_MS - 10, GRACE_MS + 5000);
    struct pollfd ready = {.fd = cql_eventfd(session), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_all_taken(session, CQL_CANCELLED);
    struct cql_stats stats;
    cql_stats(session, &stats);
    assert_int_equal(stats.submitted, MANY);
    assert_int_equal(stats.completed, MANY);
    assert_int_equal(stats.failed, MANY);
    cql_statement_free(statement);
    cql_free(session);
    node_stop(node);
}

/* Without shutdown, without taking anything: nothing leaks, and it does not wait. */
static void free_alone_is_enough(void **state) {
    struct node *node = node_start(contact_points(), NODE_FORWARDS);
    struct cql_statement *statement;
    struct cql_session *session = session_with_many_under_way(*state, node, NODE_FROZEN, &statement);
    int64_t started_ms = now_ms();
    cql_free(session);
    assert_true(now_ms() - started_ms < 5000);
    cql_statement_free(statement);
    cql_free(NULL);
    cql_statement_free(NULL);
    cql_result_free(NULL);
    node_stop(node);
}

struct blocked {
    struct cql_session *session;
    enum cql_code code;
};

static void *run_and_block(void *data) {
    struct blocked *blocked = data;
    blocked->code = cql_run(blocked->session, "SELECT key FROM system.local", WAIT_MS, NULL, NULL);
    return NULL;
}

static void a_blocked_call_returns(void **state) {
    struct node *node = node_start(contact_points(), NODE_FORWARDS);
    struct cql_statement *statement;
    struct cql_session *session = session_with_many_under_way(*state, node, NODE_FROZEN, &statement);
    struct blocked blocked = {.session = session};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_and_block, &blocked), 0);
    poll(NULL, 0, 100); /* most likely it is blocked by now; if not, it is refused */
    cql_shutdown(session, GRACE_MS);
    pthread_join(thread, NULL);
    assert_true(blocked.code == CQL_CANCELLED || blocked.code == CQL_CLOSED);
    assert_all_taken(session, CQL_CANCELLED);
    cql_statement_free(statement);
    cql_free(session);
    node_stop(node);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_end_in_time_does),
        cmocka_unit_test(the_rest_is_cancelled),
        cmocka_unit_test(free_alone_is_enough),
        cmocka_unit_test(a_blocked_call_returns),
    };
    return cmocka_run_group_tests(tests, open_shutdown, fixture_close);
}
