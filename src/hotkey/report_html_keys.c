/* The HTML report's plots of keys: what the detector found against the truth, which key led when, all accesses. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hotkey/report_plot.h"

#define ACCESSES_SHOWN 20
#define LEADERS_TONES 4   /* fills that neighbours in the strip take in turn */
#define LEADER_NAME_PX 52 /* a name fits into a piece of this width */

/* --- found against true, of the whole run --- */

static void draw_scores(struct lab_html *html, const struct lab_key_score *scores, size_t count) {
    const double row = 36, left = 96, right = 96, top = 26;
    struct svg_plot plot = {
        .out = html->out, .width = 490, .height = top + row * (double)count + 6, .left = left, .right = right};
    double high = 1;
    char text[160];
    for (size_t i = 0; i < count; i++)
        high = fmax(high, (double)(scores[i].found > scores[i].truth ? scores[i].found : scores[i].truth));
    plot.x = (struct svg_scale){.low = 0, .high = high};
    snprintf(text, sizeof text, "For each of %zu keys its true operations and those that the detector counted.", count);
    svg_begin(&plot, html->figures, "Keys found against true", text);
    svg_box(&plot, "bar truth", left, 4, 12, 10, "");
    svg_text(&plot, "label", left + 18, 13, "true");
    svg_box(&plot, "bar found", left + 64, 4, 12, 10, "");
    svg_text(&plot, "label", left + 82, 13, "found by the detector");
    for (size_t i = 0; i < count; i++) {
        double y = top + row * (double)i, truth = (double)scores[i].truth, found = (double)scores[i].found;
        snprintf(text, sizeof text, "key %" PRIu32, scores[i].key);
        svg_text(&plot, "tick end", left - 8, y + 18, text);
        snprintf(text, sizeof text, "hot in %" PRIu32 " seconds, named in %" PRIu32, scores[i].seconds_truth,
                 scores[i].seconds_found);
        svg_box(&plot, "bar truth", left, y, svg_at(&plot.x, truth) - left, 13, text);
        svg_box(&plot, "bar found", left, y + 14, svg_at(&plot.x, found) - left, 13, text);
        svg_text(&plot, "tick", svg_at(&plot.x, truth) + 6, y + 11,
                 scores[i].truth ? lab_words_count(truth).text : LAB_DASH);
        svg_text(&plot, "tick", svg_at(&plot.x, found) + 6, y + 26,
                 scores[i].found ? lab_words_count(found).text : LAB_DASH);
    }
    svg_end(&plot);
}

static void put_scores(struct lab_html *html) {
    struct lab_key_score scores[LAB_TOP];
    size_t count = 0;
    if (lab_key_scores(html->result, scores, LAB_TOP, &count) != STATUS_OK && html->out->status == STATUS_OK)
        html->out->status = STATUS_NO_MEMORY;
    lab_figure_begin(html, "half", "Keys found against true.",
                     "Operations in the seconds in which a key had 1\u00a0% of them or more.");
    if (count > 0)
        draw_scores(html, scores, count);
    else
        lab_figure_unknown(html, "No key had 1\u00a0% of the operations of any second, and none was named.");
    lab_figure_end(html);
}

/* --- all accesses --- */

static void put_bar(struct svg_plot *plot, double y, const char *class, const char *name, double count, double of) {
    char text[120];
    svg_text(plot, "tick end", plot->left - 8, y + 11, name);
    svg_box(plot, class, plot->left, y, svg_at(&plot->x, count) - plot->left, 13, "");
    snprintf(text, sizeof text, "%s \u00b7 %s", lab_words_count(count).text, lab_words_share(count / of).text);
    svg_text(plot, "tick", svg_at(&plot->x, count) + 6, y + 11, text);
}

static void draw_accesses(struct lab_html *html, const struct lab_key_count *keys, size_t count) {
    const double row = 18;
    uint64_t shown = 0;
    size_t used = 0;
    for (size_t i = 0; i < count && i < ACCESSES_SHOWN && keys[i].count > 0; i++, used++)
        shown += keys[i].count;
    double tail = (double)(html->facts->accesses - shown), of = (double)html->facts->accesses;
    uint64_t tail_keys = html->facts->keys_touched - used;
    struct svg_plot plot = {.out = html->out,
                            .width = 490,
                            .height = row * (double)(used + (tail_keys > 0)) + 12,
                            .left = 96,
                            .right = 134};
    plot.x = (struct svg_scale){.low = 0, .high = fmax((double)keys[0].count, tail)};
    char text[120];
    snprintf(text, sizeof text, "The %zu keys accessed most, and %s others together.", used,
             lab_words_count((double)tail_keys).text);
    svg_begin(&plot, html->figures, "Accesses by key", text);
    for (size_t i = 0; i < used; i++) {
        snprintf(text, sizeof text, "key %" PRIu32, keys[i].key);
        put_bar(&plot, row * (double)i + 2, i == 0 ? "bar truth" : "bar plain", text, (double)keys[i].count, of);
    }
    if (tail_keys > 0) {
        snprintf(text, sizeof text, "%s others", lab_words_count((double)tail_keys).text);
        put_bar(&plot, row * (double)used + 8, "bar tail", text, tail, of);
    }
    svg_end(&plot);
}

