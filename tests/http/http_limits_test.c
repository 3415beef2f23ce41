/* Bounds: slow and silent clients, too many of them, garbage, busy ports, no descriptors, no memory. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/harness.h"
#include "support/failing_alloc.h"

#define ASK_PING "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define HEAD_OF_POST "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

static bool has_ended(int fd) {
    char byte;
    ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

/* Sends a byte every few ms until the connection ends. Returns after how many ms that was. */
static int64_t drip(int fd, const char *start) {
    int64_t begun_ms = now_ms();
    client_send(fd, start);
    while (!has_ended(fd) && now_ms() - begun_ms < WAIT_MS) {
        client_try_send(fd, "x", 1);
        wait_a_moment();
    }
    assert_true(has_ended(fd));
    return now_ms() - begun_ms;
}

static void test_slow_senders_are_cut(void **state) {
    static const char *const starts[] = {
        "GET /",
        "GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        HEAD_OF_POST "Content-Length: 200000\r\n\r\n",
        HEAD_OF_POST "Transfer-Encoding: chunked\r\n\r\n20000\r\n",
    };
    struct harness *harness =
        harness_open(&(struct http_server_options){.receive_timeout_ms = 200, .idle_timeout_ms = 60000});
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        int fd = client_open(harness->port);
        int64_t took_ms = drip(fd, starts[i]);
        assert_true(took_ms >= 150);
        close(fd);
    }
    /* The second request of a connection has its own time. */
    int fd = client_open(harness->port);
    assert_int_equal(client_ask(fd, ASK_PING)->status, 200);
    drip(fd, HEAD_OF_POST "Content-Length: 200000\r\n\r\n");
    close(fd);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    assert_int_equal(atomic_load(&harness->handled), 1);
    harness_close(harness);
}

static void test_idle_connections_are_closed(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, 1700000000000);
    struct harness *harness = harness_open(&(struct http_server_options){
        .threads = 1, .receive_timeout_ms = 1000, .idle_timeout_ms = 5000, .clock = &clock.base});
    int silent = client_open(harness->port), kept = client_open(harness->port);
    /* There is one thread, which takes connections in turn: when it serves the second, it knows the first. */
    assert_int_equal(client_ask(kept, ASK_PING)->status, 200);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    clock_manual_advance(&clock, 1000);
    client_expect_end(silent);
    clock_manual_advance(&clock, 3999);
    assert_int_equal(client_ask(kept, ASK_PING)->status, 200);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    clock_manual_advance(&clock, 5000);
    client_expect_end(kept);
    close(silent);
    close(kept);
    harness_close(harness);
}

/* A client that ends its side together with its request gets its answer, and the end soon after. */
static void test_half_closed(void **state) {
    struct harness *harness = harness_open(NULL);
    for (int i = 0; i < 5; i++) {
        int fd = client_open(harness->port);
        client_send(fd, ASK_PING);
        shutdown(fd, SHUT_WR);
        assert_int_equal(client_read(fd, true)->status, 200);
        client_expect_end(fd);
        close(fd);
    }
    harness_close(harness);
}

/* While a request is deferred only its own deadline counts. */
static void test_deferred_is_not_idle(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, 1700000000000);
    struct harness *harness = harness_open(&(struct http_server_options){
        .threads = 1, .receive_timeout_ms = 1000, .idle_timeout_ms = 1000, .clock = &clock.base});
    int other = client_open(harness->port), fd = client_open(harness->port); /* one thread: the first is known by now */
    client_send(fd, "GET /defer HTTP/1.1\r\nHost: localhost\r\n\r\n");
    harness_wait_deferred(harness, 1);
    clock_manual_advance(&clock, 30000);
    client_expect_end(other); /* a sweep has been */
    assert_true(harness_answer(harness_take(harness)));
    assert_int_equal(client_read(fd, true)->status, 200);
    close(fd);
    close(other);
    harness_close(harness);
}

