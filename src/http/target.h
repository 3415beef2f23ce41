/* The request target (RFC 9112, 3.2): path segments and query parameters, percent-decoded. */
#ifndef ORDERLY_HTTP_TARGET_H
#define ORDERLY_HTTP_TARGET_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

#define TARGET_SEGMENTS_MAX 8
#define TARGET_QUERY_MAX 64

struct target_pair {
    struct bytes name, value;
};

struct target {
    struct bytes path;                          /* as sent, without the query; a NUL behind it */
    struct bytes authority;                     /* of the absolute form "http://authority/path"; else .data NULL */
    struct bytes segments[TARGET_SEGMENTS_MAX]; /* decoded; one slash at the end makes none */
    size_t segment_count;                       /* TARGET_SEGMENTS_MAX + 1: more than any route has */
    struct target_pair *query;
    size_t query_count;
    bool is_asterisk; /* "*": the server as a whole */
};

/* Takes the target apart. text lives in the arena, ends with a NUL and is written to. INVALID: *detail_out says why, in
 * a static text. NO_MEMORY: the arena is exhausted. */
enum status target_parse(struct target *target, char *text, struct arena *arena, const char **detail_out);

#endif
