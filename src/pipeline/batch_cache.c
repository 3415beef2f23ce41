/* The cache step: what was written is put into the order cache, with a bounded wait.
 *
 * An entry's age counts from the read it rests on, so a consumer that was frozen in between cannot revive an old
 * version. A minted create rests on no read: a replay of it may meet an order that has long moved on. Its age counts
 * from the command's own time, and so such an entry is expired before it is made. A row that was found, not made, may
 * not be the order's newest: it only drops what is older. */
#include <stdlib.h>

#include "pipeline/internal.h"

/* The puts of one batch. They outlive it when the cache is late, and the pipeline when it never answers. */
struct cache_puts {
    struct message message;
    struct pipeline *pipeline;
    struct inbox *inbox; /* one reference */
    struct batch *batch; /* that waits, or NULL: late. Of the pipeline's thread */
    struct cache_puts *next_free;
    atomic_size_t remaining; /* puts without their done, and one for the submitter */
    struct order_cache_put *puts;
    size_t count;
    struct buffer values;
};

static void puts_free(struct cache_puts *puts) {
    free(puts->puts);
    buffer_free(&puts->values);
    inbox_release(puts->inbox);
    free(puts);
}

void cache_puts_free(struct pipeline *pipeline) {
    while (pipeline->free_puts) {
        struct cache_puts *puts = pipeline->free_puts;
        pipeline->free_puts = puts->next_free;
        puts_free(puts);
    }
}

static void puts_recycle(struct cache_puts *puts) {
    puts->batch = NULL;
    puts->next_free = puts->pipeline->free_puts;
    puts->pipeline->free_puts = puts;
}

static void puts_orphaned(struct message *message) {
    puts_free(CONTAINER_OF(message, struct cache_puts, message));
}

/* Ends the wait: the step is done, whatever the cache says. */
static void stop_waiting(struct batch *batch) {
    batch->puts = NULL;
    batch->step_progress = 1;
    batch_run(batch);
}

static void puts_received(struct message *message) {
    struct cache_puts *puts = CONTAINER_OF(message, struct cache_puts, message);
    struct batch *batch = puts->batch;
    puts_recycle(puts);
    if (batch) stop_waiting(batch);
}

void batch_cache_is_late(struct batch *batch) {
    metric_add(batch->pipeline->metrics.cache_skipped, 1);
    batch->puts->batch = NULL;
    stop_waiting(batch);
}

void batch_cache_forget(struct batch *batch) {
    if (batch->puts) batch->puts->batch = NULL;
    batch->puts = NULL;
}

static struct cache_puts *puts_new(struct pipeline *pipeline) {
    struct cache_puts *puts = calloc(1, sizeof *puts);
    if (!puts) return NULL;
    puts->puts = calloc(pipeline->options.batch_max, sizeof *puts->puts);
    if (!puts->puts) {
        free(puts);
        return NULL;
    }
    puts->message = (struct message){.received = puts_received, .orphaned = puts_orphaned};
    puts->pipeline = pipeline;
    puts->inbox = inbox_hold(pipeline->inbox);
    buffer_init(&puts->values, CACHE_PUTS_SIZE_MAX);
    pipeline->puts_count++;
    return puts;
}

/* NULL: the cache owes us too many answers, or no memory. */
static struct cache_puts *puts_acquire(struct pipeline *pipeline) {
    struct cache_puts *puts = pipeline->free_puts;
    if (puts)
        pipeline->free_puts = puts->next_free;
    else if (pipeline->puts_count < (size_t)pipeline->partition_count + CACHE_PUTS_LATE_MAX)
        puts = puts_new(pipeline);
    if (!puts) return NULL;
    puts->count = 0;
    buffer_reset(&puts->values);
    return puts;
}

/* Submits the last step of a put. True: it was the last, nothing is under way any more. */
static bool puts_release(struct cache_puts *puts) {
    return atomic_fetch_sub(&puts->remaining, 1) == 1;
}

static void put_done(struct order_cache_put *put, enum status status) {
    struct cache_puts *puts = put->data;
    if (puts_release(puts)) inbox_deliver(puts->inbox, &puts->message);
}

static int64_t expires_at_ms(const struct batch *batch, const struct command *command) {
    int64_t from_ms = batch->read_at_ms;
    if (command->minted && command->time_ms < from_ms) from_ms = command->time_ms;
    return from_ms + batch->pipeline->options.cache_ttl_ms;
}

/* Writes the value behind the others; its place is set when all are written, since the buffer moves as it grows. */
static bool add_put(struct batch *batch, struct cache_puts *puts, const struct item *item) {
    const struct order *order = &item->decision.row.order;
    size_t begin = puts->values.size;
    struct json_writer writer;
    json_writer_init(&writer, &puts->values);
    order_write_json(&writer, order);
    if (puts->values.status != STATUS_OK) {
        puts->values.size = begin;
        puts->values.status = STATUS_OK;
        return false;
    }
    puts->puts[puts->count++] = (struct order_cache_put){
        .order_id = order->order_id,
        .entry = {.version = order->version,
                  .value = {NULL, puts->values.size - begin},
                  .expires_at_ms = expires_at_ms(batch, &item->command)},
        .done = put_done,
        .data = puts,
    };
    return true;
}

/* The newest version of each order in the batch. */
static void fill_puts(struct batch *batch, struct cache_puts *puts) {
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];
        if (item->is_dead || !item->decision.write) continue;
        const struct order *order = &item->decision.row.order;
        if (row_table_row(&batch->rows, &order->order_id, order->version + 1)) continue;
        if (item->decision.repeat || !add_put(batch, puts, item))
            order_cache_drop(batch->pipeline->options.cache, &order->order_id, order->version);
    }
    size_t at = 0;
    for (size_t i = 0; i < puts->count; i++) {
        puts->puts[i].entry.value.data = puts->values.data + at;
        at += puts->puts[i].entry.value.size;
    }
}

enum progress batch_cache(struct batch *batch) {
    struct pipeline *pipeline = batch->pipeline;
    bool is_done = batch->step_progress > 0 || batch->change_count == 0;
    if (is_done || !pipeline->options.cache || pipeline->options.replay) return PROGRESS_DONE;
    struct cache_puts *puts = puts_acquire(pipeline);
    if (!puts) {
        metric_add(pipeline->metrics.cache_skipped, 1);
        return PROGRESS_DONE;
    }
    fill_puts(batch, puts);
    size_t count = puts->count;
    puts->batch = batch;
    atomic_store(&puts->remaining, count + 1);
    for (size_t i = 0; i < count; i++)
        order_cache_put(pipeline->options.cache, &puts->puts[i]);
    batch->step_progress = 1;
    if (puts_release(puts)) {
        puts_recycle(puts);
        return PROGRESS_DONE;
    }
    batch->puts = puts;
    batch->cache_deadline_ns = pipeline_now_ns(pipeline) + (int64_t)pipeline->options.cache_wait_ms * 1000000;
    return PROGRESS_UNDER_WAY;
}
