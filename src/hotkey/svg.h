/* Plots as inline SVG that need no script: scales, axes, lines, bands, bars, labels that keep apart.
 *
 * Colours come from classes in the document's style sheet, so that light, dark and print share one drawing. The markup is
 * well-formed XML. Coordinates are the viewBox's; text in them is escaped here. Private to this folder. */
#ifndef ORDERLY_HOTKEY_SVG_H
#define ORDERLY_HOTKEY_SVG_H

#include "hotkey/report.h"

struct svg_scale {
    double low, high;         /* values; LOG: both above 0 */
    double from_px, to_px;    /* where they lie */
    bool is_log;
};
double svg_at(const struct svg_scale *scale, double value); /* held within the scale */

/* Widens low and high to round numbers (1, 2, 5 times a power of ten); log where high / low is above 30. */
void svg_scale_fit(struct svg_scale *scale, double low, double high, bool may_be_log);

struct svg_plot {
    struct buffer *out;
    double width, height;
    double left, right, top, bottom; /* margins */
    struct svg_scale x, y;           /* their px are set by svg_begin */
};

/* <svg> with its title and description (role img). id: unique in the document. */
void svg_begin(struct svg_plot *plot, unsigned id, const char *title, const char *text);
void svg_end(struct svg_plot *plot);

/* Lines across, and values on the left; unit stands above them. */
void svg_axis_y(struct svg_plot *plot, struct lab_words (*words)(double value), const char *unit);
void svg_axis_seconds(struct svg_plot *plot); /* below: time since the start */
void svg_axis_percentiles(struct svg_plot *plot); /* below: x is 1 / (1 - p), logarithmic */

struct svg_point {
    double x, y; /* y NAN: a gap */
};
void svg_line(struct svg_plot *plot, const char *class, const struct svg_point *points, size_t count);

/* Fills between y and low of each point; gaps as above. */
struct svg_span {
    double x, low, high;
};
void svg_area(struct svg_plot *plot, const char *class, const struct svg_span *spans, size_t count);

/* In px. A tooltip ("" for none) is the browser's own, from <title>. */
void svg_box(struct svg_plot *plot, const char *class, double x, double y, double width, double height, const char *tooltip);
void svg_rule(struct svg_plot *plot, const char *class, double x1, double y1, double x2, double y2);
void svg_text(struct svg_plot *plot, const char *class, double x, double y, const char *text);

/* The names of lines at their right ends, each with a piece of its line before it, moved apart where they would touch. */
struct svg_label {
    double y; /* px */
    const char *text, *class;
};
#define SVG_LABELS_MAX 8
void svg_labels(struct svg_plot *plot, struct svg_label *labels, size_t count);

#endif
