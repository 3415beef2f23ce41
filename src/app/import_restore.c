/* Import of a backup: history rows straight into the store, while nothing else processes orders. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/backup.h"
#include "app/import.h"
#include "app/progress.h"
#include "app/waiting.h"
#include "pipeline/pipeline.h"

#define RESTORE_BATCH 512 /* rows in one apply */
#define RESTORE_ARENA_MAX (128u << 20)
#define RESTORE_TEXT_MAX (8u << 20) /* bytes of lines in one batch */
#define RESTORE_MARK_EVERY 16
#define RESTORE_JOIN_MS 5000

struct restore {
    struct app *app;
    struct order_store *store;
    struct line_file *lines;
    struct arena arena, previous_arena; /* of the batch; of the last order before it */
    struct history_row rows[RESTORE_BATCH + BACKUP_ROWS_MAX];
    struct order_store_change changes[RESTORE_BATCH + BACKUP_ROWS_MAX];
    struct order previous; /* the last order of the former batch: a long history goes on in this one */
    bool has_previous;
    size_t count;
    size_t text_bytes;
    struct waiting waiting;
};

/* Joins the pipeline's group until every partition is ours: then no consumer runs, and none can begin. */
static enum status take_all_partitions(struct restore *restore, struct event_log *log,
                                       struct event_log_consumer *consumer, struct error *error) {
    int64_t end_ns = clock_monotonic_ns(restore->app->clock) + RESTORE_JOIN_MS * INT64_C(1000000);
    int32_t assigned = 0;
    for (int32_t i = 0; i < log->partition_count; i++)
        event_log_pause(consumer, i, true);
    while (assigned < log->partition_count) {
        struct event_log_poll poll;
        enum status status = event_log_poll(consumer, 50, &poll, error);
        if (status != STATUS_OK && status != STATUS_UNAVAILABLE) return status;
        if (status == STATUS_OK && poll.kind == POLL_RECORDS) event_log_batch_free(poll.batch);
        if (status == STATUS_OK && poll.kind == POLL_ASSIGNED) {
            event_log_pause(consumer, poll.partition, true);
            assigned++;
        }
        if (clock_monotonic_ns(restore->app->clock) > end_ns)
            return error_set(error, STATUS_BUSY,
                             "a consumer is running: stop `orderly serve` and `orderly consumer` first, then restore");
    }
    return STATUS_OK;
}

/* Orders in the log that were not processed yet would meet restored rows as if these had been there before. */
static enum status check_nothing_waits(struct event_log *log, struct error *error) {
    for (int32_t partition = 0; partition < log->partition_count; partition++) {
        int64_t first, end, next = 0;
        enum status status = event_log_range(log, TOPIC_COMMANDS, partition, 5000, &first, &end, error);
        if (status != STATUS_OK) return status;
        status = event_log_committed(log, PIPELINE_GROUP, TOPIC_COMMANDS, partition, 5000, &next, error);
        if (status == STATUS_NOT_FOUND)
            next = first;
        else if (status != STATUS_OK)
            return status;
        if (next < end)
            return error_set(error, STATUS_BUSY,
                             "%" PRId64 " commands of partition %d are not processed yet: run `orderly consumer` until "
                             "they are, then restore",
                             end - next, (int)partition);
    }
    return STATUS_OK;
}

static void apply_done(struct order_store_apply *apply, enum status status, const char *error_text) {
    waiting_finish(apply->data, status, error_text);
}

/* Writes the batch; keeps a copy of its last order, in case the next line goes on with it. */
static enum status write_batch(struct restore *restore, struct error *error) {
    if (restore->count == 0) return STATUS_OK;
    struct order_store_apply apply = {
        .changes = restore->changes, .count = restore->count, .done = apply_done, .data = &restore->waiting};
    waiting_prepare(&restore->waiting);
    order_store_apply(restore->store, &apply);
    enum status status = waiting_result(&restore->waiting, error);
    if (status != STATUS_OK) return status;
    arena_reset(&restore->previous_arena);
    status = order_copy(&restore->rows[restore->count - 1].order, &restore->previous_arena, &restore->previous);
    if (status != STATUS_OK) return error_set(error, status, "out of memory");
    restore->has_previous = true;
    restore->count = 0;
    restore->text_bytes = 0;
    arena_reset(&restore->arena);
    return STATUS_OK;
}

