/* The memory of one worker's second: all of it is made before the run, none during it. */
#include "hotkey/slice.h"

#include <stdlib.h>
#include <string.h>

struct slice *slice_new(uint32_t keys, uint64_t hash_seed, bool has_detector) {
    struct slice *slice = calloc(1, sizeof *slice);
    if (!slice) return NULL;
    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int time = 0; time < LAB_TIMES; time++)
            histogram_init(&slice->times[class][time]);
    histogram_init(&slice->late);
    slice->key_counts = calloc(keys, sizeof *slice->key_counts);
    slice->touched = malloc(keys * sizeof *slice->touched);
    if (has_detector) slice->summary = space_saving_new(hash_seed);
    if (slice->key_counts && slice->touched && (slice->summary || !has_detector)) return slice;
    slice_free(slice);
    return NULL;
}

void slice_free(struct slice *slice) {
    if (!slice) return;
    space_saving_free(slice->summary);
    free(slice->key_counts);
    free(slice->touched);
    free(slice);
}

void slice_reset(struct slice *slice) {
    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int time = 0; time < LAB_TIMES; time++)
            histogram_reset(&slice->times[class][time]);
    histogram_reset(&slice->late);
    memset(slice->counts, 0, sizeof slice->counts);
    slice->backend_calls = slice->backend_at_once = slice->fills = slice->behind = slice->errors = 0;
    slice->stall_ns = 0;
    slice->error_text[0] = '\0';
    if (slice->summary) space_saving_reset(slice->summary);
    for (size_t i = 0; i < slice->touched_count; i++)
        slice->key_counts[slice->touched[i]] = 0;
    slice->touched_count = 0;
}

void slice_add_counts(struct lab_class_counts *into, const struct lab_class_counts *from) {
    into->offered += from->offered;
    into->sent += from->sent;
    into->completed += from->completed;
    into->failed += from->failed;
    into->dropped += from->dropped;
    into->reads += from->reads;
    into->writes += from->writes;
    into->hits += from->hits;
    into->misses += from->misses;
}
