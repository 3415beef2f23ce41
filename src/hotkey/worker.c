/* The loop of one worker: take what is due, send it, wait for answers or the next thing due, hand each second over. */
#include "hotkey/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define TAKE_MAX 1024 /* operations taken before replies are looked at again */

static int64_t earlier_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

enum status lab_worker_init(struct worker *worker, struct worker_shared *shared, uint32_t index, uint32_t step,
                            struct transport *transport, uint32_t connections, uint64_t hash_seed, bool has_detector) {
    const struct lab_parameters *parameters = shared->parameters;
    uint32_t keys = (uint32_t)parameters->keys;
    memset(worker, 0, sizeof *worker);
    worker->shared = shared;
    worker->transport = transport;
    worker->index = index;
    worker->step = step;
    worker->lane_count = connections;
    worker->pipeline = (uint32_t)parameters->pipeline;
    worker->flight_count = connections * worker->pipeline + WORKER_BACKLOG_MAX;
    worker->free_flight = FLIGHT_NONE;
    worker->stalled_since_ns = INT64_MAX;
    atomic_store(&worker->seen_stalled_ns, INT64_MAX);
    for (int class = 0; class < LAB_CLASSES; class ++)
        worker->is_closed[class] = parameters->classes[class].arrival == LAB_CLOSED;
    worker->lanes = calloc(connections, sizeof *worker->lanes);
    worker->dirty = calloc(connections, sizeof *worker->dirty);
    worker->flights = malloc(worker->flight_count * sizeof *worker->flights);
    worker->written = calloc(keys / 8 + 1, 1);
    worker->slice = slice_new(keys, hash_seed, has_detector);
    worker->spare = slice_new(keys, hash_seed, has_detector);
    for (uint32_t i = 0; worker->lanes && i < connections; i++)
        worker->lanes[i].unsent = FLIGHT_NONE;
    bool is_whole =
        worker->lanes && worker->dirty && worker->flights && worker->written && worker->slice && worker->spare;
    if (!is_whole) return STATUS_NO_MEMORY;
    return lab_timeline_new(shared->schedule, index, step, false, &worker->timeline);
}

void lab_worker_free(struct worker *worker) {
    transport_close(worker->transport);
    lab_timeline_free(worker->timeline);
    slice_free(worker->slice);
    slice_free(worker->spare);
    slice_free(worker->full);
    free(worker->lanes);
    free(worker->dirty);
    free(worker->flights);
    free(worker->written);
    memset(worker, 0, sizeof *worker);
}

enum status lab_worker_connect(struct worker *worker, int64_t until_ns, struct error *error) {
    struct transport_event events[TRANSPORT_EVENTS_MAX];
    const struct clock *clock = worker->shared->clock;
    while (worker->lanes_up < worker->lane_count && !atomic_load(worker->shared->stop)) {
        int64_t soon_ns = clock_monotonic_ns(clock) + WORKER_WAIT_MAX_MS * NS_PER_MS;
        size_t count = transport_poll(worker->transport, earlier_of(until_ns, soon_ns), events);
        for (size_t i = 0; i < count; i++) {
            bool is_up = events[i].kind == TRANSPORT_UP;
            worker->lanes[events[i].connection].is_up = is_up;
            worker->lanes_up += is_up ? 1 : -1;
        }
        if (worker->lanes_up < worker->lane_count && clock_monotonic_ns(clock) >= until_ns)
            return error_set(error, STATUS_UNAVAILABLE, "%s", transport_error_text(worker->transport));
    }
    return STATUS_OK;
}

/* --- seconds --- */

/* Operations due and still in the schedule, which waits when there is no room for more flights: by the mean rate. */
static uint64_t count_undrawn(const struct worker *worker, int64_t end_ns) {
    const struct lab_parameters *parameters = worker->shared->parameters;
    int64_t next_ns = lab_timeline_next_ns(worker->timeline);
    double rate = 0;
    if (next_ns >= end_ns || worker_has_room(worker)) return 0;
    for (int class = 0; class < LAB_CLASSES; class ++)
        if (!worker->is_closed[class])
            rate += (double)parameters->classes[class].clients * parameters->classes[class].rate;
    return (uint64_t)(rate / worker->step * (double)(end_ns - next_ns) / 1e9);
}

/* Closes the slice's books. */
static void finish_slice(struct worker *worker, int64_t end_ns) {
    struct slice *slice = worker->slice;
    slice->end_ns = end_ns;
    slice->behind = worker->waiting + count_undrawn(worker, end_ns);
    slice->lanes = worker->lane_count;
    slice->lanes_up = worker->lanes_up;
    if (worker->lanes_up < worker->lane_count && !slice->error_text[0])
        snprintf(slice->error_text, sizeof slice->error_text, "%s", transport_error_text(worker->transport));
    if (worker->stalled_since_ns < end_ns && end_ns - worker->stalled_since_ns > slice->stall_ns)
        slice->stall_ns = end_ns - worker->stalled_since_ns;
}

/* Gives the second to the coordinator and takes an empty slice; if it has none left, the next second is added to this
 * one. */
static void hand_over(struct worker *worker, int64_t end_ns, bool is_last) {
    struct worker_shared *shared = worker->shared;
    finish_slice(worker, end_ns);
    pthread_mutex_lock(&shared->mutex);
    while ((is_last ? worker->full != NULL : !worker->spare) && (is_last || shared->waits_for_coordinator))
        pthread_cond_wait(&shared->given_back, &shared->mutex);
    if (worker->spare || is_last) {
        worker->full = worker->slice;
        worker->slice = worker->spare;
        worker->spare = NULL;
    }
    worker->is_done = is_last;
    pthread_cond_signal(&shared->handed_over);
    pthread_mutex_unlock(&shared->mutex);
}

