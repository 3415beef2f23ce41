/* The embedded order store on LMDB. For app/ and tests only. */
#ifndef ORDERLY_ORDER_STORE_EMBEDDED_H
#define ORDERLY_ORDER_STORE_EMBEDDED_H

#include "base/clock.h"
#include "lmdb/lmdb_env.h"
#include "order_store/order_store.h"

/* env and clock are borrowed and outlive the store. prefix: put before database names, "" for none. */
enum status order_store_embedded_open(struct lmdb_env *env, const struct clock *clock, const char *prefix,
                                      struct metrics *metrics, struct order_store **store_out, struct error *error);

#endif
