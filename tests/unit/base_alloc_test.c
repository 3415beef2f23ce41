/* Allocations that fail in buffers, arenas and metrics: what was there stays, and nothing breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/metrics.h"
#include "support/failing_alloc.h"

static void a_buffer_keeps_what_it_has(void **state) {
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    buffer_put_text(&buffer, "kept");
    failing_alloc_arm(1);
    assert_null(buffer_reserve(&buffer, 5000));
    assert_true(failing_alloc_disarm());
    assert_int_equal(buffer.status, STATUS_NO_MEMORY);
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("kept")));
    buffer_put_text(&buffer, "ignored");
    assert_int_equal(buffer.size, 4);
    buffer_free(&buffer);

    failing_alloc_arm(1);
    assert_null(buffer_take(&buffer, NULL)); /* empty, and no memory for even that */
    assert_true(failing_alloc_disarm());
    buffer_free(&buffer);
}

static void an_arena_goes_on_when_there_is_memory_again(void **state) {
    struct arena arena;
    arena_init(&arena, 256, 1 << 20);
    failing_alloc_arm(1);
    assert_null(arena_alloc(&arena, 10));
    assert_true(failing_alloc_disarm());
    assert_int_equal(arena.total_size, 0);
    char *kept = arena_alloc(&arena, 10);
    strcpy(kept, "kept");
    failing_alloc_arm(1);
    assert_null(arena_alloc(&arena, 1000));
    assert_true(failing_alloc_disarm());
    assert_non_null(arena_alloc(&arena, 10)); /* in the block that is there */
    assert_non_null(arena_alloc(&arena, 1000));
    assert_string_equal(kept, "kept");
    arena_free(&arena);
}

static void metrics_count_into_the_void(void **state) {
    failing_alloc_arm(1);
    assert_null(metrics_new());
    assert_true(failing_alloc_disarm());
    struct metrics *metrics = metrics_new();
    failing_alloc_arm(1);
    struct metric_counter *counter = metrics_counter(metrics, "a_total", "A.", "");
    assert_true(failing_alloc_disarm());
    metric_add(counter, 5);
    assert_int_equal(metric_count(counter), 0);
    counter = metrics_counter(metrics, "a_total", "A.", "");
    metric_add(counter, 5);
    assert_int_equal(metric_count(counter), 5);
    metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_keeps_what_it_has),
        cmocka_unit_test(an_arena_goes_on_when_there_is_memory_again),
        cmocka_unit_test(metrics_count_into_the_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
