/* Results for people and other programs: words for numbers, the verdict, the final table, CSV, hgrm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "hotkey/report.h"
#include "hotkey/sample_result.h"

#define OUTPUT_MAX (128u << 20)
#define COLUMNS_MAX 100

static char *written(const struct lab_result *result, void (*write)(const struct lab_result *, struct buffer *)) {
    struct buffer out;
    buffer_init(&out, OUTPUT_MAX);
    write(result, &out);
    buffer_put_char(&out, '\0');
    assert_int_equal(out.status, STATUS_OK);
    return buffer_take(&out, NULL);
}

static char *written_sample(enum sample sample, void (*write)(const struct lab_result *, struct buffer *)) {
    struct lab_result result;
    sample_result(sample, &result);
    char *text = written(&result, write);
    lab_result_free(&result);
    return text;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("there is no \"%s\" in: %s", part, text);
}

static void assert_has_not(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("there is \"%s\" in: %s", part, text);
}

/* --- words --- */

static void numbers_are_put_in_words(void **state) {
    assert_string_equal(lab_words_time(NAN).text, LAB_DASH);
    assert_string_equal(lab_words_time(-1).text, LAB_DASH);
    assert_string_equal(lab_words_time(850).text, "850 ns");
    assert_string_equal(lab_words_time(999.6).text, "1.00 \u00b5s");
    assert_string_equal(lab_words_time(12345).text, "12.3 \u00b5s");
    assert_string_equal(lab_words_time(99960).text, "100 \u00b5s");
    assert_string_equal(lab_words_time(1e6).text, "1.00 ms");
    assert_string_equal(lab_words_time(999.6e6).text, "1.00 s");
    assert_string_equal(lab_words_time(3600e9).text, "3600 s");
    assert_string_equal(lab_words_ms(1.5).text, "1.50 ms");
    assert_string_equal(lab_words_count(0).text, "0");
    assert_string_equal(lab_words_count(999).text, "999");
    assert_string_equal(lab_words_count(1000).text, "1,000");
    assert_string_equal(lab_words_count(1234567890123.0).text, "1,234,567,890,123");
    assert_string_equal(lab_words_count(NAN).text, LAB_DASH);
    assert_string_equal(lab_words_rate(61234.4).text, "61,234");
    assert_string_equal(lab_words_rate(12.34).text, "12.3");
    assert_string_equal(lab_words_bytes(0).text, "0 B");
    assert_string_equal(lab_words_bytes(1023).text, "1.00 KiB");
    assert_string_equal(lab_words_bytes(1536).text, "1.50 KiB");
    assert_string_equal(lab_words_bytes(-1).text, LAB_DASH);
    assert_string_equal(lab_words_span(0.2).text, "0.2 s");
    assert_string_equal(lab_words_span(45).text, "45 s");
    assert_string_equal(lab_words_span(120).text, "2 min");
    assert_string_equal(lab_words_span(90).text, "1 min 30 s");
    assert_string_equal(lab_words_span(86400).text, "24 h");
    assert_string_equal(lab_words_span(5400).text, "1 h 30 min");
}

static void nearly_all_does_not_read_as_all(void **state) {
    assert_string_equal(lab_words_share(1).text, "100 %");
    assert_string_equal(lab_words_share(0.99999).text, "99.99 %");
    assert_string_equal(lab_words_share(0.995).text, "99.50 %");
    assert_string_equal(lab_words_share(0.824).text, "82.4 %");
    assert_string_equal(lab_words_share(0.0123).text, "1.23 %");
    assert_string_equal(lab_words_share(0).text, "0 %");
    assert_string_equal(lab_words_share(1.5).text, "150 %");
    assert_string_equal(lab_words_share(NAN).text, LAB_DASH);
}

static char *put(void (*put_text)(struct buffer *, const char *), const char *text) {
    struct buffer out;
    buffer_init(&out, 4096);
    put_text(&out, text);
    buffer_put_char(&out, '\0');
    assert_int_equal(out.status, STATUS_OK);
    return buffer_take(&out, NULL);
}

