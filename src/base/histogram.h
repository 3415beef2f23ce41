/* A histogram of times with a bounded relative error: the HDR histogram of Gil Tene (https://hdrhistogram.org).
 *
 * Values are whole ns from 0 to HISTOGRAM_MAX; a recorded value is kept to three significant digits (its error is below
 * 1/1000 of it). The struct holds all its memory and knows no pointer: it may be copied, and lie in any memory. One
 * thread at a time. */
#ifndef ORDERLY_BASE_HISTOGRAM_H
#define ORDERLY_BASE_HISTOGRAM_H

#include "base/buffer.h"

#define HISTOGRAM_HALF_BITS 10                 /* 2 * 1,024 values side by side: three significant digits */
#define HISTOGRAM_MAX INT64_C(3600000000000)   /* an hour; longer times count as this long */
#define HISTOGRAM_SLOTS (33 << HISTOGRAM_HALF_BITS) /* 2^42 ns > an hour */

struct histogram {
    uint64_t count;
    int64_t min, max; /* as recorded, not rounded; of an empty one INT64_MAX and 0 */
    double sum, sum_of_squares; /* ns, ns^2 */
    uint32_t first_slot, last_slot; /* which are in use, so that resetting and adding touch no others */
    uint64_t slots[HISTOGRAM_SLOTS];
};

/* Empties it. Also the first thing to do with a new one (cleared memory is not an empty histogram). */
void histogram_init(struct histogram *histogram);
void histogram_reset(struct histogram *histogram); /* as init, but only clears what is in use */

/* Counts a value; below 0 as 0, above HISTOGRAM_MAX as HISTOGRAM_MAX. No allocation, no branch on the data but these. */
void histogram_record(struct histogram *histogram, int64_t ns);

/* Adds all that is counted in from: exact, as if recorded into one. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* The value that percent (0 to 100) of the counted ones do not exceed: the largest one of its slot, never above max.
 * 0 if empty. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);
double histogram_mean(const struct histogram *histogram);
double histogram_deviation(const struct histogram *histogram); /* standard deviation of the recorded values */

/* How many of the counted values are at most ns (rounded up to the end of its slot). */
uint64_t histogram_count_below(const struct histogram *histogram, int64_t ns);

/* The percentile distribution as HdrHistogram's own tools print and plot it (.hgrm): Value, Percentile, TotalCount,
 * 1/(1-Percentile), then the summary lines; values divided by unit_ns (1e6: ms). steps: lines per halving of the distance to 100 % (5). */
void histogram_write_hgrm(const struct histogram *histogram, double unit_ns, unsigned steps, struct buffer *out);

#endif
