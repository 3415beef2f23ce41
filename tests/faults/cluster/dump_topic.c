/* Prints a topic from given offsets to its present end, a record a line, for checks outside of orderly.
 *
 *   dump_topic order-events [OFFSET of partition 0] [of partition 1] ...      (those not given: from the beginning)
 *
 * A line: partition, offset, time in ms, key, value, headers as name=value; key and values in hexadecimal digits. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_open.h"

#define POLL_MS 5000

static void print_hex(struct bytes bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        printf("%02x", (unsigned char)bytes.data[i]);
}

static void print_record(int32_t partition, const struct event_log_record *record) {
    printf("%" PRId32 "\t%" PRId64 "\t%" PRId64 "\t", partition, record->offset, record->time_ms);
    print_hex(record->key);
    putchar('\t');
    print_hex(record->value);
    for (size_t i = 0; i < record->header_count; i++) {
        printf("\t%s=", record->headers[i].name);
        print_hex(record->headers[i].value);
    }
    putchar('\n');
}

/* Where each partition begins and ends now; `left` counts the offsets between. */
static enum status find_ends(struct event_log *log, enum event_log_topic topic, int64_t *positions, int64_t *ends,
                             int *unfinished_out, struct error *error) {
    int unfinished = 0;
    for (int32_t i = 0; i < log->partition_count; i++) {
        int64_t first;
        enum status status = event_log_range(log, topic, i, POLL_MS, &first, &ends[i], error);
        if (status != STATUS_OK) return status;
        if (positions[i] < first) positions[i] = first;
        if (positions[i] < ends[i]) unfinished++;
    }
    *unfinished_out = unfinished;
    return STATUS_OK;
}

static enum status dump(struct event_log *log, enum event_log_topic topic, int64_t *positions, struct error *error) {
    struct event_log_consumer *consumer = NULL;
    int64_t ends[EVENT_LOG_PARTITIONS_MAX];
    int unfinished;
    enum status status = find_ends(log, topic, positions, ends, &unfinished, error);
    if (status != STATUS_OK) return status;
    const struct event_log_consumer_options options = {.topic = topic, .positions = positions, .batch_max = 1000};
    status = event_log_consumer_open(log, &options, &consumer, error);
    while (status == STATUS_OK && unfinished > 0) {
        struct event_log_poll poll;
        status = event_log_poll(consumer, POLL_MS, &poll, error);
        if (status == STATUS_OK && poll.kind == POLL_NOTHING)
            status = error_set(error, STATUS_UNAVAILABLE, "no record within %d ms", POLL_MS);
        if (status != STATUS_OK || poll.kind != POLL_RECORDS) continue;
        for (size_t i = 0; i < poll.batch->count; i++)
            print_record(poll.partition, &poll.batch->records[i]);
        int64_t next = poll.batch->records[poll.batch->count - 1].offset + 1;
        if (positions[poll.partition] < ends[poll.partition] && next >= ends[poll.partition]) unfinished--;
        positions[poll.partition] = next;
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(consumer);
    return status;
}

static int find_topic(const char *name) {
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        if (strcmp(name, event_log_topic_name((enum event_log_topic)topic)) == 0) return topic;
    return -1;
}

int main(int argc, char **argv) {
    struct opened_log opened = {0};
    struct error error = {""};
    int64_t positions[EVENT_LOG_PARTITIONS_MAX] = {0};
    int topic = argc > 1 ? find_topic(argv[1]) : -1;
    if (topic < 0 || argc > 2 + EVENT_LOG_PARTITIONS_MAX) return fprintf(stderr, "usage: see dump_topic.c\n"), 2;
    for (int i = 2; i < argc; i++)
        positions[i - 2] = atoll(argv[i]);
    enum status status = log_open(&opened, &error);
    if (status == STATUS_OK) status = dump(opened.log, (enum event_log_topic)topic, positions, &error);
    log_close(&opened);
    if (status != STATUS_OK) fprintf(stderr, "dump_topic: %s: %s\n", status_name(status), error.text);
    return status != STATUS_OK;
}
