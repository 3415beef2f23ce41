/* An order store that fails on demand: rows and apply ask the faults, everything else goes straight through. */
#ifndef ORDERLY_TESTS_SUPPORT_FAULTY_STORE_H
#define ORDERLY_TESTS_SUPPORT_FAULTY_STORE_H

#include "order_store/order_store.h"
#include "support/faults.h"

/* inner and faults are borrowed. Its close frees the wrapper alone. */
struct order_store *faulty_store_new(struct order_store *inner, struct faults *faults);

#endif
