/* The server with its routes and answering thread, and the raw client. */
#include "http/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

#define BIG_SIZE (16u << 20)

/* --- handlers --- */

static void handle_ping(struct http_request *request, void *data) {
    atomic_fetch_add(&((struct harness *)data)->handled, 1);
    http_respond_static(request, 200, "application/json", BYTES("{\"pong\":true}"));
}

static void handle_echo(struct http_request *request, void *data) {
    atomic_fetch_add(&((struct harness *)data)->handled, 1);
    http_respond(request, 200, "application/json", http_body(request));
}

static void handle_item(struct http_request *request, void *data) {
    struct bytes id = http_param(request, "id"), none = http_param(request, "other");
    http_respond(request, none.data ? 500 : 200, "text/plain", id);
}

static void handle_special(struct http_request *request, void *data) {
    http_respond_static(request, 200, "text/plain", BYTES("the literal"));
}

/* "name=value;" for each parameter, then what http_query finds for "a". */
static void handle_query(struct http_request *request, void *data) {
    struct buffer out;
    struct bytes name, value;
    buffer_init(&out, 65536);
    for (size_t i = 0; http_query_at(request, i, &name, &value); i++) {
        buffer_put(&out, name), buffer_put_char(&out, '=');
        buffer_put(&out, value), buffer_put_char(&out, ';');
    }
    buffer_put_char(&out, '|');
    value = http_query(request, "a");
    buffer_put(&out, value.data ? value : BYTES("absent"));
    http_respond_buffer(request, 200, "text/plain", &out);
}

/* Everything a handler can see of its request. */
static void handle_mirror(struct http_request *request, void *data) {
    char text[1024];
    struct bytes method = http_method(request), path = http_path(request), header = http_header(request, "x-MIRROR");
    snprintf(text, sizeof text, "%.*s %.*s %.*s %s", (int)method.size, method.data, (int)path.size, path.data,
             (int)header.size, header.data ? header.data : "", http_request_id(request));
    http_add_header(request, "ETag", "\"7\"");
    http_add_header(request, "X-Bad", "line\r\nbreak: 1");
    http_respond(request, 200, "text/plain", bytes_of(text));
}

static void handle_page(struct http_request *request, void *data) {
    http_add_header(request, "Cache-Control", "max-age=60");
    http_respond_static(request, 200, "text/html; charset=utf-8", BYTES("<p>page</p>"));
}

static void handle_big(struct http_request *request, void *data) {
    struct buffer out;
    buffer_init(&out, BIG_SIZE);
    char *room = buffer_reserve(&out, BIG_SIZE);
    if (room) memset(room, 'b', BIG_SIZE), out.size = BIG_SIZE;
    http_respond_buffer(request, 200, "text/plain", &out);
}

static void handle_silent(struct http_request *request, void *data) {
}

static void handle_double(struct http_request *request, void *data) {
    struct harness *harness = data;
    if (http_respond_static(request, 201, "text/plain", BYTES("one"))) harness->first_responses++;
    if (http_respond_static(request, 202, "text/plain", BYTES("two"))) harness->first_responses++;
    struct buffer body;
    buffer_init(&body, 100);
    buffer_put_text(&body, "three");
    if (!http_respond_buffer(request, 203, "text/plain", &body))
        harness->late_responses++; /* takes the memory all the same */
}

static void handle_problem(struct http_request *request, void *data) {
    static const struct http_problem_field fields[] = {{BYTES("/items/0/quantity"), "must be \"positive\""},
                                                       {BYTES("/a~1b"), "unknown"}};
    http_respond_problem(request, &(struct http_problem){.status = 409,
                                                         .code = "version_conflict",
                                                         .detail = "it is version 3 \xe2\x82\xac",
                                                         .fields = fields,
                                                         .field_count = 2,
                                                         .retry_after_s = 7,
                                                         .extra_name = "version",
                                                         .extra_json = "3"});
}

static void expire(struct http_request *request) {
    struct harness *harness = http_data(request);
    atomic_fetch_add(&harness->expirations, 1);
    http_add_header(request, "X-Expired", "yes");
    http_respond_static(request, 202, "text/plain", BYTES("expired"));
}

static void handle_defer(struct http_request *request, void *data) {
    struct harness *harness = data;
    http_set_data(request, harness);
    http_add_header(request, "X-Early", "kept");
    http_defer(request, harness->defer_deadline_ms, expire);
    pthread_mutex_lock(&harness->mutex);
    if (harness->deferred_count == sizeof harness->deferred / sizeof *harness->deferred) abort();
    harness->deferred[harness->deferred_count++] = request;
    pthread_cond_broadcast(&harness->changed);
    pthread_mutex_unlock(&harness->mutex);
    if (http_query(request, "wait").data) { /* lets the other thread respond before this one returns */
        pthread_mutex_lock(&harness->mutex);
        while (harness->deferred_count > 0)
            pthread_cond_wait(&harness->changed, &harness->mutex);
        pthread_mutex_unlock(&harness->mutex);
    }
}

