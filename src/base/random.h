/* Randomness as a parameter: the kernel's in the program, a seeded sequence in tests. */
#ifndef ORDERLY_BASE_RANDOM_H
#define ORDERLY_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*fill)(struct random *random, void *out, size_t size);
};

static inline void random_fill(struct random *random, void *out, size_t size) {
    random->fill(random, out, size);
}

/* A uniform number below bound (> 0), without modulo bias. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Unpredictable bytes (libsodium's randombytes, buffered per thread where that is faster). Any thread. Never fails:
 * aborts if the kernel has no randomness. */
struct random *random_system(void);

/* A repeatable sequence from a seed (xoshiro256**, Blackman and Vigna 2018). One thread at a time. Not for secrets. */
struct random_seeded {
    struct random base;
    uint64_t state[4];
};
void random_seeded_init(struct random_seeded *random, uint64_t seed);

/* The next eight bytes of the sequence as a little-endian number. Inline: a load generator draws several for each operation. */
static inline uint64_t random_seeded_next(struct random_seeded *random) {
    uint64_t *s = random->state;
    uint64_t scrambled = s[1] * 5, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return (scrambled << 7 | scrambled >> 57) * 9;
}

#endif