static void assert_put(void (*put_text)(struct buffer *, const char *), const char *text, const char *expected) {
    char *got = put(put_text, text);
    assert_string_equal(got, expected);
    free(got);
}

static void foreign_texts_are_made_harmless(void **state) {
    assert_put(lab_put_escaped, "<b a=\"1\" c='2'>&amp;", "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
    assert_put(lab_put_escaped, "a\x01\n\x7f\u00e9", "a\ufffd\ufffd\ufffd\u00e9");
    assert_put(lab_put_escaped, "\xc3(", "\ufffd(");
    assert_put(lab_put_escaped_words, "took 1.24 s <of> 30 min, 5 operations",
               "took 1.24\u00a0s &lt;of&gt; 30\u00a0min, 5 operations");
    assert_put(lab_put_printable, "\x1b[2J\r\n\u00b5s", "?[2J??\u00b5s");
    assert_put(lab_put_printable,
               "a\xc2\x9b"
               "2Jb",
               "a?2Jb"); /* CSI as one character of Latin-1 */
    assert_put(lab_put_printable, "\xff<", "?<");
}

/* --- times --- */

static void times_are_those_of_the_histogram(void **state) {
    struct histogram *histogram = malloc(sizeof *histogram);
    struct lab_times times;
    histogram_init(histogram);
    lab_times_of(histogram, &times);
    assert_int_equal(times.count, 0);
    assert_int_equal(times.max_ns, 0);
    for (int i = 1; i <= 1000; i++)
        histogram_record(histogram, i * 1000);
    lab_times_of(histogram, &times);
    assert_int_equal(times.count, 1000);
    assert_in_range(times.p50_ns, 500000, 500600);
    assert_in_range(times.p90_ns, 900000, 901000);
    assert_in_range(times.p99_ns, 990000, 991000);
    assert_in_range(times.p999_ns, 999000, 1000000);
    assert_int_equal(times.p9999_ns, 1000000);
    assert_int_equal(times.max_ns, 1000000);
    assert_true(fabs(times.mean_ns - 500500) < 1);
    free(histogram);
}

/* --- keys --- */

static void of_many_keys_the_most_accessed_are_listed(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_EMPTY, &result);
    free(result.accesses);
    result.parameters.keys = 50000;
    result.accesses = calloc(50000, sizeof *result.accesses);
    for (uint64_t key = 0; key < 50000; key++)
        result.accesses[key] = key % 25000 + 1;
    size_t count = 0;
    struct lab_key_count *top = lab_accesses_top(&result, LAB_ACCESSES_MAX, &count);
    assert_int_equal(count, LAB_ACCESSES_MAX);
    for (size_t i = 0; i < count; i++) { /* two keys of each count, the smaller number first */
        assert_int_equal(top[i].count, 25000 - i / 2);
        assert_int_equal(top[i].key, 24999 - i / 2 + (i % 2 ? 25000 : 0));
    }
    free(top);
    lab_result_free(&result);
}

/* --- the verdict --- */

