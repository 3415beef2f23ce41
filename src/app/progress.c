/* Progress lines and progress files. */
#include "app/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void progress_start(struct progress *progress, const char *verb, const struct clock *clock, int64_t started_bytes) {
    *progress = (struct progress){
        .verb = verb,
        .clock = clock,
        .started_ns = clock_monotonic_ns(clock),
        .started_bytes = started_bytes,
        .is_terminal = isatty(STDERR_FILENO) == 1,
    };
    progress->printed_ns = progress->started_ns;
}

static void print_line(struct progress *progress, uint64_t count, int64_t done_bytes, int64_t total_bytes, bool last) {
    double seconds = (double)(clock_monotonic_ns(progress->clock) - progress->started_ns) / 1e9;
    double rate = seconds > 0 ? (double)(count - progress->count) / seconds : 0;
    fprintf(stderr, "%s%s %" PRIu64 " (%.0f/s", progress->is_terminal ? "\r\033[K" : "", progress->verb, count, rate);
    if (total_bytes > 0 && !last) {
        double byte_rate = seconds > 0 ? (double)(done_bytes - progress->started_bytes) / seconds : 0;
        fprintf(stderr, ", %.0f %%", 100.0 * (double)done_bytes / (double)total_bytes);
        if (byte_rate > 0) fprintf(stderr, ", %.0f s left", (double)(total_bytes - done_bytes) / byte_rate);
    }
    fprintf(stderr, last ? ", %.1f s)\n" : progress->is_terminal ? ")" : ")\n", seconds);
    fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t count, int64_t done_bytes, int64_t total_bytes) {
    int64_t now_ns = clock_monotonic_ns(progress->clock);
    if (now_ns - progress->printed_ns < (progress->is_terminal ? 200 : 5000) * INT64_C(1000000)) return;
    progress->printed_ns = now_ns;
    print_line(progress, count, done_bytes, total_bytes, false);
}

void progress_end(struct progress *progress, uint64_t count) {
    print_line(progress, count, 0, 0, true);
}

enum status progress_read(const char *path, struct progress_mark *mark_out, struct error *error) {
    FILE *file = fopen(path, "re");
    if (!file) return error_set_errno(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "%s", path);
    struct progress_mark mark = {0};
    char hex[2 * PROGRESS_MARK_MAX + 1] = "";
    int fields = fscanf(file, "orderly-progress 1\noffset %" SCNd64 "\ncount %" SCNu64 "\ncursor %256[0-9a-f]",
                        &mark.offset_bytes, &mark.count, hex);
    fclose(file);
    if (fields < 2 || mark.offset_bytes < 0) return error_set(error, STATUS_INVALID, "%s is no progress file", path);
    mark.cursor_size = strlen(hex) / 2;
    for (size_t i = 0; i < mark.cursor_size; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        mark.cursor[i] = (uint8_t)byte;
    }
    *mark_out = mark;
    return STATUS_OK;
}

enum status progress_write(const char *path, const struct progress_mark *mark, struct error *error) {
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return error_set(error, STATUS_INVALID, "the path is too long: %s", path);
    FILE *file = fopen(temporary, "we");
    if (!file) return error_set_errno(error, STATUS_IO, errno, "%s", temporary);
    fprintf(file, "orderly-progress 1\noffset %" PRId64 "\ncount %" PRIu64 "\ncursor ", mark->offset_bytes,
            mark->count);
    for (size_t i = 0; i < mark->cursor_size; i++)
        fprintf(file, "%02x", mark->cursor[i]);
    fputc('\n', file);
    int failed = fflush(file) != 0 || fdatasync(fileno(file)) != 0;
    if (fclose(file) != 0 || failed || rename(temporary, path) != 0)
        return error_set_errno(error, STATUS_IO, errno, "%s", path);
    return STATUS_OK;
}
