/* Tests the JSON writer: exact text, escapes, doubles that read back, limits, and random trees there and back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/random.h"

#define ROUNDS 2000

static struct buffer buffer;
static struct json_writer writer;

static int setup(void **state) {
    buffer_init(&buffer, 1 << 20);
    json_writer_init(&writer, &buffer);
    return 0;
}
static int teardown(void **state) {
    buffer_free(&buffer);
    return 0;
}

static void assert_written(const char *expected) {
    assert_int_equal(buffer.status, STATUS_OK);
    assert_int_equal(buffer.size, strlen(expected));
    assert_memory_equal(buffer.data, expected, buffer.size);
}

static void sets_commas(void **state) {
    json_begin_object(&writer);
    json_key(&writer, "a");
    json_begin_array(&writer);
    json_integer(&writer, 1);
    json_null(&writer);
    json_bool(&writer, true);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_begin_array(&writer);
    json_end_array(&writer);
    json_raw(&writer, BYTES("{\"raw\":0}"));
    json_end_array(&writer);
    json_key(&writer, "b");
    json_bool(&writer, false);
    json_key_bytes(&writer, BYTES("c\"\n"));
    json_text(&writer, "d");
    json_key(&writer, "n");
    json_integer(&writer, INT64_MIN);
    json_end_object(&writer);
    assert_written("{\"a\":[1,null,true,{},[],{\"raw\":0}],\"b\":false,\"c\\\"\\n\":\"d\",\"n\":-9223372036854775808}");
}

static void escapes_what_must_be(void **state) {
    json_string(&writer, BYTES("\"\\/\b\f\n\r\t\x01\x1f\x7f \u00e9\u20ac\U0001F600 plain plain plain\""));
    assert_written("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f \u00e9\u20ac\U0001F600 plain plain plain\\\"\"");
    buffer_reset(&buffer);
    json_writer_init(&writer, &buffer);
    json_string(&writer, (struct bytes){NULL, 0});
    assert_written("\"\"");
}

static void doubles_are_short(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {100000, "100000"},
        {1e21, "1e+21"},
        {5e-324, "5e-324"},
        {1.0 / 3, "0.3333333333333333"},
        {2, "2"},
        {NAN, "null"},
        {INFINITY, "null"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740993.0, "9007199254740992"},
        {-0.0, "-0"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_reset(&buffer);
        json_writer_init(&writer, &buffer);
        json_double(&writer, cases[i].value);
        assert_written(cases[i].text);
    }
}

static void doubles_read_back(void **state) {
    struct random_seeded random;
    struct arena arena;
    random_seeded_init(&random, 1);
    arena_init(&arena, 4096, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        double value, got;
        random_fill(&random.base, &value, sizeof value);
        if (!isfinite(value)) continue;
        buffer_reset(&buffer);
        arena_reset(&arena);
        json_writer_init(&writer, &buffer);
        json_double(&writer, value);
        struct json_value *read;
        assert_int_equal(json_read(buffer_bytes(&buffer), &arena, &read, NULL), STATUS_OK);
        got = read->is_integer ? (double)read->integer : read->number;
        assert_true(got == value);
    }
    arena_free(&arena);
}

static void too_deep_sticks(void **state) {
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_begin_array(&writer);
    assert_int_equal(buffer.status, STATUS_OK);
    for (int i = 0; i < 3; i++)
        json_begin_object(&writer);
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    for (int i = 0; i < 3; i++)
        json_end_object(&writer);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_end_array(&writer);
    assert_int_equal(writer.depth, 0);
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
}

static void a_full_buffer_sticks(void **state) {
    struct buffer small;
    buffer_init(&small, 10);
    json_writer_init(&writer, &small);
    json_text(&writer, "0123456789");
    assert_int_equal(small.status, STATUS_TOO_LARGE);
    buffer_free(&small);
}

/* --- random trees --- */

