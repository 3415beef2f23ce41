/* One partition of the consumer: assigned, at work on one batch with at most one read ahead, paused, handed over, lost.
 */
#include <stdlib.h>

#include "pipeline/internal.h"

enum status partitions_new(struct pipeline *pipeline, struct error *error) {
    pipeline->partitions = calloc((size_t)pipeline->partition_count, sizeof *pipeline->partitions);
    if (!pipeline->partitions)
        return error_set(error, STATUS_NO_MEMORY, "no memory for %d partitions", (int)pipeline->partition_count);
    for (int32_t i = 0; i < pipeline->partition_count; i++) {
        pipeline->partitions[i].pipeline = pipeline;
        pipeline->partitions[i].number = i;
    }
    return STATUS_OK;
}

static void trim_free(struct trim *trim) {
    inbox_release(trim->inbox);
    free(trim);
}

void partitions_free(struct pipeline *pipeline) {
    for (int32_t i = 0; pipeline->partitions && i < pipeline->partition_count; i++) {
        struct partition *partition = &pipeline->partitions[i];
        if (partition->trim && !partition->trim_is_under_way) trim_free(partition->trim);
    }
    free(pipeline->partitions);
}

void partition_show(struct partition *partition) {
    struct pipeline *pipeline = partition->pipeline;
    size_t in_memory = partition->batch ? batch_uncommitted(partition->batch) : 0;
    if (partition->held) in_memory += partition->held->count;
    pthread_mutex_lock(&pipeline->mutex);
    partition->shown = (struct pipeline_partition_state){
        .assigned = partition->is_assigned,
        .waiting = partition->batch && partition->batch->is_waiting,
        .needs_schema = partition->needs_schema,
        .committed = partition->next_offset,
        .lag = (int64_t)in_memory,
    };
    pthread_mutex_unlock(&pipeline->mutex);
}

bool partition_takes_more(const struct partition *partition) {
    return partition->is_assigned && !partition->is_revoking && partition->needs_schema == 0 &&
           atomic_load(&partition->pipeline->phase) == PHASE_RUNNING;
}

/* One batch is read ahead while another is under way, so that the next one starts at once; no more than that. */
static void update_pause(struct partition *partition) {
    bool is_paused = partition->is_assigned && (partition->held || !partition_takes_more(partition));
    if (is_paused == partition->is_paused) return;
    partition->is_paused = is_paused;
    event_log_pause(partition->pipeline->consumer, partition->number, is_paused);
}

static void drop_held(struct partition *partition) {
    event_log_batch_free(partition->held);
    partition->held = NULL;
}

/* Starts what was read ahead, if there is a batch to be had; else a tick tries again. */
static void start_held(struct partition *partition) {
    if (partition->batch || !partition->held || !partition_takes_more(partition)) return;
    struct batch *batch = batch_acquire(partition->pipeline);
    if (!batch) return;
    struct event_log_batch *records = partition->held;
    partition->held = NULL;
    partition->batch = batch;
    batch_start(batch, partition, records);
}

static void settle(struct partition *partition) {
    start_held(partition);
    update_pause(partition);
    partition_show(partition);
}

static void log_partition(const struct partition *partition, const char *what) {
    log_event(partition->pipeline->options.logger, LOG_DEBUG, what, LOG_N("partition", partition->number),
              LOG_N("next_offset", partition->next_offset));
}

/* --- what the log says --- */

void partition_assigned(struct partition *partition, int64_t next_offset) {
    if (partition->is_assigned) partition_lost(partition);
    partition->is_assigned = true;
    partition->is_revoking = partition->is_paused = false;
    partition->needs_schema = 0;
    partition->next_offset = next_offset;
    partition->trim_at_ns = pipeline_now_ns(partition->pipeline) + (int64_t)TRIM_EVERY_MS * 1000000;
    log_partition(partition, "partition assigned");
    settle(partition);
}

/* Records that cannot be taken now are left to the next owner, or read again: never skipped. */
void partition_records(struct partition *partition, struct event_log_batch *records) {
    struct error error;
    bool is_taken = partition_takes_more(partition) && records->count > 0;
    if (is_taken && partition->held) {
        event_log_seek(partition->pipeline->consumer, partition->number, records->records[0].offset, &error);
        is_taken = false;
    }
    if (is_taken)
        partition->held = records;
    else
        event_log_batch_free(records);
    settle(partition);
}

/* Nothing of the partition is left here; who has it next begins at the committed position. */
void partition_leave(struct partition *partition) {
    drop_held(partition);
    if (partition->batch) batch_abandon(partition->batch);
    partition->is_assigned = partition->is_revoking = partition->is_paused = false;
    partition->needs_schema = 0;
    partition_show(partition);
}

static void hand_over(struct partition *partition) {
    partition_leave(partition);
    event_log_release(partition->pipeline->consumer, partition->number);
    log_partition(partition, "partition handed over");
}

