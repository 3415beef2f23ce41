/* Answers that go on: the order of bytes, clients that are slow, stand still or leave, heartbeats, limits, the server's
 * end, and the sockets that are taken out of libmicrohttpd for it. */
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/harness.h"
#include "support/failing_alloc.h"

#define ASK_STREAM "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define ASK_DEFER "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define LAST_WORDS "event: slow\ndata: {}\n\n"
#define STREAMS_MAX 4096
#define QUEUE_MAX 65536

/* --- the server's side: each stream that begins is kept here until the test releases it --- */

struct begun {
    _Atomic(struct http_stream *) stream;
    _Atomic int closed;
};
static struct begun begun[STREAMS_MAX];
static _Atomic int begun_count, refused_count, closed_count;
static int heartbeat_ms;
static size_t queue_max;

static void on_closed(void *data) {
    struct begun *self = data;
    atomic_fetch_add(&self->closed, 1);
    atomic_fetch_add(&closed_count, 1);
}

static void handle_stream(struct http_request *request, void *data) {
    int i = atomic_fetch_add(&begun_count, 1);
    if (i == STREAMS_MAX) abort();
    begun[i].closed = 0;
    http_add_header(request, "Cache-Control", "no-cache");
    begun[i].stream = http_stream_begin(request, &(struct http_stream_options){.content_type = "text/event-stream",
                                                                               .queue_max = queue_max,
                                                                               .last_words = BYTES(LAST_WORDS),
                                                                               .heartbeat = BYTES(":\n\n"),
                                                                               .heartbeat_ms = heartbeat_ms,
                                                                               .closed = on_closed,
                                                                               .data = &begun[i]});
    if (begun[i].stream) {
        http_respond_static(request, 500, "text/plain", BYTES("too late")); /* ignored */
        return;
    }
    atomic_fetch_sub(&begun_count, 1); /* one refused stream at a time */
    atomic_fetch_add(&refused_count, 1);
    http_respond_static(request, 503, "text/plain", BYTES("no room"));
}

static void expire(struct http_request *request) {
    http_respond_static(request, 202, "text/plain", BYTES("expired"));
}

/* Answered at once, but by way of a suspended connection. */
static void handle_later(struct http_request *request, void *data) {
    http_defer(request, 10000, expire);
    http_respond_static(request, 200, "text/plain", BYTES("later"));
    http_release(request);
}

static void handle_ping(struct http_request *request, void *data) {
    http_respond_static(request, 200, "text/plain", BYTES("pong"));
}

static const struct http_route routes[] = {
    {"GET", "/stream", handle_stream}, {"GET", "/later", handle_later}, {"GET", "/ping", handle_ping}};

static struct harness *open_server(struct http_server_options options) {
    begun_count = refused_count = closed_count = 0;
    heartbeat_ms = 0;
    queue_max = QUEUE_MAX;
    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    return harness_open(&options);
}

static void release_all(void) {
    for (int i = 0; i < begun_count; i++)
        http_stream_release(begun[i].stream);
}

/* --- the client's side --- */

/* Reads up to size bytes, or fewer at the end of the connection; fails when nothing comes. */
static size_t read_bytes(int fd, char *out, size_t size) {
    size_t got = 0;
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    while (got < size) {
        ssize_t piece = recv(fd, out + got, size - got, 0);
        if (piece < 0) fail_msg("nothing came after %zu bytes", got);
        if (piece == 0) break;
        got += (size_t)piece;
    }
    return got;
}

static void expect_bytes(int fd, const char *wanted) {
    char got[1024] = "";
    read_bytes(fd, got, strlen(wanted));
    assert_string_equal(got, wanted);
}

static int open_stream(struct harness *harness) {
    int before = begun_count, fd = client_open(harness->port);
    assert_int_equal(client_ask(fd, ASK_STREAM)->status, 200);
    assert_int_equal(begun_count, before + 1);
    return fd;
}

static double metric(struct harness *harness, const char *line) {
    struct buffer text;
    double value = -1;
    buffer_init(&text, 1 << 20);
    metrics_write(harness->metrics, &text);
    buffer_put_char(&text, '\0');
    char start[128];
    snprintf(start, sizeof start, "\n%s", line);
    const char *at = strstr(text.data, start);
    if (at) value = strtod(at + strlen(start), NULL);
    buffer_free(&text);
    return value;
}

static enum status write_text(int i, const char *text) {
    return http_stream_write(begun[i].stream, bytes_of(text));
}

/* --- tests --- */

