/* What one request gets as an answer: routes, headers, guards, problems, metrics, the access log. */
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
    for (int i = 0; i < 65; i++)
        strcat(many, "p=1&");
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

static void test_standard_headers(void **state) {
    struct reply *reply = get("/ping");
    assert_header(reply, "X-Content-Type-Options", "nosniff");
    assert_header(reply, "Cache-Control", "no-store");
    assert_no_header(reply, "Referrer-Policy");
    assert_non_null(reply_header(reply, "Date"));
    assert_no_header(reply, "X-Frame-Options");
    reply = get("/");
    assert_header(reply, "Referrer-Policy", "no-referrer");
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
    assert_non_null(
        strstr(out.data, "orderly_http_requests_total{route=\"/items/{id}\",method=\"GET\",status=\"200\"}"));
    assert_non_null(strstr(out.data, "orderly_http_requests_total{route=\"/echo\",method=\"POST\",status=\"200\"}"));
    assert_non_null(strstr(out.data, "orderly_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"}"));
    assert_non_null(strstr(out.data, "orderly_http_request_seconds_count{route=\"/items/{id}\"}"));
    assert_non_null(strstr(out.data, "orderly_http_connections"));
    assert_non_null(strstr(out.data, "orderly_http_active_requests"));
    buffer_free(&out);
}

/* Reads what the server has logged, waiting for the text. */
static void assert_logged(int fd, const char *text) {
    static char logged[65536];
    ssize_t size = 0;
    for (int i = 0; i < WAIT_MS; i++) {
        size = pread(fd, logged, sizeof logged - 1, 0);
        logged[size > 0 ? size : 0] = '\0';
        if (strstr(logged, text)) return;
        wait_a_moment();
    }
    fail_msg("no \"%s\" in the log: %s", text, logged);
}

static void test_access_log(void **state) {
    FILE *file = tmpfile();
    struct log log;
    assert_non_null(file);
    log_init(&log, clock_system(), fileno(file), LOG_INFO, LOG_JSON);
    struct harness *quiet = harness_open(&(struct http_server_options){.logger = &log});
    client_once(quiet->port, "GET", "/ping", "X-Request-ID: quiet-one\r\n", NULL);
    client_once(quiet->port, "GET", "/silent", "X-Request-ID: failed-one\r\n", NULL);
    assert_logged(fileno(file), "failed-one");
    harness_close(quiet);
    struct harness *loud = harness_open(&(struct http_server_options){.logger = &log, .log_requests = true});
    client_once(loud->port, "GET", "/query?name=Ada", "X-Request-ID: loud-one\r\n", NULL);
    assert_logged(fileno(file), "loud-one");
    harness_close(loud);
    char text[8192] = "";
    assert_true(pread(fileno(file), text, sizeof text - 1, 0) > 0);
    assert_null(strstr(text, "quiet-one"));
    assert_null(strstr(text, "Ada")); /* queries may hold what is not for logs */
    assert_non_null(strstr(text, "\"path\":\"/query\""));
    assert_non_null(strstr(text, "\"status\":200"));
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),          cmocka_unit_test(test_query),
        cmocka_unit_test(test_methods),         cmocka_unit_test(test_options_and_cors),
        cmocka_unit_test(test_origins),         cmocka_unit_test(test_standard_headers),
        cmocka_unit_test(test_request_ids),     cmocka_unit_test(test_problems),
        cmocka_unit_test(test_double_response), cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_access_log),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
