/* The coordinator: merges each second of the workers, asks the server about it, tells the caller, and watches whether
 * the target is still there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hotkey/run_parts.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t run_process_cpu_ns(void) {
    struct timespec used;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 ? used.tv_sec * NS_PER_S + used.tv_nsec : 0;
}

static int64_t now_of(const struct run *run) {
    return clock_monotonic_ns(run->shared.clock) - run->shared.start_ns;
}

/* --- the target --- */

/* For how long nobody has heard of it although somebody waits. */
static int64_t away_ns(const struct run *run, int64_t now_ns) {
    int64_t heard_ns = 0, stalled_ns = INT64_MAX;
    for (uint32_t i = 0; i < run->worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        int64_t reply_ns = atomic_load_explicit(&worker->seen_reply_ns, memory_order_relaxed);
        int64_t since_ns = atomic_load_explicit(&worker->seen_stalled_ns, memory_order_relaxed);
        if (reply_ns > heard_ns) heard_ns = reply_ns;
        if (since_ns < stalled_ns) stalled_ns = since_ns;
    }
    if (stalled_ns == INT64_MAX) return 0;
    return now_ns - (stalled_ns > heard_ns ? stalled_ns : heard_ns);
}

static void watch_target(struct run *run, int64_t now_ns) {
    if (run->is_lost || away_ns(run, now_ns) < RUN_LOST_MS * NS_PER_MS) return;
    run->is_lost = true;
    atomic_store(&run->shared.is_over, true);
}

/* Freezes the private server when it is time, and lets it go again. */
static void tend_fault(struct run *run) {
    const int64_t now_ns = now_of(run), length_ns = run->parameters->fault_freeze_ms * NS_PER_MS;
    if (run->frozen_since_ns == INT64_MAX && now_ns >= run->freeze_ns) {
        target_freeze(&run->target, true);
        run->frozen_since_ns = now_of(run);
        run->freeze_ns = INT64_MAX;
    } else if (run->frozen_since_ns != INT64_MAX && now_ns - run->frozen_since_ns >= length_ns) {
        target_freeze(&run->target, false);
        run->result->frozen_ns = now_of(run) - run->frozen_since_ns;
        run->frozen_since_ns = INT64_MAX;
    }
}

static int64_t next_fault_ns(const struct run *run) {
    if (run->frozen_since_ns == INT64_MAX) return run->freeze_ns;
    return run->frozen_since_ns + run->parameters->fault_freeze_ms * NS_PER_MS;
}

/* --- seconds --- */

static bool all_handed_over(const struct run *run) {
    for (uint32_t i = 0; i < run->worker_count; i++)
        if (!run->workers[i].full && !run->workers[i].is_done) return false;
    return true;
}

/* Waits until each worker's second is there; the target and the fault are looked after meanwhile. */
static void wait_for_slices(struct run *run) {
    struct worker_shared *shared = &run->shared;
    pthread_mutex_lock(&shared->mutex);
    while (!all_handed_over(run)) {
        int64_t wait_ns = RUN_LOOK_MS * NS_PER_MS, fault_ns = next_fault_ns(run);
        if (fault_ns != INT64_MAX && fault_ns - now_of(run) < wait_ns) wait_ns = fault_ns - now_of(run);
        if (wait_ns < 0) wait_ns = 0;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += wait_ns;
        until.tv_sec += until.tv_nsec / NS_PER_S;
        until.tv_nsec %= NS_PER_S;
        pthread_cond_timedwait(&shared->handed_over, &shared->mutex, &until);
        pthread_mutex_unlock(&shared->mutex);
        tend_fault(run);
        watch_target(run, now_of(run));
        pthread_mutex_lock(&shared->mutex);
    }
    pthread_mutex_unlock(&shared->mutex);
}

/* Merges what the workers have handed over and gives the slices back; returns true while some worker goes on. */
static bool collect(struct run *run, int64_t *end_ns_out) {
    struct worker_shared *shared = &run->shared;
    bool goes_on = false;
    for (uint32_t i = 0; i < run->worker_count; i++) {
        struct worker *worker = &run->workers[i];
        pthread_mutex_lock(&shared->mutex);
        struct slice *slice = worker->full;
        bool is_done = worker->is_done;
        pthread_mutex_unlock(&shared->mutex);
        if (slice) {
            if (slice->end_ns > *end_ns_out) *end_ns_out = slice->end_ns;
            window_add(run->window, slice);
            slice_reset(slice);
            pthread_mutex_lock(&shared->mutex);
            worker->full = NULL;
            if (!worker->spare)
                worker->spare = slice;
            else
                worker->slice = slice; /* its last one: it has taken no other */
            pthread_cond_broadcast(&shared->given_back);
            pthread_mutex_unlock(&shared->mutex);
        }
        goes_on = goes_on || !is_done;
    }
    return goes_on;
}

