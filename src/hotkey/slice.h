/* What one worker measured in one second: filled by the worker, merged by the coordinator, given back empty. */
#ifndef ORDERLY_HOTKEY_SLICE_H
#define ORDERLY_HOTKEY_SLICE_H

#include "hotkey/result.h"
#include "hotkey/space_saving.h"

struct slice {
    int64_t end_ns; /* of the schedule; it holds more than one second if the coordinator was late */
    struct lab_class_counts counts[LAB_CLASSES];
    struct histogram times[LAB_CLASSES][LAB_TIMES];
    struct histogram late; /* from when an operation could be sent to when it was */
    uint64_t backend_calls, backend_at_once, fills;
    uint64_t behind;           /* operations due and not sent when it ended */
    int64_t stall_ns;          /* the longest time without any reply while one was due */
    uint32_t lanes, lanes_up;  /* connections, and of them usable when it ended */
    uint64_t errors;           /* replies that were errors */
    char error_text[160];      /* of the latest error */
    struct space_saving *summary; /* owned; NULL: without a detector */
    uint32_t *key_counts;      /* owned: completed operations by key */
    uint32_t *touched;         /* owned: the keys with a count above 0 */
    size_t touched_count;
};

/* NULL: no memory. */
struct slice *slice_new(uint32_t keys, uint64_t hash_seed, bool has_detector);
void slice_free(struct slice *slice);
void slice_reset(struct slice *slice); /* clears what is in use, for the next second */

/* A completed operation on the key: for the detector and for the truth. */
static inline void slice_touch(struct slice *slice, uint32_t key) {
    if (slice->key_counts[key]++ == 0) slice->touched[slice->touched_count++] = key;
    if (slice->summary) space_saving_touch(slice->summary, (struct space_saving_key){0, key});
}

/* Adds counts to others. */
void slice_add_counts(struct lab_class_counts *into, const struct lab_class_counts *from);

#endif
