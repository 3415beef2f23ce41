/* The server as a whole: opening, draining, closing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/uuid.h"
#include "http/internal.h"

#define THREADS_MAX 4
#define CONNECTIONS_DEFAULT 4096
#define BODY_DEFAULT_SIZE 262144
#define IDLE_TIMEOUT_DEFAULT_MS 60000
#define RECEIVE_TIMEOUT_DEFAULT_MS 10000
#define DESCRIPTORS_BESIDE_CONNECTIONS 512
#define POLL_MS 2                 /* between two looks while draining and closing */
#define RESUME_WAIT_MS 10000      /* for threads that are just resuming a connection, at close */
#define LAST_ANSWERS_WAIT_MS 1000 /* for the answers given at close to be sent */
#define REFUSAL_SIZE 1024

int64_t server_now_ns(const struct http_server *server) {
    return clock_monotonic_ns(server->options.clock);
}

int64_t server_active(const struct http_server *server) {
    int64_t count = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        count += atomic_load(&server->workers[i].active);
    return count;
}

/* Connections that are suspended, then threads that are just resuming some: in this order, see resume_later. */
static int64_t server_suspended(const struct http_server *server) {
    int64_t count = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        count += atomic_load(&server->workers[i].suspended);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        count += atomic_load(&server->workers[i].responders);
    return count;
}

size_t http_server_active(const struct http_server *server) {
    int64_t count = server_active(server);
    return count > 0 ? (size_t)count : 0;
}

uint16_t http_server_port(const struct http_server *server, size_t i) {
    return listener_port(server->listener, i);
}

/* --- connections that are refused, before libmicrohttpd has them --- */

void server_refuse(struct http_server *server, int fd, const struct http_problem *problem) {
    char body[REFUSAL_SIZE / 2], text[REFUSAL_SIZE], id[UUID_TEXT_SIZE];
    struct uuid uuid = uuid_make_v7(clock_wall_ms(server->options.clock), server->options.random);
    uuid_format(&uuid, id);
    const char *title = MHD_get_reason_phrase_for((unsigned)problem->status);
    int body_size = snprintf(body, sizeof body,
                             "{\"type\":\"urn:orderly:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
                             "\"code\":\"%s\",\"request_id\":\"%s\"}",
                             problem->code, title, problem->status, problem->detail, problem->code, id);
    int size =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
                 "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                 "Referrer-Policy: no-referrer\r\nX-Request-ID: %s\r\n%s\r\n%s",
                 problem->status, title, body_size, id, problem->retry_after_s ? "Retry-After: 1\r\n" : "", body);
    ssize_t sent = send(fd, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < size || shutdown(fd, SHUT_WR)) {
        close(fd);
        return;
    }
    sweeper_linger(server->sweeper, fd);
}

/* The accept thread: the workers get sockets in turn. */
static void on_accepted(void *data, int fd, const struct sockaddr *address, socklen_t size) {
    static const struct http_problem full = {
        .status = 503, .code = "too_many_connections", .detail = "too many connections", .retry_after_s = 1};
    static const struct http_problem draining = {
        .status = 503, .code = "shutting_down", .detail = "the server is shutting down", .retry_after_s = 1};
    struct http_server *server = data;
    if (atomic_load(&server->draining)) {
        server_refuse(server, fd, &draining);
    } else if (atomic_fetch_add(&server->connection_count, 1) >= (int64_t)server->options.connections_max) {
        atomic_fetch_sub(&server->connection_count, 1);
        server_refuse(server, fd, &full);
    } else if (!worker_hand_over(&server->workers[server->next_worker++ % server->options.threads], fd)) {
        atomic_fetch_sub(&server->connection_count, 1);
        server_refuse(server, fd, &full);
    }
}

/* --- opening --- */

static void set_defaults(struct http_server_options *options) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->threads == 0) options->threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
    if (options->connections_max == 0) options->connections_max = CONNECTIONS_DEFAULT;
    if (options->streams_max == 0) options->streams_max = (options->connections_max + 1) / 2;
    if (options->body_max == 0) options->body_max = BODY_DEFAULT_SIZE;
    if (options->idle_timeout_ms == 0) options->idle_timeout_ms = IDLE_TIMEOUT_DEFAULT_MS;
    if (options->receive_timeout_ms == 0) options->receive_timeout_ms = RECEIVE_TIMEOUT_DEFAULT_MS;
}

/* As many descriptors as the connections need, if the system lets us. */
static void raise_descriptor_limit(const struct http_server_options *options) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)options->connections_max + DESCRIPTORS_BESIDE_CONNECTIONS;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < wanted)
        log_event(options->logger, LOG_WARN, "fewer open files are allowed than connections",
                  LOG_N("open_files", limit.rlim_cur), LOG_N("connections_max", options->connections_max));
}

static enum status start_workers(struct http_server *server, struct error *error) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < server->options.threads; i++)
        status = worker_start(&server->workers[i], error);
    return status;
}

