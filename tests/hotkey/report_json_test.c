/* Results as JSON: read back by our own reader and held against the struct, member by member; what is unknown is null.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "hotkey/report.h"
#include "hotkey/sample_result.h"

#define OUTPUT_MAX (64u << 20)

/* --- reading --- */

struct document {
    struct buffer text;
    struct arena arena;
    struct json_value *root;
};

static void parse(struct document *document) {
    struct json_error error = {0};
    assert_int_equal(document->text.status, STATUS_OK);
    arena_init(&document->arena, 65536, 64u << 20);
    enum status status = json_read(buffer_bytes(&document->text), &document->arena, &document->root, &error);
    if (status != STATUS_OK) fail_msg("line %u column %u: %s", error.line, error.column, error.text);
}

static void read_result(const struct lab_result *result, struct document *document_out) {
    buffer_init(&document_out->text, OUTPUT_MAX);
    lab_result_write_json(result, &document_out->text);
    parse(document_out);
}

static void free_document(struct document *document) {
    arena_free(&document->arena);
    buffer_free(&document->text);
}

static const struct json_value *member(const struct json_value *object, const char *key) {
    const struct json_value *value = json_member(object, key);
    if (!value) fail_msg("there is no member \"%s\"", key);
    return value;
}

/* A member that must be this number; NAN: null. */
static void assert_number(const struct json_value *object, const char *key, double expected) {
    const struct json_value *value = member(object, key);
    if (isnan(expected)) {
        if (value->kind != JSON_NULL) fail_msg("\"%s\" is not null", key);
        return;
    }
    if (value->kind != JSON_NUMBER) fail_msg("\"%s\" is no number", key);
    double number = value->is_integer ? (double)value->integer : value->number;
    if (number != expected) fail_msg("\"%s\" is %.17g, not %.17g", key, number, expected);
}

static void assert_text(const struct json_value *object, const char *key, const char *expected) {
    const struct json_value *value = member(object, key);
    if (!expected) {
        assert_int_equal(value->kind, JSON_NULL);
        return;
    }
    assert_int_equal(value->kind, JSON_STRING);
    if (!bytes_equal(value->string, bytes_of(expected)))
        fail_msg("\"%s\" is \"%.*s\", not \"%s\"", key, (int)value->string.size, value->string.data, expected);
}

/* --- members --- */

static double known(double value) {
    return isfinite(value) && value >= 0 ? value : NAN;
}

static void assert_times(const struct json_value *parent, const char *key, const struct lab_times *times) {
    const struct json_value *object = member(parent, key);
    const double none = times->count > 0 ? 0 : NAN; /* of no operations, no time is known */
    assert_int_equal(object->count, 8);
    assert_number(object, "count", (double)times->count);
    assert_number(object, "p50_ms", (double)times->p50_ns / 1e6 + none);
    assert_number(object, "p90_ms", (double)times->p90_ns / 1e6 + none);
    assert_number(object, "p99_ms", (double)times->p99_ns / 1e6 + none);
    assert_number(object, "p999_ms", (double)times->p999_ns / 1e6 + none);
    assert_number(object, "p9999_ms", (double)times->p9999_ns / 1e6 + none);
    assert_number(object, "max_ms", (double)times->max_ns / 1e6 + none);
    assert_number(object, "mean_ms", times->mean_ns / 1e6 + none);
}

static void assert_class(const struct json_value *parent, const char *key, const struct lab_class_counts *counts,
                         const struct lab_times times[LAB_TIMES]) {
    const struct json_value *object = member(parent, key);
    assert_int_equal(object->count, 11);
    assert_number(object, "offered", (double)counts->offered);
    assert_number(object, "sent", (double)counts->sent);
    assert_number(object, "completed", (double)counts->completed);
    assert_number(object, "failed", (double)counts->failed);
    assert_number(object, "dropped", (double)counts->dropped);
    assert_number(object, "reads", (double)counts->reads);
    assert_number(object, "writes", (double)counts->writes);
    assert_number(object, "hits", (double)counts->hits);
    assert_number(object, "misses", (double)counts->misses);
    assert_times(object, "response", &times[LAB_RESPONSE]);
    assert_times(object, "service", &times[LAB_SERVICE]);
}

static void assert_classes(const struct json_value *object, const struct lab_class_counts counts[LAB_CLASSES],
                           const struct lab_times times[LAB_CLASSES][LAB_TIMES],
                           const struct lab_times all[LAB_TIMES]) {
    assert_class(object, "hot", &counts[LAB_HOT], times[LAB_HOT]);
    assert_class(object, "normal", &counts[LAB_NORMAL], times[LAB_NORMAL]);
    assert_int_equal(member(object, "all")->count, 2);
    assert_times(member(object, "all"), "response", &all[LAB_RESPONSE]);
    assert_times(member(object, "all"), "service", &all[LAB_SERVICE]);
}

