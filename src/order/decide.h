/* The decision: from a command, its position in the log, history row e (the version it expects) and row e+1 alone.
 *
 * Nothing else goes in, no clock, no state: a replay, a late consumer and the first run always agree. The argument is
 * in docs/decisions/0001-crash-walk.md. Pure C, no I/O. */
#ifndef ORDERLY_ORDER_DECIDE_H
#define ORDERLY_ORDER_DECIDE_H

#include "order/command.h"

#define HISTORY_POSITION_RESTORED (-1) /* a restored row counts as written before everything */

/* One version of an order, and what wrote it. */
struct history_row {
    struct order order;
    int64_t position; /* offset of the command in its partition, or HISTORY_POSITION_RESTORED */
    struct uuid command_id, attempt_id;
    uint8_t fingerprint[COMMAND_FINGERPRINT_SIZE];
};

enum verdict {
    VERDICT_CREATED,   /* 201: row 1 is this command's (now, or by an earlier attempt) */
    VERDICT_APPLIED,   /* 200: row e+1 is this command's */
    VERDICT_UNCHANGED, /* 200: the order already had the target status */
    VERDICT_REJECTED,  /* see reason */
    VERDICT_COUNT
};

enum reason {
    REASON_NONE,
    REASON_VERSION_AHEAD,      /* 409: the expected version did not exist at the command's position */
    REASON_VERSION_CONFLICT,   /* 409: another command made the next version */
    REASON_ORDER_EXISTS,       /* 409: a create, but the order exists */
    REASON_ILLEGAL_TRANSITION, /* 409: the table does not allow the step */
    REASON_NOT_AMENDABLE,      /* 409: too late to amend */
    REASON_TOTAL_TOO_LARGE,    /* 422: the amended total is above the limit */
    REASON_KEY_REUSED,         /* 422: same command id, other payload */
    REASON_VERSION_LIMIT,      /* 409: ORDER_VERSION_MAX reached */
    REASON_COUNT
};

struct decision {
    enum verdict verdict;
    enum reason reason;
    /* True if row e+1 must be written: decided now, or recognised as decided before (then `row` is the stored row and
     * writing it again changes nothing). */
    bool write;
    bool repeat; /* row e+1 was found, not made */
    /* The row to write, if write. Points into the command and the rows given. */
    struct history_row row;
    /* The order to show beside the verdict: row e+1's for CREATED and APPLIED, the one with the target status for
     * UNCHANGED, row e's for REJECTED (row e+1's for ORDER_EXISTS and KEY_REUSED, NULL for VERSION_AHEAD). Points
     * into `row` of this struct or into the rows given: do not copy the struct and keep the pointer. */
    const struct order *shown;
};

/* Decides. row_e: NULL if absent (always NULL for a create); row_next: row e+1, NULL if absent. position: the
 * command's offset. The rows must be of the command's order and of versions e and e+1. */
void decide(const struct command *command, int64_t position, const struct history_row *row_e,
            const struct history_row *row_next, struct decision *decision_out);

/* "created"...; "version_conflict"...; and the HTTP status code of a verdict (201, 200, 409, 422). */
const char *verdict_name(enum verdict verdict);
enum status verdict_parse(struct bytes name, enum verdict *verdict_out);
const char *reason_name(enum reason reason);
enum status reason_parse(struct bytes name, enum reason *reason_out);
const char *reason_text(enum reason reason); /* one sentence for people */
int verdict_http_status(enum verdict verdict, enum reason reason);

/* True if this attempt is the one that the row names: then the event's id is "order id/version". */
static inline bool history_row_is_attempt(const struct history_row *row, const struct command *command) {
    return uuid_equal(&row->attempt_id, &command->attempt_id);
}

#endif
