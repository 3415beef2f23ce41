/* Space-Saving in one block of memory.
 *
 * The paper keeps its counters sorted (Stream-Summary), by which each touch moves one through lists. All that touching
 * needs, though, is any counter of the least count, and only when a new key comes. So the counters lie unsorted, and a
 * cursor goes over them in passes: each counter that still has the least count when the cursor comes by is given up to
 * the next new key. Counts only rise, so at the end of a pass none has the old least count any more; the new one is
 * looked for, and the next pass begins. A pass costs 2 m steps and raises the least count by one or more, and the least
 * count is never above n / m: all passes of n touches together cost 2 n steps at most, two for each touch. Measured
 * with bench/lab_detector, a touch costs 2, 14 and 8 ns (one hot key, Zipf, uniform) where the sorted lists took 8, 18
 * and 13.
 *
 * Unused counters have count 0: taking one is giving up a counter of count 0.
 *
 * Why the bounds hold, also after merging: let min be the least count. (1) The counts sum up to n at most: each touch
 * adds one to both. (2) So min <= n / m. (3) The true count of a key that is not counted is at most min: it was at most
 * the least count when it was given up, and min never falls. (4) A key that takes a counter gets error = min, the most
 * that it can have had before. For merging see below. */
#include "hotkey/space_saving.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS SPACE_SAVING_COUNTERS
#define TABLE_BITS 12 /* four times as many chains as counters: hardly any is longer than one */
#define TABLE_SIZE (1 << TABLE_BITS)
#define NONE UINT16_MAX
#define SECRETS 5

/* Counter i has counts[i], errors[i], keys[i] and a link in the table: each in an array of its own, as most touches
 * need the key and the count alone, and the cursor the counts alone. */
struct space_saving {
    uint64_t secrets[SECRETS];
    uint32_t total;
    uint32_t least;                /* count: no counter has less */
    uint32_t cursor;               /* no counter before it has the least count */
    uint32_t counts[COUNTERS + 1]; /* the last one has the least count, to stop the cursor */
    uint32_t errors[COUNTERS];
    struct space_saving_key keys[COUNTERS];
    uint16_t hashes[COUNTERS];
    uint16_t chains[COUNTERS];  /* the next one with the same hash, or NONE */
    uint16_t table[TABLE_SIZE]; /* the first one of each chain, or NONE */
};

_Static_assert(sizeof(struct space_saving) <= SPACE_SAVING_SIZE_MAX, "the memory that the header promises");
_Static_assert(COUNTERS < NONE, "counters are numbered by 16 bits");

/* Multilinear hashing with half the multiplications ("Strongly universal string hashing is fast", Lemire and Kaser,
 * 2014) of the key's four words of 32 bits: over the secrets, any two keys fall together with a chance of one in
 * TABLE_SIZE. */
static inline uint16_t hash_of(const struct space_saving *summary, struct space_saving_key key) {
    const uint64_t *secrets = summary->secrets;
    uint64_t sum = secrets[0] + (secrets[1] + (uint32_t)key.high) * (secrets[2] + (key.high >> 32)) +
                   (secrets[3] + (uint32_t)key.low) * (secrets[4] + (key.low >> 32));
    return (uint16_t)(sum >> (64 - TABLE_BITS));
}

/* --- life --- */

/* SplitMix64, by Vigna. */
static void set_secrets(struct space_saving *summary, uint64_t seed) {
    for (int i = 0; i < SECRETS; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        summary->secrets[i] = z ^ z >> 31;
    }
}

struct space_saving *space_saving_new(uint64_t hash_seed) {
    struct space_saving *summary = malloc(sizeof *summary);
    if (!summary) return NULL;
    set_secrets(summary, hash_seed);
    space_saving_reset(summary);
    return summary;
}

void space_saving_free(struct space_saving *summary) {
    free(summary);
}

void space_saving_reset(struct space_saving *summary) {
    summary->total = summary->least = summary->cursor = 0;
    memset(summary->counts, 0, sizeof summary->counts);
    memset(summary->table, 0xff, sizeof summary->table); /* NONE */
}

uint64_t space_saving_total(const struct space_saving *summary) {
    return summary->total;
}

size_t space_saving_size_bytes(void) {
    return sizeof(struct space_saving);
}

/* --- the table --- */

static bool key_equal(struct space_saving_key a, struct space_saving_key b) {
    return ((a.high ^ b.high) | (a.low ^ b.low)) == 0;
}

static inline uint16_t table_find(const struct space_saving *summary, uint16_t hash, struct space_saving_key key) {
    uint16_t at = summary->table[hash];
    while (at != NONE && !key_equal(summary->keys[at], key))
        at = summary->chains[at];
    return at;
}

static inline void table_add(struct space_saving *summary, uint16_t hash, uint16_t number) {
    summary->hashes[number] = hash;
    summary->chains[number] = summary->table[hash];
    summary->table[hash] = number;
}

static inline void table_remove(struct space_saving *summary, uint16_t number) {
    uint16_t *link = &summary->table[summary->hashes[number]];
    while (*link != number)
        link = &summary->chains[*link];
    *link = summary->chains[number];
}

