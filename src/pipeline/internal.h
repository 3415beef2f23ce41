/* The structs that the pipeline's files share: the pipeline, a partition, a batch on its way through the steps.
 *
 * All of it belongs to the pipeline's thread, but for three things: what is marked as guarded by the mutex; a batch
 * between the submission of a request and its completion, which belongs to the adapter's thread; the inbox. */
#ifndef ORDERLY_PIPELINE_INTERNAL_H
#define ORDERLY_PIPELINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "order/event.h"
#include "pipeline/backoff.h"
#include "pipeline/inbox.h"
#include "pipeline/pipeline.h"
#include "pipeline/row_table.h"

#define BATCH_ARENA_BLOCK_SIZE (1u << 20)
#define BATCH_ARENA_LIMIT_SIZE (64u << 20) /* a batch that needs more is cut into smaller ones */
#define BATCH_OUTPUT_SIZE_MAX (12u << 20)  /* event values of one batch, below EVENT_LOG_APPEND_MAX; the same holds */
#define CACHE_PUTS_SIZE_MAX (4u << 20)     /* entry values of one batch; orders beyond it are dropped from the cache */
#define CACHE_PUTS_LATE_MAX 32 /* batches whose puts the cache has not answered; above it puts are skipped */
#define POLL_TIMEOUT_MS 100    /* also how late a timer may be */
#define TRIM_EVERY_MS 60000

enum dead_reason { DEAD_INVALID, DEAD_WRONG_KEY, DEAD_WRONG_PARTITION, DEAD_TOO_LARGE, DEAD_REASON_COUNT };

/* The steps of a batch, in this order. */
enum batch_step { STEP_PARSE, STEP_READ, STEP_STORE, STEP_CACHE, STEP_LETTERS, STEP_EVENTS, STEP_COMMIT, STEP_COUNT };

/* What a step's function says: nothing left to do, a completion will come, or batch->status and error tell why not. */
enum progress { PROGRESS_DONE, PROGRESS_UNDER_WAY, PROGRESS_FAILED };

/* One message of a batch: a command with its decision, or a dead letter. */
struct item {
    const struct event_log_record *record;
    bool is_dead;
    enum dead_reason dead_reason;
    const char *dead_text; /* in the arena or static */
    struct command command;
    struct decision decision; /* stays where it is: it points into itself, and changes and events point at it */
};

struct cache_puts;

struct batch {
    struct message message;
    struct pipeline *pipeline;
    struct partition *partition; /* NULL: abandoned; it only waits for its completion */
    struct inbox *inbox;         /* one reference */
    struct batch *next_free;

    struct event_log_batch *log_batch; /* owned */
    size_t begin, end;                 /* the window of its records that is worked on */
    size_t window_max;                 /* records in a window: halved when one proves too large */
    uint32_t needs_schema;             /* not 0: the record at `end` is of this newer schema */

    enum batch_step step;
    size_t step_progress;  /* how much of the step is done: keys, changes, or 1 */
    size_t step_pending;   /* how much more the request under way will have done */
    size_t outgoing_count; /* not 0: this step's messages are made, a retry sends them again */
    bool is_under_way;     /* a request has been submitted and its completion not received */
    bool is_waiting;       /* for retry_at_ns */
    unsigned attempt;      /* failures of this step in a row */
    int64_t retry_at_ns;
    int64_t step_began_ns;
    int64_t read_at_ms; /* wall time before the rows were read: what the cache entries' age counts from */
    enum status status; /* of the last request */
    struct error error;

    struct arena arena;
    struct item *items; /* arrays of batch_max, but for keys: twice that */
    size_t item_count, dead_count;
    struct row_table rows;
    struct order_store_key *keys;
    size_t key_count;
    struct order_store_change *changes;
    size_t change_count;
    struct event_log_record *outgoing; /* dead letters, then events */
    size_t *value_ends;
    struct buffer output; /* the values of the events */
    size_t letter_value_max;
    struct cache_puts *puts; /* not NULL: the cache step waits for them until cache_deadline_ns */
    int64_t cache_deadline_ns;

    union {
        struct order_store_rows rows;
        struct order_store_apply apply;
        struct event_log_append append;
        struct event_log_commit commit;
    } request; /* one at a time */
};

/* A trim under way: its own allocation, because it may outlive its partition's assignment and the pipeline. */
struct trim {
    struct message message;
    struct inbox *inbox;
    struct partition *partition;
    struct event_log_trim request;
};

struct partition {
    struct pipeline *pipeline;
    int32_t number;
    bool is_assigned, is_revoking, is_paused;
    uint32_t needs_schema;
    int64_t next_offset;          /* committed; when replaying: processed */
    int64_t end_offset;           /* replay: where it ends */
    struct batch *batch;          /* under way, or NULL */
    struct event_log_batch *held; /* read ahead, or NULL */
    struct trim *trim;            /* made at the first trim */
    bool trim_is_under_way;
    int64_t trim_at_ns;
    struct metric_gauge *lag_metric;
    struct pipeline_partition_state shown; /* guarded by the pipeline's mutex; lag: the part of it that is in memory */
};

/* Registered once; the pipeline's thread counts. */
struct pipeline_metrics {
    struct metric_counter *commands[VERDICT_COUNT];
    struct metric_counter *dead[DEAD_REASON_COUNT];
    struct metric_counter *retries[STEP_COUNT];
    struct metric_counter *cache_skipped;
    struct metric_histogram *steps[STEP_COUNT];
    struct metric_histogram *batch_size;
    struct metric_gauge *paused;
};

