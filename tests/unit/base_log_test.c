/* Log lines: both formats to the byte, escapes, levels, and lines too long that stay whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

#define LINE_MAX_SIZE 4096

/* A log that writes into a pipe, and the reading end of it. */
struct fixture {
    struct clock_manual clock;
    struct log log;
    int fds[2];
    char text[4 * LINE_MAX_SIZE];
};

static void start(struct fixture *fixture, enum log_level level, enum log_format format) {
    assert_int_equal(pipe(fixture->fds), 0);
    clock_manual_init(&fixture->clock, 1795356441123);
    log_init(&fixture->log, &fixture->clock.base, fixture->fds[1], level, format);
}

/* What was written, as text; ends the fixture. */
static const char *end(struct fixture *fixture) {
    close(fixture->fds[1]);
    size_t size = 0;
    ssize_t read_size;
    while ((read_size = read(fixture->fds[0], fixture->text + size, sizeof fixture->text - 1 - size)) > 0)
        size += (size_t)read_size;
    fixture->text[size] = '\0';
    close(fixture->fds[0]);
    return fixture->text;
}

static void json_lines(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_AUTO); /* a pipe is no terminal */
    const char *absent = NULL;
    log_event(&f.log, LOG_INFO, "listening", LOG_S("address", "::1"), LOG_N("port", 8000), LOG_S("none", absent));
    log_event(&f.log, LOG_ERROR, "x", LOG_N("n", INT64_MIN));
    log_event(&f.log, LOG_WARN, "alone");
    log_write(&f.log, LOG_DEBUG, "no fields", NULL);
    assert_string_equal(
        end(&f),
        "{\"time\":\"2026-11-22T14:07:21.123Z\",\"level\":\"info\",\"message\":\"listening\",\"address\":\"::1\","
        "\"port\":8000,\"none\":\"\"}\n"
        "{\"time\":\"2026-11-22T14:07:21.123Z\",\"level\":\"error\",\"message\":\"x\",\"n\":-9223372036854775808}\n"
        "{\"time\":\"2026-11-22T14:07:21.123Z\",\"level\":\"warn\",\"message\":\"alone\"}\n"
        "{\"time\":\"2026-11-22T14:07:21.123Z\",\"level\":\"debug\",\"message\":\"no fields\"}\n");
}

static void text_lines_are_aligned(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_TEXT);
    log_event(&f.log, LOG_INFO, "listening", LOG_S("address", "::1"), LOG_N("port", 8000));
    log_event(&f.log, LOG_ERROR, "no room on the disk", LOG_S("path", "/a b"), LOG_S("empty", ""),
              LOG_S("q", "a\"=\\"));
    log_event(&f.log, LOG_WARN, "alone");
    assert_string_equal(end(&f),
                        "2026-11-22T14:07:21.123Z INFO  listening                        address=::1 port=8000\n"
                        "2026-11-22T14:07:21.123Z ERROR no room on the disk              path=\"/a b\" empty=\"\" "
                        "q=\"a\\\"=\\\\\"\n"
                        "2026-11-22T14:07:21.123Z WARN  alone\n");
}

/* Nothing in a value can end the line, forge another, or drive the terminal; broken UTF-8 becomes U+FFFD. */
static const char hostile[] = "a\n\"\\\t\x01\x1b[31m\x7f\xc2\x9b"
                              "2J\xff\xe2\x82 \xed\xa0\x80 \xf4\x90\x80\x80 \xc3\xa9\xf0\x9f\x98\x80\xe2\x82";

