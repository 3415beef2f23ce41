/* The value of a JSON number: an exact integer where it is one, else the nearest double. */
#include <math.h>
#include <stdlib.h>

#include "base/json_parts.h"

#define EXPONENT_MAX 1000000000000 /* larger ones are cut to this: no text is long enough to make up for them */
#define INTEGER_DIGITS_MAX 16      /* of JSON_INTEGER_MAX */

/* Reads "e+12" or nothing. */
static int64_t read_exponent(const char *at, const char *end) {
    if (at == end) return 0;
    at++; /* e or E */
    bool is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int64_t exponent = 0;
    for (; at < end; at++)
        if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (*at - '0');
    return is_negative ? -exponent : exponent;
}

/* The number is significant x 10^exponent; significant has no zero at its end, except for 0 itself. */
struct decimal {
    int64_t significant;
    int64_t exponent;
};

/* False if there are more significant digits than an integer of ours has: it is a fraction or too large. */
static bool read_decimal(struct bytes text, struct decimal *decimal_out) {
    int64_t significant = 0, zeros = 0, fraction_digits = 0;
    bool in_fraction = false;
    const char *at = text.data, *end = text.data + text.size;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '-') continue;
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        fraction_digits += in_fraction;
        if (*at == '0') {
            zeros += significant != 0;
            continue;
        }
        if (zeros > INTEGER_DIGITS_MAX) return false;
        for (zeros++; zeros > 0; zeros--) {
            significant *= 10;
            if (significant > JSON_INTEGER_MAX) return false;
        }
        significant += *at - '0';
    }
    *decimal_out = (struct decimal){significant, read_exponent(at, end) - fraction_digits + zeros};
    return true;
}

bool json_number_integer(struct bytes text, int64_t *integer_out) {
    struct decimal decimal;
    if (!read_decimal(text, &decimal)) return false;
    if (decimal.significant != 0 && (decimal.exponent < 0 || decimal.exponent > INTEGER_DIGITS_MAX)) return false;
    int64_t integer = decimal.significant;
    for (int64_t i = 0; integer != 0 && i < decimal.exponent; i++) {
        integer *= 10;
        if (integer > JSON_INTEGER_MAX) return false;
    }
    if (integer > JSON_INTEGER_MAX) return false;
    *integer_out = text.data[0] == '-' ? -integer : integer;
    return true;
}

enum status json_number_double(struct bytes text, struct arena *arena, double *number_out) {
    char short_copy[64];
    char *copy = text.size < sizeof short_copy ? short_copy : arena_alloc(arena, text.size + 1);
    if (!copy) return STATUS_NO_MEMORY;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    /* The program never calls setlocale, so the decimal point is '.'. */
    double number = strtod(copy, NULL);
    if (!isfinite(number)) return STATUS_INVALID;
    *number_out = number;
    return STATUS_OK;
}
