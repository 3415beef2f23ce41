/* A model of a run: operations due evenly, a server that answers in a lognormal time, sometimes stands still, sometimes
 * dies. */
#include "hotkey/sample_result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/random.h"

#define VERSION_TEXT "0.1.0"

struct model {
    const char *config; /* over the profile's defaults */
    double duration_s;  /* really; the parameters may say more */
    double freeze_from_s, freeze_to_s, lost_at_s;
    double late_s;  /* how late the generator is at its end: grows evenly */
    double dropped; /* share of the operations never sent */
    bool has_detector, detects_late, is_hostile, has_misses;
    enum lab_end end;
    const char *end_text;
};

static const struct model models[SAMPLES] = {
    [SAMPLE_PLAIN] = {"{\"duration_s\":30}", 30, .has_detector = true},
    [SAMPLE_FROZEN] = {"{\"duration_s\":10,\"hot_clients\":9,\"fault_freeze_ms\":1000}", 10, 4.6, 5.602,
                       .has_detector = true},
    [SAMPLE_MOVED] = {"{\"profile\":\"moving_hotspot\",\"duration_s\":30}", 30, .has_detector = true,
                      .detects_late = true},
    [SAMPLE_LOST] = {"{\"duration_s\":30}", 12, .lost_at_s = 6.3, .has_detector = true, .end = LAB_END_TARGET_LOST,
                     .end_text = "the target did not come back within 5 s"},
    [SAMPLE_STAMPEDE] = {"{\"profile\":\"cache_stampede\",\"duration_s\":30,\"ttl_s\":5,\"miss_cost_us\":50000}", 30,
                         .has_detector = true, .has_misses = true},
    [SAMPLE_LATE] = {"{\"duration_s\":20,\"seed\":77}", 20, .late_s = 1.5, .dropped = 0.07, .has_detector = true},
    [SAMPLE_UNIFORM] = {"{\"duration_s\":20,\"hot_clients\":0,\"normal_clients\":20,\"normal_rate\":100,\"keys\":1000}",
                        20},
    [SAMPLE_HOSTILE] = {"{\"duration_s\":10}", 10, .has_detector = true, .is_hostile = true},
    [SAMPLE_EMPTY] = {"{}", 0, .end = LAB_END_STOPPED, .end_text = "stopped before its first second"},
    [SAMPLE_SHORT] = {"{\"duration_s\":0.4}", 0.4, .has_detector = true},
    [SAMPLE_DAY] = {"{\"duration_s\":86400,\"hot_clients\":4,\"hot_rate\":1,\"normal_clients\":1,\"normal_rate\":1}",
                    86400, 43200.2, 43212.4, .has_detector = true},
};

const char *const sample_names[SAMPLES] = {"plain",   "frozen",  "moved", "lost",  "stampede", "late",
                                           "uniform", "hostile", "empty", "short", "day"};

struct operation {
    double due, sent, done; /* s; done INFINITY: lost */
    uint32_t key;
    bool is_write, is_miss;
    int class;
};

struct maker {
    const struct model *model;
    struct lab_result *result;
    struct random_seeded random;
    struct operation *operations; /* by the time of their end */
    size_t count;
    uint32_t *of_second;           /* accesses by key in a second */
    struct lab_key_count *ranking; /* room for all keys */
    struct histogram *times[LAB_CLASSES][LAB_TIMES], *late, *all;
};

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static double chance(struct maker *maker) {
    return (double)random_below(&maker->random.base, 1u << 30) / (1u << 30);
}

static struct histogram *new_histogram(void) {
    struct histogram *histogram = must(malloc(sizeof *histogram));
    histogram_init(histogram);
    return histogram;
}

/* --- parameters and texts --- */

static void read_parameters(const char *config, struct lab_parameters *out) {
    struct arena arena;
    struct json_value *value;
    struct lab_problems problems;
    arena_init(&arena, 4096, 65536);
    if (json_read(bytes_of(config), &arena, &value, NULL) != STATUS_OK ||
        lab_parameters_read(value, out, &problems) != STATUS_OK)
        abort();
    arena_free(&arena);
}