static enum status add_line(struct restore *restore, struct bytes line, struct error *error) {
    struct history_row *rows = &restore->rows[restore->count];
    struct bytes text = arena_copy(&restore->arena, line); /* the rows point into it until the batch is written */
    size_t count;
    struct error detail;
    if (!text.data) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = backup_read(text, &restore->arena, rows, &count, &detail);
    if (status != STATUS_OK)
        return error_set(error, status, "line %" PRIu64 ": %s", restore->lines->number, detail.text);
    const struct order *before = NULL;
    if (rows[0].order.version > 1) {
        before = restore->count > 0 ? &rows[-1].order : restore->has_previous ? &restore->previous : NULL;
        if (!before || !uuid_equal(&before->order_id, &rows[0].order.order_id) ||
            before->version + 1 != rows[0].order.version)
            return error_set(error, STATUS_INVALID, "line %" PRIu64 ": the versions before %u are missing",
                             restore->lines->number, (unsigned)rows[0].order.version);
    }
    for (size_t i = 0; i < count; i++) {
        restore->changes[restore->count + i] = (struct order_store_change){before, &rows[i]};
        before = &rows[i].order;
    }
    restore->count += count;
    restore->text_bytes += line.size;
    return STATUS_OK;
}

static enum status restore_all(struct restore *restore, const char *mark_path, struct error *error) {
    struct progress progress;
    struct bytes line;
    unsigned batches = 0;
    progress_start(&progress, "restored lines:", restore->app->clock, restore->lines->offset_bytes);
    progress.count = restore->lines->number;
    enum status status;
    while ((status = line_file_next(restore->lines, &line, error)) == STATUS_OK) {
        status = add_line(restore, line, error);
        if (status == STATUS_OK && (restore->count >= RESTORE_BATCH || restore->text_bytes >= RESTORE_TEXT_MAX)) {
            /* A mark must lie between two orders: one whose history goes on needs the row before. */
            bool whole = restore->rows[restore->count - 1].order.version < BACKUP_ROWS_MAX;
            status = write_batch(restore, error);
            const struct progress_mark mark = {.offset_bytes = restore->lines->offset_bytes,
                                               .count = restore->lines->number};
            if (status == STATUS_OK && ++batches >= RESTORE_MARK_EVERY && whole) {
                status = progress_write(mark_path, &mark, error);
                batches = 0;
            }
        }
        if (status != STATUS_OK) return status;
        progress_show(&progress, restore->lines->number, restore->lines->offset_bytes, restore->lines->size_bytes);
    }
    if (status == STATUS_NOT_FOUND) status = write_batch(restore, error);
    if (status == STATUS_OK) progress_end(&progress, restore->lines->number);
    return status;
}

enum status import_restore(struct app *app, struct engine *engine, struct line_file *lines, const char *mark_path,
                           struct error *error) {
    struct restore *restore = calloc(1, sizeof *restore);
    if (!restore) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    *restore = (struct restore){.app = app, .store = engine->store, .lines = lines};
    arena_init(&restore->arena, 1 << 20, RESTORE_ARENA_MAX);
    arena_init(&restore->previous_arena, 64 << 10, RESTORE_ARENA_MAX);
    waiting_init(&restore->waiting);
    struct event_log_consumer *consumer = NULL;
    const struct event_log_consumer_options options = {
        .topic = TOPIC_COMMANDS, .group = PIPELINE_GROUP, .batch_max = 1};
    struct progress_mark mark = {0};
    enum status status = event_log_consumer_open(engine->log, &options, &consumer, error);
    if (status == STATUS_OK) status = take_all_partitions(restore, engine->log, consumer, error);
    if (status == STATUS_OK) status = check_nothing_waits(engine->log, error);
    if (status == STATUS_OK) {
        status = progress_read(mark_path, &mark, error);
        if (status == STATUS_NOT_FOUND) status = STATUS_OK;
    }
    if (status == STATUS_OK) status = line_file_seek(lines, mark.offset_bytes, mark.count, error);
    if (status == STATUS_OK) status = restore_all(restore, mark_path, error);
    event_log_consumer_close(consumer);
    waiting_free(&restore->waiting);
    arena_free(&restore->previous_arena);
    arena_free(&restore->arena);
    free(restore);
    return status;
}
