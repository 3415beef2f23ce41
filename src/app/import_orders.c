/* Import through the log: each line becomes a create whose ids follow from the import's name and the line's number. */
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "app/import.h"
#include "app/progress.h"
#include "app/waiting.h"
#include "order/command.h"
#include "order/input.h"

#define IMPORT_BATCH 512
#define IMPORT_BATCH_BYTES (4u << 20)
#define IMPORT_MARK_EVERY 16 /* batches between two marks */
#define IMPORT_COMPLAINTS_MAX 10
#define IMPORT_WAIT_MS 500 /* between tries while the log takes nothing */
#define IMPORT_TRIES_MAX 600

struct import {
    struct app *app;
    struct engine *engine;
    struct line_file *lines;
    const char *import_id;
    struct arena arena;   /* of one line */
    struct buffer values; /* commands of the batch, one after the other */
    struct event_log_record records[IMPORT_BATCH];
    size_t value_offsets[IMPORT_BATCH + 1];
    char keys[IMPORT_BATCH][UUID_TEXT_SIZE];
    size_t count;
    struct waiting waiting;
};

/* UUIDv8: 60 bits of SHA-256(purpose, import id), then the line's number. The ids of one import follow each other, so
 * that an ordered store appends them instead of scattering them over all of its pages. */
static struct uuid derive_uuid(const char *purpose, const char *import_id, uint64_t number) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)import_id, strlen(import_id) + 1);
    crypto_hash_sha256_final(&state, hash);
    bytes_put_u64(hash + 8, number);
    return uuid_make_v8(hash);
}

/* Reads and checks one line. INVALID: error names the line and its first bad field. */
static enum status read_line(struct import *import, struct bytes line, struct input_create *create,
                             struct error *error) {
    struct json_value *value;
    struct json_error json_error;
    struct input_errors errors;
    arena_reset(&import->arena);
    enum status status = json_read(line, &import->arena, &value, &json_error);
    if (status == STATUS_INVALID || status == STATUS_TOO_LARGE)
        return error_set(error, STATUS_INVALID, "line %" PRIu64 ", column %u: %s", import->lines->number,
                         json_error.column, json_error.text);
    if (status == STATUS_OK)
        status = input_read_create(value, INPUT_ORDERS, config_text(import->app->config, SETTING_CURRENCY),
                                   &import->arena, create, &errors);
    if (status == STATUS_INVALID)
        return error_set(error, status, "line %" PRIu64 ", %.*s: %s", import->lines->number,
                         (int)errors.list[0].pointer.size, errors.list[0].pointer.data, errors.list[0].detail);
    return status == STATUS_OK ? status : error_set(error, status, "out of memory");
}

/* Every line, before anything is sent: the first few bad ones are printed. */
static enum status check_all(struct import *import, struct error *error) {
    uint64_t bad = 0;
    struct bytes line;
    struct input_create create;
    struct progress progress;
    enum status status;
    progress_start(&progress, "checked", import->app->clock, 0);
    while ((status = line_file_next(import->lines, &line, error)) == STATUS_OK || status == STATUS_TOO_LARGE) {
        if (status == STATUS_OK) status = read_line(import, line, &create, error);
        if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_TOO_LARGE) return status;
        if (status != STATUS_OK && ++bad <= IMPORT_COMPLAINTS_MAX) app_complain("import", error);
        progress_show(&progress, import->lines->number, import->lines->offset_bytes, import->lines->size_bytes);
    }
    if (status != STATUS_NOT_FOUND) return status;
    if (bad) return error_set(error, STATUS_INVALID, "%" PRIu64 " bad lines; nothing was imported", bad);
    return line_file_seek(import->lines, 0, 0, error);
}

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    waiting_finish(append->data, status, error_text);
}

/* Appends the batch and waits. The log refuses new work while it is full or away: waits and tries again, for some
 * minutes; an unknown outcome is repeated too, since the ids make a double impossible. */
