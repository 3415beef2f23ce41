/* What one request gets as an answer: routes, bodies, encodings, headers, guards, problems. */
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "http/harness.h"

#define JSON "Content-Type: application/json\r\n"

static struct harness *harness;
static const char *const origins[] = {"http://localhost:3000", "https://shop.example", NULL};

static int open_server(void **state) {
    harness = harness_open(&(struct http_server_options){.allowed_origins = origins, .body_max = 1000});
    return 0;
}

static int close_server(void **state) {
    harness_close(harness);
    return 0;
}

static struct reply *get(const char *target) {
    return client_once(harness->port, "GET", target, NULL, NULL);
}

static struct reply *ask(const char *method, const char *target, const char *headers, const char *body) {
    return client_once(harness->port, method, target, headers, body);
}

static void assert_header(const struct reply *reply, const char *name, const char *value) {
    const char *found = reply_header(reply, name);
    if (!found) fail_msg("no header %s in: %s", name, reply->head);
    assert_string_equal(found, value);
}

static void assert_no_header(const struct reply *reply, const char *name) {
    if (reply_header(reply, name)) fail_msg("header %s in: %s", name, reply->head);
}

static void test_routes(void **state) {
    static const struct {
        const char *target;
        int status;
        const char *body;
    } cases[] = {
        {"/ping", 200, "{\"pong\":true}"},
        {"/ping/", 200, "{\"pong\":true}"},
        {"/p%69ng", 200, "{\"pong\":true}"},
        {"/ping//", 404, NULL},
        {"//ping", 404, NULL},
        {"/pin", 404, NULL},
        {"/ping/x", 404, NULL},
        {"/Ping", 404, NULL},
        {"/", 200, "<p>page</p>"},
        {"/?x=1", 200, "<p>page</p>"},
        {"http://localhost", 200, "<p>page</p>"},
        {"http://localhost:80/ping?x", 200, "{\"pong\":true}"},
        {"/mirror", 200, NULL},
        {"/items/7", 200, "7"},
        {"/items/7/", 200, "7"},
        {"/items/special", 200, "the literal"},
        {"/items/specials", 200, "specials"},
        {"/items/a%20b%25", 200, "a b%"},
        {"/items/a+b", 200, "a+b"},
        {"/items/z%c3%bc", 200, "z\xc3\xbc"},
        {"/items/", 404, NULL},
        {"/items//", 404, NULL},
        {"/items/1/2", 404, NULL},
        {"/1/2/3/4/5/6/7/8/9/10/11", 404, NULL},
        {"/items/..", 200, ".."},
        {"/items/a%2Fb", 400, NULL},
        {"/items/a%00", 400, NULL},
        {"/items/a%4", 400, NULL},
        {"/items/a%", 400, NULL},
        {"/items/a%zz", 400, NULL},
        {"/items/%ff", 400, NULL},
        {"/items/a\x01", 400, NULL},
        {"items/1", 400, NULL},
        {"/no-such%", 400, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply *reply = get(cases[i].target);
        if (reply->status != cases[i].status) fail_msg("%s: %d %s", cases[i].target, reply->status, reply->body);
        if (cases[i].body) assert_string_equal(reply->body, cases[i].body);
        if (reply->status == 404) assert_problem(reply, 404, "not_found");
        if (reply->status == 400) assert_problem(reply, 400, "invalid_target");
    }
}

static void test_query(void **state) {
    assert_string_equal(get("/query")->body, "|absent");
    assert_string_equal(get("/query?")->body, "|absent");
    assert_string_equal(get("/query?a=1&b=x+y&&c&d=%26%3d&a=2")->body, "a=1;b=x y;c=;d=&=;a=2;|1");
    assert_string_equal(get("/query/?a=b=c?d")->body, "a=b=c?d;|b=c?d");
    assert_problem(get("/query?a=%"), 400, "invalid_target");
    assert_problem(get("/query?%00=1"), 400, "invalid_target");
    assert_problem(get("/query?a=%c3"), 400, "invalid_target");
    char many[1024] = "/query?";
    for (int i = 0; i < 65; i++) strcat(many, "p=1&");
    assert_problem(get(many), 400, "invalid_target");
}

static void test_methods(void **state) {
    struct reply *reply = ask("POST", "/ping", NULL, NULL);
    assert_problem(reply, 405, "method_not_allowed");
    assert_header(reply, "Allow", "GET, HEAD, OPTIONS");
    reply = ask("DELETE", "/items/1", NULL, NULL);
    assert_problem(reply, 405, "method_not_allowed");
    assert_header(reply, "Allow", "GET, HEAD, PATCH, OPTIONS");
    reply = ask("BREW", "/echo", NULL, NULL);
    assert_problem(reply, 405, "method_not_allowed");
    assert_header(reply, "Allow", "POST, OPTIONS");
    assert_problem(ask("get", "/ping", NULL, NULL), 405, "method_not_allowed");
    assert_string_equal(ask("PATCH", "/items/4", JSON, "{}")->body, "4");

    reply = ask("HEAD", "/ping", NULL, NULL);
    assert_int_equal(reply->status, 200);
    assert_header(reply, "Content-Length", "13");
    assert_header(reply, "Content-Type", "application/json");
    reply = ask("HEAD", "/nothing", NULL, NULL);
    assert_int_equal(reply->status, 404);
    assert_int_equal(ask("HEAD", "/echo", NULL, NULL)->status, 405);
}

static void test_options_and_cors(void **state) {
    struct reply *reply = ask("OPTIONS", "/items/1", NULL, NULL);
    assert_int_equal(reply->status, 204);
    assert_header(reply, "Allow", "GET, HEAD, PATCH, OPTIONS");
    assert_no_header(reply, "Access-Control-Allow-Origin");
    assert_int_equal(ask("OPTIONS", "*", NULL, NULL)->status, 204);
    assert_int_equal(ask("OPTIONS", "/nothing", NULL, NULL)->status, 404);

    reply = ask("OPTIONS", "/echo", "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    assert_int_equal(reply->status, 204);
    assert_header(reply, "Access-Control-Allow-Origin", "http://localhost:3000");
    assert_header(reply, "Access-Control-Allow-Methods", "POST, OPTIONS");
    assert_header(reply, "Access-Control-Allow-Headers",
                  "Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-ID, Last-Event-ID, Cache-Control");
    assert_header(reply, "Access-Control-Max-Age", "600");
    assert_header(reply, "Vary", "Origin");
    assert_no_header(reply, "Access-Control-Allow-Private-Network");

    reply = ask("OPTIONS", "/echo", "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    assert_int_equal(reply->status, 204);
    assert_no_header(reply, "Access-Control-Allow-Origin");
    assert_no_header(reply, "Access-Control-Allow-Methods");

    reply = ask("GET", "/ping", "Origin: https://shop.example\r\n", NULL);
    assert_header(reply, "Access-Control-Allow-Origin", "https://shop.example");
    assert_header(reply, "Access-Control-Expose-Headers", "Link, ETag, Location, X-Request-ID, Retry-After");
    reply = ask("GET", "/ping", "Origin: http://evil.example\r\n", NULL);
    assert_int_equal(reply->status, 200);
    assert_no_header(reply, "Access-Control-Allow-Origin");
    assert_header(reply, "Vary", "Origin");
    assert_no_header(get("/ping"), "Vary");
    assert_header(get("/"), "Vary", "Origin"); /* may be cached */
    assert_header(ask("GET", "/nothing", "Origin: http://localhost:3000\r\n", NULL), "Access-Control-Allow-Origin",
                  "http://localhost:3000");
}

static void test_origins(void **state) {
    static const struct {
        const char *method, *host, *origin;
        const char *code; /* NULL: served */
    } cases[] = {
        {"GET", "localhost:8000", NULL, NULL},
        {"GET", "LOCALHOST", NULL, NULL},
        {"GET", "127.0.0.1:1", NULL, NULL},
        {"GET", "[::1]:8000", NULL, NULL},
        {"GET", "[::1]", NULL, NULL},
        {"GET", "evil.example", NULL, "foreign_host"},
        {"GET", "localhost.evil.example", NULL, "foreign_host"},
        {"GET", "evil.example:8000", NULL, "foreign_host"},
        {"GET", "127.0.0.1.evil.example", NULL, "foreign_host"},
        {"GET", "localhost:8000x", NULL, "foreign_host"},
        {"GET", "localhost@evil.example", NULL, "foreign_host"},
        {"GET", "[::1", NULL, "foreign_host"},
        {"GET", "", NULL, "foreign_host"},
        {"OPTIONS", "evil.example", NULL, "foreign_host"},
        {"POST", "evil.example", NULL, "foreign_host"},
        {"POST", "evil.example", "http://evil.example", "foreign_host"},
        {"POST", "localhost:8000", NULL, NULL},
        {"POST", "localhost:8000", "http://localhost:8000", NULL},
        {"POST", "localhost", "http://localhost", NULL},
        {"POST", "[::1]:5", "http://[::1]:5", NULL},
        {"POST", "localhost:8000", "http://localhost:3000", NULL},
        {"POST", "localhost:8000", "https://shop.example", NULL},
        {"POST", "localhost:8000", "http://localhost:8001", "foreign_origin"},
        {"POST", "localhost:8000", "https://localhost:8000", "foreign_origin"},
        {"POST", "localhost:8000", "http://127.0.0.1:8000", "foreign_origin"},
        {"POST", "localhost:8000", "http://evil.example", "foreign_origin"},
        {"POST", "localhost:8000", "null", "foreign_origin"},
        {"POST", "localhost:8000", "http://localhost:80000", "foreign_origin"},
        {"POST", "localhost:8000", "http://localhost:8000\r\nOrigin: http://evil.example", "foreign_origin"},
        {"GET", "localhost:8000", "http://evil.example", NULL},
        {"GET", "localhost:8000", "null", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], origin[256] = "";
        bool is_post = cases[i].method[0] == 'P';
        if (cases[i].origin) snprintf(origin, sizeof origin, "Origin: %s\r\n", cases[i].origin);
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%s", cases[i].method,
                 is_post ? "/echo" : "/ping", cases[i].host, origin, is_post ? JSON "Content-Length: 2\r\n" : "",
                 is_post ? "{}" : "");
        int fd = client_open(harness->port);
        struct reply *reply = client_ask(fd, text);
        if (cases[i].code) {
            if (reply->status != 403) fail_msg("%s: %d", text, reply->status);
            assert_problem(reply, 403, cases[i].code);
        } else if (reply->status != 200 && reply->status != 204) {
            fail_msg("%s: %d", text, reply->status);
        }
        close(fd);
    }
    assert_problem(get("http://evil.example/ping"), 403, "foreign_host");
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
    static const char *const bad[] = {"text/plain", "application/jsonx", "application/json; charset=latin1",
                                      "application/x-www-form-urlencoded", "text/x+json", "json"};
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
    assert_int_equal(ask("POST", "/none", NULL, "whatever")->status, 200);
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

static void test_standard_headers(void **state) {
    struct reply *reply = get("/ping");
    assert_header(reply, "X-Content-Type-Options", "nosniff");
    assert_header(reply, "Cache-Control", "no-store");
    assert_header(reply, "Referrer-Policy", "no-referrer");
    assert_non_null(reply_header(reply, "Date"));
    assert_no_header(reply, "X-Frame-Options");
    reply = get("/");
    assert_header(reply, "Cache-Control", "max-age=60");
    assert_header(reply, "X-Frame-Options", "DENY");
    reply = ask("GET", "/mirror?q", "X-Mirror:  \tseen \t\r\nX-Request-ID: abc.DEF-1_2\r\n", NULL);
    assert_string_equal(reply->body, "GET /mirror seen abc.DEF-1_2");
    assert_header(reply, "ETag", "\"7\"");
    assert_no_header(reply, "X-Bad");
    assert_no_header(reply, "break");
}

static void test_request_ids(void **state) {
    char id[256], header[300];
    assert_header(ask("GET", "/ping", "X-Request-ID: my-id\r\n", NULL), "X-Request-ID", "my-id");
    memset(id, 'a', sizeof id);
    id[128] = '\0';
    snprintf(header, sizeof header, "X-Request-ID: %s\r\n", id);
    assert_header(ask("GET", "/ping", header, NULL), "X-Request-ID", id);
    static const char *const bad[] = {"a b", "a\"b", "<script>", "a/b", "\xc3\xbc", "", "a,b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "X-Request-ID: %s\r\n", bad[i]);
        assert_int_equal(strlen(reply_header(ask("GET", "/ping", header, NULL), "X-Request-ID")), 36);
    }
    id[128] = 'a', id[129] = '\0';
    snprintf(header, sizeof header, "X-Request-ID: %s\r\n", id);
    assert_int_equal(strlen(reply_header(ask("GET", "/ping", header, NULL), "X-Request-ID")), 36);
    char first[64];
    snprintf(first, sizeof first, "%s", reply_header(get("/ping"), "X-Request-ID"));
    assert_string_not_equal(reply_header(get("/ping"), "X-Request-ID"), first);
}

static void test_problems(void **state) {
    struct reply *reply = get("/problem");
    assert_problem(reply, 409, "version_conflict");
    assert_header(reply, "Retry-After", "7");
    assert_non_null(strstr(reply->body, "\"errors\":[{\"pointer\":\"/items/0/quantity\",\"detail\":\"must be "
                                        "\\\"positive\\\"\"},{\"pointer\":\"/a~1b\",\"detail\":\"unknown\"}]"));
    assert_non_null(strstr(reply->body, "\"version\":3"));
    assert_non_null(strstr(reply->body, "\"title\":\"Conflict\""));
    assert_problem(get("/silent"), 500, "internal_error");
}

static void test_double_response(void **state) {
    struct reply *reply = get("/double");
    assert_int_equal(reply->status, 201);
    assert_string_equal(reply->body, "one");
    assert_int_equal(harness->first_responses, 1);
    assert_int_equal(harness->late_responses, 1);
}

static void test_metrics(void **state) {
    get("/items/1");
    get("/items/2");
    ask("POST", "/echo", JSON, "{}");
    get("/nothing-here");
    struct buffer out;
    buffer_init(&out, 1 << 20);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    metrics_write(harness->metrics, &out);
    buffer_put_char(&out, '\0');
    assert_non_null(strstr(out.data, "orderly_http_requests_total{route=\"/items/{id}\",method=\"GET\",status=\"200\"}"));
    assert_non_null(strstr(out.data, "orderly_http_requests_total{route=\"/echo\",method=\"POST\",status=\"200\"}"));
    assert_non_null(strstr(out.data, "orderly_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}"));
    assert_non_null(strstr(out.data, "orderly_http_request_seconds_count{route=\"/items/{id}\"}"));
    assert_non_null(strstr(out.data, "orderly_http_connections"));
    assert_non_null(strstr(out.data, "orderly_http_active_requests"));
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_options_and_cors),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refused_bodies_are_skipped),
        cmocka_unit_test(test_body_limits),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_keep_alive_and_pipelining),
        cmocka_unit_test(test_standard_headers),
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_double_response),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
