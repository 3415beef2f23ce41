/* Tests the JSON reader: what it takes, what it refuses and where, and that hostile text costs bounded time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"

static struct arena arena;

static int setup(void **state) {
    arena_init(&arena, 4096, 8 << 20);
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    return 0;
}

static struct json_value *read_ok(struct bytes text) {
    struct json_value *value = NULL;
    struct json_error error = {0};
    enum status status = json_read(text, &arena, &value, &error);
    if (status) fail_msg("%.*s: %s at %zu", (int)text.size, text.data, error.text, error.offset);
    return value;
}

static void reads_every_kind(void **state) {
    const struct json_value *value =
        read_ok(BYTES(" {\"a\" : [ 1 , -2.5,\t\"x\" ,null\r\n, true,false], \"b\":{}, \"\":[]} "));
    assert_int_equal(value->kind, JSON_OBJECT);
    assert_int_equal(value->count, 3);
    const struct json_value *list = json_member(value, "a");
    assert_int_equal(list->kind, JSON_ARRAY);
    assert_int_equal(list->count, 6);
    const struct json_value *at = list->first;
    assert_true(at->kind == JSON_NUMBER && at->is_integer && at->integer == 1);
    at = at->next;
    assert_true(at->kind == JSON_NUMBER && !at->is_integer && at->number == -2.5);
    at = at->next;
    assert_true(at->kind == JSON_STRING && bytes_equal(at->string, BYTES("x")));
    at = at->next;
    assert_int_equal(at->kind, JSON_NULL);
    at = at->next;
    assert_int_equal(at->kind, JSON_TRUE);
    at = at->next;
    assert_int_equal(at->kind, JSON_FALSE);
    assert_null(at->next);
    assert_int_equal(json_member(value, "b")->kind, JSON_OBJECT);
    assert_int_equal(json_member(value, "b")->count, 0);
    assert_int_equal(json_member(value, "")->kind, JSON_ARRAY);
    assert_null(json_member(value, "c"));
    assert_null(json_member(list, "a"));
    assert_null(json_member(NULL, "a"));
}

static void reads_scalars_at_the_top(void **state) {
    assert_int_equal(read_ok(BYTES("null"))->kind, JSON_NULL);
    assert_int_equal(read_ok(BYTES("\n7 "))->integer, 7);
    assert_true(bytes_equal(read_ok(BYTES("\"\""))->string, BYTES("")));
}

static void members_by_kind(void **state) {
    const struct json_value *value = read_ok(BYTES("{\"s\":\"x\",\"i\":3.0,\"d\":3.5}"));
    struct bytes text = BYTES("before");
    int64_t integer = -1;
    assert_int_equal(json_member_string(value, "i", &text), STATUS_INVALID);
    assert_int_equal(json_member_string(value, "none", &text), STATUS_INVALID);
    assert_true(bytes_equal(text, BYTES("before")));
    assert_int_equal(json_member_string(value, "s", &text), STATUS_OK);
    assert_true(bytes_equal(text, BYTES("x")));
    assert_int_equal(json_member_integer(value, "s", &integer), STATUS_INVALID);
    assert_int_equal(json_member_integer(value, "d", &integer), STATUS_INVALID);
    assert_int_equal(integer, -1);
    assert_int_equal(json_member_integer(value, "i", &integer), STATUS_OK);
    assert_int_equal(integer, 3);
}

static void unescapes(void **state) {
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041\\u00e9\\u20AC\\ud83d\\uDE00z\"", "aA\u00e9\u20ac\U0001F600z"},
        {"\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x01\x7f\xc2\x80\u07ff\u0800\uffff"},
        {"\"\\udbff\\udfff\\ud800\\udc00\"", "\U0010FFFF\U00010000"},
        {"\"plain \u00e9\u20ac\U0001F600 and more than eight bytes\"",
         "plain \u00e9\u20ac\U0001F600 and more than eight bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes got = read_ok(bytes_of(cases[i].text))->string, expected = bytes_of(cases[i].value);
        assert_int_equal(got.size, expected.size);
        assert_memory_equal(got.data, expected.data, expected.size);
    }
    /* Without escapes the string is not copied. */
    struct bytes source = BYTES("\"abc\"");
    assert_ptr_equal(read_ok(source)->string.data, source.data + 1);
}

