/* The two clocks, and times as RFC 3339 text. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/queue.h"

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_DAY INT64_C(86400000)
#define DAYS_PER_400_YEARS 146097
#define DAYS_0000_03_01_TO_1970 719468
#define WALL_MS_MIN (-INT64_C(62135596800000)) /* 0001-01-01T00:00:00.000Z */
#define WALL_MS_MAX INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999Z */

static int64_t system_wall_ms(const struct clock *clock) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ns(const struct clock *clock) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

const struct clock *clock_system(void) {
    static const struct clock system = {system_wall_ms, system_monotonic_ns};
    return &system;
}

static int64_t manual_wall_ms(const struct clock *clock) {
    return atomic_load(&CONTAINER_OF(clock, struct clock_manual, base)->wall_ms);
}

static int64_t manual_monotonic_ns(const struct clock *clock) {
    return atomic_load(&CONTAINER_OF(clock, struct clock_manual, base)->monotonic_ns);
}

void clock_manual_init(struct clock_manual *clock, int64_t wall_ms) {
    clock->base = (struct clock){manual_wall_ms, manual_monotonic_ns};
    atomic_init(&clock->wall_ms, wall_ms);
    atomic_init(&clock->monotonic_ns, 0);
}

void clock_manual_advance(struct clock_manual *clock, int64_t ms) {
    atomic_fetch_add(&clock->monotonic_ns, ms * 1000000);
    atomic_fetch_add(&clock->wall_ms, ms);
}

struct date {
    int year, month, day;
};

/* Both directions count days of years that begin in March, so that the leap day is a year's last day and month m
 * (March = 0) begins on day (153 m + 2) / 5. gmtime_r would do, but takes a lock that all threads share. */
static int64_t days_from_date(struct date date) {
    int64_t year = date.month > 2 ? date.year : date.year - 1;
    int month = (date.month + 9) % 12;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 + date.day - 1;
    return era * DAYS_PER_400_YEARS + day_of_era - DAYS_0000_03_01_TO_1970;
}

/* For days from 0000-03-01 on. */
static struct date date_from_days(int64_t days) {
    days += DAYS_0000_03_01_TO_1970;
    int era = (int)(days / DAYS_PER_400_YEARS);
    int day_of_era = (int)(days % DAYS_PER_400_YEARS);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153;
    struct date date = {.day = day_of_year - (153 * month + 2) / 5 + 1, .month = month < 10 ? month + 3 : month - 9};
    date.year = era * 400 + year_of_era + (date.month <= 2);
    return date;
}

static char *put_digits(char *to, int value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + digits;
}

void clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]) {
    if (wall_ms < WALL_MS_MIN) wall_ms = WALL_MS_MIN;
    if (wall_ms > WALL_MS_MAX) wall_ms = WALL_MS_MAX;
    int64_t days = wall_ms / MS_PER_DAY - (wall_ms % MS_PER_DAY < 0);
    int ms = (int)(wall_ms - days * MS_PER_DAY);
    struct date date = date_from_days(days);
    const struct {
        int value, digits;
        char after;
    } parts[] = {{date.year, 4, '-'},       {date.month, 2, '-'},     {date.day, 2, 'T'}, {ms / 3600000, 2, ':'},
                 {ms / 60000 % 60, 2, ':'}, {ms / 1000 % 60, 2, '.'}, {ms % 1000, 3, 'Z'}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        out = put_digits(out, parts[i].value, parts[i].digits);
        *out++ = parts[i].after;
    }
    *out = '\0';
}

/* What is left to read. */
struct cursor {
    const char *at, *end;
};

/* Reads exactly that many digits with a value within the bounds. */
static bool read_number(struct cursor *cursor, int digits, int minimum, int maximum, int *out) {
    if (cursor->end - cursor->at < digits) return false;
    int value = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned char)*cursor->at++ - '0';
        if (digit > 9) return false;
        value = value * 10 + (int)digit;
    }
    *out = value;
    return value >= minimum && value <= maximum;
}

/* Reads one character of the set. */
static bool read_one_of(struct cursor *cursor, const char *set, char *out) {
    if (cursor->at == cursor->end || *cursor->at == '\0' || !strchr(set, *cursor->at)) return false;
    *out = *cursor->at++;
    return true;
}

static bool read_date(struct cursor *cursor, struct date *out) {
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    char dash;
    if (!read_number(cursor, 4, 0, 9999, &out->year) || !read_one_of(cursor, "-", &dash)) return false;
    if (!read_number(cursor, 2, 1, 12, &out->month) || !read_one_of(cursor, "-", &dash)) return false;
    bool is_leap_year = out->year % 4 == 0 && (out->year % 100 != 0 || out->year % 400 == 0);
    int days = month_days[out->month - 1] + (out->month == 2 && is_leap_year);
    return read_number(cursor, 2, 1, days, &out->day);
}

/* Reads "hh:mm:ss" and the fraction; second 60 is a leap second. */
static bool read_time(struct cursor *cursor, int *second_of_day_out, int *ms_out, bool *is_leap_second_out) {
    int hour, minute, second, ms = 0, weight = 100;
    char separator;
    if (!read_number(cursor, 2, 0, 23, &hour) || !read_one_of(cursor, ":", &separator)) return false;
    if (!read_number(cursor, 2, 0, 59, &minute) || !read_one_of(cursor, ":", &separator)) return false;
    if (!read_number(cursor, 2, 0, 60, &second)) return false;
    if (read_one_of(cursor, ".", &separator)) {
        int digits = 0;
        for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, weight /= 10) {
            if (++digits > 9) return false;
            ms += (*cursor->at - '0') * weight;
        }
        if (digits == 0) return false;
    }
    *second_of_day_out = hour * 3600 + minute * 60 + second;
    *is_leap_second_out = second == 60;
    *ms_out = ms;
    return true;
}

static bool read_offset(struct cursor *cursor, int *seconds_out) {
    char sign, colon;
    int hours = 0, minutes = 0;
    if (!read_one_of(cursor, "Zz+-", &sign)) return false;
    if (sign == '+' || sign == '-') {
        if (!read_number(cursor, 2, 0, 23, &hours) || !read_one_of(cursor, ":", &colon)) return false;
        if (!read_number(cursor, 2, 0, 59, &minutes)) return false;
    }
    int seconds = hours * 3600 + minutes * 60;
    *seconds_out = sign == '-' ? -seconds : seconds;
    return true;
}

enum status clock_parse_rfc3339(struct bytes text, int64_t *wall_ms_out) {
    struct cursor cursor = {text.data, text.data + text.size};
    struct date date;
    int second_of_day, ms, offset_seconds;
    bool is_leap_second;
    char separator;
    if (!read_date(&cursor, &date) || !read_one_of(&cursor, "Tt", &separator)) return STATUS_INVALID;
    if (!read_time(&cursor, &second_of_day, &ms, &is_leap_second)) return STATUS_INVALID;
    if (!read_offset(&cursor, &offset_seconds) || cursor.at != cursor.end) return STATUS_INVALID;
    int64_t seconds = days_from_date(date) * 86400 + second_of_day - offset_seconds;
    /* A leap second ends a day of UTC: with it counted in, the next day has just begun. */
    if (is_leap_second && seconds % 86400 != 0) return STATUS_INVALID;
    *wall_ms_out = seconds * MS_PER_SECOND + ms;
    return STATUS_OK;
}
