/* Prints every event of a data directory, one line each: partition, offset, ce_id, attempt id, verdict, reason, version.
 * The fault tests compare what was said before a kill with what is said after it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "event_log/embedded.h"

static void fatal(void *data, const char *text) {
    (void)data;
    fprintf(stderr, "dump_events: %s\n", text);
    _exit(1);
}

static void print_header(const struct event_log_record *record, const char *name) {
    const struct event_log_header *header = event_log_header(record, name);
    printf("\t%.*s", header ? (int)header->value.size : 1, header ? header->value.data : "-");
}

static int dump(struct event_log *log) {
    struct error error = {""};
    struct event_log_consumer *consumer = NULL;
    int64_t positions[EVENT_LOG_PARTITIONS_MAX], left = 0, first, end;
    for (int32_t i = 0; i < log->partition_count; i++) {
        positions[i] = EVENT_LOG_FIRST;
        if (event_log_range(log, TOPIC_EVENTS, i, 5000, &first, &end, &error) != STATUS_OK) return 1;
        left += end - first;
    }
    const struct event_log_consumer_options options = {.topic = TOPIC_EVENTS, .positions = positions, .batch_max = 1000};
    if (event_log_consumer_open(log, &options, &consumer, &error) != STATUS_OK) return 1;
    while (left > 0) {
        struct event_log_poll poll;
        if (event_log_poll(consumer, 1000, &poll, &error) != STATUS_OK || poll.kind == POLL_NOTHING) break;
        if (poll.kind != POLL_RECORDS) continue;
        for (size_t i = 0; i < poll.batch->count; i++) {
            const struct event_log_record *record = &poll.batch->records[i];
            printf("%d\t%lld", (int)poll.partition, (long long)record->offset);
            print_header(record, "ce_id");
            print_header(record, "ce_attemptid");
            print_header(record, "ce_verdict");
            print_header(record, "ce_reason");
            print_header(record, "ce_orderversion");
            putchar('\n');
        }
        left -= (int64_t)poll.batch->count;
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(consumer);
    if (left > 0) fprintf(stderr, "dump_events: %lld events could not be read: %s\n", (long long)left, error.text);
    return left > 0;
}

int main(int argc, char **argv) {
    struct error error = {""};
    struct lmdb_env *env = NULL;
    struct event_log *log = NULL;
    const struct lmdb_env_options environment = {
        .directory = argc == 2 ? argv[1] : "", .databases_max = TOPIC_COUNT * EVENT_LOG_PARTITIONS_MAX + 32, .fatal = fatal};
    const struct event_log_embedded_options options = {.clock = clock_system(), .namespace_prefix = ""};
    struct event_log_embedded_options with_env = options;
    int code = 1;
    if (argc == 2 && lmdb_env_open(&environment, &env, &error) == STATUS_OK) {
        with_env.env = env;
        if (event_log_embedded_open(&with_env, &log, &error) == STATUS_OK) code = dump(log);
    }
    if (error.text[0]) fprintf(stderr, "dump_events: %s\n", error.text);
    event_log_close(log);
    lmdb_env_close(env);
    return code;
}
