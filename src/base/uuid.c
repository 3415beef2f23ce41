/* UUIDs as text and bytes (RFC 9562). */
#include "base/uuid.h"

void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof uuid->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[uuid->bytes[i] >> 4];
        *out++ = digits[uuid->bytes[i] & 15];
    }
    *out = '\0';
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum status uuid_parse(struct bytes text, struct uuid *uuid_out) {
    if (text.size != UUID_TEXT_SIZE - 1) return STATUS_INVALID;
    struct uuid uuid;
    const char *at = text.data;
    for (size_t i = 0; i < sizeof uuid.bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-') return STATUS_INVALID;
        int high = digit_value(*at++), low = digit_value(*at++);
        if (high < 0 || low < 0) return STATUS_INVALID;
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *uuid_out = uuid;
    return STATUS_OK;
}

static void uuid_set_version(struct uuid *uuid, int version) {
    uuid->bytes[6] = (uint8_t)(version << 4 | (uuid->bytes[6] & 0x0f));
    uuid->bytes[8] = 0x80 | (uuid->bytes[8] & 0x3f); /* the variant of RFC 9562 */
}

struct uuid uuid_make_v7(int64_t wall_ms, struct random *random) {
    struct uuid uuid;
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)((uint64_t)wall_ms >> (40 - 8 * i));
    random_fill(random, uuid.bytes + 6, sizeof uuid.bytes - 6);
    uuid_set_version(&uuid, 7);
    return uuid;
}

struct uuid uuid_make_v4(struct random *random) {
    struct uuid uuid;
    random_fill(random, uuid.bytes, sizeof uuid.bytes);
    uuid_set_version(&uuid, 4);
    return uuid;
}

struct uuid uuid_make_v8(const uint8_t hash[16]) {
    struct uuid uuid;
    memcpy(uuid.bytes, hash, sizeof uuid.bytes);
    uuid_set_version(&uuid, 8);
    return uuid;
}

int64_t uuid_v7_wall_ms(const struct uuid *uuid) {
    return (int64_t)(bytes_get_u64(uuid->bytes) >> 16);
}
