/* A borrowed run of bytes: pointer and size, owned by somebody else, not terminated by NUL. */
#ifndef ORDERLY_BASE_BYTES_H
#define ORDERLY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t size;
};

/* The bytes of a string literal or any NUL-terminated string. */
static inline struct bytes bytes_of(const char *text) {
    return (struct bytes){text, strlen(text)};
}
#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Big-endian integers, as keys that sort by memcmp need them. */
static inline void bytes_put_u16(void *to, uint16_t v) {
    uint8_t *p = to;
    p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static inline void bytes_put_u32(void *to, uint32_t v) {
    uint8_t *p = to;
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline void bytes_put_u64(void *to, uint64_t v) {
    uint8_t *p = to;
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (56 - 8 * i));
}
static inline uint16_t bytes_get_u16(const void *from) {
    const uint8_t *p = from;
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t bytes_get_u32(const void *from) {
    const uint8_t *p = from;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t bytes_get_u64(const void *from) {
    return (uint64_t)bytes_get_u32(from) << 32 | bytes_get_u32((const char *)from + 4);
}

#endif
