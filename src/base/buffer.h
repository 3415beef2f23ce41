/* A growable output buffer with a limit and a sticky failure: write freely, check once at the end. */
#ifndef ORDERLY_BASE_BUFFER_H
#define ORDERLY_BASE_BUFFER_H

#include "base/bytes.h"
#include "base/status.h"

struct buffer {
    char *data; /* from malloc, or NULL */
    size_t size;
    size_t capacity;
    size_t limit;
    enum status status; /* OK, NO_MEMORY or TOO_LARGE; after a failure writes do nothing */
};

/* Prepares an empty buffer of at most limit bytes; allocates nothing. */
void buffer_init(struct buffer *buffer, size_t limit);

/* Appends. After a failure (see status) does nothing. */
void buffer_put(struct buffer *buffer, struct bytes bytes);
void buffer_put_text(struct buffer *buffer, const char *text);
void buffer_put_char(struct buffer *buffer, char c);
void buffer_put_int(struct buffer *buffer, int64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for size more bytes and returns where to write them, or NULL; follow with buffer->size += written. */
char *buffer_reserve(struct buffer *buffer, size_t size);

/* Empties the buffer and its failure; keeps the memory. */
void buffer_reset(struct buffer *buffer);

/* Hands the memory to the caller (who frees it with free()) and leaves the buffer empty. NULL after a failure. */
char *buffer_take(struct buffer *buffer, size_t *size_out);

void buffer_free(struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer) {
    return (struct bytes){buffer->data, buffer->size};
}

#endif
