/* Reading a file of lines with a limit on each, from a known offset. */
#ifndef ORDERLY_APP_LINE_FILE_H
#define ORDERLY_APP_LINE_FILE_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/status.h"

struct line_file {
    FILE *file;
    const char *path; /* borrowed */
    char *line;
    size_t capacity, line_max;
    int64_t size_bytes;   /* of the file */
    int64_t offset_bytes; /* after the line read last */
    uint64_t number;      /* of the line read last, from 1 */
};

/* Opens a regular file; lines above line_max bytes are refused. */
enum status line_file_open(struct line_file *lines, const char *path, size_t line_max, struct error *error);
void line_file_close(struct line_file *lines); /* a zeroed one is fine */

/* Goes to an offset that follows line `number`. */
enum status line_file_seek(struct line_file *lines, int64_t offset_bytes, uint64_t number, struct error *error);

/* The next line without its newline, valid until the next call. NOT_FOUND at the end; TOO_LARGE. */
enum status line_file_next(struct line_file *lines, struct bytes *line_out, struct error *error);

#endif
