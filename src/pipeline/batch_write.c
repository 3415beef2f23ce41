/* The heart of a batch: each command is decided in the order of offsets, on the rows read and on those decided just
 * before it (the overlay); then the rows are written. */
#include <stdlib.h>

#include "pipeline/internal.h"

/* Takes a row into the batch's changes, once, however many commands of the batch lead to it. */
static void add_change(struct batch *batch, const struct history_row *after) {
    const struct uuid *order_id = &after->order.order_id;
    struct row_slot *slot = row_table_find(&batch->rows, order_id, after->order.version);
    if (slot->state != ROW_KNOWN) {
        slot->row = after;
        slot->state = ROW_KNOWN;
    }
    if (slot->is_stored) return;
    slot->is_stored = true;
    const struct history_row *before = NULL;
    if (after->order.version > 1) before = row_table_row(&batch->rows, order_id, after->order.version - 1);
    batch->changes[batch->change_count++] =
        (struct order_store_change){.before = before ? &before->order : NULL, .after = after};
}

static void decide_item(struct batch *batch, struct item *item) {
    const struct command *command = &item->command;
    uint32_t expected = command->expected_version;
    const struct history_row *row_e = NULL;
    if (command->kind != COMMAND_CREATE) row_e = row_table_row(&batch->rows, &command->order_id, expected);
    const struct history_row *row_next = row_table_row(&batch->rows, &command->order_id, expected + 1);
    decide(command, item->record->offset, row_e, row_next, &item->decision);
    if (item->decision.write) add_change(batch, &item->decision.row);
}

static int compare_versions(const void *left, const void *right) {
    uint32_t a = ((const struct order_store_change *)left)->after->order.version;
    uint32_t b = ((const struct order_store_change *)right)->after->order.version;
    return (a > b) - (a < b);
}

void batch_decide(struct batch *batch) {
    bool has_repeats = false;
    for (size_t i = 0; i < batch->item_count; i++) {
        struct item *item = &batch->items[i];
        if (item->is_dead) continue;
        decide_item(batch, item);
        has_repeats |= item->decision.write && item->decision.repeat;
    }
    /* Rows made now come in ascending versions by themselves. Rows found may come in any order: a second attempt of
     * the first command may lie behind the second command. */
    if (has_repeats) qsort(batch->changes, batch->change_count, sizeof batch->changes[0], compare_versions);
}

static void apply_done(struct order_store_apply *apply, enum status status, const char *error_text) {
    batch_completed(apply->data, status, error_text);
}

enum progress batch_store(struct batch *batch) {
    size_t left = batch->change_count - batch->step_progress;
    if (left == 0) return PROGRESS_DONE;
    size_t count = left < ORDER_STORE_BATCH_MAX ? left : ORDER_STORE_BATCH_MAX;
    batch->request.apply = (struct order_store_apply){
        .changes = batch->changes + batch->step_progress, .count = count, .done = apply_done, .data = batch};
    batch_submit(batch, count);
    order_store_apply(batch->pipeline->options.store, &batch->request.apply);
    return PROGRESS_UNDER_WAY;
}
