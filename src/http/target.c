/* Takes the request target apart: strict percent-decoding, no NUL, no slash inside a segment, valid UTF-8. */
#include "http/target.h"

#include <strings.h>

#include "base/json.h"

static const char bad_escape[] = "a percent sign must be followed by two hexadecimal digits, and not make a NUL";
static const char bad_slash[] = "a path segment must not hold an encoded slash";
static const char bad_utf8[] = "path and query must be UTF-8";
static const char bad_byte[] = "control characters and spaces must be percent-encoded";
static const char bad_start[] = "the request target must begin with a slash";
static const char too_many[] = "too many query parameters";

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes into out, which has room for in.size bytes. INVALID: a broken escape or an encoded NUL. */
static enum status decode(struct bytes in, char *out, bool plus_is_space, size_t *size_out) {
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++) {
        char c = in.data[i];
        if (c == '%') {
            int high = i + 2 < in.size ? hex_value(in.data[i + 1]) : -1;
            int low = i + 2 < in.size ? hex_value(in.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0) return STATUS_INVALID;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[size++] = c;
    }
    *size_out = size;
    return STATUS_OK;
}

/* The decoded bytes: the input itself where there is nothing to decode. */
static enum status decode_text(struct bytes in, bool plus_is_space, struct arena *arena, struct bytes *out,
                               const char **detail_out) {
    bool is_encoded = memchr(in.data, '%', in.size) || (plus_is_space && memchr(in.data, '+', in.size));
    struct bytes text = in;
    if (is_encoded) {
        char *copy = arena_alloc(arena, in.size);
        if (!copy) return STATUS_NO_MEMORY;
        text.data = copy;
        if (decode(in, copy, plus_is_space, &text.size)) return *detail_out = bad_escape, STATUS_INVALID;
    }
    if (!json_utf8_is_valid(text)) return *detail_out = bad_utf8, STATUS_INVALID;
    *out = text;
    return STATUS_OK;
}

static enum status parse_segments(struct target *target, struct arena *arena, const char **detail_out) {
    const char *at = target->path.data + 1, *end = target->path.data + target->path.size;
    if (end > at && end[-1] == '/') end--; /* "/orders/" is "/orders"; "/orders//" is not */
    while (target->path.size > 1 && at <= end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct bytes raw = {at, (size_t)((slash ? slash : end) - at)}, segment;
        enum status status = decode_text(raw, false, arena, &segment, detail_out);
        if (status) return status;
        if (memchr(segment.data, '/', segment.size)) return *detail_out = bad_slash, STATUS_INVALID;
        if (target->segment_count < TARGET_SEGMENTS_MAX) target->segments[target->segment_count] = segment;
        if (target->segment_count <= TARGET_SEGMENTS_MAX) target->segment_count++;
        at = slash ? slash + 1 : end + 1;
    }
    return STATUS_OK;
}

static enum status parse_pair(struct bytes raw, struct target_pair *pair, struct arena *arena,
                              const char **detail_out) {
    const char *equals = memchr(raw.data, '=', raw.size);
    struct bytes name = {raw.data, equals ? (size_t)(equals - raw.data) : raw.size};
    struct bytes value = equals ? (struct bytes){equals + 1, raw.size - name.size - 1} : (struct bytes){"", 0};
    enum status status = decode_text(name, true, arena, &pair->name, detail_out);
    return status ? status : decode_text(value, true, arena, &pair->value, detail_out);
}

static enum status parse_query(struct target *target, const char *text, struct arena *arena, const char **detail_out) {
    target->query = arena_calloc(arena, TARGET_QUERY_MAX, sizeof *target->query);
    if (!target->query) return STATUS_NO_MEMORY;
    for (const char *at = text; *at;) {
        size_t size = strcspn(at, "&");
        if (size > 0) {
            if (target->query_count == TARGET_QUERY_MAX) return *detail_out = too_many, STATUS_INVALID;
            struct target_pair *pair = &target->query[target->query_count++];
            enum status status = parse_pair((struct bytes){at, size}, pair, arena, detail_out);
            if (status) return status;
        }
        at += at[size] ? size + 1 : size;
    }
    return STATUS_OK;
}

enum status target_parse(struct target *target, char *text, struct arena *arena, const char **detail_out) {
    *target = (struct target){.path = bytes_of(text)};
    for (const unsigned char *at = (unsigned char *)text; *at; at++)
        if (*at <= ' ' || *at == 0x7f) return *detail_out = bad_byte, STATUS_INVALID;
    if (strcmp(text, "*") == 0) {
        target->is_asterisk = true;
        return STATUS_OK;
    }
    if (strncasecmp(text, "http://", 7) == 0) { /* every server must take the absolute form */
        text += 7;
        target->authority = (struct bytes){text, strcspn(text, "/?")};
        text += target->authority.size;
    }
    size_t path_size = strcspn(text, "?");
    bool has_query = text[path_size] == '?';
    text[path_size] = '\0';
    target->path = (struct bytes){text, path_size};
    if (path_size == 0 && target->authority.data) target->path = BYTES("/");
    if (target->path.size == 0 || target->path.data[0] != '/') return *detail_out = bad_start, STATUS_INVALID;
    enum status status = parse_segments(target, arena, detail_out);
    if (!status && has_query) status = parse_query(target, text + path_size + 1, arena, detail_out);
    return status;
}
