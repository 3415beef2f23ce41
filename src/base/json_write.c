/* The JSON writer: commas and escapes into a buffer, whose first failure sticks. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_parts.h"

#define DOUBLE_TEXT_SIZE 32
#define DOUBLE_DIGITS_MAX 17 /* that many digits always read back */

void json_writer_init(struct json_writer *writer, struct buffer *buffer) {
    *writer = (struct json_writer){.buffer = buffer};
}

/* The level's memory of whether a comma is due. Levels that are too deep have failed already and share the last. */
static bool *has_value(struct json_writer *writer) {
    return &writer->has_value[writer->depth <= JSON_DEPTH_MAX ? writer->depth : JSON_DEPTH_MAX];
}

static void begin_value(struct json_writer *writer) {
    bool *has = has_value(writer);
    if (*has) buffer_put_char(writer->buffer, ',');
    *has = true;
}

static void begin_nested(struct json_writer *writer, char bracket) {
    begin_value(writer);
    buffer_put_char(writer->buffer, bracket);
    writer->depth++;
    if (writer->depth > JSON_DEPTH_MAX && writer->buffer->status == STATUS_OK)
        writer->buffer->status = STATUS_TOO_LARGE;
    *has_value(writer) = false;
}

static void end_nested(struct json_writer *writer, char bracket) {
    buffer_put_char(writer->buffer, bracket);
    writer->depth--;
}

void json_begin_object(struct json_writer *writer) {
    begin_nested(writer, '{');
}
void json_end_object(struct json_writer *writer) {
    end_nested(writer, '}');
}
void json_begin_array(struct json_writer *writer) {
    begin_nested(writer, '[');
}
void json_end_array(struct json_writer *writer) {
    end_nested(writer, ']');
}

/* One character that must not stand in a string as it is. */
static void put_escape(struct buffer *buffer, char c) {
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";
    const char *value = memchr(values, c, sizeof values - 1);
    if (value)
        buffer_put(buffer, (struct bytes){(char[]){'\\', names[value - values]}, 2});
    else
        buffer_printf(buffer, "\\u%04x", (unsigned)(uint8_t)c);
}

/* The end of the run that needs no escape. Bytes above ASCII are valid UTF-8 by agreement. */
static const char *skip_unescaped(const char *at, const char *end) {
    while ((at = json_skip_plain(at, end)) < end && (uint8_t)*at >= 0x80)
        at++;
    return at;
}

/* Puts a string that needs no escapes at one go; most are such. */
static void put_plain_string(struct buffer *buffer, struct bytes value) {
    char *to = buffer_reserve(buffer, value.size + 2);
    if (!to) return;
    to[0] = to[value.size + 1] = '"';
    memcpy(to + 1, value.data, value.size);
    buffer->size += value.size + 2;
}

static void put_string(struct buffer *buffer, struct bytes value) {
    if (value.size == 0) value = BYTES(""); /* its data may be NULL */
    const char *at = value.data, *end = at + value.size;
    if (skip_unescaped(at, end) == end) {
        put_plain_string(buffer, value);
        return;
    }
    buffer_put_char(buffer, '"');
    while (at < end) {
        const char *run = at;
        at = skip_unescaped(at, end);
        if (at > run) buffer_put(buffer, (struct bytes){run, (size_t)(at - run)});
        if (at < end) put_escape(buffer, *at++);
    }
    buffer_put_char(buffer, '"');
}

void json_string(struct json_writer *writer, struct bytes value) {
    begin_value(writer);
    put_string(writer->buffer, value);
}

void json_text(struct json_writer *writer, const char *value) {
    json_string(writer, bytes_of(value));
}

void json_key_bytes(struct json_writer *writer, struct bytes key) {
    begin_value(writer);
    put_string(writer->buffer, key);
    buffer_put_char(writer->buffer, ':');
    *has_value(writer) = false; /* no comma before the member's value */
}

void json_key(struct json_writer *writer, const char *key) {
    json_key_bytes(writer, bytes_of(key));
}

void json_integer(struct json_writer *writer, int64_t value) {
    begin_value(writer);
    buffer_put_int(writer->buffer, value);
}

void json_double(struct json_writer *writer, double value) {
    if (!isfinite(value)) {
        json_null(writer);
        return;
    }
    if (value == trunc(value) && fabs(value) <= (double)JSON_INTEGER_MAX && !(value == 0 && signbit(value))) {
        json_integer(writer, (int64_t)value);
        return;
    }
    char text[DOUBLE_TEXT_SIZE];
    for (int digits = 1; digits <= DOUBLE_DIGITS_MAX; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    begin_value(writer);
    buffer_put_text(writer->buffer, text);
}

void json_bool(struct json_writer *writer, bool value) {
    json_raw(writer, value ? BYTES("true") : BYTES("false"));
}

void json_null(struct json_writer *writer) {
    json_raw(writer, BYTES("null"));
}

void json_raw(struct json_writer *writer, struct bytes json) {
    begin_value(writer);
    buffer_put(writer->buffer, json);
}
