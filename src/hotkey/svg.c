/* Plots as inline SVG: the drawing of lines, areas, boxes and labels. */
#include "hotkey/svg.h"

#include <stdlib.h>

#define DOT_RADIUS 3
#define LABEL_LEAD 26 /* px from the plot to a label's text: the piece of line stands there */
#define LABEL_APART 15

double svg_at(const struct svg_scale *scale, double value) {
    if (!(value > scale->low)) value = scale->low;
    if (value > scale->high) value = scale->high;
    double share = scale->is_log ? log(value / scale->low) / log(scale->high / scale->low)
                                 : (value - scale->low) / (scale->high - scale->low);
    return scale->from_px + share * (scale->to_px - scale->from_px);
}

void svg_begin(struct svg_plot *plot, unsigned id, const char *title, const char *text) {
    plot->x.from_px = plot->left;
    plot->x.to_px = plot->width - plot->right;
    plot->y.from_px = plot->height - plot->bottom;
    plot->y.to_px = plot->top;
    buffer_printf(plot->out,
                  "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"f%ut f%ud\">"
                  "<title id=\"f%ut\">",
                  plot->width, plot->height, id, id, id);
    lab_put_escaped(plot->out, title);
    buffer_printf(plot->out, "</title><desc id=\"f%ud\">", id);
    lab_put_escaped(plot->out, text);
    buffer_put_text(plot->out, "</desc>\n");
}

void svg_end(struct svg_plot *plot) {
    buffer_put_text(plot->out, "</svg>\n");
}

/* A point between two gaps would be no line: it becomes a dot. */
static void put_dots(struct svg_plot *plot, const char *class, const struct svg_point *points, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool is_alone =
            !isnan(points[i].y) && (i == 0 || isnan(points[i - 1].y)) && (i + 1 == count || isnan(points[i + 1].y));
        if (is_alone)
            buffer_printf(plot->out, "<circle class=\"%s dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>", class,
                          svg_at(&plot->x, points[i].x), svg_at(&plot->y, points[i].y), DOT_RADIUS);
    }
}

void svg_line(struct svg_plot *plot, const char *class, const struct svg_point *points, size_t count) {
    bool is_drawing = false, is_empty = true;
    for (size_t i = 0; i < count; i++) {
        if (isnan(points[i].y)) {
            is_drawing = false;
            continue;
        }
        if (is_empty) buffer_printf(plot->out, "<path class=\"%s\" d=\"", class);
        is_empty = false;
        buffer_printf(plot->out, "%c%.1f %.1f", is_drawing ? 'L' : 'M', svg_at(&plot->x, points[i].x),
                      svg_at(&plot->y, points[i].y));
        is_drawing = true;
    }
    if (!is_empty) buffer_put_text(plot->out, "\"/>");
    put_dots(plot, class, points, count);
    buffer_put_char(plot->out, '\n');
}

/* One closed piece: along the upper edge and back along the lower one. */
static void put_area(struct svg_plot *plot, const char *class, const struct svg_span *spans, size_t count) {
    if (count < 2) return;
    buffer_printf(plot->out, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < count; i++)
        buffer_printf(plot->out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', svg_at(&plot->x, spans[i].x),
                      svg_at(&plot->y, spans[i].high));
    for (size_t i = count; i-- > 0;)
        buffer_printf(plot->out, "L%.1f %.1f", svg_at(&plot->x, spans[i].x), svg_at(&plot->y, spans[i].low));
    buffer_put_text(plot->out, "Z\"/>\n");
}

void svg_area(struct svg_plot *plot, const char *class, const struct svg_span *spans, size_t count) {
    size_t from = 0;
    for (size_t i = 0; i <= count; i++) {
        if (i < count && !isnan(spans[i].low) && !isnan(spans[i].high)) continue;
        put_area(plot, class, spans + from, i - from);
        from = i + 1;
    }
}

void svg_box(struct svg_plot *plot, const char *class, double x, double y, double width, double height,
             const char *tooltip) {
    buffer_printf(plot->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", class, x, y,
                  width > 0 ? width : 0, height > 0 ? height : 0);
    if (!tooltip[0]) {
        buffer_put_text(plot->out, "/>\n");
        return;
    }
    buffer_put_text(plot->out, "><title>");
    lab_put_escaped(plot->out, tooltip);
    buffer_put_text(plot->out, "</title></rect>\n");
}

void svg_rule(struct svg_plot *plot, const char *class, double x1, double y1, double x2, double y2) {
    buffer_printf(plot->out, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2);
}

void svg_text(struct svg_plot *plot, const char *class, double x, double y, const char *text) {
    buffer_printf(plot->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    lab_put_escaped(plot->out, text);
    buffer_put_text(plot->out, "</text>\n");
}

static int compare_labels(const void *a, const void *b) {
    const struct svg_label *x = a, *y = b;
    return x->y < y->y ? -1 : x->y > y->y;
}

void svg_labels(struct svg_plot *plot, struct svg_label *labels, size_t count) {
    double x = plot->width - plot->right + 6, last = plot->height - plot->bottom;
    qsort(labels, count, sizeof *labels, compare_labels);
    for (size_t i = 1; i < count; i++) /* down, away from the one above */
        if (labels[i].y < labels[i - 1].y + LABEL_APART) labels[i].y = labels[i - 1].y + LABEL_APART;
    for (size_t i = count; i-- > 0;) { /* and up again from the edge */
        if (labels[i].y > last) labels[i].y = last;
        last = labels[i].y - LABEL_APART;
        svg_rule(plot, labels[i].class, x, labels[i].y, x + LABEL_LEAD - 6, labels[i].y);
        svg_text(plot, "label", x + LABEL_LEAD, labels[i].y + 4, labels[i].text);
    }
}