const struct http_route harness_routes[] = {
    {"GET", "/ping", handle_ping},
    {"GET", "/", handle_page},
    {"GET", "/items/{id}", handle_item},
    {"PATCH", "/items/{id}", handle_item, HTTP_BODY_JSON},
    {"GET", "/items/special", handle_special},
    {"GET", "/query", handle_query},
    {"GET", "/mirror/", handle_mirror},
    {"POST", "/echo", handle_echo, HTTP_BODY_JSON},
    {"POST", "/optional", handle_echo, HTTP_BODY_JSON_OPTIONAL},
    {"POST", "/none", handle_echo, HTTP_BODY_NONE},
    {"POST", "/small", handle_echo, HTTP_BODY_JSON, 16},
    {"GET", "/big", handle_big},
    {"GET", "/silent", handle_silent},
    {"GET", "/double", handle_double},
    {"GET", "/problem", handle_problem},
    {"GET", "/defer", handle_defer},
    {"POST", "/defer", handle_defer, HTTP_BODY_JSON},
};
const size_t harness_route_count = sizeof harness_routes / sizeof *harness_routes;

/* --- the server --- */

bool harness_answer(struct http_request *request) {
    struct harness *harness = http_data(request);
    http_add_header(request, "X-Answer", "late");
    bool was_first = http_respond(request, 200, "text/plain", BYTES("late"));
    atomic_fetch_add(was_first ? &harness->first_responses : &harness->late_responses, 1);
    http_release(request);
    return was_first;
}

struct http_request *harness_take(struct harness *harness) {
    pthread_mutex_lock(&harness->mutex);
    struct http_request *request = NULL;
    if (harness->deferred_count > 0) {
        request = harness->deferred[0];
        memmove(harness->deferred, harness->deferred + 1, --harness->deferred_count * sizeof *harness->deferred);
        pthread_cond_broadcast(&harness->changed);
    }
    pthread_mutex_unlock(&harness->mutex);
    return request;
}

static void *answer_run(void *data) {
    struct harness *harness = data;
    for (;;) {
        pthread_mutex_lock(&harness->mutex);
        while (!harness->stopping && (!harness->answers_at_once || harness->deferred_count == 0))
            pthread_cond_wait(&harness->changed, &harness->mutex);
        bool stopping = harness->stopping;
        struct http_request *request = stopping ? NULL : harness->deferred[0];
        pthread_mutex_unlock(&harness->mutex);
        if (stopping) return NULL;
        http_hold(request); /* the answer first, the place in the list after it: see handle_defer */
        harness_answer(request);
        harness_take(harness);
        http_release(request);
    }
}

struct harness *harness_open(const struct http_server_options *options) {
    static const uint16_t any_port = 0;
    struct harness *harness = calloc(1, sizeof *harness);
    assert_non_null(harness);
    pthread_mutex_init(&harness->mutex, NULL);
    pthread_cond_init(&harness->changed, NULL);
    harness->defer_deadline_ms = 60000;
    harness->metrics = metrics_new();
    struct http_server_options opened = options ? *options : (struct http_server_options){0};
    if (!opened.routes) opened.routes = harness_routes, opened.route_count = harness_route_count;
    if (!opened.host) opened.host = "localhost";
    if (!opened.ports) opened.ports = &any_port, opened.port_count = 1;
    if (!opened.threads) opened.threads = 2;
    if (!opened.clock) opened.clock = clock_system();
    opened.random = random_system();
    opened.data = harness;
    opened.metrics = harness->metrics;
    struct error error = {""};
    enum status status = http_server_open(&opened, &harness->server, &error);
    if (status) fail_msg("%s: %s", status_name(status), error.text);
    harness->port = http_server_port(harness->server, 0);
    assert_int_equal(pthread_create(&harness->answerer, NULL, answer_run, harness), 0);
    return harness;
}

void harness_close(struct harness *harness) {
    http_server_close(harness->server);
    pthread_mutex_lock(&harness->mutex);
    harness->stopping = true;
    pthread_cond_broadcast(&harness->changed);
    pthread_mutex_unlock(&harness->mutex);
    pthread_join(harness->answerer, NULL);
    while (harness->deferred_count > 0)
        http_release(harness->deferred[--harness->deferred_count]);
    metrics_free(harness->metrics);
    pthread_mutex_destroy(&harness->mutex);
    pthread_cond_destroy(&harness->changed);
    free(harness);
}

void harness_wait_deferred(struct harness *harness, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&harness->mutex);
    while (harness->deferred_count < count)
        if (pthread_cond_timedwait(&harness->changed, &harness->mutex, &until)) break;
    size_t found = harness->deferred_count;
    pthread_mutex_unlock(&harness->mutex);
    assert_true(found >= count);
}

/* --- the client --- */

