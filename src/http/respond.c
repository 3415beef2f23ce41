/* Making a response on any thread, and handing it to libmicrohttpd on the request's own. */
#include <stdlib.h>
#include <strings.h>

#include "http/internal.h"

/* --- any thread --- */

/* The first thread that adds a header or responds makes the response; the others are too late. */
bool response_claim(struct http_request *request) {
    uintptr_t self = (uintptr_t)pthread_self(), owner = 0;
    if (!atomic_compare_exchange_strong(&request->responder, &owner, self) && owner != self) return false;
    return !(atomic_load_explicit(&request->flags, memory_order_relaxed) & RESPONSE_READY);
}

bool response_is_begun(const struct http_request *request) {
    return atomic_load(&request->responder) != 0 || (atomic_load(&request->flags) & RESPONSE_READY);
}

/* The response is complete. Until RESPONSE_READY is set the connection stays suspended, and so alive. */
static bool response_finish(struct http_request *request) {
    if (atomic_fetch_or(&request->flags, RESPONSE_READY) & SUSPENDED) resume_later(request);
    return true;
}

static const char *copy_text(struct http_request *request, const char *text) {
    return arena_copy(&request->response_arena, (struct bytes){text, strlen(text) + 1}).data;
}

/* A problem that needs no memory, for when there is none. */
static bool respond_no_memory(struct http_request *request) {
    static const char body[] = "{\"type\":\"urn:orderly:problem:out_of_memory\",\"title\":\"Service Unavailable\","
                               "\"status\":503,\"detail\":\"not enough memory for this request\","
                               "\"code\":\"out_of_memory\"}";
    request->response.status = 503;
    request->response.header_count = 0;
    request->response.content_type = "application/problem+json";
    request->response.body = bytes_of(body);
    return response_finish(request);
}

static bool respond_with(struct http_request *request, int status, const char *content_type, struct bytes body) {
    if (request->response.header_is_lost) return respond_no_memory(request);
    request->response.status = status;
    request->response.body = body;
    if (content_type) request->response.content_type = copy_text(request, content_type);
    if (content_type && !request->response.content_type) return respond_no_memory(request);
    return response_finish(request);
}

/* A value with a line break could smuggle in another header; libmicrohttpd takes no empty one. */
static bool header_is_sound(const char *name, const char *value) {
    if (!name[0] || !value[0] || name[strcspn(name, ": \t\r\n")]) return false;
    for (const unsigned char *at = (const unsigned char *)value; *at; at++)
        if ((*at < ' ' && *at != '\t') || *at == 0x7f) return false;
    return true;
}

void http_add_header(struct http_request *request, const char *name, const char *value) {
    if (!header_is_sound(name, value) || !response_claim(request)) return;
    struct response *response = &request->response;
    if (response->header_count == RESPONSE_HEADERS_MAX) return;
    struct response_header header = {copy_text(request, name), copy_text(request, value)};
    if (header.name && header.value)
        response->headers[response->header_count++] = header;
    else
        response->header_is_lost = true;
}

bool http_respond(struct http_request *request, int status, const char *content_type, struct bytes body) {
    if (!response_claim(request)) return false;
    struct bytes copy = body.size ? arena_copy(&request->response_arena, body) : BYTES("");
    if (!copy.data) return respond_no_memory(request);
    return respond_with(request, status, content_type, copy);
}

bool http_respond_static(struct http_request *request, int status, const char *content_type, struct bytes body) {
    return response_claim(request) && respond_with(request, status, content_type, body);
}

bool http_respond_buffer(struct http_request *request, int status, const char *content_type, struct buffer *body) {
    bool is_first = response_claim(request);
    if (!is_first || body->status) {
        buffer_free(body);
        return is_first && respond_no_memory(request);
    }
    size_t size = 0;
    request->response.owned_body = buffer_take(body, &size);
    struct bytes taken = size ? (struct bytes){request->response.owned_body, size} : BYTES("");
    return respond_with(request, status, content_type, taken);
}

/* --- the server thread --- */

static bool has_header(const struct response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0) return true;
    return false;
}

static bool add(struct MHD_Response *mhd, const char *name, const char *value) {
    return MHD_add_response_header(mhd, name, value) == MHD_YES;
}

/* Answers that may be cached differ by Origin where there is CORS; the others are not kept by anybody. */
static bool add_cors_headers(const struct http_request *request, struct MHD_Response *mhd, bool is_cacheable) {
    bool ok = true;
    if (request->known[HEADER_ORIGIN].data || (is_cacheable && request->server->guard.allowed_origins))
        ok = ok && add(mhd, "Vary", "Origin");
    if (!request->cors_is_allowed) return ok;
    return ok && add(mhd, "Access-Control-Allow-Origin", request->known[HEADER_ORIGIN].data) &&
           add(mhd, "Access-Control-Expose-Headers", "Link, ETag, Location, X-Request-ID, Retry-After");
}

/* Safety headers, unless the handler has set its own. */
static bool add_safety_headers(const struct http_request *request, struct MHD_Response *mhd) {
    const struct response *response = &request->response;
    bool is_page = response->content_type && strncasecmp(response->content_type, "text/html", 9) == 0;
    bool is_cacheable = has_header(response, "Cache-Control");
    bool ok = add(mhd, "X-Content-Type-Options", "nosniff");
    if (!is_cacheable) ok = ok && add(mhd, "Cache-Control", "no-store");
    if (is_page && !has_header(response, "Referrer-Policy")) ok = ok && add(mhd, "Referrer-Policy", "no-referrer");
    if (is_page && !has_header(response, "X-Frame-Options")) ok = ok && add(mhd, "X-Frame-Options", "DENY");
    return ok && add_cors_headers(request, mhd, is_cacheable);
}

bool response_add_headers(const struct http_request *request, struct MHD_Response *mhd) {
    const struct response *response = &request->response;
    bool ok = add(mhd, "X-Request-ID", request->id) && add_safety_headers(request, mhd);
    if (response->content_type) ok = ok && add(mhd, "Content-Type", response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        ok = ok && add(mhd, response->headers[i].name, response->headers[i].value);
    if (request->must_close) ok = ok && add(mhd, "Connection", "close");
    return ok;
}

/* A slow reader has as long as a connection may be idle. */
enum MHD_Result response_queue(struct http_request *request) {
    const struct response *response = &request->response;
    struct http_server *server = request->server;
    struct MHD_Response *mhd =
        MHD_create_response_from_buffer(response->body.size, (void *)response->body.data, MHD_RESPMEM_PERSISTENT);
    if (!mhd) return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (response_add_headers(request, mhd)) {
        request->phase = PHASE_QUEUED;
        connection_set_cut(request->connection,
                           server_now_ns(server) + server->options.idle_timeout_ms * INT64_C(1000000));
        atomic_fetch_add_explicit(&request->connection->worker->sent_bytes, response->body.size, memory_order_relaxed);
        result = MHD_queue_response(request->connection->mhd, (unsigned)response->status, mhd);
    }
    MHD_destroy_response(mhd);
    return result;
}
