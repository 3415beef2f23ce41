/* The pipeline's life: open, the thread that polls and receives completions, drain, close. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline/internal.h"

#define RETENTION_DEFAULT_MS ((int64_t)7 * 24 * 3600 * 1000)
#define RANGE_TIMEOUT_MS 10000

/* --- failures, state --- */

void pipeline_note_error(struct pipeline *pipeline, const char *what, enum status status, const char *text) {
    pthread_mutex_lock(&pipeline->mutex);
    error_set(&pipeline->last_error, status, "%s: %s: %s", what, status_name(status), text);
    pthread_mutex_unlock(&pipeline->mutex);
    if (!pipeline->is_in_trouble)
        log_event(pipeline->options.logger, LOG_WARN, "a step of the pipeline failed and is tried again",
                  LOG_S("step", what), LOG_S("status", status_name(status)), LOG_S("error", text));
    pipeline->is_in_trouble = true;
}

void pipeline_note_recovery(struct pipeline *pipeline) {
    if (!pipeline->is_in_trouble) return;
    pipeline->is_in_trouble = false;
    log_event(pipeline->options.logger, LOG_INFO, "the pipeline goes on");
}

void pipeline_last_error(struct pipeline *pipeline, char *out, size_t size) {
    pthread_mutex_lock(&pipeline->mutex);
    snprintf(out, size, "%s", pipeline->last_error.text);
    pthread_mutex_unlock(&pipeline->mutex);
}

/* What the log has not handed out and what is in memory. The mutex keeps the consumer open meanwhile. */
void pipeline_state(struct pipeline *pipeline, int32_t partition, struct pipeline_partition_state *state_out) {
    struct pipeline_partition_state state = {.lag = -1};
    if (partition >= 0 && partition < pipeline->partition_count) {
        pthread_mutex_lock(&pipeline->mutex);
        state = pipeline->partitions[partition].shown;
        int64_t in_log = -1;
        if (pipeline->consumer_is_open && state.assigned) in_log = event_log_lag(pipeline->consumer, partition);
        state.lag = in_log < 0 ? -1 : in_log + state.lag;
        pthread_mutex_unlock(&pipeline->mutex);
    }
    *state_out = state;
}

bool pipeline_replay_is_done(struct pipeline *pipeline) {
    return atomic_load(&pipeline->replay_is_done);
}

/* --- the thread --- */

static bool receive(struct pipeline *pipeline) {
    struct queue taken = inbox_take(pipeline->inbox);
    bool has_any = taken.head != NULL;
    struct queue_link *link;
    while ((link = queue_pop(&taken))) {
        struct message *message = CONTAINER_OF(link, struct message, link);
        message->received(message);
    }
    return has_any;
}

static void tick(struct pipeline *pipeline) {
    int64_t now_ns = pipeline_now_ns(pipeline);
    for (int32_t i = 0; i < pipeline->partition_count; i++)
        partition_tick(&pipeline->partitions[i], now_ns);
    pipeline_show_lag(pipeline, now_ns);
}

static int poll_timeout_ms(const struct pipeline *pipeline) {
    int64_t now_ns = pipeline_now_ns(pipeline);
    int64_t next_ns = (int64_t)POLL_TIMEOUT_MS * 1000000;
    for (int32_t i = 0; i < pipeline->partition_count; i++) {
        int64_t timer_ns = partition_next_timer_ns(&pipeline->partitions[i], now_ns);
        if (timer_ns < next_ns) next_ns = timer_ns;
    }
    return (int)((next_ns + 999999) / 1000000);
}

static void on_nothing(struct partition *partition, const struct event_log_poll *poll) {
}
static void on_records(struct partition *partition, const struct event_log_poll *poll) {
    partition_records(partition, poll->batch);
}
static void on_assigned(struct partition *partition, const struct event_log_poll *poll) {
    partition_assigned(partition, poll->next_offset);
}
static void on_revoked(struct partition *partition, const struct event_log_poll *poll) {
    partition_revoked(partition);
}
static void on_lost(struct partition *partition, const struct event_log_poll *poll) {
    partition_lost(partition);
}
static void on_gap(struct partition *partition, const struct event_log_poll *poll) {
    log_event(partition->pipeline->options.logger, LOG_WARN,
              "commands are gone from the log: reading goes on behind them", LOG_N("partition", partition->number),
              LOG_N("next_offset", poll->next_offset));
}

