/* One round of the model test: some sequences of random commands, interleaved in one log, with the model's verdicts. */
#ifndef ORDERLY_TESTS_MODEL_MODEL_ROUND_H
#define ORDERLY_TESTS_MODEL_MODEL_ROUND_H

#include "model/order_model.h"
#include "support/rig.h"

#define ROUND_SEQUENCES 20
#define SEQUENCE_ORDERS_MAX 3
#define SEQUENCE_COMMANDS_MAX 24
#define ROUND_ORDERS_MAX (ROUND_SEQUENCES * SEQUENCE_ORDERS_MAX)
#define ROUND_COMMANDS_MAX (ROUND_SEQUENCES * SEQUENCE_COMMANDS_MAX)
#define ROUND_TIME_MS 100000 /* each round has its own window of created_at, so that its listings stand alone */
#define CUSTOMER_COUNT 4

struct round_order {
    struct uuid order_id;
    bool is_minted; /* its id was made by the API: its first create says so */
    struct model_order model;
};

struct round_command {
    struct model_command model;
    struct model_verdict expected;
    struct uuid command_id, attempt_id;
    int64_t offset; /* once it is in the log */
};

struct round {
    uint64_t seed;
    struct random_seeded random;
    int64_t begin_ms;
    struct round_order orders[ROUND_ORDERS_MAX];
    int order_count;
    struct round_command commands[ROUND_COMMANDS_MAX]; /* in the order of the log */
    int command_count;
    struct uuid command_ids[ROUND_COMMANDS_MAX]; /* by key */
    int key_count;
};

/* Makes the round of that seed, and lets the model tell it. */
void round_generate(struct round *round, uint64_t seed, int64_t begin_ms);

/* The command as it goes into the log. */
struct command round_command_of(const struct round *round, const struct round_command *from);

/* The order that the model has at that version. */
struct order round_order_of(const struct round *round, const struct round_order *from, int version);

const char *round_customer(int customer);

/* The commands of one order with their verdicts, for a person. */
void round_print_order(const struct round *round, int order);

#endif
