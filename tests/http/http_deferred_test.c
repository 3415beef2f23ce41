/* Answers that come later: from other threads, before and after the handler returns, too late, never; draining and
 * closing with such requests under way. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/harness.h"

#define ASK_DEFER "GET /defer HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ASK_WAIT "GET /defer?wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ASK_PING "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void set_answering(struct harness *harness, bool on) {
    pthread_mutex_lock(&harness->mutex);
    harness->answers_at_once = on;
    pthread_cond_broadcast(&harness->changed);
    pthread_mutex_unlock(&harness->mutex);
}

static void test_answer_after_return(void **state) {
    struct harness *harness = harness_open(NULL);
    int fd = client_open(harness->port);
    for (int i = 0; i < 3; i++) {
        client_send(fd, ASK_DEFER);
        harness_wait_deferred(harness, 1);
        assert_int_equal(http_server_active(harness->server), 1);
        assert_true(harness_answer(harness_take(harness)));
        struct reply *reply = client_read(fd, true);
        assert_int_equal(reply->status, 200);
        assert_string_equal(reply->body, "late");
        assert_string_equal(reply_header(reply, "X-Early"), "kept");
        assert_string_equal(reply_header(reply, "X-Answer"), "late");
    }
    close(fd);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    harness_close(harness);
}

static void test_answer_before_return(void **state) {
    struct harness *harness = harness_open(NULL);
    set_answering(harness, true);
    int fd = client_open(harness->port);
    for (int i = 0; i < 100; i++)
        assert_string_equal(client_ask(fd, ASK_WAIT)->body, "late");
    assert_int_equal(harness->first_responses, 100);
    close(fd);
    harness_close(harness);
}

/* The response races the handler's return and the suspension. */
static void test_answers_race(void **state) {
    enum { CONNECTIONS = 8, ROUNDS = 1250 };
    struct harness *harness = harness_open(NULL);
    set_answering(harness, true);
    int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = client_open(harness->port);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++)
            client_send(fds[i], i % 4 ? ASK_DEFER : ASK_DEFER ASK_PING);
        for (int i = 0; i < CONNECTIONS; i++) {
            assert_string_equal(client_read(fds[i], true)->body, "late");
            if (i % 4 == 0) assert_int_equal(client_read(fds[i], true)->status, 200);
        }
    }
    assert_int_equal(harness->first_responses, CONNECTIONS * ROUNDS);
    assert_int_equal(harness->late_responses, 0);
    assert_int_equal(harness->expirations, 0);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    harness_close(harness);
}

static void *respond_run(void *data) {
    return (void *)(intptr_t)http_respond_static(data, 299, "text/plain", BYTES("thread"));
}

/* Many threads respond at once: one of them is the first. */
static void test_first_response_wins(void **state) {
    enum { THREADS = 4, ROUNDS = 200 };
    struct harness *harness = harness_open(NULL);
    int fd = client_open(harness->port);
    for (int round = 0; round < ROUNDS; round++) {
        client_send(fd, ASK_DEFER);
        harness_wait_deferred(harness, 1);
        struct http_request *request = harness_take(harness);
        pthread_t threads[THREADS];
        int first = 0;
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, respond_run, request), 0);
        for (int i = 0; i < THREADS; i++) {
            void *result;
            pthread_join(threads[i], &result);
            first += (int)(intptr_t)result;
        }
        assert_int_equal(first, 1);
        assert_int_equal(client_read(fd, true)->status, 299);
        assert_false(harness_answer(request)); /* long after the answer was sent: the hold keeps the request alive */
    }
    close(fd);
    harness_close(harness);
}

static void test_deadline(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, 1700000000000);
    struct harness *harness = harness_open(&(struct http_server_options){.clock = &clock.base});
    harness->defer_deadline_ms = 5000;
    int fd = client_open(harness->port), other = client_open(harness->port);
    client_send(fd, ASK_DEFER);
    client_send(other, ASK_DEFER);
    harness_wait_deferred(harness, 2);
    assert_true(harness_answer(harness_take(harness)));
    WAIT_UNTIL(http_server_active(harness->server) == 1);
    clock_manual_advance(&clock, 4999);
    client_ask(client_open(harness->port), ASK_PING); /* time for a sweep or two is no proof, only a chance to fail */
    assert_int_equal(harness->expirations, 0);
    clock_manual_advance(&clock, 1);
    WAIT_UNTIL(harness->expirations == 1);
    int late = 0, expired = 0;
    for (int i = 0; i < 2; i++) {
        struct reply *reply = client_read(i ? other : fd, true);
        late += reply->status == 200;
        expired += reply->status == 202 && reply_header(reply, "X-Expired") && reply_header(reply, "X-Early");
    }
    assert_int_equal(late, 1);
    assert_int_equal(expired, 1);
    assert_false(harness_answer(harness_take(harness)));
    clock_manual_advance(&clock, 5000);
    assert_int_equal(harness->expirations, 1);
    close(fd);
    close(other);
    harness_close(harness);
}

