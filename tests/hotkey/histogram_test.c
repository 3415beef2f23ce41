/* The histogram against sorted arrays: percentiles, merging, resetting, the text that HdrHistogram's tools read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/histogram.h"
#include "base/random.h"

#define VALUES 20000
#define PARTS 7

static struct histogram histogram, other, parts[PARTS]; /* too large for the stack */
static int64_t values[VALUES];

static double uniform(struct random_seeded *random) {
    return (double)(random_seeded_next(random) >> 11) * 0x1p-53;
}

/* Kinds of times: small whole numbers, evenly spread, with a long tail over eight powers of ten, two lumps far apart.
 */
enum { KINDS = 4 };
static int64_t draw(int kind, struct random_seeded *random) {
    double u = uniform(random);
    switch (kind) {
    case 0: return (int64_t)(u * 3000);
    case 1: return 1000000 + (int64_t)(u * 50000000);
    case 2: return (int64_t)(3600e9 * pow(10, -8 * u));
    default: return u < 0.985 ? 200000 + (int64_t)(u * 1000) : 1000000000 + (int64_t)(u * 1e6);
    }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void fill(int kind) {
    struct random_seeded random;
    random_seeded_init(&random, 100 + (uint64_t)kind);
    histogram_init(&histogram);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = draw(kind, &random);
        histogram_record(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
}

/* At least the true value, and above it by less than a thousandth. */
static void assert_close(int64_t shown, int64_t exact) {
    assert_true(shown >= exact);
    assert_true(shown - exact <= exact / 1000);
}

static void percentiles_are_right_to_three_digits(void **state) {
    static const int64_t millionths[] = {0,      1000,   10000,  250000, 333333, 500000, 750000, 900000,
                                         950000, 990000, 999000, 999900, 999950, 999990, 1000000};
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        for (size_t i = 0; i < sizeof millionths / sizeof *millionths; i++) {
            int64_t rank = (millionths[i] * VALUES + 999999) / 1000000;
            int64_t exact = values[rank > 0 ? rank - 1 : 0];
            assert_close(histogram_percentile(&histogram, (double)millionths[i] / 10000), exact);
        }
        assert_int_equal(histogram_percentile(&histogram, 100), values[VALUES - 1]);
        assert_int_equal(histogram.min, values[0]);
        assert_int_equal(histogram.max, values[VALUES - 1]);
        assert_int_equal(histogram.count, VALUES);
    }
}

static void a_percentage_is_not_rounded_up_to_the_next_value(void **state) {
    histogram_init(&histogram);
    for (int i = 1; i <= 1000; i++)
        histogram_record(&histogram, i);
    assert_int_equal(histogram_percentile(&histogram, 99.9), 999);
    assert_int_equal(histogram_percentile(&histogram, 99.91), 1000);
    assert_int_equal(histogram_percentile(&histogram, 50), 500);
    assert_int_equal(histogram_percentile(&histogram, 50.01), 501);
    assert_int_equal(histogram_percentile(&histogram, 0.1), 1);
    assert_int_equal(histogram_percentile(&histogram, 0), 1);
    assert_int_equal(histogram_percentile(&histogram, 300), 1000);
    histogram_init(&histogram);
    for (int i = 1; i <= 10000; i++)
        histogram_record(&histogram, i < 1000 ? i : 1000);
    assert_int_equal(histogram_percentile(&histogram, 0.68), 68); /* 0.68 x 10,000 / 100 is above 68 in binary */
}

static void mean_and_deviation_are_those_of_the_values(void **state) {
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        double mean = 0, squares = 0;
        for (size_t i = 0; i < VALUES; i++)
            mean += (double)values[i] / VALUES;
        for (size_t i = 0; i < VALUES; i++)
            squares += ((double)values[i] - mean) * ((double)values[i] - mean) / VALUES;
        assert_true(fabs(histogram_mean(&histogram) - mean) <= mean * 1e-9);
        assert_true(fabs(histogram_deviation(&histogram) - sqrt(squares)) <= sqrt(squares) * 1e-6);
    }
}

