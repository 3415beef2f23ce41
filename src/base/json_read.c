/* The JSON reader: one pass over the text into a tree in an arena, by recursive descent of bounded depth. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_parts.h"

/* Duplicate keys: compared one by one up to this many members, found by sorting above (no quadratic time). */
#define LINEAR_KEYS_MAX 16
#define FAST_DIGITS_MAX 15 /* that many digits always fit below JSON_INTEGER_MAX */
#define SHOWN_KEY_MAX 60   /* bytes of a key in an error text */

struct reader {
    const char *start, *at, *end;
    struct arena *arena;
    struct json_error *error; /* may be NULL */
    size_t value_count;
    unsigned depth;
};

/* Notes what is wrong at which byte, and returns status. */
static enum status fail(struct reader *reader, const char *at, enum status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static enum status fail(struct reader *reader, const char *at, enum status status, const char *format, ...) {
    struct json_error *error = reader->error;
    if (!error) return status;
    error->offset = (size_t)(at - reader->start);
    error->line = error->column = 1;
    for (const char *p = reader->start; p < at; p++) {
        error->column++;
        if (*p == '\n') error->line++, error->column = 1;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

static enum status fail_expected(struct reader *reader, const char *expected) {
    if (reader->at == reader->end)
        return fail(reader, reader->at, STATUS_INVALID, "the text ends where %s is expected", expected);
    return fail(reader, reader->at, STATUS_INVALID, "expected %s", expected);
}

static inline void skip_space(struct reader *reader) {
    const char *at = reader->at;
    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    reader->at = at;
}

/* Skips white space, then the character if it comes next. */
static inline bool take(struct reader *reader, char c) {
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c) return false;
    reader->at++;
    return true;
}

/* --- strings --- */

/* Four hexadecimal digits, or -1. */
static int hex4(const char *at, const char *end) {
    if (end - at < 4) return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = (uint8_t)at[i], digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool is_high_surrogate(int unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}
static bool is_low_surrogate(int unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Checks the escape at *at and moves behind it. */
static enum status check_escape(struct reader *reader, const char **at) {
    const char *escape = *at, *end = reader->end;
    if (end - escape < 2) {
        *at = end; /* the caller says that the string does not end */
        return STATUS_OK;
    }
    if (escape[1] != 'u') {
        if (!memchr("\"\\/bfnrt", escape[1], 8)) return fail(reader, escape, STATUS_INVALID, "unknown escape");
        *at = escape + 2;
        return STATUS_OK;
    }
    int unit = hex4(escape + 2, end);
    if (unit < 0) return fail(reader, escape, STATUS_INVALID, "\\u needs four hexadecimal digits");
    if (unit == 0) return fail(reader, escape, STATUS_INVALID, "\\u0000 is not allowed");
    *at = escape + 6;
    if (is_high_surrogate(unit)) {
        bool has_pair = end - *at >= 2 && (*at)[0] == '\\' && (*at)[1] == 'u' && is_low_surrogate(hex4(*at + 2, end));
        if (!has_pair) return fail(reader, escape, STATUS_INVALID, "lone surrogate \\u%04x", (unsigned)unit);
        *at += 6;
    } else if (is_low_surrogate(unit)) {
        return fail(reader, escape, STATUS_INVALID, "lone surrogate \\u%04x", (unsigned)unit);
    }
    return STATUS_OK;
}

static char *put_utf8(char *to, unsigned c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* Unescapes the checked string between its quotes. The text is never longer than its escaped form. It is kept behind
 * its offset in the source, which key_offset reads. */
static enum status unescape(struct reader *reader, const char *from, const char *end, struct bytes *out) {
    size_t offset = (size_t)(from - reader->start);
    char *memory = arena_alloc(reader->arena, sizeof offset + (size_t)(end - from));
    if (!memory) return STATUS_NO_MEMORY;
    memcpy(memory, &offset, sizeof offset);
    char *text = memory + sizeof offset, *to = text;
    while (from < end) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        if (from[1] != 'u') {
            static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
            *to++ = values[strchr(names, from[1]) - names];
            from += 2;
            continue;
        }
        int unit = hex4(from + 2, end);
        from += 6;
        unsigned c = (unsigned)unit;
        if (is_high_surrogate(unit)) {
            c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned)hex4(from + 2, end) - 0xdc00);
            from += 6;
        }
        to = put_utf8(to, c);
    }
    *out = (struct bytes){text, (size_t)(to - text)};
    return STATUS_OK;
}

/* Reads the string whose opening quote is at reader->at. */
static enum status read_string(struct reader *reader, struct bytes *out) {
    const char *open = reader->at, *at = open + 1, *end = reader->end;
    bool has_escape = false;
    for (;;) {
        at = json_skip_plain(at, end);
        if (at == end) return fail(reader, open, STATUS_INVALID, "this string does not end");
        if (*at == '"') break;
        if (*at == '\\') {
            has_escape = true;
            enum status status = check_escape(reader, &at);
            if (status) return status;
        } else if ((uint8_t)*at < ' ') {
            return fail(reader, at, STATUS_INVALID, "control character in a string: write \\u%04x", (unsigned)*at);
        } else {
            size_t step = json_utf8_step(at, end);
            if (step == 0) return fail(reader, at, STATUS_INVALID, "invalid UTF-8");
            at += step;
        }
    }
    reader->at = at + 1;
    if (has_escape) return unescape(reader, open + 1, at, out);
    *out = (struct bytes){open + 1, (size_t)(at - open - 1)};
    return STATUS_OK;
}

/* --- numbers --- */

static inline bool is_digit(const struct reader *reader, const char *at) {
    return at < reader->end && *at >= '0' && *at <= '9';
}

/* Moves over digits; false if there are none. */
static bool skip_digits(const struct reader *reader, const char **at) {
    if (!is_digit(reader, *at)) return false;
    while (is_digit(reader, *at))
        ++*at;
    return true;
}

/* Reads the fraction and exponent behind the integer part that ends at `at`, and the value of it all. */
static enum status read_long_number(struct reader *reader, const char *at, struct json_value *value) {
    const char *start = reader->at;
    if (at < reader->end && *at == '.') {
        at++;
        if (!skip_digits(reader, &at)) return reader->at = at, fail_expected(reader, "a digit");
    }
    if (at < reader->end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < reader->end && (*at == '+' || *at == '-')) at++;
        if (!skip_digits(reader, &at)) return reader->at = at, fail_expected(reader, "a digit");
    }
    reader->at = at;
    struct bytes text = {start, (size_t)(at - start)};
    value->is_integer = json_number_integer(text, &value->integer);
    if (value->is_integer) return STATUS_OK;
    enum status status = json_number_double(text, reader->arena, &value->number);
    if (status == STATUS_INVALID) return fail(reader, start, status, "number too large");
    return status;
}

static enum status read_number(struct reader *reader, struct json_value *value) {
    const char *at = reader->at;
    value->kind = JSON_NUMBER;
    bool is_negative = *at == '-';
    at += is_negative;
    const char *digits = at;
    int64_t integer = 0;
    while (is_digit(reader, at) && at - digits < FAST_DIGITS_MAX)
        integer = integer * 10 + (*at++ - '0');
    if (at == digits) return reader->at = at, fail_expected(reader, "a digit");
    bool has_more = skip_digits(reader, &at);
    if (*digits == '0' && at - digits > 1) return fail(reader, digits, STATUS_INVALID, "a number starts with 0");
    if (has_more || (at < reader->end && (*at == '.' || *at == 'e' || *at == 'E')))
        return read_long_number(reader, at, value);
    value->is_integer = true;
    value->integer = is_negative ? -integer : integer;
    reader->at = at;
    return STATUS_OK;
}

/* --- values --- */

static enum status read_value(struct reader *reader, struct json_value *value);

static enum status read_literal(struct reader *reader, struct bytes name, enum json_kind kind,
                                struct json_value *value) {
    size_t left = (size_t)(reader->end - reader->at);
    if (left < name.size || memcmp(reader->at, name.data, name.size) != 0) return fail_expected(reader, "a value");
    reader->at += name.size;
    value->kind = kind;
    return STATUS_OK;
}

/* Makes the next value of an array or object. */
static enum status new_value(struct reader *reader, struct json_value **value_out) {
    if (reader->value_count == JSON_VALUES_MAX)
        return fail(reader, reader->at, STATUS_TOO_LARGE, "more than %d values", JSON_VALUES_MAX);
    struct json_value *value = arena_alloc(reader->arena, sizeof *value);
    if (!value) return STATUS_NO_MEMORY;
    *value = (struct json_value){0};
    reader->value_count++;
    *value_out = value;
    return STATUS_OK;
}

/* Enters the array or object whose bracket is at reader->at. */
static enum status enter(struct reader *reader) {
    if (reader->depth == JSON_DEPTH_MAX)
        return fail(reader, reader->at, STATUS_TOO_LARGE, "nested deeper than %d levels", JSON_DEPTH_MAX);
    reader->depth++;
    reader->at++;
    return STATUS_OK;
}

static enum status read_array(struct reader *reader, struct json_value *array) {
    enum status status = enter(reader);
    if (status) return status;
    array->kind = JSON_ARRAY;
    struct json_value **link = &array->first;
    bool is_empty = take(reader, ']');
    while (!is_empty) {
        struct json_value *value;
        skip_space(reader);
        if ((status = new_value(reader, &value)) || (status = read_value(reader, value))) return status;
        *link = value;
        link = &value->next;
        array->count++;
        if (take(reader, ']')) break;
        if (!take(reader, ',')) return fail_expected(reader, "',' or ']'");
    }
    reader->depth--;
    return STATUS_OK;
}

/* Where the text of a key stands in the source: see unescape. */
static const char *key_position(const struct reader *reader, struct bytes key) {
    if (key.data >= reader->start && key.data <= reader->end) return key.data - 1;
    size_t offset;
    memcpy(&offset, key.data - sizeof offset, sizeof offset);
    return reader->start + offset - 1;
}

static enum status fail_duplicate(struct reader *reader, const char *at, struct bytes key) {
    size_t shown = key.size;
    if (shown > SHOWN_KEY_MAX)
        for (shown = SHOWN_KEY_MAX; ((uint8_t)key.data[shown] & 0xc0) == 0x80;)
            shown--; /* not inside a character */
    return fail(reader, at, STATUS_INVALID, "duplicate key \"%.*s%s\"", (int)shown, key.data,
                shown < key.size ? "..." : "");
}

static int compare_keys(const void *a, const void *b) {
    struct bytes key_a = (*(const struct json_value *const *)a)->key;
    struct bytes key_b = (*(const struct json_value *const *)b)->key;
    int order = memcmp(key_a.data, key_b.data, key_a.size < key_b.size ? key_a.size : key_b.size);
    return order ? order : (key_a.size > key_b.size) - (key_a.size < key_b.size);
}

/* Looks for duplicate keys in an object of many members, and names the one that is found first in the text. */
static enum status check_many_keys(struct reader *reader, const struct json_value *object) {
    const struct json_value **sorted = arena_alloc(reader->arena, object->count * sizeof *sorted);
    if (!sorted) return STATUS_NO_MEMORY;
    size_t count = 0;
    for (const struct json_value *member = object->first; member; member = member->next)
        sorted[count++] = member;
    qsort(sorted, count, sizeof *sorted, compare_keys);
    const char *first_repeat = NULL;
    struct bytes repeated = {0};
    for (size_t i = 1; i < count; i++) {
        if (!bytes_equal(sorted[i - 1]->key, sorted[i]->key)) continue;
        const char *a = key_position(reader, sorted[i - 1]->key), *b = key_position(reader, sorted[i]->key);
        const char *repeat = a > b ? a : b;
        if (first_repeat && repeat > first_repeat) continue;
        first_repeat = repeat;
        repeated = sorted[i]->key;
    }
    return first_repeat ? fail_duplicate(reader, first_repeat, repeated) : STATUS_OK;
}

static enum status read_key(struct reader *reader, const struct json_value *object, struct bytes *key_out) {
    skip_space(reader);
    const char *at = reader->at;
    if (at == reader->end || *at != '"') return fail_expected(reader, "a key in double quotes");
    enum status status = read_string(reader, key_out);
    if (status) return status;
    if (object->count <= LINEAR_KEYS_MAX)
        for (const struct json_value *member = object->first; member; member = member->next)
            if (bytes_equal(member->key, *key_out)) return fail_duplicate(reader, at, *key_out);
    if (!take(reader, ':')) return fail_expected(reader, "':'");
    return STATUS_OK;
}

static enum status read_object(struct reader *reader, struct json_value *object) {
    enum status status = enter(reader);
    if (status) return status;
    object->kind = JSON_OBJECT;
    struct json_value **link = &object->first;
    bool is_empty = take(reader, '}');
    while (!is_empty) {
        struct json_value *member;
        struct bytes key = {0};
        if ((status = read_key(reader, object, &key))) return status;
        skip_space(reader);
        if ((status = new_value(reader, &member))) return status;
        member->key = key;
        if ((status = read_value(reader, member))) return status;
        *link = member;
        link = &member->next;
        object->count++;
        if (take(reader, '}')) break;
        if (!take(reader, ',')) return fail_expected(reader, "',' or '}'");
    }
    reader->depth--;
    return object->count > LINEAR_KEYS_MAX + 1 ? check_many_keys(reader, object) : STATUS_OK;
}

/* Reads the value at reader->at (white space is skipped already). */
static enum status read_value(struct reader *reader, struct json_value *value) {
    if (reader->at == reader->end) return fail_expected(reader, "a value");
    switch (*reader->at) {
    case '"': value->kind = JSON_STRING; return read_string(reader, &value->string);
    case '{': return read_object(reader, value);
    case '[': return read_array(reader, value);
    case 't': return read_literal(reader, BYTES("true"), JSON_TRUE, value);
    case 'f': return read_literal(reader, BYTES("false"), JSON_FALSE, value);
    case 'n': return read_literal(reader, BYTES("null"), JSON_NULL, value);
    default: break;
    }
    if (*reader->at == '-' || is_digit(reader, reader->at)) return read_number(reader, value);
    return fail_expected(reader, "a value");
}

enum status json_read(struct bytes source, struct arena *arena, struct json_value **value_out,
                      struct json_error *error_out) {
    static const char nothing[1] = "";
    const char *start = source.data ? source.data : nothing;
    struct reader reader = {
        .start = start, .at = start, .end = start + source.size, .arena = arena, .error = error_out};
    struct json_value *value;
    skip_space(&reader);
    enum status status = new_value(&reader, &value);
    if (status || (status = read_value(&reader, value))) return status;
    skip_space(&reader);
    if (reader.at != reader.end) return fail(&reader, reader.at, STATUS_INVALID, "more text after the value");
    *value_out = value;
    return STATUS_OK;
}

const struct json_value *json_member(const struct json_value *object, const char *key) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    struct bytes wanted = bytes_of(key);
    for (const struct json_value *member = object->first; member; member = member->next)
        if (bytes_equal(member->key, wanted)) return member;
    return NULL;
}

enum status json_member_string(const struct json_value *object, const char *key, struct bytes *out) {
    const struct json_value *member = json_member(object, key);
    if (!member || member->kind != JSON_STRING) return STATUS_INVALID;
    *out = member->string;
    return STATUS_OK;
}

enum status json_member_integer(const struct json_value *object, const char *key, int64_t *out) {
    const struct json_value *member = json_member(object, key);
    if (!member || member->kind != JSON_NUMBER || !member->is_integer) return STATUS_INVALID;
    *out = member->integer;
    return STATUS_OK;
}