static void test_bytes_in_order(void **state) {
    enum { EVENTS = 20000 };
    struct harness *harness = open_server((struct http_server_options){0});
    int fd = client_open(harness->port);
    struct reply *reply = client_ask(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: mine\r\n"
                                         "Origin: http://localhost:3000\r\n\r\n");
    assert_int_equal(reply->status, 200);
    assert_header(reply, "Content-Type", "text/event-stream");
    assert_header(reply, "Cache-Control", "no-cache");
    assert_header(reply, "Connection", "close");
    assert_header(reply, "X-Request-ID", "mine");
    assert_header(reply, "X-Content-Type-Options", "nosniff");
    assert_header(reply, "Vary", "Origin");
    assert_non_null(reply_header(reply, "Date"));
    assert_no_header(reply, "Content-Length");
    assert_no_header(reply, "Transfer-Encoding");
    int read_count = 0, written = 0;
    char event[32], got[32] = "";
    while (read_count < EVENTS) {
        for (int i = 0; i < 1000 && written < EVENTS; i++, written++) {
            snprintf(event, sizeof event, "data: %06d\n\n", written);
            assert_int_equal(write_text(0, event), STATUS_OK);
        }
        while (read_count < written) {
            snprintf(event, sizeof event, "data: %06d\n\n", read_count++);
            read_bytes(fd, got, strlen(event));
            assert_string_equal(got, event);
        }
    }
    assert_int_equal((int)metric(harness, "orderly_http_streams "), 1);
    assert_int_equal(http_server_active(harness->server), 0); /* a drain does not wait for it */
    write_text(0, "the last\n\n");
    http_stream_end(begun[0].stream);
    assert_int_equal(write_text(0, "too late\n\n"), STATUS_CLOSED);
    expect_bytes(fd, "the last\n\n");
    client_expect_end(fd);
    WAIT_UNTIL(begun[0].closed == 1);
    assert_int_equal((int)metric(harness, "orderly_http_streams_ended_total{reason=\"done\"} "), 1);
    assert_int_equal((int)metric(harness, "orderly_http_streams "), 0);
    close(fd);
    release_all();
    harness_close(harness);
}

/* The queue runs over: what was on its way comes whole, then the last words, then the end. */
static void test_slow_client(void **state) {
    struct harness *harness = open_server((struct http_server_options){0});
    int fd = open_stream(harness), written = 0;
    char event[1024];
    enum status status = STATUS_OK;
    while (status == STATUS_OK && written < 100000) {
        snprintf(event, sizeof event, "%09d%990s\n", written, "");
        status = write_text(0, event);
        if (status == STATUS_OK) written++;
        if (written % 16 == 0) wait_a_moment();
    }
    assert_int_equal(status, STATUS_TOO_LARGE);
    assert_int_equal(write_text(0, "x"), STATUS_CLOSED);
    assert_int_equal(begun[0].closed, 0); /* it waits for the client to take what was on its way */
    char *all = malloc(64 << 20);
    assert_non_null(all);
    size_t size = read_bytes(fd, all, 64 << 20), last = sizeof LAST_WORDS - 1;
    assert_true(size > last);
    assert_memory_equal(all + size - last, LAST_WORDS, last);
    assert_int_equal((size - last) % 1000, 0); /* no event is cut */
    size_t events = (size - last) / 1000;
    assert_in_range(events, 1, written - 1); /* and some were dropped */
    for (size_t i = 0; i < events; i++)
        assert_int_equal(strtoul(all + 1000 * i, NULL, 10), i);
    free(all);
    WAIT_UNTIL(begun[0].closed == 1);
    assert_int_equal((int)metric(harness, "orderly_http_streams_ended_total{reason=\"slow\"} "), 1);
    close(fd);
    release_all();
    harness_close(harness);
}

/* Writes until nothing has moved for a while on the way to a client that reads nothing. */
static void fill(struct harness *harness, int i, struct bytes event) {
    static const char name[] = "orderly_http_sent_bytes_total ";
    double base = metric(harness, name), written = 0;
    for (int stuck_ms = 0; stuck_ms < 300;) {
        if (metric(harness, name) < base + written) {
            stuck_ms++, wait_a_moment();
            continue;
        }
        stuck_ms = 0, written += (double)event.size;
        assert_int_equal(http_stream_write(begun[i].stream, event), STATUS_OK);
    }
}

