/* What the hot-key detector costs: CPU ns for each touch of Space-Saving, hash and window resets included.
 *
 *   lab_detector [RUNS]     prints a line for each stream: medians of RUNS (5) interleaved runs
 *
 * The same keys go through a loop that only reads them and through one that touches them, in turn; the difference is
 * the detector's. Streams: one hot key (as in the profile "default"), Zipf over a million keys, and uniform over a
 * million keys, the worst case, in which nearly every touch gives up a counter. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hotkey/keys.h"
#include "hotkey/space_saving.h"

#define TOUCHES (1 << 22)
#define WINDOW 100000 /* touches between two resets: a second of a busy run */
#define KEYS 1000000
#define RUNS_MAX 101

struct stream {
    const char *name;
    void (*fill)(uint32_t *keys, struct random_seeded *random);
};

static void fill_hot(uint32_t *keys, struct random_seeded *random) {
    for (size_t i = 0; i < TOUCHES; i++)
        keys[i] = random_below(&random->base, 51) > 0 ? 7 : (uint32_t)random_below(&random->base, 10);
}

static void fill_sampled(uint32_t *keys, struct random_seeded *random, double s) {
    struct rank_sampler sampler;
    if (rank_sampler_init(&sampler, KEYS, s) != STATUS_OK) abort();
    for (size_t i = 0; i < TOUCHES; i++)
        keys[i] = rank_sampler_draw(&sampler, random_seeded_next(random)) * 2654435761u; /* scattered */
    rank_sampler_free(&sampler);
}

static void fill_zipf(uint32_t *keys, struct random_seeded *random) {
    fill_sampled(keys, random, 0.99);
}

static void fill_uniform(uint32_t *keys, struct random_seeded *random) {
    fill_sampled(keys, random, 0);
}

static const struct stream streams[] = {
    {"one hot key", fill_hot}, {"zipf 0.99 over 10^6", fill_zipf}, {"uniform over 10^6", fill_uniform}};

static double cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The compiler may not know what becomes of the key, or it would drop the loop. */
static double run_empty(const uint32_t *keys) {
    double start = cpu_ns();
    for (size_t i = 0; i < TOUCHES; i++) {
        struct space_saving_key key = {0, keys[i]};
        __asm__ volatile("" : : "r"(key.low), "r"(key.high));
    }
    return (cpu_ns() - start) / TOUCHES;
}

static double run_touch(const uint32_t *keys, struct space_saving *summary) {
    double start = cpu_ns();
    for (size_t i = 0, left = 0; i < TOUCHES; i++, left--) {
        if (left == 0) {
            space_saving_reset(summary);
            left = WINDOW;
        }
        space_saving_touch(summary, (struct space_saving_key){0, keys[i]});
    }
    return (cpu_ns() - start) / TOUCHES;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

int main(int argc, char **argv) {
    int runs = argc > 1 ? atoi(argv[1]) : 5;
    if (runs < 1 || runs > RUNS_MAX) return 2;
    uint32_t *keys = malloc(TOUCHES * sizeof *keys);
    struct space_saving *summary = space_saving_new(1);
    if (!keys || !summary) return 1;
    printf("%d counters, %zu bytes, windows of %d touches, median of %d\n", SPACE_SAVING_COUNTERS,
           space_saving_size_bytes(), WINDOW, runs);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct random_seeded random;
        random_seeded_init(&random, 1);
        streams[i].fill(keys, &random);
        double empty[RUNS_MAX], touch[RUNS_MAX];
        for (int run = 0; run < runs; run++) {
            empty[run] = run_empty(keys);
            touch[run] = run_touch(keys, summary);
        }
        double empty_ns = median(empty, runs), touch_ns = median(touch, runs);
        printf("%-20s loop %5.2f ns, with touch %6.2f ns: %6.2f ns per touch\n", streams[i].name, empty_ns, touch_ns,
               touch_ns - empty_ns);
    }
    free(keys);
    space_saving_free(summary);
    return 0;
}
