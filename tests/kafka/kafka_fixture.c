/* A Kafka log for one test, a broker of the tests' own, consumers and single requests. */
#include "kafka/kafka_fixture.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "contract/event_log/kafka_adapter.h"
#include "support/child.h"
#include "support/scratch.h"

int64_t now_ms(void) {
    return kafka_now_ns() / 1000000;
}

void fixture_init(struct fixture *fixture, const char *servers) {
    if (!servers) servers = getenv("KAFKA_BOOTSTRAP_SERVERS");
    if (!servers) fail_msg("KAFKA_BOOTSTRAP_SERVERS is not set");
    *fixture = (struct fixture){.metrics = metrics_new()};
    snprintf(fixture->servers, sizeof fixture->servers, "%s", servers);
    snprintf(fixture->prefix, sizeof fixture->prefix, "kafka-test-%016llx-",
             (unsigned long long)random_below(random_system(), UINT64_MAX));
    fixture->options = (struct event_log_kafka_options){.bootstrap_servers = fixture->servers,
                                                        .namespace_prefix = fixture->prefix,
                                                        .partition_count = FIXTURE_PARTITIONS,
                                                        .connect_timeout_ms = 30000,
                                                        .clock = clock_system(),
                                                        .metrics = fixture->metrics};
}

void fixture_open(struct fixture *fixture) {
    struct error error = {.text = ""};
    enum status status = event_log_kafka_open(&fixture->options, &fixture->log, &error);
    if (status == STATUS_NOT_FOUND) status = event_log_setup(fixture->log, &error);
    if (status) fail_msg("%s", error.text);
}

void fixture_close(struct fixture *fixture) {
    event_log_close(fixture->log);
    kafka_remove_topics(fixture->servers, fixture->prefix);
    metrics_free(fixture->metrics);
}

uint64_t fixture_replaced(const struct fixture *fixture, enum kafka_role role) {
    return metric_count(kafka_log_of(fixture->log)->replaced[role]);
}

/* --- a broker --- */

static void run(const char *command, char *output, size_t size) {
    FILE *pipe = popen(command, "r");
    if (!pipe) fail_msg("%s: cannot be run", command);
    size_t got = fread(output, 1, size - 1, pipe);
    output[got] = '\0';
    if (pclose(pipe) != 0) fail_msg("%s:\n%s", command, output);
}

void broker_do(const struct broker *broker, const char *command) {
    char line[3 * FIXTURE_TEXT_MAX], output[4096];
    snprintf(line, sizeof line, "%s/deploy/local/cluster --dir %s/cluster %s 2>&1", SOURCE_DIRECTORY, broker->directory,
             command);
    run(line, output, sizeof output);
}

