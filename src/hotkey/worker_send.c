/* Sending: from the moment an operation is due until it is handed to its connection. */
#include "hotkey/worker.h"

#define NS_PER_MS INT64_C(1000000)

void flight_push(struct worker *worker, struct flight_list *list, uint32_t index) {
    worker->flights[index].next = FLIGHT_NONE;
    if (list->count++ == 0)
        list->head = index;
    else
        worker->flights[list->tail].next = index;
    list->tail = index;
}

void flight_push_front(struct worker *worker, struct flight_list *list, uint32_t index) {
    worker->flights[index].next = list->head;
    if (list->count++ == 0) {
        worker->flights[index].next = FLIGHT_NONE;
        list->tail = index;
    }
    list->head = index;
}

uint32_t flight_pop(struct worker *worker, struct flight_list *list) {
    uint32_t index = list->head;
    list->head = worker->flights[index].next;
    list->count--;
    return index;
}

bool worker_has_room(const struct worker *worker) {
    return worker->free_flight != FLIGHT_NONE || worker->used_flights < worker->flight_count;
}

/* Only called where there is room. */
static uint32_t new_flight(struct worker *worker) {
    uint32_t index = worker->free_flight;
    if (index == FLIGHT_NONE) return worker->used_flights++;
    worker->free_flight = worker->flights[index].next;
    return index;
}

void worker_release(struct worker *worker, uint32_t index) {
    worker->flights[index].next = worker->free_flight;
    worker->free_flight = index;
}

