/* Metrics: the exact text for Prometheus, bucket bounds, grouping, and registries that are absent or full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/metrics.h"

/* The registry's text, to be freed. */
static char *scrape(struct metrics *metrics) {
    struct buffer buffer;
    buffer_init(&buffer, 16 << 20);
    metrics_write(metrics, &buffer);
    buffer_put_char(&buffer, '\0');
    assert_int_equal(buffer.status, STATUS_OK);
    return buffer_take(&buffer, NULL);
}

/* The value of the sample with that name and labels; fails if there is none. */
static double sample(struct metrics *metrics, const char *name) {
    char *text = scrape(metrics), start[256];
    snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(text, start);
    if (!at) fail_msg("no sample %s in:\n%s", name, text);
    double value = strtod(at + strlen(start), NULL);
    free(text);
    return value;
}

static double read_half(void *data) {
    ++*(int *)data;
    return 0.5;
}

static double read_constant(void *data) {
    return *(double *)data;
}

static void families_are_grouped_and_headed_once(void **state) {
    struct metrics *metrics = metrics_new();
    int reads = 0;
    struct metric_counter *ok = metrics_counter(metrics, "requests_total", "Requests\nby \\ route.", "status=\"200\"");
    struct metric_gauge *open = metrics_gauge(metrics, "open", "Open connections.", "");
    struct metric_counter *bad = metrics_counter(metrics, "requests_total", "Ignored.", "status=\"400\"");
    metrics_gauge_callback(metrics, "load", "Load.", "", read_half, &reads);
    metrics_gauge_callback(metrics, "asked_total", "Asked.", "a=\"b\"", read_half, &reads);
    assert_ptr_equal(metrics_counter(metrics, "requests_total", "Requests.", "status=\"200\""), ok);
    metric_add(ok, 2);
    metric_add(ok, 1);
    metric_add(bad, UINT64_MAX);
    metric_set(open, -7);
    assert_int_equal(metric_count(ok), 3);
    char *text = scrape(metrics);
    assert_string_equal(text, "# HELP requests_total Requests\\nby \\\\ route.\n"
                              "# TYPE requests_total counter\n"
                              "requests_total{status=\"200\"} 3\n"
                              "requests_total{status=\"400\"} 18446744073709551615\n"
                              "# HELP open Open connections.\n"
                              "# TYPE open gauge\n"
                              "open -7\n"
                              "# HELP load Load.\n"
                              "# TYPE load gauge\n"
                              "load 0.5\n"
                              "# HELP asked_total Asked.\n"
                              "# TYPE asked_total counter\n"
                              "asked_total{a=\"b\"} 0.5\n");
    assert_int_equal(reads, 2);
    free(text);
    metrics_free(metrics);
    metrics_free(NULL);
}

static void special_values_are_spelt_as_prometheus_reads_them(void **state) {
    static const struct {
        double value;
        const char *text;
    } rows[] = {{NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}, {1e300, "1e+300"}, {1795356441, "1795356441"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metrics *metrics = metrics_new();
        double value = rows[i].value;
        char expected[128];
        metrics_gauge_callback(metrics, "x", "X.", "", read_constant, &value);
        snprintf(expected, sizeof expected, "# HELP x X.\n# TYPE x gauge\nx %s\n", rows[i].text);
        char *text = scrape(metrics);
        assert_string_equal(text, expected);
        free(text);
        metrics_free(metrics);
    }
}

static void latencies_fall_into_their_buckets(void **state) {
    struct metrics *metrics = metrics_new();
    struct metric_histogram *histogram = metrics_histogram(metrics, "wait_seconds", "Waits.", "op=\"x\"");
    /* Bounds belong to their bucket: 50 us, 100 us, ..., 13.1072 s. */
    const int64_t waits_ns[] = {-5,     0,      1,      50000,       50001,       100000,
                                100001, 200000, 200001, 13107200000, 13107200001, INT64_C(20000000000)};
    for (size_t i = 0; i < sizeof waits_ns / sizeof waits_ns[0]; i++)
        metric_observe_ns(histogram, waits_ns[i]);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"5e-05\"}") == 4);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"0.0001\"}") == 6);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"0.0002\"}") == 8);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"0.0004\"}") == 9);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"6.5536\"}") == 9);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"13.1072\"}") == 10);
    assert_true(sample(metrics, "wait_seconds_bucket{op=\"x\",le=\"+Inf\"}") == 12);
    assert_true(sample(metrics, "wait_seconds_count{op=\"x\"}") == 12);
    char *text = scrape(metrics);
    assert_non_null(strstr(text, "\n# TYPE wait_seconds histogram\n"));
    assert_non_null(strstr(text, "\nwait_seconds_sum{op=\"x\"} 46.215100005\n"));
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 2 + 20 + 2);
    free(text);
    metrics_free(metrics);
}

