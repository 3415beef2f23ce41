/* Reads single members of a message's JSON object, each within its limits. */
#include "order/member.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

#define HEX_BYTES_MAX 32

enum status member_integer(const struct json_value *object, const char *key, int64_t minimum, int64_t maximum,
                           int64_t *out, struct error *error) {
    int64_t integer;
    if (json_member_integer(object, key, &integer) || integer < minimum || integer > maximum)
        return error_set(error, STATUS_INVALID, "%s must be a whole number from %" PRId64 " to %" PRId64, key, minimum,
                         maximum);
    *out = integer;
    return STATUS_OK;
}

enum status member_bool(const struct json_value *object, const char *key, bool *out, struct error *error) {
    const struct json_value *value = json_member(object, key);
    if (!value || (value->kind != JSON_TRUE && value->kind != JSON_FALSE))
        return error_set(error, STATUS_INVALID, "%s must be true or false", key);
    *out = value->kind == JSON_TRUE;
    return STATUS_OK;
}

enum status member_string(const struct json_value *object, const char *key, struct bytes *out, struct error *error) {
    enum status status = json_member_string(object, key, out);
    return status ? error_set(error, status, "%s must be a string", key) : STATUS_OK;
}

enum status member_text(const struct json_value *object, const char *key, enum text_rule rule, int64_t minimum,
                        int64_t maximum, struct bytes *out, struct error *error) {
    struct bytes text;
    enum status status = member_string(object, key, &text, error);
    if (status) return status;
    enum text_problem problem = text_check(text, rule, minimum, maximum);
    if (problem != TEXT_FINE) {
        char why[TEXT_PROBLEM_SIZE];
        text_describe(problem, minimum, maximum, why);
        return error_set(error, STATUS_INVALID, "%s %s", key, why);
    }
    *out = text;
    return STATUS_OK;
}

enum status member_uuid(const struct json_value *object, const char *key, struct uuid *out, struct error *error) {
    struct bytes text;
    if (json_member_string(object, key, &text) || uuid_parse(text, out))
        return error_set(error, STATUS_INVALID, "%s must be a UUID", key);
    return STATUS_OK;
}

enum status member_rfc3339(const struct json_value *object, const char *key, int64_t *out_ms, struct error *error) {
    struct bytes text;
    int64_t time_ms;
    if (json_member_string(object, key, &text) || clock_parse_rfc3339(text, &time_ms) || time_ms < 0 ||
        time_ms > MEMBER_TIME_MS_MAX)
        return error_set(error, STATUS_INVALID, "%s must be an RFC 3339 time from 1970 to 9999", key);
    *out_ms = time_ms;
    return STATUS_OK;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum status member_hex(const struct json_value *object, const char *key, uint8_t *out, size_t size,
                       struct error *error) {
    struct bytes text;
    uint8_t bytes[HEX_BYTES_MAX];
    bool is_hex = size <= sizeof bytes && json_member_string(object, key, &text) == STATUS_OK && text.size == 2 * size;
    for (size_t i = 0; is_hex && i < size; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        is_hex = high >= 0 && low >= 0;
        bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    if (!is_hex) return error_set(error, STATUS_INVALID, "%s must be %zu hexadecimal digits", key, 2 * size);
    memcpy(out, bytes, size);
    return STATUS_OK;
}

void member_write_hex(struct json_writer *writer, const char *key, const uint8_t *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * HEX_BYTES_MAX];
    if (size > HEX_BYTES_MAX) size = HEX_BYTES_MAX;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    json_key(writer, key);
    json_string(writer, (struct bytes){text, 2 * size});
}

void member_write_uuid(struct json_writer *writer, const char *key, const struct uuid *uuid) {
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid, text);
    json_key(writer, key);
    json_string(writer, (struct bytes){text, UUID_TEXT_SIZE - 1});
}
