/* A result as JSON: the tick of a second, the whole, and the summary for a list of runs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "hotkey/report.h"

/* A day's 86,400 ticks would be some 250 MiB. Of a longer run than this the result holds every second, third, ... of
 * them: of each such group the one with the longest response. The CSV holds all. */
#define SECONDS_WRITTEN_MAX 7200

static void write_fields(const struct lab_fields *fields, const void *from, struct json_writer *writer) {
    for (size_t i = 0; i < fields->count; i++) {
        json_key(writer, fields->items[i].name);
        json_double(writer, lab_field_read(&fields->items[i], from)); /* NAN: null */
    }
}

static void write_object(const char *key, const struct lab_fields *fields, const void *from,
                         struct json_writer *writer) {
    json_key(writer, key);
    json_begin_object(writer);
    write_fields(fields, from, writer);
    json_end_object(writer);
}

static void write_times(const char *key, const struct lab_times *times, struct json_writer *writer) {
    json_key(writer, key);
    json_begin_object(writer);
    for (size_t i = 0; i < lab_time_fields.count; i++) {
        const struct lab_field *field = &lab_time_fields.items[i];
        json_key(writer, field->name);
        bool is_known = times->count > 0 || field->type == LAB_FIELD_COUNT;
        json_double(writer, is_known ? lab_field_read(field, times) : NAN);
    }
    json_end_object(writer);
}

static void write_real(const char *key, double value, struct json_writer *writer) {
    json_key(writer, key);
    json_double(writer, value);
}

/* Of a detector that saw nothing, nothing is known. */
static void write_score(const char *key, double value, const struct lab_facts *facts, struct json_writer *writer) {
    write_real(key, facts->was_detected ? value : NAN, writer);
}

static void write_known(const char *key, int64_t value, struct json_writer *writer) {
    write_real(key, value < 0 ? NAN : (double)value, writer);
}

static void write_text(const char *key, const char *text, struct json_writer *writer) {
    json_key(writer, key);
    lab_json_text(writer, text);
}

/* The two classes and both together: of a second, and of the whole run. */
static void write_classes(const struct lab_class_counts counts[LAB_CLASSES],
                          const struct lab_times times[LAB_CLASSES][LAB_TIMES], const struct lab_times all[LAB_TIMES],
                          struct json_writer *writer) {
    for (int class = 0; class < LAB_CLASSES; class ++) {
        json_key(writer, lab_class_names[class]);
        json_begin_object(writer);
        write_fields(&lab_count_fields, &counts[class], writer);
        for (int time = 0; time < LAB_TIMES; time++)
            write_times(lab_time_names[time], &times[class][time], writer);
        json_end_object(writer);
    }
    json_key(writer, "all");
    json_begin_object(writer);
    for (int time = 0; time < LAB_TIMES; time++)
        write_times(lab_time_names[time], &all[time], writer);
    json_end_object(writer);
}

/* --- a second --- */

static void write_hot_key(const struct lab_hot_key *key, struct json_writer *writer) {
    json_key(writer, "hot_key");
    if (!key->is_known) {
        json_null(writer);
        return;
    }
    json_begin_object(writer);
    write_text("name", key->name, writer);
    write_known("key", key->key, writer);
    write_known("memory_bytes", key->memory_bytes, writer);
    write_known("frequency", key->frequency, writer);
    write_known("value_bytes", key->value_bytes, writer);
    json_key(writer, "value");
    if (key->value_bytes < 0)
        json_null(writer);
    else
        lab_json_text(writer, key->value);
    json_end_object(writer);
}