static void integers_are_exact(void **state) {
    static const struct {
        const char *text;
        int64_t integer;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"-0.0", 0},
        {"0e999999999999999999", 0},
        {"0.000e-5", 0},
        {"2.0", 2},
        {"2e0", 2},
        {"20e-1", 2},
        {"0.2e1", 2},
        {"0.0000002E+7", 2},
        {"-2000000000000000000000e-21", -2},
        {"123456789012345", 123456789012345},
        {"1234567890123456", 1234567890123456},
        {"9007199254740991", JSON_INTEGER_MAX},
        {"-9007199254740991", -JSON_INTEGER_MAX},
        {"9007199254740991.000", JSON_INTEGER_MAX},
        {"9.007199254740991e15", JSON_INTEGER_MAX},
        {"1e15", 1000000000000000},
        {"1000000e-6", 1},
        {"1000000000000000000000000000000000000000000000000000000000000000000000000e-72", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct json_value *value = read_ok(bytes_of(cases[i].text));
        if (!value->is_integer || value->integer != cases[i].integer) fail_msg("%s", cases[i].text);
    }
}

static void other_numbers_are_doubles(void **state) {
    static const struct {
        const char *text;
        double number;
    } cases[] = {
        {"9007199254740992", 9007199254740992.0},
        {"-9007199254740992", -9007199254740992.0},
        {"9007199254740993", 9007199254740992.0},
        {"9223372036854775808", 9223372036854775808.0},
        {"9.007199254740992e15", 9007199254740992.0},
        {"9007199254740991.5", 9007199254740991.5},
        {"0.1", 0.1},
        {"1e16", 1e16},
        {"1e308", 1e308},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"5e-324", 5e-324},
        {"1e-400", 0.0},
        {"0.30000000000000000000000000000000000000000000000000000000000000000000000000001", 0.3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct json_value *value = read_ok(bytes_of(cases[i].text));
        if (value->is_integer || value->number != cases[i].number) fail_msg("%s", cases[i].text);
    }
}

/* The '@' marks the byte at which the error is; it is taken out before reading. */
static const struct {
    const char *text, *why;
} refused[] = {
    {"@", "ends where a value"},
    {"  @", "ends where a value"},
    {"@nul", "expected a value"},
    {"@True", "expected a value"},
    {"@'a'", "expected a value"},
    {"@\xef\xbb\xbf{}", "expected a value"},
    {"@NaN", "expected a value"},
    {"@+1", "expected a value"},
    {"@.5", "expected a value"},
    {"-@", "ends where a digit"},
    {"-@x", "expected a digit"},
    {"@01", "starts with 0"},
    {"-@012", "starts with 0"},
    {"@00000000000000000000000", "starts with 0"},
    {"1.@", "ends where a digit"},
    {"1.@e5", "expected a digit"},
    {"1e@", "ends where a digit"},
    {"1e+@x", "expected a digit"},
    {"1234567890123456.@", "ends where a digit"},
    {"[@1e400]", "number too large"},
    {"[0, @-1e400]", "number too large"},
    {"[@1e99999999999999999999]", "number too large"},
    {"1 @2", "more text"},
    {"{}@,", "more text"},
    {"1@\v", "more text"},
    {"[@", "ends where a value"},
    {"[1@", "ends where ',' or ']'"},
    {"[1,@]", "expected a value"},
    {"[1 @2]", "expected ',' or ']'"},
    {"[1@}", "expected ',' or ']'"},
    {"{@", "ends where a key"},
    {"{@a:1}", "expected a key"},
    {"{@1:1}", "expected a key"},
    {"{\"a\"@", "ends where ':'"},
    {"{\"a\" @1}", "expected ':'"},
    {"{\"a\":@", "ends where a value"},
    {"{\"a\":1@", "ends where ',' or '}'"},
    {"{\"a\":1,@}", "expected a key"},
    {"{\"a\":1@]", "expected ',' or '}'"},
    {"[@\"abc", "does not end"},
    {"@\"abc\\", "does not end"},
    {"@\"abc\\\"", "does not end"},
    {"\"a@\nb\"", "control character in a string: write \\u000a"},
    {"\"12345678@\x1f\"", "write \\u001f"},
    {"\"a@\\x\"", "unknown escape"},
    {"\"a@\\\n\"", "unknown escape"},
    {"\"@\\u12\"", "four hexadecimal"},
    {"\"@\\u12g4\"", "four hexadecimal"},
    {"\"@\\u", "four hexadecimal"},
    {"\"abc@\\u0000\"", "\\u0000 is not allowed"},
    {"\"@\\ud800\"", "lone surrogate \\ud800"},
    {"\"@\\udbffx\"", "lone surrogate \\udbff"},
    {"\"@\\ud800\\n\"", "lone surrogate"},
    {"\"@\\ud800\\ud800\"", "lone surrogate"},
    {"\"@\\ud800\\u0041\"", "lone surrogate"},
    {"\"@\\ud800\\udc0\"", "lone surrogate"},
    {"\"@\\udc00\"", "lone surrogate \\udc00"},
    {"\"@\x80\"", "invalid UTF-8"},
    {"\"@\xc0\x80\"", "invalid UTF-8"},
    {"\"@\xc1\xbf\"", "invalid UTF-8"},
    {"\"@\xc3\"", "invalid UTF-8"},
    {"\"@\xc3", "invalid UTF-8"},
    {"\"@\xe2\x82", "invalid UTF-8"},
    {"\"@\xf0\x9f\x98", "invalid UTF-8"},
    {"\"@\xe0\x9f\xbf\"", "invalid UTF-8"},
    {"\"@\xed\xa0\x80\"", "invalid UTF-8"}, /* a surrogate */
    {"\"@\xe2\x82\"", "invalid UTF-8"},
    {"\"@\xf0\x8f\xbf\xbf\"", "invalid UTF-8"},
    {"\"@\xf4\x90\x80\x80\"", "invalid UTF-8"},
    {"\"@\xf5\x80\x80\x80\"", "invalid UTF-8"},
    {"\"@\xff\"", "invalid UTF-8"},
    {"\"ok \u00e9 @\xe2\x82", "invalid UTF-8"},
    {"{\"a\":1,@\"a\":2}", "duplicate key \"a\""},
    {"{\"a\":1,\"b\":{\"a\":1},@\"\\u0061\":2}", "duplicate key \"a\""},
    {"{\"\\u00e9\":1, @\"\u00e9\":2}", "duplicate key \"\u00e9\""},
    {"[{\"\":1,@\"\":1}]", "duplicate key \"\""},
};

