/* Answers that show one order, in both dialects. */
#include "api/order_view.h"

#include <stdio.h>

#include "api/api_state.h"

#define DIALECTS 2

static const char *const base_paths[DIALECTS] = {[INPUT_ORDERS] = "/orders/", [INPUT_API_ORDERS] = "/api/orders/"};

enum status order_view_render(const struct order *order, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    order_write_json(&writer, order);
    return out->status;
}

static void add_etag(struct http_request *request, uint32_t version) {
    char etag[ORDER_ETAG_SIZE];
    snprintf(etag, sizeof etag, "\"%u\"", version);
    http_add_header(request, "ETag", etag);
}

static void add_location(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id) {
    char id[UUID_TEXT_SIZE], path[ORDER_PATH_SIZE];
    uuid_format(order_id, id);
    snprintf(path, sizeof path, "%s%s", base_paths[dialect], id);
    http_add_header(request, "Location", path);
}

/* One entity tag from the front of a list; the weak comparison ignores W/ (RFC 9110, 13.1.2). */
static bool take_etag(struct bytes *list, struct bytes *tag_out) {
    const char *at = list->data, *end = list->data + list->size;
    while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
        at++;
    if (end - at >= 2 && at[0] == 'W' && at[1] == '/') at += 2;
    if (at == end || *at != '"') return false;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (!close) return false;
    *tag_out = (struct bytes){at + 1, (size_t)(close - at - 1)};
    *list = (struct bytes){close + 1, (size_t)(end - close - 1)};
    return true;
}

static bool matches_version(struct bytes if_none_match, uint32_t version) {
    if (bytes_equal(if_none_match, BYTES("*"))) return true;
    char text[ORDER_ETAG_SIZE];
    snprintf(text, sizeof text, "%u", version);
    struct bytes tag;
    while (take_etag(&if_none_match, &tag)) {
        if (bytes_equal(tag, bytes_of(text))) return true;
    }
    return false;
}

/* The second dialect shows two fields; the status comes out of the rendered order, whichever cache that came from. */
static void respond_id_and_status(struct http_request *request, const struct uuid *order_id, struct bytes json) {
    struct json_value *value;
    struct bytes status;
    if (json_read(json, http_arena(request), &value, NULL) != STATUS_OK ||
        json_member_string(value, "status", &status) != STATUS_OK) {
        api_respond_problem(request, PROBLEM_NO_MEMORY);
        return;
    }
    char id[UUID_TEXT_SIZE], body[128];
    uuid_format(order_id, id);
    int size =
        snprintf(body, sizeof body, "{\"order_id\":\"%s\",\"status\":\"%.*s\"}", id, (int)status.size, status.data);
    http_respond(request, 200, API_JSON, (struct bytes){body, (size_t)size});
}

void order_view_respond(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id,
                        uint32_t version, struct bytes json) {
    add_etag(request, version);
    struct bytes if_none_match = http_header(request, "If-None-Match");
    if (if_none_match.data && matches_version(if_none_match, version))
        http_respond(request, 304, NULL, (struct bytes){"", 0});
    else if (dialect == INPUT_ORDERS)
        http_respond(request, 200, API_JSON, json);
    else
        respond_id_and_status(request, order_id, json);
}

static void respond_message(struct http_request *request, int status, const struct uuid *order_id,
                            const char *message) {
    char id[UUID_TEXT_SIZE], body[256];
    uuid_format(order_id, id);
    int size = snprintf(body, sizeof body, "{\"order_id\":\"%s\",\"message\":\"%s\"}", id, message);
    http_respond(request, status, API_JSON, (struct bytes){body, (size_t)size});
}

void order_view_respond_created(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id,
                                uint32_t version, struct bytes json) {
    add_location(request, dialect, order_id);
    add_etag(request, version);
    if (dialect == INPUT_ORDERS)
        http_respond(request, 201, API_JSON, json);
    else
        respond_message(request, 201, order_id, "Order created successfully");
}

void order_view_respond_accepted(struct http_request *request, enum input_dialect dialect,
                                 const struct uuid *order_id) {
    add_location(request, dialect, order_id);
    respond_message(request, 202, order_id, "Order stored in the log; its outcome will show at Location");
}
