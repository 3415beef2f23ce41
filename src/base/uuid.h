/* UUIDs: parse, format, and make versions 4, 7 and 8 (RFC 9562). */
#ifndef ORDERLY_BASE_UUID_H
#define ORDERLY_BASE_UUID_H

#include "base/bytes.h"
#include "base/random.h"
#include "base/status.h"

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_SIZE 37 /* 36 characters and a NUL */

/* Lower-case 8-4-4-4-12. */
void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]);

/* Reads 8-4-4-4-12 hexadecimal digits of either case, nothing else around them; any version. INVALID otherwise. */
enum status uuid_parse(struct bytes text, struct uuid *uuid_out);

/* Version 7: 48 bits of ms since 1970, then random bits. */
struct uuid uuid_make_v7(int64_t wall_ms, struct random *random);
struct uuid uuid_make_v4(struct random *random);

/* Version 8 from the first 16 bytes of a hash. */
struct uuid uuid_make_v8(const uint8_t hash[16]);

static inline int uuid_version(const struct uuid *uuid) {
    return uuid->bytes[6] >> 4;
}

/* The time inside a version 7 UUID, ms since 1970. Undefined for other versions. */
int64_t uuid_v7_wall_ms(const struct uuid *uuid);

static inline int uuid_compare(const struct uuid *a, const struct uuid *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
static inline bool uuid_equal(const struct uuid *a, const struct uuid *b) {
    return uuid_compare(a, b) == 0;
}

#endif