static enum status send(struct import *import, struct error *error) {
    for (size_t i = 0; i < import->count; i++)
        import->records[i].value = (struct bytes){import->values.data + import->value_offsets[i],
                                                  import->value_offsets[i + 1] - import->value_offsets[i]};
    enum status status = STATUS_OK;
    for (int tries = 0; tries < IMPORT_TRIES_MAX && import->count > 0; tries++) {
        struct event_log_append append = {.topic = TOPIC_COMMANDS,
                                          .records = import->records,
                                          .count = import->count,
                                          .done = append_done,
                                          .data = &import->waiting};
        waiting_prepare(&import->waiting);
        event_log_append(import->engine->log, &append);
        status = waiting_result(&import->waiting, error);
        if (!status_retry_is_safe(status) && status != STATUS_UNKNOWN) break;
        poll(NULL, 0, IMPORT_WAIT_MS);
    }
    import->count = 0;
    buffer_reset(&import->values);
    return status;
}

static enum status add(struct import *import, const struct input_create *create, struct error *error) {
    const uint64_t number = import->lines->number;
    size_t i = import->count;
    struct command command = {
        .kind = COMMAND_CREATE,
        .rules = ORDER_RULES_CURRENT,
        .order_id = create->has_order_id ? create->order.order_id : derive_uuid("order", import->import_id, number),
        .command_id = derive_uuid("command", import->import_id, number),
        .attempt_id = uuid_make_v4(import->app->random),
        .time_ms = clock_wall_ms(import->app->clock),
        .order = create->order,
    };
    command.order.order_id = command.order_id;
    command_fingerprint(&command, command.fingerprint);
    uuid_format(&command.order_id, import->keys[i]);
    import->value_offsets[i] = import->values.size;
    command_write(&import->values, &command);
    import->value_offsets[i + 1] = import->values.size;
    import->records[i] = (struct event_log_record){.partition = -1, .key = bytes_of(import->keys[i])};
    import->count++;
    if (import->values.status != STATUS_OK) return error_set(error, import->values.status, "out of memory");
    return STATUS_OK;
}

static enum status send_all(struct import *import, const char *mark_path, struct error *error) {
    struct progress progress;
    struct bytes line;
    struct input_create create;
    unsigned batches = 0;
    progress_start(&progress, "imported", import->app->clock, import->lines->offset_bytes);
    progress.count = import->lines->number;
    enum status status;
    while ((status = line_file_next(import->lines, &line, error)) == STATUS_OK) {
        status = read_line(import, line, &create, error);
        if (status == STATUS_OK) status = add(import, &create, error);
        if (status == STATUS_OK && (import->count == IMPORT_BATCH || import->values.size > IMPORT_BATCH_BYTES)) {
            status = send(import, error);
            const struct progress_mark mark = {.offset_bytes = import->lines->offset_bytes,
                                               .count = import->lines->number};
            if (status == STATUS_OK && ++batches % IMPORT_MARK_EVERY == 0)
                status = progress_write(mark_path, &mark, error);
        }
        if (status != STATUS_OK) return status;
        progress_show(&progress, import->lines->number, import->lines->offset_bytes, import->lines->size_bytes);
    }
    if (status == STATUS_NOT_FOUND) status = send(import, error);
    if (status == STATUS_OK) progress_end(&progress, import->lines->number);
    return status;
}

enum status import_orders(struct app *app, struct engine *engine, struct line_file *lines, const char *import_id,
                          const char *mark_path, struct error *error) {
    struct import *import = calloc(1, sizeof *import);
    if (!import) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    *import = (struct import){.app = app, .engine = engine, .lines = lines, .import_id = import_id};
    arena_init(&import->arena, 64 << 10, 16 << 20);
    buffer_init(&import->values, IMPORT_BATCH_BYTES + COMMAND_TEXT_MAX);
    waiting_init(&import->waiting);
    struct progress_mark mark = {0};
    enum status status = progress_read(mark_path, &mark, error);
    if (status == STATUS_NOT_FOUND) status = check_all(import, error);
    if (status == STATUS_OK) status = line_file_seek(lines, mark.offset_bytes, mark.count, error);
    if (status == STATUS_OK) status = send_all(import, mark_path, error);
    waiting_free(&import->waiting);
    buffer_free(&import->values);
    arena_free(&import->arena);
    free(import);
    return status;
}
