/* Space-Saving: the most frequent keys of a stream in bounded memory (Metwally, Agrawal, El Abbadi: "Efficient
 * Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005). In place of their sorted Stream-Summary the counters
 * are unsorted, which costs less (why, and why it is right: space_saving.c).
 *
 * With m counters, after n touches, for every key: if it is counted, true <= count and count - error <= true; if it is not
 * counted, true <= n / m. So each key with more than n / m touches is among the counted ones, and error <= n / m.
 *
 * A key is 16 bytes (a UUID, or a number in its last eight); they are hashed with a secret seed, so that nobody can
 * choose keys that collide. Touching allocates nothing. n touches take O(n) in any order of keys; one of them looks at all m
 * counters twice at most (about a microsecond). One thread at a time. */
#ifndef ORDERLY_HOTKEY_SPACE_SAVING_H
#define ORDERLY_HOTKEY_SPACE_SAVING_H

#include <stddef.h>
#include <stdint.h>

#define SPACE_SAVING_COUNTERS 1024     /* m */
#define SPACE_SAVING_SIZE_MAX 65536    /* bytes of memory: 64 a counter */
#define SPACE_SAVING_TOUCHES_MAX UINT32_MAX /* in one window; further ones are not counted */

struct space_saving;

struct space_saving_key {
    uint64_t high, low;
};

struct space_saving_entry {
    struct space_saving_key key;
    uint32_t count; /* at least the true one */
    uint32_t error; /* count - error: at most the true one */
};

/* NULL: no memory. */
struct space_saving *space_saving_new(uint64_t hash_seed);
void space_saving_free(struct space_saving *summary);

/* Forgets all: a new window. */
void space_saving_reset(struct space_saving *summary);

void space_saving_touch(struct space_saving *summary, struct space_saving_key key);

/* Touches since the last reset. */
uint64_t space_saving_total(const struct space_saving *summary);

/* The counted keys by falling count (equal ones by key), at most max of them; returns how many were written. */
size_t space_saving_top(const struct space_saving *summary, struct space_saving_entry *entries_out, size_t max);

/* Adds what another one has counted (Agarwal et al.: "Mergeable Summaries", PODS 2012): the bounds above hold for the sum
 * with n the sum of both totals. */
void space_saving_merge(struct space_saving *into, const struct space_saving *from);

size_t space_saving_size_bytes(void); /* of one summary, all of it */

#endif
