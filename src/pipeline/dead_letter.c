/* Dead letters: commands that no program can carry out, kept in order-dlq with where they came from and why.
 *
 * The id of a letter is its source position, so that the letters of a replay collapse into one. */
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/internal.h"

#define LETTER_HEADERS 12
#define LETTER_OVERHEAD_MAX 4096 /* headers, their texts and what a log adds */

const char *dead_reason_name(enum dead_reason reason) {
    static const char *const names[DEAD_REASON_COUNT] = {
        [DEAD_INVALID] = "invalid",
        [DEAD_WRONG_KEY] = "wrong_key",
        [DEAD_WRONG_PARTITION] = "wrong_partition",
        [DEAD_TOO_LARGE] = "too_large",
    };
    return names[reason];
}

struct letter_headers {
    struct event_log_header list[LETTER_HEADERS];
    size_t count;
    char id[96], time[CLOCK_RFC3339_SIZE], partition[12], offset[24], original_size[24];
};

static void put_header(struct letter_headers *headers, const char *name, const char *value) {
    headers->list[headers->count++] = (struct event_log_header){name, bytes_of(value)};
}

/* What is kept of the value: as much as fits into a record. */
static struct bytes cut_value(struct bytes value, size_t value_max) {
    size_t room = EVENT_LOG_RECORD_MAX - EVENT_LOG_KEY_MAX - LETTER_OVERHEAD_MAX;
    if (value_max < room) room = value_max;
    return (struct bytes){value.data, value.size < room ? value.size : room};
}

enum status dead_letter_make(const struct item *item, int32_t partition, size_t value_max, struct arena *arena,
                             struct event_log_record *letter_out) {
    const struct event_log_record *source = item->record;
    const char *topic = event_log_topic_name(TOPIC_COMMANDS);
    struct letter_headers *headers = arena_alloc(arena, sizeof *headers);
    if (!headers) return STATUS_NO_MEMORY;
    headers->count = 0;
    snprintf(headers->partition, sizeof headers->partition, "%" PRId32, partition);
    snprintf(headers->offset, sizeof headers->offset, "%" PRId64, source->offset);
    snprintf(headers->id, sizeof headers->id, "%s/%s/%s", topic, headers->partition, headers->offset);
    clock_format_rfc3339(source->time_ms, headers->time);
    put_header(headers, "ce_specversion", "1.0");
    put_header(headers, "ce_id", headers->id);
    put_header(headers, "ce_source", "/orderly");
    put_header(headers, "ce_type", "orderly.command.dead");
    put_header(headers, "ce_time", headers->time);
    put_header(headers, "ce_reason", dead_reason_name(item->dead_reason));
    put_header(headers, "ce_reasontext", item->dead_text);
    put_header(headers, "ce_sourcetopic", topic);
    put_header(headers, "ce_sourcepartition", headers->partition);
    put_header(headers, "ce_sourceoffset", headers->offset);
    struct bytes value = cut_value(source->value, value_max);
    if (value.size < source->value.size) {
        snprintf(headers->original_size, sizeof headers->original_size, "%zu", source->value.size);
        put_header(headers, "ce_cutfrom", headers->original_size);
    }
    *letter_out = (struct event_log_record){.partition = partition,
                                            .key = source->key,
                                            .value = value,
                                            .headers = headers->list,
                                            .header_count = headers->count};
    return STATUS_OK;
}
