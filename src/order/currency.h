/* The currencies a client may name. */
#ifndef ORDERLY_ORDER_CURRENCY_H
#define ORDERLY_ORDER_CURRENCY_H

#include "base/bytes.h"

/* True for a code on the active list of ISO 4217 ("EUR"; capital letters only). */
bool currency_is_active(struct bytes code);

#endif
