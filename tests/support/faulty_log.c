/* The faulty event log: a wrapper around the log, and one around its consumer. */
#include "support/faulty_log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INJECTIONS_MAX 64
#define WAIT_S 30

struct injection {
    enum event_log_poll_kind kind;
    int32_t partition;
};

struct faulty_log {
    struct event_log base;
    struct event_log *inner;
    struct faults *faults;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct event_log_consumer *consumer; /* the inner one, while open */
    bool is_zombie;
    int64_t positions[EVENT_LOG_PARTITIONS_MAX];
    enum status commit_status, poll_status;
    struct injection injections[INJECTIONS_MAX];
    size_t injection_count;
    bool is_taken[EVENT_LOG_PARTITIONS_MAX]; /* away from the consumer by injection */
    bool is_released[EVENT_LOG_PARTITIONS_MAX];
    size_t appends_under_way;
    unsigned trims;
    struct event_log_trim last_trim;
};

struct faulty_consumer {
    struct event_log_consumer base;
    struct event_log_consumer *inner;
    struct faulty_log *log;
};

static struct faulty_log *log_of(struct event_log *base) {
    return (struct faulty_log *)base;
}
static struct faulty_consumer *consumer_of(struct event_log_consumer *base) {
    return (struct faulty_consumer *)base;
}

/* --- append --- */

struct append_call {
    struct fault_held held;
    struct faulty_log *log;
    struct event_log_append request, *outer;
    enum status misreport;
};

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct append_call *call = append->data;
    struct event_log_append *outer = call->outer;
    struct faulty_log *log = call->log;
    if (status == STATUS_OK && call->misreport) status = call->misreport, error_text = "misreported";
    free(call);
    outer->done(outer, status, error_text);
    pthread_mutex_lock(&log->mutex);
    log->appends_under_way--;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

static void append_go_on(struct fault_held *held) {
    struct append_call *call = CONTAINER_OF(held, struct append_call, held);
    pthread_mutex_lock(&call->log->mutex);
    call->log->appends_under_way++;
    pthread_mutex_unlock(&call->log->mutex);
    event_log_append(call->log->inner, &call->request);
}

static void faulty_append(struct event_log *base, struct event_log_append *outer) {
    struct faulty_log *log = log_of(base);
    enum status status = STATUS_OK;
    enum fault_effect effect = FAULT_NONE;
    if (outer->topic == TOPIC_EVENTS) effect = faults_next(log->faults, FAULT_EVENTS, &status);
    if (outer->topic == TOPIC_DLQ) effect = faults_next(log->faults, FAULT_LETTERS, &status);
    if (effect == FAULT_REFUSED) {
        outer->done(outer, status, "refused by the test");
        return;
    }
    struct append_call *call = calloc(1, sizeof *call);
    if (!call) abort();
    *call = (struct append_call){{.go_on = append_go_on}, log, *outer, outer, STATUS_OK};
    call->request.done = append_done;
    call->request.data = call;
    if (effect == FAULT_MISREPORTED) call->misreport = status;
    if (effect == FAULT_HELD)
        faults_hold(log->faults, outer->topic == TOPIC_DLQ ? FAULT_LETTERS : FAULT_EVENTS, &call->held);
    else
        append_go_on(&call->held);
}

/* --- commit --- */

struct commit_call {
    struct event_log_commit request, *outer;
    enum status misreport;
};

static void commit_done(struct event_log_commit *commit, enum status status, const char *error_text) {
    struct commit_call *call = commit->data;
    struct event_log_commit *outer = call->outer;
    if (status == STATUS_OK && call->misreport) status = call->misreport, error_text = "misreported";
    free(call);
    outer->done(outer, status, error_text);
}

static void faulty_commit(struct event_log_consumer *base, struct event_log_commit *outer) {
    struct faulty_consumer *consumer = consumer_of(base);
    enum status status = STATUS_OK;
    enum fault_effect effect = faults_next(consumer->log->faults, FAULT_COMMIT, &status);
    if (effect != FAULT_REFUSED && consumer->log->is_zombie) {
        outer->done(outer, consumer->log->commit_status, "a zombie's commit");
        return;
    }
    if (effect == FAULT_REFUSED) {
        outer->done(outer, status, "refused by the test");
        return;
    }
    struct commit_call *call = calloc(1, sizeof *call);
    if (!call) abort();
    *call = (struct commit_call){*outer, outer, effect == FAULT_MISREPORTED ? status : STATUS_OK};
    call->request.done = commit_done;
    call->request.data = call;
    event_log_commit(consumer->inner, &call->request);
}