static void hostile_values_are_escaped_in_json(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_JSON);
    log_event(&f.log, LOG_INFO, hostile, LOG_S("v", hostile));
    const char *line = end(&f);
    struct arena arena;
    struct json_value *value;
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(json_read(bytes_of(line), &arena, &value, NULL), STATUS_OK);
    struct bytes text;
    assert_int_equal(json_member_string(value, "v", &text), STATUS_OK);
    const char *expected = "a\n\"\\\t\x01\x1b[31m\x7f\xc2\x9b"
                           "2J\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
                           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"
                           "\xef\xbf\xbd";
    assert_true(bytes_equal(text, bytes_of(expected)));
    arena_free(&arena);
    assert_null(strpbrk(line, "\x1b\x7f\t"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void hostile_values_are_escaped_in_text(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_TEXT);
    log_event(&f.log, LOG_INFO, hostile, LOG_S("v", hostile));
    const char *line = end(&f);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strpbrk(line, "\x1b\x7f\t\x01"));
    assert_null(strstr(line, "\xc2\x9b"));
    assert_non_null(strstr(line, "v=\"a\\n\\\"\\\\\\t\\u0001\\u001b[31m\\u007f\\u009b2J"));
    assert_true(json_utf8_is_valid(bytes_of(line)));
}

static void lower_levels_are_not_written(void **state) {
    struct fixture f;
    start(&f, LOG_WARN, LOG_TEXT);
    log_event(&f.log, LOG_DEBUG, "d");
    log_event(&f.log, LOG_INFO, "i");
    log_event(&f.log, LOG_WARN, "w");
    log_event(NULL, LOG_ERROR, "nowhere");
    assert_string_equal(end(&f), "2026-11-22T14:07:21.123Z WARN  w\n");
}

/* Whatever the sizes of message, name and value: at most 4 KiB, one line, and JSON that can be read. */
static void long_lines_are_cut_and_stay_readable(void **state) {
    static char long_text[6000];
    static const char *const patterns[] = {"x", "\"", "\n", "\xc3\xa9", "\xff", "\xf0\x9f\x98\x80"};
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        for (size_t size = 3700; size < 4200; size += 7) {
            size_t step = strlen(patterns[p]), length = 0;
            for (; length + step <= size; length += step)
                memcpy(long_text + length, patterns[p], step);
            long_text[length] = '\0';
            for (int where = 0; where < 3; where++) {
                struct fixture f;
                start(&f, LOG_DEBUG, where == 2 ? LOG_TEXT : LOG_JSON);
                if (where == 0)
                    log_event(&f.log, LOG_INFO, long_text, LOG_N("n", 1), LOG_S("s", "t"));
                else
                    log_event(&f.log, LOG_INFO, "m", LOG_S("long", long_text), LOG_N("n", 123456), LOG_S("s", "t"));
                const char *line = end(&f);
                size_t line_size = strlen(line);
                assert_true(line_size <= LINE_MAX_SIZE);
                assert_ptr_equal(strchr(line, '\n'), line + line_size - 1);
                if (where == 2) {
                    const char *last = line + line_size - 5;
                    assert_true(strcmp(last, " s=t\n") == 0 || strcmp(last, " ...\n") == 0);
                    continue;
                }
                struct arena arena;
                struct json_value *value;
                arena_init(&arena, 4096, 1 << 20);
                assert_int_equal(json_read(bytes_of(line), &arena, &value, NULL), STATUS_OK);
                bool is_whole = json_member(value, "s") != NULL, is_cut = json_member(value, "cut") != NULL;
                assert_int_not_equal(is_whole, is_cut);
                arena_free(&arena);
            }
        }
    }
}

static void errno_is_kept(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_JSON);
    f.log.fd = -1;
    errno = ENOSPC;
    log_event(&f.log, LOG_INFO, "x");
    assert_int_equal(errno, ENOSPC);
    end(&f);
}

static void *write_lines(void *data) {
    for (int i = 0; i < 100; i++)
        log_event(data, LOG_INFO, "line", LOG_N("i", i));
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state) {
    struct fixture f;
    start(&f, LOG_DEBUG, LOG_TEXT);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &f.log), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    const char *at = end(&f);
    int lines = 0;
    for (; *at; lines++) {
        assert_memory_equal(at, "2026-11-22T14:07:21.123Z INFO  line ", 36);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(lines, 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines),
        cmocka_unit_test(text_lines_are_aligned),
        cmocka_unit_test(hostile_values_are_escaped_in_json),
        cmocka_unit_test(hostile_values_are_escaped_in_text),
        cmocka_unit_test(lower_levels_are_not_written),
        cmocka_unit_test(long_lines_are_cut_and_stay_readable),
        cmocka_unit_test(errno_is_kept),
        cmocka_unit_test(threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
