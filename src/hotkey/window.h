/* One second of a run from the slices of all workers: summed up, the detector scored against the truth, added to the
 * totals. */
#ifndef ORDERLY_HOTKEY_WINDOW_H
#define ORDERLY_HOTKEY_WINDOW_H

#include "hotkey/slice.h"

#define WINDOW_SLOW_NS INT64_C(100000000)   /* no reply for so long: the target is slow */
#define WINDOW_FROZEN_NS INT64_C(500000000) /* and for so long: frozen */

struct window {
    struct slice *sum;          /* of this second, all workers */
    struct histogram all[LAB_TIMES];
    struct lab_key_count *ranking; /* owned: room for the keys of one second above the line */
    int64_t least_stall_ns;     /* of the workers that asked something: as long as the target was silent to all of them */
    uint32_t slices;
};

/* NULL: no memory. */
struct window *window_new(uint32_t keys, uint64_t hash_seed, bool has_detector);
void window_free(struct window *window);

/* Adds a worker's slice; the slice may be reset after it. */
void window_add(struct window *window, const struct slice *slice);

/* Writes the second (all but what the coordinator knows: number, length, CPU, server, hot key's figures), adds it to the
 * totals of result, and begins the next one. */
void window_close(struct window *window, struct lab_result *result, struct lab_second *second_out);

/* window_score.c: the detector's answer beside the truth; ranking has room for 2 * WINDOW_LINE_MAX entries. */
#define WINDOW_LINE_MAX 1024
void window_score(const struct slice *sum, struct lab_key_count *ranking, struct lab_detection *detection_out);

#endif