/* Keys live for ttl_s, less a share that differs from write to write; on a user's Redis not longer than the run. */
int64_t worker_expiry_ms(const struct worker *worker, const struct flight *flight) {
    const struct lab_parameters *parameters = worker->shared->parameters;
    int64_t keep_ms = (worker->shared->duration_ns - worker->now_ns) / NS_PER_MS + WORKER_KEEP_MS;
    if (keep_ms > WORKER_KEEP_MS + worker->shared->duration_ns / NS_PER_MS || keep_ms < 1) keep_ms = WORKER_KEEP_MS;
    if (parameters->ttl_s <= 0) return worker->shared->keys_must_expire ? keep_ms : 0;
    /* From the flight's own numbers, so that a seed repeats its expiries too (splitmix64's last steps). */
    uint64_t mixed = (uint64_t)parameters->seed + ((uint64_t)flight->client << 32 | flight->number) + flight->key;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    double share = (double)((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53;
    int64_t ttl_ms = (int64_t)(parameters->ttl_s * 1000 * (1 - parameters->ttl_jitter * share));
    if (ttl_ms < 1) ttl_ms = 1;
    return worker->shared->keys_must_expire && ttl_ms > keep_ms ? keep_ms : ttl_ms;
}

static bool queue_command(struct worker *worker, uint32_t lane_index, const struct flight *flight) {
    if (flight->kind == FLIGHT_READ) return transport_get(worker->transport, lane_index, flight->key);
    struct transport_write write = {flight->key, flight->client, flight->number, worker_expiry_ms(worker, flight)};
    if (!transport_set(worker->transport, lane_index, &write)) return false;
    worker->written[flight->key >> 3] |= (uint8_t)(1u << (flight->key & 7));
    return true;
}

/* Hands the flight to the transport; false: there is no room. */
static bool send_flight(struct worker *worker, uint32_t lane_index, uint32_t flight_index) {
    struct lane *lane = &worker->lanes[lane_index];
    const struct flight *flight = &worker->flights[flight_index];
    if (lane->sent.count >= worker->pipeline || !queue_command(worker, lane_index, flight)) return false;
    flight_push(worker, &lane->sent, flight_index);
    if (lane->unsent == FLIGHT_NONE) lane->unsent = flight_index;
    worker->under_way++;
    if (!lane->is_dirty) {
        lane->is_dirty = true;
        worker->dirty[worker->dirty_count++] = lane_index;
    }
    return true;
}

void worker_advance(struct worker *worker, uint32_t lane_index) {
    struct lane *lane = &worker->lanes[lane_index];
    while (lane->waiting.count && lane->is_up) {
        uint32_t index = lane->waiting.head, next = worker->flights[index].next;
        if (!send_flight(worker, lane_index, index)) return;
        lane->waiting.head = next; /* the flight's own next belongs to the other list now */
        lane->waiting.count--;
        worker->waiting--;
    }
}

/* Puts a flight on its way: at once where the pipeline has room, else behind the others that wait. While the connection
 * is down, a client that waits for its answer keeps on waiting; what an open arrival brings is refused, as users would
 * be. */
static void dispatch(struct worker *worker, uint32_t index) {
    struct flight *flight = &worker->flights[index];
    struct lane *lane = &worker->lanes[flight->lane];
    if (!lane->is_up && !worker->is_closed[flight->class]) {
        worker_drop(worker, index);
        return;
    }
    if (lane->is_up && lane->waiting.count == 0 && send_flight(worker, flight->lane, index)) return;
    flight_push(worker, &lane->waiting, index);
    worker->waiting++;
}

void worker_take(struct worker *worker, const struct lab_operation *operation) {
    uint32_t index = new_flight(worker);
    worker->flights[index] = (struct flight){
        .at_ns = operation->at_ns,
        .client = operation->client,
        .number = operation->number,
        .key = operation->key,
        .lane = operation->client / worker->step % worker->lane_count,
        .class = operation->class,
        .kind = operation->kind,
    };
    worker->slice->counts[operation->class].offered++;
    dispatch(worker, index);
}

void worker_fill(struct worker *worker, const struct flight *read) {
    struct lane *lane = &worker->lanes[read->lane];
    if (!lane->is_up || !worker_has_room(worker)) return;
    uint32_t index = new_flight(worker);
    worker->flights[index] = *read;
    worker->flights[index].kind = FLIGHT_FILL;
    if (send_flight(worker, read->lane, index)) return;
    flight_push_front(worker, &lane->waiting, index);
    worker->waiting++;
}

/* Before the write: stamps what goes out, and how late that is by this program's fault alone. */
void worker_stamp(struct worker *worker, struct lane *lane, int64_t now_ns) {
    for (uint32_t i = lane->unsent; i != FLIGHT_NONE; i = worker->flights[i].next) {
        struct flight *flight = &worker->flights[i];
        flight->sent_ns = now_ns;
        if (flight->kind == FLIGHT_FILL) continue;
        int64_t could_ns = flight->at_ns > lane->freed_ns ? flight->at_ns : lane->freed_ns;
        histogram_record(&worker->slice->late, now_ns - could_ns);
        worker->slice->counts[flight->class].sent++;
    }
    lane->unsent = FLIGHT_NONE;
}

void worker_flush(struct worker *worker) {
    for (uint32_t i = 0; i < worker->dirty_count; i++) {
        struct lane *lane = &worker->lanes[worker->dirty[i]];
        lane->is_dirty = false;
        if (!lane->is_up) continue;
        int64_t now_ns = worker_clock_ns(worker);
        if (worker->stalled_since_ns == INT64_MAX) worker->stalled_since_ns = now_ns;
        worker_stamp(worker, lane, now_ns);
        transport_flush(worker->transport, worker->dirty[i]);
    }
    worker->dirty_count = 0;
}

/* Intended, and never sent. */
void worker_drop(struct worker *worker, uint32_t index) {
    struct flight *flight = &worker->flights[index];
    if (flight->kind != FLIGHT_FILL) worker->slice->counts[flight->class].dropped++;
    worker_release(worker, index);
}

void worker_drop_waiting(struct worker *worker, uint32_t lane_index, bool closed_too) {
    struct lane *lane = &worker->lanes[lane_index];
    struct flight_list kept = {FLIGHT_NONE, FLIGHT_NONE, 0};
    while (lane->waiting.count) {
        uint32_t index = flight_pop(worker, &lane->waiting);
        const struct flight *flight = &worker->flights[index];
        if (!closed_too && worker->is_closed[flight->class] && flight->kind != FLIGHT_FILL) {
            flight_push(worker, &kept, index);
        } else {
            worker_drop(worker, index);
            worker->waiting--;
        }
    }
    lane->waiting = kept;
}
