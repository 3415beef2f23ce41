/* The arena: a list of malloc blocks, allocations cut from the current one from front to back. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define ARENA_ALIGNMENT alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t capacity; /* of data */
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t block_size, size_t limit_size) {
    *arena = (struct arena){.block_size = block_size, .limit_size = limit_size};
}

static size_t block_room(const struct arena_block *block) {
    return block ? block->capacity - block->used : 0;
}

static void *block_cut(struct arena_block *block, size_t size) {
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

/* Adds a block with room for at least size bytes: a whole block_size if the limit allows it. NULL if it does not fit.
 */
static struct arena_block *arena_grow(struct arena *arena, size_t size) {
    size_t left_size = arena->limit_size - arena->total_size;
    if (left_size < sizeof(struct arena_block) || left_size - sizeof(struct arena_block) < size) return NULL;
    size_t malloc_size = sizeof(struct arena_block) + size;
    if (malloc_size < arena->block_size && arena->block_size <= left_size) malloc_size = arena->block_size;
    struct arena_block *block = malloc(malloc_size);
    if (!block) return NULL;
    *block = (struct arena_block){.capacity = malloc_size - sizeof *block};
    arena->total_size += malloc_size;
    if (arena->current) {
        block->next = arena->current->next;
        arena->current->next = block;
    } else {
        arena->first = arena->current = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ARENA_ALIGNMENT) return NULL;
    if (size == 0) size = 1; /* so that the pointer is inside a block, never NULL */
    size = (size + ARENA_ALIGNMENT - 1) & ~(ARENA_ALIGNMENT - 1);
    if (size <= block_room(arena->current)) return block_cut(arena->current, size);
    struct arena_block *block = arena_grow(arena, size);
    if (!block) return NULL;
    void *memory = block_cut(block, size);
    /* One large allocation must not end the use of a block that still has more room. */
    if (block_room(block) > block_room(arena->current)) arena->current = block;
    return memory;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
    size_t total_size;
    if (__builtin_mul_overflow(count, size, &total_size)) return NULL;
    void *memory = arena_alloc(arena, total_size);
    if (memory) memset(memory, 0, total_size);
    return memory;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes) {
    char *copy = arena_alloc(arena, bytes.size);
    if (!copy) return (struct bytes){NULL, 0};
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    return (struct bytes){copy, bytes.size};
}

static void arena_free_list(struct arena *arena, struct arena_block *block) {
    while (block) {
        struct arena_block *next = block->next;
        arena->total_size -= sizeof *block + block->capacity;
        free(block);
        block = next;
    }
}

void arena_reset(struct arena *arena) {
    if (!arena->first) return;
    arena_free_list(arena, arena->first->next);
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->current = arena->first;
}

void arena_free(struct arena *arena) {
    if (!arena) return;
    arena_free_list(arena, arena->first);
    arena->first = arena->current = NULL;
}
