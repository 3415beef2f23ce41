/* A plot of seconds: lines thinned to what the eye can tell apart, what the target did meanwhile, tooltips. */
#include "hotkey/report_plot.h"

#include <stdio.h>
#include <stdlib.h>

#define LENGTH_LEAST_S 0.2 /* a rate over less than this is noise */
#define TOOLTIP_SIZE 300

/* --- values --- */

static bool line_is_known(const struct lab_line *line, const struct lab_second *second) {
    const char *at = (const char *)second + line->known_offset;
    for (size_t i = 0; i < line->known_size; i++)
        if (at[i]) return true;
    return line->known_size == 0;
}

double lab_line_value(const struct lab_line *line, const struct lab_second *second) {
    if (!line_is_known(line, second)) return NAN;
    double value = lab_field_read(&line->field, second);
    if (line->plus.size > 0) value += lab_field_read(&line->plus, second);
    if (!line->per_second) return value;
    return second->length_s >= LENGTH_LEAST_S ? value / second->length_s : NAN;
}

void lab_line_range(const struct lab_result *result, const struct lab_line *line, double *low, double *high) {
    for (size_t i = 0; i < result->second_count; i++) {
        double value = lab_line_value(line, &result->seconds[i]);
        if (!(value > 0)) continue;
        *low = fmin(*low, value); /* also of NAN */
        *high = fmax(*high, value);
    }
}

size_t lab_places(const struct lab_result *result, struct lab_place places_out[LAB_PLACES_MAX]) {
    size_t step = (result->second_count + LAB_PLACES_MAX - 1) / LAB_PLACES_MAX, count = 0;
    for (size_t from = 0; from < result->second_count; from += step) {
        size_t to = from + step < result->second_count ? from + step : result->second_count;
        const struct lab_second *last = &result->seconds[to - 1];
        places_out[count++] = (struct lab_place){from, to, result->seconds[from].second, last->second + last->length_s};
    }
    return count;
}

double lab_place_value(const struct lab_result *result, const struct lab_line *line, const struct lab_place *place) {
    double low = NAN, high = NAN, sum = 0, count = 0;
    for (size_t i = place->from; i < place->to; i++) {
        double value = lab_line_value(line, &result->seconds[i]);
        if (isnan(value)) continue;
        low = fmin(low, value);
        high = fmax(high, value);
        sum += value;
        count++;
    }
    return line->thin == LAB_HIGHEST ? high : line->thin == LAB_LOWEST ? low : sum / count; /* of none: NAN */
}

struct series {
    const struct lab_line *line;
    struct svg_point points[2 * LAB_PLACES_MAX];
    size_t count;
    double low, high; /* NAN: nothing is known */
    double least_positive;
    double last; /* the last known value */
};

static void take_value(struct series *series, double value) {
    if (isnan(value)) return;
    series->low = fmin(series->low, value);
    series->high = fmax(series->high, value);
    if (value > 0) series->least_positive = fmin(series->least_positive, value);
    series->last = value;
}

/* Where a place's points lie: at both its ends (a level), or one in its middle. Returns how many. */
static size_t points_of(const struct lab_place *place, size_t place_count, double at_out[2]) {
    bool is_level = place_count <= LAB_LEVELS_MAX;
    at_out[0] = is_level ? place->begin_s : (place->begin_s + place->end_s) / 2;
    at_out[1] = place->end_s;
    return is_level ? 2 : 1;
}

static void fill_series(struct series *series, const struct lab_result *result, const struct lab_line *line,
                        const struct lab_place *places, size_t place_count) {
    series->line = line;
    series->count = 0;
    series->low = series->high = series->least_positive = series->last = NAN;
    for (size_t i = 0; i < place_count; i++) {
        double value = lab_place_value(result, line, &places[i]), at[2];
        size_t points = points_of(&places[i], place_count, at);
        for (size_t k = 0; k < points; k++)
            series->points[series->count++] = (struct svg_point){at[k], value};
        take_value(series, value);
    }
}

/* --- the figure --- */

void lab_figure_begin(struct lab_html *html, const char *class, const char *title, const char *text) {
    html->figures++;
    buffer_printf(html->out, "<figure class=\"%s\"><figcaption><b>", class);
    lab_put_escaped(html->out, title);
    buffer_put_text(html->out, "</b> ");
    lab_put_escaped(html->out, text);
    buffer_put_text(html->out, "</figcaption>\n<div class=\"plot\">\n");
}

