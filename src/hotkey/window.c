/* Sums up a second and the run: histograms merged, counts added, the target's state told from its silence. */
#include "hotkey/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct window *window_new(uint32_t keys, uint64_t hash_seed, bool has_detector) {
    struct window *window = calloc(1, sizeof *window);
    if (!window) return NULL;
    window->sum = slice_new(keys, hash_seed, has_detector);
    window->ranking = malloc(2 * WINDOW_LINE_MAX * sizeof *window->ranking);
    window->least_stall_ns = INT64_MAX;
    for (int time = 0; time < LAB_TIMES; time++)
        histogram_init(&window->all[time]);
    if (window->sum && window->ranking) return window;
    window_free(window);
    return NULL;
}

void window_free(struct window *window) {
    if (!window) return;
    slice_free(window->sum);
    free(window->ranking);
    free(window);
}

void window_add(struct window *window, const struct slice *slice) {
    struct slice *sum = window->sum;
    for (int class = 0; class < LAB_CLASSES; class ++) {
        slice_add_counts(&sum->counts[class], &slice->counts[class]);
        for (int time = 0; time < LAB_TIMES; time++)
            histogram_add(&sum->times[class][time], &slice->times[class][time]);
    }
    histogram_add(&sum->late, &slice->late);
    sum->backend_calls += slice->backend_calls;
    if (slice->backend_at_once > sum->backend_at_once) sum->backend_at_once = slice->backend_at_once;
    sum->fills += slice->fills;
    sum->behind += slice->behind;
    sum->errors += slice->errors;
    sum->lanes = (window->slices ? sum->lanes : 0) + slice->lanes;
    sum->lanes_up = (window->slices ? sum->lanes_up : 0) + slice->lanes_up;
    if (slice->error_text[0]) memcpy(sum->error_text, slice->error_text, sizeof sum->error_text);
    /* A worker that asked nothing knows nothing of the target. */
    bool has_asked = slice->stall_ns > 0 || slice->counts[LAB_HOT].sent + slice->counts[LAB_NORMAL].sent > 0;
    if (has_asked && slice->stall_ns < window->least_stall_ns) window->least_stall_ns = slice->stall_ns;
    if (sum->summary && slice->summary) space_saving_merge(sum->summary, slice->summary);
    for (size_t i = 0; i < slice->touched_count; i++) {
        uint32_t key = slice->touched[i];
        if (sum->key_counts[key] == 0) sum->touched[sum->touched_count++] = key;
        sum->key_counts[key] += slice->key_counts[key];
    }
    window->slices++;
}

static void judge_target(const struct window *window, struct lab_second *second) {
    const struct slice *sum = window->sum;
    int64_t stall_ns = window->least_stall_ns == INT64_MAX ? 0 : window->least_stall_ns;
    second->target = LAB_TARGET_UP;
    if (sum->lanes_up == 0)
        second->target = LAB_TARGET_DOWN;
    else if (stall_ns >= WINDOW_FROZEN_NS)
        second->target = LAB_TARGET_FROZEN;
    else if (stall_ns >= WINDOW_SLOW_NS)
        second->target = LAB_TARGET_SLOW;
    char *text = second->target_error;
    const size_t size = sizeof second->target_error;
    if (sum->error_text[0] && sum->errors)
        snprintf(text, size, "%.120s (%" PRIu64 " operations)", sum->error_text, sum->errors);
    else if (sum->error_text[0] || second->target == LAB_TARGET_DOWN)
        snprintf(text, size, "%s", sum->error_text[0] ? sum->error_text : "no connection");
    else if (second->target != LAB_TARGET_UP)
        snprintf(text, size, "no answer for %.1f s", (double)stall_ns / 1e9);
}

static void add_totals(const struct window *window, struct lab_result *result) {
    const struct slice *sum = window->sum;
    for (int class = 0; class < LAB_CLASSES; class ++) {
        slice_add_counts(&result->counts[class], &sum->counts[class]);
        for (int time = 0; time < LAB_TIMES; time++)
            histogram_add(result->times[class][time], &sum->times[class][time]);
    }
    histogram_add(result->late, &sum->late);
    result->backend_calls += sum->backend_calls;
    if (sum->backend_at_once > result->backend_at_once) result->backend_at_once = sum->backend_at_once;
    result->fills += sum->fills;
    for (size_t i = 0; i < sum->touched_count; i++)
        result->accesses[sum->touched[i]] += sum->key_counts[sum->touched[i]];
}

void window_close(struct window *window, struct lab_result *result, struct lab_second *second_out) {
    struct slice *sum = window->sum;
    memcpy(second_out->counts, sum->counts, sizeof second_out->counts);
    for (int time = 0; time < LAB_TIMES; time++) {
        for (int class = 0; class < LAB_CLASSES; class ++) {
            lab_times_of(&sum->times[class][time], &second_out->times[class][time]);
            histogram_add(&window->all[time], &sum->times[class][time]);
        }
        lab_times_of(&window->all[time], &second_out->all[time]);
        histogram_reset(&window->all[time]);
    }
    second_out->backend_calls = sum->backend_calls;
    second_out->backend_at_once = sum->backend_at_once;
    second_out->fills = sum->fills;
    second_out->late_p99_ns = histogram_percentile(&sum->late, 99);
    second_out->late_max_ns = sum->late.max;
    second_out->behind = sum->behind;
    judge_target(window, second_out);
    window_score(sum, window->ranking, &second_out->detection);
    add_totals(window, result);
    slice_reset(sum);
    window->least_stall_ns = INT64_MAX;
    window->slices = 0;
}