static void fill_texts(struct maker *maker) {
    struct lab_result *result = maker->result;
    char id[UUID_TEXT_SIZE];
    result->run_id = uuid_make_v7(1795379227123, &maker->random.base);
    uuid_format(&result->run_id, id);
    result->started_at_ms = 1795379227123;
    result->ended_at_ms = result->started_at_ms + (int64_t)(maker->model->duration_s * 1000);
    result->version = VERSION_TEXT;
    snprintf(result->target, sizeof result->target, "%s",
             maker->model->is_hostile ? "redis \"><script>alert(1)</script>\x1b[2J at 10.0.0.7:6379"
                                      : "redis 7.0.15 at 127.0.0.1:31234, started for this run");
    snprintf(result->target_policy, sizeof result->target_policy, "%s",
             maker->model->is_hostile ? "</style><img src=x>" : "noeviction");
    result->target_is_private = !maker->model->is_hostile;
    result->end = maker->model->end;
    snprintf(result->end_text, sizeof result->end_text, "%s",
             maker->model->end_text ? maker->model->end_text : "all of its time passed");
    snprintf(result->key_prefix, sizeof result->key_prefix, "orderly:lab:%s:", id);
}

/* --- operations --- */

static uint32_t hot_key_at(const struct lab_parameters *parameters, double at_s) {
    int64_t shift = parameters->hot_shift_s > 0 ? (int64_t)(at_s / parameters->hot_shift_s) : 0;
    return (uint32_t)(shift * 7 % parameters->keys);
}

static void serve(struct maker *maker, struct operation *operation, double share) {
    const struct model *model = maker->model;
    double service = 110e-6 * exp(1.1 * (chance(maker) + chance(maker) + chance(maker) - 1.5));
    const struct lab_parameters *parameters = &maker->result->parameters;
    operation->sent = operation->due + 20e-6 * chance(maker) + model->late_s * share;
    if (model->has_misses && operation->class == LAB_HOT && fmod(operation->due, parameters->ttl_s) < 0.05) {
        operation->is_miss = !operation->is_write;
        if (operation->is_miss) service += 0.05 - fmod(operation->due, parameters->ttl_s);
    }
    if (operation->sent >= model->freeze_from_s && operation->sent < model->freeze_to_s)
        operation->sent = model->freeze_to_s + (operation->sent - model->freeze_from_s) * 0.01;
    operation->done = operation->sent + service;
    if (model->lost_at_s > 0 && operation->sent >= model->lost_at_s) operation->done = INFINITY;
}

static void make_class(struct maker *maker, int class) {
    const struct lab_parameters *parameters = &maker->result->parameters;
    const struct lab_class_parameters *of = &parameters->classes[class];
    size_t count = (size_t)((double)of->clients * of->rate * maker->model->duration_s);
    for (size_t i = 0; i < count; i++) {
        struct operation *operation = &maker->operations[maker->count++];
        *operation =
            (struct operation){.class = class, .due = ((double)i + chance(maker)) / ((double)of->clients * of->rate)};
        operation->is_write = chance(maker) >= of->read_ratio;
        bool is_hot = class == LAB_HOT && chance(maker) < parameters->hot_share;
        operation->key = is_hot ? hot_key_at(parameters, operation->due)
                                : (uint32_t)random_below(&maker->random.base, (uint64_t)parameters->keys);
        serve(maker, operation, operation->due / maker->model->duration_s);
        bool is_dropped = chance(maker) < maker->model->dropped;
        if (is_dropped) operation->sent = INFINITY, operation->done = INFINITY;
    }
}

static int compare_ends(const void *a, const void *b) {
    double x = fmin(((const struct operation *)a)->done, 1e9), y = fmin(((const struct operation *)b)->done, 1e9);
    return x < y ? -1 : x > y;
}