static void the_verdict_says_what_happened(void **state) {
    static const struct {
        enum sample sample;
        const char *says[4], *says_not;
    } cases[] = {
        {SAMPLE_PLAIN, {"kept up", "Key 0 took 98.2 %", "named every hot key"}, "stood still"},
        {SAMPLE_FROZEN, {"stood still for 1.00 s", "p99 of the response time is 903 ms", "Key 0 took"}, "kept up"},
        {SAMPLE_MOVED, {"although the hot keys moved every 5 s", "named 91.7 % of the hot keys"}, "every hot key"},
        {SAMPLE_LOST,
         {"target was lost after 12.0 s of 30 s", "Connection refused", "away in 6 of 12 seconds", "never sent"},
         "this machine"},
        {SAMPLE_STAMPEDE, {"up to 250 at one time", "keys expire after 5.00 s"}, "Only"},
        {SAMPLE_LATE, {"this machine itself sent late", "did not hold the schedule", "9.16 %"}, "away"},
        {SAMPLE_UNIFORM, {"No key stood out", "kept up"}, "detector"},
        {SAMPLE_EMPTY, {"was stopped", "Nothing was sent."}, "kept up"},
        {SAMPLE_SHORT, {"kept up"}, "moved"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = written_sample(cases[i].sample, lab_result_write_verdict);
        for (size_t k = 0; k < 4 && cases[i].says[k]; k++)
            assert_has(text, cases[i].says[k]);
        assert_has_not(text, cases[i].says_not);
        assert_has_not(text, LAB_DASH);
        assert_int_equal(text[strlen(text) - 1], '.');
        free(text);
    }
}

/* One figure changed, and the verdict must name the reason. */
static void the_verdict_names_the_reason(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_PLAIN, &result);
    result.server_cpu_s = 29.1;
    char *text = written(&result, lab_result_write_verdict);
    assert_has(text, "used 97.0 % of a core; Redis runs its commands on one, so this is its limit");
    free(text);

    result.counts[LAB_HOT].misses = result.counts[LAB_HOT].hits; /* half of the reads */
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "found their key, as keys were missing that do not expire");
    free(text);
    result.seconds[7].server.evicted = 1234;
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "the server evicted 1,234 keys for want of memory");
    free(text);

    histogram_reset(result.times[LAB_HOT][LAB_RESPONSE]); /* waited, and this machine was not late */
    for (int i = 0; i < 1000; i++)
        histogram_record(result.times[LAB_HOT][LAB_RESPONSE], 80000000);
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "operations queued before they were sent");
    assert_has(text, "on 50 connections with at most 1 under way on each");
    free(text);

    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int i = 0; i < 200000; i++)
            histogram_record(result.times[class][LAB_SERVICE], 80000000);
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "Response and service times are both long");
    free(text);
    result.backend_calls = 500, result.parameters.miss_cost_us = 80000;
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "what misses cost behind the cache, not the server");
    free(text);

    result.detector_precision = 0.5;
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "named every hot key, and others too (precision 50.0 %)");
    free(text);
    result.end = LAB_END_FAILED;
    snprintf(result.end_text, sizeof result.end_text, "no memory\x1b[2J");
    text = written(&result, lab_result_write_verdict);
    assert_has(text, "The run failed after 30.0 s of 30 s: no memory?[2J.");
    free(text);
    lab_result_free(&result);
}

/* With many operations under way when the server stops, the service time shows the wait as well. */
static void the_verdict_knows_a_deep_pipeline(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_FROZEN, &result);
    for (int class = 0; class < LAB_CLASSES; class ++)
        *result.times[class][LAB_SERVICE] = *result.times[class][LAB_RESPONSE];
    char *text = written(&result, lab_result_write_verdict);
    assert_has(text, "with a smaller pipeline fewer are");
    free(text);
    lab_result_free(&result);
}

/* --- the final table --- */

static void the_table_fits_a_terminal(void **state) {
    for (int sample = 0; sample < SAMPLE_DAY; sample++) {
        struct lab_result result;
        sample_result((enum sample)sample, &result);
        memset(result.target, 'x', sizeof result.target - 1); /* a word that no line holds */
        result.counts[LAB_HOT].offered = 123456789;
        char *text = written(&result, lab_result_write_text);
        assert_true(json_utf8_is_valid(bytes_of(text)));
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
            if (json_utf8_length((struct bytes){line, (size_t)(end - line)}) > COLUMNS_MAX)
                fail_msg("%s: too wide: %.*s", sample_names[sample], (int)(end - line), line);
        }
        for (const char *at = text; *at; at++)
            assert_true((uint8_t)*at >= 0x20 || *at == '\n');
        assert_has(text, "hot response");
        assert_has(text, "normal service");
        assert_has(text, "orderly simulate --profile");
        assert_has(text, "123,456,789");
        free(text);
        lab_result_free(&result);
    }
}