static void refuses_with_exact_position(void **state) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const char *marked = refused[i].text, *at = strchr(marked, '@');
        size_t offset = (size_t)(at - marked), size = strlen(marked) - 1;
        char *text = malloc(size + 1); /* exact size: a read beyond it shows under asan */
        assert_non_null(text);
        memcpy(text, marked, offset);
        memcpy(text + offset, at + 1, size - offset);
        struct json_value *value = (void *)&arena;
        struct json_error error = {0};
        text = realloc(text, size > 0 ? size : 1);
        enum status status = json_read((struct bytes){text, size}, &arena, &value, &error);
        if (status != STATUS_INVALID || error.offset != offset || !strstr(error.text, refused[i].why))
            fail_msg("%s: %s at %zu: %s", marked, status_name(status), error.offset, error.text);
        assert_ptr_equal(value, &arena); /* untouched */
        assert_int_equal(json_read((struct bytes){text, size}, &arena, &value, NULL), STATUS_INVALID);
        free(text);
    }
}

static void tells_line_and_column(void **state) {
    struct json_error error;
    struct json_value *value;
    assert_int_equal(json_read(BYTES("{\n  \"a\": 1,\n  \"\u00e9\": x}"), &arena, &value, &error), STATUS_INVALID);
    assert_int_equal(error.offset, 20);
    assert_int_equal(error.line, 3);
    assert_int_equal(error.column, 9); /* bytes: the key has two */
    assert_int_equal(json_read(BYTES("x"), &arena, &value, &error), STATUS_INVALID);
    assert_int_equal(error.line, 1);
    assert_int_equal(error.column, 1);
}

static void cuts_a_long_key_between_characters(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 4096);
    for (int i = 0; i < 2; i++) {
        buffer_put_text(&buffer, i ? ",\"a" : "{\"a");
        for (int j = 0; j < 100; j++)
            buffer_put_text(&buffer, "\u20ac");
        buffer_put_text(&buffer, "\":1");
    }
    buffer_put_char(&buffer, '}');
    struct json_error error;
    struct json_value *value;
    assert_int_equal(json_read(buffer_bytes(&buffer), &arena, &value, &error), STATUS_INVALID);
    assert_true(json_utf8_is_valid(bytes_of(error.text)));
    assert_non_null(strstr(error.text, "\u20ac...\""));
    buffer_free(&buffer);
}