static void make_operations(struct maker *maker) {
    const struct lab_parameters *parameters = &maker->result->parameters;
    double rate = 0;
    for (int class = 0; class < LAB_CLASSES; class ++)
        rate += (double)parameters->classes[class].clients * parameters->classes[class].rate;
    maker->operations = must(malloc(((size_t)(rate * maker->model->duration_s) + 2) * sizeof *maker->operations));
    for (int class = 0; class < LAB_CLASSES; class ++)
        make_class(maker, class);
    qsort(maker->operations, maker->count, sizeof *maker->operations, compare_ends);
}

/* --- seconds --- */

static int compare_key_counts(const void *a, const void *b) {
    const struct lab_key_count *x = a, *y = b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : x->key < y->key ? -1 : x->key > y->key;
}

/* All keys of the second, the most frequent first; the truth is those above the line. Returns how many there are. */
static size_t rank_keys(struct maker *maker, struct lab_detection *detection) {
    size_t count = 0;
    for (int64_t key = 0; key < maker->result->parameters.keys; key++)
        if (maker->of_second[key] > 0)
            maker->ranking[count++] = (struct lab_key_count){(uint32_t)key, maker->of_second[key], 0};
    qsort(maker->ranking, count, sizeof *maker->ranking, compare_key_counts);
    while (detection->hot_true < count &&
           (double)maker->ranking[detection->hot_true].count >= LAB_TRUE_SHARE * (double)detection->operations)
        detection->hot_true++;
    detection->true_count = detection->hot_true < LAB_TOP ? detection->hot_true : LAB_TOP;
    memcpy(detection->truth, maker->ranking, detection->true_count * sizeof *detection->truth);
    return count;
}

/* The first ten, whether above the line or not, each counted a little too high; or those of the second before. */
static void fill_detection(struct maker *maker, struct lab_second *second) {
    struct lab_detection *detection = &second->detection;
    detection->precision = detection->recall = 1;
    size_t count = rank_keys(maker, detection);
    if (!maker->model->has_detector) {
        detection->recall = 0;
        return;
    }
    detection->hot_found = detection->hot_both = detection->hot_true;
    detection->found_count = count < LAB_TOP ? count : LAB_TOP;
    for (size_t i = 0; i < detection->found_count; i++)
        detection->found[i] = (struct lab_key_count){maker->ranking[i].key, maker->ranking[i].count + 3, 3};
    const struct lab_detection *before = second->second > 0 ? &(second - 1)->detection : NULL;
    bool is_behind = maker->model->detects_late && before && before->true_count > 0 && detection->true_count > 0 &&
                     before->truth[0].key != detection->truth[0].key;
    if (!is_behind) return;
    detection->found_count = before->found_count;
    memcpy(detection->found, before->found, sizeof before->found);
    detection->hot_both = detection->hot_true / 2;
    detection->precision = detection->recall = 0.5, detection->rank_error = 1.5;
}

static void fill_server(struct maker *maker, struct lab_second *second) {
    double completed = (double)(second->counts[LAB_HOT].completed + second->counts[LAB_NORMAL].completed);
    bool answers = second->target == LAB_TARGET_UP || second->target == LAB_TARGET_SLOW;
    second->server = (struct lab_server){.cpu_share = NAN, .hit_ratio = NAN, .used_memory_bytes = -1, .evicted = -1};
    if (!answers) return;
    second->server = (struct lab_server){
        .is_known = true,
        .ops_per_second = completed / second->length_s,
        .cpu_share = 0.02 + completed / second->length_s * 9e-6 + 0.01 * chance(maker),
        .used_memory_bytes = 1200000 + 9000 * (int64_t)second->second % 700000,
        .clients = 52,
        .keys = maker->result->parameters.keys,
        .evicted = 0,
        .expired = maker->model->has_misses && second->second % 5 == 0,
        .hit_ratio = completed > 0 ? 1 - (double)(second->counts[LAB_HOT].misses) / completed : NAN,
        .network_in_bytes = completed * 60.5,
        .network_out_bytes = completed * 140.25,
    };
    if (second->detection.found_count == 0) return;
    struct lab_hot_key *key = &second->hot_key;
    *key = (struct lab_hot_key){.is_known = true,
                                .key = second->detection.found[0].key,
                                .memory_bytes = 232,
                                .frequency = -1,
                                .value_bytes = 100};
    snprintf(key->name, sizeof key->name, "%.60s%u", maker->result->key_prefix, (unsigned)key->key);
    snprintf(key->value, sizeof key->value, "%s",
             maker->model->is_hostile ? "\"'><svg onload=alert(1)><script src=//x>&" : "5f3c9a17....");
}

