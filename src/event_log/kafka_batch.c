/* From librdkafka's messages to a batch: one block of memory that belongs to nobody else.
 *
 * The bytes are copied. A message of librdkafka must be destroyed before its client, and keeps all that was fetched
 * with it in memory; batches outlive both consumer and log. Its headers are parsed into memory of their own anyway. */
#include <stdlib.h>

#include "event_log/kafka_consumer.h"

struct sizes {
    size_t headers, bytes;
};

static rd_kafka_headers_t *headers_of(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers = NULL;
    return rd_kafka_message_headers(message, &headers) ? NULL : headers;
}

static void add_sizes(const rd_kafka_message_t *message, struct sizes *sizes) {
    const char *name;
    const void *value;
    size_t size;
    rd_kafka_headers_t *headers = headers_of(message);
    sizes->bytes += message->key_len + message->len;
    for (size_t i = 0; headers && !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++) {
        sizes->headers++;
        sizes->bytes += strlen(name) + 1 + (value ? size : 0);
    }
}

/* --- taking messages --- */

/* The next message of the partition, or NULL; the caller destroys it. */
static rd_kafka_message_t *take_message(struct kafka_partition *partition) {
    rd_kafka_message_t *message = partition->held;
    partition->held = NULL;
    if (message || !partition->queue || rd_kafka_queue_length(partition->queue) == 0) return message;
    return rd_kafka_consume_batch_queue(partition->queue, 0, &message, 1) == 1 ? message : NULL;
}

/* Instead of records, librdkafka says what is wrong with the partition. It tries again by itself, unless the broker has
 * no record there. */
static void take_trouble(struct kafka_consumer *consumer, struct kafka_partition *partition,
                         const rd_kafka_message_t *message) {
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        partition->is_out_of_range = true;
    else
        kafka_client_note_error(consumer->client, rd_kafka_message_errstr(message));
}

/* Fills consumer->fetched with what one batch holds. */
static size_t take_messages(struct kafka_consumer *consumer, struct kafka_partition *partition, struct sizes *sizes) {
    rd_kafka_message_t *message;
    size_t count = 0;
    while (count < consumer->batch_max && (message = take_message(partition))) {
        struct sizes with = *sizes;
        if (message->err) {
            take_trouble(consumer, partition, message);
            rd_kafka_message_destroy(message);
            if (partition->is_out_of_range) break;
            continue;
        }
        add_sizes(message, &with);
        if (count > 0 && with.bytes > KAFKA_BATCH_SIZE_MAX) {
            partition->held = message;
            break;
        }
        *sizes = with;
        consumer->fetched[count++] = message;
    }
    return count;
}

/* --- building the batch --- */

static struct bytes copy_bytes(char **at, const void *data, size_t size) {
    struct bytes bytes = {*at, size};
    if (size > 0) memcpy(*at, data, size);
    *at += size;
    return bytes;
}

static size_t copy_headers(const rd_kafka_message_t *message, struct event_log_header *to, char **at) {
    const char *name;
    const void *value;
    size_t size, count = 0;
    rd_kafka_headers_t *headers = headers_of(message);
    for (; headers && !rd_kafka_header_get_all(headers, count, &name, &value, &size); count++) {
        to[count].name = copy_bytes(at, name, strlen(name) + 1).data;
        to[count].value = copy_bytes(at, value, value ? size : 0);
    }
    return count;
}

static void batch_free(struct event_log_batch *batch) {
    free(batch);
}

/* One block: the batch, its records, their headers, the bytes. NULL: no memory. */
static struct event_log_batch *build(const struct kafka_consumer *consumer, size_t count, const struct sizes *sizes) {
    struct event_log_batch *batch = malloc(sizeof *batch + count * sizeof(struct event_log_record) +
                                           sizes->headers * sizeof(struct event_log_header) + sizes->bytes);
    if (!batch) return NULL;
    struct event_log_record *records = (struct event_log_record *)(batch + 1);
    struct event_log_header *headers = (struct event_log_header *)(records + count);
    char *at = (char *)(headers + sizes->headers);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_message_t *message = consumer->fetched[i];
        rd_kafka_timestamp_type_t type;
        records[i] = (struct event_log_record){.partition = message->partition,
                                               .offset = message->offset,
                                               .time_ms = rd_kafka_message_timestamp(message, &type),
                                               .key = copy_bytes(&at, message->key, message->key_len),
                                               .value = copy_bytes(&at, message->payload, message->len),
                                               .headers = headers};
        records[i].header_count = copy_headers(message, headers, &at);
        headers += records[i].header_count;
    }
    *batch = (struct event_log_batch){records, count, batch_free};
    return batch;
}

enum status kafka_batch_read(struct kafka_consumer *consumer, int32_t number, struct event_log_poll *poll,
                             struct error *error) {
    struct kafka_partition *partition = &consumer->partitions[number];
    struct sizes sizes = {0};
    size_t count = take_messages(consumer, partition, &sizes);
    if (count == 0) return STATUS_OK;
    struct event_log_batch *batch = build(consumer, count, &sizes);
    for (size_t i = 0; i < count; i++)
        rd_kafka_message_destroy(consumer->fetched[i]);
    if (!batch) { /* they come again */
        consumer->must_restart = true;
        return error_set(error, STATUS_UNAVAILABLE, "no memory for %zu records", count);
    }
    int64_t next = batch->records[count - 1].offset + 1;
    atomic_store(&partition->next_offset, next);
    *poll = (struct event_log_poll){POLL_RECORDS, number, next, batch};
    return STATUS_OK;
}
