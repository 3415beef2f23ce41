/* Checks text: its length in Unicode scalar values, white space and control characters. */
#include "order/text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"

/* White space outside ASCII (Unicode property White_Space), as UTF-8. */
static const char *const wide_spaces[] = {
    "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007",   "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
};

/* The size of the white space character that the text begins with, or 0. */
static size_t space_size(struct bytes text) {
    uint8_t first = (uint8_t)text.data[0];
    if (first < 0x80) return first == ' ' || (first >= '\t' && first <= '\r');
    for (size_t i = 0; i < sizeof wide_spaces / sizeof wide_spaces[0]; i++) {
        size_t size = strlen(wide_spaces[i]);
        if (size <= text.size && memcmp(text.data, wide_spaces[i], size) == 0) return size;
    }
    return 0;
}

static bool is_blank(struct bytes text) {
    while (text.size > 0) {
        size_t size = space_size(text);
        if (size == 0) return false;
        text.data += size, text.size -= size;
    }
    return true;
}

static bool has_control(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if ((uint8_t)text.data[i] < ' ' || text.data[i] == 0x7f) return true;
    return false;
}

enum text_problem text_check(struct bytes text, enum text_rule rule, int64_t minimum, int64_t maximum) {
    int64_t length = (int64_t)json_utf8_length(text);
    if (length < minimum || length > maximum) return TEXT_WRONG_LENGTH;
    if (rule == TEXT_FREE || text.size == 0) return TEXT_FINE;
    if (has_control(text)) return TEXT_CONTROL;
    return is_blank(text) ? TEXT_BLANK : TEXT_FINE;
}

void text_describe(enum text_problem problem, int64_t minimum, int64_t maximum, char out[TEXT_PROBLEM_SIZE]) {
    static const char *const texts[] = {
        [TEXT_FINE] = "is fine",
        [TEXT_BLANK] = "must not be only white space",
        [TEXT_CONTROL] = "must not contain control characters (U+0000 to U+001F, U+007F)",
    };
    if (problem == TEXT_WRONG_LENGTH)
        snprintf(out, TEXT_PROBLEM_SIZE, "must have %" PRId64 " to %" PRId64 " characters", minimum, maximum);
    else
        snprintf(out, TEXT_PROBLEM_SIZE, "%s", texts[problem]);
}