static void depth_is_limited(void **state) {
    char text[2 * 100 + 1];
    static const char *const opens[] = {"[", "{\"a\":"};
    for (int kind = 0; kind < 2; kind++)
        for (int depth = JSON_DEPTH_MAX; depth <= 100; depth += depth == JSON_DEPTH_MAX ? 1 : 67) {
            struct buffer buffer;
            buffer_init(&buffer, 4096);
            for (int i = 0; i < depth; i++)
                buffer_put_text(&buffer, opens[kind]);
            buffer_put_char(&buffer, '1');
            for (int i = 0; i < depth; i++)
                buffer_put_char(&buffer, kind ? '}' : ']');
            struct json_error error;
            struct json_value *value;
            enum status status = json_read(buffer_bytes(&buffer), &arena, &value, &error);
            if (depth == JSON_DEPTH_MAX) {
                assert_int_equal(status, STATUS_OK);
            } else {
                assert_int_equal(status, STATUS_TOO_LARGE);
                assert_int_equal(error.offset, JSON_DEPTH_MAX * strlen(opens[kind]));
                assert_non_null(strstr(error.text, "deeper than 32"));
            }
            buffer_free(&buffer);
        }
    /* Siblings do not add up. */
    memset(text, 0, sizeof text);
    for (int i = 0; i < 49; i++)
        memcpy(text + 1 + 3 * i, "[],", 3);
    text[0] = '[', text[147] = ']';
    assert_int_equal(read_ok(bytes_of(text))->count, 49);
}

static void values_are_limited(void **state) {
    for (int count = JSON_VALUES_MAX - 1; count <= JSON_VALUES_MAX; count++) { /* and the array itself */
        struct buffer buffer;
        buffer_init(&buffer, 1 << 20);
        buffer_put_char(&buffer, '[');
        for (int i = 0; i < count; i++)
            buffer_put_text(&buffer, i ? ",0" : "0");
        buffer_put_char(&buffer, ']');
        struct json_error error;
        struct json_value *value;
        enum status status = json_read(buffer_bytes(&buffer), &arena, &value, &error);
        assert_int_equal(status, count < JSON_VALUES_MAX ? STATUS_OK : STATUS_TOO_LARGE);
        if (status) assert_int_equal(error.offset, 2 * JSON_VALUES_MAX - 1);
        buffer_free(&buffer);
        arena_reset(&arena);
    }
}

/* An object of count keys "k0", "k1"...; key number `same` (if >= 0) repeats key number `of`, with an escape if wanted.
 */
static void put_many_keys(struct buffer *buffer, int count, int same, int of, bool with_escape, size_t *offset_out) {
    buffer_reset(buffer);
    buffer_put_char(buffer, '{');
    for (int i = 0; i < count; i++) {
        if (i) buffer_put_char(buffer, ',');
        if (i == same) *offset_out = buffer->size;
        buffer_printf(buffer, "\"%s%d\":0", with_escape && i == same ? "\\u006b" : "k", i == same ? of : i);
    }
    buffer_put_char(buffer, '}');
}

static void finds_duplicates_among_many_keys(void **state) {
    static const int counts[] = {2, 15, 16, 17, 18, 19, 40, 1000};
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int with_escape = 0; with_escape < 2; with_escape++) {
            int count = counts[i], sames[] = {1, count / 2 + count % 2, count - 1};
            size_t offset;
            struct json_value *value;
            struct json_error error;
            put_many_keys(&buffer, count, -1, 0, false, &offset);
            assert_int_equal(json_read(buffer_bytes(&buffer), &arena, &value, &error), STATUS_OK);
            assert_int_equal(value->count, count);
            for (int j = 0; j < 3; j++) {
                put_many_keys(&buffer, count, sames[j], sames[j] / 2, with_escape, &offset);
                assert_int_equal(json_read(buffer_bytes(&buffer), &arena, &value, &error), STATUS_INVALID);
                assert_int_equal(error.offset, offset);
                assert_non_null(strstr(error.text, "duplicate key \"k"));
            }
        }
    buffer_free(&buffer);
}

/* The largest object takes milliseconds; comparing each key with each would take half a minute here. */
static void many_keys_cost_bounded_time(void **state) {
    struct buffer buffer;
    size_t offset;
    buffer_init(&buffer, 1 << 20);
    put_many_keys(&buffer, JSON_VALUES_MAX - 1, -1, 0, false, &offset);
    clock_t start = clock();
    for (int round = 0; round < 20; round++) {
        arena_reset(&arena);
        assert_int_equal(read_ok(buffer_bytes(&buffer))->count, JSON_VALUES_MAX - 1);
    }
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5); /* CPU time: other load does not count */
    buffer_free(&buffer);
}