static void fill_target(struct maker *maker, struct lab_second *second) {
    const struct model *model = maker->model;
    double from = second->second, to = from + second->length_s;
    if (model->freeze_to_s > 0 && from < model->freeze_to_s && to > model->freeze_from_s)
        second->target = LAB_TARGET_FROZEN;
    if (model->lost_at_s > 0 && to > model->lost_at_s) {
        second->target = LAB_TARGET_DOWN;
        snprintf(second->target_error, sizeof second->target_error, "127.0.0.1:31234: Connection refused");
    }
    if (model->late_s > 0 && second->second > 14) second->target = LAB_TARGET_SLOW;
    if (model->is_hostile && second->second == 3)
        snprintf(second->target_error, sizeof second->target_error,
                 "=cmd|' /C calc'!A0, \"x\" <b>\x1b[31m\xc3\x28\r\nnext");
}

static void take(struct maker *maker, struct lab_second *second, const struct operation *operation) {
    struct lab_class_counts *counts = &second->counts[operation->class];
    counts->completed++;
    counts->reads += !operation->is_write;
    counts->writes += operation->is_write;
    counts->hits += !operation->is_write && !operation->is_miss;
    counts->misses += operation->is_miss;
    second->backend_calls += operation->is_miss;
    second->fills += operation->is_miss;
    if (operation->is_miss && second->backend_at_once < 250) second->backend_at_once++;
    histogram_record(maker->times[operation->class][LAB_RESPONSE], (int64_t)((operation->done - operation->due) * 1e9));
    histogram_record(maker->times[operation->class][LAB_SERVICE], (int64_t)((operation->done - operation->sent) * 1e9));
    histogram_record(maker->late, (int64_t)(20e3 * chance(maker) +
                                            maker->model->late_s * 1e9 * operation->due / maker->model->duration_s));
    maker->of_second[operation->key]++;
    maker->result->accesses[operation->key]++;
}

/* By the time they were due, not by that of their end. */
static void count_offered(struct maker *maker) {
    for (size_t i = 0; i < maker->count; i++) {
        const struct operation *operation = &maker->operations[i];
        size_t at = (size_t)operation->due;
        if (at >= maker->result->second_count) continue;
        struct lab_class_counts *counts = &maker->result->seconds[at].counts[operation->class];
        counts->offered++;
        if (isinf(operation->sent) || operation->done > maker->model->duration_s + 1)
            counts->dropped += isinf(operation->sent) || at > maker->model->lost_at_s,
                counts->failed += !isinf(operation->sent) && at <= maker->model->lost_at_s;
        else
            counts->sent++;
    }
}

static void close_second(struct maker *maker, struct lab_second *second) {
    struct histogram *all = maker->all;
    for (int time = 0; time < LAB_TIMES; time++) {
        histogram_reset(all);
        for (int class = 0; class < LAB_CLASSES; class ++) {
            struct histogram *histogram = maker->times[class][time];
            lab_times_of(histogram, &second->times[class][time]);
            histogram_add(all, histogram);
            histogram_add(maker->result->times[class][time], histogram);
            histogram_reset(histogram);
        }
        lab_times_of(all, &second->all[time]);
    }
    second->late_p99_ns = maker->late->count > 0 ? histogram_percentile(maker->late, 99) : -1;
    second->late_max_ns = maker->late->count > 0 ? maker->late->max : -1;
    second->client_cpu_share = 0.08 + 0.01 * chance(maker);
    histogram_add(maker->result->late, maker->late);
    histogram_reset(maker->late);
    second->detection.operations = second->all[LAB_RESPONSE].count;
    fill_target(maker, second);
    fill_detection(maker, second);
    fill_server(maker, second);
    memset(maker->of_second, 0, (size_t)maker->result->parameters.keys * sizeof *maker->of_second);
}

