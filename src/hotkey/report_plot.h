/* A plot of seconds, described by a table of its lines. Private to this folder. */
#ifndef ORDERLY_HOTKEY_REPORT_PLOT_H
#define ORDERLY_HOTKEY_REPORT_PLOT_H

#include "hotkey/report.h"
#include "hotkey/svg.h"

/* A plot has at most so many places along its time: of a longer run, several seconds share one, so that a day's plot is no
 * larger than ten minutes'. */
#define LAB_PLACES_MAX 480
#define LAB_LINES_MAX 4

/* What is drawn of the seconds of one place. */
enum lab_thin { LAB_HIGHEST, LAB_LOWEST, LAB_MEAN };

struct lab_line {
    const char *label, *class;
    enum lab_thin thin;
    struct lab_field field, plus; /* of struct lab_second; plus (size 0: none) is added */
    size_t known_offset, known_size; /* a member that must not be 0, or the value is not known; size 0: none */
    bool per_second;   /* divided by the second's length */
    bool hide_if_zero; /* left out if it is never above 0 */
};
#define LAB_SECOND(type_, member_) LAB_FIELD(#member_, type_, struct lab_second, member_)
#define LAB_KNOWN(member_) \
    .known_offset = offsetof(struct lab_second, member_), .known_size = sizeof((struct lab_second *)0)->member_

/* The value of a line in that second; NAN: not known. */
double lab_line_value(const struct lab_line *line, const struct lab_second *second);

/* Up to so many, a second is drawn as the level it is; more would be a comb, and are joined by their middles. */
#define LAB_LEVELS_MAX 120

/* The seconds [from, to) of a place. */
struct lab_place {
    size_t from, to;
    double begin_s, end_s;
};
/* The value that is drawn for that place; NAN: none of its seconds is known. */
double lab_place_value(const struct lab_result *result, const struct lab_line *line, const struct lab_place *place);

/* Widens the range by the known values of the line that are above 0. */
void lab_line_range(const struct lab_result *result, const struct lab_line *line, double *low, double *high);

size_t lab_places(const struct lab_result *result, struct lab_place places_out[LAB_PLACES_MAX]);

struct lab_panel {
    const char *title, *text; /* the figure's caption */
    const char *unknown;      /* said in its place if nothing is known */
    struct lab_line lines[LAB_LINES_MAX];
    struct lab_line area[2];  /* filled from the lowest of the first to the highest of the second; */
    const char *area_class;   /* if not NULL */
    struct lab_words (*words)(double value);
    const char *unit;         /* above the axis */
    double least_high;        /* the axis reaches at least so far up; */
    double most_low;          /* and, if logarithmic, so far down; 0: as the values say */
    bool may_be_log, is_bytes, is_half;
};
void lab_plot_panel(struct lab_html *html, const struct lab_panel *panel);

/* <figure> with its caption, up to the plot; and its end. */
void lab_figure_begin(struct lab_html *html, const char *class, const char *title, const char *text);
void lab_figure_end(struct lab_html *html);
void lab_figure_unknown(struct lab_html *html, const char *text); /* in the plot's place */

#endif
