/* Requests: each accepted one is completed exactly once; pages, batches, write times, consistency, traces. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cql/fixture.h"

enum { ROWS = 10, SENDERS = 4, EACH = 5000, BATCH = 64, FEW = 32 };

static int open_requests(void **state) {
    if (fixture_open(state) != 0) return -1;
    must_run(*state, "CREATE TABLE @.rows (p int, c int, v bigint, PRIMARY KEY (p, c))");
    return 0;
}

static int64_t value_of(struct fixture *fixture, int partition, int row) {
    char cql[128];
    snprintf(cql, sizeof cql, "SELECT v FROM @.rows WHERE p = %d AND c = %d", partition, row);
    struct cql_result *result = must_read(fixture, cql);
    int64_t value = cql_result_rows(result) ? cql_bigint(cql_result_cell(result, 0, 0, NULL)) : -1;
    cql_result_free(result);
    return value;
}

/* Reads partition 1 in pages; returns how many there were. */
static size_t read_pages(struct fixture *fixture, uint32_t page_size, size_t *last_rows_out) {
    struct cql_statement *statement = must_prepare(fixture, "SELECT c, v FROM @.rows WHERE p = ?");
    const struct cql_value *values = &INT(1);
    struct cql_execute request = request_of(&statement, &values);
    request.page_size = page_size;
    struct cql_result *page = NULL;
    size_t pages = 0;
    for (int next = 0; pages == 0 || request.page_state; pages++) {
        struct cql_completion completion = execute(fixture->session, &request);
        assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
        cql_result_free(page); /* only now: the request pointed into it */
        page = completion.result;
        *last_rows_out = cql_result_rows(page);
        if (page_size) assert_true(*last_rows_out <= page_size);
        for (size_t row = 0; row < *last_rows_out; row++)
            assert_int_equal(cql_int(cql_result_cell(page, row, 0, NULL)), next++);
        request.page_state = cql_result_page_state(page, &request.page_state_size);
        if (!request.page_state) assert_int_equal(next, ROWS);
        assert_true(pages < ROWS + 2);
    }
    cql_result_free(page);
    cql_statement_free(statement);
    return pages;
}

static void pages(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = must_prepare(fixture, "INSERT INTO @.rows (p, c, v) VALUES (1, ?, 0)");
    for (int i = 0; i < ROWS; i++)
        must_execute(fixture->session, statement, &INT(i));
    cql_statement_free(statement);
    size_t last_rows;
    assert_int_equal(read_pages(fixture, 3, &last_rows), 4);
    assert_int_equal(last_rows, 1);
    assert_int_equal(read_pages(fixture, 5, &last_rows), 3); /* an exact multiple ends with an empty page */
    assert_int_equal(last_rows, 0);
    assert_int_equal(read_pages(fixture, 0, &last_rows), 1); /* one answer with all */
    assert_int_equal(last_rows, ROWS);
    assert_int_equal(read_pages(fixture, 100, &last_rows), 1);
}

static void a_batch_is_one_request(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *insert = must_prepare(fixture, "INSERT INTO @.rows (p, c, v) VALUES (?, ?, ?)");
    struct cql_statement *remove = must_prepare(fixture, "DELETE FROM @.rows WHERE p = 2 AND c = 1000");
    assert_int_equal(cql_statement_parameters(remove), 0);
    struct cql_value cells[BATCH][3];
    const struct cql_value *values[BATCH + 1] = {NULL};
    const struct cql_statement *statements[BATCH + 1];
    for (int i = 0; i < BATCH; i++) {
        memcpy(cells[i], (struct cql_value[]){INT(2), INT(i), BIGINT(i * i)}, sizeof cells[i]);
        values[i] = cells[i];
        statements[i] = insert;
    }
    statements[BATCH] = remove;
    struct cql_execute batch = {
        .statements = statements, .values = values, .count = BATCH + 1, .timestamp_us = 5000, .timeout_ms = WAIT_MS};
    struct cql_completion completion = execute(fixture->session, &batch);
    assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
    assert_null(completion.result);
    struct cql_result *result = must_read(fixture, "SELECT v, writetime(v) FROM @.rows WHERE p = 2");
    assert_int_equal(cql_result_rows(result), BATCH);
    for (size_t row = 0; row < BATCH; row++) {
        assert_int_equal(cql_bigint(cql_result_cell(result, row, 0, NULL)), row * row);
        assert_int_equal(cql_bigint(cql_result_cell(result, row, 1, NULL)), 5000);
    }
    cql_result_free(result);

    char error[CQL_ERROR_SIZE] = "";
    cells[7][2].type = CQL_INT;
    assert_code(cql_submit(fixture->session, &batch, error), CQL_BAD_ARGUMENT, error);
    assert_non_null(strstr(error, "parameter 3 (v)"));
    values[7] = NULL;
    assert_code(cql_submit(fixture->session, &batch, error), CQL_BAD_ARGUMENT, error);
    batch.count = 0;
    assert_code(cql_submit(fixture->session, &batch, error), CQL_BAD_ARGUMENT, error);
    cql_statement_free(insert);
    cql_statement_free(remove);
}

