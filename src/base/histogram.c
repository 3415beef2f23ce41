/* The histogram of times: slots that double in width with each power of two, so that the relative error stays bounded.
 *
 * A value below 2^11 has a slot of its own. Above, each power of two is cut into 2^10 slots of equal width: the slot's
 * number is the value's leading 11 bits with its exponent before them. */
#include "base/histogram.h"

#include <math.h>

#define HALF (1 << HISTOGRAM_HALF_BITS)
#define WHOLE (2 * HALF) /* values that lie side by side, each in a slot of its own */

/* The lines of one halving of the distance to 100 %, at most, and the halvings until no count of 64 bits is left. */
#define STEPS_MAX 100
#define HALVINGS_MAX 64

static uint32_t slot_of(int64_t ns) {
    uint64_t value = (uint64_t)ns;
    uint32_t exponent = (uint32_t)(63 - __builtin_clzll(value | (WHOLE - 1)) - HISTOGRAM_HALF_BITS);
    return (exponent << HISTOGRAM_HALF_BITS) + (uint32_t)(value >> exponent);
}

/* The largest value of a slot. */
static int64_t slot_end(uint32_t slot) {
    if (slot < WHOLE) return slot;
    uint32_t exponent = (slot >> HISTOGRAM_HALF_BITS) - 1;
    int64_t leading = slot - (exponent << HISTOGRAM_HALF_BITS);
    return ((leading + 1) << exponent) - 1;
}

static int64_t clamped(int64_t ns) {
    ns = ns < 0 ? 0 : ns;
    return ns > HISTOGRAM_MAX ? HISTOGRAM_MAX : ns;
}

static void set_empty(struct histogram *histogram) {
    histogram->count = 0;
    histogram->min = INT64_MAX;
    histogram->max = 0;
    histogram->sum = histogram->sum_of_squares = 0;
    histogram->first_slot = HISTOGRAM_SLOTS;
    histogram->last_slot = 0;
}

void histogram_init(struct histogram *histogram) {
    memset(histogram->slots, 0, sizeof histogram->slots);
    set_empty(histogram);
}

void histogram_reset(struct histogram *histogram) {
    for (uint32_t slot = histogram->first_slot; slot <= histogram->last_slot; slot++)
        histogram->slots[slot] = 0;
    set_empty(histogram);
}

static void widen(struct histogram *histogram, uint32_t first_slot, uint32_t last_slot, int64_t min, int64_t max) {
    histogram->first_slot = first_slot < histogram->first_slot ? first_slot : histogram->first_slot;
    histogram->last_slot = last_slot > histogram->last_slot ? last_slot : histogram->last_slot;
    histogram->min = min < histogram->min ? min : histogram->min;
    histogram->max = max > histogram->max ? max : histogram->max;
}

void histogram_record(struct histogram *histogram, int64_t ns) {
    ns = clamped(ns);
    uint32_t slot = slot_of(ns);
    double value = (double)ns;
    histogram->slots[slot]++;
    histogram->count++;
    histogram->sum += value;
    histogram->sum_of_squares += value * value;
    widen(histogram, slot, slot, ns, ns);
}

void histogram_add(struct histogram *into, const struct histogram *from) {
    for (uint32_t slot = from->first_slot; slot <= from->last_slot; slot++)
        into->slots[slot] += from->slots[slot];
    into->count += from->count;
    into->sum += from->sum;
    into->sum_of_squares += from->sum_of_squares;
    widen(into, from->first_slot, from->last_slot, from->min, from->max);
}

/* --- asking --- */

static int64_t shown(const struct histogram *histogram, uint32_t slot) {
    int64_t end = slot_end(slot);
    return end < histogram->max ? end : histogram->max;
}

/* The first slot by which `wanted` (1 to count) values are counted; *counted_out: how many are by its end. */
static uint32_t slot_by(const struct histogram *histogram, uint64_t wanted, uint64_t *counted_out) {
    uint64_t counted = 0;
    uint32_t slot = histogram->first_slot;
    for (;; slot++) {
        counted += histogram->slots[slot];
        if (counted >= wanted || slot == histogram->last_slot) break;
    }
    *counted_out = counted;
    return slot;
}

/* How many values make up the percentage, rounded up. One unit in the last place less is asked for, so that 0.68 % of
 * 10,000 are 68 and not, by the rounding of binary fractions, 69. */
static uint64_t count_of(const struct histogram *histogram, double percent) {
    double asked = nextafter(percent < 100 ? percent : 100, 0);
    double wanted = ceil(asked * (double)histogram->count / 100);
    if (!(wanted >= 1)) return 1;
    return wanted < (double)histogram->count ? (uint64_t)wanted : histogram->count;
}

int64_t histogram_percentile(const struct histogram *histogram, double percent) {
    if (histogram->count == 0) return 0;
    uint64_t counted;
    return shown(histogram, slot_by(histogram, count_of(histogram, percent), &counted));
}

double histogram_mean(const struct histogram *histogram) {
    return histogram->count > 0 ? histogram->sum / (double)histogram->count : 0;
}

double histogram_deviation(const struct histogram *histogram) {
    if (histogram->count == 0) return 0;
    double mean = histogram_mean(histogram);
    double variance = histogram->sum_of_squares / (double)histogram->count - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

uint64_t histogram_count_below(const struct histogram *histogram, int64_t ns) {
    if (ns < 0) return 0;
    uint32_t last = slot_of(clamped(ns));
    if (last > histogram->last_slot) last = histogram->last_slot;
    uint64_t counted = 0;
    for (uint32_t slot = histogram->first_slot; slot <= last; slot++)
        counted += histogram->slots[slot];
    return counted;
}

/* --- writing --- */

/* The next percentage to show: `steps` lines on each halving of the distance to 100 %, as HdrHistogram's percentile
 * iterator steps. */
static double next_level(double level, unsigned steps) {
    double halvings = floor(log2(100 / (100 - level))) + 1;
    return level + 100 / (steps * exp2(halvings));
}

static void write_line(const struct histogram *histogram, double unit_ns, double level, struct buffer *out,
                       uint64_t *counted_out) {
    uint32_t slot = slot_by(histogram, count_of(histogram, level), counted_out);
    double value = (double)shown(histogram, slot) / unit_ns;
    unsigned long long counted = *counted_out;
    /* The last line has no fourth column: plotters skip it, as there is no place for infinity on their axis. */
    if (level < 100)
        buffer_printf(out, "%12.6f %2.12f %10llu %14.2f\n", value, level / 100, counted, 100 / (100 - level));
    else
        buffer_printf(out, "%12.6f %2.12f %10llu\n", value, 1.0, counted);
}

void histogram_write_hgrm(const struct histogram *histogram, double unit_ns, unsigned steps, struct buffer *out) {
    steps = steps < 1 ? 1 : steps > STEPS_MAX ? STEPS_MAX : steps;
    buffer_printf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    uint64_t counted = 0;
    double level = 0;
    for (unsigned line = 0; counted < histogram->count && line < steps * HALVINGS_MAX && level < 100; line++) {
        write_line(histogram, unit_ns, level, out, &counted);
        level = next_level(level, steps);
    }
    if (histogram->count > 0) write_line(histogram, unit_ns, 100, out, &counted);
    buffer_printf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", histogram_mean(histogram) / unit_ns,
                  histogram_deviation(histogram) / unit_ns);
    buffer_printf(out, "#[Max     = %12.6f, Total count    = %12llu]\n", (double)histogram->max / unit_ns,
                  (unsigned long long)histogram->count);
    buffer_printf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_SLOTS / HALF - 1, WHOLE);
}
