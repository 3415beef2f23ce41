/* Randomness: no repeats across threads and forks, the published sequence from a seed, no bias below a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"

#define THREADS 4
#define DRAWS 5000

static int compare_words(const void *a, const void *b) {
    return memcmp(a, b, 16);
}

static void *draw(void *to) {
    struct random *random = random_system();
    for (int i = 0; i < DRAWS; i++)
        random_fill(random, (char *)to + 16 * i, 16);
    return NULL;
}

static void threads_never_draw_the_same(void **state) {
    static char words[THREADS * DRAWS][16];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw, words[i * DRAWS]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(words, THREADS * DRAWS, 16, compare_words);
    for (int i = 1; i < THREADS * DRAWS; i++)
        assert_memory_not_equal(words[i - 1], words[i], 16);
}

/* The parent's buffer holds bytes not yet given out when it forks: both sides must not give out the same. */
static void a_child_draws_something_else(void **state) {
    char parent[32], child[32], ignored[16];
    int pipe_fds[2];
    random_fill(random_system(), ignored, sizeof ignored);
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        random_fill(random_system(), child, sizeof child);
        _exit(write(pipe_fds[1], child, sizeof child) == sizeof child ? 0 : 1);
    }
    random_fill(random_system(), parent, sizeof parent);
    assert_int_equal(read(pipe_fds[0], child, sizeof child), sizeof child);
    waitpid(pid, NULL, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_memory_not_equal(parent, child, sizeof parent);
}

/* Sizes around the buffer's: every byte takes every value, and nothing is written behind the end. */
static void any_size_is_filled_whole(void **state) {
    struct random *random = random_system();
    for (size_t size = 0; size < 1500; size += 61) {
        unsigned char seen[1500] = {0}, bytes[1501];
        for (int round = 0; round < 8; round++) {
            memset(bytes, 0, sizeof bytes);
            random_fill(random, bytes, size);
            for (size_t i = 0; i < size; i++)
                seen[i] |= bytes[i];
            assert_int_equal(bytes[size], 0);
        }
        for (size_t i = 0; i < size; i++)
            assert_int_not_equal(seen[i], 0); /* by chance once in 2^64 per byte */
    }
}

/* State 1, 2, 3, 4 gives this sequence in the authors' C code. */
static void the_seeded_sequence_is_the_published_one(void **state) {
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct random_seeded random;
    random_seeded_init(&random, 0);
    /* SplitMix64 from seed 0. */
    assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf) && random.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    for (uint64_t i = 0; i < 4; i++)
        random.state[i] = i + 1;
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[8];
        random_fill(&random.base, bytes, sizeof bytes);
        uint64_t word = 0;
        for (int k = 7; k >= 0; k--)
            word = word << 8 | bytes[k];
        assert_true(word == expected[i]);
    }
}

static void a_seed_repeats_and_another_does_not(void **state) {
    struct random_seeded a, b, c;
    char from_a[100], from_b[100], from_c[100];
    random_seeded_init(&a, 5);
    random_seeded_init(&b, 5);
    random_seeded_init(&c, 6);
    random_fill(&a.base, from_a, sizeof from_a);
    random_fill(&b.base, from_b, sizeof from_b);
    random_fill(&c.base, from_c, sizeof from_c);
    assert_memory_equal(from_a, from_b, sizeof from_a);
    assert_memory_not_equal(from_a, from_c, sizeof from_a);
}

/* Gives out the numbers it was given. */
struct random_script {
    struct random base;
    uint64_t numbers[4];
    size_t next;
};

static void script_fill(struct random *random, void *out, size_t size) {
    struct random_script *script = (struct random_script *)random;
    assert_int_equal(size, sizeof script->numbers[0]);
    memcpy(out, &script->numbers[script->next++], size);
}

static void below_rejects_what_would_be_uneven(void **state) {
    /* 2^64 mod 3 = 1: number 0 must be drawn again, 1 and 2^64 - 1 not. */
    struct random_script script = {{script_fill}, {0, 1, UINT64_MAX}, 0};
    assert_int_equal(random_below(&script.base, 3), 1);
    assert_int_equal(script.next, 2);
    assert_int_equal(random_below(&script.base, 3), 0);
    struct random_seeded random;
    random_seeded_init(&random, 1);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++)
        counts[random_below(&random.base, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&random.base, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_never_draw_the_same),
        cmocka_unit_test(a_child_draws_something_else),
        cmocka_unit_test(any_size_is_filled_whole),
        cmocka_unit_test(the_seeded_sequence_is_the_published_one),
        cmocka_unit_test(a_seed_repeats_and_another_does_not),
        cmocka_unit_test(below_rejects_what_would_be_uneven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
