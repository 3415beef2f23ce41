/* Plots as inline SVG: scales with round ends, and their axes. */
#include "hotkey/svg.h"

#define LOG_FROM 30    /* above this high / low, values are told apart on a logarithmic axis only */
#define LOG_NARROW 400 /* below this, powers of ten alone would be too few ticks */
#define TICKS_MAX 6
#define TICK_SPACE_PX 76 /* a label of the time axis needs as much */

/* The largest of 1, 2, 5 times a power of ten that is not above value; or the smallest that is not below. */
static double round_down(double value) {
    double power = pow(10, floor(log10(value) + 1e-9)), digit = value / power;
    return power * (digit >= 5 - 1e-6 ? 5 : digit >= 2 - 1e-6 ? 2 : 1);
}
static double round_up(double value) {
    double power = pow(10, floor(log10(value) + 1e-9)), digit = value / power;
    return power * (digit <= 1 + 1e-6 ? 1 : digit <= 2 + 1e-6 ? 2 : digit <= 5 + 1e-6 ? 5 : 10);
}

/* The step of a linear axis. */
static double step_of(double span) {
    return round_up(span / TICKS_MAX);
}

void svg_scale_fit(struct svg_scale *scale, double low, double high, bool may_be_log) {
    scale->is_log = may_be_log && low > 0 && high / low > LOG_FROM;
    if (scale->is_log) {
        scale->low = round_down(low);
        scale->high = round_up(high);
        return;
    }
    double step = step_of(high > 0 ? high : 1);
    scale->low = 0;
    scale->high = high > 0 ? ceil(high / step - 1e-6) * step : 1;
}

/* "20.0 ms" is a value that was measured, "20 ms" one on an axis. */
static void trim_zeros(char *text) {
    char *point = strchr(text, '.');
    if (!point) return;
    char *end = point + 1 + strspn(point + 1, "0123456789"), *from = end;
    while (from[-1] == '0')
        from--;
    if (from[-1] == '.') from--;
    memmove(from, end, strlen(end) + 1);
}

static void put_tick_y(struct svg_plot *plot, double value, struct lab_words (*to_words)(double value)) {
    struct lab_words words = value > 0 ? to_words(value) : (struct lab_words){"0"};
    trim_zeros(words.text);
    double y = svg_at(&plot->y, value);
    svg_rule(plot, "grid", plot->left, y, plot->width - plot->right, y);
    svg_text(plot, "tick end", plot->left - 8, y + 4, words.text);
}

/* Each power of ten; where there are few of them, also twice and five times that. */
static void put_log_ticks(struct svg_plot *plot, struct lab_words (*words)(double value)) {
    static const double digits[] = {1, 2, 5};
    const struct svg_scale *scale = &plot->y;
    int first = (int)floor(log10(scale->low) + 1e-9), last = (int)floor(log10(scale->high) + 1e-9);
    bool is_narrow = scale->high / scale->low < LOG_NARROW;
    for (int exponent = first; exponent <= last; exponent++) {
        for (int i = 0; i < (is_narrow ? 3 : 1); i++) {
            double value = pow(10, exponent) * digits[i];
            if (value >= scale->low * 0.999 && value <= scale->high * 1.001) put_tick_y(plot, value, words);
        }
    }
}

void svg_axis_y(struct svg_plot *plot, struct lab_words (*words)(double value), const char *unit) {
    const struct svg_scale *scale = &plot->y;
    if (scale->is_log) {
        put_log_ticks(plot, words);
    } else {
        double step = step_of(scale->high - scale->low);
        for (int i = 0; scale->low + i * step <= scale->high + step / 1000; i++)
            put_tick_y(plot, scale->low + i * step, words);
    }
    if (unit[0]) svg_text(plot, "unit", 0, plot->top - 12, unit);
}

static void put_tick_x(struct svg_plot *plot, double value, const char *text) {
    double x = svg_at(&plot->x, value), y = plot->height - plot->bottom;
    svg_rule(plot, "axis", x, y, x, y + 5);
    svg_text(plot, "tick middle", x, y + 19, text);
}

void svg_axis_seconds(struct svg_plot *plot) {
    static const double steps[] = {0.1, 0.2, 0.5, 1,   2,    5,    10,   15,    30,    60,
                                   120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200};
    double space = plot->width - plot->left - plot->right, y = plot->height - plot->bottom;
    size_t i = 0;
    while (i + 1 < sizeof steps / sizeof steps[0] && plot->x.high / steps[i] * TICK_SPACE_PX > space)
        i++;
    for (int k = 0; k * steps[i] <= plot->x.high * 1.0001; k++)
        put_tick_x(plot, k * steps[i], lab_words_span(k * steps[i]).text);
    svg_rule(plot, "axis", plot->left, y, plot->width - plot->right, y);
}

void svg_axis_percentiles(struct svg_plot *plot) {
    static const struct {
        double inverse; /* 1 / (1 - p) */
        const char *text;
    } ticks[] = {{1, "0 %"},       {2, "50 %"},        {10, "90 %"},         {100, "99 %"},
                 {1000, "99.9 %"}, {10000, "99.99 %"}, {100000, "99.999 %"}, {1000000, "99.9999 %"}};
    double y = plot->height - plot->bottom;
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0] && ticks[i].inverse <= plot->x.high * 1.001; i++) {
        double x = svg_at(&plot->x, ticks[i].inverse);
        if (i > 0) svg_rule(plot, "grid", x, plot->top, x, y);
        put_tick_x(plot, ticks[i].inverse, ticks[i].text);
    }
    svg_rule(plot, "axis", plot->left, y, plot->width - plot->right, y);
}