static void publish(struct worker *worker) {
    atomic_store_explicit(&worker->seen_reply_ns, worker->last_reply_ns, memory_order_relaxed);
    atomic_store_explicit(&worker->seen_stalled_ns, worker->stalled_since_ns, memory_order_relaxed);
}

/* --- the loop --- */

/* Takes operations that are due before limit_ns, at most max; true if it took all of them. */
static bool take_due(struct worker *worker, int64_t limit_ns, unsigned max) {
    struct lab_operation operation;
    while (lab_timeline_next_ns(worker->timeline) < limit_ns) {
        if (max-- == 0 || !worker_has_room(worker) || !lab_timeline_pop(worker->timeline, &operation)) return false;
        worker_take(worker, &operation);
    }
    return true;
}

static void poll_transport(struct worker *worker, int64_t until_ns) {
    struct transport_event events[TRANSPORT_EVENTS_MAX];
    size_t count = transport_poll(worker->transport, until_ns + worker->shared->start_ns, events);
    for (size_t i = 0; i < count; i++)
        worker_take_event(worker, &events[i]);
}

static bool is_stopped(const struct worker *worker) {
    return atomic_load_explicit(worker->shared->stop, memory_order_relaxed) ||
           atomic_load_explicit(&worker->shared->is_over, memory_order_relaxed);
}

/* The second is over: all that was due in it counts in it. */
static void cross_boundary(struct worker *worker) {
    while (worker->boundary_ns <= worker->now_ns) {
        take_due(worker, worker->boundary_ns, UINT32_MAX);
        int64_t last_ns = worker->now_ns / NS_PER_S * NS_PER_S;
        if (last_ns >= worker->shared->duration_ns) last_ns = worker->boundary_ns;
        hand_over(worker, last_ns, false);
        worker->boundary_ns = earlier_of(last_ns + NS_PER_S, worker->shared->duration_ns);
        if (worker->boundary_ns == worker->shared->duration_ns) break;
    }
}

static void send_until_end(struct worker *worker) {
    const int64_t duration_ns = worker->shared->duration_ns;
    for (;;) {
        worker->now_ns = worker_clock_ns(worker);
        if (worker->boundary_ns < duration_ns) cross_boundary(worker);
        if (worker->now_ns >= duration_ns || is_stopped(worker)) return;
        worker_end_backend_calls(worker);
        bool took_all = take_due(worker, worker->now_ns + 1, TAKE_MAX) || !worker_has_room(worker);
        worker_flush(worker);
        publish(worker);
        int64_t until_ns = earlier_of(worker->boundary_ns, worker->now_ns + WORKER_WAIT_MAX_MS * NS_PER_MS);
        until_ns = earlier_of(until_ns, worker_next_backend_ns(worker));
        if (worker_has_room(worker)) until_ns = earlier_of(until_ns, lab_timeline_next_ns(worker->timeline));
        poll_transport(worker, took_all ? until_ns : 0);
    }
}

/* After the end: what was due is still sent, and what was sent is answered, within a limit. */
static void drain(struct worker *worker, bool sends) {
    const int64_t limit_ns = worker_clock_ns(worker) + (sends ? WORKER_DRAIN_MS : WORKER_STOP_DRAIN_MS) * NS_PER_MS;
    if (!sends)
        for (uint32_t i = 0; i < worker->lane_count; i++)
            worker_drop_waiting(worker, i, true);
    for (;;) {
        worker->now_ns = worker_clock_ns(worker);
        worker_end_backend_calls(worker);
        bool took_all = !sends || take_due(worker, worker->shared->duration_ns, TAKE_MAX) || !worker_has_room(worker);
        worker_flush(worker);
        publish(worker);
        bool is_idle = !worker->under_way && !worker->waiting && !worker->behind_cache.count && took_all;
        if (is_idle || worker->now_ns >= limit_ns || (sends && is_stopped(worker))) return;
        int64_t until_ns = earlier_of(limit_ns, worker_next_backend_ns(worker));
        until_ns = earlier_of(until_ns, worker->now_ns + WORKER_WAIT_MAX_MS * NS_PER_MS);
        poll_transport(worker, took_all ? until_ns : 0);
    }
}

/* What is left has no answer, or was never sent; of the schedule, all that was due until end_ns. */
static void give_up_rest(struct worker *worker, int64_t end_ns) {
    struct lab_operation operation;
    for (uint32_t i = 0; i < worker->lane_count; i++) {
        worker_fail_lane(worker, i);
        worker_drop_waiting(worker, i, true);
    }
    while (worker->behind_cache.count) {
        atomic_fetch_sub(&worker->shared->backend_now, 1);
        worker_fail(worker, flight_pop(worker, &worker->behind_cache));
    }
    for (unsigned i = 0; i < WORKER_DRAWS_MAX && lab_timeline_next_ns(worker->timeline) < end_ns; i++) {
        if (!lab_timeline_pop(worker->timeline, &operation)) break;
        if (worker->is_closed[operation.class]) continue; /* it never came to it: its client was still waiting */
        worker->slice->counts[operation.class].offered++;
        worker->slice->counts[operation.class].dropped++;
    }
}

void lab_worker_run(struct worker *worker) {
    const int64_t duration_ns = worker->shared->duration_ns;
    worker->boundary_ns = earlier_of(NS_PER_S, duration_ns);
    send_until_end(worker);
    int64_t end_ns = earlier_of(worker->now_ns, duration_ns);
    drain(worker, end_ns == duration_ns && !is_stopped(worker));
    give_up_rest(worker, end_ns);
    struct timespec cpu;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0) worker->cpu_ns = cpu.tv_sec * NS_PER_S + cpu.tv_nsec;
    publish(worker);
    hand_over(worker, end_ns, true);
}
