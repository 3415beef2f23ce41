/* What a handler may ask of a request. */
#include "http/internal.h"

struct bytes http_method(const struct http_request *request) {
    return request->method_text;
}

struct bytes http_path(const struct http_request *request) {
    return request->target.path;
}

struct bytes http_body(const struct http_request *request) {
    return request->body.data ? buffer_bytes(&request->body) : BYTES("");
}

struct bytes http_param(const struct http_request *request, const char *name) {
    struct bytes wanted = bytes_of(name);
    for (size_t i = 0; request->path && i < request->path->segment_count; i++) {
        const struct router_segment *segment = &request->path->segments[i];
        if (segment->is_parameter && bytes_equal(segment->text, wanted)) return request->target.segments[i];
    }
    return (struct bytes){0};
}

struct bytes http_query(const struct http_request *request, const char *name) {
    struct bytes wanted = bytes_of(name);
    for (size_t i = 0; i < request->target.query_count; i++)
        if (bytes_equal(request->target.query[i].name, wanted)) return request->target.query[i].value;
    return (struct bytes){0};
}

bool http_query_at(const struct http_request *request, size_t i, struct bytes *name_out, struct bytes *value_out) {
    if (i >= request->target.query_count) return false;
    *name_out = request->target.query[i].name;
    *value_out = request->target.query[i].value;
    return true;
}

const char *http_request_id(const struct http_request *request) {
    return request->id;
}

struct arena *http_arena(struct http_request *request) {
    return &request->arena;
}

void http_set_data(struct http_request *request, void *data) {
    request->data = data;
}

void *http_data(const struct http_request *request) {
    return request->data;
}
