/* Scores the detector: which keys it names above the line, and which really are. */
#include <stdlib.h>

#include "hotkey/window.h"

static int compare_counts(const void *a, const void *b) {
    const struct lab_key_count *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static size_t at_most(size_t count, size_t max) {
    return count < max ? count : max;
}

static void copy_top(struct lab_key_count *to, const struct lab_key_count *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

/* Puts one key into a list of the largest ones, kept in order; the smallest falls out at the end. */
static void insert_top(struct lab_key_count *list, size_t *count, struct lab_key_count entry) {
    size_t at = *count;
    if (at == LAB_TOP) {
        if (compare_counts(&entry, &list[LAB_TOP - 1]) > 0) return;
        at--;
    } else {
        (*count)++;
    }
    for (; at > 0 && compare_counts(&entry, &list[at - 1]) < 0; at--)
        list[at] = list[at - 1];
    list[at] = entry;
}

/* The true top keys, and how many are above the line. */
static void find_truth(const struct slice *sum, double line, struct lab_detection *detection) {
    for (size_t i = 0; i < sum->touched_count; i++) {
        struct lab_key_count entry = {sum->touched[i], sum->key_counts[sum->touched[i]], 0};
        if ((double)entry.count >= line) detection->hot_true++;
        insert_top(detection->truth, &detection->true_count, entry);
    }
}

/* The distance of each true top key's rank from its rank in the list of the found; one that is not there comes after
 * it. */
static double rank_error(const struct lab_detection *detection) {
    size_t distance = 0;
    if (detection->true_count == 0) return 0;
    for (size_t i = 0; i < detection->true_count; i++) {
        size_t rank = 0;
        while (rank < detection->found_count && detection->found[rank].key != detection->truth[i].key)
            rank++;
        distance += rank > i ? rank - i : i - rank;
    }
    return (double)distance / (double)detection->true_count;
}

void window_score(const struct slice *sum, struct lab_key_count *ranking, struct lab_detection *detection_out) {
    struct lab_detection *detection = detection_out;
    struct space_saving_entry entries[WINDOW_LINE_MAX];
    *detection = (struct lab_detection){.precision = 1, .recall = 1};
    for (int class = 0; class < LAB_CLASSES; class ++)
        detection->operations += sum->counts[class].completed;
    const double line = (double)detection->operations * LAB_TRUE_SHARE;
    find_truth(sum, line, detection);
    size_t count = sum->summary ? space_saving_top(sum->summary, entries, WINDOW_LINE_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        ranking[i] = (struct lab_key_count){(uint32_t)entries[i].key.low, entries[i].count, entries[i].error};
        if ((double)ranking[i].count < line) continue;
        detection->hot_found++;
        if ((double)sum->key_counts[ranking[i].key] >= line) detection->hot_both++;
    }
    qsort(ranking, count, sizeof *ranking, compare_counts); /* equal counts in the truth's order */
    detection->found_count = at_most(count, LAB_TOP);
    copy_top(detection->found, ranking, detection->found_count);
    if (detection->operations == 0) return;
    if (detection->hot_found) detection->precision = (double)detection->hot_both / (double)detection->hot_found;
    if (detection->hot_true) detection->recall = (double)detection->hot_both / (double)detection->hot_true;
    detection->rank_error = rank_error(detection);
}