enum pipeline_phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_STOPPING };

struct pipeline {
    struct pipeline_options options;
    struct inbox *inbox;
    struct event_log_consumer *consumer; /* of the pipeline's thread */
    struct partition *partitions;
    int32_t partition_count;
    struct batch *free_batches;
    size_t batch_count, batch_limit;
    struct cache_puts *free_puts;
    size_t puts_count;
    struct pipeline_metrics metrics;
    unsigned poll_failures; /* in a row */
    int64_t lag_at_ns;      /* when the lag gauges are written again */

    _Atomic int phase; /* enum pipeline_phase; set by drain and close */
    _Atomic bool replay_is_done;
    pthread_t thread;
    bool thread_is_joined; /* of the thread that drains and closes */

    pthread_mutex_t mutex;   /* guards what follows, and `shown` of the partitions */
    pthread_cond_t finished; /* on CLOCK_MONOTONIC */
    bool consumer_is_open;
    bool is_finished;   /* the thread has come to its end */
    bool left_work;     /* ... and left a batch behind */
    bool is_in_trouble; /* a failure has been logged since the last success: further ones are not */
    struct error last_error;
};

/* --- pipeline.c --- */

static inline int64_t pipeline_now_ns(const struct pipeline *pipeline) {
    return clock_monotonic_ns(pipeline->options.clock);
}

/* Keeps the text for pipeline_last_error, and logs the first failure after a success; the thread itself only. */
void pipeline_note_error(struct pipeline *pipeline, const char *what, enum status status, const char *text);
void pipeline_note_recovery(struct pipeline *pipeline);

/* --- partition.c --- */

enum status partitions_new(struct pipeline *pipeline, struct error *error);
void partitions_free(struct pipeline *pipeline); /* batches under way are left to their completions */

void partition_assigned(struct partition *partition, int64_t next_offset);
void partition_records(struct partition *partition, struct event_log_batch *records); /* takes them */
void partition_revoked(struct partition *partition);
void partition_lost(struct partition *partition);
void partition_leave(struct partition *partition); /* drops everything; what is under way commits nothing more */
void partition_drain(struct partition *partition); /* takes nothing new */

/* Timers: retries, the cache's bound, a trim; starts what is held. */
void partition_tick(struct partition *partition, int64_t now_ns);

/* The ns until its next timer, or INT64_MAX. */
int64_t partition_next_timer_ns(const struct partition *partition, int64_t now_ns);

/* From the batch: its window is committed (replay: stored) up to next_offset; the batch has ended (it is free again),
 * because all of it is done or because it gave up while the partition is being handed over. */
void partition_committed(struct partition *partition, int64_t next_offset);
void partition_batch_ended(struct partition *partition);
void partition_show(struct partition *partition); /* brings `shown` up to date */

/* True while windows of this partition may be started. */
bool partition_takes_more(const struct partition *partition);

bool partition_replay_is_done(struct partition *partition);

/* --- batch.c --- */

/* A batch from the free ones, or a new one. NULL: none to be had now. */
struct batch *batch_acquire(struct pipeline *pipeline);
void batches_free(struct pipeline *pipeline); /* the free ones */

/* Begins with the records, which it takes. The batch belongs to partition->batch from here to its end. */
void batch_start(struct batch *batch, struct partition *partition, struct event_log_batch *log_batch);

/* Drops it without a commit: at once, or when its completion has come. */
void batch_abandon(struct batch *batch);

/* Goes on with the step it is at: after a wait, or when the cache has answered. */
void batch_run(struct batch *batch);

size_t batch_uncommitted(const struct batch *batch); /* records not yet committed */

/* Submission and completion of a request: batch_submit before handing the request to an adapter, with how far it will
 * bring the step; batch_completed from its done callback (any thread). */
void batch_submit(struct batch *batch, size_t step_pending);
void batch_completed(struct batch *batch, enum status status, const char *error_text);

/* Sets batch->status and error; returns PROGRESS_FAILED. */
enum progress batch_fail(struct batch *batch, enum status status, const char *text);

/* --- the steps: batch_read.c, batch_write.c, batch_cache.c, batch_publish.c --- */

/* Reads the records from `begin` on: sets end, items, needs_schema and the keys of the rows wanted. The window is empty
 * only if needs_schema says why. */
enum progress batch_parse(struct batch *batch);
enum progress batch_read(struct batch *batch);
void batch_decide(struct batch *batch);
enum progress batch_store(struct batch *batch);
enum progress batch_cache(struct batch *batch);
enum progress batch_send_letters(struct batch *batch);
enum progress batch_send_events(struct batch *batch);
enum progress batch_commit(struct batch *batch);

/* The cache has not answered within its bound: goes on without. */
void batch_cache_is_late(struct batch *batch);
void batch_cache_forget(struct batch *batch);    /* an abandoned batch no longer waits for its puts */
void cache_puts_free(struct pipeline *pipeline); /* the free ones */

/* --- dead_letter.c --- */

const char *dead_reason_name(enum dead_reason reason);

/* Makes the letter in the arena. The value is cut to value_max bytes. NO_MEMORY. */
enum status dead_letter_make(const struct item *item, int32_t partition, size_t value_max, struct arena *arena,
                             struct event_log_record *letter_out);

/* --- observe.c --- */

const char *batch_step_name(enum batch_step step);
void pipeline_register_metrics(struct pipeline *pipeline);
void pipeline_show_lag(struct pipeline *pipeline, int64_t now_ns); /* now and then */
void batch_count_commands(const struct batch *batch);

#endif
