/* Distributions over ranks by the alias method, and the shuffle of the keys. */
#include "hotkey/keys.h"

#include <math.h>
#include <stdlib.h>

#define PLACES 4294967296.0 /* 2^32 places in a slot */

/* --- Walker's alias method --- */

/* What is built from: each rank's share of a slot's height, and a list of slots, the too small ones from its head, the
 * too large ones from its tail. */
struct alias_work {
    double *height; /* 1: exactly one slot's */
    uint32_t *list;
};

static void set_heights(double *height, uint32_t count, double s) {
    double sum = 0;
    for (uint32_t rank = count; rank-- > 0;) /* the small ones first: nothing is lost beside the large */
        sum += height[rank] = pow(rank + 1.0, -s);
    for (uint32_t rank = 0; rank < count; rank++)
        height[rank] *= count / sum;
}

/* Each too small slot is filled up from a large one, which may be too small itself then. */
static void fill_slots(struct rank_sampler *sampler, const struct alias_work *work) {
    uint32_t count = sampler->count, smalls = 0, larges = 0;
    for (uint32_t slot = 0; slot < count; slot++) {
        sampler->slots[slot] = (struct alias_slot){UINT32_MAX, slot}; /* full, unless it is filled up below */
        if (work->height[slot] < 1)
            work->list[smalls++] = slot;
        else
            work->list[count - ++larges] = slot;
    }
    while (smalls > 0 && larges > 0) {
        uint32_t small = work->list[--smalls], large = work->list[count - larges];
        sampler->slots[small] = (struct alias_slot){(uint32_t)(work->height[small] * PLACES), large};
        work->height[large] -= 1 - work->height[small];
        if (work->height[large] >= 1) continue;
        larges--;
        work->list[smalls++] = large;
    }
}

enum status rank_sampler_init(struct rank_sampler *sampler, uint32_t count, double s) {
    *sampler = (struct rank_sampler){.count = count};
    if (s == 0 || count == 1) return STATUS_OK;
    struct alias_work work = {malloc(count * sizeof *work.height), malloc(count * sizeof *work.list)};
    sampler->slots = malloc(count * sizeof *sampler->slots);
    bool has_memory = work.height && work.list && sampler->slots;
    if (has_memory) {
        set_heights(work.height, count, s);
        fill_slots(sampler, &work);
    }
    free(work.height);
    free(work.list);
    if (!has_memory) rank_sampler_free(sampler);
    return has_memory ? STATUS_OK : STATUS_NO_MEMORY;
}

void rank_sampler_free(struct rank_sampler *sampler) {
    free(sampler->slots);
    sampler->slots = NULL;
}

/* --- hotspot --- */

/* A uniform number in [0, 1) to a key of `count`; the check is for what rounds up to 1. */
static uint32_t spread(double uniform, uint32_t count) {
    uint32_t key = (uint32_t)(uniform * count);
    return key < count ? key : count - 1;
}

uint32_t hotspot_draw(uint32_t keys, uint64_t number) {
    uint32_t hot = (uint32_t)ceil(keys * HOTSPOT_KEYS);
    double uniform = (double)(number >> 11) * 0x1p-53;
    if (uniform < HOTSPOT_OPERATIONS || hot == keys) return spread(uniform / HOTSPOT_OPERATIONS, hot);
    return hot + spread((uniform - HOTSPOT_OPERATIONS) / (1 - HOTSPOT_OPERATIONS), keys - hot);
}

/* --- the shuffle --- */

enum status shuffle_init(struct shuffle *shuffle, uint32_t count, struct random_seeded *random) {
    *shuffle =
        (struct shuffle){count, malloc(count * sizeof *shuffle->key_of), malloc(count * sizeof *shuffle->place_of)};
    if (!shuffle->key_of || !shuffle->place_of) {
        shuffle_free(shuffle);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t place = 0; place < count; place++) { /* inside out: the new one changes places with any */
        uint32_t other = (uint32_t)random_below(&random->base, place + 1);
        shuffle->key_of[place] = shuffle->key_of[other];
        shuffle->key_of[other] = place;
    }
    for (uint32_t place = 0; place < count; place++)
        shuffle->place_of[shuffle->key_of[place]] = place;
    return STATUS_OK;
}

void shuffle_free(struct shuffle *shuffle) {
    free(shuffle->key_of);
    free(shuffle->place_of);
    shuffle->key_of = shuffle->place_of = NULL;
}
