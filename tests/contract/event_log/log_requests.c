/* Requests to a log that wait for their end, and a tape of what a consumer was given. */
#include "contract/event_log/log_requests.h"

#define SILENCE_MS 300
#define TRIMS_MAX 1000

/* --- append --- */

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct append_call *call = append->data;
    call->status = status;
    completion_signal(&call->completion);
}

void append_begin(struct append_call *call, struct event_log *log, enum event_log_topic topic,
                  struct event_log_record *records, size_t count, bool uses_reserve) {
    *call = (struct append_call){.append = {.topic = topic,
                                            .records = records,
                                            .count = count,
                                            .uses_reserve = uses_reserve,
                                            .done = append_done,
                                            .data = call}};
    completion_init(&call->completion);
    event_log_append(log, &call->append);
}

enum status append_end(struct append_call *call) {
    completion_wait(&call->completion);
    return call->status;
}

enum status append_now(enum event_log_topic topic, struct event_log_record *records, size_t count) {
    struct append_call call;
    append_begin(&call, contract.log, topic, records, count, false);
    return append_end(&call);
}

struct event_log_record record_of(int32_t partition, struct bytes key, struct bytes value) {
    return (struct event_log_record){.partition = partition, .offset = -1, .key = key, .value = value};
}

struct bytes number_value_set(struct number_value *value, uint64_t number) {
    bytes_put_u64(value->bytes, number);
    return (struct bytes){value->bytes, sizeof value->bytes};
}

uint64_t number_of(const struct event_log_record *record) {
    assert_int_equal(record->value.size, 8);
    return bytes_get_u64(record->value.data);
}

void append_numbers(int32_t partition, uint64_t first, size_t count, int64_t *offsets_out) {
    int64_t last = -1;
    for (size_t i = 0; i < count; i++) {
        struct number_value value;
        struct event_log_record record = record_of(partition, BYTES("key"), number_value_set(&value, first + i));
        assert_int_equal(append_now(TOPIC_COMMANDS, &record, 1), STATUS_OK);
        assert_int_equal(record.partition, partition);
        assert_true(record.offset > last);
        last = record.offset;
        if (offsets_out) offsets_out[i] = record.offset;
    }
}

/* --- commit, trim --- */

static void commit_done(struct event_log_commit *commit, enum status status, const char *error_text) {
    struct commit_call *call = commit->data;
    call->status = status;
    completion_signal(&call->completion);
}

void commit_begin(struct commit_call *call, struct event_log_consumer *consumer, int32_t partition,
                  int64_t next_offset) {
    *call = (struct commit_call){
        .commit = {.partition = partition, .next_offset = next_offset, .done = commit_done, .data = call}};
    completion_init(&call->completion);
    event_log_commit(consumer, &call->commit);
}

enum status commit_end(struct commit_call *call) {
    completion_wait(&call->completion);
    return call->status;
}

enum status commit_now(struct event_log_consumer *consumer, int32_t partition, int64_t next_offset) {
    struct commit_call call;
    commit_begin(&call, consumer, partition, next_offset);
    return commit_end(&call);
}

struct trim_call {
    struct event_log_trim trim;
    struct completion completion;
    enum status status;
};

static void trim_done(struct event_log_trim *trim, enum status status, const char *error_text) {
    struct trim_call *call = trim->data;
    call->status = status;
    completion_signal(&call->completion);
}

enum status trim_now(enum event_log_topic topic, int32_t partition, int64_t below_offset, int64_t before_ms) {
    struct trim_call call = {.trim = {.topic = topic,
                                      .partition = partition,
                                      .below_offset = below_offset,
                                      .before_ms = before_ms,
                                      .done = trim_done,
                                      .data = &call}};
    completion_init(&call.completion);
    event_log_trim(contract.log, &call.trim);
    completion_wait(&call.completion);
    return call.status;
}

void trim_up_to(enum event_log_topic topic, int32_t partition, int64_t first_offset) {
    int64_t first = -1, end;
    for (int i = 0; i < TRIMS_MAX && first < first_offset; i++) {
        assert_int_equal(trim_now(topic, partition, first_offset, INT64_MAX), STATUS_OK);
        assert_int_equal(event_log_range(contract.log, topic, partition, CONTRACT_WAIT_MS, &first, &end, NULL),
                         STATUS_OK);
    }
    assert_true(first >= first_offset);
}

/* --- consumers --- */

