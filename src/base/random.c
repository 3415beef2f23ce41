/* The system's randomness, buffered per thread, and a seeded generator for tests. */
#include "base/random.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"

/* One call of the kernel costs about as much for 512 bytes as for 16, and a UUID takes 10 to 16. */
#define SYSTEM_BUFFER_SIZE 512

/* Each thread's own: the last left_size bytes have not been given out. */
struct system_buffer {
    size_t left_size;
    uint8_t bytes[SYSTEM_BUFFER_SIZE];
};
static _Thread_local struct system_buffer system_buffer;

/* In the child only the forking thread lives on, and its buffer is the one that must not be given out twice. */
static void system_discard(void) {
    sodium_memzero(&system_buffer, sizeof system_buffer);
}

static void system_start(void) {
    if (sodium_init() < 0 || pthread_atfork(NULL, NULL, system_discard) != 0) abort();
}

static void system_fill(struct random *random, void *out, size_t size) {
    struct system_buffer *buffer = &system_buffer;
    if (size > sizeof buffer->bytes / 4) {
        randombytes_buf(out, size);
        return;
    }
    if (size > buffer->left_size) {
        randombytes_buf(buffer->bytes, sizeof buffer->bytes);
        buffer->left_size = sizeof buffer->bytes;
    }
    uint8_t *from = buffer->bytes + sizeof buffer->bytes - buffer->left_size;
    memcpy(out, from, size);
    memset(from, 0, size); /* what was given out can no longer be read here */
    buffer->left_size -= size;
}

struct random *random_system(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static struct random system = {system_fill};
    pthread_once(&once, system_start);
    return &system;
}

uint64_t random_below(struct random *random, uint64_t bound) {
    /* 2^64 modulo bound: the numbers below it are the ones that would make small results more likely. */
    uint64_t rejected = -bound % bound;
    uint64_t number;
    do {
        random_fill(random, &number, sizeof number);
    } while (number < rejected);
    return number % bound;
}

/* Little-endian whatever the machine, so that a seed repeats a run everywhere. */
static void seeded_fill(struct random *random, void *out, size_t size) {
    struct random_seeded *seeded = CONTAINER_OF(random, struct random_seeded, base);
    uint8_t *to = out;
    for (size_t i = 0; i < size;) {
        uint64_t word = random_seeded_next(seeded);
        for (int byte = 0; byte < 8 && i < size; byte++, i++)
            to[i] = (uint8_t)(word >> (8 * byte));
    }
}

/* The seed is spread over the state by SplitMix64, as the authors advise: the state must not be all zero. */
void random_seeded_init(struct random_seeded *random, uint64_t seed) {
    random->base.fill = seeded_fill;
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = z ^ z >> 31;
    }
}
