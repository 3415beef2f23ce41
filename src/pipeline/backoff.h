/* How long to wait before the next try: growing, and jittered so that many waiters do not come back together. */
#ifndef ORDERLY_PIPELINE_BACKOFF_H
#define ORDERLY_PIPELINE_BACKOFF_H

#include "base/random.h"

/* The wait in ms before try `attempt` (from 1): min_ms doubled with each attempt, at most max_ms, of which a random
 * half is taken off. Never below 1. */
int64_t backoff_ms(int min_ms, int max_ms, unsigned attempt, struct random *random);

#endif
