/* All verdicts that order-events holds, by attempt: every attempt at least one, and all of one attempt the same. */
#ifndef ORDERLY_TESTS_SUPPORT_VERDICTS_H
#define ORDERLY_TESTS_SUPPORT_VERDICTS_H

#include "support/rig.h"

struct verdict_of_attempt {
    struct uuid attempt_id;
    struct event event; /* of the first one */
    struct bytes id, type;
    struct bytes value; /* the whole message, with offset 0 */
    size_t count;       /* events of this attempt */
};

struct verdicts {
    struct verdict_of_attempt *list; /* by attempt id */
    size_t count;
    bool all_agree;   /* whatever their number, the events of one attempt say the same */
    size_t malformed; /* messages that do not read, or whose headers contradict their value */
};

/* Reads the events from the given offsets on (NULL: all). In the arena. */
struct verdicts verdicts_read(struct rig *rig, const int64_t *positions, struct arena *arena);

/* NULL: there is none. */
const struct verdict_of_attempt *verdicts_find(const struct verdicts *verdicts, const struct uuid *attempt_id);

#endif