void wait_a_moment(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int64_t now_ms(void) {
    return clock_monotonic_ns(clock_system()) / 1000000;
}

int client_open_or_fail(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

int client_open(uint16_t port) {
    int fd = client_open_or_fail(port);
    assert_true(fd >= 0);
    return fd;
}

bool client_try_send(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        struct pollfd polled = {.fd = fd, .events = POLLOUT};
        if (poll(&polled, 1, WAIT_MS) != 1) return false;
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) continue;
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

void client_send(int fd, const char *text) {
    assert_true(client_try_send(fd, text, strlen(text)));
}

/* Up to size bytes, or 0 at the end of the connection; fails the test when nothing comes. */
static size_t receive(int fd, char *out, size_t size) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    if (poll(&polled, 1, WAIT_MS) != 1) fail_msg("no answer within %d ms", WAIT_MS);
    ssize_t got = recv(fd, out, size, 0);
    return got > 0 ? (size_t)got : 0;
}

static struct reply reply; /* the last one */

struct reply *client_read(int fd, bool has_body) {
    size_t size = 0;
    free(reply.body);
    reply = (struct reply){0};
    while (size < sizeof reply.head - 1 && !strstr(reply.head, "\r\n\r\n")) /* byte by byte: the next answer stays */
        if (receive(fd, reply.head + size, 1) == 0)
            break;
        else
            size++;
    if (!strstr(reply.head, "\r\n\r\n")) return &reply;
    assert_int_equal(sscanf(reply.head, "HTTP/1.1 %d", &reply.status), 1);
    const char *length = reply_header(&reply, "Content-Length");
    size_t expected = has_body && length ? strtoul(length, NULL, 10) : 0;
    reply.body = calloc(1, expected + 1);
    assert_non_null(reply.body);
    while (reply.body_size < expected) {
        size_t got = receive(fd, reply.body + reply.body_size, expected - reply.body_size);
        if (got == 0) break;
        reply.body_size += got;
    }
    assert_int_equal(reply.body_size, expected);
    return &reply;
}

struct reply *client_ask(int fd, const char *text) {
    client_send(fd, text);
    return client_read(fd, strncmp(text, "HEAD ", 5) != 0);
}

struct reply *client_once(uint16_t port, const char *method, const char *target, const char *headers,
                          const char *body) {
    char text[65536], length[64] = "";
    if (body) snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n%s", method, target,
             headers ? headers : "", length, body ? body : "");
    int fd = client_open(port);
    struct reply *answer = client_ask(fd, text);
    close(fd);
    return answer;
}

const char *reply_header(const struct reply *from, const char *name) {
    static char value[REPLY_HEAD_SIZE];
    size_t size = strlen(name);
    for (const char *line = strstr(from->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) != 0 || line[2 + size] != ':') continue;
        const char *start = line + 2 + size + 2, *end = strstr(start, "\r\n");
        memcpy(value, start, (size_t)(end - start));
        value[end - start] = '\0';
        return value;
    }
    return NULL;
}

void assert_header(const struct reply *from, const char *name, const char *value) {
    const char *found = reply_header(from, name);
    if (!found) fail_msg("no header %s in: %s", name, from->head);
    assert_string_equal(found, value);
}

void assert_no_header(const struct reply *from, const char *name) {
    if (reply_header(from, name)) fail_msg("header %s in: %s", name, from->head);
}

void client_expect_end(int fd) {
    char byte;
    assert_int_equal(receive(fd, &byte, 1), 0);
}

bool client_ends_within(int fd, int ms) {
    char bytes[4096];
    for (int64_t until_ms = now_ms() + ms;;) {
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) != 1) return false;
        if (recv(fd, bytes, sizeof bytes, 0) <= 0) return true;
    }
}

void assert_problem(const struct reply *problem, int status, const char *code) {
    struct arena arena;
    struct json_value *value = NULL;
    struct bytes text;
    int64_t number = 0;
    char type[128];
    snprintf(type, sizeof type, "urn:orderly:problem:%s", code);
    assert_int_equal(problem->status, status);
    assert_string_equal(reply_header(problem, "Content-Type"), "application/problem+json");
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(json_read((struct bytes){problem->body, problem->body_size}, &arena, &value, NULL), STATUS_OK);
    assert_int_equal(json_member_integer(value, "status", &number), STATUS_OK);
    assert_int_equal(number, status);
    assert_int_equal(json_member_string(value, "code", &text), STATUS_OK);
    assert_true(bytes_equal(text, bytes_of(code)));
    assert_int_equal(json_member_string(value, "type", &text), STATUS_OK);
    assert_true(bytes_equal(text, bytes_of(type)));
    assert_int_equal(json_member_string(value, "title", &text), STATUS_OK);
    assert_int_equal(json_member_string(value, "detail", &text), STATUS_OK);
    assert_int_equal(json_member_string(value, "request_id", &text), STATUS_OK);
    assert_true(bytes_equal(text, bytes_of(reply_header(problem, "X-Request-ID"))));
    arena_free(&arena);
}