/* A shell that waits for the end of its input, then deletes the broker. */
static void start_guard(struct broker *broker) {
    char line[3 * FIXTURE_TEXT_MAX];
    int ends[2];
    snprintf(line, sizeof line, "cat >/dev/null; %s/deploy/local/cluster --dir %s/cluster wipe; rm -rf %s",
             SOURCE_DIRECTORY, broker->directory, broker->directory);
    char *arguments[] = {"sh", "-c", line, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    posix_spawnattr_init(&attributes); /* a session of its own: a signal to the test's group is not for it */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    assert_int_equal(posix_spawn(&broker->guard, "/bin/sh", &actions, &attributes, arguments, environ), 0);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    broker->guard_fd = ends[1];
}

void broker_start(struct broker *broker) {
    char line[3 * FIXTURE_TEXT_MAX];
    scratch_make(broker->directory);
    start_guard(broker);
    broker_do(broker, "up --only kafka --free-ports");
    snprintf(line, sizeof line, "%s/deploy/local/cluster --dir %s/cluster exec -- printenv KAFKA_BOOTSTRAP_SERVERS",
             SOURCE_DIRECTORY, broker->directory);
    run(line, broker->servers, sizeof broker->servers);
    broker->servers[strcspn(broker->servers, "\n")] = '\0';
}

void broker_end(struct broker *broker) {
    close(broker->guard_fd);
    assert_int_equal(child_wait(broker->guard, 60), 0);
}

/* --- consumers --- */

static struct event_log_consumer *open_consumer(struct fixture *fixture,
                                                const struct event_log_consumer_options *options) {
    struct event_log_consumer *consumer = NULL;
    struct error error;
    if (event_log_consumer_open(fixture->log, options, &consumer, &error)) fail_msg("%s", error.text);
    return consumer;
}

struct event_log_consumer *fixture_reader(struct fixture *fixture, enum event_log_topic topic, bool from_first) {
    int64_t positions[EVENT_LOG_PARTITIONS_MAX];
    for (int i = 0; i < EVENT_LOG_PARTITIONS_MAX; i++)
        positions[i] = EVENT_LOG_FIRST;
    return open_consumer(fixture, &(struct event_log_consumer_options){
                                      .topic = topic, .positions = from_first ? positions : NULL, .batch_max = 500});
}

struct event_log_consumer *fixture_member(struct fixture *fixture, const char *group) {
    return open_consumer(
        fixture, &(struct event_log_consumer_options){.topic = TOPIC_COMMANDS, .group = group, .batch_max = 500});
}

struct event_log_poll fixture_poll_until(struct event_log_consumer *consumer, enum event_log_poll_kind kind) {
    struct event_log_poll poll;
    struct error error;
    for (int64_t until_ms = now_ms() + FIXTURE_WAIT_MS; now_ms() < until_ms;) {
        enum status status = event_log_poll(consumer, 100, &poll, &error);
        if (status == STATUS_UNAVAILABLE) continue;
        if (status) fail_msg("%s", error.text);
        if (poll.kind == kind) return poll;
        if (poll.kind == POLL_RECORDS) event_log_batch_free(poll.batch);
    }
    fail_msg("what the test waits for (%d) did not come", kind);
    return poll;
}

void fixture_assign(struct event_log_consumer *consumer) {
    for (int i = 0; i < FIXTURE_PARTITIONS; i++)
        fixture_poll_until(consumer, POLL_ASSIGNED);
}

/* --- single requests --- */

struct call {
    struct completion completion;
    enum status status;
};

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct call *call = append->data;
    call->status = status;
    completion_signal(&call->completion);
}

static enum status append_value(struct fixture *fixture, int32_t partition, struct bytes value, int64_t *offset_out) {
    struct call call;
    struct event_log_record record = {.partition = partition, .key = BYTES("key"), .value = value};
    struct event_log_append append = {
        .topic = TOPIC_COMMANDS, .records = &record, .count = 1, .done = append_done, .data = &call};
    completion_init(&call.completion);
    event_log_append(fixture->log, &append);
    completion_wait(&call.completion);
    if (offset_out) *offset_out = record.offset;
    return call.status;
}

enum status fixture_append(struct fixture *fixture, int32_t partition, uint64_t number, int64_t *offset_out) {
    char value[8];
    bytes_put_u64(value, number);
    return append_value(fixture, partition, (struct bytes){value, sizeof value}, offset_out);
}

void fixture_append_sized(struct fixture *fixture, int32_t partition, size_t size) {
    char *value = calloc(1, size);
    assert_non_null(value);
    assert_int_equal(append_value(fixture, partition, (struct bytes){value, size}, NULL), STATUS_OK);
    free(value);
}

static void commit_done(struct event_log_commit *commit, enum status status, const char *error_text) {
    struct call *call = commit->data;
    call->status = status;
    completion_signal(&call->completion);
}

enum status fixture_commit(struct event_log_consumer *consumer, int32_t partition, int64_t next_offset) {
    struct call call;
    struct event_log_commit commit = {
        .partition = partition, .next_offset = next_offset, .done = commit_done, .data = &call};
    completion_init(&call.completion);
    event_log_commit(consumer, &commit);
    completion_wait(&call.completion);
    return call.status;
}
