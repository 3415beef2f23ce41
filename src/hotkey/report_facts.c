/* Facts drawn from a result: totals of both classes, the keys accessed most, what the seconds say together. */
#include <stdlib.h>

#include "hotkey/report.h"

/* --- times and counts --- */

static enum status merge_times(const struct lab_result *result, struct lab_facts *facts) {
    struct histogram *both = malloc(sizeof *both); /* too large for a thread's stack */
    if (!both) return STATUS_NO_MEMORY;
    histogram_init(both);
    for (int time = 0; time < LAB_TIMES; time++) {
        for (int class = 0; class < LAB_CLASSES; class ++) {
            histogram_add(both, result->times[class][time]);
            lab_times_of(result->times[class][time], &facts->times[class][time]);
        }
        lab_times_of(both, &facts->all[time]);
        histogram_reset(both);
    }
    free(both);
    return STATUS_OK;
}

static void add_counts(const struct lab_result *result, struct lab_class_counts *total) {
    for (int class = 0; class < LAB_CLASSES; class ++) {
        const struct lab_class_counts *counts = &result->counts[class];
        total->offered += counts->offered;
        total->sent += counts->sent;
        total->completed += counts->completed;
        total->failed += counts->failed;
        total->dropped += counts->dropped;
        total->reads += counts->reads;
        total->writes += counts->writes;
        total->hits += counts->hits;
        total->misses += counts->misses;
    }
}

static void count_accesses(const struct lab_result *result, struct lab_facts *facts) {
    facts->top_share = NAN;
    if (!result->accesses) return;
    for (int64_t key = 0; key < result->parameters.keys; key++) {
        uint64_t count = result->accesses[key];
        facts->accesses += count;
        facts->keys_touched += count > 0;
        if (count > result->accesses[facts->top_key]) facts->top_key = (uint32_t)key;
    }
    if (facts->accesses > 0) facts->top_share = (double)result->accesses[facts->top_key] / (double)facts->accesses;
}

static void look_at_seconds(const struct lab_result *result, struct lab_facts *facts) {
    double cpu = 0, known_s = 0;
    for (size_t i = 0; i < result->second_count; i++) {
        const struct lab_second *second = &result->seconds[i];
        facts->seconds_down += second->target == LAB_TARGET_DOWN;
        facts->seconds_frozen += second->target == LAB_TARGET_FROZEN;
        if (!facts->first_error[0]) facts->first_error = second->target_error;
        facts->was_detected |= second->detection.found_count > 0;
        if (!second->server.is_known) continue;
        if (second->server.evicted > 0) facts->evicted += (uint64_t)second->server.evicted;
        if (second->server.expired > 0) facts->expired += (uint64_t)second->server.expired;
        if (isfinite(second->server.cpu_share) && second->server.cpu_share >= 0) {
            cpu += second->server.cpu_share * second->length_s;
            known_s += second->length_s;
        }
    }
    facts->server_cpu_share = known_s > 0 ? cpu / known_s : NAN;
}

enum status lab_facts_of(const struct lab_result *result, struct lab_facts *facts_out) {
    struct lab_facts facts = {.first_error = ""};
    enum status status = merge_times(result, &facts);
    if (status != STATUS_OK) return status;
    add_counts(result, &facts.total);
    count_accesses(result, &facts);
    look_at_seconds(result, &facts);
    facts.was_detected &= isfinite(result->detector_precision) && isfinite(result->detector_recall);
    facts.late_p99_ns = histogram_percentile(result->late, 99);
    facts.late_max_ns = result->late->max;
    double found = (double)(facts.total.hits + facts.total.misses), done = (double)facts.total.completed;
    facts.hit_ratio = found > 0 ? (double)facts.total.hits / found : NAN;
    facts.operations_per_second = result->elapsed_s > 0 ? done / result->elapsed_s : NAN;
    facts.cpu_us_per_operation = done > 0 && result->client_cpu_s >= 0 ? result->client_cpu_s * 1e6 / done : NAN;
    if (result->server_cpu_s >= 0 && result->elapsed_s > 0)
        facts.server_cpu_share = result->server_cpu_s / result->elapsed_s;
    *facts_out = facts;
    return STATUS_OK;
}