/* The batch under way is finished and committed, unless a service keeps it waiting. */
void partition_revoked(struct partition *partition) {
    if (!partition->is_assigned) return;
    partition->is_revoking = true;
    drop_held(partition);
    if (!partition->batch || partition->batch->is_waiting)
        hand_over(partition);
    else
        settle(partition);
}

void partition_lost(struct partition *partition) {
    if (!partition->is_assigned) return;
    partition_leave(partition);
    log_partition(partition, "partition lost");
}

void partition_drain(struct partition *partition) {
    drop_held(partition);
    settle(partition);
}

/* --- what the batch says --- */

void partition_committed(struct partition *partition, int64_t next_offset) {
    partition->next_offset = next_offset;
    partition_show(partition);
}

/* Goes back to the command that cannot be read, so that the log counts it and all behind it as not yet handed out. */
static void pause_for_schema(struct partition *partition) {
    struct pipeline *pipeline = partition->pipeline;
    drop_held(partition);
    event_log_seek(pipeline->consumer, partition->number, partition->next_offset, NULL); /* if not: the lag is off */
    log_event(pipeline->options.logger, LOG_WARN,
              "partition paused: a command of a newer schema version needs a newer consumer",
              LOG_N("partition", partition->number), LOG_N("offset", partition->next_offset),
              LOG_N("schema", partition->needs_schema));
}

void partition_batch_ended(struct partition *partition) {
    partition->batch = NULL;
    if (partition->is_revoking) {
        hand_over(partition);
        return;
    }
    if (partition->needs_schema) pause_for_schema(partition);
    settle(partition);
}

/* --- trim --- */

static void trim_received(struct message *message) {
    struct trim *trim = CONTAINER_OF(message, struct trim, message);
    trim->partition->trim_is_under_way = false;
}

static void trim_orphaned(struct message *message) {
    trim_free(CONTAINER_OF(message, struct trim, message));
}

/* A trim that failed is made up for by the next one. */
static void trim_done(struct event_log_trim *request, enum status status, const char *error_text) {
    struct trim *trim = request->data;
    inbox_deliver(trim->inbox, &trim->message);
}

static struct trim *trim_new(struct partition *partition) {
    struct trim *trim = calloc(1, sizeof *trim);
    if (!trim) return NULL;
    trim->message = (struct message){.received = trim_received, .orphaned = trim_orphaned};
    trim->inbox = inbox_hold(partition->pipeline->inbox);
    trim->partition = partition;
    return trim;
}

/* Removes what was committed and is older than the retention. */
static void trim_start(struct partition *partition, int64_t now_ns) {
    const struct pipeline_options *options = &partition->pipeline->options;
    partition->trim_at_ns = now_ns + (int64_t)TRIM_EVERY_MS * 1000000;
    if (!partition->trim) partition->trim = trim_new(partition);
    if (!partition->trim) return;
    partition->trim->request = (struct event_log_trim){
        .topic = TOPIC_COMMANDS,
        .partition = partition->number,
        .below_offset = partition->next_offset,
        .before_ms = clock_wall_ms(options->clock) - options->retention_ms,
        .done = trim_done,
        .data = partition->trim,
    };
    partition->trim_is_under_way = true;
    event_log_trim(options->log, &partition->trim->request);
}

static bool trims(const struct partition *partition) {
    const struct pipeline_options *options = &partition->pipeline->options;
    return partition->is_assigned && options->retention_ms >= 0 && !options->replay && !partition->trim_is_under_way;
}

/* --- timers --- */

void partition_tick(struct partition *partition, int64_t now_ns) {
    struct batch *batch = partition->batch;
    if (batch && batch->is_waiting && now_ns >= batch->retry_at_ns)
        batch_run(batch);
    else if (batch && batch->puts && now_ns >= batch->cache_deadline_ns)
        batch_cache_is_late(batch);
    else if (!batch && partition->held)
        settle(partition);
    if (trims(partition) && now_ns >= partition->trim_at_ns) trim_start(partition, now_ns);
}

int64_t partition_next_timer_ns(const struct partition *partition, int64_t now_ns) {
    const struct batch *batch = partition->batch;
    int64_t at_ns = INT64_MAX;
    if (batch && batch->is_waiting) at_ns = batch->retry_at_ns;
    if (batch && batch->puts) at_ns = batch->cache_deadline_ns;
    if (at_ns == INT64_MAX) return at_ns;
    return at_ns > now_ns ? at_ns - now_ns : 0;
}

bool partition_replay_is_done(struct partition *partition) {
    if (!partition->is_assigned || partition->batch || partition->held) return false;
    if (partition->next_offset >= partition->end_offset) return true;
    return partition->needs_schema == 0 && event_log_lag(partition->pipeline->consumer, partition->number) == 0;
}