static void ask_server(struct run *run, struct lab_second *second) {
    const struct lab_detection *detection = &second->detection;
    bool has_key = detection->found_count > 0;
    uint32_t key = has_key ? detection->found[0].key : 0;
    second->server = (struct lab_server){.ops_per_second = NAN,
                                         .cpu_share = NAN,
                                         .hit_ratio = NAN,
                                         .used_memory_bytes = -1,
                                         .clients = -1,
                                         .keys = -1,
                                         .evicted = -1,
                                         .expired = -1,
                                         .network_in_bytes = NAN,
                                         .network_out_bytes = NAN};
    if (!run->sampler || run->target.is_frozen) return; /* frozen by us: waiting would make the freeze longer */
    sampler_ask(run->sampler, has_key, key, &second->server, &second->hot_key);
}

/* Keeps the second in the result's list. Of a long run it keeps every second, fourth, ... one, evenly: the list is for
 * looking at, what counts is in the totals. */
static enum status keep_second(struct run *run, const struct lab_second *second) {
    struct lab_result *result = run->result;
    if (second->second % run->keep_each != 0) return STATUS_OK;
    if (result->second_count == RUN_SECONDS_MAX) {
        size_t kept = 0;
        run->keep_each *= 2;
        for (size_t i = 0; i < result->second_count; i++)
            if (result->seconds[i].second % run->keep_each == 0) result->seconds[kept++] = result->seconds[i];
        result->second_count = kept;
        if (second->second % run->keep_each != 0) return STATUS_OK;
    }
    if (result->second_count == run->second_room) {
        size_t room = run->second_room ? 2 * run->second_room : RUN_SECONDS_ROOM;
        struct lab_second *seconds = realloc(result->seconds, room * sizeof *seconds);
        if (!seconds) return STATUS_NO_MEMORY;
        result->seconds = seconds;
        run->second_room = room;
    }
    result->seconds[result->second_count++] = *second;
    return STATUS_OK;
}

static void score(struct run *run, const struct lab_detection *detection) {
    if (detection->operations == 0) return;
    run->precision_sum += detection->precision;
    run->recall_sum += detection->recall;
    run->rank_error_sum += detection->rank_error;
    run->scored_seconds++;
}

/* Closes the window as the next second of the result. */
static enum status close_second(struct run *run, int64_t end_ns) {
    struct lab_result *result = run->result;
    struct lab_second *second = &run->second;
    memset(second, 0, sizeof *second);
    int64_t cpu_ns = run_process_cpu_ns(), length_ns = end_ns - run->ended_ns;
    second->second = end_ns > 0 ? (uint32_t)((end_ns - 1) / NS_PER_S) : 0;
    second->length_s = (double)length_ns / 1e9;
    second->client_cpu_share = length_ns > 0 ? (double)(cpu_ns - run->cpu_ns) / (double)length_ns : 0;
    run->ended_ns = end_ns;
    run->cpu_ns = cpu_ns;
    window_close(run->window, result, second);
    if (second->target_error[0]) memcpy(run->last_error, second->target_error, sizeof run->last_error);
    ask_server(run, second);
    score(run, &second->detection);
    result->elapsed_s = (double)end_ns / 1e9;
    enum status status = keep_second(run, second);
    if (run->options->tick) run->options->tick(run->options->data, result, second);
    return status;
}

enum status run_coordinate(struct run *run) {
    enum status status = STATUS_OK;
    run->keep_each = 1;
    for (bool goes_on = true; goes_on;) {
        int64_t end_ns = run->ended_ns;
        wait_for_slices(run);
        watch_target(run, now_of(run));
        goes_on = collect(run, &end_ns);
        if (status == STATUS_OK) status = close_second(run, end_ns);
        if (status != STATUS_OK) atomic_store(&run->shared.is_over, true); /* and wait for the workers' ends */
    }
    return status;
}
