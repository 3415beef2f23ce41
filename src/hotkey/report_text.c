/* The final table for a terminal: classes side by side, response against service, keys, server, verdict; 100 columns.
 */
#include <inttypes.h>
#include <stdio.h>

#include "hotkey/report.h"

#define COLUMNS 98
#define KEYS_SHOWN 5

/* Pads by characters, not bytes: "µs" and "–" have more bytes than columns. */
static void put_right(struct buffer *out, const char *text, size_t width) {
    for (size_t size = json_utf8_length(bytes_of(text)); size < width; size++)
        buffer_put_char(out, ' ');
    buffer_put_text(out, text);
}

static void put_left(struct buffer *out, const char *text, size_t width) {
    buffer_put_text(out, text);
    for (size_t size = json_utf8_length(bytes_of(text)); size < width; size++)
        buffer_put_char(out, ' ');
}

/* The next word, at most width_max characters of it; its width in *width_out. Returns its bytes. */
static size_t next_word(const char *text, size_t width_max, size_t *width_out) {
    size_t bytes = strcspn(text, " "), width = json_utf8_length((struct bytes){text, bytes});
    if (width > width_max) {
        for (bytes = width = 0; width < width_max; width++)
            do
                bytes++;
            while (((uint8_t)text[bytes] & 0xc0) == 0x80);
    }
    *width_out = width;
    return bytes;
}

/* A name, and words beside it in lines of up to COLUMNS. */
static void put_wrapped(struct buffer *out, const char *name, const char *text) {
    size_t margin = strlen(name), column = margin, width;
    buffer_put_text(out, name);
    while (*text) {
        size_t bytes = next_word(text, COLUMNS - margin, &width);
        if (column > margin && column + 1 + width > COLUMNS) {
            buffer_put_char(out, '\n');
            put_left(out, "", margin);
            column = margin;
        } else if (column > margin) {
            buffer_put_char(out, ' ');
            column++;
        }
        buffer_put(out, (struct bytes){text, bytes});
        column += width;
        text += bytes;
        text += strspn(text, " ");
    }
    buffer_put_char(out, '\n');
}

static void put_foreign(struct buffer *out, const char *name, const char *text) {
    struct buffer line;
    buffer_init(&line, 4096);
    lab_put_printable(&line, text[0] ? text : LAB_DASH);
    buffer_put_char(&line, '\0');
    if (line.status == STATUS_OK)
        put_wrapped(out, name, line.data);
    else if (out->status == STATUS_OK)
        out->status = line.status;
    buffer_free(&line);
}

/* --- classes --- */

static void put_counts(const struct lab_result *result, struct buffer *out) {
    put_left(out, "", 18);
    for (size_t i = 0; i < 7; i++)
        put_right(out, lab_count_fields.items[i].name, 11);
    buffer_put_char(out, '\n');
    for (int class = 0; class < LAB_CLASSES; class ++) {
        put_left(out, lab_class_names[class], 18);
        for (size_t i = 0; i < 7; i++)
            put_right(out, lab_words_count(lab_field_read(&lab_count_fields.items[i], &result->counts[class])).text,
                      11);
        buffer_put_char(out, '\n');
    }
}

static void put_times(struct buffer *out, const char *class, const char *time, const struct lab_times *times) {
    const int64_t values[] = {times->p50_ns,  times->p90_ns,   times->p99_ns,
                              times->p999_ns, times->p9999_ns, times->max_ns};
    char name[40];
    snprintf(name, sizeof name, "%s %s", class, time);
    put_left(out, name, 18);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        put_right(out, lab_words_of(times, values[i]).text, 11);
    put_right(out, times->count > 0 ? lab_words_time(times->mean_ns).text : LAB_DASH, 11);
    buffer_put_char(out, '\n');
}

static void put_all_times(const struct lab_facts *facts, struct buffer *out) {
    static const char *const heads[] = {"p50", "p90", "p99", "p99.9", "p99.99", "longest", "mean"};
    put_left(out, "", 18);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        put_right(out, heads[i], 11);
    buffer_put_char(out, '\n');
    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int time = 0; time < LAB_TIMES; time++)
            put_times(out, lab_class_names[class], lab_time_names[time], &facts->times[class][time]);
}

