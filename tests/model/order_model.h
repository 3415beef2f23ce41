/* The plain model: the life of one order as a story, told once, in the order of the log, by somebody who has never seen
 * order/decide.c. No rows, no positions, no replays: only "what is the order now, and what does this command do to it".
 *
 * Contents are small numbers (which customer, which basket of items, which metadata); the test turns them into texts.
 */
#ifndef ORDERLY_TESTS_MODEL_ORDER_MODEL_H
#define ORDERLY_TESTS_MODEL_ORDER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_VERSIONS_MAX 64
#define MODEL_UNSET (-1) /* an amend leaves it as it is */

enum model_kind { MODEL_CREATE, MODEL_TRANSITION, MODEL_AMEND };

struct model_command {
    enum model_kind kind;
    int order;    /* index of the order */
    int key;      /* the command id: attempts under one key share it */
    int attempt;  /* unique */
    int expected; /* version; 0 for a create */
    bool minted;
    int64_t time_ms;
    int customer, basket, metadata; /* create: all; amend: those set */
    const char *target;             /* transition: a status name */
};

struct model_version {
    int key, attempt; /* of what made it */
    struct model_command payload;
    int customer, basket, metadata;
    const char *status;
    int64_t created_ms, updated_ms;
};

struct model_order {
    int count;                                             /* versions; 0: it does not exist */
    struct model_version versions[MODEL_VERSIONS_MAX + 1]; /* from 1 */
};

struct model_verdict {
    const char *verdict, *reason; /* by the names of the API: "created" "none", "rejected" "version_conflict" */
    int shown;                    /* version shown beside it; 0: none */
};

/* Tells the next line of the story. basket_is_too_dear: the total of the amend's basket is above the limit. */
struct model_verdict model_tell(struct model_order *order, const struct model_command *command,
                                bool basket_is_too_dear);

/* "created" to "refunded", in no particular sense of order. */
extern const char *const model_statuses[8];

#endif
