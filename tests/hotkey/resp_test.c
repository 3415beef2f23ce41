/* The reader of Redis replies: every reply, however the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hotkey/resp.h"

static const char stream[] = "+OK\r\n"
                             "$3\r\nabc\r\n"
                             "$-1\r\n"
                             "-OOM command not allowed\r\n"
                             ":12345\r\n"
                             "$0\r\n\r\n"
                             "*3\r\n$1\r\na\r\n*2\r\n:1\r\n-ERR inside\r\n+x\r\n"
                             "*0\r\n"
                             "*-1\r\n"
                             "$10\r\n+not\r\n-a\r\n\r\n"
                             "+PONG\r\n";
static const enum resp_kind kinds[] = {RESP_STATUS, RESP_BULK,  RESP_NIL, RESP_ERROR, RESP_INTEGER, RESP_BULK,
                                       RESP_ARRAY,  RESP_ARRAY, RESP_NIL, RESP_BULK,  RESP_STATUS};
#define REPLIES (sizeof kinds / sizeof *kinds)

/* Feeds one piece; checks what comes out against the list. */
static void feed(struct resp_parser *parser, const char *at, size_t size, size_t *count) {
    const char *end = at + size, *text = NULL;
    size_t text_size = 0;
    enum resp_kind kind;
    enum resp_result result;
    while ((result = resp_next(parser, &at, end, &kind, &text, &text_size)) == RESP_DONE) {
        assert_true(*count < REPLIES);
        assert_int_equal(kind, kinds[*count]);
        if (kind == RESP_ERROR) {
            assert_int_equal(text_size, strlen("OOM command not allowed"));
            assert_memory_equal(text, "OOM command not allowed", text_size);
        }
        (*count)++;
    }
    assert_int_equal(result, RESP_MORE);
    assert_ptr_equal(at, end);
}

static void test_every_cut(void **state) {
    const size_t size = sizeof stream - 1;
    (void)state;
    for (size_t first = 0; first <= size; first++)
        for (size_t second = first; second <= size; second++) {
            struct resp_parser parser;
            size_t count = 0;
            resp_init(&parser);
            feed(&parser, stream, first, &count);
            feed(&parser, stream + first, second - first, &count);
            feed(&parser, stream + second, size - second, &count);
            assert_int_equal(count, REPLIES);
        }
}

static void test_byte_by_byte(void **state) {
    struct resp_parser parser;
    size_t count = 0;
    (void)state;
    resp_init(&parser);
    for (size_t i = 0; i < sizeof stream - 1; i++)
        feed(&parser, stream + i, 1, &count);
    assert_int_equal(count, REPLIES);
}

static void test_what_is_not_redis(void **state) {
    static const char *const bad[] = {"HTTP/1.1 400 Bad Request\r\n",
                                      "\r\n",
                                      "$-2\r\n",
                                      "$12a\r\n",
                                      "$\r\n",
                                      "$999999999999\r\n",
                                      "*2000000\r\n",
                                      "%1\r\n",
                                      "\x15\x03\x01\n"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct resp_parser parser;
        const char *at = bad[i], *text;
        size_t text_size;
        enum resp_kind kind;
        resp_init(&parser);
        if (resp_next(&parser, &at, at + strlen(at), &kind, &text, &text_size) != RESP_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

/* An error's text may be longer than what is kept of it. */
static void test_long_error_in_pieces(void **state) {
    struct resp_parser parser;
    const char *text = NULL;
    size_t text_size = 0;
    enum resp_kind kind;
    enum resp_result result = RESP_MORE;
    (void)state;
    resp_init(&parser);
    for (int i = 0; i < 1000 && result == RESP_MORE; i++) {
        const char *piece = i == 0 ? "-ERR " : i < 999 ? "x" : "\r\n";
        result = resp_next(&parser, &piece, piece + strlen(piece), &kind, &text, &text_size);
    }
    assert_int_equal(result, RESP_DONE);
    assert_int_equal(kind, RESP_ERROR);
    assert_int_equal(text_size, RESP_LINE_MAX - 1);
    assert_memory_equal(text, "ERR xxx", 7);
}

static void test_numbers(void **state) {
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {999999, "999999"}, {UINT64_MAX, "18446744073709551615"}};
    char text[20];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(resp_put_number(text, cases[i].number), strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, strlen(cases[i].text));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),         cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_what_is_not_redis), cmocka_unit_test(test_long_error_in_pieces),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