static void assert_server(const struct json_value *tick, const struct lab_server *server) {
    const struct json_value *object = member(tick, "server");
    if (!server->is_known) {
        assert_int_equal(object->kind, JSON_NULL);
        return;
    }
    assert_int_equal(object->count, 10);
    assert_number(object, "ops_per_second", known(server->ops_per_second));
    assert_number(object, "cpu_share", known(server->cpu_share));
    assert_number(object, "used_memory_bytes", known((double)server->used_memory_bytes));
    assert_number(object, "clients", known((double)server->clients));
    assert_number(object, "keys", known((double)server->keys));
    assert_number(object, "evicted", known((double)server->evicted));
    assert_number(object, "expired", known((double)server->expired));
    assert_number(object, "hit_ratio", known(server->hit_ratio));
    assert_number(object, "network_in_bytes", known(server->network_in_bytes));
    assert_number(object, "network_out_bytes", known(server->network_out_bytes));
}

static void assert_hot_key(const struct json_value *tick, const struct lab_hot_key *key) {
    const struct json_value *object = member(tick, "hot_key");
    if (!key->is_known) {
        assert_int_equal(object->kind, JSON_NULL);
        return;
    }
    assert_int_equal(object->count, 6);
    assert_text(object, "name", key->name);
    assert_number(object, "key", key->key);
    assert_number(object, "memory_bytes", known((double)key->memory_bytes));
    assert_number(object, "frequency", known((double)key->frequency));
    assert_number(object, "value_bytes", known((double)key->value_bytes));
    assert_text(object, "value", key->value_bytes >= 0 ? key->value : NULL);
}

static void assert_keys(const struct json_value *parent, const char *key, const struct lab_key_count *keys,
                        size_t count, bool has_error) {
    const struct json_value *array = member(parent, key), *item = array->first;
    assert_int_equal(array->kind, JSON_ARRAY);
    assert_int_equal(array->count, count);
    for (size_t i = 0; i < count; i++, item = item->next) {
        assert_int_equal(item->count, has_error ? 3 : 2);
        assert_number(item, "key", keys[i].key);
        assert_number(item, "count", (double)keys[i].count);
        if (has_error) assert_number(item, "error", (double)keys[i].error);
    }
}

static void assert_detection(const struct json_value *tick, const struct lab_detection *detection) {
    const struct json_value *object = member(tick, "detection");
    assert_int_equal(object->count, 9);
    assert_number(object, "operations", (double)detection->operations);
    assert_keys(object, "found", detection->found, detection->found_count, true);
    assert_keys(object, "truth", detection->truth, detection->true_count, false);
    assert_number(object, "hot_found", (double)detection->hot_found);
    assert_number(object, "hot_true", (double)detection->hot_true);
    assert_number(object, "hot_both", (double)detection->hot_both);
    assert_number(object, "precision", detection->precision);
    assert_number(object, "recall", detection->recall);
    assert_number(object, "rank_error", detection->rank_error);
}

static void assert_second(const struct json_value *tick, const struct lab_second *second) {
    static const char *const targets[] = {"up", "slow", "down", "frozen"};
    assert_int_equal(tick->count, 13);
    assert_text(tick, "type", "tick");
    assert_number(tick, "second", second->second);
    assert_number(tick, "length_s", second->length_s);
    assert_text(tick, "target", targets[second->target]);
    assert_text(tick, "target_error", second->target_error[0] ? second->target_error : NULL);
    assert_classes(tick, second->counts, second->times, second->all);
    const struct json_value *backend = member(tick, "backend"), *generator = member(tick, "generator");
    assert_int_equal(backend->count, 3);
    assert_number(backend, "calls", (double)second->backend_calls);
    assert_number(backend, "at_once", (double)second->backend_at_once);
    assert_number(backend, "fills", (double)second->fills);
    assert_int_equal(generator->count, 4);
    assert_number(generator, "late_p99_ms", known((double)second->late_p99_ns / 1e6));
    assert_number(generator, "late_max_ms", known((double)second->late_max_ns / 1e6));
    assert_number(generator, "behind", (double)second->behind);
    assert_number(generator, "cpu_share", known(second->client_cpu_share));
    assert_server(tick, &second->server);
    assert_hot_key(tick, &second->hot_key);
    assert_detection(tick, &second->detection);
}

/* --- the whole --- */

