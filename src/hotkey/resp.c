/* The reader of Redis replies: a small machine that survives any cut of the stream. */
#include "hotkey/resp.h"

#include <string.h>

void resp_init(struct resp_parser *parser) {
    parser->skip = 0;
    parser->elements = 0;
    parser->kind = RESP_STATUS;
    parser->line_size = 0;
}

/* A whole number with a sign, all of the line. */
static bool read_number(const char *at, size_t size, int64_t *number_out) {
    bool is_negative = size > 0 && *at == '-';
    if (is_negative) at++, size--;
    if (size == 0 || size > 18) return false;
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9') return false;
        number = number * 10 + (at[i] - '0');
    }
    *number_out = is_negative ? -number : number;
    return true;
}

/* Takes an element's line without its CRLF; false: it is not RESP2. */
static bool take_line(struct resp_parser *parser, const char *line, size_t size) {
    uint8_t kind;
    int64_t number = 0;
    if (size == 0) return false;
    switch (line[0]) {
    case '+': kind = RESP_STATUS; break;
    case '-': kind = RESP_ERROR; break;
    case ':': kind = RESP_INTEGER; break;
    case '$':
        if (!read_number(line + 1, size - 1, &number) || number < -1 || number > RESP_BULK_MAX) return false;
        kind = number < 0 ? RESP_NIL : RESP_BULK;
        if (number >= 0) parser->skip = (uint64_t)number + 2;
        break;
    case '*':
        if (!read_number(line + 1, size - 1, &number) || number < -1 || number > RESP_ELEMENTS_MAX) return false;
        kind = number < 0 ? RESP_NIL : RESP_ARRAY;
        break;
    default: return false;
    }
    if (parser->elements == 0) {
        parser->elements = 1;
        parser->kind = kind;
    }
    if (kind == RESP_ARRAY) parser->elements += (uint32_t)number;
    parser->elements--;
    return parser->elements <= RESP_ELEMENTS_MAX;
}

/* Keeps a piece of a line, as much as there is room for. */
static void keep_piece(struct resp_parser *parser, const char *at, size_t size) {
    size_t room = RESP_LINE_MAX - parser->line_size;
    if (size > room) size = room;
    memcpy(parser->line + parser->line_size, at, size);
    parser->line_size = (uint16_t)(parser->line_size + size);
}

static void skip_value(struct resp_parser *parser, const char **at, const char *end) {
    uint64_t size = (uint64_t)(end - *at);
    if (size > parser->skip) size = parser->skip;
    *at += size;
    parser->skip -= size;
}

enum resp_result resp_next(struct resp_parser *parser, const char **at, const char *end, enum resp_kind *kind_out,
                           const char **text_out, size_t *text_size_out) {
    for (;;) {
        bool is_within = parser->elements > 0 || parser->skip > 0;
        if (parser->skip) {
            skip_value(parser, at, end);
            if (parser->skip) return RESP_MORE;
            if (parser->elements == 0) break;
        }
        if (*at == end) return RESP_MORE;
        const char *newline = memchr(*at, '\n', (size_t)(end - *at));
        if (!newline) {
            keep_piece(parser, *at, (size_t)(end - *at));
            *at = end;
            return RESP_MORE;
        }
        const char *line = *at;
        size_t size = (size_t)(newline - line);
        if (parser->line_size) {
            keep_piece(parser, line, size);
            line = parser->line;
            size = parser->line_size;
            parser->line_size = 0;
        }
        *at = newline + 1;
        if (size > 0 && line[size - 1] == '\r') size--;
        if (!take_line(parser, line, size)) return RESP_BAD;
        if (!is_within && parser->kind == RESP_ERROR) {
            *text_out = line + 1;
            *text_size_out = size - 1;
        }
        if (parser->elements == 0 && parser->skip == 0) break;
    }
    *kind_out = parser->kind;
    return RESP_DONE;
}

size_t resp_put_number(char *to, uint64_t number) {
    char digits[20];
    size_t size = 0;
    do {
        digits[sizeof digits - ++size] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(to, digits + sizeof digits - size, size);
    return size;
}
