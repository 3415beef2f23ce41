/* The traffic of a run, drawn from its seed: which client does what to which key at which time.
 *
 * Each client has its own random sequence (from the seed and its number), so the schedule is the same however clients are
 * shared out among threads, and nothing that happens in a run changes it. A schedule is read-only once made: any threads
 * may use it at once. Clients are numbered from 0, the hot ones first.
 *
 * UNIFORM clients have a random phase each; all BURST clients of a class come at the same moments. Hot keys share their
 * operations by Zipf's law (zipf_s). How keys are drawn, and from where the methods are: keys.h. */
#ifndef ORDERLY_HOTKEY_SCHEDULE_H
#define ORDERLY_HOTKEY_SCHEDULE_H

#include "base/random.h"
#include "hotkey/parameters.h"

struct lab_schedule;

enum lab_kind { LAB_READ, LAB_WRITE, LAB_KINDS };

struct lab_operation {
    int64_t at_ns;   /* intended, from the start of the run */
    uint32_t client;
    uint32_t number; /* the client's own count, from 0 */
    uint32_t key;
    uint8_t class;   /* enum lab_class */
    uint8_t kind;    /* enum lab_kind */
};

/* parameters are copied. NO_MEMORY. */
enum status lab_schedule_new(const struct lab_parameters *parameters, struct lab_schedule **schedule_out);
void lab_schedule_free(struct lab_schedule *schedule);
const struct lab_parameters *lab_schedule_parameters(const struct lab_schedule *schedule);
uint32_t lab_schedule_clients(const struct lab_schedule *schedule);

/* The rank of a key (0: the hottest) among the hot ones at that time, or -1: it is not hot then. What is true, for scoring
 * a detector by intent. */
int lab_schedule_hot_rank(const struct lab_schedule *schedule, uint32_t key, int64_t at_ns);

/* One client's sequence. The struct is the caller's; cache-line sized, no pointers. */
struct lab_client {
    struct random_seeded random;
    int64_t next_ns;  /* of the next operation */
    uint32_t client, number;
    uint32_t burst_left;
    uint8_t class;
};
void lab_client_init(const struct lab_schedule *schedule, uint32_t client, struct lab_client *client_out);

/* The next operation. False: its time is not before the end of the run. A CLOSED client's at_ns is the time
 * given to lab_client_answered plus its pause (0 for the first). Which key and kind comes never depends on times, except
 * through hot_shift_s: a hot key is the one of its at_ns. */
bool lab_client_next(const struct lab_schedule *schedule, struct lab_client *client, struct lab_operation *operation_out);
void lab_client_answered(const struct lab_schedule *schedule, struct lab_client *client, int64_t at_ns);

/* The operations of the clients first, first + step, first + 2 step, ... in the order of (at_ns, client). CLOSED clients
 * are left out until lab_timeline_answered (answered at once, as it were, where nobody is there to answer: instant; those
 * without a pause after LAB_INSTANT_NS, or time would stand still).
 * Bounded memory: one entry per client. One thread at a time. */
#define LAB_INSTANT_NS 100000
struct lab_timeline;
enum status lab_timeline_new(const struct lab_schedule *schedule, uint32_t first, uint32_t step, bool instant,
                             struct lab_timeline **timeline_out);
void lab_timeline_free(struct lab_timeline *timeline);

/* When the next operation is due; INT64_MAX: none is known (or none is left). */
int64_t lab_timeline_next_ns(const struct lab_timeline *timeline);
bool lab_timeline_pop(struct lab_timeline *timeline, struct lab_operation *operation_out);
void lab_timeline_answered(struct lab_timeline *timeline, uint32_t client, int64_t at_ns);

/* True once no operation will come any more. */
bool lab_timeline_is_over(const struct lab_timeline *timeline);

#endif
