/* The HTML report's head, in words and big numbers, and its tables: the parameters, and the command that repeats the
 * run. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "hotkey/report.h"

/* --- the head --- */

static void put_tile(struct buffer *out, const char *name, const char *value, const char *text) {
    buffer_printf(out, "<div class=\"tile\"><dt>%s</dt><dd><b>", name);
    lab_put_escaped(out, value);
    buffer_put_text(out, "</b> <span>");
    lab_put_escaped(out, text);
    buffer_put_text(out, "</span></dd></div>\n");
}

static void put_time_tile(struct lab_html *html, const char *name, int class) {
    const struct lab_times *times = html->facts->times[class];
    char text[120];
    snprintf(text, sizeof text, "service p99 %s", lab_words_of(&times[LAB_SERVICE], times[LAB_SERVICE].p99_ns).text);
    put_tile(html->out, name, lab_words_of(&times[LAB_RESPONSE], times[LAB_RESPONSE].p99_ns).text, text);
}

static void put_tiles(struct lab_html *html) {
    const struct lab_facts *facts = html->facts;
    const struct lab_result *result = html->result;
    char value[60], text[160];
    buffer_put_text(html->out, "<dl class=\"tiles\">\n");
    put_time_tile(html, "Hot clients, response p99", LAB_HOT);
    put_time_tile(html, "Normal clients, response p99", LAB_NORMAL);
    snprintf(text, sizeof text, "%s of %s done", lab_words_count((double)facts->total.completed).text,
             lab_words_count((double)facts->total.offered).text);
    put_tile(html->out, "Operations per second", lab_words_rate(facts->operations_per_second).text, text);
    snprintf(text, sizeof text, "sent late, p99: %s",
             result->late->count > 0 ? lab_words_time((double)facts->late_p99_ns).text : LAB_DASH);
    put_tile(html->out, "Schedule kept", lab_words_share(result->schedule_kept).text, text);
    snprintf(value, sizeof value, "key %" PRIu32, facts->top_key);
    snprintf(text, sizeof text, "%s of all operations", lab_words_share(facts->top_share).text);
    put_tile(html->out, "Hottest key", facts->accesses > 0 ? value : LAB_DASH, text);
    snprintf(text, sizeof text, "precision %s",
             lab_words_share(facts->was_detected ? result->detector_precision : NAN).text);
    put_tile(html->out, "Hot keys named (recall)",
             lab_words_share(facts->was_detected ? result->detector_recall : NAN).text, text);
    snprintf(text, sizeof text, "%s calls behind the cache", lab_words_count((double)result->backend_calls).text);
    put_tile(html->out, "Hit ratio", lab_words_share(facts->hit_ratio).text, text);
    put_tile(html->out, "Server CPU", lab_words_share(facts->server_cpu_share).text, "of one core");
    buffer_put_text(html->out, "</dl>\n");
}

static void put_about(struct lab_html *html, const char *name, const char *value) {
    buffer_printf(html->out, "<div><dt>%s</dt><dd>", name);
    lab_put_escaped(html->out, value[0] ? value : LAB_DASH);
    buffer_put_text(html->out, "</dd></div>\n");
}

/* "2026-11-22 20:42:07 UTC" */
static void write_moment(int64_t wall_ms, char out[32]) {
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    snprintf(out, 32, "%.10s %.8s UTC", text, text + 11);
}

static void put_abouts(struct lab_html *html) {
    const struct lab_result *result = html->result;
    char text[400], begin[32], end[32], id[UUID_TEXT_SIZE];
    write_moment(result->started_at_ms, begin);
    write_moment(result->ended_at_ms, end);
    uuid_format(&result->run_id, id);
    buffer_put_text(html->out, "<dl class=\"about\">\n");
    put_about(html, "Target", result->target);
    put_about(html, "End", result->end_text);
    put_about(html, "Eviction policy", result->target_policy);
    put_about(html, "Begun", begin);
    snprintf(text, sizeof text, "%s, after %.3f s", end, result->elapsed_s);
    put_about(html, "Ended", text);
    snprintf(text, sizeof text, "%s, seed %" PRId64, result->parameters.profile, result->parameters.seed);
    put_about(html, "Profile", text);
    put_about(html, "Run", id);
    buffer_put_text(html->out, "</dl>\n");
}

