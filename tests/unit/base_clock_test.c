/* Clocks and RFC 3339: known instants, agreement with the C library over all years, and texts to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static const struct {
    int64_t wall_ms;
    const char *text;
} instants[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {-1, "1969-12-31T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {-2203891200001, "1900-02-28T23:59:59.999Z"},
    {1795356441123, "2026-11-22T14:07:21.123Z"},
    {-62135596800000, "0001-01-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void known_instants_read_and_write(void **state) {
    for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++) {
        char text[CLOCK_RFC3339_SIZE];
        int64_t wall_ms = 1;
        clock_format_rfc3339(instants[i].wall_ms, text);
        assert_string_equal(text, instants[i].text);
        assert_int_equal(clock_parse_rfc3339(bytes_of(text), &wall_ms), STATUS_OK);
        assert_int_equal(wall_ms, instants[i].wall_ms);
    }
}

static void every_month_agrees_with_the_c_library(void **state) {
    for (int month = 12; month < 9999 * 12; month++) {
        for (int day = 1; day <= 28; day += 9) {
            struct tm date = {.tm_year = month / 12 - 1900, .tm_mon = month % 12, .tm_mday = day - 1, .tm_hour = 23};
            int64_t wall_ms = (int64_t)timegm(&date) * 1000 + 7; /* day 0 is the last of the month before */
            if (wall_ms < instants[5].wall_ms) continue;
            char expected[64], text[CLOCK_RFC3339_SIZE];
            snprintf(expected, sizeof expected, "%04d-%02d-%02dT23:00:00.007Z", date.tm_year + 1900, date.tm_mon + 1,
                     date.tm_mday);
            clock_format_rfc3339(wall_ms, text);
            assert_string_equal(text, expected);
            int64_t read_ms;
            assert_int_equal(clock_parse_rfc3339(bytes_of(text), &read_ms), STATUS_OK);
            assert_int_equal(read_ms, wall_ms);
        }
    }
}

static void times_out_of_range_are_clamped(void **state) {
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00.000Z");
    clock_format_rfc3339(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void other_forms_of_one_instant_are_read(void **state) {
    static const struct {
        const char *text;
        int64_t wall_ms;
    } forms[] = {
        {"2026-11-22t14:07:21z", 1795356441000},           {"2026-11-22T14:07:21.1Z", 1795356441100},
        {"2026-11-22T14:07:21.123999999Z", 1795356441123}, {"1969-12-31T23:59:59.9999Z", -1},
        {"2026-11-22T16:37:21.123+02:30", 1795356441123},  {"2026-11-21T15:07:21.123-23:00", 1795356441123},
        {"2026-11-22T14:07:21.123-00:00", 1795356441123},  {"2016-12-31T23:59:60.500Z", 1483228800500},
        {"2017-01-01T00:59:60+01:00", 1483228800000},      {"0000-01-01T00:00:00Z", -62167219200000},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int64_t wall_ms = 1;
        assert_int_equal(clock_parse_rfc3339(bytes_of(forms[i].text), &wall_ms), STATUS_OK);
        assert_int_equal(wall_ms, forms[i].wall_ms);
    }
}

static void what_is_no_date_time_is_refused(void **state) {
    static const char *const texts[] = {
        "",
        "2026-11-22",
        "2026-11-22T14:07Z",
        "2026-11-22T14:07:21",
        "2026-11-22 14:07:21Z",
        "2026-11-22T14:07:21.Z",
        "2026-11-22T14:07:21.1234567890Z",
        "2026-11-22T14:07:21,5Z",
        "2026-11-22T14:07:21Zx",
        " 2026-11-22T14:07:21Z",
        "2026-11-22T14:07:21+0200",
        "2026-11-22T14:07:21+2",
        "2026-11-22T14:07:21+24:00",
        "2026-11-22T14:07:21+00:60",
        "2026-13-22T14:07:21Z",
        "2026-00-22T14:07:21Z",
        "2026-02-29T14:07:21Z",
        "1900-02-29T14:07:21Z",
        "2026-04-31T14:07:21Z",
        "2026-04-00T14:07:21Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T14:60:00Z",
        "2026-11-22T14:07:61Z",
        "2026-11-22T14:07:60Z",
        "26-11-22T14:07:21Z",
        "02026-11-22T14:07:21Z",
        "+026-11-22T14:07:21Z",
        "2026-1 -22T14:07:21Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t wall_ms = 7;
        assert_int_equal(clock_parse_rfc3339(bytes_of(texts[i]), &wall_ms), STATUS_INVALID);
        assert_int_equal(wall_ms, 7);
    }
    int64_t wall_ms = 7;
    assert_int_equal(clock_parse_rfc3339(BYTES("2026-11-22T14:07:21\0"), &wall_ms), STATUS_INVALID);
}

static void every_prefix_is_refused(void **state) {
    const char text[] = "2026-11-22T14:07:21.123+02:30";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        int64_t wall_ms;
        char *exact = test_malloc(size ? size : 1); /* so that a sanitizer sees a read behind the end */
        memcpy(exact, text, size);
        assert_int_equal(clock_parse_rfc3339((struct bytes){exact, size}, &wall_ms), STATUS_INVALID);
        test_free(exact);
    }
}

static void a_manual_clock_moves_by_hand(void **state) {
    struct clock_manual manual;
    clock_manual_init(&manual, 1000);
    assert_int_equal(clock_wall_ms(&manual.base), 1000);
    int64_t start_ns = clock_monotonic_ns(&manual.base);
    clock_manual_advance(&manual, 25);
    assert_int_equal(clock_wall_ms(&manual.base), 1025);
    assert_int_equal(clock_monotonic_ns(&manual.base) - start_ns, 25000000);
}

static void the_system_clock_is_now(void **state) {
    const struct clock *clock = clock_system();
    int64_t seconds = (int64_t)time(NULL);
    assert_in_range(clock_wall_ms(clock), (seconds - 5) * 1000, (seconds + 60) * 1000);
    int64_t before_ns = clock_monotonic_ns(clock);
    assert_true(clock_monotonic_ns(clock) >= before_ns);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_read_and_write),   cmocka_unit_test(every_month_agrees_with_the_c_library),
        cmocka_unit_test(times_out_of_range_are_clamped),  cmocka_unit_test(other_forms_of_one_instant_are_read),
        cmocka_unit_test(what_is_no_date_time_is_refused), cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(a_manual_clock_moves_by_hand),    cmocka_unit_test(the_system_clock_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