/* --- keys and server --- */

static void put_keys(const struct lab_result *result, struct buffer *out) {
    struct lab_key_score scores[KEYS_SHOWN];
    size_t count = 0;
    enum status status = lab_key_scores(result, scores, KEYS_SHOWN, &count);
    if (status != STATUS_OK && out->status == STATUS_OK) out->status = status;
    if (count == 0) return;
    put_left(out, "hot keys", 18);
    put_right(out, "key", 11);
    put_right(out, "true", 13);
    put_right(out, "found", 13);
    buffer_put_char(out, '\n');
    for (size_t i = 0; i < count; i++) {
        put_left(out, "", 18);
        put_right(out, lab_words_count(scores[i].key).text, 11);
        put_right(out, scores[i].seconds_truth ? lab_words_count((double)scores[i].truth).text : LAB_DASH, 13);
        put_right(out, scores[i].seconds_found ? lab_words_count((double)scores[i].found).text : LAB_DASH, 13);
        buffer_put_char(out, '\n');
    }
}

static void put_figures(const struct lab_result *result, const struct lab_facts *facts, struct buffer *out) {
    char text[240];
    snprintf(text, sizeof text, "%s/s; schedule kept %s; sent late p99 %s; %s of CPU each",
             lab_words_rate(facts->operations_per_second).text, lab_words_share(result->schedule_kept).text,
             result->late->count > 0 ? lab_words_time((double)facts->late_p99_ns).text : LAB_DASH,
             lab_words_time(facts->cpu_us_per_operation * 1e3).text);
    put_wrapped(out, "operations    ", text);
    snprintf(text, sizeof text, "CPU %s of a core; hit ratio %s; %s calls behind the cache, %s at once",
             lab_words_share(facts->server_cpu_share).text, lab_words_share(facts->hit_ratio).text,
             lab_words_count((double)result->backend_calls).text,
             lab_words_count((double)result->backend_at_once).text);
    put_wrapped(out, "server        ", text);
    snprintf(text, sizeof text, "precision %s, recall %s",
             lab_words_share(facts->was_detected ? result->detector_precision : NAN).text,
             lab_words_share(facts->was_detected ? result->detector_recall : NAN).text);
    put_wrapped(out, "detector      ", text);
}

static void put_verdict(const struct lab_result *result, const struct lab_facts *facts, struct buffer *out) {
    struct buffer verdict;
    buffer_init(&verdict, out->limit);
    lab_verdict_write(result, facts, &verdict);
    buffer_put_char(&verdict, '\0');
    if (verdict.status == STATUS_OK)
        put_wrapped(out, "", verdict.data);
    else if (out->status == STATUS_OK)
        out->status = verdict.status;
    buffer_free(&verdict);
}

static void put_command(const struct lab_result *result, struct buffer *out) {
    struct buffer flags;
    buffer_init(&flags, out->limit);
    buffer_put_text(&flags, "orderly simulate");
    lab_parameters_write_flags(&result->parameters, &flags);
    buffer_put_char(&flags, '\0');
    if (flags.status == STATUS_OK)
        put_wrapped(out, "to repeat     ", flags.data);
    else if (out->status == STATUS_OK)
        out->status = flags.status;
    buffer_free(&flags);
}

void lab_result_write_text(const struct lab_result *result, struct buffer *out) {
    struct lab_facts facts;
    enum status status = lab_facts_of(result, &facts);
    if (status != STATUS_OK) {
        if (out->status == STATUS_OK) out->status = status;
        return;
    }
    buffer_put_char(out, '\n');
    put_verdict(result, &facts, out);
    buffer_put_char(out, '\n');
    put_foreign(out, "target        ", result->target);
    put_foreign(out, "end           ", result->end_text);
    put_figures(result, &facts, out);
    buffer_put_char(out, '\n');
    put_all_times(&facts, out);
    buffer_put_char(out, '\n');
    put_counts(result, out);
    buffer_put_char(out, '\n');
    put_keys(result, out);
    buffer_put_char(out, '\n');
    put_command(result, out);
}
