/* A request's way through libmicrohttpd's callbacks, all on its connection's server thread:
 *
 *   request_begin      the request line is there: memory, the receive deadline
 *   request_continue   the headers (checks), the body in pieces, the end (the handler), after a resume (the response)
 *   request_completed  the answer is sent or the connection is gone
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include "http/internal.h"

#define CLOSING_WAIT_MS 1000 /* for a thread that is just making the response while the server closes */

/* --- memory --- */

static struct http_request *request_new(void) {
    struct http_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    atomic_init(&request->references, 1);
    arena_init(&request->arena, REQUEST_ARENA_BLOCK_SIZE, REQUEST_ARENA_LIMIT_SIZE);
    arena_init(&request->response_arena, RESPONSE_ARENA_BLOCK_SIZE, RESPONSE_ARENA_LIMIT_SIZE);
    buffer_init(&request->body, 0);
    return request;
}

void request_free(struct http_request *request) {
    arena_free(&request->arena);
    arena_free(&request->response_arena);
    buffer_free(&request->body);
    free(request->response.owned_body);
    free(request);
}

/* Makes a request that nobody else refers to ready for the next one, and keeps its first blocks of memory. */
static void request_reset(struct http_request *request) {
    free(request->response.owned_body);
    struct arena arena = request->arena, response_arena = request->response_arena;
    struct buffer body = request->body;
    if (body.capacity > BODY_KEPT_SIZE) buffer_free(&body);
    arena_reset(&arena);
    arena_reset(&response_arena);
    buffer_reset(&body);
    *request = (struct http_request){.arena = arena, .response_arena = response_arena, .body = body};
    atomic_init(&request->references, 1);
}

void http_hold(struct http_request *request) {
    atomic_fetch_add_explicit(&request->references, 1, memory_order_relaxed);
}

void http_release(struct http_request *request) {
    if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) == 1) request_free(request);
}

/* --- beginning and end --- */