static void test_slow_reader_is_cut(void **state) {
    struct harness *harness = harness_open(&(struct http_server_options){.idle_timeout_ms = 200});
    int fd = client_open(harness->port);
    client_send(fd, "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    WAIT_UNTIL(http_server_active(harness->server) == 1);
    WAIT_UNTIL(http_server_active(harness->server) == 0); /* not a byte is read */
    close(fd);
    harness_close(harness);
}

static void test_connection_limit(void **state) {
    enum { LIMIT = 2000 };
    struct harness *harness = harness_open(
        &(struct http_server_options){.connections_max = LIMIT, .receive_timeout_ms = 60000, .threads = 3});
    int *fds = calloc(LIMIT, sizeof *fds);
    assert_non_null(fds);
    for (int i = 0; i < LIMIT; i++)
        fds[i] = client_open(harness->port);
    for (int i = 0; i < 3; i++) { /* beyond: an answer at once, even unasked */
        int fd = client_open(harness->port);
        struct reply *reply = client_read(fd, true);
        assert_problem(reply, 503, "too_many_connections");
        assert_string_equal(reply_header(reply, "Retry-After"), "1");
        assert_string_equal(reply_header(reply, "Connection"), "close");
        client_expect_end(fd);
        close(fd);
    }
    for (int i = 0; i < LIMIT; i += 97)
        assert_int_equal(client_ask(fds[i], ASK_PING)->status, 200);
    close(fds[0]);
    int served = 0;
    for (int64_t until_ms = now_ms() + WAIT_MS; served != 200 && now_ms() < until_ms; wait_a_moment())
        served = client_once(harness->port, "GET", "/ping", NULL, NULL)->status;
    assert_int_equal(served, 200);
    for (int i = 1; i < LIMIT; i++)
        close(fds[i]);
    free(fds);
    harness_close(harness);
}

static void test_garbage(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 7);
    struct harness *harness = harness_open(&(struct http_server_options){.receive_timeout_ms = 1000});
    static const char *const starts[] = {
        "", "\r\n\r\n", "GET ", "POST /echo HTTP/1.1\r\n", HEAD_OF_POST "\r\n", "\x16\x03\x01"};
    for (int i = 0; i < 120; i++) {
        char bytes[2000];
        random_fill(&random.base, bytes, sizeof bytes);
        int fd = client_open(harness->port);
        client_send(fd, starts[(size_t)i % (sizeof starts / sizeof *starts)]);
        client_try_send(fd, bytes, sizeof bytes);
        shutdown(fd, SHUT_WR);
        assert_true(client_ends_within(fd, WAIT_MS));
        close(fd);
    }
    assert_int_equal(client_once(harness->port, "GET", "/ping", NULL, NULL)->status, 200);
    WAIT_UNTIL(http_server_active(harness->server) == 0);
    harness_close(harness);
}

static void test_large_headers(void **state) {
    struct harness *harness = harness_open(NULL);
    char headers[65000];
    size_t size = 0;
    for (int i = 0; size < 7000; i++)
        size += (size_t)sprintf(headers + size, "X-Header-%d: %0200d\r\n", i, i);
    assert_int_equal(client_once(harness->port, "GET", "/ping", headers, NULL)->status, 200);
    while (size < 60000)
        size += (size_t)sprintf(headers + size, "X-More: %0200d\r\n", 0);
    assert_int_equal(client_once(harness->port, "GET", "/ping", headers, NULL)->status, 431);
    memset(headers, 'a', sizeof headers);
    headers[0] = '/', headers[60000] = '\0';
    assert_int_equal(client_once(harness->port, "GET", headers, NULL, NULL)->status, 414);
    assert_int_equal(client_once(harness->port, "GET", "/ping", NULL, NULL)->status, 200);
    harness_close(harness);
}

/* --- ports --- */

static int listen_somewhere(int family, uint16_t port, uint16_t *port_out) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port)};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, size) || listen(fd, 1)) {
        if (fd >= 0) close(fd);
        return -1;
    }
    getsockname(fd, address, &size);
    *port_out = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static void test_busy_ports(void **state) {
    uint16_t busy_port = 0;
    int busy = listen_somewhere(AF_INET, 0, &busy_port);
    assert_true(busy >= 0);
    struct http_server_options options = {.routes = harness_routes,
                                          .route_count = harness_route_count,
                                          .host = "localhost",
                                          .ports = (uint16_t[]){busy_port, 0},
                                          .port_count = 2,
                                          .clock = clock_system(),
                                          .random = random_system()};
    struct http_server *server = NULL;
    struct error error = {""};
    char number[16];
    snprintf(number, sizeof number, "%u", busy_port);
    assert_int_equal(http_server_open(&options, &server, &error), STATUS_UNAVAILABLE);
    assert_null(server);
    assert_non_null(strstr(error.text, number));
    assert_non_null(strstr(error.text, "another port"));

    struct harness *harness =
        harness_open(&(struct http_server_options){.ports = (uint16_t[]){0, busy_port, 0}, .port_count = 3});
    assert_int_equal(http_server_port(harness->server, 1), 0);
    uint16_t third = http_server_port(harness->server, 2);
    assert_int_not_equal(third, 0);
    assert_int_not_equal(third, harness->port);
    assert_int_equal(client_once(harness->port, "GET", "/ping", NULL, NULL)->status, 200);
    assert_int_equal(client_once(third, "GET", "/ping", NULL, NULL)->status, 200);
    harness_close(harness);
    close(busy);
}