static struct event_log_consumer *open_consumer(const struct event_log_consumer_options *options) {
    struct event_log_consumer *consumer = NULL;
    struct error error;
    if (event_log_consumer_open(contract.log, options, &consumer, &error)) fail_msg("%s", error.text);
    return consumer;
}

struct event_log_consumer *open_reader(enum event_log_topic topic, const int64_t *positions) {
    return open_consumer(
        &(struct event_log_consumer_options){.topic = topic, .positions = positions, .batch_max = 100});
}

struct event_log_consumer *open_first(enum event_log_topic topic) {
    int64_t positions[EVENT_LOG_PARTITIONS_MAX];
    for (int i = 0; i < EVENT_LOG_PARTITIONS_MAX; i++)
        positions[i] = EVENT_LOG_FIRST;
    return open_reader(topic, positions);
}

struct event_log_consumer *open_member(const char *group) {
    return open_consumer(
        &(struct event_log_consumer_options){.topic = TOPIC_COMMANDS, .group = group, .batch_max = 100});
}

struct tape *tape_new(void) {
    struct tape *tape = calloc(1, sizeof *tape);
    assert_non_null(tape);
    tape->records = calloc(TAPE_MAX, sizeof *tape->records);
    assert_non_null(tape->records);
    tape->gap_to = -1;
    return tape;
}

void tape_free(struct tape *tape) {
    for (size_t i = 0; i < tape->batch_count; i++)
        event_log_batch_free(tape->batches[i]);
    free(tape->records);
    free(tape);
}

static void tape_note_batch(struct tape *tape, struct event_log_batch *batch, int32_t partition) {
    assert_true(batch->count > 0 && tape->count + batch->count <= TAPE_MAX);
    tape->batches[tape->batch_count++] = batch;
    for (size_t i = 0; i < batch->count; i++) {
        const struct event_log_record *record = &batch->records[i];
        assert_int_equal(record->partition, partition);
        if (i > 0) assert_true(record->offset > batch->records[i - 1].offset);
        tape->records[tape->count++] = record;
    }
}

static enum status poll_patiently(struct event_log_consumer *consumer, int timeout_ms, struct event_log_poll *poll,
                                  struct error *error) {
    for (int i = 0; i < 1000; i++) {
        enum status status = event_log_poll(consumer, timeout_ms, poll, error);
        if (status != STATUS_UNAVAILABLE) return status;
    }
    return STATUS_UNAVAILABLE;
}

enum event_log_poll_kind tape_poll(struct tape *tape, struct event_log_consumer *consumer, int timeout_ms) {
    struct event_log_poll poll;
    struct error error;
    if (poll_patiently(consumer, timeout_ms, &poll, &error)) fail_msg("%s", error.text);
    switch (poll.kind) {
    case POLL_RECORDS: tape_note_batch(tape, poll.batch, poll.partition); break;
    case POLL_ASSIGNED:
        assert_false(tape->assigned[poll.partition]);
        tape->assigned[poll.partition] = true;
        tape->assigned_at[poll.partition] = poll.next_offset;
        tape->assigned_count++;
        break;
    case POLL_REVOKED: tape->revoked[poll.partition] = true; break;
    case POLL_LOST: tape->assigned[poll.partition] = false; break;
    case POLL_GAP: tape->gaps++, tape->gap_to = poll.next_offset; break;
    case POLL_NOTHING: break;
    }
    return poll.kind;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tape_read(struct tape *tape, struct event_log_consumer *consumer, size_t record_count) {
    int64_t until = now_ms() + CONTRACT_WAIT_MS;
    while (tape->count < record_count && now_ms() < until)
        tape_poll(tape, consumer, 100);
    if (tape->count < record_count) fail_msg("%zu records of %zu came", tape->count, record_count);
}

void tape_assign(struct tape *tape, struct event_log_consumer *consumer, size_t partition_count) {
    int64_t until = now_ms() + CONTRACT_WAIT_MS;
    while (tape->assigned_count < partition_count && now_ms() < until)
        tape_poll(tape, consumer, 100);
    if (tape->assigned_count < partition_count)
        fail_msg("%zu partitions of %zu came", tape->assigned_count, partition_count);
}

void tape_expect_silence(struct tape *tape, struct event_log_consumer *consumer) {
    size_t before = tape->count;
    int64_t until = now_ms() + SILENCE_MS;
    while (now_ms() < until)
        tape_poll(tape, consumer, 50);
    assert_int_equal(tape->count, before);
}
