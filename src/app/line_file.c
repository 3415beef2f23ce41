/* Lines from a file, with their numbers and offsets. */
#include "app/line_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

enum status line_file_open(struct line_file *lines, const char *path, size_t line_max, struct error *error) {
    *lines = (struct line_file){.path = path, .line_max = line_max};
    lines->file = fopen(path, "re");
    struct stat info;
    if (!lines->file || fstat(fileno(lines->file), &info) != 0) {
        int code = errno;
        line_file_close(lines);
        return error_set_errno(error, code == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, code, "%s", path);
    }
    if (!S_ISREG(info.st_mode)) {
        line_file_close(lines);
        return error_set(error, STATUS_INVALID, "%s is no regular file", path);
    }
    lines->size_bytes = info.st_size;
    return STATUS_OK;
}

void line_file_close(struct line_file *lines) {
    if (lines->file) fclose(lines->file);
    free(lines->line);
    lines->file = NULL;
    lines->line = NULL;
}

enum status line_file_seek(struct line_file *lines, int64_t offset_bytes, uint64_t number, struct error *error) {
    if (offset_bytes > lines->size_bytes || fseeko(lines->file, offset_bytes, SEEK_SET) != 0)
        return error_set(error, STATUS_INVALID, "%s is shorter than it was", lines->path);
    lines->offset_bytes = offset_bytes;
    lines->number = number;
    return STATUS_OK;
}

enum status line_file_next(struct line_file *lines, struct bytes *line_out, struct error *error) {
    ssize_t size = getline(&lines->line, &lines->capacity, lines->file);
    if (size < 0) {
        if (ferror(lines->file)) return error_set_errno(error, STATUS_IO, errno, "%s", lines->path);
        return error_set(error, STATUS_NOT_FOUND, "the end of the file");
    }
    lines->number++;
    lines->offset_bytes += size;
    if ((size_t)size > lines->line_max)
        return error_set(error, STATUS_TOO_LARGE, "line %" PRIu64 " has more than %zu bytes", lines->number,
                         lines->line_max);
    if (size > 0 && lines->line[size - 1] == '\n') size--;
    if (size > 0 && lines->line[size - 1] == '\r') size--;
    *line_out = (struct bytes){lines->line, (size_t)size};
    return STATUS_OK;
}
