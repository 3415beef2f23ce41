/* Exponential back-off with "equal jitter": the upper half of the wait is random, so a wait is never close to zero. */
#include "pipeline/backoff.h"

int64_t backoff_ms(int min_ms, int max_ms, unsigned attempt, struct random *random) {
    int64_t wait_ms = min_ms > 0 ? min_ms : 1;
    for (unsigned i = 1; i < attempt && wait_ms < max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > max_ms) wait_ms = max_ms;
    if (wait_ms < 2) return 1;
    return wait_ms - (int64_t)random_below(random, (uint64_t)(wait_ms / 2 + 1));
}