/* Each power of two, and its neighbours: each in a slot that holds it and is narrow. */
static void every_slot_is_narrow(void **state) {
    for (int bit = 0; bit < 42; bit++) {
        for (int64_t value = (INT64_C(1) << bit) - 1; value <= (INT64_C(1) << bit) + 1; value++) {
            if (value > HISTOGRAM_MAX) continue;
            histogram_init(&histogram);
            histogram_record(&histogram, value);
            assert_int_equal(histogram_percentile(&histogram, 50), value); /* never above the max */
            histogram_record(&histogram, HISTOGRAM_MAX);
            assert_close(histogram_percentile(&histogram, 50), value);
            assert_int_equal(histogram_count_below(&histogram, value), value == HISTOGRAM_MAX ? 2 : 1);
            if (value > 0) assert_int_equal(histogram_count_below(&histogram, value - 1 - value / 1000), 0);
        }
    }
}

static void values_out_of_range_count_as_the_nearest(void **state) {
    histogram_init(&histogram);
    histogram_record(&histogram, -5);
    histogram_record(&histogram, INT64_MIN);
    histogram_record(&histogram, INT64_MAX);
    histogram_record(&histogram, HISTOGRAM_MAX + 1);
    assert_int_equal(histogram.count, 4);
    assert_int_equal(histogram.min, 0);
    assert_int_equal(histogram.max, HISTOGRAM_MAX);
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    assert_int_equal(histogram_percentile(&histogram, 75), HISTOGRAM_MAX);
    assert_int_equal(histogram_count_below(&histogram, -1), 0);
    assert_int_equal(histogram_count_below(&histogram, 0), 2);
    assert_int_equal(histogram_count_below(&histogram, INT64_MAX), 4);
}

static void an_empty_one_answers(void **state) {
    histogram_init(&histogram);
    assert_int_equal(histogram_percentile(&histogram, 99), 0);
    assert_int_equal(histogram_count_below(&histogram, INT64_MAX), 0);
    assert_true(histogram_mean(&histogram) == 0 && histogram_deviation(&histogram) == 0);
    assert_int_equal(histogram.min, INT64_MAX);
    assert_int_equal(histogram.max, 0);
}

static void assert_same(const struct histogram *a, const struct histogram *b) {
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->min, b->min);
    assert_int_equal(a->max, b->max);
    assert_int_equal(a->first_slot, b->first_slot);
    assert_int_equal(a->last_slot, b->last_slot);
    assert_memory_equal(a->slots, b->slots, sizeof a->slots);
    assert_true(fabs(a->sum - b->sum) <= a->sum * 1e-12);
    assert_true(fabs(a->sum_of_squares - b->sum_of_squares) <= a->sum_of_squares * 1e-12);
}

static void many_that_are_added_equal_one(void **state) {
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        for (int part = 0; part < PARTS; part++)
            histogram_init(&parts[part]);
        for (size_t i = 0; i < VALUES; i++)
            histogram_record(&parts[i * i % (PARTS - 1)], values[i]); /* uneven; the last part stays empty */
        histogram_init(&other);
        for (int part = PARTS; part-- > 0;)
            histogram_add(&other, &parts[part]);
        assert_same(&other, &histogram);
        histogram_add(&other, &parts[PARTS - 1]);
        assert_same(&other, &histogram);
    }
}

static void a_reset_one_is_as_new(void **state) {
    histogram_init(&other);
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        histogram_reset(&histogram);
        assert_memory_equal(&histogram, &other, sizeof histogram);
    }
    histogram_reset(&histogram);
    assert_memory_equal(&histogram, &other, sizeof histogram);
    histogram_record(&histogram, 7);
    assert_int_equal(histogram_percentile(&histogram, 50), 7);
}

static void counts_below_agree_with_the_values(void **state) {
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        for (size_t i = 0; i < VALUES; i += 397) {
            uint64_t least = 0, most = 0;
            while (least < VALUES && values[least] <= values[i])
                least++;
            for (most = least; most < VALUES && values[most] <= values[i] + values[i] / 1000 + 1;)
                most++;
            uint64_t counted = histogram_count_below(&histogram, values[i]);
            assert_in_range(counted, least, most);
        }
    }
}

/* --- .hgrm --- */

