/* Replies of the Redis protocol (RESP2), read as they come: only their kind and the text of errors is kept.
 *
 * The parser is fed with whatever a read brought; values are skipped in place and never copied. */
#ifndef ORDERLY_HOTKEY_RESP_H
#define ORDERLY_HOTKEY_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESP_LINE_MAX 160               /* of a line that came in pieces; the rest of an error's text is left out */
#define RESP_ELEMENTS_MAX (1u << 20)    /* of one reply, arrays within arrays together */
#define RESP_BULK_MAX (512u << 20)      /* Redis's own limit */

enum resp_kind { RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_BULK, RESP_NIL, RESP_ARRAY };

struct resp_parser {
    uint64_t skip;     /* bytes of a value still to come, with its CRLF */
    uint32_t elements; /* of the reply still to come; 0 between replies */
    uint8_t kind;      /* of the reply: that of its first element */
    uint16_t line_size;
    char line[RESP_LINE_MAX]; /* the beginning of a line whose end has not come */
};

enum resp_result { RESP_MORE, RESP_DONE, RESP_BAD };

void resp_init(struct resp_parser *parser);

/* Reads on from *at up to end. DONE: a reply is complete, *kind_out says which, *at is behind it; of an error *text_out and
 * *text_size_out are its line (valid until the next call). MORE: all is taken. BAD: this is not RESP2. */
enum resp_result resp_next(struct resp_parser *parser, const char **at, const char *end, enum resp_kind *kind_out,
                           const char **text_out, size_t *text_size_out);

/* Writes number in decimal, returns its digits (at most 20). */
size_t resp_put_number(char *to, uint64_t number);

#endif
