/* Verdicts: events read, checked against their headers, sorted by attempt and put together. */
#include "support/verdicts.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_attempts(const void *left, const void *right) {
    const struct verdict_of_attempt *a = left, *b = right;
    return uuid_compare(&a->attempt_id, &b->attempt_id);
}

static bool uuid_is(const struct uuid *uuid, struct bytes text) {
    char expected[UUID_TEXT_SIZE];
    uuid_format(uuid, expected);
    return bytes_equal(text, bytes_of(expected));
}

static bool headers_agree(const struct event_log_record *record, const struct event *event) {
    char id[EVENT_ID_SIZE], version[12], time[CLOCK_RFC3339_SIZE];
    const char *reason = event->reason == REASON_NONE ? "" : reason_name(event->reason);
    event_id(event, id);
    snprintf(version, sizeof version, "%u", event->has_order ? event->order.version : 0);
    clock_format_rfc3339(event->has_order ? event->order.updated_at_ms : event->time_ms, time);
    return bytes_equal(rig_header(record, "ce_specversion"), BYTES("1.0")) &&
           bytes_equal(rig_header(record, "ce_id"), bytes_of(id)) &&
           bytes_equal(rig_header(record, "ce_source"), BYTES("/orderly")) &&
           bytes_equal(rig_header(record, "ce_type"), bytes_of(event_type(event))) &&
           bytes_equal(rig_header(record, "ce_time"), bytes_of(time)) &&
           uuid_is(&event->order_id, rig_header(record, "ce_subject")) && uuid_is(&event->order_id, record->key) &&
           uuid_is(&event->attempt_id, rig_header(record, "ce_attemptid")) &&
           bytes_equal(rig_header(record, "ce_verdict"), bytes_of(verdict_name(event->verdict))) &&
           bytes_equal(rig_header(record, "ce_reason"), bytes_of(reason)) &&
           bytes_equal(rig_header(record, "ce_orderversion"), bytes_of(version)) &&
           bytes_equal(rig_header(record, "content-type"), BYTES("application/json"));
}

/* What the event says, but for the position: an attempt whose message lies in the log twice has two of them. */
static struct bytes saying(const struct event *event, struct arena *arena) {
    struct event said = *event;
    struct buffer buffer;
    said.offset = 0;
    buffer_init(&buffer, EVENT_TEXT_MAX);
    event_write(&buffer, &said);
    struct bytes text = arena_copy(arena, buffer_bytes(&buffer));
    buffer_free(&buffer);
    return text;
}

/* Sorts, then folds the events of one attempt into one. */
static void fold(struct verdicts *verdicts) {
    size_t count = 0;
    qsort(verdicts->list, verdicts->count, sizeof verdicts->list[0], compare_attempts);
    for (size_t i = 0; i < verdicts->count; i++) {
        const struct verdict_of_attempt *next = &verdicts->list[i];
        struct verdict_of_attempt *last = count > 0 ? &verdicts->list[count - 1] : NULL;
        if (!last || !uuid_equal(&last->attempt_id, &next->attempt_id)) {
            verdicts->list[count++] = *next;
            continue;
        }
        last->count++;
        if (!bytes_equal(last->value, next->value) || !bytes_equal(last->id, next->id)) {
            verdicts->all_agree = false;
            fprintf(stderr, "two verdicts of one attempt:\n  %.*s\n  %.*s\n", (int)last->value.size, last->value.data,
                    (int)next->value.size, next->value.data);
        }
    }
    verdicts->count = count;
}

struct verdicts verdicts_read(struct rig *rig, const int64_t *positions, struct arena *arena) {
    struct rig_records records = rig_read(rig, TOPIC_EVENTS, positions, arena);
    struct verdicts verdicts = {.list = arena_calloc(arena, records.count, sizeof *verdicts.list), .all_agree = true};
    if (!verdicts.list) abort();
    for (size_t i = 0; i < records.count; i++) {
        const struct event_log_record *record = &records.records[i];
        struct verdict_of_attempt *verdict = &verdicts.list[verdicts.count];
        struct error error = {.text = ""};
        enum status status = event_read(record->value, arena, &verdict->event, &error);
        if (status != STATUS_OK || !headers_agree(record, &verdict->event)) {
            fprintf(stderr, "bad event (%s): %.*s\n", error.text, (int)record->value.size, record->value.data);
            verdicts.malformed++;
            continue;
        }
        verdict->attempt_id = verdict->event.attempt_id;
        verdict->id = rig_header(record, "ce_id");
        verdict->type = rig_header(record, "ce_type");
        verdict->value = saying(&verdict->event, arena);
        verdict->count = 1;
        verdicts.count++;
    }
    fold(&verdicts);
    return verdicts;
}

const struct verdict_of_attempt *verdicts_find(const struct verdicts *verdicts, const struct uuid *attempt_id) {
    const struct verdict_of_attempt key = {.attempt_id = *attempt_id};
    if (verdicts->count == 0) return NULL;
    return bsearch(&key, verdicts->list, verdicts->count, sizeof key, compare_attempts);
}