static void hgrm_reads_back(void **state) {
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        struct buffer text;
        buffer_init(&text, 1 << 20);
        histogram_write_hgrm(&histogram, 1e6, 5, &text);
        buffer_put_char(&text, '\0');
        assert_int_equal(text.status, STATUS_OK);
        char *at = text.data;
        static const char header[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
        assert_memory_equal(at, header, sizeof header - 1);
        at += sizeof header - 1;
        double value = -1, percentile = -1, inverse;
        unsigned long long total = 0, lines = 0;
        for (; *at != '#'; at = strchr(at, '\n') + 1, lines++) {
            double value_before = value, percentile_before = percentile;
            unsigned long long total_before = total;
            int fields = sscanf(at, "%lf %lf %llu%*[ ]%lf", &value, &percentile, &total, &inverse);
            assert_true(value >= value_before && percentile > percentile_before && total >= total_before);
            assert_true((double)total >= percentile * VALUES - 1e-6);
            assert_int_equal(histogram_count_below(&histogram, llround(value * 1e6)), total);
            assert_int_equal(fields, percentile < 1 ? 4 : 3); /* plotters skip the line of 100 % */
            if (percentile < 1) assert_true(fabs(inverse - 1 / (1 - percentile)) <= inverse * 0.01);
        }
        assert_true(lines > 20 && lines < 200);
        assert_true(percentile == 1 && total == VALUES);
        assert_true(fabs(value - (double)histogram.max / 1e6) < 1e-6);
        double mean, deviation, max;
        int buckets, sub_buckets;
        assert_int_equal(sscanf(at,
                                "#[Mean    = %lf, StdDeviation   = %lf]\n#[Max     = %lf, Total count    = %llu]\n"
                                "#[Buckets = %d, SubBuckets     = %d]",
                                &mean, &deviation, &max, &total, &buckets, &sub_buckets),
                         6);
        assert_true(fabs(mean * 1e6 - histogram_mean(&histogram)) < 1);
        assert_true(fabs(deviation * 1e6 - histogram_deviation(&histogram)) < 1);
        assert_true(fabs(max * 1e6 - (double)values[VALUES - 1]) < 1);
        assert_int_equal(total, VALUES);
        assert_int_equal(buckets, 32);
        assert_int_equal(sub_buckets, 2048);
        buffer_free(&text);
    }
}

/* The percentages that HdrHistogram's own percentile iterator steps through, five to each halving. */
static void hgrm_steps_as_hdrhistogram_does(void **state) {
    static const double levels[] = {0,     0.1, 0.2,   0.3,  0.4,   0.5,    0.55, 0.6,    0.65,  0.7,    0.75,
                                    0.775, 0.8, 0.825, 0.85, 0.875, 0.8875, 0.9,  0.9125, 0.925, 0.9375, 0.94375};
    struct buffer text;
    buffer_init(&text, 1 << 20);
    fill(1);
    histogram_write_hgrm(&histogram, 1e6, 5, &text);
    buffer_put_char(&text, '\0');
    const char *at = strstr(text.data, "\n\n") + 2;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++, at = strchr(at, '\n') + 1) {
        double percentile;
        assert_int_equal(sscanf(at, "%*f %lf", &percentile), 1);
        assert_true(fabs(percentile - levels[i]) < 1e-12);
    }
    buffer_reset(&text);
    histogram_reset(&histogram);
    histogram_write_hgrm(&histogram, 1e6, 0, &text); /* of nothing: the frame alone */
    buffer_put_char(&text, '\0');
    assert_non_null(
        strstr(text.data, "1/(1-Percentile)\n\n#[Mean    =     0.000000, StdDeviation   =     0.000000]\n"));
    buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_right_to_three_digits),
        cmocka_unit_test(a_percentage_is_not_rounded_up_to_the_next_value),
        cmocka_unit_test(mean_and_deviation_are_those_of_the_values),
        cmocka_unit_test(every_slot_is_narrow),
        cmocka_unit_test(values_out_of_range_count_as_the_nearest),
        cmocka_unit_test(an_empty_one_answers),
        cmocka_unit_test(many_that_are_added_equal_one),
        cmocka_unit_test(a_reset_one_is_as_new),
        cmocka_unit_test(counts_below_agree_with_the_values),
        cmocka_unit_test(hgrm_reads_back),
        cmocka_unit_test(hgrm_steps_as_hdrhistogram_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
