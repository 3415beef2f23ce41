/* Arenas: alignment, no overlap, the limit, and what a reset keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static void allocations_are_aligned_and_apart(void **state) {
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    unsigned char *runs[500];
    for (size_t i = 0; i < 500; i++) {
        runs[i] = arena_alloc(&arena, i % 97);
        assert_non_null(runs[i]);
        assert_int_equal((uintptr_t)runs[i] % _Alignof(max_align_t), 0);
        memset(runs[i], (int)(i & 0xff), i % 97);
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i % 97; k++)
            assert_int_equal(runs[i][k], i & 0xff);
    }
    arena_free(&arena);
    assert_int_equal(arena.total_size, 0);
}

static void above_the_limit_is_null_and_leaves_the_rest(void **state) {
    struct arena arena;
    arena_init(&arena, 1024, 4096);
    char *kept = arena_alloc(&arena, 100);
    strcpy(kept, "kept");
    assert_null(arena_alloc(&arena, 4096));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 40));
    size_t count = 0;
    while (arena_alloc(&arena, 100))
        count++;
    assert_in_range(count, 20, 40);
    assert_true(arena.total_size <= 4096);
    assert_string_equal(kept, "kept");
    arena_free(&arena);
    assert_non_null(arena_alloc(&arena, 100)); /* usable again */
    arena_free(&arena);
}

static void a_block_larger_than_the_limit_is_made_smaller(void **state) {
    struct arena arena;
    arena_init(&arena, 65536, 512);
    assert_non_null(arena_alloc(&arena, 200));
    assert_true(arena.total_size <= 512);
    assert_null(arena_alloc(&arena, 400));
    arena_free(&arena);
}

static void a_large_allocation_does_not_end_the_current_block(void **state) {
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    char *before = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 100000));
    assert_ptr_equal(arena_alloc(&arena, 16), before + 16);
    arena_free(&arena);
}

static void reset_keeps_the_first_block_only(void **state) {
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    arena_reset(&arena); /* nothing yet */
    char *first = arena_alloc(&arena, 10);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 500));
    assert_true(arena.total_size > 50000);
    arena_reset(&arena);
    assert_int_equal(arena.total_size, 1024);
    assert_ptr_equal(arena_alloc(&arena, 10), first);
    arena_free(&arena);
    arena_free(&arena);
    arena_free(NULL);
}

static void calloc_clears_and_refuses_overflow(void **state) {
    struct arena arena;
    arena_init(&arena, 1024, 1 << 20);
    memset(arena_alloc(&arena, 512), 0xff, 512);
    arena_reset(&arena);
    const unsigned char *cleared = arena_calloc(&arena, 64, 8);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(cleared[i], 0);
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    arena_free(&arena);
}

static void a_copy_of_nothing_is_no_failure(void **state) {
    struct arena arena;
    arena_init(&arena, 64, 256);
    struct bytes copy = arena_copy(&arena, (struct bytes){NULL, 0});
    assert_non_null(copy.data);
    assert_int_equal(copy.size, 0);
    assert_true(bytes_equal(arena_copy(&arena, BYTES("lamp")), BYTES("lamp")));
    char large[300] = {0};
    assert_null(arena_copy(&arena, (struct bytes){large, sizeof large}).data);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(above_the_limit_is_null_and_leaves_the_rest),
        cmocka_unit_test(a_block_larger_than_the_limit_is_made_smaller),
        cmocka_unit_test(a_large_allocation_does_not_end_the_current_block),
        cmocka_unit_test(reset_keeps_the_first_block_only),
        cmocka_unit_test(calloc_clears_and_refuses_overflow),
        cmocka_unit_test(a_copy_of_nothing_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