/* --- poll --- */

static bool next_injection(struct faulty_log *log, struct injection *out, enum status *poll_status_out) {
    pthread_mutex_lock(&log->mutex);
    *poll_status_out = log->poll_status;
    bool has_one = log->injection_count > 0;
    if (has_one) {
        *out = log->injections[0];
        memmove(log->injections, log->injections + 1, --log->injection_count * sizeof log->injections[0]);
        log->is_taken[out->partition] = out->kind != POLL_ASSIGNED;
        log->is_released[out->partition] = false;
    }
    pthread_mutex_unlock(&log->mutex);
    return has_one;
}

static enum status carry_out(struct faulty_consumer *consumer, struct injection injection,
                             struct event_log_poll *poll_out, struct error *error) {
    *poll_out = (struct event_log_poll){.kind = injection.kind, .partition = injection.partition};
    if (injection.kind == POLL_ASSIGNED) {
        enum status status = event_log_committed(consumer->log->inner, "orderly", TOPIC_COMMANDS, injection.partition,
                                                 10000, &poll_out->next_offset, error);
        if (status == STATUS_NOT_FOUND) poll_out->next_offset = 0;
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
        status = event_log_seek(consumer->inner, injection.partition, poll_out->next_offset, error);
        if (status != STATUS_OK) return status;
    }
    event_log_pause(consumer->inner, injection.partition, injection.kind != POLL_ASSIGNED);
    return STATUS_OK;
}

static enum status faulty_poll(struct event_log_consumer *base, int timeout_ms, struct event_log_poll *poll_out,
                               struct error *error) {
    struct faulty_consumer *consumer = consumer_of(base);
    struct injection injection;
    enum status poll_status;
    if (next_injection(consumer->log, &injection, &poll_status)) return carry_out(consumer, injection, poll_out, error);
    if (poll_status != STATUS_OK) return error_set(error, poll_status, "the test lets polls fail");
    return event_log_poll(consumer->inner, timeout_ms, poll_out, error);
}

/* --- the rest of the consumer --- */

static void faulty_wake(struct event_log_consumer *base) {
    event_log_wake(consumer_of(base)->inner);
}
static void faulty_pause(struct event_log_consumer *base, int32_t partition, bool paused) {
    event_log_pause(consumer_of(base)->inner, partition, paused);
}

static void faulty_release(struct event_log_consumer *base, int32_t partition) {
    struct faulty_log *log = consumer_of(base)->log;
    pthread_mutex_lock(&log->mutex);
    bool is_taken = log->is_taken[partition];
    log->is_released[partition] = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    if (!is_taken) event_log_release(consumer_of(base)->inner, partition);
}

static enum status faulty_seek(struct event_log_consumer *base, int32_t partition, int64_t offset,
                               struct error *error) {
    return event_log_seek(consumer_of(base)->inner, partition, offset, error);
}
static int64_t faulty_lag(struct event_log_consumer *base, int32_t partition) {
    return event_log_lag(consumer_of(base)->inner, partition);
}

static void faulty_consumer_close(struct event_log_consumer *base) {
    struct faulty_consumer *consumer = consumer_of(base);
    pthread_mutex_lock(&consumer->log->mutex);
    consumer->log->consumer = NULL;
    pthread_mutex_unlock(&consumer->log->mutex);
    event_log_consumer_close(consumer->inner);
    free(consumer);
}

static enum status faulty_consumer_open(struct event_log *base, const struct event_log_consumer_options *options,
                                        struct event_log_consumer **consumer_out, struct error *error) {
    static const struct event_log_consumer_ops ops = {
        .poll = faulty_poll,
        .wake = faulty_wake,
        .pause = faulty_pause,
        .commit = faulty_commit,
        .release = faulty_release,
        .seek = faulty_seek,
        .lag = faulty_lag,
        .close = faulty_consumer_close,
    };
    struct faulty_log *log = log_of(base);
    struct event_log_consumer_options inner_options = *options;
    if (options->group && log->is_zombie) {
        inner_options.group = NULL;
        inner_options.positions = log->positions;
    }
    struct faulty_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) abort();
    *consumer = (struct faulty_consumer){{&ops}, NULL, log};
    enum status status = event_log_consumer_open(log->inner, &inner_options, &consumer->inner, error);
    if (status != STATUS_OK) {
        free(consumer);
        return status;
    }
    pthread_mutex_lock(&log->mutex);
    log->consumer = consumer->inner;
    memset(log->is_taken, 0, sizeof log->is_taken);
    log->injection_count = 0;
    pthread_mutex_unlock(&log->mutex);
    *consumer_out = &consumer->base;
    return STATUS_OK;
}