static void poll_log(struct pipeline *pipeline) {
    static void (*const on_poll[])(struct partition * partition, const struct event_log_poll *poll) = {
        [POLL_NOTHING] = on_nothing, [POLL_RECORDS] = on_records, [POLL_ASSIGNED] = on_assigned,
        [POLL_REVOKED] = on_revoked, [POLL_LOST] = on_lost,       [POLL_GAP] = on_gap,
    };
    struct event_log_poll poll = {.kind = POLL_NOTHING};
    struct error error = {.text = ""};
    enum status status = event_log_poll(pipeline->consumer, poll_timeout_ms(pipeline), &poll, &error);
    if (status != STATUS_OK) {
        const struct pipeline_options *options = &pipeline->options;
        pipeline_note_error(pipeline, "poll", status, error.text);
        inbox_wait(pipeline->inbox, (int)backoff_ms(options->backoff_min_ms, options->backoff_max_ms,
                                                    ++pipeline->poll_failures, options->random));
        return;
    }
    if (pipeline->poll_failures > 0) pipeline_note_recovery(pipeline);
    pipeline->poll_failures = 0;
    if (poll.kind == POLL_NOTHING) return;
    on_poll[poll.kind](&pipeline->partitions[poll.partition], &poll);
}

static bool is_idle(const struct pipeline *pipeline) {
    for (int32_t i = 0; i < pipeline->partition_count; i++)
        if (pipeline->partitions[i].batch) return false;
    return true;
}

static void watch_replay(struct pipeline *pipeline) {
    if (!pipeline->options.replay || atomic_load(&pipeline->replay_is_done)) return;
    for (int32_t i = 0; i < pipeline->partition_count; i++)
        if (!partition_replay_is_done(&pipeline->partitions[i])) return;
    atomic_store(&pipeline->replay_is_done, true);
}

/* Leaves the group. What is under way is abandoned first, so that its completions find nothing to go on with; those
 * that come after the inbox is closed free their memory themselves. */
static void finish(struct pipeline *pipeline) {
    bool left_work = !is_idle(pipeline);
    for (int32_t i = 0; i < pipeline->partition_count; i++)
        partition_leave(&pipeline->partitions[i]);
    struct queue taken = inbox_close(pipeline->inbox);
    struct queue_link *link;
    while ((link = queue_pop(&taken))) {
        struct message *message = CONTAINER_OF(link, struct message, link);
        message->received(message);
    }
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->consumer_is_open = false;
    pthread_mutex_unlock(&pipeline->mutex);
    event_log_consumer_close(pipeline->consumer);
    batches_free(pipeline);
    cache_puts_free(pipeline);
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_finished = true;
    pipeline->left_work = left_work;
    pthread_cond_broadcast(&pipeline->finished);
    pthread_mutex_unlock(&pipeline->mutex);
}

static void *pipeline_run(void *argument) {
    struct pipeline *pipeline = argument;
    bool is_draining = false;
    inbox_own(pipeline->inbox, pipeline->consumer);
    for (;;) {
        while (receive(pipeline)) {
        }
        int phase = atomic_load(&pipeline->phase);
        if (phase != PHASE_RUNNING && !is_draining) {
            is_draining = true;
            for (int32_t i = 0; i < pipeline->partition_count; i++)
                partition_drain(&pipeline->partitions[i]);
        }
        if (phase == PHASE_STOPPING || (is_draining && is_idle(pipeline))) break;
        tick(pipeline);
        watch_replay(pipeline);
        poll_log(pipeline);
    }
    finish(pipeline);
    return NULL;
}

/* --- open --- */

static void set_defaults(struct pipeline_options *options) {
    if (options->batch_max == 0) options->batch_max = 512;
    if (options->batch_max > PIPELINE_UNCOMMITTED_MAX) options->batch_max = PIPELINE_UNCOMMITTED_MAX;
    if (options->cache_ttl_ms == 0) options->cache_ttl_ms = 60000;
    if (options->cache_wait_ms == 0) options->cache_wait_ms = 50;
    if (options->retention_ms == 0) options->retention_ms = RETENTION_DEFAULT_MS;
    if (options->backoff_min_ms == 0) options->backoff_min_ms = 50;
    if (options->backoff_max_ms == 0) options->backoff_max_ms = 5000;
}

