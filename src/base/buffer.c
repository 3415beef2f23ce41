/* The output buffer: doubles up to its limit; the first failure sticks, so writers need no checks in between. */
#include "base/buffer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_SIZE_FIRST 1024 /* an order as JSON fits: one allocation */

void buffer_init(struct buffer *buffer, size_t limit) {
    *buffer = (struct buffer){.limit = limit};
}

static char *buffer_fail(struct buffer *buffer, enum status status) {
    buffer->status = status;
    return NULL;
}

/* Makes the capacity at least wanted (<= limit). One byte more is allocated: the NUL that vsnprintf insists on. */
static bool buffer_grow(struct buffer *buffer, size_t wanted) {
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : BUFFER_SIZE_FIRST;
    while (capacity < wanted && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < wanted) capacity = wanted;
    if (capacity > buffer->limit) capacity = buffer->limit;
    char *data = capacity < SIZE_MAX ? realloc(buffer->data, capacity + 1) : NULL;
    if (!data) return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size) {
    if (buffer->status != STATUS_OK) return NULL;
    if (buffer->data && size <= buffer->capacity - buffer->size) return buffer->data + buffer->size;
    if (size > buffer->limit - buffer->size) return buffer_fail(buffer, STATUS_TOO_LARGE);
    if (!buffer_grow(buffer, buffer->size + size)) return buffer_fail(buffer, STATUS_NO_MEMORY);
    return buffer->data + buffer->size;
}

void buffer_put(struct buffer *buffer, struct bytes bytes) {
    char *to = buffer_reserve(buffer, bytes.size);
    if (!to || bytes.size == 0) return;
    memcpy(to, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

void buffer_put_text(struct buffer *buffer, const char *text) {
    buffer_put(buffer, bytes_of(text));
}

void buffer_put_char(struct buffer *buffer, char c) {
    char *to = buffer_reserve(buffer, 1);
    if (!to) return;
    *to = c;
    buffer->size++;
}

/* By hand, because numbers are on the hot path of every order and printf is several times slower. */
void buffer_put_int(struct buffer *buffer, int64_t value) {
    char digits[20]; /* "-9223372036854775808" */
    size_t start = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        digits[--start] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) digits[--start] = '-';
    buffer_put(buffer, (struct bytes){digits + start, sizeof digits - start});
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *to = size >= 0 ? buffer_reserve(buffer, (size_t)size) : buffer_fail(buffer, STATUS_NO_MEMORY);
    if (to) {
        vsnprintf(to, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
}

void buffer_reset(struct buffer *buffer) {
    buffer->size = 0;
    buffer->status = STATUS_OK;
}

char *buffer_take(struct buffer *buffer, size_t *size_out) {
    if (!buffer_reserve(buffer, 0)) return NULL;
    char *data = buffer->data;
    if (size_out) *size_out = buffer->size;
    buffer_init(buffer, buffer->limit);
    return data;
}

void buffer_free(struct buffer *buffer) {
    if (!buffer) return;
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}
