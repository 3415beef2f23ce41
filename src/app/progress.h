/* The progress of a long command: a line for the person, and a file to go on from after an interruption. */
#ifndef ORDERLY_APP_PROGRESS_H
#define ORDERLY_APP_PROGRESS_H

#include "base/clock.h"
#include "base/status.h"

/* Prints "imported 12,000 (8,100/s, 43 %, 2 s left)" to stderr: rewritten in place on a terminal, else every 5 s. */
struct progress {
    const char *verb; /* "imported" */
    const struct clock *clock;
    int64_t started_ns, printed_ns;
    int64_t started_bytes; /* where this run began, for the time left */
    uint64_t count;
    bool is_terminal;
};

void progress_start(struct progress *progress, const char *verb, const struct clock *clock, int64_t started_bytes);
/* done_bytes of total_bytes: for the share and the time left; total 0: unknown. Cheap enough to call often. */
void progress_show(struct progress *progress, uint64_t count, int64_t done_bytes, int64_t total_bytes);
void progress_end(struct progress *progress, uint64_t count); /* the final line */

/* --- the file: written to a temporary name, synced, renamed; so it is whole or the former one --- */

#define PROGRESS_MARK_MAX 128
struct progress_mark {
    int64_t offset_bytes; /* of the data file: everything before it is done */
    uint64_t count;       /* lines or orders before it */
    uint8_t cursor[PROGRESS_MARK_MAX];
    size_t cursor_size;
};

/* NOT_FOUND: there is no such file. INVALID: it is none of ours. */
enum status progress_read(const char *path, struct progress_mark *mark_out, struct error *error);
enum status progress_write(const char *path, const struct progress_mark *mark, struct error *error);

#endif