/* Whatever is cut off or changed: an answer, never a read outside (asan), and an error within the text. */
static void survives_damage(void **state) {
    struct bytes whole =
        BYTES("{\"customer_name\":\"Ad\\u00e9 \\ud83d\\ude00\u20ac\",\"items\":[{\"item\":\"lamp\",\"quantity"
              "\":2,\"unit_price\":1999.0e0}],\"x\":[true,false,null,-0.5e-3],\"y\":{\"z\":\"\\\\\\n\"}}");
    static const char bytes[] = "\"\\{}[]:,0e.-u \x80\xe2\xff\x01\n";
    for (size_t size = 0; size < whole.size; size++) {
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        copy = realloc(memcpy(copy, whole.data, size), size ? size : 1);
        struct json_value *value;
        struct json_error error;
        assert_int_equal(json_read((struct bytes){copy, size}, &arena, &value, &error), STATUS_INVALID);
        assert_true(error.offset <= size);
        free(copy);
    }
    char *copy = malloc(whole.size);
    assert_non_null(copy);
    for (size_t i = 0; i < whole.size; i++)
        for (size_t j = 0; j < sizeof bytes; j++) { /* the NUL too */
            memcpy(copy, whole.data, whole.size);
            copy[i] = bytes[j];
            struct json_value *value;
            struct json_error error = {.offset = 0};
            arena_reset(&arena);
            enum status status = json_read((struct bytes){copy, whole.size}, &arena, &value, &error);
            assert_true(status == STATUS_OK || (status == STATUS_INVALID && error.offset <= whole.size));
        }
    free(copy);
}

/* Documents made to cost memory: many values, keys and strings with escapes, long strings, long numbers. */
static void put_greedy(struct buffer *buffer, int kind, size_t piece_size) {
    buffer_reset(buffer);
    buffer_put_char(buffer, '{');
    for (int i = 0; i < JSON_VALUES_MAX - 1 && buffer->size + piece_size + 32 < 1 << 20; i++) {
        buffer_printf(buffer, "%s\"\\n%d\":%s", i ? "," : "", i, kind ? "\"\\n" : "0.");
        for (size_t j = 0; j < piece_size; j++)
            buffer_put_char(buffer, '1');
        buffer_put_text(buffer, kind ? "\"" : "1");
    }
    buffer_put_char(buffer, '}');
}

static void no_document_exhausts_the_arena_size(void **state) {
    static const size_t pieces[] = {0, 9, 30, 2000, 33000, 300000, 1000000}, blocks[] = {4096, 65536};
    struct buffer buffer;
    buffer_init(&buffer, 2 << 20);
    for (int kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < 2 * sizeof pieces / sizeof pieces[0]; i++) {
            struct arena limited;
            struct json_value *value;
            arena_init(&limited, blocks[i % 2], JSON_ARENA_SIZE);
            put_greedy(&buffer, kind, pieces[i / 2]);
            assert_int_equal(json_read(buffer_bytes(&buffer), &limited, &value, NULL), STATUS_OK);
            arena_free(&limited);
        }
    buffer_free(&buffer);
}

static void an_exhausted_arena_is_no_memory(void **state) {
    struct arena small;
    struct json_value *value = (void *)&small;
    struct json_error error;
    arena_init(&small, 256, 256);
    assert_int_equal(json_read(BYTES("[1,2,3,4,5,6,7,8,9]"), &small, &value, &error), STATUS_NO_MEMORY);
    assert_ptr_equal(value, &small);
    arena_free(&small);
}

static void utf8(void **state) {
    assert_true(json_utf8_is_valid(BYTES("")));
    assert_true(json_utf8_is_valid((struct bytes){NULL, 0}));
    assert_true(json_utf8_is_valid(BYTES("a\0\u00e9\xed\x9f\xbf\ue000\u20ac\U0010FFFF")));
    assert_false(json_utf8_is_valid(BYTES("\xed\xa0\x80")));
    assert_false(json_utf8_is_valid(BYTES("abc\xc3")));
    assert_int_equal(json_utf8_length(BYTES("a\u00e9\u20ac\U0001F600")), 4);
    assert_int_equal(json_utf8_length((struct bytes){NULL, 0}), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_scalars_at_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(members_by_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(unescapes, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(other_numbers_are_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_with_exact_position, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_line_and_column, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_a_long_key_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_duplicates_among_many_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(many_keys_cost_bounded_time, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_damage, setup, teardown),
        cmocka_unit_test(no_document_exhausts_the_arena_size),
        cmocka_unit_test(an_exhausted_arena_is_no_memory),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
