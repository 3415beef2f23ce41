/* Answers: what a reply, a lost connection or the end of a call behind the cache means for the operation. */
#include <string.h>

#include "hotkey/worker.h"

/* Somebody of the server's side spoke: a stall, if there was one, is over. */
static void note_reply(struct worker *worker, int64_t at_ns) {
    if (worker->stalled_since_ns != INT64_MAX && at_ns - worker->stalled_since_ns > worker->slice->stall_ns)
        worker->slice->stall_ns = at_ns - worker->stalled_since_ns;
    bool is_waiting = worker->under_way > 0 || worker->lanes_up < worker->lane_count;
    worker->stalled_since_ns = is_waiting ? at_ns : INT64_MAX;
    worker->last_reply_ns = at_ns;
}

static void note_error(struct worker *worker) {
    struct slice *slice = worker->slice;
    const char *text = transport_error_text(worker->transport);
    size_t size = strnlen(text, sizeof slice->error_text - 1);
    memcpy(slice->error_text, text, size);
    slice->error_text[size] = '\0';
}

/* Its client has its answer, of whatever kind: a client of a closed arrival thinks of its next operation from now on.
 */
static void answered(struct worker *worker, uint32_t index, int64_t at_ns) {
    const struct flight *flight = &worker->flights[index];
    if (worker->is_closed[flight->class]) lab_timeline_answered(worker->timeline, flight->client, at_ns);
    worker_release(worker, index);
}

static void complete(struct worker *worker, uint32_t index, int64_t at_ns) {
    const struct flight *flight = &worker->flights[index];
    struct slice *slice = worker->slice;
    slice->counts[flight->class].completed++;
    histogram_record(&slice->times[flight->class][LAB_RESPONSE], at_ns - flight->at_ns);
    histogram_record(&slice->times[flight->class][LAB_SERVICE], at_ns - flight->sent_ns);
    slice_touch(slice, flight->key);
    answered(worker, index, at_ns);
}

void worker_fail(struct worker *worker, uint32_t index) {
    const struct flight *flight = &worker->flights[index];
    if (flight->kind == FLIGHT_FILL) {
        worker_release(worker, index);
        return;
    }
    worker->slice->counts[flight->class].failed++;
    answered(worker, index, worker->now_ns);
}

/* The value is not there: what lies behind the cache is asked, which takes its time. */
static void miss(struct worker *worker, uint32_t index, int64_t at_ns) {
    struct flight *flight = &worker->flights[index];
    struct slice *slice = worker->slice;
    uint64_t at_once = (uint64_t)atomic_fetch_add(&worker->shared->backend_now, 1) + 1;
    slice->backend_calls++;
    if (at_once > slice->backend_at_once) slice->backend_at_once = at_once;
    flight->over_ns = at_ns + worker->shared->parameters->miss_cost_us * 1000;
    flight_push(worker, &worker->behind_cache, index);
}

int64_t worker_next_backend_ns(const struct worker *worker) {
    return worker->behind_cache.count ? worker->flights[worker->behind_cache.head].over_ns : INT64_MAX;
}

void worker_end_backend_calls(struct worker *worker) {
    while (worker_next_backend_ns(worker) <= worker->now_ns) {
        uint32_t index = flight_pop(worker, &worker->behind_cache);
        atomic_fetch_sub(&worker->shared->backend_now, 1);
        worker_fill(worker, &worker->flights[index]);
        /* Without a cost it is over at the moment of the reply; with one, this program's own delay is not left out. */
        bool is_free = worker->shared->parameters->miss_cost_us == 0;
        complete(worker, index, is_free ? worker->flights[index].over_ns : worker->now_ns);
    }
}

static void take_reply(struct worker *worker, uint32_t index, int64_t at_ns, enum transport_event_kind kind) {
    const struct flight *flight = &worker->flights[index];
    struct slice *slice = worker->slice;
    if (kind == TRANSPORT_ERROR) {
        slice->errors++;
        note_error(worker);
        worker_fail(worker, index);
    } else if (flight->kind == FLIGHT_FILL) {
        slice->fills++;
        worker_release(worker, index);
    } else if (flight->kind == FLIGHT_WRITE) {
        slice->counts[flight->class].writes++;
        complete(worker, index, at_ns);
    } else {
        struct lab_class_counts *counts = &slice->counts[flight->class];
        counts->reads++;
        if (kind == TRANSPORT_NIL) {
            counts->misses++;
            miss(worker, index, at_ns);
        } else {
            counts->hits++;
            complete(worker, index, at_ns);
        }
    }
}

void worker_fail_lane(struct worker *worker, uint32_t lane_index) {
    struct lane *lane = &worker->lanes[lane_index];
    worker_stamp(worker, lane, worker->now_ns);
    while (lane->sent.count) {
        worker->under_way--;
        worker_fail(worker, flight_pop(worker, &lane->sent));
    }
}

static void lose_lane(struct worker *worker, uint32_t lane_index, int64_t at_ns) {
    struct lane *lane = &worker->lanes[lane_index];
    lane->is_up = false;
    worker->lanes_up--;
    worker_fail_lane(worker, lane_index);
    worker_drop_waiting(worker, lane_index, false);
    if (worker->stalled_since_ns == INT64_MAX) worker->stalled_since_ns = at_ns;
    note_error(worker);
}

void worker_take_event(struct worker *worker, const struct transport_event *event) {
    struct lane *lane = &worker->lanes[event->connection];
    int64_t at_ns = event->at_ns - worker->shared->start_ns;
    if (at_ns > worker->now_ns) worker->now_ns = at_ns;
    if (event->kind == TRANSPORT_LOST) {
        lose_lane(worker, event->connection, at_ns);
        return;
    }
    if (event->kind == TRANSPORT_UP) {
        lane->is_up = true;
        worker->lanes_up++;
    } else {
        if (lane->sent.count >= worker->pipeline) lane->freed_ns = at_ns;
        worker->under_way--;
        take_reply(worker, flight_pop(worker, &lane->sent), at_ns, (enum transport_event_kind)event->kind);
    }
    note_reply(worker, at_ns);
    worker_advance(worker, event->connection);
}
