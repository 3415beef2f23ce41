/* What every request must pass before a handler sees it, in one order: framing, target, Host and Origin, route, size,
 * content type. */
#include <stdlib.h>
#include <strings.h>

#include "http/internal.h"

void request_refuse(struct http_request *request, int status, const char *code, const char *detail) {
    if (request->refusal.status) return; /* the first reason counts */
    request->refusal = (struct http_problem){.status = status, .code = code, .detail = detail};
}

static bool is_refused(const struct http_request *request) {
    return request->refusal.status != 0;
}

/* Two readings of one request must not differ: what libmicrohttpd takes loosely is refused here, and the connection
 * ends, because where the next request begins is not sure. */
static void check_framing(struct http_request *request) {
    const uint8_t *count = request->known_count;
    const char *detail = NULL;
    struct bytes encoding = request->known[HEADER_TRANSFER_ENCODING];
    if (request->header_is_malformed) detail = "a header name holds a space";
    if (count[HEADER_HOST] == 0 && !request->is_http_1_0) detail = "no Host header";
    if (count[HEADER_HOST] > 1) detail = "more than one Host header";
    if (count[HEADER_CONTENT_LENGTH] > 1) detail = "more than one Content-Length header";
    if (count[HEADER_TRANSFER_ENCODING] && count[HEADER_CONTENT_LENGTH])
        detail = "Content-Length and Transfer-Encoding exclude each other";
    if (count[HEADER_TRANSFER_ENCODING] > 1 ||
        (count[HEADER_TRANSFER_ENCODING] && (encoding.size != 7 || strncasecmp(encoding.data, "chunked", 7))))
        detail = "the only Transfer-Encoding is chunked";
    if (!detail) return;
    request->must_close = true;
    request_refuse(request, 400, "malformed_request", detail);
}

static void check_target(struct http_request *request) {
    const char *detail = NULL;
    char *text = (char *)request->target.path.data; /* request_begin's copy */
    enum status status = target_parse(&request->target, text, &request->arena, &detail);
    if (status == STATUS_NO_MEMORY) request_refuse(request, 503, "out_of_memory", "not enough memory for this request");
    if (status == STATUS_INVALID) request_refuse(request, 400, "invalid_target", detail);
}

static void check_origin(struct http_request *request) {
    const struct guard *guard = &request->server->guard;
    struct bytes host = request->target.authority.data ? request->target.authority : request->known[HEADER_HOST];
    struct bytes origin = request->known[HEADER_ORIGIN];
    if (host.data && !guard_host_is_ours(guard, host)) {
        request_refuse(request, 403, "foreign_host",
                       "this server listens on loopback only and answers to localhost, 127.0.0.1 and [::1]");
        return;
    }
    if (!origin.data) return;
    request->cors_is_allowed = request->known_count[HEADER_ORIGIN] == 1 && guard_origin_is_allowed(guard, origin);
    if (!method_changes_state(request->method) || request->cors_is_allowed) return;
    if (request->known_count[HEADER_ORIGIN] > 1 || !guard_origin_is_own(origin, host))
        request_refuse(request, 403, "foreign_origin", "requests from this website are not allowed to change anything");
}

static void check_route(struct http_request *request) {
    if (request->target.is_asterisk && request->method == METHOD_OPTIONS) return;
    request->path = router_match(&request->server->router, &request->target);
    if (!request->path) {
        request_refuse(request, 404, "not_found", "there is nothing at this path");
        return;
    }
    if (request->method == METHOD_OPTIONS) return;
    const struct http_route *route = request->method == METHOD_OTHER ? NULL : request->path->routes[request->method];
    if (!route) {
        request_refuse(request, 405, "method_not_allowed", "this path has no such method; see the Allow header");
        return;
    }
    request->route = route;
    if (route->body_max) request->body_max = route->body_max;
}

/* A body that says it is too large is refused before it is read; the answer ends the connection. */
static void check_size(struct http_request *request) {
    const char *length = request->known[HEADER_CONTENT_LENGTH].data;
    if (!length || strtoull(length, NULL, 10) <= request->body_max) return;
    request->must_close = true;
    request_refuse(request, 413, "body_too_large", "the body is larger than this path takes");
}

bool request_content_type_is_json(const struct http_request *request) {
    static const struct bytes json = BYTES("application/json"), suffix = BYTES("+json");
    struct bytes type = request->known[HEADER_CONTENT_TYPE];
    if (!type.data) return false;
    size_t size = strcspn(type.data, ";");
    const char *parameter = type.data + size;
    while (size > 0 && (type.data[size - 1] == ' ' || type.data[size - 1] == '\t'))
        size--;
    bool is_json = size == json.size && strncasecmp(type.data, json.data, size) == 0;
    bool has_suffix = size > suffix.size && strncasecmp(type.data, "application/", 12) == 0 &&
                      strncasecmp(type.data + size - suffix.size, suffix.data, suffix.size) == 0;
    if (!is_json && !has_suffix) return false;
    parameter += strspn(parameter, "; \t");
    return *parameter == '\0' || strcasecmp(parameter, "charset=utf-8") == 0 ||
           strcasecmp(parameter, "charset=\"utf-8\"") == 0;
}

/* An optional body is judged when it is there; see request.c. */
static void check_content_type(struct http_request *request) {
    if (!request->route || request->route->body != HTTP_BODY_JSON || request_content_type_is_json(request)) return;
    request_refuse(request, 415, "unsupported_media_type", "the body must be application/json in UTF-8");
}

static void check_server(struct http_request *request) {
    if (!atomic_load(&request->server->draining)) return;
    request->must_close = true;
    request_refuse(request, 503, "shutting_down", "the server is shutting down; nothing was done");
    request->refusal.retry_after_s = 1;
}

void request_check(struct http_request *request) {
    static void (*const checks[])(struct http_request *) = {
        check_framing, check_target, check_server, check_origin, check_route, check_size, check_content_type,
    };
    if (request->header_is_lost) request_refuse(request, 503, "out_of_memory", "not enough memory for this request");
    for (size_t i = 0; i < sizeof checks / sizeof *checks && !is_refused(request); i++)
        checks[i](request);
    const char *length = request->known[HEADER_CONTENT_LENGTH].data;
    if (is_refused(request) && length && strtoull(length, NULL, 10) > request->body_max) request->must_close = true;
    if (is_refused(request) && request->known[HEADER_EXPECT].data) request->must_close = true;
}
