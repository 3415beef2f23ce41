/* Strict JSON (RFC 8259 within the limits of I-JSON, RFC 7493): a reader into a tree in an arena, and a writer.
 *
 * The reader refuses what another reader might understand differently: invalid UTF-8, lone surrogates, \u0000,
 * duplicate keys (after unescaping), numbers that no double holds (1e400), anything after the value. */
#ifndef ORDERLY_BASE_JSON_H
#define ORDERLY_BASE_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"

#define JSON_DEPTH_MAX 32
#define JSON_VALUES_MAX 20000            /* values in one document */
#define JSON_INTEGER_MAX 9007199254740991 /* 2^53 - 1 */

/* An arena limit that suffices for every document of up to 1 MiB, in blocks of up to 64 KiB: with it NO_MEMORY speaks of
 * the machine, never of the document. */
#define JSON_ARENA_SIZE (8 << 20)

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* One value of the tree. Strings are unescaped; they point into the source where they had no escapes, so the source
 * must live as long as the tree. */
struct json_value {
    enum json_kind kind;
    bool is_integer;         /* NUMBER: a whole number within +-JSON_INTEGER_MAX ("2.0" and "2e0" are 2) */
    struct bytes key;        /* inside an object */
    struct json_value *next; /* the next value of the same array or object */
    union {
        struct bytes string;
        int64_t integer; /* if is_integer */
        double number;   /* else */
        struct {
            struct json_value *first;
            size_t count;
        };
    };
};

/* Where and why the text is not the JSON we take. */
struct json_error {
    size_t offset; /* bytes from the start of the source */
    unsigned line, column; /* from 1; column counts bytes */
    char text[160]; /* what is wrong: "duplicate key \"item\"" */
};

/* Reads one document. INVALID: not JSON (see error_out, may be NULL). TOO_LARGE: deeper or more values than allowed
 * (also explained in error_out). NO_MEMORY: the arena is exhausted. *value_out is untouched on failure. */
enum status json_read(struct bytes source, struct arena *arena, struct json_value **value_out, struct json_error *error_out);

/* The member of an object with that key, or NULL (also if value is NULL or no object). */
const struct json_value *json_member(const struct json_value *object, const char *key);

/* The string or integer of a member; INVALID if it is absent or of another kind; output untouched then. */
enum status json_member_string(const struct json_value *object, const char *key, struct bytes *out);
enum status json_member_integer(const struct json_value *object, const char *key, int64_t *out);

/* True if bytes is valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool json_utf8_is_valid(struct bytes bytes);

/* The number of Unicode scalar values in valid UTF-8. */
size_t json_utf8_length(struct bytes bytes);

/* --- Writing: commas are set by the writer; nesting up to JSON_DEPTH_MAX; failures stick in the buffer. --- */
struct json_writer {
    struct buffer *buffer;
    unsigned depth;
    bool has_value[JSON_DEPTH_MAX + 1];
};

void json_writer_init(struct json_writer *writer, struct buffer *buffer);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *key); /* then exactly one value */
void json_key_bytes(struct json_writer *writer, struct bytes key); /* a key that is data: valid UTF-8 */
void json_string(struct json_writer *writer, struct bytes value); /* valid UTF-8; escapes what must be */
void json_text(struct json_writer *writer, const char *value);
void json_integer(struct json_writer *writer, int64_t value);
void json_double(struct json_writer *writer, double value); /* finite, else null; shortest form that reads back */
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
void json_raw(struct json_writer *writer, struct bytes json); /* one value that is JSON already */

#endif
