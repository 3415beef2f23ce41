/* The last steps of a batch: dead letters, events, and the commit of the position. */
#include <stdio.h>

#include "pipeline/internal.h"

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    batch_completed(append->data, status, error_text);
}

/* Sends what is in `outgoing`. uses_reserve: an order that was promised gets its events, also on a nearly full disk. */
static enum progress send(struct batch *batch, enum event_log_topic topic) {
    batch->request.append = (struct event_log_append){.topic = topic,
                                                      .records = batch->outgoing,
                                                      .count = batch->outgoing_count,
                                                      .uses_reserve = true,
                                                      .done = append_done,
                                                      .data = batch};
    batch_submit(batch, 1);
    event_log_append(batch->pipeline->options.log, &batch->request.append);
    return PROGRESS_UNDER_WAY;
}

/* --- dead letters --- */

static enum status make_letters(struct batch *batch) {
    size_t count = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];
        if (!item->is_dead) continue;
        struct event_log_record *letter = &batch->outgoing[count++];
        enum status status =
            dead_letter_make(item, batch->partition->number, batch->letter_value_max, &batch->arena, letter);
        if (status != STATUS_OK) return status;
    }
    batch->outgoing_count = count;
    return STATUS_OK;
}

enum progress batch_send_letters(struct batch *batch) {
    if (batch->dead_count == 0 || batch->pipeline->options.replay || batch->step_progress > 0) return PROGRESS_DONE;
    if (batch->outgoing_count == 0) {
        enum status status = make_letters(batch);
        if (status != STATUS_OK) return batch_fail(batch, status, "no memory for dead letters");
    }
    return send(batch, TOPIC_DLQ);
}

/* --- events --- */

/* The headers of one event and the texts they point to: one allocation. */
struct event_headers {
    struct event_log_header list[EVENT_HEADERS];
    size_t count;
    char id[EVENT_ID_SIZE], time[CLOCK_RFC3339_SIZE], attempt_id[UUID_TEXT_SIZE], version[12];
};

static void put_header(struct event_headers *headers, const char *name, const char *value) {
    headers->list[headers->count++] = (struct event_log_header){name, bytes_of(value)};
}

/* See order/event.h. The trace context of the request that sent the command goes on with its event. */
static enum status make_headers(struct batch *batch, const struct item *item, const struct event *event,
                                struct event_log_record *record) {
    struct event_headers *headers = arena_alloc(&batch->arena, sizeof *headers);
    if (!headers) return STATUS_NO_MEMORY;
    headers->count = 0;
    event_id(event, headers->id);
    clock_format_rfc3339(event->has_order ? event->order.updated_at_ms : event->time_ms, headers->time);
    uuid_format(&event->attempt_id, headers->attempt_id);
    snprintf(headers->version, sizeof headers->version, "%u", event->has_order ? event->order.version : 0);
    put_header(headers, "ce_specversion", "1.0");
    put_header(headers, "ce_id", headers->id);
    put_header(headers, "ce_source", "/orderly");
    put_header(headers, "ce_type", event_type(event));
    put_header(headers, "ce_time", headers->time);
    headers->list[headers->count++] = (struct event_log_header){"ce_subject", item->record->key};
    put_header(headers, "ce_attemptid", headers->attempt_id);
    put_header(headers, "ce_verdict", verdict_name(event->verdict));
    if (event->reason != REASON_NONE) put_header(headers, "ce_reason", reason_name(event->reason));
    put_header(headers, "ce_orderversion", headers->version);
    put_header(headers, "content-type", "application/json");
    const struct event_log_header *trace = event_log_header(item->record, "traceparent");
    if (trace) headers->list[headers->count++] = *trace;
    record->headers = headers->list;
    record->header_count = headers->count;
    return STATUS_OK;
}

static enum status make_event(struct batch *batch, const struct item *item, struct event_log_record *record) {
    struct event event;
    event_of(&item->command, &item->decision, batch->partition->number, item->record->offset, &event);
    *record = (struct event_log_record){.partition = batch->partition->number, .key = item->record->key};
    event_write(&batch->output, &event);
    if (batch->output.status != STATUS_OK) return batch->output.status;
    return make_headers(batch, item, &event, record);
}

/* One event for each command, in their order. The values lie one behind the other in `output`, which moves as it
 * grows: so the records get their places at the end. */
static enum status make_events(struct batch *batch) {
    size_t count = 0;
    buffer_reset(&batch->output);
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];
        if (item->is_dead) continue;
        enum status status = make_event(batch, item, &batch->outgoing[count]);
        if (status != STATUS_OK) return status;
        batch->value_ends[count++] = batch->output.size;
    }
    for (size_t i = 0, at = 0; i < count; at = batch->value_ends[i++])
        batch->outgoing[i].value = (struct bytes){batch->output.data + at, batch->value_ends[i] - at};
    batch->outgoing_count = count;
    return STATUS_OK;
}

enum progress batch_send_events(struct batch *batch) {
    bool is_done = batch->step_progress > 0 || batch->dead_count == batch->item_count;
    if (is_done || batch->pipeline->options.replay) return PROGRESS_DONE;
    if (batch->outgoing_count == 0) {
        enum status status = make_events(batch);
        if (status != STATUS_OK) return batch_fail(batch, status, "the events of the batch do not fit");
    }
    return send(batch, TOPIC_EVENTS);
}

/* --- commit --- */

static void commit_done(struct event_log_commit *commit, enum status status, const char *error_text) {
    batch_completed(commit->data, status, error_text);
}

enum progress batch_commit(struct batch *batch) {
    if (batch->step_progress > 0 || batch->pipeline->options.replay) return PROGRESS_DONE;
    batch->request.commit =
        (struct event_log_commit){.partition = batch->partition->number,
                                  .next_offset = batch->log_batch->records[batch->end - 1].offset + 1,
                                  .done = commit_done,
                                  .data = batch};
    batch_submit(batch, 1);
    event_log_commit(batch->pipeline->consumer, &batch->request.commit);
    return PROGRESS_UNDER_WAY;
}