static void put_accesses(struct lab_html *html) {
    size_t count;
    struct lab_key_count *keys = lab_accesses_top(html->result, ACCESSES_SHOWN, &count);
    if (!keys && html->out->status == STATUS_OK) html->out->status = STATUS_NO_MEMORY;
    lab_figure_begin(html, "half", "Accesses by key.", "Of all answered operations.");
    if (keys && html->facts->accesses > 0)
        draw_accesses(html, keys, count);
    else
        lab_figure_unknown(html, "Nothing was answered.");
    lab_figure_end(html);
    free(keys);
}

/* --- which key led when --- */

struct leader {
    bool is_known;
    uint32_t key;
};

static struct leader leader_of(const struct lab_second *second, bool is_truth) {
    const struct lab_detection *detection = &second->detection;
    size_t count = is_truth ? detection->true_count : detection->found_count;
    const struct lab_key_count *keys = is_truth ? detection->truth : detection->found;
    return count > 0 ? (struct leader){true, keys[0].key} : (struct leader){false, 0};
}

/* The leader of a place is that of its first second with one. */
static struct leader leader_at(const struct lab_html *html, const struct lab_place *place, bool is_truth) {
    struct leader leader = {false, 0};
    for (size_t i = place->from; i < place->to && !leader.is_known; i++)
        leader = leader_of(&html->result->seconds[i], is_truth);
    return leader;
}

static bool leaders_equal(struct leader a, struct leader b) {
    return a.is_known == b.is_known && a.key == b.key;
}

static void put_leader(struct svg_plot *plot, struct leader leader, double from_s, double to_s, double y) {
    if (!leader.is_known) return;
    char class[32], name[40];
    double from = svg_at(&plot->x, from_s), to = svg_at(&plot->x, to_s);
    snprintf(class, sizeof class, "tone%u", (unsigned)(leader.key % LEADERS_TONES));
    snprintf(name, sizeof name, "key %" PRIu32, leader.key);
    svg_box(plot, class, from, y, to - from, 24, name);
    snprintf(class, sizeof class, "on%u middle", (unsigned)(leader.key % LEADERS_TONES));
    if (to - from >= LEADER_NAME_PX + (leader.key > 9999 ? 24 : 0))
        svg_text(plot, class, (from + to) / 2, y + 16, name);
}

static void put_leaders(struct svg_plot *plot, const struct lab_html *html, const struct lab_place *places,
                        size_t count, bool is_truth, double y) {
    size_t begun = 0;
    for (size_t i = 1; i <= count; i++) {
        struct leader leader = leader_at(html, &places[begun], is_truth);
        if (i < count && leaders_equal(leader, leader_at(html, &places[i], is_truth))) continue;
        const struct lab_second *last = &html->result->seconds[places[i - 1].to - 1];
        put_leader(plot, leader, html->result->seconds[places[begun].from].second, last->second + last->length_s, y);
        begun = i;
    }
}

static void put_strip(struct lab_html *html) {
    struct lab_place places[LAB_PLACES_MAX];
    size_t count = lab_places(html->result, places);
    lab_figure_begin(html, "wide", "The hottest key of each second.",
                     "Above as it was, below as the detector named it. A shift between the two rows is how long the "
                     "detector took to notice.");
    if (count > 0 && html->facts->was_detected) {
        const struct lab_second *last = &html->result->seconds[html->result->second_count - 1];
        struct svg_plot plot = {
            .out = html->out, .width = 1000, .height = 100, .left = 66, .right = 166, .top = 6, .bottom = 30};
        plot.x = (struct svg_scale){.low = 0, .high = fmax(last->second + last->length_s, 0.1)};
        svg_begin(
            &plot, html->figures, "The hottest key of each second",
            "Two rows of pieces along the run's time: the true hottest key, and the one that the detector named.");
        svg_text(&plot, "tick end", plot.left - 8, 23, "true");
        svg_text(&plot, "tick end", plot.left - 8, 53, "found");
        put_leaders(&plot, html, places, count, true, 7);
        put_leaders(&plot, html, places, count, false, 37);
        svg_axis_seconds(&plot);
        svg_end(&plot);
    } else {
        lab_figure_unknown(html, "The detector saw no operations.");
    }
    lab_figure_end(html);
}

/* --- the section --- */

#define SCORE_LINE(label_, class_, member)                                                                             \
    {                                                                                                                  \
        .label = (label_), .class = (class_), .thin = LAB_LOWEST,                                                      \
        .field = LAB_SECOND(LAB_FIELD_REAL, detection.member), LAB_KNOWN(detection.found_count)                        \
    }
static const struct lab_panel scores_over_time = {
    .title = "How right the detector was.",
    .text =
        "Precision: of the keys it named, the share that was hot. Recall: of the hot keys, the share that it named.",
    .unknown = "The detector saw no operations.",
    .lines = {SCORE_LINE("recall", "line dashed hot", recall), SCORE_LINE("precision", "line under normal", precision)},
    .words = lab_words_share,
    .unit = "",
    .least_high = 1,
};

void lab_html_keys(struct lab_html *html) {
    lab_html_section(
        html, "keys", "The hot keys",
        "The detector counts in bounded memory (Space-Saving) over one second at a time. As this program "
        "made the traffic, it knows the truth: a key is hot in a second if it has at least 1\u00a0% of its "
        "operations.");
    buffer_put_text(html->out, "<div class=\"pair\">\n");
    put_scores(html);
    put_accesses(html);
    buffer_put_text(html->out, "</div>\n");
    put_strip(html);
    lab_plot_panel(html, &scores_over_time);
}
