/* The cache in this process's memory: a sharded LRU. For app/ and tests only. */
#ifndef ORDERLY_ORDER_CACHE_MEMORY_H
#define ORDERLY_ORDER_CACHE_MEMORY_H

#include "base/clock.h"
#include "order_cache/order_cache.h"

/* limit_bytes: of entries with their overhead; the oldest used go first. NULL: no memory. clock is borrowed. */
struct order_cache *order_cache_memory_new(const struct clock *clock, size_t limit_bytes);

#endif