static void assert_about(const struct json_value *root, const struct lab_result *result) {
    static const char *const ends[] = {"duration", "stopped", "target_lost", "failed"};
    char id[UUID_TEXT_SIZE], moment[CLOCK_RFC3339_SIZE];
    uuid_format(&result->run_id, id);
    assert_text(root, "run_id", id);
    assert_text(root, "version", result->version);
    clock_format_rfc3339(result->started_at_ms, moment);
    assert_text(root, "started_at", moment);
    clock_format_rfc3339(result->ended_at_ms, moment);
    assert_text(root, "ended_at", moment);
    assert_text(root, "end", ends[result->end]);
    assert_text(root, "end_text", result->end_text);
    assert_text(root, "target", result->target);
    assert_text(root, "target_policy", result->target_policy);
    assert_int_equal(member(root, "target_is_private")->kind, result->target_is_private ? JSON_TRUE : JSON_FALSE);
    assert_text(root, "key_prefix", result->key_prefix);
    assert_number(root, "elapsed_s", result->elapsed_s);
    assert_number(root, "schedule_kept", result->schedule_kept);
    assert_true(member(root, "verdict")->string.size > 20);
}

/* The configuration must give the run again: read back, the same parameters. */
static void assert_config(const struct json_value *root, const struct lab_result *result) {
    struct lab_parameters parameters;
    struct lab_problems problems = {.count = 0};
    assert_int_equal(lab_parameters_read(member(root, "config"), &parameters, &problems), STATUS_OK);
    struct buffer once, again;
    buffer_init(&once, 65536), buffer_init(&again, 65536);
    struct json_writer writer;
    json_writer_init(&writer, &once), lab_parameters_write(&result->parameters, &writer);
    json_writer_init(&writer, &again), lab_parameters_write(&parameters, &writer);
    assert_true(bytes_equal(buffer_bytes(&once), buffer_bytes(&again)));
    buffer_reset(&once);
    buffer_put_text(&once, "orderly simulate");
    lab_parameters_write_flags(&result->parameters, &once);
    assert_true(bytes_equal(member(root, "command")->string, buffer_bytes(&once)));
    buffer_free(&once), buffer_free(&again);
}

static void assert_totals(const struct json_value *root, const struct lab_result *result) {
    const struct json_value *totals = member(root, "totals"), *generator = member(totals, "generator"),
                            *detection = member(root, "detection");
    struct lab_times times[LAB_CLASSES][LAB_TIMES], all[LAB_TIMES];
    struct histogram *both = malloc(sizeof *both);
    for (int time = 0; time < LAB_TIMES; time++) {
        histogram_init(both);
        for (int class = 0; class < LAB_CLASSES; class ++) {
            lab_times_of(result->times[class][time], &times[class][time]);
            histogram_add(both, result->times[class][time]);
        }
        lab_times_of(both, &all[time]);
    }
    free(both);
    double done = (double)(result->counts[LAB_HOT].completed + result->counts[LAB_NORMAL].completed);
    assert_int_equal(totals->count, 7);
    assert_classes(totals, result->counts, times, all);
    assert_number(member(totals, "backend"), "calls", (double)result->backend_calls);
    assert_number(member(totals, "backend"), "at_once", (double)result->backend_at_once);
    assert_number(member(totals, "backend"), "fills", (double)result->fills);
    bool was_sent = result->late->count > 0;
    assert_number(generator, "late_p99_ms", was_sent ? (double)histogram_percentile(result->late, 99) / 1e6 : NAN);
    assert_number(generator, "late_max_ms", was_sent ? (double)result->late->max / 1e6 : NAN);
    assert_number(generator, "cpu_s", result->client_cpu_s);
    assert_number(generator, "cpu_us_per_operation", done > 0 ? result->client_cpu_s * 1e6 / done : NAN);
    assert_number(member(totals, "server"), "cpu_s", known(result->server_cpu_s));
    assert_number(totals, "frozen_ms", (double)result->frozen_ns / 1e6);
    double none = NAN; /* a detector that saw nothing has no scores */
    for (size_t i = 0; i < result->second_count; i++)
        if (result->seconds[i].detection.found_count > 0) none = 0;
    assert_number(detection, "precision", result->detector_precision + none);
    assert_number(detection, "recall", result->detector_recall + none);
    assert_number(detection, "rank_error", result->detector_rank_error + none);
}

