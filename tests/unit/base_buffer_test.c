/* Buffers: growth, the limit to the byte, the sticky failure, handing over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

#define assert_buffer(buffer, text) assert_true(bytes_equal(buffer_bytes(buffer), bytes_of(text)))

static void writes_follow_one_another(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_put(&buffer, BYTES("a\0b"));
    assert_int_equal(buffer.size, 3);
    buffer_reset(&buffer);
    buffer_put_text(&buffer, "x=");
    buffer_put_int(&buffer, INT64_MIN);
    buffer_put_char(&buffer, ',');
    buffer_put_int(&buffer, INT64_MAX);
    buffer_put_char(&buffer, ',');
    buffer_put_int(&buffer, 0);
    buffer_printf(&buffer, "%s%05d", ";", 42);
    assert_buffer(&buffer, "x=-9223372036854775808,9223372036854775807,0;00042");
    assert_int_equal(buffer.status, STATUS_OK);
    buffer_free(&buffer);
    buffer_free(&buffer);
    buffer_free(NULL);
}

static void it_grows_and_keeps_its_content(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buffer_printf(&buffer, "%05d ", i);
    assert_int_equal(buffer.size, 60000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(strtol(buffer.data + (size_t)i * 6, NULL, 10), i);
    buffer_free(&buffer);
}

/* A buffer of limit 1000 that holds 990 bytes. */
static void fill(struct buffer *buffer) {
    buffer_init(buffer, 1000);
    for (int i = 0; i < 99; i++)
        buffer_put_text(buffer, "0123456789");
    assert_int_equal(buffer->size, 990);
}

static void the_limit_is_exact(void **state) {
    struct buffer buffer;
    fill(&buffer);
    buffer_put_text(&buffer, "0123456789");
    assert_int_equal(buffer.status, STATUS_OK);
    assert_int_equal(buffer.size, 1000);
    buffer_put_char(&buffer, 'x');
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_free(&buffer);

    fill(&buffer);
    buffer_printf(&buffer, "%010d", 1); /* its NUL does not count */
    assert_int_equal(buffer.status, STATUS_OK);
    assert_int_equal(buffer.size, 1000);
    buffer_free(&buffer);

    fill(&buffer);
    buffer_printf(&buffer, "%011d", 1);
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_int_equal(buffer.size, 990);
    buffer_free(&buffer);
}

static void a_failure_sticks_until_reset(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 4);
    buffer_put_text(&buffer, "12345");
    buffer_put_text(&buffer, "1");
    buffer_put_int(&buffer, 1);
    buffer_put_char(&buffer, '1');
    buffer_printf(&buffer, "1");
    assert_null(buffer_reserve(&buffer, 0));
    assert_int_equal(buffer.size, 0);
    size_t size = 77;
    assert_null(buffer_take(&buffer, &size));
    assert_int_equal(size, 77);
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_reset(&buffer);
    buffer_put_text(&buffer, "1234");
    assert_buffer(&buffer, "1234");
    buffer_free(&buffer);
}

/* Under a sanitizer an allocation that cannot be had must return NULL here too, not end the test. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void no_memory_is_told_from_too_large(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);
    assert_null(buffer_reserve(&buffer, SIZE_MAX / 2));
    assert_int_equal(buffer.status, STATUS_NO_MEMORY);
    buffer_reset(&buffer);
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer.status, STATUS_NO_MEMORY);
    buffer_free(&buffer);
}

static void reserve_makes_room_in_place(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 10000);
    buffer_put_text(&buffer, "ab");
    char *to = buffer_reserve(&buffer, 5000);
    assert_non_null(to);
    memset(to, 'c', 5000);
    buffer.size += 5000;
    assert_int_equal(buffer.size, 5002);
    assert_memory_equal(buffer.data, "abccc", 5);
    buffer_free(&buffer);
}

static void take_hands_the_memory_over(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_put_text(&buffer, "mine");
    size_t size = 0;
    char *taken = buffer_take(&buffer, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(taken, "mine", 4);
    free(taken);
    assert_int_equal(buffer.size, 0);
    taken = buffer_take(&buffer, &size); /* nothing written is no failure */
    assert_non_null(taken);
    assert_int_equal(size, 0);
    free(taken);
    buffer_put_text(&buffer, "again");
    assert_buffer(&buffer, "again");
    buffer_free(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_follow_one_another),
        cmocka_unit_test(it_grows_and_keeps_its_content),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_failure_sticks_until_reset),
        cmocka_unit_test(no_memory_is_told_from_too_large),
        cmocka_unit_test(reserve_makes_room_in_place),
        cmocka_unit_test(take_hands_the_memory_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