static void the_later_write_time_wins(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = must_prepare(fixture, "INSERT INTO @.rows (p, c, v) VALUES (?, ?, ?)");
    static const struct {
        int64_t timestamp_us, value, then;
    } writes[] = {{2000, 1, 1}, {1000, 2, 1}, {3000, 3, 3}, {2999, 4, 3}};
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        struct cql_value cells[] = {INT(3), INT(0), BIGINT(writes[i].value)};
        const struct cql_value *values = cells;
        struct cql_execute request = request_of(&statement, &values);
        request.timestamp_us = writes[i].timestamp_us;
        struct cql_completion completion = execute(fixture->session, &request);
        assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
        assert_int_equal(value_of(fixture, 3, 0), writes[i].then);
    }
    cql_statement_free(statement);
}

static void a_trace_is_named_when_asked_for(void **state) {
    struct fixture *fixture = *state;
    static const char *const statements[] = {"INSERT INTO @.rows (p, c) VALUES (4, ?)",
                                             "SELECT c FROM @.rows WHERE p = 4 AND c = ?"};
    for (size_t i = 0; i < 2; i++) {
        struct cql_statement *statement = must_prepare(fixture, statements[i]);
        const struct cql_value *values = &INT(0);
        struct cql_execute request = request_of(&statement, &values);
        uint8_t id[16] = {0};
        struct cql_completion completion = execute(fixture->session, &request);
        assert_false(cql_result_trace_id(completion.result, id));
        cql_result_free(completion.result);
        request.tracing = true;
        completion = execute(fixture->session, &request);
        assert_true(cql_result_trace_id(completion.result, id));
        assert_int_equal(id[6] >> 4, 1); /* Cassandra's trace ids are version 1 */
        assert_int_equal(cql_result_rows(completion.result), i);
        cql_result_free(completion.result);
        cql_statement_free(statement);
    }
}

