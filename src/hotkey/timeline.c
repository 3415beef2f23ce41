/* The operations of many clients in the order of their times: a tournament in which each client's next operation plays.
 *
 * A match is won by the earlier time, then by the lower client; both are packed into one number, so a match is a
 * minimum and needs no branch. Replacing one player replays the matches on its way up, whose opponents are known
 * beforehand. */
#include <stdlib.h>

#include "hotkey/parameters_parts.h"
#include "hotkey/schedule_parts.h"

#define SLOT_BITS 15
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)
#define NOBODY UINT64_MAX

_Static_assert(LAB_CLASSES *LAB_CLIENTS_MAX <= SLOT_MASK, "a client's slot fits beside its time");
_Static_assert(LAB_DURATION_MAX_S *UINT64_C(1000000000) < NOBODY >> SLOT_BITS, "a time fits beside the slot");

struct lab_timeline {
    const struct lab_schedule *schedule;
    int64_t end_ns;
    uint32_t first, step, count;
    bool is_instant;
    uint32_t waiting; /* closed clients that wait for an answer */
    uint32_t leaves;  /* a power of two, at least count */
    uint64_t *winner; /* [1] of all; of node n those of 2n and 2n + 1; the clients are at leaves + slot */
    struct lab_client *clients;
};

/* --- the tournament --- */

/* Lets the client's next operation play, or nobody if it is past the end. */
static void play(struct lab_timeline *timeline, uint32_t slot) {
    int64_t at_ns = timeline->clients[slot].next_ns;
    uint64_t best = at_ns < timeline->end_ns ? (uint64_t)at_ns << SLOT_BITS | slot : NOBODY;
    uint32_t node = timeline->leaves + slot;
    timeline->winner[node] = best;
    while (node > 1) {
        uint64_t other = timeline->winner[node ^ 1];
        best = other < best ? other : best;
        node /= 2;
        timeline->winner[node] = best;
    }
}

/* --- the timeline --- */

static enum status allocate(struct lab_timeline *timeline) {
    timeline->leaves = 1;
    while (timeline->leaves < timeline->count)
        timeline->leaves *= 2;
    timeline->winner = malloc(2 * (size_t)timeline->leaves * sizeof *timeline->winner);
    timeline->clients = calloc(timeline->count + 1, sizeof *timeline->clients);
    if (!timeline->winner || !timeline->clients) return STATUS_NO_MEMORY;
    for (uint32_t node = 0; node < 2 * timeline->leaves; node++)
        timeline->winner[node] = NOBODY;
    return STATUS_OK;
}

enum status lab_timeline_new(const struct lab_schedule *schedule, uint32_t first, uint32_t step, bool instant,
                             struct lab_timeline **timeline_out) {
    uint32_t clients = lab_schedule_clients(schedule);
    if (step == 0) step = 1;
    struct lab_timeline *timeline = calloc(1, sizeof *timeline);
    if (!timeline) return STATUS_NO_MEMORY;
    timeline->schedule = schedule;
    timeline->end_ns = lab_schedule_end_ns(schedule);
    timeline->first = first;
    timeline->step = step;
    timeline->is_instant = instant;
    timeline->count = first < clients ? (clients - first - 1) / step + 1 : 0;
    if (allocate(timeline) != STATUS_OK) {
        lab_timeline_free(timeline);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t slot = 0; slot < timeline->count; slot++) {
        lab_client_init(schedule, first + slot * step, &timeline->clients[slot]);
        play(timeline, slot);
    }
    *timeline_out = timeline;
    return STATUS_OK;
}

void lab_timeline_free(struct lab_timeline *timeline) {
    if (!timeline) return;
    free(timeline->winner);
    free(timeline->clients);
    free(timeline);
}

static void answer_instantly(const struct lab_timeline *timeline, struct lab_client *client, int64_t at_ns) {
    bool has_pause = lab_schedule_pause_ns(timeline->schedule, client->class) > 0;
    lab_client_answered(timeline->schedule, client, has_pause ? at_ns : at_ns + LAB_INSTANT_NS);
}

int64_t lab_timeline_next_ns(const struct lab_timeline *timeline) {
    uint64_t best = timeline->winner[1];
    return best != NOBODY ? (int64_t)(best >> SLOT_BITS) : INT64_MAX;
}

bool lab_timeline_pop(struct lab_timeline *timeline, struct lab_operation *operation_out) {
    uint64_t best = timeline->winner[1];
    if (best == NOBODY) return false;
    uint32_t slot = (uint32_t)(best & SLOT_MASK);
    struct lab_client *client = &timeline->clients[slot];
    if (!lab_client_next(timeline->schedule, client, operation_out)) return false; /* nobody plays past the end */
    bool is_waiting = client->next_ns == INT64_MAX;
    if (is_waiting && timeline->is_instant)
        answer_instantly(timeline, client, operation_out->at_ns);
    else
        timeline->waiting += is_waiting;
    play(timeline, slot);
    return true;
}

void lab_timeline_answered(struct lab_timeline *timeline, uint32_t number, int64_t at_ns) {
    uint32_t behind = number - timeline->first, slot = behind / timeline->step;
    if (number < timeline->first || behind % timeline->step != 0 || slot >= timeline->count) return;
    struct lab_client *client = &timeline->clients[slot];
    if (client->next_ns != INT64_MAX) return; /* it waits for nothing: not a closed one, or answered already */
    lab_client_answered(timeline->schedule, client, at_ns);
    if (client->next_ns == INT64_MAX) return;
    timeline->waiting--;
    play(timeline, slot);
}

bool lab_timeline_is_over(const struct lab_timeline *timeline) {
    return timeline->winner[1] == NOBODY && timeline->waiting == 0;
}