/* A client that takes nothing, not even the last words, is cut when its time is over; so is one that stands still. */
static void test_standing_clients_are_cut(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, 1700000000000);
    struct harness *harness = open_server((struct http_server_options){.clock = &clock.base, .idle_timeout_ms = 60000});
    int fd = open_stream(harness);
    static char event[60000];
    memset(event, 'x', sizeof event);
    fill(harness, 0, (struct bytes){event, sizeof event});
    while (http_stream_write(begun[0].stream, (struct bytes){event, sizeof event}) == STATUS_OK)
        continue;
    clock_manual_advance(&clock, 5000);
    WAIT_UNTIL(begun[0].closed == 1);
    close(fd);
    /* The other one's queue is not full: it is cut after the time a connection may be idle. */
    fd = open_stream(harness);
    fill(harness, 1, (struct bytes){event, sizeof event});
    clock_manual_advance(&clock, 59000);
    usleep(600000);
    assert_int_equal(begun[1].closed, 0);
    clock_manual_advance(&clock, 1000);
    WAIT_UNTIL(begun[1].closed == 1);
    assert_int_equal((int)metric(harness, "orderly_http_streams_ended_total{reason=\"slow\"} "), 2);
    close(fd);
    release_all();
    harness_close(harness);
}

static void test_client_leaves(void **state) {
    struct harness *harness = open_server((struct http_server_options){0});
    for (int round = 0; round < 3; round++) {
        int fd = open_stream(harness);
        write_text(round, "one\n\n");
        expect_bytes(fd, "one\n\n");
        if (round == 0) close(fd);             /* FIN */
        if (round == 1) shutdown(fd, SHUT_WR); /* its half of the connection */
        struct linger reset = {.l_onoff = 1};
        if (round == 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), close(fd);
        WAIT_UNTIL(begun[round].closed == 1); /* without a byte being written */
        assert_int_equal(write_text(round, "two\n\n"), STATUS_CLOSED);
        if (round == 1) close(fd);
    }
    assert_int_equal((int)metric(harness, "orderly_http_streams_ended_total{reason=\"client\"} "), 3);
    assert_int_equal((int)metric(harness, "orderly_http_streams "), 0);
    WAIT_UNTIL((int)metric(harness, "orderly_http_connections ") == 0);
    release_all();
    harness_close(harness);
}

static void test_heartbeats(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, 1700000000000);
    struct harness *harness = open_server((struct http_server_options){.clock = &clock.base});
    heartbeat_ms = 15000;
    int fd = open_stream(harness);
    char byte;
    clock_manual_advance(&clock, 14999);
    usleep(600000); /* at least two looks at the time */
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    clock_manual_advance(&clock, 1);
    expect_bytes(fd, ":\n\n");
    clock_manual_advance(&clock, 10000);
    write_text(0, "event\n\n");
    expect_bytes(fd, "event\n\n"); /* this counts as one */
    clock_manual_advance(&clock, 14999);
    usleep(600000);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    clock_manual_advance(&clock, 1);
    expect_bytes(fd, ":\n\n");
    close(fd);
    WAIT_UNTIL(begun[0].closed == 1);
    release_all();
    harness_close(harness);
}

/* The server's end is the end of its streams: what is queued is sent, `closed` is called, the reference stays good. */
static void test_server_closes(void **state) {
    enum { COUNT = 100 };
    for (int drains = 0; drains < 2; drains++) {
        struct harness *harness = open_server((struct http_server_options){0});
        int fds[COUNT];
        for (int i = 0; i < COUNT; i++)
            fds[i] = open_stream(harness);
        int quiet = open_stream(harness);
        for (int i = 0; i < COUNT; i++)
            write_text(i, "end\n\n");
        if (drains) {
            assert_int_equal(http_server_drain(harness->server, 5000), STATUS_OK);
            for (int i = 0; i < COUNT; i++) {
                expect_bytes(fds[i], "end\n\n");
                client_expect_end(fds[i]);
            }
            WAIT_UNTIL(closed_count == COUNT + 1);
            assert_int_equal((int)metric(harness, "orderly_http_streams_ended_total{reason=\"server\"} "), COUNT + 1);
        }
        harness_close(harness);
        assert_int_equal(closed_count, COUNT + 1);
        for (int i = 0; i < COUNT; i++) {
            if (!drains) expect_bytes(fds[i], "end\n\n");
            client_expect_end(fds[i]);
            assert_int_equal(begun[i].closed, 1);
            assert_int_equal(write_text(i, "late\n\n"), STATUS_CLOSED);
            http_stream_end(begun[i].stream);
            close(fds[i]);
        }
        close(quiet);
        release_all();
    }
}