/* --- keys --- */

/* As numbers: larger counts first, then smaller keys. accesses is the array that the keys are indices of. */
static int compare_accesses(const void *a, const void *b, void *accesses) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t of_x = ((const uint64_t *)accesses)[x], of_y = ((const uint64_t *)accesses)[y];
    if (of_x != of_y) return of_x < of_y ? 1 : -1;
    return x < y ? -1 : x > y;
}

struct lab_key_count *lab_accesses_top(const struct lab_result *result, size_t max, size_t *count_out) {
    size_t keys = result->accesses && result->parameters.keys > 0 ? (size_t)result->parameters.keys : 0;
    size_t count = keys < max ? keys : max;
    uint32_t *order = malloc((keys + 1) * sizeof *order);
    struct lab_key_count *top = malloc((count + 1) * sizeof *top);
    if (order && top) {
        for (size_t i = 0; i < keys; i++)
            order[i] = (uint32_t)i;
        qsort_r(order, keys, sizeof *order, compare_accesses, result->accesses);
        for (size_t i = 0; i < count; i++)
            top[i] = (struct lab_key_count){.key = order[i], .count = result->accesses[order[i]]};
        *count_out = count;
    } else {
        free(top);
        top = NULL;
    }
    free(order);
    return top;
}

static int compare_scores(const void *a, const void *b) {
    const struct lab_key_score *x = a, *y = b;
    if (x->truth != y->truth) return x->truth < y->truth ? 1 : -1;
    if (x->found != y->found) return x->found < y->found ? 1 : -1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void add_detection(const struct lab_detection *detection, struct lab_key_score *scores, size_t keys) {
    const double line = LAB_TRUE_SHARE * (double)detection->operations;
    for (size_t i = 0; i < detection->found_count && i < LAB_TOP; i++) {
        if (detection->found[i].key >= keys || (double)detection->found[i].count < line) continue;
        scores[detection->found[i].key].found += detection->found[i].count;
        scores[detection->found[i].key].seconds_found++;
    }
    for (size_t i = 0; i < detection->true_count && i < LAB_TOP; i++) {
        if (detection->truth[i].key >= keys) continue;
        scores[detection->truth[i].key].truth += detection->truth[i].count;
        scores[detection->truth[i].key].seconds_truth++;
    }
}

enum status lab_key_scores(const struct lab_result *result, struct lab_key_score *scores_out, size_t max,
                           size_t *count_out) {
    size_t keys = result->parameters.keys > 0 ? (size_t)result->parameters.keys : 0, count = 0;
    struct lab_key_score *scores = calloc(keys + 1, sizeof *scores); /* by key; at most 32 MB, and touched where used */
    if (!scores) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < result->second_count; i++)
        add_detection(&result->seconds[i].detection, scores, keys);
    for (size_t key = 0; key < keys; key++) {
        if (scores[key].seconds_found + scores[key].seconds_truth == 0) continue;
        scores[count] = scores[key];
        scores[count++].key = (uint32_t)key;
    }
    qsort(scores, count, sizeof *scores, compare_scores);
    *count_out = count < max ? count : max;
    memcpy(scores_out, scores, *count_out * sizeof *scores);
    free(scores);
    return STATUS_OK;
}

/* --- parameters --- */

int64_t lab_connections_used(const struct lab_parameters *parameters) {
    int64_t clients = parameters->classes[LAB_HOT].clients + parameters->classes[LAB_NORMAL].clients;
    if (parameters->connections > 0) return parameters->connections;
    return clients < 50 ? clients : 50;
}

static const struct lab_profile *find_profile(const char *name) {
    size_t count;
    const struct lab_profile *profiles = lab_profile_table(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    return NULL;
}

const char *lab_profile_title(const char *name) {
    const struct lab_profile *profile = find_profile(name);
    return profile ? profile->title : name;
}

const char *lab_profile_text(const char *name) {
    const struct lab_profile *profile = find_profile(name);
    return profile ? profile->text : "";
}
