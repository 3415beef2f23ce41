/* A result itself: its figures from histograms, its end, and the distribution file that HdrHistogram's plotter reads.
 */
#include <stdlib.h>

#include "hotkey/report.h"

#define HGRM_UNIT_NS 1e6 /* ms */
#define HGRM_STEPS 5     /* lines per halving of the distance to 100 % */

void lab_times_of(const struct histogram *histogram, struct lab_times *times_out) {
    *times_out = (struct lab_times){.count = histogram->count};
    if (histogram->count == 0) return;
    times_out->p50_ns = histogram_percentile(histogram, 50);
    times_out->p90_ns = histogram_percentile(histogram, 90);
    times_out->p99_ns = histogram_percentile(histogram, 99);
    times_out->p999_ns = histogram_percentile(histogram, 99.9);
    times_out->p9999_ns = histogram_percentile(histogram, 99.99);
    times_out->max_ns = histogram->max;
    times_out->mean_ns = histogram_mean(histogram);
}

void lab_result_free(struct lab_result *result) {
    if (!result) return;
    free(result->seconds);
    for (int class = 0; class < LAB_CLASSES; class ++) {
        for (int time = 0; time < LAB_TIMES; time++) {
            free(result->times[class][time]);
            result->times[class][time] = NULL;
        }
    }
    free(result->late);
    free(result->accesses);
    result->seconds = NULL;
    result->second_count = 0;
    result->late = NULL;
    result->accesses = NULL;
}

void lab_result_write_hgrm(const struct lab_result *result, enum lab_class class, enum lab_time time,
                           struct buffer *out) {
    histogram_write_hgrm(result->times[class][time], HGRM_UNIT_NS, HGRM_STEPS, out);
}
