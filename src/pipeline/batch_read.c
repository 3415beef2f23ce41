/* The first two steps of a batch: the records become commands or dead letters, and the history rows that the commands
 * are decided by are read. */
#include "pipeline/internal.h"

/* --- parse --- */

static struct item *add_item(struct batch *batch, const struct event_log_record *record) {
    struct item *item = &batch->items[batch->item_count++];
    *item = (struct item){.record = record};
    return item;
}

static enum status bury_item(struct batch *batch, struct item *item, enum dead_reason reason, const char *text) {
    struct bytes copy = arena_copy(&batch->arena, (struct bytes){text, strlen(text) + 1});
    if (!copy.data) return STATUS_NO_MEMORY;
    item->is_dead = true;
    item->dead_reason = reason;
    item->dead_text = copy.data;
    batch->dead_count++;
    return STATUS_OK;
}

/* What a command's bytes do not say about themselves: whether it lies where commands of its order must lie. */
static enum status check_place(struct batch *batch, struct item *item) {
    const struct event_log_record *record = item->record;
    char order_id[UUID_TEXT_SIZE];
    uuid_format(&item->command.order_id, order_id);
    if (!bytes_equal(record->key, bytes_of(order_id)))
        return bury_item(batch, item, DEAD_WRONG_KEY, "the key is not the order id of the command");
    int32_t partition = event_log_partition_of(record->key, batch->pipeline->partition_count);
    if (partition != batch->partition->number)
        return bury_item(batch, item, DEAD_WRONG_PARTITION, "the key belongs to another partition");
    return STATUS_OK;
}

/* OK: a command or a dead letter. UNSUPPORTED: a newer schema. NO_MEMORY. */
static enum status read_item(struct batch *batch, struct item *item) {
    struct error error = {.text = ""};
    uint32_t schema = 0;
    enum status status = command_read(item->record->value, &batch->arena, &item->command, &schema, &error);
    switch (status) {
    case STATUS_OK: return check_place(batch, item);
    case STATUS_NO_MEMORY: return status;
    case STATUS_UNSUPPORTED: batch->needs_schema = schema > 0 ? schema : UINT32_MAX; return status;
    default:
        if (item->record->value.size > COMMAND_TEXT_MAX)
            return bury_item(batch, item, DEAD_TOO_LARGE, "the message is larger than any command");
        return bury_item(batch, item, DEAD_INVALID, error.text);
    }
}

/* --- the rows wanted --- */

static void want_row(struct batch *batch, const struct uuid *order_id, uint32_t version) {
    bool is_new;
    struct row_slot *slot = row_table_add(&batch->rows, order_id, version, ROW_WANTED, &is_new);
    if (slot && is_new) batch->keys[batch->key_count++] = (struct order_store_key){*order_id, version};
}

static void want_rows(struct batch *batch, const struct command *command) {
    bool is_new;
    if (command->kind == COMMAND_CREATE && command->minted) {
        row_table_add(&batch->rows, &command->order_id, 1, ROW_PENDING, &is_new);
        return;
    }
    if (command->expected_version > 0) want_row(batch, &command->order_id, command->expected_version);
    want_row(batch, &command->order_id, command->expected_version + 1);
}

static void clear_window(struct batch *batch) {
    arena_reset(&batch->arena);
    row_table_clear(&batch->rows);
    batch->item_count = batch->dead_count = batch->key_count = batch->change_count = 0;
    batch->needs_schema = 0;
    batch->letter_value_max = EVENT_LOG_RECORD_MAX;
    batch->end = batch->begin;
}

enum progress batch_parse(struct batch *batch) {
    clear_window(batch);
    size_t end = batch->log_batch->count;
    if (end - batch->begin > batch->window_max) end = batch->begin + batch->window_max;
    for (; batch->end < end; batch->end++) {
        struct item *item = add_item(batch, &batch->log_batch->records[batch->end]);
        enum status status = read_item(batch, item);
        if (status != STATUS_OK) {
            batch->item_count--;
            if (status == STATUS_NO_MEMORY && batch->item_count == 0)
                return batch_fail(batch, status, "no memory to read a command");
            break; /* the window ends before it */
        }
        if (!item->is_dead) want_rows(batch, &item->command);
    }
    return PROGRESS_DONE;
}

/* --- read --- */

static enum status keep_row(struct batch *batch, const struct order_store_key *key, const struct history_row *found) {
    struct row_slot *slot = row_table_find(&batch->rows, &key->order_id, key->version);
    slot->state = ROW_ABSENT;
    if (!found) return STATUS_OK;
    struct history_row *row = arena_alloc(&batch->arena, sizeof *row);
    if (!row) return STATUS_NO_MEMORY;
    *row = *found;
    if (order_copy(&found->order, &batch->arena, &row->order) != STATUS_OK) return STATUS_NO_MEMORY;
    slot->row = row;
    slot->state = ROW_KNOWN;
    return STATUS_OK;
}

/* On the store's thread, to which the batch belongs until batch_completed. */
static void rows_done(struct order_store_rows *rows, enum status status, const struct history_row *const *found,
                      const char *error_text) {
    struct batch *batch = rows->data;
    for (size_t i = 0; status == STATUS_OK && i < rows->count; i++) {
        status = keep_row(batch, &rows->keys[i], found[i]);
        if (status != STATUS_OK) error_text = "no memory to keep the rows read";
    }
    batch_completed(batch, status, error_text);
}

enum progress batch_read(struct batch *batch) {
    if (batch->step_progress == 0) batch->read_at_ms = clock_wall_ms(batch->pipeline->options.clock);
    size_t left = batch->key_count - batch->step_progress;
    if (left == 0) {
        batch_decide(batch);
        return PROGRESS_DONE;
    }
    size_t count = left < ORDER_STORE_BATCH_MAX ? left : ORDER_STORE_BATCH_MAX;
    batch->request.rows = (struct order_store_rows){
        .keys = batch->keys + batch->step_progress, .count = count, .done = rows_done, .data = batch};
    batch_submit(batch, count);
    order_store_rows(batch->pipeline->options.store, &batch->request.rows);
    return PROGRESS_UNDER_WAY;
}