static void make_seconds(struct maker *maker) {
    struct lab_result *result = maker->result;
    result->second_count = (size_t)ceil(maker->model->duration_s);
    result->seconds = must(calloc(result->second_count + 1, sizeof *result->seconds));
    count_offered(maker);
    size_t next = 0;
    for (size_t i = 0; i < result->second_count; i++) {
        struct lab_second *second = &result->seconds[i];
        second->second = (uint32_t)i;
        second->length_s = fmin(1, maker->model->duration_s - (double)i);
        for (; next < maker->count &&
               maker->operations[next].done < (double)i + second->length_s + (i + 1 == result->second_count);
             next++)
            take(maker, second, &maker->operations[next]);
        close_second(maker, second);
    }
}

/* --- totals --- */

static void add_totals(struct maker *maker) {
    struct lab_result *result = maker->result;
    double seconds = 0;
    uint64_t sent = 0, offered = 0;
    for (size_t i = 0; i < result->second_count; i++) {
        const struct lab_second *second = &result->seconds[i];
        for (int class = 0; class < LAB_CLASSES; class ++)
            for (size_t k = 0; k < sizeof(struct lab_class_counts) / sizeof(uint64_t); k++)
                ((uint64_t *)&result->counts[class])[k] += ((const uint64_t *)&second->counts[class])[k];
        result->backend_calls += second->backend_calls;
        result->fills += second->fills;
        if (second->backend_at_once > result->backend_at_once) result->backend_at_once = second->backend_at_once;
        if (second->detection.operations == 0) continue;
        seconds++;
        result->detector_precision += second->detection.precision;
        result->detector_recall += second->detection.recall;
        result->detector_rank_error += second->detection.rank_error;
    }
    result->detector_precision /= seconds, result->detector_recall /= seconds, result->detector_rank_error /= seconds;
    for (int class = 0; class < LAB_CLASSES; class ++)
        sent += result->counts[class].sent, offered += result->counts[class].offered;
    result->schedule_kept = offered > 0 ? (double)sent / (double)offered : 1;
    result->elapsed_s = maker->model->duration_s;
    result->client_cpu_s = 0.085 * maker->model->duration_s;
    result->server_cpu_s = maker->model->is_hostile ? -1 : 0.11 * maker->model->duration_s;
    result->frozen_ns = (int64_t)((maker->model->freeze_to_s - maker->model->freeze_from_s) * 1e9);
}

void sample_result(enum sample sample, struct lab_result *result_out) {
    struct maker maker = {.model = &models[sample], .result = result_out};
    *result_out = (struct lab_result){0};
    random_seeded_init(&maker.random, 42 + sample);
    read_parameters(maker.model->config, &result_out->parameters);
    fill_texts(&maker);
    for (int i = 0; i < LAB_CLASSES * LAB_TIMES; i++) {
        result_out->times[i / LAB_TIMES][i % LAB_TIMES] = new_histogram();
        maker.times[i / LAB_TIMES][i % LAB_TIMES] = new_histogram();
    }
    result_out->late = new_histogram();
    maker.late = new_histogram();
    maker.all = new_histogram();
    result_out->accesses = must(calloc((size_t)result_out->parameters.keys, sizeof *result_out->accesses));
    maker.of_second = must(calloc((size_t)result_out->parameters.keys, sizeof *maker.of_second));
    maker.ranking = must(calloc((size_t)result_out->parameters.keys, sizeof *maker.ranking));
    make_operations(&maker);
    make_seconds(&maker);
    add_totals(&maker);
    for (int i = 0; i < LAB_CLASSES * LAB_TIMES; i++)
        free(maker.times[i / LAB_TIMES][i % LAB_TIMES]);
    free(maker.late);
    free(maker.all);
    free(maker.of_second);
    free(maker.ranking);
    free(maker.operations);
}
