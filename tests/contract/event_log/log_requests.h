/* Requests to a log that wait for their end, and a tape of what a consumer was given. */
#ifndef ORDERLY_TESTS_LOG_REQUESTS_H
#define ORDERLY_TESTS_LOG_REQUESTS_H

#include "contract/completion.h"
#include "contract/event_log/event_log_contract.h"

struct append_call {
    struct event_log_append append;
    struct completion completion;
    enum status status;
};
void append_begin(struct append_call *call, struct event_log *log, enum event_log_topic topic,
                  struct event_log_record *records, size_t count, bool uses_reserve);
enum status append_end(struct append_call *call);

enum status append_now(enum event_log_topic topic, struct event_log_record *records, size_t count);

/* Appends records to one partition of TOPIC_COMMANDS, one by one, with the numbers from first on as values. */
void append_numbers(int32_t partition, uint64_t first, size_t count, int64_t *offsets_out);

struct event_log_record record_of(int32_t partition, struct bytes key, struct bytes value);

/* The value that append_numbers writes, and back. */
struct number_value {
    char bytes[8];
};
struct bytes number_value_set(struct number_value *value, uint64_t number);
uint64_t number_of(const struct event_log_record *record);

struct commit_call {
    struct event_log_commit commit;
    struct completion completion;
    enum status status;
};
void commit_begin(struct commit_call *call, struct event_log_consumer *consumer, int32_t partition,
                  int64_t next_offset);
enum status commit_end(struct commit_call *call);
enum status commit_now(struct event_log_consumer *consumer, int32_t partition, int64_t next_offset);
enum status trim_now(enum event_log_topic topic, int32_t partition, int64_t below_offset, int64_t before_ms);

/* Trims until the first record's offset is at least first_offset. */
void trim_up_to(enum event_log_topic topic, int32_t partition, int64_t first_offset);

struct event_log_consumer *open_reader(enum event_log_topic topic, const int64_t *positions);
struct event_log_consumer *open_first(enum event_log_topic topic); /* a reader of all records */
struct event_log_consumer *open_member(const char *group);         /* of TOPIC_COMMANDS */

#define TAPE_MAX 20000
struct tape {
    const struct event_log_record **records;
    size_t count;
    struct event_log_batch *batches[TAPE_MAX];
    size_t batch_count;
    bool assigned[EVENT_LOG_PARTITIONS_MAX];
    int64_t assigned_at[EVENT_LOG_PARTITIONS_MAX]; /* next_offset */
    bool revoked[EVENT_LOG_PARTITIONS_MAX];
    size_t assigned_count, gaps;
    int64_t gap_to;
};
struct tape *tape_new(void);
void tape_free(struct tape *tape);

/* One poll, noted on the tape. */
enum event_log_poll_kind tape_poll(struct tape *tape, struct event_log_consumer *consumer, int timeout_ms);

/* Polls until so many records, or assigned partitions, are on the tape; fails after CONTRACT_WAIT_MS. */
void tape_read(struct tape *tape, struct event_log_consumer *consumer, size_t record_count);
void tape_assign(struct tape *tape, struct event_log_consumer *consumer, size_t partition_count);

/* Polls for a moment and expects no record. */
void tape_expect_silence(struct tape *tape, struct event_log_consumer *consumer);

#endif