void lab_figure_end(struct lab_html *html) {
    buffer_put_text(html->out, "</div></figure>\n");
}

void lab_figure_unknown(struct lab_html *html, const char *text) {
    buffer_put_text(html->out, "<p class=\"none\">");
    lab_put_escaped(html->out, text);
    buffer_put_text(html->out, "</p>\n");
}

static struct lab_words words_of(const struct lab_panel *panel, double value) {
    return panel->is_bytes ? lab_words_bytes(value) : panel->words(value);
}

/* What stands in the <desc>: the range of each line. */
static void describe(const struct lab_panel *panel, const struct series *series, size_t count,
                     char text[TOOLTIP_SIZE]) {
    size_t size = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && size < TOOLTIP_SIZE; i++) {
        if (isnan(series[i].high)) continue;
        size += (size_t)snprintf(text + size, TOOLTIP_SIZE - size, "%s from %s to %s. ", series[i].line->label,
                                 words_of(panel, series[i].low).text, words_of(panel, series[i].high).text);
    }
}

/* What the target did: a band where it stood still, was down or slow; the first of each kind is named. */
static void put_bands(struct svg_plot *plot, const struct lab_html *html, const struct lab_place *places, size_t count,
                      bool is_named) {
    static const struct {
        const char *class, *text;
    } states[] = {[LAB_TARGET_SLOW] = {"band slow", "slow"},
                  [LAB_TARGET_DOWN] = {"band down", "did not answer"},
                  [LAB_TARGET_FROZEN] = {"band frozen", "stood still"}};
    bool was_named[4] = {false};
    int band = LAB_TARGET_UP;
    size_t begun = 0;
    for (size_t i = 0; i <= count; i++) {
        int state = LAB_TARGET_UP; /* the worst of the place: the states are in that order */
        for (size_t k = i < count ? places[i].from : 1; i < count && k < places[i].to; k++)
            if ((int)html->result->seconds[k].target > state) state = (int)html->result->seconds[k].target;
        if (state == band && i < count) continue;
        if (band != LAB_TARGET_UP) {
            const struct lab_second *first = &html->result->seconds[places[begun].from],
                                    *last = &html->result->seconds[places[i - 1].to - 1];
            double from = svg_at(&plot->x, first->second), to = svg_at(&plot->x, last->second + last->length_s);
            svg_box(plot, states[band].class, from, plot->top, fmax(to - from, 1.5),
                    plot->height - plot->top - plot->bottom, "");
            char name[80];
            snprintf(name, sizeof name, band == LAB_TARGET_FROZEN ? "%s for %s" : "%s", states[band].text,
                     lab_words_time((double)html->result->frozen_ns).text);
            if (is_named && !was_named[band]) svg_text(plot, "note middle", (from + to) / 2, plot->top - 7, name);
            was_named[band] = true;
        }
        band = state;
        begun = i;
    }
}

static void put_tooltip(struct svg_plot *plot, const struct lab_html *html, const struct lab_panel *panel,
                        const struct series *series, size_t count, const struct lab_place *place) {
    const struct lab_second *first = &html->result->seconds[place->from], *last = &html->result->seconds[place->to - 1];
    char text[TOOLTIP_SIZE];
    size_t size = (size_t)snprintf(text, sizeof text, "at %s", lab_words_span(first->second).text);
    for (size_t i = 0; i < count && size < sizeof text; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "\n%s %s", series[i].line->label,
                                 words_of(panel, lab_place_value(html->result, series[i].line, place)).text);
    double from = svg_at(&plot->x, first->second), to = svg_at(&plot->x, last->second + last->length_s);
    svg_box(plot, "hover", from, plot->top, to - from, plot->height - plot->top - plot->bottom, text);
}

static void put_area(struct svg_plot *plot, const struct lab_html *html, const struct lab_panel *panel,
                     const struct lab_place *places, size_t count) {
    if (!panel->area_class) return;
    struct lab_line low = panel->area[0], high = panel->area[1];
    struct svg_span spans[2 * LAB_PLACES_MAX];
    size_t span_count = 0;
    low.thin = LAB_LOWEST, high.thin = LAB_HIGHEST;
    for (size_t i = 0; i < count; i++) {
        double at[2];
        size_t points = points_of(&places[i], count, at);
        for (size_t k = 0; k < points; k++)
            spans[span_count++] = (struct svg_span){at[k], lab_place_value(html->result, &low, &places[i]),
                                                    lab_place_value(html->result, &high, &places[i])};
    }
    svg_area(plot, panel->area_class, spans, span_count);
}