static void test_limit(void **state) {
    struct harness *harness = open_server((struct http_server_options){.streams_max = 2, .connections_max = 5});
    int first = open_stream(harness), second = open_stream(harness), third = client_open(harness->port);
    assert_int_equal(client_ask(third, ASK_STREAM)->status, 503);
    assert_int_equal(client_ask(third, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")->status, 200); /* it goes on */
    close(first);
    WAIT_UNTIL(begun[0].closed == 1);
    assert_int_equal(client_ask(third, ASK_STREAM)->status, 200);
    /* Streams are connections too: two of them, and three others. */
    int others[3];
    for (int i = 0; i < 3; i++) {
        others[i] = client_open(harness->port);
        assert_int_equal(client_ask(others[i], "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")->status, 200);
    }
    int fourth = client_open(harness->port);
    assert_int_equal(client_read(fourth, true)->status, 503);
    for (int i = 0; i < 3; i++)
        close(others[i]);
    close(fourth), close(second), close(third);
    release_all();
    harness_close(harness);
}

static void test_head(void **state) {
    struct harness *harness = open_server((struct http_server_options){0});
    int fd = client_open(harness->port);
    struct reply *reply = client_ask(fd, "HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(reply->status, 200);
    assert_header(reply, "Content-Type", "text/event-stream");
    client_expect_end(fd);
    WAIT_UNTIL(begun[0].closed == 1);
    assert_int_equal(write_text(0, "x"), STATUS_CLOSED);
    close(fd);
    release_all();
    harness_close(harness);
}

/* The connection was suspended before, or is not: libmicrohttpd has it in its epoll set or not, and takes it out of
 * there when it closes (it aborts if it cannot). Meanwhile others come and go under the same numbers. */
static void test_taken_from_any_connection(void **state) {
    enum { ROUNDS = 150 };
    struct harness *harness = open_server((struct http_server_options){0});
    for (int round = 0; round < ROUNDS; round++) {
        int fd = client_open(harness->port), other = client_open(harness->port);
        if (round % 3 == 1) assert_int_equal(client_ask(fd, ASK_DEFER)->status, 200);
        if (round % 3 == 2) {
            client_send(fd, ASK_DEFER ASK_STREAM ASK_DEFER); /* in one piece; what follows is not answered */
            assert_string_equal(client_read(fd, true)->body, "later");
            assert_int_equal(client_read(fd, false)->status, 200);
        } else {
            assert_int_equal(client_ask(fd, ASK_STREAM)->status, 200);
        }
        assert_int_equal(client_ask(other, ASK_DEFER)->status, 200);
        write_text(round, "here\n\n");
        expect_bytes(fd, "here\n\n");
        assert_int_equal(client_ask(other, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")->status, 200);
        close(other);
        if (round % 2) close(fd); /* the others stay until the end */
    }
    WAIT_UNTIL(closed_count >= ROUNDS / 2);
    assert_int_equal((int)metric(harness, "orderly_http_streams "), ROUNDS - ROUNDS / 2);
    harness_close(harness);
    assert_int_equal(closed_count, ROUNDS);
    release_all();
}

/* Writers on several threads while clients leave and the server closes. */
static _Atomic bool writers_stop;
static void *write_run(void *data) {
    struct begun *self = data;
    while (!atomic_load(&writers_stop) && http_stream_write(self->stream, BYTES("data: x\n\n")) != STATUS_CLOSED)
        continue;
    return NULL;
}

static void test_races(void **state) {
    enum { COUNT = 8, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        struct harness *harness = open_server((struct http_server_options){0});
        int fds[COUNT];
        pthread_t threads[COUNT];
        writers_stop = false;
        for (int i = 0; i < COUNT; i++)
            fds[i] = open_stream(harness);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, write_run, &begun[i]), 0);
        for (int i = 0; i < COUNT; i += 2)
            close(fds[i]);
        harness_close(harness);
        assert_int_equal(closed_count, COUNT);
        for (int i = 0; i < COUNT; i++)
            pthread_join(threads[i], NULL); /* they end by themselves: the streams are over */
        release_all();
        for (int i = 1; i < COUNT; i += 2)
            close(fds[i]);
    }
}

/* Without a descriptor or memory no stream begins, and the connection is good for another answer. */
static void test_nothing_left(void **state) {
    struct harness *harness = open_server((struct http_server_options){0});
    int fd = client_open(harness->port);
    assert_int_equal(client_ask(fd, ASK_DEFER)->status, 200);
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(client_ask(fd, ASK_STREAM)->status, 503);
    setrlimit(RLIMIT_NOFILE, &limit);
    close(fd);
    for (long n = 1; n < 20; n++) {
        fd = client_open(harness->port);
        assert_int_equal(client_ask(fd, ASK_DEFER)->status, 200);
        failing_alloc_arm(n);
        client_send(fd, ASK_STREAM);
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
        failing_alloc_disarm();
        int status = client_read(fd, false)->status;
        assert_true(status == 200 || status == 503 || status == 0);
        close(fd);
    }
    assert_true(refused_count >= 2);
    WAIT_UNTIL(closed_count == begun_count);
    assert_int_equal((int)metric(harness, "orderly_http_streams "), 0);
    release_all();
    harness_close(harness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_in_order),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_standing_clients_are_cut),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_server_closes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_taken_from_any_connection),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