static void sizes_fall_into_their_buckets(void **state) {
    struct metrics *metrics = metrics_new();
    struct metric_histogram *histogram = metrics_sizes(metrics, "batch", "Batches.", "");
    const uint64_t sizes[] = {0, 1, 2, 3, 4, 5, 65536, 65537, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        metric_observe_size(histogram, sizes[i]);
    assert_true(sample(metrics, "batch_bucket{le=\"1\"}") == 2);
    assert_true(sample(metrics, "batch_bucket{le=\"2\"}") == 3);
    assert_true(sample(metrics, "batch_bucket{le=\"4\"}") == 5);
    assert_true(sample(metrics, "batch_bucket{le=\"8\"}") == 6);
    assert_true(sample(metrics, "batch_bucket{le=\"65536\"}") == 7);
    assert_true(sample(metrics, "batch_bucket{le=\"+Inf\"}") == 9);
    assert_true(sample(metrics, "batch_sum") == 15 + 65536 + 65537 + 1099511627776.0);
    metrics_free(metrics);
}

static void without_a_registry_all_goes_into_the_void(void **state) {
    struct metric_counter *counter = metrics_counter(NULL, "a_total", "A.", "");
    assert_non_null(counter);
    metric_add(counter, 3);
    assert_int_equal(metric_count(counter), 0);
    metric_set(metrics_gauge(NULL, "b", "B.", ""), 3);
    metric_observe_ns(metrics_histogram(NULL, "c", "C.", ""), 3);
    metric_observe_size(metrics_sizes(NULL, "d", "D.", ""), 3);
    metrics_gauge_callback(NULL, "e", "E.", "", read_half, NULL);
    metrics_register_process(NULL);
    char *text = scrape(NULL);
    assert_string_equal(text, "");
    free(text);
}

static void a_name_of_another_kind_is_not_written(void **state) {
    struct metrics *metrics = metrics_new();
    metric_add(metrics_counter(metrics, "a", "A.", ""), 1);
    metric_set(metrics_gauge(metrics, "a", "A.", "x=\"y\""), 5);
    metric_observe_ns(metrics_histogram(metrics, "a", "A.", ""), 5);
    char *text = scrape(metrics);
    assert_string_equal(text, "# HELP a A.\n# TYPE a counter\na 1\n");
    free(text);
    metrics_free(metrics);
}

static void a_full_registry_takes_no_more(void **state) {
    struct metrics *metrics = metrics_new();
    char labels[32];
    for (int i = 0; i < METRICS_MAX + 3; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        metric_add(metrics_counter(metrics, "a_total", "A.", labels), 1);
    }
    metric_set(metrics_gauge(metrics, "late", "Late.", ""), 1);
    snprintf(labels, sizeof labels, "n=\"%d\"", METRICS_MAX - 1);
    assert_int_equal(metric_count(metrics_counter(metrics, "a_total", "A.", labels)), 1);
    char *text = scrape(metrics);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, METRICS_MAX + 2);
    assert_null(strstr(text, "late"));
    free(text);
    metrics_free(metrics);
}

static void *count_and_register(void *data) {
    struct metrics *metrics = data;
    char labels[32];
    for (int i = 0; i < 200; i++) {
        snprintf(labels, sizeof labels, "n=\"%d\"", i % 20);
        struct metric_counter *counter = metrics_counter(metrics, "shared_total", "Shared.", labels);
        struct metric_histogram *histogram = metrics_histogram(metrics, "shared_seconds", "Shared.", labels);
        for (int k = 0; k < 50; k++) {
            metric_add(counter, 1);
            metric_observe_ns(histogram, 1);
        }
    }
    return NULL;
}

static void threads_lose_no_count_while_it_is_scraped(void **state) {
    struct metrics *metrics = metrics_new();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_and_register, metrics), 0);
    for (int i = 0; i < 20; i++)
        free(scrape(metrics));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    uint64_t total = 0;
    for (int i = 0; i < 20; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        total += metric_count(metrics_counter(metrics, "shared_total", "Shared.", labels));
    }
    assert_int_equal(total, 4 * 200 * 50);
    assert_true(sample(metrics, "shared_seconds_count{n=\"7\"}") == 4 * 10 * 50);
    metrics_free(metrics);
}

static void the_process_tells_its_figures(void **state) {
    struct metrics *metrics = metrics_new();
    metrics_register_process(metrics);
    double resident = sample(metrics, "process_resident_memory_bytes");
    assert_true(resident > 500e3 && resident < 64e9);
    double anonymous = sample(metrics, "process_anonymous_memory_bytes");
    assert_true(anonymous > 0 && anonymous < resident);
    assert_true(sample(metrics, "process_threads") >= 1);
    assert_true(sample(metrics, "process_cpu_seconds_total") > 0);
    double start = sample(metrics, "process_start_time_seconds");
    assert_true(fabs(start - (double)time(NULL)) < 120);
    double open = sample(metrics, "process_open_fds");
    int fd = dup(2);
    assert_true(sample(metrics, "process_open_fds") == open + 1);
    close(fd);
    assert_true(sample(metrics, "process_max_fds") > open);
    metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_grouped_and_headed_once),
        cmocka_unit_test(special_values_are_spelt_as_prometheus_reads_them),
        cmocka_unit_test(latencies_fall_into_their_buckets),
        cmocka_unit_test(sizes_fall_into_their_buckets),
        cmocka_unit_test(without_a_registry_all_goes_into_the_void),
        cmocka_unit_test(a_name_of_another_kind_is_not_written),
        cmocka_unit_test(a_full_registry_takes_no_more),
        cmocka_unit_test(threads_lose_no_count_while_it_is_scraped),
        cmocka_unit_test(the_process_tells_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
