/* `orderly export`: all orders with their history as NDJSON, page by page, holding nothing between pages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/backup.h"
#include "app/engine.h"
#include "app/progress.h"
#include "app/waiting.h"

#define EXPORT_PAGE 256      /* orders read at once */
#define EXPORT_MARK_EVERY 16 /* pages between two marks */
#define EXPORT_BUFFER_MAX (64u << 20)

struct export {
    struct app *app;
    struct order_store *store;
    FILE *file;
    char mark_path[4096]; /* "" on standard output */
    struct waiting waiting;
    struct buffer lines;
    struct order_store_cursor next;
    struct uuid ids[EXPORT_PAGE];
    size_t id_count;
    uint32_t next_version; /* of the order being written */
    size_t row_count;      /* of the last page of history */
    uint64_t count;
};

static void scan_done(struct order_store_scan *scan, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    struct export *export = scan->data;
    if (status == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            export->ids[i] = orders[i].order_id;
        export->id_count = count;
        export->next = *next;
    }
    waiting_finish(&export->waiting, status, error_text);
}

static void history_done(struct order_store_history *history, enum status status, const struct history_row *rows,
                         size_t count, const char *error_text) {
    struct export *export = history->data;
    export->row_count = count;
    if (status == STATUS_OK && count > 0) {
        backup_write(&export->lines, rows, count);
        export->next_version = rows[count - 1].order.version + 1;
    }
    waiting_finish(&export->waiting, status, error_text);
}

/* Writes one order's lines into the buffer. */
static enum status write_order(struct export *export, const struct uuid *order_id, struct error *error) {
    export->next_version = 1;
    do {
        struct order_store_history history = {.order_id = *order_id,
                                              .from_version = export->next_version,
                                              .limit = BACKUP_ROWS_MAX,
                                              .done = history_done,
                                              .data = export};
        waiting_prepare(&export->waiting);
        order_store_history(export->store, &history);
        enum status status = waiting_result(&export->waiting, error);
        if (status != STATUS_OK) return status;
    } while (export->row_count == BACKUP_ROWS_MAX);
    return export->lines.status;
}

static enum status write_page(struct export *export, struct error *error) {
    struct order_store_scan scan = {.cursor = export->next, .limit = EXPORT_PAGE, .done = scan_done, .data = export};
    waiting_prepare(&export->waiting);
    order_store_scan(export->store, &scan);
    enum status status = waiting_result(&export->waiting, error);
    for (size_t i = 0; i < export->id_count && status == STATUS_OK; i++) {
        status = write_order(export, &export->ids[i], error);
        if (status == STATUS_OK &&
            fwrite(export->lines.data, 1, export->lines.size, export->file) != export->lines.size)
            status = error_set_errno(error, STATUS_IO, errno, "writing");
        buffer_reset(&export->lines);
    }
    if (status == STATUS_OK) export->count += export->id_count;
    return status;
}

/* Makes what was written durable and notes how far it goes. */
static enum status mark(struct export *export, struct error *error) {
    if (fflush(export->file) != 0) return error_set_errno(error, STATUS_IO, errno, "writing");
    if (!export->mark_path[0]) return STATUS_OK;
    if (fdatasync(fileno(export->file)) != 0) return error_set_errno(error, STATUS_IO, errno, "syncing");
    struct progress_mark mark = {
        .offset_bytes = ftello(export->file), .count = export->count, .cursor_size = export->next.size};
    memcpy(mark.cursor, export->next.bytes, export->next.size);
    return progress_write(export->mark_path, &mark, error);
}

static enum status write_all(struct export *export, struct error *error) {
    struct progress progress;
    progress_start(&progress, "exported", export->app->clock, 0);
    progress.count = export->count;
    enum status status = STATUS_OK;
    unsigned pages = 0;
    do {
        status = write_page(export, error);
        if (status == STATUS_OK && ++pages % EXPORT_MARK_EVERY == 0 && export->next.size) status = mark(export, error);
        progress_show(&progress, export->count, 0, 0);
    } while (status == STATUS_OK && export->next.size > 0);
    if (status == STATUS_OK) status = mark(export, error);
    if (status == STATUS_OK) {
        progress_end(&progress, export->count);
        if (export->mark_path[0]) unlink(export->mark_path);
    }
    return status;
}

/* Opens FILE, anew or where an interrupted export of it stopped. */
static enum status open_file(struct export *export, const char *path, struct error *error) {
    if (!strcmp(path, "-")) {
        export->file = stdout;
        return STATUS_OK;
    }
    if (snprintf(export->mark_path, sizeof export->mark_path, "%s.progress", path) >= (int)sizeof export->mark_path)
        return error_set(error, STATUS_INVALID, "the path is too long");
    struct progress_mark mark = {0};
    enum status status = progress_read(export->mark_path, &mark, error);
    bool resumes = status == STATUS_OK;
    if (!resumes && status != STATUS_NOT_FOUND) return status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (resumes ? 0 : O_EXCL), 0600);
    if (fd < 0 && errno == EEXIST) return error_set(error, STATUS_CONFLICT, "%s exists: it is not overwritten", path);
    if (fd < 0 || !(export->file = fdopen(fd, "w"))) {
        int code = errno;
        if (fd >= 0) close(fd);
        return error_set_errno(error, STATUS_IO, code, "%s", path);
    }
    if (resumes && (ftruncate(fd, mark.offset_bytes) != 0 || fseeko(export->file, mark.offset_bytes, SEEK_SET) != 0))
        return error_set_errno(error, STATUS_IO, errno, "%s", path);
    if (resumes) fprintf(stderr, "going on after %" PRIu64 " orders\n", mark.count);
    export->count = mark.count;
    export->next.size = mark.cursor_size <= ORDER_STORE_CURSOR_MAX ? mark.cursor_size : 0;
    memcpy(export->next.bytes, mark.cursor, export->next.size);
    /* A mark before the first page stands for an export that has not begun: the file is there from now on. */
    return progress_write(export->mark_path, &mark, error);
}

static int run(struct app *app, const char *path) {
    struct export *export = calloc(1, sizeof *export);
    struct engine engine = {0};
    struct error error = {"out of memory"};
    enum status status = export ? engine_open(app, ENGINE_EXISTING, &engine, &error) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        export->app = app;
        export->store = engine.store;
        waiting_init(&export->waiting);
        buffer_init(&export->lines, EXPORT_BUFFER_MAX);
        status = open_file(export, path, &error);
        if (status == STATUS_OK) status = write_all(export, &error);
        if (export->file && fclose(export->file) != 0 && status == STATUS_OK)
            status = error_set_errno(&error, STATUS_IO, errno, "%s", path);
        buffer_free(&export->lines);
        waiting_free(&export->waiting);
    }
    engine_close(&engine);
    free(export);
    if (status == STATUS_OK) return EXIT_OK;
    app_complain("export", &error);
    return EXIT_FAILED;
}

int command_export(int argc, char **argv) {
    const char *path = "-";
    const struct app_flag flags[] = {{"--out", "FILE", "write there (default: standard output); resumable", &path}};
    const struct app_usage usage = {
        .name = "export",
        .operands = "",
        .text = "Writes every order with its history, one JSON object a line: a backup, and the way to a cluster.\n"
                "May run while orderly serves. With --out, an interrupted export goes on where it stopped.",
        .flags = flags,
        .flag_count = 1,
    };
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) code = run(&app, path);
    app_close(&app);
    return code;
}