static void test_localhost_is_both_families(void **state) {
    uint16_t port = 0;
    int probe = listen_somewhere(AF_INET6, 0, &port);
    if (probe < 0) skip(); /* a machine without ::1 */
    struct harness *harness = harness_open(NULL);
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(harness->port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(client_ask(fd, "GET /ping HTTP/1.1\r\nHost: [::1]\r\n\r\n")->status, 200);
    close(fd);
    harness_close(harness);
    struct http_server_options options = {.routes = harness_routes,
                                          .route_count = harness_route_count,
                                          .host = "localhost",
                                          .ports = &port,
                                          .port_count = 1,
                                          .clock = clock_system(),
                                          .random = random_system()};
    struct http_server *server = NULL; /* the other program has half of "localhost": that is busy */
    assert_int_equal(http_server_open(&options, &server, NULL), STATUS_UNAVAILABLE);
    close(probe);
}

static void test_bad_options(void **state) {
    static const struct http_route twice[] = {{"GET", "/a/{x}", NULL}, {"GET", "/a/{x}", NULL}};
    struct http_server_options options = {.routes = twice,
                                          .route_count = 2,
                                          .host = "localhost",
                                          .ports = (uint16_t[]){0},
                                          .port_count = 1,
                                          .clock = clock_system(),
                                          .random = random_system()};
    struct http_server *server = NULL;
    struct error error = {""};
    assert_int_equal(http_server_open(&options, &server, &error), STATUS_INVALID);
    options.routes = harness_routes, options.route_count = harness_route_count;
    options.host = "no such host.invalid";
    assert_int_equal(http_server_open(&options, &server, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "no such host.invalid"));
    http_server_close(NULL);
}

/* Beyond loopback any Host may be ours. */
static void test_any_address(void **state) {
    struct harness *harness = harness_open(&(struct http_server_options){.host = "0.0.0.0"});
    int fd = client_open(harness->port);
    assert_int_equal(client_ask(fd, "GET /ping HTTP/1.1\r\nHost: shop.example\r\n\r\n")->status, 200);
    assert_problem(client_ask(fd, HEAD_OF_POST "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}"), 403,
                   "foreign_origin");
    close(fd);
    harness_close(harness);
}

/* --- resources that run out --- */

static int64_t cpu_ms(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void test_no_descriptors_left(void **state) {
    struct harness *harness = harness_open(NULL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), next = dup(fd);
    close(next);
    struct rlimit before, tight;
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)next; /* the next descriptor is one too many */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(harness->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    client_send(fd, ASK_PING);
    int64_t cpu_before_ms = cpu_ms();
    assert_false(client_ends_within(fd, 300));   /* it waits in the backlog meanwhile */
    assert_true(cpu_ms() - cpu_before_ms < 100); /* and nothing spins */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(client_read(fd, true)->status, 200);
    close(fd);
    harness_close(harness);
}

/* One request on a connection of its own, without an allocation on this side. Returns the status, 0 for no answer. */
static int ask_once(uint16_t port, const char *text) {
    char answer[8192] = "";
    size_t size = 0;
    int fd = client_open(port), status = 0;
    client_send(fd, text);
    for (ssize_t got; (got = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0;)
        size += (size_t)got;
    close(fd);
    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

#define ENDING "Host: localhost\r\nConnection: close\r\n"

static void test_no_memory(void **state) {
    static const char *const requests[] = {
        "GET /ping HTTP/1.1\r\n" ENDING "\r\n",
        "GET /query?a=%41+b HTTP/1.1\r\n" ENDING "X-Request-ID: 1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n" ENDING "Content-Length: 9\r\n\r\n[1,2,3,4]",
        "GET /problem HTTP/1.1\r\n" ENDING "\r\n",
        "GET /nothing HTTP/1.1\r\n" ENDING "\r\n",
        "GET /mirror HTTP/1.1\r\n" ENDING "Origin: http://a.example\r\n\r\n",
        "OPTIONS /ping HTTP/1.1\r\n" ENDING "\r\n",
    };
    struct harness *harness = harness_open(NULL);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        WAIT_UNTIL(http_server_active(harness->server) == 0);
        int expected = ask_once(harness->port, requests[i]), failed = 0;
        assert_true(expected >= 200);
        for (long n = 1;; n++) {
            failing_alloc_arm(n);
            int status = ask_once(harness->port, requests[i]);
            WAIT_UNTIL(http_server_active(harness->server) == 0);
            if (!failing_alloc_disarm()) break;
            if (status != expected && status != 503 && status != 0) fail_msg("%s: %ld: %d", requests[i], n, status);
            failed += status != expected;
            assert_true(n < 1000);
        }
        assert_true(failed > 0);
        assert_int_equal(ask_once(harness->port, requests[i]), expected);
    }
    harness_close(harness);
}

static void test_no_memory_to_open(void **state) {
    struct http_server_options options = {.routes = harness_routes,
                                          .route_count = harness_route_count,
                                          .host = "localhost",
                                          .ports = (uint16_t[]){0},
                                          .port_count = 1,
                                          .threads = 1,
                                          .clock = clock_system(),
                                          .random = random_system()};
    for (long n = 1;; n++) {
        struct http_server *server = NULL;
        failing_alloc_arm(n);
        enum status status = http_server_open(&options, &server, NULL);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, STATUS_OK);
            http_server_close(server);
            return;
        }
        if (status) assert_int_equal(status, STATUS_NO_MEMORY);
        http_server_close(server);
    }
}

int main(void) {
    struct rlimit limit; /* client and server share this process */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_senders_are_cut),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_deferred_is_not_idle),
        cmocka_unit_test(test_slow_reader_is_cut),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_large_headers),
        cmocka_unit_test(test_busy_ports),
        cmocka_unit_test(test_localhost_is_both_families),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_any_address),
        cmocka_unit_test(test_no_descriptors_left),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_to_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
