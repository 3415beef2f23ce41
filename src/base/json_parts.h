/* What the files of the JSON reader and writer share: steps through UTF-8, and the value of a number. */
#ifndef ORDERLY_BASE_JSON_PARTS_H
#define ORDERLY_BASE_JSON_PARTS_H

#include "base/json.h"

/* The size of the valid UTF-8 sequence at `at` (at < end), or 0 (RFC 3629, table 3-7 of the Unicode standard). */
static inline size_t json_utf8_step(const char *at, const char *end) {
    const uint8_t *p = (const uint8_t *)at;
    size_t left = (size_t)(end - at);
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2) return 0; /* a continuation, or an overlong form */
    if (p[0] < 0xe0) return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] < 0xf0) {
        if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80) return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) return 0;  /* overlong */
        if (p[0] == 0xed && p[1] >= 0xa0) return 0; /* a surrogate */
        return 3;
    }
    if (p[0] > 0xf4 || left < 4) return 0;
    if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;  /* overlong */
    if (p[0] == 0xf4 && p[1] >= 0x90) return 0; /* above U+10FFFF */
    return 4;
}

/* Skips what needs no look inside a JSON string: ASCII from U+0020 on, without '"' and '\'. Eight bytes at a time. */
static inline const char *json_skip_plain(const char *at, const char *end) {
    const uint64_t ones = 0x0101010101010101u;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t below_space = word - ones * ' ';
        uint64_t is_quote = (word ^ ones * '"') - ones, is_backslash = (word ^ ones * '\\') - ones;
        /* A borrow may mark a plain byte beside a marked one: the loop below looks at each of the eight. */
        if ((below_space | is_quote | is_backslash | word) & ones * 0x80) break;
        at += 8;
    }
    while (at < end && (uint8_t)*at >= ' ' && (uint8_t)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* Both take the text of a number that follows the grammar of RFC 8259. */

/* True if it is a whole number within +-JSON_INTEGER_MAX, however it is written ("20e-1" is 2): decided on the decimal
 * digits, without rounding. */
bool json_number_integer(struct bytes text, int64_t *integer_out);

/* The nearest double. INVALID: no double holds it. NO_MEMORY. */
enum status json_number_double(struct bytes text, struct arena *arena, double *number_out);

#endif
