/* One batch: a window of one partition's records on its way through the steps, one request at a time.
 *
 * A failing step is tried again after a wait, for as long as it takes: nothing is skipped. A window that proves too
 * large for a limit (memory, a store's or the log's request size) is cut in half and begins again; that is as safe as
 * any replay. */
#include <stdlib.h>

#include "pipeline/internal.h"

static enum progress (*const step_functions[STEP_COUNT])(struct batch *batch) = {
    [STEP_PARSE] = batch_parse,          [STEP_READ] = batch_read,
    [STEP_STORE] = batch_store,          [STEP_CACHE] = batch_cache,
    [STEP_LETTERS] = batch_send_letters, [STEP_EVENTS] = batch_send_events,
    [STEP_COMMIT] = batch_commit,
};

/* --- its memory --- */

static void batch_free(struct batch *batch) {
    event_log_batch_free(batch->log_batch);
    arena_free(&batch->arena);
    buffer_free(&batch->output);
    row_table_free(&batch->rows);
    free(batch->items);
    free(batch->keys);
    free(batch->changes);
    free(batch->outgoing);
    free(batch->value_ends);
    inbox_release(batch->inbox);
    free(batch);
}

static void batch_received(struct message *message);

static void batch_orphaned(struct message *message) {
    batch_free(CONTAINER_OF(message, struct batch, message));
}

static struct batch *batch_new(struct pipeline *pipeline) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    size_t max = pipeline->options.batch_max;
    batch->message = (struct message){.received = batch_received, .orphaned = batch_orphaned};
    batch->pipeline = pipeline;
    batch->inbox = inbox_hold(pipeline->inbox);
    arena_init(&batch->arena, BATCH_ARENA_BLOCK_SIZE, BATCH_ARENA_LIMIT_SIZE);
    buffer_init(&batch->output, BATCH_OUTPUT_SIZE_MAX);
    batch->items = calloc(max, sizeof *batch->items);
    batch->keys = calloc(max * 2, sizeof *batch->keys);
    batch->changes = calloc(max, sizeof *batch->changes);
    batch->outgoing = calloc(max, sizeof *batch->outgoing);
    batch->value_ends = calloc(max, sizeof *batch->value_ends);
    bool is_whole = batch->items && batch->keys && batch->changes && batch->outgoing && batch->value_ends &&
                    row_table_init(&batch->rows, max * 2) == STATUS_OK;
    if (is_whole) return batch;
    batch_free(batch);
    return NULL;
}

struct batch *batch_acquire(struct pipeline *pipeline) {
    struct batch *batch = pipeline->free_batches;
    if (batch) {
        pipeline->free_batches = batch->next_free;
        return batch;
    }
    if (pipeline->batch_count == pipeline->batch_limit) return NULL;
    batch = batch_new(pipeline);
    if (batch) pipeline->batch_count++;
    return batch;
}

/* Back to the free ones; the memory of an unusually large batch goes back at once. */
static void batch_recycle(struct batch *batch) {
    event_log_batch_free(batch->log_batch);
    batch->log_batch = NULL;
    batch->partition = NULL;
    arena_reset(&batch->arena);
    if (batch->output.capacity > BATCH_ARENA_BLOCK_SIZE) buffer_free(&batch->output);
    batch->next_free = batch->pipeline->free_batches;
    batch->pipeline->free_batches = batch;
}

void batches_free(struct pipeline *pipeline) {
    while (pipeline->free_batches) {
        struct batch *batch = pipeline->free_batches;
        pipeline->free_batches = batch->next_free;
        batch_free(batch);
    }
}

/* --- its way --- */

static void enter_step(struct batch *batch, enum batch_step step) {
    batch->step = step;
    batch->step_progress = 0;
    batch->outgoing_count = 0;
    batch->step_began_ns = pipeline_now_ns(batch->pipeline);
}

static void leave_step(struct batch *batch) {
    if (batch->step_progress > 0) {
        int64_t took_ns = pipeline_now_ns(batch->pipeline) - batch->step_began_ns;
        metric_observe_ns(batch->pipeline->metrics.steps[batch->step], took_ns);
    }
    enter_step(batch, batch->step + 1);
}

void batch_start(struct batch *batch, struct partition *partition, struct event_log_batch *log_batch) {
    batch->partition = partition;
    batch->log_batch = log_batch;
    batch->begin = batch->end = 0;
    batch->window_max = batch->pipeline->options.batch_max;
    batch->attempt = 0;
    enter_step(batch, STEP_PARSE);
    batch_run(batch);
}