static void the_table_has_the_figures(void **state) {
    char *text = written_sample(SAMPLE_FROZEN, lab_result_write_text);
    assert_has(text, "The server stood still");
    assert_has(text, "1,000/s; schedule kept 100 %");
    assert_has(text, "redis 7.0.15 at 127.0.0.1:31234");
    assert_has(text, "precision 100 %, recall 100 %");
    assert_has(text, "9,000");
    free(text);
    text = written_sample(SAMPLE_UNIFORM, lab_result_write_text);
    assert_has(text, "precision " LAB_DASH ", recall " LAB_DASH);
    free(text);
}

/* --- hgrm --- */

static void hot_response(const struct lab_result *result, struct buffer *out) {
    lab_result_write_hgrm(result, LAB_HOT, LAB_RESPONSE, out);
}
static void hot_service(const struct lab_result *result, struct buffer *out) {
    lab_result_write_hgrm(result, LAB_HOT, LAB_SERVICE, out);
}

static double hgrm_max(const char *text) {
    double max = -1;
    const char *at = strstr(text, "#[Max     =");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "#[Max     = %lf", &max), 1);
    return max;
}

static void hgrm_is_in_ms_and_of_its_own_class_and_time(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_FROZEN, &result);
    char *response = written(&result, hot_response), *service = written(&result, hot_service);
    double value, percentile, inverse;
    unsigned long count;
    const char *line = strchr(response, '\n');
    assert_int_equal(sscanf(response, " Value Percentile TotalCount 1/(1-Percentile) %lf %lf %lu %lf", &value,
                            &percentile, &count, &inverse),
                     4);
    assert_non_null(line);
    assert_true(hgrm_max(response) > 990 && hgrm_max(response) < 1010); /* ms of the freeze */
    assert_true(hgrm_max(service) < 1);
    assert_has(response, "Total count    =         9000]");
    free(response), free(service);
    lab_result_free(&result);
}

/* --- CSV: report_html_test.py reads its grammar and every column --- */

static void a_days_table_stays_below_the_files_limit(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_SHORT, &result);
    struct lab_second second = result.seconds[0];
    free(result.seconds);
    result.second_count = 86400;
    result.seconds = malloc(result.second_count * sizeof *result.seconds);
    for (size_t i = 0; i < result.second_count; i++) {
        result.seconds[i] = second;
        result.seconds[i].second = (uint32_t)i;
    }
    struct buffer out;
    buffer_init(&out, 64u << 20);
    lab_result_write_csv(&result, &out);
    assert_int_equal(out.status, STATUS_OK);
    buffer_free(&out);
    lab_result_free(&result);
}

static void freeing_twice_or_nothing_is_harmless(void **state) {
    struct lab_result result;
    sample_result(SAMPLE_SHORT, &result);
    lab_result_free(&result);
    assert_null(result.seconds);
    assert_null(result.times[LAB_HOT][LAB_RESPONSE]);
    lab_result_free(&result);
    lab_result_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_put_in_words),
        cmocka_unit_test(nearly_all_does_not_read_as_all),
        cmocka_unit_test(foreign_texts_are_made_harmless),
        cmocka_unit_test(times_are_those_of_the_histogram),
        cmocka_unit_test(of_many_keys_the_most_accessed_are_listed),
        cmocka_unit_test(the_verdict_says_what_happened),
        cmocka_unit_test(the_verdict_names_the_reason),
        cmocka_unit_test(the_verdict_knows_a_deep_pipeline),
        cmocka_unit_test(the_table_fits_a_terminal),
        cmocka_unit_test(the_table_has_the_figures),
        cmocka_unit_test(hgrm_is_in_ms_and_of_its_own_class_and_time),
        cmocka_unit_test(a_days_table_stays_below_the_files_limit),
        cmocka_unit_test(freeing_twice_or_nothing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
