/* An order cache that fails on demand: put asks the faults, everything else goes straight through. */
#ifndef ORDERLY_TESTS_SUPPORT_FAULTY_CACHE_H
#define ORDERLY_TESTS_SUPPORT_FAULTY_CACHE_H

#include "order_cache/order_cache.h"
#include "support/faults.h"

/* inner and faults are borrowed. Its close frees the wrapper alone. */
struct order_cache *faulty_cache_new(struct order_cache *inner, struct faults *faults);

#endif
