/* What all adapters of the event log share: topic names, the partitioner, the limits of a record. */
#include "event_log/event_log.h"

#define HEADER_NAME_MAX 64

static const char *const topic_names[TOPIC_COUNT] = {
    [TOPIC_COMMANDS] = "order-commands",
    [TOPIC_EVENTS] = "order-events",
    [TOPIC_DLQ] = "order-dlq",
    [TOPIC_INVOICES] = "invoices",
};

const char *event_log_topic_name(enum event_log_topic topic) {
    return topic_names[topic];
}

/* MurmurHash2 (Austin Appleby, public domain) as Kafka's Java client uses it: little-endian words, this seed. */
static uint32_t murmur2(struct bytes key) {
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = (const uint8_t *)key.data;
    size_t left = key.size;
    uint32_t h = 0x9747b28c ^ (uint32_t)key.size;
    for (; left >= 4; p += 4, left -= 4) {
        uint32_t k = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (left >= 3) h ^= (uint32_t)p[2] << 16;
    if (left >= 2) h ^= (uint32_t)p[1] << 8;
    if (left >= 1) h = (h ^ p[0]) * m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t event_log_partition_of(struct bytes key, int32_t partition_count) {
    if (key.size == 0) return 0;
    return (int32_t)(murmur2(key) & 0x7fffffff) % partition_count;
}

const struct event_log_header *event_log_header(const struct event_log_record *record, const char *name) {
    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0) return &record->headers[i];
    return NULL;
}

/* A sum that stops just above the limit, so that it cannot wrap around. */
static size_t add_up_to_limit(size_t sum, size_t more) {
    return more > EVENT_LOG_RECORD_MAX || sum + more > EVENT_LOG_RECORD_MAX ? EVENT_LOG_RECORD_MAX + 1 : sum + more;
}

enum status event_log_record_check(const struct event_log_record *record, int32_t partition_count,
                                   struct error *error) {
    if (record->partition < -1 || record->partition >= partition_count)
        return error_set(error, STATUS_INVALID, "there is no partition %d", record->partition);
    if (record->key.size > EVENT_LOG_KEY_MAX)
        return error_set(error, STATUS_TOO_LARGE, "a key has more than %d bytes", EVENT_LOG_KEY_MAX);
    if (record->header_count > EVENT_LOG_HEADERS_MAX)
        return error_set(error, STATUS_TOO_LARGE, "a record has more than %d headers", EVENT_LOG_HEADERS_MAX);
    size_t size = record->key.size;
    for (size_t i = 0; i < record->header_count; i++) {
        size_t name_size = strlen(record->headers[i].name);
        if (name_size == 0 || name_size > HEADER_NAME_MAX)
            return error_set(error, STATUS_INVALID, "a header's name has %zu characters", name_size);
        size = add_up_to_limit(add_up_to_limit(size, name_size), record->headers[i].value.size);
    }
    if (add_up_to_limit(size, record->value.size) > EVENT_LOG_RECORD_MAX)
        return error_set(error, STATUS_TOO_LARGE, "a record has more than %d bytes", EVENT_LOG_RECORD_MAX);
    return STATUS_OK;
}
