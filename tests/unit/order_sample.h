/* Orders and commands for tests: complete ones, with text that needs escapes. */
#ifndef ORDERLY_TESTS_UNIT_ORDER_SAMPLE_H
#define ORDERLY_TESTS_UNIT_ORDER_SAMPLE_H

#include "order/command.h"

#define SAMPLE_TEXT(text)                                                                                              \
    { text, sizeof(text) - 1 } /* BYTES is no constant for static data */

static const struct order_item sample_items[] = {
    {SAMPLE_TEXT("lamp \"\u00e9\u20ac\""), 2, 1999},
    {SAMPLE_TEXT("bulb"), 10, 0},
};
static const struct order_pair sample_metadata[] = {
    {SAMPLE_TEXT("channel"), SAMPLE_TEXT("web")},
    {SAMPLE_TEXT("note"), SAMPLE_TEXT("line 1\nline 2\t\\")},
};

static inline struct uuid sample_uuid(uint8_t number) {
    struct uuid uuid = {{1, 0x9a, 0x1b, 0x2c, 0x3d, 0x4e, 0x7f, 0x50, 0x81, 0x23, 0, 0, 0, 0, 0, number}};
    return uuid;
}

static inline struct order sample_order(void) {
    return (struct order){
        .order_id = sample_uuid(1),
        .customer_name = BYTES("Ada \U0001F600"),
        .items = sample_items,
        .item_count = 2,
        .metadata = sample_metadata,
        .metadata_count = 2,
        .currency = "EUR",
        .total = 3998,
        .status = ORDER_CONFIRMED,
        .version = 2,
        .created_at_ms = 1795356441123,
        .updated_at_ms = 1795356441999,
    };
}

/* A command of the kind, complete and with its fingerprint. */
static inline struct command sample_command(enum command_kind kind) {
    struct command command = {
        .kind = kind,
        .rules = ORDER_RULES_CURRENT,
        .order_id = sample_uuid(1),
        .command_id = sample_uuid(2),
        .attempt_id = sample_uuid(3),
        .expected_version = kind == COMMAND_CREATE ? 0 : 3,
        .time_ms = 1795356441123,
        .minted = kind == COMMAND_CREATE,
    };
    struct order order = sample_order();
    if (kind == COMMAND_TRANSITION) command.target = ORDER_PAID;
    if (kind == COMMAND_AMEND) command.amend_set = AMEND_CUSTOMER_NAME | AMEND_ITEMS | AMEND_METADATA;
    if (kind != COMMAND_TRANSITION) {
        command.order.customer_name = order.customer_name;
        command.order.items = order.items, command.order.item_count = order.item_count;
        command.order.metadata = order.metadata, command.order.metadata_count = order.metadata_count;
    }
    if (kind == COMMAND_CREATE) {
        memcpy(command.order.currency, order.currency, 4);
        command.order.total = order.total;
    }
    command_fingerprint(&command, command.fingerprint);
    return command;
}

#endif