/* A replay ends where the log ends now. */
static enum status find_ends(struct pipeline *pipeline, struct error *error) {
    for (int32_t i = 0; i < pipeline->partition_count; i++) {
        int64_t first;
        enum status status = event_log_range(pipeline->options.log, TOPIC_COMMANDS, i, RANGE_TIMEOUT_MS, &first,
                                             &pipeline->partitions[i].end_offset, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status open_consumer(struct pipeline *pipeline, struct error *error) {
    int64_t positions[EVENT_LOG_PARTITIONS_MAX];
    for (size_t i = 0; i < EVENT_LOG_PARTITIONS_MAX; i++)
        positions[i] = EVENT_LOG_FIRST;
    bool replay = pipeline->options.replay;
    if (replay) {
        enum status status = find_ends(pipeline, error);
        if (status != STATUS_OK) return status;
    }
    const struct event_log_consumer_options options = {
        .topic = TOPIC_COMMANDS,
        .group = replay ? NULL : PIPELINE_GROUP,
        .positions = replay ? positions : NULL,
        .batch_max = pipeline->options.batch_max,
    };
    return event_log_consumer_open(pipeline->options.log, &options, &pipeline->consumer, error);
}

static enum status start_thread(struct pipeline *pipeline, struct error *error) {
    pipeline->consumer_is_open = true;
    int failure = pthread_create(&pipeline->thread, NULL, pipeline_run, pipeline);
    if (failure == 0) return STATUS_OK;
    event_log_consumer_close(pipeline->consumer);
    return error_set_errno(error, STATUS_NO_MEMORY, failure, "the pipeline's thread");
}

static void pipeline_free(struct pipeline *pipeline) {
    partitions_free(pipeline);
    inbox_release(pipeline->inbox);
    pthread_cond_destroy(&pipeline->finished);
    pthread_mutex_destroy(&pipeline->mutex);
    free(pipeline);
}

static struct pipeline *pipeline_new(const struct pipeline_options *options) {
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline) return NULL;
    pipeline->options = *options;
    set_defaults(&pipeline->options);
    pipeline->partition_count = options->log->partition_count;
    /* Two for each partition: one may still wait for its completion when the partition was lost and came back. */
    pipeline->batch_limit = (size_t)pipeline->partition_count * 2;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pipeline->finished, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&pipeline->mutex, NULL);
    return pipeline;
}

enum status pipeline_open(const struct pipeline_options *options, struct pipeline **pipeline_out, struct error *error) {
    struct pipeline *pipeline = pipeline_new(options);
    if (!pipeline) return error_set(error, STATUS_NO_MEMORY, "no memory for the pipeline");
    enum status status = STATUS_OK;
    pipeline->inbox = inbox_new();
    if (!pipeline->inbox) status = error_set(error, STATUS_NO_MEMORY, "no memory for the pipeline");
    if (status == STATUS_OK) status = partitions_new(pipeline, error);
    if (status == STATUS_OK) pipeline_register_metrics(pipeline);
    if (status == STATUS_OK) status = open_consumer(pipeline, error);
    if (status == STATUS_OK) status = start_thread(pipeline, error);
    if (status != STATUS_OK) {
        pipeline_free(pipeline);
        return status;
    }
    *pipeline_out = pipeline;
    return STATUS_OK;
}

/* --- drain, close --- */

static void set_phase(struct pipeline *pipeline, enum pipeline_phase phase) {
    atomic_store(&pipeline->phase, phase);
    inbox_ring(pipeline->inbox);
}

static void wait_finished(struct pipeline *pipeline, int timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* the caller's time, not that of the batches */
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    int failure = 0;
    pthread_mutex_lock(&pipeline->mutex);
    while (!pipeline->is_finished && failure == 0)
        failure = pthread_cond_timedwait(&pipeline->finished, &pipeline->mutex, &until);
    pthread_mutex_unlock(&pipeline->mutex);
}

enum status pipeline_drain(struct pipeline *pipeline, int timeout_ms) {
    if (!pipeline->thread_is_joined) {
        set_phase(pipeline, PHASE_DRAINING);
        if (timeout_ms > 0) wait_finished(pipeline, timeout_ms);
        set_phase(pipeline, PHASE_STOPPING);
        pthread_join(pipeline->thread, NULL);
        pipeline->thread_is_joined = true;
    }
    return pipeline->left_work ? STATUS_BUSY : STATUS_OK;
}

void pipeline_close(struct pipeline *pipeline) {
    if (!pipeline) return;
    pipeline_drain(pipeline, 0);
    pipeline_free(pipeline);
}
