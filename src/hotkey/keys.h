/* Which key an operation takes: distributions over ranks, and the shuffle that scatters ranks over the keys.
 *
 * A draw takes one random number of 64 bits and no loop, so that each operation uses up the same part of its client's
 * sequence whatever the distribution is.
 *
 * Zipf's law: rank r (from 1) has a probability in proportion to 1/r^s. Gray et al. ("Quickly Generating Billion-Record
 * Synthetic Databases", SIGMOD 1994), whose method YCSB uses, approximate its inverse for 0 < s < 1 only; it divides by zero
 * at s = 1. Here the probabilities are put into a table that is drawn from by Walker's alias method (as Vose builds it:
 * "A Linear Algorithm for Generating Random Numbers with a Given Distribution", IEEE TSE 1991): right for every s >= 0,
 * to 2^-32 of a key's share, in 8 bytes for each key.
 *
 * As YCSB does, ranks are scrambled, so that popular keys are not neighbours. YCSB hashes the rank modulo the number of
 * keys, by which some ranks fall onto one key and a third of the keys is never taken; here a permutation scatters them, so
 * each rank is one key, and frequencies follow the law exactly. */
#ifndef ORDERLY_HOTKEY_KEYS_H
#define ORDERLY_HOTKEY_KEYS_H

#include "base/random.h"
#include "base/status.h"

/* A slot of the alias table: its own rank up to the threshold, else the alias. */
struct alias_slot {
    uint32_t threshold, alias;
};

/* Draws ranks from 0; the lowest is the most probable. */
struct rank_sampler {
    uint32_t count;
    struct alias_slot *slots; /* NULL: all ranks alike */
};

/* s: 0 or more. NO_MEMORY. */
enum status rank_sampler_init(struct rank_sampler *sampler, uint32_t count, double s);
void rank_sampler_free(struct rank_sampler *sampler);

/* Inline: one for each operation. The upper half of number x count is the slot, the lower the place in it (uniform but for
 * count / 2^64). */
static inline uint32_t rank_sampler_draw(const struct rank_sampler *sampler, uint64_t number) {
    unsigned __int128 product = (unsigned __int128)number * sampler->count;
    uint32_t slot = (uint32_t)(product >> 64), place = (uint32_t)((uint64_t)product >> 32);
    if (!sampler->slots) return slot;
    return place < sampler->slots[slot].threshold ? slot : sampler->slots[slot].alias;
}

/* YCSB's hotspot: the first fifth of the keys gets four fifths of the operations. */
#define HOTSPOT_KEYS 0.2
#define HOTSPOT_OPERATIONS 0.8
uint32_t hotspot_draw(uint32_t keys, uint64_t number);

/* A random permutation of 0 to count - 1 and its inverse (Fisher and Yates). */
struct shuffle {
    uint32_t count;
    uint32_t *key_of, *place_of; /* key_of[place_of[key]] == key */
};
enum status shuffle_init(struct shuffle *shuffle, uint32_t count, struct random_seeded *random);
void shuffle_free(struct shuffle *shuffle);

#endif