static enum status open_parts(struct http_server *server, struct error *error) {
    const struct http_server_options *options = &server->options;
    struct listener_options listen = {.host = options->host,
                                      .ports = options->ports,
                                      .port_count = options->port_count,
                                      .accepted = on_accepted,
                                      .data = server};
    enum status status = router_open(&server->router, options->routes, options->route_count, error);
    if (!status) {
        status = http_metrics_open(&server->metrics, options->metrics, options->routes, options->route_count);
        if (status) error_set(error, status, "no memory for the HTTP metrics");
    }
    if (!status) status = listener_open(&listen, &server->listener, error);
    if (status) return status;
    server->guard = (struct guard){.loopback_only = listener_is_loopback(server->listener),
                                   .host = options->host,
                                   .allowed_origins = options->allowed_origins};
    status = sweeper_open(server, &server->sweeper, error);
    if (!status) status = streams_open(server, &server->streams, error);
    if (!status) status = start_workers(server, error);
    return status ? status : listener_start(server->listener, error);
}

enum status http_server_open(const struct http_server_options *options, struct http_server **server_out,
                             struct error *error) {
    if (options->threads > WORKERS_MAX) return error_set(error, STATUS_INVALID, "at most %d HTTP threads", WORKERS_MAX);
    struct http_server *server = aligned_alloc(alignof(struct http_server), sizeof *server);
    if (!server) return error_set(error, STATUS_NO_MEMORY, "no memory for the HTTP server");
    memset(server, 0, sizeof *server);
    server->options = *options;
    set_defaults(&server->options);
    pthread_mutex_init(&server->connections_mutex, NULL);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        worker_init(&server->workers[i], server);
    raise_descriptor_limit(&server->options);
    enum status status = open_parts(server, error);
    if (status) {
        http_server_close(server);
        return status;
    }
    for (size_t i = 0; i < options->port_count; i++)
        if (http_server_port(server, i) == 0)
            log_event(options->logger, LOG_WARN, "port is busy and left out", LOG_N("port", options->ports[i]));
    *server_out = server;
    return STATUS_OK;
}

/* --- draining and closing --- */

/* Waits until the count is 0 for at most timeout_ms of real time. True if it is. */
static bool wait_until_none(const struct http_server *server, int64_t (*count)(const struct http_server *),
                            int timeout_ms) {
    const struct clock *clock = clock_system();
    int64_t until_ns = clock_monotonic_ns(clock) + timeout_ms * INT64_C(1000000);
    while (count(server) != 0) {
        if (clock_monotonic_ns(clock) >= until_ns) return false;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    return true;
}

enum status http_server_drain(struct http_server *server, int timeout_ms) {
    atomic_store(&server->draining, true);
    listener_stop(server->listener);
    streams_end_all(server->streams);
    return wait_until_none(server, server_active, timeout_ms) ? STATUS_OK : STATUS_BUSY;
}

static struct http_request *collect_deferred(struct http_server *server) {
    struct http_request *collected = NULL;
    pthread_mutex_lock(&server->connections_mutex);
    for (struct connection *at = server->connections; at; at = at->next) {
        struct http_request *request = connection_take_deferred(at);
        if (!request) continue;
        request->next_expired = collected;
        collected = request;
    }
    pthread_mutex_unlock(&server->connections_mutex);
    return collected;
}

static void answer_deferred(struct http_server *server) {
    static const struct http_problem closing = {
        .status = 503, .code = "shutting_down", .detail = "the server is shutting down", .retry_after_s = 1};
    struct http_request *request = collect_deferred(server);
    while (request) {
        struct http_request *next = request->next_expired;
        http_respond_problem(request, &closing);
        http_release(request);
        request = next;
    }
}

/* libmicrohttpd aborts if a connection is suspended when it stops. Once closing is set no further one is suspended (see
 * suspend() in request.c), and each suspended one is resumed by whoever responds. False: a responder hangs halfway. */
static bool stop_workers(struct http_server *server) {
    atomic_store(&server->closing, true);
    answer_deferred(server);
    if (!wait_until_none(server, server_suspended, RESUME_WAIT_MS)) return false;
    wait_until_none(server, server_active, LAST_ANSWERS_WAIT_MS);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        worker_stop(&server->workers[i]);
    return true;
}

void http_server_close(struct http_server *server) {
    if (!server) return;
    atomic_store(&server->draining, true);
    if (server->listener) listener_stop(server->listener);
    streams_end_all(server->streams);
    if (!stop_workers(server)) return; /* what the responder would use must stay: a leak, no crash */
    streams_close(server->streams);
    sweeper_close(server->sweeper);
    listener_close(server->listener);
    http_metrics_close(&server->metrics);
    router_close(&server->router);
    pthread_mutex_destroy(&server->connections_mutex);
    free(server);
}