static struct connection *connection_of(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void *request_begin(void *data, const char *target, struct MHD_Connection *mhd) {
    struct connection *connection = connection_of(mhd);
    if (!connection) return NULL;
    struct http_server *server = connection->server;
    struct http_request *request = connection->spare ? connection->spare : request_new();
    connection->spare = NULL;
    if (!request) return NULL;
    size_t size = strlen(target) + 1;
    char *copy = arena_alloc(&request->arena, size);
    if (!copy) {
        request_free(request);
        return NULL;
    }
    request->target.path = (struct bytes){memcpy(copy, target, size), size - 1};
    request->server = server;
    request->connection = connection;
    request->body_max = server->options.body_max;
    request->started_ns = server_now_ns(server);
    connection_set_cut(connection, request->started_ns + server->options.receive_timeout_ms * INT64_C(1000000));
    return request;
}

/* An access line; queries stay out of it, they may hold names. */
static void log_request(const struct http_request *request, int status, int64_t took_ns) {
    const struct http_server_options *options = &request->server->options;
    enum log_level level = status >= 500 ? LOG_WARN : options->log_requests ? LOG_INFO : LOG_DEBUG;
    if (!options->logger || level < options->logger->level) return;
    log_event(options->logger, level, "request", LOG_S("method", request->method_text.data),
              LOG_S("path", request->target.path.data), LOG_N("status", status), LOG_N("duration_us", took_ns / 1000),
              LOG_N("response_bytes", status ? request->response.body.size : 0), LOG_S("request_id", request->id));
}

/* What was counted and watched when the headers came. status 0: there was no answer. */
static void request_account(struct http_request *request, int64_t now_ns) {
    struct http_server *server = request->server;
    int status = request->phase == PHASE_QUEUED ? request->response.status : 0;
    struct http_request *deferred = request->is_deferred ? connection_take_deferred(request->connection) : NULL;
    if (deferred) http_release(deferred);
    http_metrics_count(&server->metrics, request->route, request->method, status, now_ns - request->started_ns);
    log_request(request, status, now_ns - request->started_ns);
    atomic_fetch_sub(&request->connection->worker->active, 1);
}

void request_completed(void *data, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code) {
    struct http_request *request = *context;
    *context = NULL;
    if (!request) return;
    struct connection *connection = request->connection;
    int64_t now_ns = server_now_ns(request->server);
    connection_set_idle(connection, now_ns);
    if (request->is_active) request_account(request, now_ns);
    if (atomic_load_explicit(&request->references, memory_order_acquire) == 1) {
        request_reset(request);
        connection->spare = request;
    } else {
        http_release(request); /* others hold it still: it is theirs */
    }
}

/* --- headers and body --- */

/* Keeps the socket open behind libmicrohttpd's closing until the client has stopped sending. */
static void linger(struct http_request *request) {
    int fd = fcntl(request->connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) sweeper_linger(request->server->sweeper, fd);
}

static bool has_body(const struct http_request *request) {
    struct bytes length = request->known[HEADER_CONTENT_LENGTH];
    return request->known[HEADER_TRANSFER_ENCODING].data || (length.data && strtoull(length.data, NULL, 10) > 0);
}

static enum MHD_Result on_headers(struct http_request *request, const char *method, const char *version) {
    request->phase = PHASE_BODY;
    request->is_active = true;
    atomic_fetch_add(&request->connection->worker->active, 1); /* before check_server looks: see http_server_drain */
    request->method = method_of(method);
    request->method_text = request->method == METHOD_OTHER
                               ? arena_copy(&request->arena, (struct bytes){method, strlen(method) + 1})
                               : bytes_of(method_name(request->method));
    if (!request->method_text.data) return MHD_NO;
    if (request->method == METHOD_OTHER) request->method_text.size--;
    request->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    request_copy_headers(request);
    request_set_id(request);
    request_check(request);
    request->body.limit = request->body_max;
    if (!request->refusal.status || !request->must_close || !has_body(request)) return MHD_YES;
    linger(request); /* answered now, the body unread */
    http_respond_problem(request, &request->refusal);
    return response_queue(request);
}

/* libmicrohttpd takes no response in the middle of a body, and has none under way: the answer goes to the socket. */
static enum MHD_Result cut_body(struct http_request *request) {
    static const struct http_problem too_large = {
        .status = 413, .code = "body_too_large", .detail = "the body is larger than this path takes"};
    int fd = fcntl(request->connection->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) server_refuse(request->server, fd, &too_large);
    request->response.status = 413;
    request->phase = PHASE_QUEUED;
    return MHD_NO;
}

static enum MHD_Result on_body(struct http_request *request, const char *data, size_t *size) {
    bool is_dropped = request->refusal.status || (request->route && request->route->body == HTTP_BODY_NONE);
    atomic_fetch_add_explicit(&request->connection->worker->received_bytes, *size, memory_order_relaxed);
    request->received_size += *size;
    if (request->received_size > request->body_max) return cut_body(request);
    if (!is_dropped) buffer_put(&request->body, (struct bytes){data, *size});
    if (request->body.status) request_refuse(request, 503, "out_of_memory", "not enough memory for this request");
    *size = 0;
    return MHD_YES;
}

/* --- the handler --- */

static void respond_options(struct http_request *request) {
    const char *allow = request->path ? request->path->allow : "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    http_add_header(request, "Allow", allow);
    if (request->cors_is_allowed && request->known[HEADER_CORS_METHOD].data) {
        http_add_header(request, "Access-Control-Allow-Methods", allow);
        http_add_header(request, "Access-Control-Allow-Headers",
                        "Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-ID, Last-Event-ID, "
                        "Cache-Control");
        http_add_header(request, "Access-Control-Max-Age", "600");
    }
    http_respond_static(request, 204, NULL, BYTES(""));
}

static void run_handler(struct http_request *request) {
    bool is_optional = request->route && request->route->body == HTTP_BODY_JSON_OPTIONAL;
    if (is_optional && request->body.size > 0 && !request_content_type_is_json(request))
        request_refuse(request, 415, "unsupported_media_type", "the body must be application/json in UTF-8");
    if (request->refusal.status) {
        if (request->refusal.status == 405) http_add_header(request, "Allow", request->path->allow);
        http_respond_problem(request, &request->refusal);
    } else if (!request->route) {
        respond_options(request);
    } else {
        request->route->handle(request, request->server->options.data);
    }
}

/* The server closes and nothing may be suspended any more: the answer is given here. Another thread may be making it
 * at this moment; it does not block on the way. */
static enum MHD_Result answer_closing(struct http_request *request) {
    static const struct http_problem closing = {
        .status = 503, .code = "shutting_down", .detail = "the server is shutting down", .retry_after_s = 1};
    request->must_close = true;
    http_respond_problem(request, &closing);
    int64_t until_ns = clock_monotonic_ns(clock_system()) + CLOSING_WAIT_MS * INT64_C(1000000);
    while (!(atomic_load(&request->flags) & RESPONSE_READY)) {
        if (clock_monotonic_ns(clock_system()) > until_ns) return MHD_NO;
        sched_yield();
    }
    return response_queue(request);
}

/* Counting before looking at closing, while http_server_close sets it before looking at the count: one sees the other,
 * and no connection is suspended when libmicrohttpd stops. */
static enum MHD_Result suspend(struct http_request *request) {
    struct worker *worker = request->connection->worker;
    atomic_fetch_add(&worker->suspended, 1);
    if (atomic_load(&request->server->closing)) {
        atomic_fetch_sub(&worker->suspended, 1);
        return answer_closing(request);
    }
    request->phase = PHASE_WAITING;
    MHD_suspend_connection(request->connection->mhd);
    if (atomic_fetch_or(&request->flags, SUSPENDED) & RESPONSE_READY) resume_now(request);
    return MHD_YES;
}

static enum MHD_Result on_end(struct http_request *request) {
    static const struct http_problem silent = {
        .status = 500, .code = "internal_error", .detail = "the request was not answered"};
    connection_set_cut(request->connection, CUT_NEVER);
    run_handler(request);
    if (request->stream) { /* the streams' thread answers */
        stream_start(request->stream);
        request->phase = PHASE_QUEUED;
        return MHD_NO;
    }
    if (atomic_load_explicit(&request->flags, memory_order_acquire) & RESPONSE_READY) return response_queue(request);
    if (request->is_deferred) return suspend(request);
    http_respond_problem(request, &silent); /* a handler that forgot both: its client shall not wait */
    return response_queue(request);
}

enum MHD_Result request_continue(void *data, struct MHD_Connection *mhd, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **context) {
    struct http_request *request = *context;
    if (!request) return MHD_NO; /* there was no memory for it */
    switch (request->phase) {
    case PHASE_LINE: return on_headers(request, method, version);
    case PHASE_BODY: return *upload_size ? on_body(request, upload, upload_size) : on_end(request);
    case PHASE_WAITING: return response_queue(request);
    case PHASE_QUEUED: break;
    }
    return MHD_NO;
}

void http_defer(struct http_request *request, int deadline_ms, void (*expired)(struct http_request *request)) {
    request->is_deferred = true;
    request->expired = expired;
    atomic_store(&request->responder, 0); /* headers added so far stay; now any thread may respond */
    atomic_fetch_add_explicit(&request->references, 2, memory_order_relaxed); /* the caller's and the deadline's */
    int64_t at_ns = server_now_ns(request->server) + deadline_ms * INT64_C(1000000);
    connection_set_deferred(request->connection, request, at_ns);
}
