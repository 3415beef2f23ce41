/* A bump allocator: many small allocations that end together (one request, one batch).
 *
 * Not thread-safe. Memory comes in blocks from malloc; a reset keeps the first block. The size limit makes every
 * arena bounded: above it arena_alloc returns NULL, as it does when malloc fails. */
#ifndef ORDERLY_BASE_ARENA_H
#define ORDERLY_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;
struct arena {
    struct arena_block *first;   /* kept by arena_reset */
    struct arena_block *current; /* allocations come from here */
    size_t block_size;
    size_t limit_size; /* bytes from malloc, at most */
    size_t total_size; /* bytes from malloc, now */
};

/* Prepares an empty arena; allocates nothing. block_size and limit_size in bytes. */
void arena_init(struct arena *arena, size_t block_size, size_t limit_size);

/* Returns size bytes, aligned for any type and not cleared, or NULL: out of memory or above the limit. */
void *arena_alloc(struct arena *arena, size_t size);

/* Like arena_alloc for count items of size bytes, cleared; NULL also when the product overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* Copies the bytes into the arena; STATUS-free: .data is NULL on failure (never for success, even of size 0). */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);

/* Ends all allocations; keeps the first block for reuse. */
void arena_reset(struct arena *arena);

/* Ends all allocations and gives all memory back. The arena may be used again. */
void arena_free(struct arena *arena);

#endif