static void write_keys(const char *key, const struct lab_key_count *keys, size_t count, bool with_error,
                       struct json_writer *writer) {
    json_key(writer, key);
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(writer);
        write_known("key", keys[i].key, writer);
        write_real("count", (double)keys[i].count, writer);
        if (with_error) write_real("error", (double)keys[i].error, writer);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_detection(const struct lab_detection *detection, struct json_writer *writer) {
    json_key(writer, "detection");
    json_begin_object(writer);
    write_real("operations", (double)detection->operations, writer);
    write_keys("found", detection->found, detection->found_count, true, writer);
    write_keys("truth", detection->truth, detection->true_count, false, writer);
    write_fields(&lab_detection_fields, detection, writer);
    json_end_object(writer);
}

void lab_second_write(const struct lab_second *second, struct json_writer *writer) {
    json_begin_object(writer);
    write_text("type", "tick", writer);
    write_known("second", second->second, writer);
    write_real("length_s", second->length_s, writer);
    write_text("target", lab_target_names[second->target], writer);
    json_key(writer, "target_error");
    if (second->target_error[0])
        lab_json_text(writer, second->target_error);
    else
        json_null(writer);
    write_classes(second->counts, second->times, second->all, writer);
    write_object("backend", &lab_backend_fields, second, writer);
    write_object("generator", &lab_generator_fields, second, writer);
    if (second->server.is_known) {
        write_object("server", &lab_server_fields, &second->server, writer);
    } else {
        json_key(writer, "server");
        json_null(writer);
    }
    write_hot_key(&second->hot_key, writer);
    write_detection(&second->detection, writer);
    json_end_object(writer);
}

/* --- the whole --- */

static void write_moment(const char *key, int64_t wall_ms, struct json_writer *writer) {
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    write_text(key, text, writer);
}

static void write_id(const struct lab_result *result, struct json_writer *writer) {
    char text[UUID_TEXT_SIZE];
    uuid_format(&result->run_id, text);
    write_text("run_id", text, writer);
}

static void write_written(const char *key, void (*write)(const void *from, struct buffer *out), const void *from,
                          const char *before, struct json_writer *writer) {
    struct buffer text;
    buffer_init(&text, writer->buffer->limit);
    buffer_put_text(&text, before);
    write(from, &text);
    buffer_put_char(&text, '\0');
    if (text.status == STATUS_OK)
        write_text(key, text.data, writer);
    else if (writer->buffer->status == STATUS_OK)
        writer->buffer->status = text.status;
    buffer_free(&text);
}

static void verdict(const void *from, struct buffer *out) {
    lab_result_write_verdict(from, out);
}
static void flags(const void *from, struct buffer *out) {
    lab_parameters_write_flags(from, out);
}

static void write_about(const struct lab_result *result, struct json_writer *writer) {
    write_id(result, writer);
    write_text("version", result->version, writer);
    write_moment("started_at", result->started_at_ms, writer);
    write_moment("ended_at", result->ended_at_ms, writer);
    write_text("end", lab_end_names[result->end], writer);
    write_text("end_text", result->end_text, writer);
    write_written("verdict", verdict, result, "", writer);
    write_text("target", result->target, writer);
    write_text("target_policy", result->target_policy, writer);
    json_key(writer, "target_is_private");
    json_bool(writer, result->target_is_private);
    write_text("key_prefix", result->key_prefix, writer);
    json_key(writer, "config");
    lab_parameters_write(&result->parameters, writer);
    write_written("command", flags, &result->parameters, "orderly simulate", writer);
    write_real("elapsed_s", result->elapsed_s, writer);
    write_real("schedule_kept", result->schedule_kept, writer);
}

static void write_totals(const struct lab_result *result, const struct lab_facts *facts, struct json_writer *writer) {
    struct lab_second backend = {
        .backend_calls = result->backend_calls, .backend_at_once = result->backend_at_once, .fills = result->fills};
    bool was_sent = result->late->count > 0;
    json_key(writer, "totals");
    json_begin_object(writer);
    write_classes(result->counts, facts->times, facts->all, writer);
    write_object("backend", &lab_backend_fields, &backend, writer);
    json_key(writer, "generator");
    json_begin_object(writer);
    write_real("late_p99_ms", was_sent ? (double)facts->late_p99_ns / 1e6 : NAN, writer);
    write_real("late_max_ms", was_sent ? (double)facts->late_max_ns / 1e6 : NAN, writer);
    write_real("cpu_s", result->client_cpu_s < 0 ? NAN : result->client_cpu_s, writer);
    write_real("cpu_us_per_operation", facts->cpu_us_per_operation, writer);
    json_end_object(writer);
    json_key(writer, "server");
    json_begin_object(writer);
    write_real("cpu_s", result->server_cpu_s < 0 ? NAN : result->server_cpu_s, writer);
    json_end_object(writer);
    write_real("frozen_ms", (double)result->frozen_ns / 1e6, writer);
    json_end_object(writer);
    json_key(writer, "detection");
    json_begin_object(writer);
    write_score("precision", result->detector_precision, facts, writer);
    write_score("recall", result->detector_recall, facts, writer);
    write_score("rank_error", result->detector_rank_error, facts, writer);
    json_end_object(writer);
}

static int64_t longest_response(const struct lab_second *second) {
    return second->all[LAB_RESPONSE].count > 0 ? second->all[LAB_RESPONSE].max_ns : -1;
}

static void write_seconds(const struct lab_result *result, struct json_writer *writer) {
    size_t step = (result->second_count + SECONDS_WRITTEN_MAX - 1) / SECONDS_WRITTEN_MAX;
    if (step == 0) step = 1;
    write_real("seconds_step", (double)step, writer);
    json_key(writer, "seconds");
    json_begin_array(writer);
    for (size_t from = 0; from < result->second_count; from += step) {
        const struct lab_second *shown = &result->seconds[from];
        for (size_t i = from; i < from + step && i < result->second_count; i++)
            if (longest_response(&result->seconds[i]) > longest_response(shown)) shown = &result->seconds[i];
        lab_second_write(shown, writer);
    }
    json_end_array(writer);
}

void lab_result_write_json(const struct lab_result *result, struct buffer *out) {
    struct lab_facts facts;
    size_t count;
    struct lab_key_count *accesses = lab_accesses_top(result, LAB_ACCESSES_MAX, &count);
    if (!accesses || lab_facts_of(result, &facts) != STATUS_OK) {
        if (out->status == STATUS_OK) out->status = STATUS_NO_MEMORY;
    } else {
        struct json_writer writer;
        json_writer_init(&writer, out);
        json_begin_object(&writer);
        write_about(result, &writer);
        write_totals(result, &facts, &writer);
        write_keys("accesses", accesses, count, false, &writer);
        write_seconds(result, &writer);
        json_end_object(&writer);
    }
    free(accesses);
}

/* --- the summary --- */

static void write_hot_name(const struct lab_result *result, const struct lab_facts *facts, struct json_writer *writer) {
    json_key(writer, "hot_key");
    if (!(facts->top_share >= LAB_TRUE_SHARE)) { /* nothing was accessed, or no key stands out */
        json_null(writer);
        return;
    }
    char name[LAB_KEY_NAME_SIZE + 16];
    snprintf(name, sizeof name, "%s%" PRIu32, result->key_prefix, facts->top_key);
    lab_json_text(writer, name);
}

void lab_result_write_summary(const struct lab_result *result, struct json_writer *writer) {
    struct lab_facts facts;
    if (lab_facts_of(result, &facts) != STATUS_OK) {
        if (writer->buffer->status == STATUS_OK) writer->buffer->status = STATUS_NO_MEMORY;
        return;
    }
    const struct lab_times *hot = &facts.times[LAB_HOT][LAB_RESPONSE], *normal = &facts.times[LAB_NORMAL][LAB_RESPONSE];
    json_begin_object(writer);
    write_id(result, writer);
    write_text("profile", result->parameters.profile, writer);
    write_known("seed", result->parameters.seed, writer);
    write_moment("started_at", result->started_at_ms, writer);
    write_moment("ended_at", result->ended_at_ms, writer);
    write_text("end", lab_end_names[result->end], writer);
    write_real("elapsed_s", result->elapsed_s, writer);
    write_real("operations", (double)facts.total.completed, writer);
    write_real("operations_per_second", facts.operations_per_second, writer);
    write_real("hot_p99_ms", hot->count > 0 ? (double)hot->p99_ns / 1e6 : NAN, writer);
    write_real("normal_p99_ms", normal->count > 0 ? (double)normal->p99_ns / 1e6 : NAN, writer);
    write_hot_name(result, &facts, writer);
    write_real("hit_ratio", facts.hit_ratio, writer);
    write_real("schedule_kept", result->schedule_kept, writer);
    write_score("precision", result->detector_precision, &facts, writer);
    write_score("recall", result->detector_recall, &facts, writer);
    json_end_object(writer);
}
