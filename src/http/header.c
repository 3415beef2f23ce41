/* Request headers, copied out of libmicrohttpd's memory so that they live as long as the request. */
#include <strings.h>

#include "base/uuid.h"
#include "http/internal.h"

static const struct bytes known_names[HEADER_KNOWN_COUNT] = {
    [HEADER_HOST] = BYTES("Host"),
    [HEADER_ORIGIN] = BYTES("Origin"),
    [HEADER_EXPECT] = BYTES("Expect"),
    [HEADER_CONTENT_TYPE] = BYTES("Content-Type"),
    [HEADER_CONTENT_LENGTH] = BYTES("Content-Length"),
    [HEADER_TRANSFER_ENCODING] = BYTES("Transfer-Encoding"),
    [HEADER_REQUEST_ID] = BYTES("X-Request-ID"),
    [HEADER_CORS_METHOD] = BYTES("Access-Control-Request-Method"),
};

static bool name_equals(struct bytes a, struct bytes b) {
    return a.size == b.size && strncasecmp(a.data, b.data, a.size) == 0;
}

/* "Content-Length : 5" would be another header to us than to a proxy in front. */
static bool name_is_token(struct bytes name) {
    return name.size > 0 && !memchr(name.data, ' ', name.size) && !memchr(name.data, '\t', name.size);
}

static void note_known(struct http_request *request, const struct request_header *header) {
    for (size_t i = 0; i < HEADER_KNOWN_COUNT; i++) {
        if (!name_equals(header->name, known_names[i])) continue;
        if (request->known_count[i] == 0) request->known[i] = header->value;
        if (request->known_count[i] < UINT8_MAX) request->known_count[i]++;
        return;
    }
}

/* One allocation for the record and both texts. */
static enum MHD_Result copy_header(void *data, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size) {
    struct http_request *request = data;
    if (!value) value = "", value_size = 0;
    struct request_header *header = arena_alloc(&request->arena, sizeof *header + name_size + value_size + 2);
    if (!header) {
        request->header_is_lost = true;
        return MHD_NO;
    }
    char *text = (char *)(header + 1);
    memcpy(text, name, name_size);
    text[name_size] = '\0';
    memcpy(text + name_size + 1, value, value_size);
    text[name_size + 1 + value_size] = '\0';
    while (value_size > 0 && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t'))
        value_size--;
    text[name_size + 1 + value_size] = '\0';
    header->name = (struct bytes){text, name_size};
    header->value = (struct bytes){text + name_size + 1, value_size};
    header->next = request->headers;
    request->headers = header;
    if (!name_is_token(header->name)) request->header_is_malformed = true;
    note_known(request, header);
    return MHD_YES;
}

void request_copy_headers(struct http_request *request) {
    MHD_get_connection_values_n(request->connection->mhd, MHD_HEADER_KIND, copy_header, request);
}

struct bytes http_header(const struct http_request *request, const char *name) {
    struct bytes wanted = bytes_of(name), value = {0};
    for (const struct request_header *header = request->headers; header; header = header->next)
        if (name_equals(header->name, wanted)) value = header->value; /* the list is backwards: the first one wins */
    return value;
}

/* --- request ids --- */

static bool id_is_sound(struct bytes id) {
    if (id.size == 0 || id.size >= REQUEST_ID_SIZE) return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        bool is_alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alphanumeric && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

void request_set_id(struct http_request *request) {
    struct bytes given = request->known[HEADER_REQUEST_ID];
    if (id_is_sound(given)) {
        memcpy(request->id, given.data, given.size);
        request->id[given.size] = '\0';
        return;
    }
    const struct http_server_options *options = &request->server->options;
    struct uuid uuid = uuid_make_v7(clock_wall_ms(options->clock), options->random);
    uuid_format(&uuid, request->id);
}