/* After the last step: the next window, or the end of the batch (then false). */
static bool finish_window(struct batch *batch) {
    struct partition *partition = batch->partition;
    batch->begin = batch->end;
    partition->needs_schema = batch->needs_schema;
    if (batch->item_count > 0) {
        batch_count_commands(batch);
        partition_committed(partition, batch->log_batch->records[batch->end - 1].offset + 1);
    }
    if (batch->begin < batch->log_batch->count && partition_takes_more(partition)) {
        enter_step(batch, STEP_PARSE);
        return true;
    }
    batch_recycle(batch);
    partition_batch_ended(partition);
    return false;
}

/* A message that no service takes is buried as a dead letter: the one case in which not its bytes alone are judged. */
static void bury(struct batch *batch) {
    struct item *item = &batch->items[0];
    item->is_dead = true;
    item->dead_reason = DEAD_TOO_LARGE;
    item->dead_text = "the store or the log does not take a message of this size";
    batch->dead_count = 1;
    batch->change_count = 0;
    enter_step(batch, STEP_LETTERS);
}

/* Answers a limit with less work at a time. True: there is another way to go on with. */
static bool shrink(struct batch *batch) {
    size_t window = batch->end - batch->begin;
    if (window > 1) {
        batch->window_max = window / 2;
        enter_step(batch, STEP_PARSE);
        return true;
    }
    if (batch->status != STATUS_TOO_LARGE) return false;
    if (batch->step == STEP_LETTERS && batch->letter_value_max > 0) {
        batch->letter_value_max /= 2;
        enter_step(batch, STEP_LETTERS);
        return true;
    }
    if (batch->step != STEP_STORE && batch->step != STEP_EVENTS) return false;
    bury(batch);
    return true;
}

/* After a failure. True: go on at once; false: the batch waits or is given up. */
static bool recover(struct batch *batch) {
    struct pipeline *pipeline = batch->pipeline;
    struct partition *partition = batch->partition;
    pipeline_note_error(pipeline, batch_step_name(batch->step), batch->status, batch->error.text);
    metric_add(pipeline->metrics.retries[batch->step], 1);
    if (batch->step == STEP_COMMIT && batch->status == STATUS_CONFLICT) {
        partition_lost(partition);
        return false;
    }
    if (partition->is_revoking) { /* the next owner does it again; it shall not wait for our service */
        batch_abandon(batch);
        partition_batch_ended(partition);
        return false;
    }
    if ((batch->status == STATUS_TOO_LARGE || batch->status == STATUS_NO_MEMORY) && shrink(batch)) return true;
    if (batch->status == STATUS_NO_MEMORY) enter_step(batch, STEP_PARSE); /* from an empty arena */
    int64_t wait_ms = backoff_ms(pipeline->options.backoff_min_ms, pipeline->options.backoff_max_ms, ++batch->attempt,
                                 pipeline->options.random);
    batch->retry_at_ns = pipeline_now_ns(pipeline) + wait_ms * 1000000;
    batch->is_waiting = true;
    partition_show(partition);
    return false;
}

void batch_run(struct batch *batch) {
    if (batch->is_waiting) {
        batch->is_waiting = false;
        partition_show(batch->partition);
    }
    for (;;) {
        bool has_nothing = batch->step > STEP_PARSE && batch->item_count == 0;
        if (batch->step == STEP_COUNT || has_nothing) {
            if (!finish_window(batch)) return;
            continue;
        }
        switch (step_functions[batch->step](batch)) {
        case PROGRESS_UNDER_WAY: return;
        case PROGRESS_DONE: leave_step(batch); break;
        case PROGRESS_FAILED:
            if (!recover(batch)) return;
        }
    }
}

void batch_abandon(struct batch *batch) {
    batch->partition->batch = NULL;
    batch->partition = NULL;
    batch->is_waiting = false;
    batch_cache_forget(batch);
    if (!batch->is_under_way) batch_recycle(batch);
}

size_t batch_uncommitted(const struct batch *batch) {
    return batch->log_batch->count - batch->begin;
}

/* --- requests --- */

void batch_submit(struct batch *batch, size_t step_pending) {
    batch->step_pending = step_pending;
    batch->is_under_way = true;
}

void batch_completed(struct batch *batch, enum status status, const char *error_text) {
    batch_fail(batch, status, error_text);
    inbox_deliver(batch->inbox, &batch->message);
}

enum progress batch_fail(struct batch *batch, enum status status, const char *text) {
    batch->status = status;
    if (status != STATUS_OK) error_set(&batch->error, status, "%s", text ? text : status_name(status));
    return PROGRESS_FAILED;
}

static void batch_received(struct message *message) {
    struct batch *batch = CONTAINER_OF(message, struct batch, message);
    batch->is_under_way = false;
    if (!batch->partition) {
        batch_recycle(batch);
        return;
    }
    if (batch->status == STATUS_OK) {
        if (batch->attempt > 0) pipeline_note_recovery(batch->pipeline);
        batch->attempt = 0;
        batch->step_progress += batch->step_pending;
    } else if (!recover(batch)) {
        return;
    }
    batch_run(batch);
}