/* Deadline and answer meet: each request is answered once, by one or the other. */
static void test_deadline_races_answer(void **state) {
    enum { CONNECTIONS = 32, ROUNDS = 20 };
    struct harness *harness = harness_open(NULL);
    harness->defer_deadline_ms = 15;
    int fds[CONNECTIONS], replies = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = client_open(harness->port);
    for (int round = 0; round < ROUNDS; round++) {
        int before = atomic_load(&harness->expirations);
        for (int i = 0; i < CONNECTIONS; i++)
            client_send(fds[i], ASK_DEFER);
        harness_wait_deferred(harness, CONNECTIONS);
        WAIT_UNTIL(atomic_load(&harness->expirations) > before); /* the sweep has begun: answer into it */
        for (struct http_request *request; (request = harness_take(harness));)
            harness_answer(request);
        for (int i = 0; i < CONNECTIONS; i++) {
            int status = client_read(fds[i], true)->status;
            assert_true(status == 200 || status == 202);
            replies++;
        }
    }
    assert_int_equal(replies, CONNECTIONS * ROUNDS);
    assert_int_equal(harness->first_responses + harness->late_responses, replies);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    harness_close(harness);
}

static void test_client_leaves(void **state) {
    struct harness *harness = harness_open(NULL);
    for (int i = 0; i < 20; i++) {
        int fd = client_open(harness->port);
        client_send(fd, ASK_DEFER);
        harness_wait_deferred(harness, 1);
        if (i % 2) { /* a reset, not a polite end */
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(fd);
        assert_true(harness_answer(harness_take(harness)));
        WAIT_UNTIL(http_server_active(harness->server) == 0);
    }
    harness->defer_deadline_ms = 10; /* nobody answers: the deadline ends it */
    int fd = client_open(harness->port);
    client_send(fd, ASK_DEFER);
    harness_wait_deferred(harness, 1);
    close(fd);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    assert_int_equal(harness->expirations, 1);
    assert_false(harness_answer(harness_take(harness)));
    harness_close(harness);
}

/* --- draining and closing --- */

struct draining {
    struct harness *harness;
    enum status status;
};

static void *drain_run(void *data) {
    struct draining *draining = data;
    draining->status = http_server_drain(draining->harness->server, WAIT_MS);
    return NULL;
}

static bool is_refused(uint16_t port) {
    int fd = client_open_or_fail(port);
    if (fd < 0) return true;
    close(fd);
    return false;
}

static void test_drain(void **state) {
    struct harness *harness = harness_open(NULL);
    int busy = client_open(harness->port), idle = client_open(harness->port);
    client_ask(idle, ASK_PING);
    client_send(busy, ASK_DEFER);
    harness_wait_deferred(harness, 1);
    assert_int_equal(http_server_drain(harness->server, 30), STATUS_BUSY);
    struct draining draining = {.harness = harness, .status = STATUS_INVALID};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain_run, &draining), 0);
    WAIT_UNTIL(is_refused(harness->port));
    struct reply *reply = client_ask(idle, ASK_PING);
    assert_problem(reply, 503, "shutting_down");
    assert_string_equal(reply_header(reply, "Connection"), "close");
    assert_string_equal(reply_header(reply, "Retry-After"), "1");
    client_expect_end(idle);
    assert_true(harness_answer(harness_take(harness)));
    assert_int_equal(client_read(busy, true)->status, 200);
    pthread_join(thread, NULL);
    assert_int_equal(draining.status, STATUS_OK);
    assert_int_equal(http_server_drain(harness->server, 0), STATUS_OK);
    close(busy);
    close(idle);
    harness_close(harness);
}

static void test_close_answers_deferred(void **state) {
    enum { CONNECTIONS = 50 };
    struct harness *harness = harness_open(NULL);
    int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = client_open(harness->port);
        client_send(fds[i], ASK_DEFER);
    }
    harness_wait_deferred(harness, CONNECTIONS);
    harness_close(harness); /* the holds are released after the server is gone */
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_problem(client_read(fds[i], true), 503, "shutting_down");
        close(fds[i]);
    }
}

struct hammer {
    uint16_t port;
    _Atomic bool stop;
};

static void *hammer_run(void *data) {
    struct hammer *hammer = data;
    while (!atomic_load(&hammer->stop)) {
        int fd = client_open_or_fail(hammer->port);
        if (fd < 0) continue;
        for (int i = 0; i < 4; i++)
            client_try_send(fd, ASK_DEFER, strlen(ASK_DEFER));
        close(fd);
    }
    return NULL;
}

/* Closing while requests are being deferred: libmicrohttpd would abort on a connection that is still suspended. */
static void test_close_under_load(void **state) {
    for (int round = 0; round < 30; round++) {
        struct harness *harness = harness_open(NULL);
        struct hammer hammer = {.port = harness->port};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, hammer_run, &hammer), 0);
        harness_wait_deferred(harness, 1 + (size_t)round);
        harness_close(harness);
        atomic_store(&hammer.stop, true);
        pthread_join(thread, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_after_return),
        cmocka_unit_test(test_answer_before_return),
        cmocka_unit_test(test_answers_race),
        cmocka_unit_test(test_first_response_wins),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_races_answer),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_close_answers_deferred),
        cmocka_unit_test(test_close_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
