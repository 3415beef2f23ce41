/* Bodies and framing: content types, limits, Expect, what must not be read in two ways, several requests in a row. */
#include <stdio.h>
#include <unistd.h>

#include "http/harness.h"

#define JSON "Content-Type: application/json\r\n"

static struct harness *harness;

static int open_server(void **state) {
    harness = harness_open(&(struct http_server_options){.body_max = 1000});
    return 0;
}

static int close_server(void **state) {
    harness_close(harness);
    return 0;
}

static struct reply *ask(const char *method, const char *target, const char *headers, const char *body) {
    return client_once(harness->port, method, target, headers, body);
}

static void test_bodies(void **state) {
    assert_string_equal(ask("POST", "/echo", JSON, "{\"a\":1}")->body, "{\"a\":1}");
    assert_string_equal(ask("POST", "/echo", JSON, "")->body, "");
    int fd = client_open(harness->port);
    struct reply *reply = client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON
                                         "Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n1;x=y\r\n]\r\n0\r\n\r\n");
    assert_string_equal(reply->body, "[1,2]");
    assert_int_equal(client_ask(fd, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")->status, 200);
    close(fd);

    static const char *const good[] = {"application/json", "Application/JSON", "application/json; charset=utf-8",
                                       "application/json;charset=\"UTF-8\"", "application/merge-patch+json"};
    static const char *const bad[] = {"text/plain",
                                      "application/jsonx",
                                      "application/json; charset=latin1",
                                      "application/x-www-form-urlencoded",
                                      "text/x+json",
                                      "json"};
    char header[128];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(header, sizeof header, "Content-Type: %s\r\n", good[i]);
        assert_int_equal(ask("POST", "/echo", header, "{}")->status, 200);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "Content-Type: %s\r\n", bad[i]);
        assert_problem(ask("POST", "/echo", header, "{}"), 415, "unsupported_media_type");
        assert_problem(ask("POST", "/optional", header, "{}"), 415, "unsupported_media_type");
    }
    assert_problem(ask("POST", "/echo", NULL, "{}"), 415, "unsupported_media_type");
    assert_int_equal(ask("POST", "/optional", NULL, NULL)->status, 200);
    assert_int_equal(ask("POST", "/optional", NULL, "")->status, 200);
    assert_problem(ask("POST", "/optional", NULL, "{}"), 415, "unsupported_media_type");
    assert_string_equal(ask("POST", "/optional", JSON, "{}")->body, "{}");
    fd = client_open(harness->port); /* an ignored body is empty, whatever the connection's memory held before */
    client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 6\r\n\r\n[1234]");
    reply = client_ask(fd, "POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n[5678]");
    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body, "");
    close(fd);
}

/* A connection stays usable after an answer that did not need the body. */
static void test_refused_bodies_are_skipped(void **state) {
    int fd = client_open(harness->port);
    struct reply *reply = client_ask(fd, "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /");
    assert_problem(reply, 404, "not_found");
    assert_no_header(reply, "Connection");
    assert_problem(client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /"), 415,
                   "unsupported_media_type");
    assert_int_equal(client_ask(fd, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")->status, 200);
    close(fd);
}

static void test_body_limits(void **state) {
    char body[1002];
    memset(body, '1', sizeof body);
    body[1000] = '\0';
    assert_int_equal(ask("POST", "/echo", JSON, body)->body_size, 1000);
    body[1000] = '1', body[1001] = '\0';
    uint64_t handled = atomic_load(&harness->handled);
    struct reply *reply = ask("POST", "/echo", JSON, body);
    assert_problem(reply, 413, "body_too_large");
    assert_header(reply, "Connection", "close");
    assert_problem(ask("POST", "/small", JSON, "12345678901234567"), 413, "body_too_large");
    assert_int_equal(ask("POST", "/small", JSON, "1234567890123456")->status, 200);
    assert_problem(ask("POST", "/nothing", JSON, body), 404, "not_found");

    /* By its Content-Length, before a byte of the body is there; then the connection ends. */
    int fd = client_open(harness->port);
    assert_problem(client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 10485760\r\n\r\n"),
                   413, "body_too_large");
    client_expect_end(fd);
    close(fd);
    /* A client that sends all 10 MB before it reads still gets the answer: no reset. */
    fd = client_open(harness->port);
    char *large = calloc(1, 10485760);
    client_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 10485760\r\n\r\n");
    assert_true(client_try_send(fd, large, 10485760));
    assert_problem(client_read(fd, true), 413, "body_too_large");
    client_expect_end(fd);
    close(fd);

    /* Chunked: closed at the limit, with the answer. */
    fd = client_open(harness->port);
    client_send(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n");
    client_try_send(fd, "A00000\r\n", 8);
    client_try_send(fd, large, 10485760);
    reply = client_read(fd, true);
    assert_problem(reply, 413, "body_too_large");
    assert_header(reply, "Connection", "close");
    assert_true(client_ends_within(fd, WAIT_MS));
    close(fd);
    free(large);
    assert_int_equal(atomic_load(&harness->handled), handled + 1);
}

static void test_expect_continue(void **state) {
    int fd = client_open(harness->port);
    struct reply *reply = client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON
                                         "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(reply->status, 100);
    assert_string_equal(client_ask(fd, "{}")->body, "{}");
    /* A refusal comes instead of the 100. */
    reply = client_ask(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                           "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_problem(reply, 415, "unsupported_media_type");
    client_expect_end(fd);
    close(fd);
}

/* Whatever two programs could read differently is refused, and the connection ends. libmicrohttpd answers the last ones
 * itself, in its own words. */
static void test_framing(void **state) {
    static const char *const ours[] = {
        "GET /ping HTTP/1.1\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length : 2\r\n\r\n",
    };
    static const char *const libmicrohttpds[] = {
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: -2\r\n\r\n{}",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: 0x2\r\n\r\n{}",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost localhost\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        int fd = client_open(harness->port);
        assert_problem(client_ask(fd, ours[i]), 400, "malformed_request");
        client_expect_end(fd);
        close(fd);
    }
    for (size_t i = 0; i < sizeof libmicrohttpds / sizeof *libmicrohttpds; i++) {
        int fd = client_open(harness->port);
        assert_int_equal(client_ask(fd, libmicrohttpds[i])->status, 400);
        assert_true(client_ends_within(fd, WAIT_MS));
        close(fd);
    }
    assert_problem(ask("GET", "/items/a b", NULL, NULL), 400, "invalid_target");
    int fd = client_open(harness->port);
    assert_int_equal(client_ask(fd, "GET /ping HTTP/1.0\r\n\r\n")->status, 200);
    client_expect_end(fd);
    close(fd);
}

static void test_keep_alive_and_pipelining(void **state) {
    int fd = client_open(harness->port);
    for (int i = 0; i < 100; i++) {
        char text[256], body[16];
        snprintf(body, sizeof body, "[%d]", i);
        snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
        assert_string_equal(client_ask(fd, text)->body, body);
    }
    client_send(fd, "GET /items/1 HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /echo HTTP/1.1\r\nHost: localhost\r\n" JSON
                    "Content-Length: 2\r\n\r\n{}GET /items/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_string_equal(client_read(fd, true)->body, "1");
    assert_string_equal(client_read(fd, true)->body, "{}");
    assert_string_equal(client_read(fd, true)->body, "3");
    client_expect_end(fd);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_refused_bodies_are_skipped),
        cmocka_unit_test(test_body_limits), cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_framing),     cmocka_unit_test(test_keep_alive_and_pipelining),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