/* Every key once, by falling count, with its own count. */
static void assert_accesses(const struct json_value *root, const struct lab_result *result) {
    const struct json_value *accesses = member(root, "accesses");
    assert_int_equal(accesses->count, result->parameters.keys);
    bool *was_seen = calloc((size_t)result->parameters.keys, 1);
    int64_t before = INT64_MAX;
    for (const struct json_value *item = accesses->first; item; item = item->next) {
        int64_t key = -1, count = -1;
        assert_int_equal(json_member_integer(item, "key", &key), STATUS_OK);
        assert_int_equal(json_member_integer(item, "count", &count), STATUS_OK);
        assert_in_range(key, 0, result->parameters.keys - 1);
        assert_false(was_seen[key]);
        was_seen[key] = true;
        assert_int_equal(count, result->accesses[key]);
        assert_true(count <= before);
        before = count;
    }
    free(was_seen);
}

static void assert_seconds(const struct json_value *root, const struct lab_result *result) {
    const struct json_value *seconds = member(root, "seconds"), *tick = seconds->first;
    assert_number(root, "seconds_step", 1);
    assert_int_equal(seconds->count, result->second_count);
    for (size_t i = 0; i < result->second_count; i++, tick = tick->next)
        assert_second(tick, &result->seconds[i]);
}

static void every_member_of_a_result_is_what_was_measured(void **state) {
    static const enum sample samples[] = {SAMPLE_PLAIN, SAMPLE_FROZEN,  SAMPLE_MOVED, SAMPLE_LOST, SAMPLE_STAMPEDE,
                                          SAMPLE_LATE,  SAMPLE_UNIFORM, SAMPLE_EMPTY, SAMPLE_SHORT};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct lab_result result;
        struct document document;
        sample_result(samples[i], &result);
        read_result(&result, &document);
        assert_int_equal(document.root->count, 20);
        assert_about(document.root, &result);
        assert_config(document.root, &result);
        assert_totals(document.root, &result);
        assert_accesses(document.root, &result);
        assert_seconds(document.root, &result);
        free_document(&document);
        lab_result_free(&result);
    }
}

static void a_tick_is_one_line_of_its_own(void **state) {
    struct lab_result result;
    struct document document;
    struct json_writer writer;
    sample_result(SAMPLE_FROZEN, &result);
    buffer_init(&document.text, OUTPUT_MAX);
    json_writer_init(&writer, &document.text);
    lab_second_write(&result.seconds[5], &writer);
    parse(&document);
    assert_second(document.root, &result.seconds[5]);
    assert_null(memchr(document.text.data, '\n', document.text.size));
    free_document(&document);
    lab_result_free(&result);
}

static void what_is_not_known_is_null(void **state) {
    struct lab_result result;
    struct document document;
    sample_result(SAMPLE_SHORT, &result);
    struct lab_second *second = &result.seconds[0];
    second->server = (struct lab_server){true, NAN, -1, -1, -1, -1, -1, -1, NAN, NAN, INFINITY};
    second->hot_key =
        (struct lab_hot_key){.is_known = true, .name = "k", .memory_bytes = -1, .frequency = -1, .value_bytes = -1};
    second->late_p99_ns = second->late_max_ns = -1;
    second->client_cpu_share = NAN;
    result.server_cpu_s = -1;
    result.detector_precision = result.detector_recall = result.detector_rank_error = NAN;
    read_result(&result, &document);
    assert_second(member(document.root, "seconds")->first, second);
    assert_totals(document.root, &result);
    /* Not by way of the struct: each is null, really. */
    const struct json_value *tick = member(document.root, "seconds")->first;
    for (const struct json_value *value = member(tick, "server")->first; value; value = value->next)
        assert_int_equal(value->kind, JSON_NULL);
    assert_text(member(tick, "hot_key"), "value", NULL);
    assert_number(member(tick, "generator"), "late_p99_ms", NAN);
    assert_number(member(document.root, "detection"), "recall", NAN);
    free_document(&document);
    lab_result_free(&result);
}

/* Bytes from outside that are no UTF-8 must not make a document that no reader takes. */
static void foreign_bytes_do_not_break_the_document(void **state) {
    struct lab_result result;
    struct document document;
    sample_result(SAMPLE_HOSTILE, &result);
    assert_false(json_utf8_is_valid(bytes_of(result.seconds[3].target_error)));
    read_result(&result, &document);
    assert_text(document.root, "target", result.target); /* valid, if hostile: kept as it is */
    const struct json_value *tick = member(document.root, "seconds")->first->next->next->next;
    assert_text(tick, "target_error", "=cmd|' /C calc'!A0, \"x\" <b>?[31m?(??next");
    free_document(&document);
    lab_result_free(&result);
}

/* --- many seconds --- */