static void put_lines(struct svg_plot *plot, const struct lab_panel *panel, struct series *series, size_t count) {
    struct svg_label labels[LAB_LINES_MAX];
    size_t label_count = 0;
    for (size_t i = count; i-- > 0;) { /* the first on top */
        svg_line(plot, series[i].line->class, series[i].points, series[i].count);
        if (!isnan(series[i].last))
            labels[label_count++] =
                (struct svg_label){svg_at(&plot->y, series[i].last), series[i].line->label, series[i].line->class};
    }
    if (count > 1) svg_labels(plot, labels, label_count);
}

/* Bytes are plotted in the unit that their largest value is named in. */
static const char *divide_bytes(struct series *series, size_t count) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double high = 0, divisor = 1;
    for (size_t i = 0; i < count; i++)
        high = fmax(high, series[i].high);
    size_t unit = 0;
    for (; high / divisor >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        divisor *= 1024;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < series[i].count; k++)
            series[i].points[k].y /= divisor;
        series[i].low /= divisor, series[i].high /= divisor;
        series[i].least_positive /= divisor, series[i].last /= divisor;
    }
    return units[unit];
}

static void fit_scales(struct svg_plot *plot, const struct lab_html *html, const struct lab_panel *panel,
                       const struct series *series, size_t count) {
    double low = panel->most_low > 0 ? panel->most_low : NAN, high = panel->least_high;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, series[i].least_positive);
        high = fmax(high, series[i].high);
    }
    if (panel->area_class) lab_line_range(html->result, &panel->area[1], &low, &high);
    svg_scale_fit(&plot->y, low, high, panel->may_be_log);
    const struct lab_second *last = &html->result->seconds[html->result->second_count - 1];
    plot->x = (struct svg_scale){.low = 0, .high = fmax(last->second + last->length_s, 0.1)};
}

static void draw(struct lab_html *html, const struct lab_panel *panel, struct series *series, size_t count,
                 const struct lab_place *places, size_t place_count) {
    char text[TOOLTIP_SIZE];
    describe(panel, series, count, text);
    const char *unit = panel->is_bytes ? divide_bytes(series, count) : panel->unit;
    struct svg_plot plot = {.out = html->out,
                            .width = panel->is_half ? 490 : 1000,
                            .height = panel->is_half ? 210 : 270,
                            .left = 66,
                            .right = count > 1 ? 166 : 14,
                            .top = unit[0]          ? 32
                                   : panel->is_half ? 12
                                                    : 24,
                            .bottom = 30};
    fit_scales(&plot, html, panel, series, count);
    svg_begin(&plot, html->figures, panel->title, text);
    put_bands(&plot, html, places, place_count, !panel->is_half);
    svg_axis_y(&plot, panel->words, unit);
    svg_axis_seconds(&plot);
    put_area(&plot, html, panel, places, place_count);
    put_lines(&plot, panel, series, count);
    for (size_t i = 0; i < place_count; i++)
        put_tooltip(&plot, html, panel, series, count, &places[i]);
    svg_end(&plot);
}

void lab_plot_panel(struct lab_html *html, const struct lab_panel *panel) {
    struct lab_place places[LAB_PLACES_MAX];
    size_t place_count = lab_places(html->result, places), count = 0;
    lab_figure_begin(html, panel->is_half ? "half" : "wide", panel->title, panel->text);
    struct series *series = malloc(LAB_LINES_MAX * sizeof *series);
    if (!series) {
        if (html->out->status == STATUS_OK) html->out->status = STATUS_NO_MEMORY;
        return;
    }
    bool is_known = false;
    for (size_t i = 0; i < LAB_LINES_MAX && panel->lines[i].label; i++) {
        fill_series(&series[count], html->result, &panel->lines[i], places, place_count);
        if (panel->lines[i].hide_if_zero && !(series[count].high > 0)) continue;
        is_known |= !isnan(series[count].high);
        count++;
    }
    if (is_known)
        draw(html, panel, series, count, places, place_count);
    else
        lab_figure_unknown(html, panel->unknown);
    free(series);
    lab_figure_end(html);
}