static void consistency_is_the_requests_own(void **state) {
    struct fixture *fixture = *state;
    must_run(fixture, "CREATE KEYSPACE @_wide WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 9}");
    must_run(fixture, "CREATE TABLE @_wide.rows (p int PRIMARY KEY)");
    struct cql_statement *statement = must_prepare(fixture, "INSERT INTO @_wide.rows (p) VALUES (?)");
    static const struct {
        enum cql_consistency consistency;
        enum cql_code code;
    } cases[] = {{CQL_ONE, CQL_OK},
                 {CQL_LOCAL_ONE, CQL_OK},
                 {CQL_CONSISTENCY_DEFAULT, CQL_UNAVAILABLE}, /* LOCAL_QUORUM: 5 of 9 */
                 {CQL_QUORUM, CQL_UNAVAILABLE},
                 {CQL_ALL, CQL_UNAVAILABLE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct cql_value *values = &INT(1);
        struct cql_execute request = request_of(&statement, &values);
        request.consistency = cases[i].consistency;
        struct cql_completion completion = execute(fixture->session, &request);
        assert_code(completion.code, cases[i].code, cql_result_error(completion.result));
        if (completion.code == CQL_UNAVAILABLE) {
            assert_int_equal(completion.retry, CQL_RETRY_SAFE);
            assert_non_null(strstr(cql_result_error(completion.result), "alive"));
        }
        cql_result_free(completion.result);
        char error[CQL_ERROR_SIZE] = "";
        request.consistency = (enum cql_consistency)77;
        assert_code(cql_submit(fixture->session, &request, error), CQL_BAD_ARGUMENT, error);
    }
    cql_statement_free(statement);
    must_run(fixture, "DROP KEYSPACE @_wide");
}

static bool readable(const struct cql_session *session) {
    struct pollfd ready = {.fd = cql_eventfd(session), .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

/* Full means BUSY until completions are taken; the eventfd is readable for as long as completions wait. */
static void in_flight_is_bounded(void **state) {
    struct fixture *fixture = *state;
    struct cql_options options = {
        .contact_points = contact_points(), .max_in_flight = FEW, .connect_timeout_ms = WAIT_MS};
    struct fixture second = {.session = connect_to(&options)};
    memcpy(second.keyspace, fixture->keyspace, sizeof second.keyspace);
    struct cql_statement *statement = must_prepare(&second, "INSERT INTO @.rows (p, c) VALUES (5, ?)");
    struct cql_stats stats;
    for (int round = 0; round < 3; round++) {
        char error[CQL_ERROR_SIZE] = "";
        const struct cql_value *values = &INT(round);
        struct cql_execute request = request_of(&statement, &values);
        for (int i = 0; i < FEW; i++)
            must_submit(second.session, &request);
        assert_code(cql_submit(second.session, &request, error), CQL_BUSY, error);
        int64_t deadline = now_ms() + WAIT_MS;
        do
            cql_stats(second.session, &stats);
        while (stats.completed < (uint64_t)FEW * (round + 1) && now_ms() < deadline && poll(NULL, 0, 1) == 0);
        assert_int_equal(stats.in_flight, FEW); /* completed, but not taken */
        assert_code(cql_submit(second.session, &request, error), CQL_BUSY, error);
        for (int i = 0; i < FEW; i++) {
            assert_true(readable(second.session));
            assert_code(wait_one(second.session).code, CQL_OK, "");
        }
        struct cql_completion none;
        assert_int_equal(cql_take(second.session, &none, 1), 0);
        assert_false(readable(second.session));
    }
    cql_stats(second.session, &stats);
    assert_int_equal(stats.submitted, 3 * FEW);
    assert_int_equal(stats.completed, 3 * FEW);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.busy, 6);
    assert_int_equal(stats.in_flight, 0);
    assert_true(stats.nodes >= 1 && stats.nodes_up >= 1);
    cql_free(second.session);
    cql_statement_free(statement); /* after its session */
}

struct sender {
    struct fixture *fixture;
    struct cql_statement *statement;
    atomic_uchar *completions; /* of its requests */
    int number;
    atomic_bool *stop;
};

static void *send_all(void *data) {
    struct sender *sender = data;
    for (int i = 0; i < EACH && !atomic_load(sender->stop);) {
        struct cql_value cells[] = {INT(100 + sender->number), INT(i % 100), BIGINT(i)};
        const struct cql_value *values = cells;
        struct cql_execute request = request_of(&sender->statement, &values);
        request.data = &sender->completions[i];
        char error[CQL_ERROR_SIZE] = "";
        enum cql_code code = cql_submit(sender->fixture->session, &request, error);
        if (code == CQL_OK)
            i++;
        else if (code == CQL_BUSY)
            poll(NULL, 0, 1);
        else
            break; /* the test sees that completions are missing */
    }
    return NULL;
}

static void each_request_is_completed_once(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = must_prepare(fixture, "INSERT INTO @.rows (p, c, v) VALUES (?, ?, ?)");
    static atomic_uchar completions[SENDERS][EACH];
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    atomic_bool stop = false;
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){fixture, statement, completions[i], i, &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    size_t wrong = 0, taken = 0;
    int64_t deadline = now_ms() + 3 * WAIT_MS;
    while (taken < (size_t)SENDERS * EACH && now_ms() < deadline) {
        struct pollfd ready = {.fd = cql_eventfd(fixture->session), .events = POLLIN};
        struct cql_completion some[200];
        size_t count = poll(&ready, 1, 100) == 1 ? cql_take(fixture->session, some, 200) : 0;
        for (size_t i = 0; i < count; i++) {
            atomic_fetch_add((atomic_uchar *)some[i].data, 1);
            wrong += some[i].code != CQL_OK;
            cql_result_free(some[i].result);
        }
        taken += count;
    }
    atomic_store(&stop, true);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    cql_statement_free(statement);
    assert_int_equal(taken, SENDERS * EACH);
    assert_int_equal(wrong, 0);
    for (int i = 0; i < SENDERS; i++)
        for (int j = 0; j < EACH; j++)
            assert_int_equal(completions[i][j], 1);
    assert_int_equal(value_of(fixture, 100, 99), EACH - 1);
}

/* The program's signals are never delivered to the runtime thread. */
static void the_runtime_thread_blocks_signals(void **state) {
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    int found = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], line[128], name[32] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        while (status && fgets(line, sizeof line, status)) {
            sscanf(line, "Name: %31s", name);
            sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (status) fclose(status);
        if (strcmp(name, "cql") != 0) continue;
        found++;
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1};
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            assert_true(blocked >> (signals[i] - 1) & 1);
    }
    closedir(tasks);
    assert_int_equal(found, 1);
    sigset_t own;
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_false(sigismember(&own, SIGTERM)); /* and the caller's mask is as it was */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages),
        cmocka_unit_test(a_batch_is_one_request),
        cmocka_unit_test(the_later_write_time_wins),
        cmocka_unit_test(a_trace_is_named_when_asked_for),
        cmocka_unit_test(consistency_is_the_requests_own),
        cmocka_unit_test(in_flight_is_bounded),
        cmocka_unit_test(each_request_is_completed_once),
        cmocka_unit_test(the_runtime_thread_blocks_signals),
    };
    return cmocka_run_group_tests(tests, open_requests, fixture_close);
}
