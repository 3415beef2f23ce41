/* Commands: what the API appends to order-commands, and what the pipeline decides.
 *
 * The value of a message is JSON with "schema": 1; its key is the order id as text. A command is immutable; what it
 * leads to follows from it, its position in the log and two history rows alone (order/decide.h). */
#ifndef ORDERLY_ORDER_COMMAND_H
#define ORDERLY_ORDER_COMMAND_H

#include "order/order.h"

#ifndef COMMAND_SCHEMA /* a test builds a program that knows one more */
#define COMMAND_SCHEMA 1
#endif
#define COMMAND_TEXT_MAX (ORDER_TEXT_MAX + 4096)
#define COMMAND_FINGERPRINT_SIZE 16

enum command_kind { COMMAND_CREATE, COMMAND_TRANSITION, COMMAND_AMEND, COMMAND_KIND_COUNT };

enum { AMEND_CUSTOMER_NAME = 1, AMEND_ITEMS = 2, AMEND_METADATA = 4 };

struct command {
    enum command_kind kind;
    uint32_t rules; /* the transition table it is decided by */
    struct uuid order_id;
    struct uuid command_id; /* the same for every attempt under one Idempotency-Key, else random */
    struct uuid attempt_id; /* unique per append */
    uint8_t fingerprint[COMMAND_FINGERPRINT_SIZE]; /* of the payload: command_fingerprint */
    uint32_t expected_version; /* 0 for a create */
    int64_t time_ms;           /* when the API accepted it */
    /* A create whose id this request minted and which is appended for the first time: no row can exist yet, so it is
     * written without a read. Must be false when an append of unknown outcome is repeated. */
    bool minted;
    /* CREATE: customer_name, items, metadata, currency, total. AMEND: those in amend_set. */
    struct order order;
    unsigned amend_set;
    enum order_status target; /* TRANSITION */
};

/* "create", "transition", "amend". */
const char *command_kind_name(enum command_kind kind);
enum status command_kind_parse(struct bytes name, enum command_kind *kind_out);

/* XXH3-128 over kind and payload (order fields, amend_set, target); ids, versions and times stay out. */
void command_fingerprint(const struct command *command, uint8_t out[COMMAND_FINGERPRINT_SIZE]);

/* Writes the JSON value of the message. */
void command_write(struct buffer *out, const struct command *command);

/* Reads and checks a command in full. INVALID: poison, error says why. UNSUPPORTED: a newer schema or an unknown rules
 * table: a newer program can read it, *schema_out (may be NULL) has its number. NO_MEMORY: give the arena a limit of
 * JSON_ARENA_SIZE at least, so that no message can be the cause. Text points into value and arena. */
enum status command_read(struct bytes value, struct arena *arena, struct command *command_out, uint32_t *schema_out,
                         struct error *error);

#endif
