/* The HTML report's percentile curves, from the histograms of the whole run, and the same as a table. */
#include <stdio.h>

#include "hotkey/report_plot.h"

#define CURVE_POINTS 160
#define INVERSE_LEAST 1e4 /* the axis reaches to 99.99 % at least */
#define INVERSE_MOST 1e6

/* Each curve: a point at equal steps of the axis up to where a single operation decides. Returns how many. */
static size_t curve_of(const struct histogram *histogram, double inverse_high,
                       struct svg_point points[CURVE_POINTS + 1]) {
    size_t count = 0;
    for (int i = 0; i <= CURVE_POINTS && histogram->count > 0; i++) {
        double inverse = pow(inverse_high, (double)i / CURVE_POINTS);
        if (inverse > (double)histogram->count && count > 1) break;
        int64_t ns = histogram_percentile(histogram, 100 * (1 - 1 / inverse));
        points[count++] = (struct svg_point){inverse, (double)ns};
    }
    return count;
}

static void draw_curves(struct lab_html *html, const char *title, const char *text) {
    static const char *const labels[LAB_CLASSES][LAB_TIMES] = {{"hot, response", "hot, service"},
                                                               {"normal, response", "normal, service"}};
    static const char *const classes[LAB_CLASSES][LAB_TIMES] = {{"line hot", "line dashed hot"},
                                                                {"line under normal", "line under dashed normal"}};
    struct svg_plot plot = {
        .out = html->out, .width = 1000, .height = 340, .left = 66, .right = 166, .top = 32, .bottom = 30};
    struct svg_label ends[LAB_CLASSES * LAB_TIMES];
    size_t end_count = 0;
    double low = INFINITY, high = 0, most = 0;
    for (int i = 0; i < LAB_CLASSES * LAB_TIMES; i++) {
        const struct histogram *histogram = html->result->times[i / LAB_TIMES][i % LAB_TIMES];
        if (histogram->count == 0) continue;
        low = fmin(low, fmax((double)histogram_percentile(histogram, 0), 1));
        high = fmax(high, (double)histogram->max);
        most = fmax(most, (double)histogram->count);
    }
    double inverse_high = fmin(fmax(pow(10, floor(log10(most) + 1e-9)), INVERSE_LEAST), INVERSE_MOST);
    plot.x = (struct svg_scale){.low = 1, .high = inverse_high, .is_log = true};
    svg_scale_fit(&plot.y, low, high, true);
    svg_begin(&plot, html->figures, title, text);
    svg_axis_y(&plot, lab_words_time, "");
    svg_axis_percentiles(&plot);
    for (int i = LAB_CLASSES * LAB_TIMES; i-- > 0;) { /* the hot ones on top */
        int class = i / LAB_TIMES, time = i % LAB_TIMES;
        struct svg_point points[CURVE_POINTS + 1];
        size_t count = curve_of(html->result->times[class][time], inverse_high, points);
        if (count == 0) continue;
        svg_line(&plot, classes[class][time], points, count);
        ends[end_count++] =
            (struct svg_label){svg_at(&plot.y, points[count - 1].y), labels[class][time], classes[class][time]};
    }
    svg_labels(&plot, ends, end_count);
    svg_end(&plot);
}

static void put_row(struct buffer *out, const char *name, const char *time, const struct lab_times *times) {
    const int64_t values[] = {times->p50_ns,  times->p90_ns,   times->p99_ns,
                              times->p999_ns, times->p9999_ns, times->max_ns};
    buffer_printf(out, "<tr><th scope=\"row\">%s, %s</th><td>%s</td>", name, time,
                  lab_words_count((double)times->count).text);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        buffer_printf(out, "<td>%s</td>", lab_words_of(times, values[i]).text);
    buffer_printf(out, "<td>%s</td></tr>\n", times->count > 0 ? lab_words_time(times->mean_ns).text : LAB_DASH);
}

static void put_table(struct lab_html *html) {
    static const char *const names[LAB_TIMES] = {"response", "service"};
    buffer_put_text(html->out,
                    "<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Times</th><th>operations</th>"
                    "<th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>longest</th>"
                    "<th>mean</th></tr></thead><tbody>\n");
    for (int time = 0; time < LAB_TIMES; time++)
        put_row(html->out, "Hot", names[time], &html->facts->times[LAB_HOT][time]);
    for (int time = 0; time < LAB_TIMES; time++)
        put_row(html->out, "Normal", names[time], &html->facts->times[LAB_NORMAL][time]);
    for (int time = 0; time < LAB_TIMES; time++)
        put_row(html->out, "Both", names[time], &html->facts->all[time]);
    buffer_put_text(html->out, "</tbody></table></div>\n");
}

void lab_html_percentiles(struct lab_html *html) {
    char text[240];
    const struct lab_times *all = html->facts->all;
    lab_html_section(
        html, "percentiles", "How long the slow ones took",
        "To the right stand ever rarer, slower operations: at 99.9\u00a0% one of a thousand took longer than "
        "the curve's height. A mean hides all of this.");
    snprintf(text, sizeof text, "Both classes: response p50 %s, p99 %s; service p50 %s, p99 %s.",
             lab_words_of(&all[LAB_RESPONSE], all[LAB_RESPONSE].p50_ns).text,
             lab_words_of(&all[LAB_RESPONSE], all[LAB_RESPONSE].p99_ns).text,
             lab_words_of(&all[LAB_SERVICE], all[LAB_SERVICE].p50_ns).text,
             lab_words_of(&all[LAB_SERVICE], all[LAB_SERVICE].p99_ns).text);
    lab_figure_begin(html, "wide", "Percentiles of the whole run.", "Solid: response time. Dashed: service time.");
    if (all[LAB_RESPONSE].count > 0)
        draw_curves(html, "Percentiles of the whole run", text);
    else
        lab_figure_unknown(html, "Nothing was answered.");
    lab_figure_end(html);
    put_table(html);
}
