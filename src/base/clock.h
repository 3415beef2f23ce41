/* Time as a parameter: the system's clock in the program, a hand-moved one in tests. */
#ifndef ORDERLY_BASE_CLOCK_H
#define ORDERLY_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct clock {
    int64_t (*wall_ms)(const struct clock *clock);      /* ms since 1970-01-01T00:00:00Z; may step */
    int64_t (*monotonic_ns)(const struct clock *clock); /* never goes back */
};

static inline int64_t clock_wall_ms(const struct clock *clock) {
    return clock->wall_ms(clock);
}
static inline int64_t clock_monotonic_ns(const struct clock *clock) {
    return clock->monotonic_ns(clock);
}

/* The system's clock. Any thread. */
const struct clock *clock_system(void);

/* A clock that stands still until moved. Any thread may read or move it. */
struct clock_manual {
    struct clock base;
    _Atomic int64_t wall_ms;
    _Atomic int64_t monotonic_ns;
};
void clock_manual_init(struct clock_manual *clock, int64_t wall_ms);
void clock_manual_advance(struct clock_manual *clock, int64_t ms); /* moves both */

/* RFC 3339 in UTC with milliseconds: "2026-11-22T14:07:21.123Z", 24 characters and a NUL.
 * Years 0001 to 9999; other times are clamped to these. */
#define CLOCK_RFC3339_SIZE 25
void clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);

/* Reads any RFC 3339 date-time (offset and 0 to 9 fractional digits; more precision than ms is cut).
 * INVALID otherwise: nothing is written. */
enum status clock_parse_rfc3339(struct bytes text, int64_t *wall_ms_out);

#endif