static void a_day_is_thinned_to_its_worst_seconds(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_SHORT, &result);
    free(result.seconds);
    result.second_count = 86400;
    result.seconds = calloc(result.second_count, sizeof *result.seconds);
    for (size_t i = 0; i < result.second_count; i++) {
        result.seconds[i].second = (uint32_t)i;
        result.seconds[i].all[LAB_RESPONSE] = (struct lab_times){.count = 1, .max_ns = i % 12 == 7 ? 2000000 : 1000000};
    }
    struct buffer out;
    buffer_init(&out, OUTPUT_MAX);
    lab_result_write_json(&result, &out);
    assert_int_equal(out.status, STATUS_OK);
    buffer_put_char(&out, '\0');
    assert_non_null(strstr(out.data, "\"seconds_step\":12,"));
    size_t ticks = 0;
    for (const char *at = out.data; (at = strstr(at, "\"type\":\"tick\",\"second\":")); ticks++) {
        unsigned second = 0;
        at += strlen("\"type\":\"tick\",\"second\":");
        assert_int_equal(sscanf(at, "%u", &second), 1);
        assert_int_equal(second, ticks * 12 + 7);
    }
    assert_int_equal(ticks, 7200);
    buffer_free(&out);
    lab_result_free(&result);
}

/* --- the summary --- */

static void a_summary_has_the_few_figures_of_a_list(void **state) {
    struct lab_result result;
    struct document document;
    struct json_writer writer;
    char text[LAB_KEY_NAME_SIZE + 16];
    sample_result(SAMPLE_STAMPEDE, &result);
    buffer_init(&document.text, OUTPUT_MAX);
    json_writer_init(&writer, &document.text);
    lab_result_write_summary(&result, &writer);
    parse(&document);
    const struct json_value *root = document.root;
    const struct lab_class_counts *hot = &result.counts[LAB_HOT], *normal = &result.counts[LAB_NORMAL];
    assert_int_equal(root->count, 16);
    uuid_format(&result.run_id, text);
    assert_text(root, "run_id", text);
    assert_text(root, "profile", "cache_stampede");
    assert_number(root, "seed", 1);
    clock_format_rfc3339(result.started_at_ms, text);
    assert_text(root, "started_at", text);
    clock_format_rfc3339(result.ended_at_ms, text);
    assert_text(root, "ended_at", text);
    assert_text(root, "end", "duration");
    assert_number(root, "elapsed_s", 30);
    assert_number(root, "operations", (double)(hot->completed + normal->completed));
    assert_number(root, "operations_per_second", (double)(hot->completed + normal->completed) / 30);
    assert_number(root, "hot_p99_ms", (double)histogram_percentile(result.times[LAB_HOT][LAB_RESPONSE], 99) / 1e6);
    assert_number(root, "normal_p99_ms",
                  (double)histogram_percentile(result.times[LAB_NORMAL][LAB_RESPONSE], 99) / 1e6);
    snprintf(text, sizeof text, "%s0", result.key_prefix);
    assert_text(root, "hot_key", text);
    double hits = (double)(hot->hits + normal->hits), misses = (double)(hot->misses + normal->misses);
    assert_true(misses > 0);
    assert_number(root, "hit_ratio", hits / (hits + misses));
    assert_number(root, "schedule_kept", result.schedule_kept);
    assert_number(root, "precision", 1);
    assert_number(root, "recall", 1);
    free_document(&document);
    lab_result_free(&result);
}

static void a_summary_of_nothing_has_nulls(void **state) {
    struct lab_result result;
    struct document document;
    struct json_writer writer;
    sample_result(SAMPLE_EMPTY, &result);
    result.detector_precision = result.detector_recall = 1; /* of no windows at all */
    buffer_init(&document.text, OUTPUT_MAX);
    json_writer_init(&writer, &document.text);
    lab_result_write_summary(&result, &writer);
    parse(&document);
    assert_number(document.root, "operations", 0);
    assert_text(document.root, "end", "stopped");
    assert_text(document.root, "hot_key", NULL);
    static const char *const unknown[] = {
        "operations_per_second", "hot_p99_ms", "normal_p99_ms", "hit_ratio", "precision", "recall"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_number(document.root, unknown[i], NAN);
    free_document(&document);
    lab_result_free(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_a_result_is_what_was_measured),
        cmocka_unit_test(a_tick_is_one_line_of_its_own),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(foreign_bytes_do_not_break_the_document),
        cmocka_unit_test(a_day_is_thinned_to_its_worst_seconds),
        cmocka_unit_test(a_summary_has_the_few_figures_of_a_list),
        cmocka_unit_test(a_summary_of_nothing_has_nulls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
