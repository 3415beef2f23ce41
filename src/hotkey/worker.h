/* One thread's share of a run: its clients' operations, sent when they are due, and their answers measured.
 *
 * A worker owns its transport and its clients (by client number modulo the number of workers). Each operation is a flight:
 * it keeps its intended time from the moment it is due until it is answered, wherever it waits meanwhile: for a free place
 * in its connection's pipeline, for the server, or for what lies behind the cache. */
#ifndef ORDERLY_HOTKEY_WORKER_H
#define ORDERLY_HOTKEY_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "hotkey/schedule.h"
#include "hotkey/slice.h"
#include "hotkey/transport.h"

#define WORKER_BACKLOG_MAX 262144  /* flights that wait; beyond them the schedule itself waits */
#define WORKER_WAIT_MAX_MS 50      /* so often the stop flag is looked at */
#define WORKER_DRAIN_MS 1000       /* after the last operation was due: for what is still to send and to be answered */
#define WORKER_STOP_DRAIN_MS 150   /* the same after a stop: nothing more is sent */
#define WORKER_KEEP_MS 600000      /* on a user's Redis keys expire so long after the end of the run, if not before */
#define WORKER_DRAWS_MAX 1000000   /* operations drawn at the end to count them as dropped: a tenth of a second */

/* What all workers of a run share. */
struct worker_shared {
    const struct lab_schedule *schedule;
    const struct lab_parameters *parameters;
    const struct clock *clock;
    int64_t start_ns;            /* monotonic: time 0 of the schedule */
    int64_t duration_ns;
    bool keys_must_expire;       /* a user's Redis */
    bool waits_for_coordinator;  /* under a moved clock: a second is handed over before the next one begins */
    atomic_bool *stop;           /* the user's */
    atomic_bool is_over;         /* the coordinator's: the target is lost */
    atomic_int_fast64_t backend_now; /* calls behind the cache at this moment */
    pthread_mutex_t mutex;       /* for full, spare and is_done of the workers */
    pthread_cond_t handed_over, given_back;
};

#define FLIGHT_NONE UINT32_MAX
enum { FLIGHT_READ = LAB_READ, FLIGHT_WRITE = LAB_WRITE, FLIGHT_FILL }; /* FILL: a value written back after a miss */

struct flight {
    int64_t at_ns;   /* intended */
    int64_t sent_ns;
    int64_t over_ns; /* a miss: when what lies behind the cache has answered */
    uint32_t client, number, key;
    uint32_t next;
    uint32_t lane;
    uint8_t class, kind;
};

struct flight_list {
    uint32_t head, tail, count;
};

/* One connection. */
struct lane {
    struct flight_list sent;    /* in the order of the replies */
    struct flight_list waiting; /* due, and not sent yet */
    uint32_t unsent;            /* the first of sent that is queued and not flushed, or FLIGHT_NONE */
    int64_t freed_ns;           /* when its pipeline last had a place again */
    bool is_up, is_dirty;
};

struct worker {
    struct worker_shared *shared;
    struct transport *transport; /* owned */
    struct lab_timeline *timeline; /* owned */
    uint32_t index, step;
    pthread_t thread;

    struct lane *lanes;
    uint32_t lane_count, lanes_up, pipeline;
    struct flight *flights;
    uint32_t flight_count, free_flight, used_flights; /* used: never before used ones are taken in order */
    struct flight_list behind_cache; /* by when it is over: the cost is the same for all */
    uint32_t *dirty;
    uint32_t dirty_count;
    uint64_t waiting, under_way; /* flights in all lanes */
    bool is_closed[LAB_CLASSES]; /* arrival CLOSED */
    uint8_t *written;            /* owned: a bit for each key that was ever set */

    int64_t now_ns;              /* of the schedule */
    int64_t boundary_ns;         /* the current second's end */
    int64_t last_reply_ns, stalled_since_ns; /* INT64_MAX: nothing is due */
    struct slice *slice;         /* being filled */
    struct slice *spare, *full;  /* under the mutex; full is the coordinator's */
    bool is_done;                /* under the mutex: no slice follows */
    _Atomic int64_t seen_reply_ns, seen_stalled_ns; /* for the coordinator, as last_reply_ns and stalled_since_ns */
    int64_t cpu_ns;              /* of its thread, once done */
};

/* transport becomes the worker's, also on failure. NO_MEMORY. */
enum status lab_worker_init(struct worker *worker, struct worker_shared *shared, uint32_t index, uint32_t step,
                        struct transport *transport, uint32_t connections, uint64_t hash_seed, bool has_detector);
void lab_worker_free(struct worker *worker); /* cleared or half-built ones too */

/* Connects: until all connections are up, or until_ns of the clock. UNAVAILABLE: error is the transport's text. */
enum status lab_worker_connect(struct worker *worker, int64_t until_ns, struct error *error);

/* The whole run, on the worker's thread: from shared->start_ns on. */
void lab_worker_run(struct worker *worker);

/* --- between the worker's files --- */

/* worker_send.c: an operation that is due; a flight that was answered; lanes. */
bool worker_has_room(const struct worker *worker);
void worker_take(struct worker *worker, const struct lab_operation *operation);
void worker_advance(struct worker *worker, uint32_t lane_index); /* sends what waits, as far as the pipeline has room */
void worker_flush(struct worker *worker);
void worker_fill(struct worker *worker, const struct flight *read); /* writes the value back after its miss */
void worker_drop(struct worker *worker, uint32_t flight_index);
void worker_stamp(struct worker *worker, struct lane *lane, int64_t now_ns);
void worker_drop_waiting(struct worker *worker, uint32_t lane_index, bool closed_too);
void worker_release(struct worker *worker, uint32_t flight_index);
int64_t worker_expiry_ms(const struct worker *worker, const struct flight *flight); /* of a value written now; 0: none */

/* worker_answer.c: what the transport and the time bring. */
void worker_take_event(struct worker *worker, const struct transport_event *event);
void worker_end_backend_calls(struct worker *worker); /* those that are over by now_ns */
int64_t worker_next_backend_ns(const struct worker *worker);
void worker_fail(struct worker *worker, uint32_t flight_index);
void worker_fail_lane(struct worker *worker, uint32_t lane_index); /* all that is under way on it */

void flight_push(struct worker *worker, struct flight_list *list, uint32_t index);
void flight_push_front(struct worker *worker, struct flight_list *list, uint32_t index);
uint32_t flight_pop(struct worker *worker, struct flight_list *list);

static inline int64_t worker_clock_ns(const struct worker *worker) {
    return clock_monotonic_ns(worker->shared->clock) - worker->shared->start_ns;
}

#endif