static void put_random_string(struct random *random, bool is_key, int number) {
    static const char *const pieces[] = {"a",      "\"",     "\\",         "\n",         "\x01",
                                         "\u00e9", "\u20ac", "\U0001F600", "plain text", "/"};
    char text[128] = "";
    for (uint64_t i = random_below(random, 8); i > 0; i--)
        strcat(text, pieces[random_below(random, 10)]);
    if (is_key) {
        snprintf(text + strlen(text), 16, "%d", number); /* no duplicates */
        json_key_bytes(&writer, bytes_of(text));
    } else {
        json_text(&writer, text);
    }
}

static void put_random_value(struct random *random, int depth) {
    uint64_t kind = random_below(random, depth < 5 ? 8 : 6), count = random_below(random, 6);
    double number;
    switch (kind) {
    case 0: json_null(&writer); break;
    case 1: json_bool(&writer, random_below(random, 2)); break;
    case 2: json_integer(&writer, (int64_t)random_below(random, JSON_INTEGER_MAX) - JSON_INTEGER_MAX / 2); break;
    case 3:
        random_fill(random, &number, sizeof number);
        json_double(&writer, number);
        break;
    case 4:
    case 5: put_random_string(random, false, 0); break;
    case 6:
        json_begin_array(&writer);
        while (count--)
            put_random_value(random, depth + 1);
        json_end_array(&writer);
        break;
    default:
        json_begin_object(&writer);
        for (count *= 5; count > 0; count--) {
            put_random_string(random, true, (int)count);
            put_random_value(random, depth + 4);
        }
        json_end_object(&writer);
    }
}

static void put_value(struct json_writer *to, const struct json_value *value) {
    switch (value->kind) {
    case JSON_NULL: json_null(to); break;
    case JSON_FALSE:
    case JSON_TRUE: json_bool(to, value->kind == JSON_TRUE); break;
    case JSON_NUMBER:
        if (value->is_integer)
            json_integer(to, value->integer);
        else
            json_double(to, value->number);
        break;
    case JSON_STRING: json_string(to, value->string); break;
    default:
        if (value->kind == JSON_ARRAY)
            json_begin_array(to);
        else
            json_begin_object(to);
        for (const struct json_value *each = value->first; each; each = each->next) {
            if (value->kind == JSON_OBJECT) json_key_bytes(to, each->key);
            put_value(to, each);
        }
        if (value->kind == JSON_ARRAY)
            json_end_array(to);
        else
            json_end_object(to);
    }
}

static void random_trees_there_and_back(void **state) {
    struct random_seeded random;
    struct arena arena;
    struct buffer again;
    random_seeded_init(&random, 2);
    arena_init(&arena, 4096, 8 << 20);
    buffer_init(&again, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        buffer_reset(&buffer);
        buffer_reset(&again);
        arena_reset(&arena);
        json_writer_init(&writer, &buffer);
        put_random_value(&random.base, 0);
        struct json_value *value;
        struct json_error error = {0};
        if (json_read(buffer_bytes(&buffer), &arena, &value, &error))
            fail_msg("%.*s: %s", (int)buffer.size, buffer.data, error.text);
        struct json_writer writer_again;
        json_writer_init(&writer_again, &again);
        put_value(&writer_again, value);
        /* "-0" is the one text that reads as another: 0. */
        if (!memmem(buffer.data, buffer.size, "-0", 2))
            assert_true(bytes_equal(buffer_bytes(&buffer), buffer_bytes(&again)));
    }
    buffer_free(&again);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_commas, setup, teardown),
        cmocka_unit_test_setup_teardown(escapes_what_must_be, setup, teardown),
        cmocka_unit_test_setup_teardown(doubles_are_short, setup, teardown),
        cmocka_unit_test_setup_teardown(doubles_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(too_deep_sticks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_buffer_sticks, setup, teardown),
        cmocka_unit_test_setup_teardown(random_trees_there_and_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