/* --- touching --- */

static uint32_t least_count(const struct space_saving *summary) {
    uint32_t least = UINT32_MAX;
    for (uint32_t number = 0; number < COUNTERS; number++)
        least = summary->counts[number] < least ? summary->counts[number] : least;
    return least;
}

static uint32_t skip_to_least(const struct space_saving *summary, uint32_t at) {
    while (summary->counts[at] != summary->least)
        at++;
    return at;
}

/* A counter of the least count, which is about to be raised. */
static inline uint16_t next_least(struct space_saving *summary) {
    uint32_t at = skip_to_least(summary, summary->cursor);
    if (at == COUNTERS) { /* the pass is over, and a new one finds one at least */
        summary->least = summary->counts[COUNTERS] = least_count(summary);
        at = skip_to_least(summary, 0);
    }
    summary->cursor = at + 1;
    return (uint16_t)at;
}

void space_saving_touch(struct space_saving *summary, struct space_saving_key key) {
    if (summary->total == SPACE_SAVING_TOUCHES_MAX) return;
    summary->total++;
    uint16_t hash = hash_of(summary, key), number = table_find(summary, hash, key);
    if (number == NONE) {
        number = next_least(summary);
        if (summary->counts[number] > 0) table_remove(summary, number);
        summary->keys[number] = key;
        summary->errors[number] = summary->counts[number];
        table_add(summary, hash, number);
    }
    summary->counts[number]++;
}

/* --- asking --- */

/* By falling count, equal ones by key. */
static int compare_entries(const void *a, const void *b) {
    const struct space_saving_entry *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    if (x->key.high != y->key.high) return x->key.high < y->key.high ? -1 : 1;
    return (x->key.low > y->key.low) - (x->key.low < y->key.low);
}

/* All that are in use; returns how many. */
static size_t collect(const struct space_saving *summary, struct space_saving_entry *entries) {
    size_t count = 0;
    for (uint32_t number = 0; number < COUNTERS; number++)
        if (summary->counts[number] > 0)
            entries[count++] =
                (struct space_saving_entry){summary->keys[number], summary->counts[number], summary->errors[number]};
    return count;
}

size_t space_saving_top(const struct space_saving *summary, struct space_saving_entry *entries_out, size_t max) {
    struct space_saving_entry entries[COUNTERS];
    size_t count = collect(summary, entries);
    qsort(entries, count, sizeof *entries, compare_entries);
    if (count > max) count = max;
    memcpy(entries_out, entries, count * sizeof *entries);
    return count;
}

/* --- merging --- */

/* A key that only one of two summaries counts may have been touched up to the other's min times there: its count and
 * its error grow by that min. Of all keys the m with the highest counts remain.
 *
 * With M the sum of both mins, each count is then M + c, where c sums up what exceeds the mins; all c together are at
 * most n - m M, since the counts were at most n. So the m counts that remain sum up to m M + (n - m M) = n at most: (1)
 * above, and with it (2). A key that is in neither had at most M touches, and one that was cut no more than the least
 * count that remains: (3). A new error is at most n1 / m + n2 / m. */
static uint32_t add_limited(uint32_t a, uint32_t b) {
    uint32_t sum = a + b;
    return sum < a ? UINT32_MAX : sum;
}

/* Adds to the entries of one summary what another one knows of their keys. */
static void add_known(struct space_saving_entry *entries, size_t count, const struct space_saving *other) {
    uint32_t least = least_count(other);
    for (size_t i = 0; i < count; i++) {
        uint16_t number = table_find(other, hash_of(other, entries[i].key), entries[i].key);
        entries[i].count = add_limited(entries[i].count, number != NONE ? other->counts[number] : least);
        entries[i].error = add_limited(entries[i].error, number != NONE ? other->errors[number] : least);
    }
}

/* Leaves those out that `other` counts too. */
static size_t drop_known(struct space_saving_entry *entries, size_t count, const struct space_saving *other) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (table_find(other, hash_of(other, entries[i].key), entries[i].key) == NONE) entries[kept++] = entries[i];
    return kept;
}

/* Fills an empty summary with at most COUNTERS entries. Its least count is still 0: the first pass looks for counters
 * that are not in use, and ends where there are none. */
static void rebuild(struct space_saving *summary, const struct space_saving_entry *entries, size_t count) {
    for (size_t number = 0; number < count; number++) {
        summary->keys[number] = entries[number].key;
        summary->counts[number] = entries[number].count;
        summary->errors[number] = entries[number].error;
        table_add(summary, hash_of(summary, entries[number].key), (uint16_t)number);
    }
}

void space_saving_merge(struct space_saving *into, const struct space_saving *from) {
    struct space_saving_entry entries[2 * COUNTERS];
    size_t count = collect(into, entries);
    size_t more = drop_known(entries + count, collect(from, entries + count), into);
    add_known(entries, count, from);
    add_known(entries + count, more, into);
    count += more;
    qsort(entries, count, sizeof *entries, compare_entries);
    uint32_t total = add_limited(into->total, from->total);
    space_saving_reset(into);
    into->total = total;
    rebuild(into, entries, count < COUNTERS ? count : COUNTERS);
}