void lab_html_head(struct lab_html *html) {
    const struct lab_result *result = html->result;
    bool is_bad = result->end == LAB_END_TARGET_LOST || result->end == LAB_END_FAILED;
    buffer_put_text(html->out, "<header><p class=\"kicker\">Orderly hot-key lab: report of a run</p>\n<h1>");
    lab_put_escaped(html->out, lab_profile_title(result->parameters.profile));
    buffer_printf(html->out, "</h1>\n<p class=\"verdict%s\">", is_bad ? " bad" : "");
    struct buffer verdict;
    buffer_init(&verdict, html->out->limit);
    lab_verdict_write(result, html->facts, &verdict);
    buffer_put_char(&verdict, '\0');
    if (verdict.status == STATUS_OK)
        lab_put_escaped_words(html->out, verdict.data);
    else if (html->out->status == STATUS_OK)
        html->out->status = verdict.status;
    buffer_free(&verdict);
    buffer_put_text(html->out, "</p>\n");
    put_tiles(html);
    put_abouts(html);
    const char *text = lab_profile_text(result->parameters.profile);
    if (text[0]) {
        buffer_put_text(html->out,
                        "<h2 id=\"profile\">What one should see in this profile, and why</h2>\n<p class=\"how\">");
        lab_put_escaped_words(html->out, text);
        buffer_put_text(html->out, "</p>\n");
    }
    buffer_put_text(html->out, "</header>\n");
}

/* --- counts --- */

static void put_counts(struct lab_html *html) {
    static const char *const names[] = {"Hot", "Normal"};
    buffer_put_text(html->out, "<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Operations</th>");
    for (size_t i = 0; i < lab_count_fields.count; i++)
        buffer_printf(html->out, "<th>%s</th>", lab_count_fields.items[i].name);
    buffer_put_text(html->out, "</tr></thead><tbody>\n");
    for (int class = 0; class < LAB_CLASSES; class ++) {
        buffer_printf(html->out, "<tr><th scope=\"row\">%s</th>", names[class]);
        for (size_t i = 0; i < lab_count_fields.count; i++)
            buffer_printf(
                html->out, "<td>%s</td>",
                lab_words_count(lab_field_read(&lab_count_fields.items[i], &html->result->counts[class])).text);
        buffer_put_text(html->out, "</tr>\n");
    }
    buffer_put_text(html->out, "</tbody></table></div>\n");
}

static void put_costs(struct lab_html *html) {
    const struct lab_result *result = html->result;
    buffer_printf(
        html->out,
        "<p class=\"how\">This program used %s of CPU, %s an operation; the server used %s. Misses sent %s reads "
        "behind the cache, at most %s at once, and wrote %s values back.</p>\n",
        lab_words_time(result->client_cpu_s * 1e9).text, lab_words_time(html->facts->cpu_us_per_operation * 1e3).text,
        lab_words_time(result->server_cpu_s * 1e9).text, lab_words_count((double)result->backend_calls).text,
        lab_words_count((double)result->backend_at_once).text, lab_words_count((double)result->fills).text);
}

/* --- parameters --- */

static void put_value(struct lab_html *html, const struct lab_parameter *parameter) {
    const char *at = (const char *)&html->result->parameters + parameter->offset;
    int64_t integer;
    double real;
    switch (parameter->type) {
    case LAB_TEXT: lab_put_escaped(html->out, at); return;
    case LAB_REAL:
        memcpy(&real, at, sizeof real);
        buffer_printf(html->out, "%.6g", real);
        return;
    case LAB_INTEGER:
        memcpy(&integer, at, sizeof integer);
        buffer_put_int(html->out, integer);
        return;
    case LAB_CHOICE:
        memcpy(&integer, at, sizeof integer);
        lab_put_escaped(html->out, parameter->choices[integer]);
        return;
    }
}

static void put_parameter_table(struct lab_html *html) {
    size_t count;
    const struct lab_parameter *table = lab_parameter_table(&count);
    buffer_put_text(html->out, "<table class=\"parameters\"><thead><tr><th>Parameter</th><th>value</th><th>unit</th>"
                               "<th>what it is</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < count; i++) {
        buffer_printf(html->out, "<tr><th scope=\"row\"><code>%s</code></th><td>", table[i].name);
        put_value(html, &table[i]);
        buffer_put_text(html->out, "</td><td>");
        lab_put_escaped(html->out, table[i].unit ? table[i].unit : "");
        buffer_put_text(html->out, "</td><td>");
        lab_put_escaped(html->out, table[i].help);
        buffer_put_text(html->out, "</td></tr>\n");
    }
    buffer_put_text(html->out, "</tbody></table>\n");
}

static void put_command(struct lab_html *html) {
    struct buffer flags;
    buffer_init(&flags, html->out->limit);
    lab_parameters_write_flags(&html->result->parameters, &flags);
    buffer_put_char(&flags, '\0');
    buffer_put_text(html->out, "<pre><code>orderly simulate");
    if (flags.status == STATUS_OK)
        lab_put_escaped(html->out, flags.data);
    else if (html->out->status == STATUS_OK)
        html->out->status = flags.status;
    buffer_put_text(html->out, "</code></pre>\n");
    buffer_free(&flags);
}

void lab_html_counts(struct lab_html *html) {
    lab_html_section(html, "counts", "All operations", "");
    put_counts(html);
    put_costs(html);
}

void lab_html_parameters(struct lab_html *html) {
    lab_html_section(html, "repeat", "To repeat this run",
                     "The same seed gives the same operations at the same times, on any machine.");
    put_command(html);
    lab_html_section(html, "parameters", "Every parameter", "");
    put_parameter_table(html);
}