/* --- the rest of the log --- */

static void faulty_trim(struct event_log *base, struct event_log_trim *trim) {
    struct faulty_log *log = log_of(base);
    pthread_mutex_lock(&log->mutex);
    log->trims++;
    log->last_trim = *trim;
    pthread_mutex_unlock(&log->mutex);
    event_log_trim(log->inner, trim);
}

static enum status faulty_setup(struct event_log *base, struct error *error) {
    return event_log_setup(log_of(base)->inner, error);
}
static enum status faulty_check(struct event_log *base, int timeout_ms, struct error *error) {
    return event_log_check(log_of(base)->inner, timeout_ms, error);
}
static enum status faulty_range(struct event_log *base, enum event_log_topic topic, int32_t partition, int timeout_ms,
                                int64_t *first_out, int64_t *end_out, struct error *error) {
    return event_log_range(log_of(base)->inner, topic, partition, timeout_ms, first_out, end_out, error);
}
static enum status faulty_committed(struct event_log *base, const char *group, enum event_log_topic topic,
                                    int32_t partition, int timeout_ms, int64_t *next_offset_out, struct error *error) {
    return event_log_committed(log_of(base)->inner, group, topic, partition, timeout_ms, next_offset_out, error);
}

void faulty_log_settle(struct event_log *base) {
    struct faulty_log *log = log_of(base);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&log->mutex);
    while (log->appends_under_way > 0)
        if (pthread_cond_timedwait(&log->changed, &log->mutex, &until)) abort(); /* an append without an end */
    pthread_mutex_unlock(&log->mutex);
}

static void faulty_close(struct event_log *base) {
    struct faulty_log *log = log_of(base);
    faulty_log_settle(base);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    free(log);
}

struct event_log *faulty_log_new(struct event_log *inner, struct faults *faults) {
    static const struct event_log_ops ops = {
        .name = "faulty",
        .setup = faulty_setup,
        .check = faulty_check,
        .append = faulty_append,
        .trim = faulty_trim,
        .range = faulty_range,
        .committed = faulty_committed,
        .consumer_open = faulty_consumer_open,
        .close = faulty_close,
    };
    struct faulty_log *log = calloc(1, sizeof *log);
    if (!log) abort();
    log->base = (struct event_log){&ops, inner->partition_count};
    log->inner = inner;
    log->faults = faults;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return &log->base;
}

/* --- for tests --- */

static void wake_consumer(struct faulty_log *log) {
    if (log->consumer) event_log_wake(log->consumer);
}

void faulty_log_be_zombie(struct event_log *base, const int64_t *positions, enum status commit_status) {
    struct faulty_log *log = log_of(base);
    log->is_zombie = positions != NULL;
    log->commit_status = commit_status;
    if (positions) memcpy(log->positions, positions, (size_t)base->partition_count * sizeof *positions);
}

void faulty_log_fail_polls(struct event_log *base, enum status status) {
    struct faulty_log *log = log_of(base);
    pthread_mutex_lock(&log->mutex);
    log->poll_status = status;
    wake_consumer(log);
    pthread_mutex_unlock(&log->mutex);
}

void faulty_log_inject(struct event_log *base, enum event_log_poll_kind kind, int32_t partition) {
    struct faulty_log *log = log_of(base);
    pthread_mutex_lock(&log->mutex);
    if (log->injection_count == INJECTIONS_MAX) abort();
    log->injections[log->injection_count++] = (struct injection){kind, partition};
    wake_consumer(log);
    pthread_mutex_unlock(&log->mutex);
}

bool faulty_log_wait_released(struct event_log *base, int32_t partition) {
    struct faulty_log *log = log_of(base);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    int failure = 0;
    pthread_mutex_lock(&log->mutex);
    while (!log->is_released[partition] && failure == 0)
        failure = pthread_cond_timedwait(&log->changed, &log->mutex, &until);
    bool is_released = log->is_released[partition];
    pthread_mutex_unlock(&log->mutex);
    return is_released;
}

unsigned faulty_log_trims(struct event_log *base, struct event_log_trim *last_out) {
    struct faulty_log *log = log_of(base);
    pthread_mutex_lock(&log->mutex);
    unsigned trims = log->trims;
    if (last_out) *last_out = log->last_trim;
    pthread_mutex_unlock(&log->mutex);
    return trims;
}
