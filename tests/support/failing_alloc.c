/* Counts allocations down to the one that is to fail. */
#include "support/failing_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* The linker sends calls of malloc to __wrap_malloc, and __real_malloc to malloc. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static _Atomic bool is_armed, has_failed;
static _Atomic long countdown;

void failing_alloc_arm(long n) {
    has_failed = false;
    countdown = n;
    is_armed = true;
}

bool failing_alloc_disarm(void) {
    is_armed = false;
    return has_failed;
}

static bool must_fail(void) {
    if (!is_armed || atomic_fetch_sub(&countdown, 1) != 1) return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return must_fail() ? NULL : __real_realloc(memory, size);
}
