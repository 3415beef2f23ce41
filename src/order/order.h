/* The order: its fields, limits, statuses and totals. Pure: no I/O, no clock. */
#ifndef ORDERLY_ORDER_ORDER_H
#define ORDERLY_ORDER_ORDER_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "base/uuid.h"

#define ORDER_CUSTOMER_NAME_MAX 200 /* Unicode scalar values, as all text limits here */
#define ORDER_ITEM_NAME_MAX 200
#define ORDER_ITEMS_MAX 100
#define ORDER_QUANTITY_MAX 1000000
#define ORDER_AMOUNT_MAX JSON_INTEGER_MAX /* unit price and total, in minor units */
#define ORDER_METADATA_MAX 16             /* pairs */
#define ORDER_METADATA_KEY_MAX 64
#define ORDER_METADATA_VALUE_MAX 500
#define ORDER_VERSION_MAX 10000
#define ORDER_TEXT_MAX 262144 /* bytes of one order as JSON, at most (all limits together stay below) */

enum order_status {
    ORDER_CREATED,
    ORDER_CONFIRMED,
    ORDER_PAID,
    ORDER_SHIPPED,
    ORDER_DELIVERED,
    ORDER_CANCELLED,
    ORDER_FAILED,
    ORDER_REFUNDED,
    ORDER_STATUS_COUNT
};

struct order_item {
    struct bytes item;
    int64_t quantity;
    int64_t unit_price; /* minor units of the order's currency */
};

struct order_pair {
    struct bytes key, value;
};

/* All pointers are borrowed: from an arena, a message or a store's answer, as the function that gives it says. */
struct order {
    struct uuid order_id;
    struct bytes customer_name;
    const struct order_item *items;
    size_t item_count; /* 0 only for an empty order of the second dialect */
    const struct order_pair *metadata;
    size_t metadata_count;
    char currency[4]; /* ISO 4217 and a NUL */
    int64_t total;
    enum order_status status;
    uint32_t version;
    int64_t created_at_ms, updated_at_ms;
};

/* "created" and so on; never NULL for a valid status. */
const char *order_status_name(enum order_status status);

/* INVALID if it is no status name. */
enum status order_status_parse(struct bytes name, enum order_status *status_out);

/* The sum of quantity x unit_price. TOO_LARGE above ORDER_AMOUNT_MAX, without overflow for any input within limits. */
enum status order_total(const struct order_item *items, size_t count, int64_t *total_out);

/* Copies an order with everything it points to. NO_MEMORY: *order_out is undefined. */
enum status order_copy(const struct order *order, struct arena *arena, struct order *order_out);

/* True if every field is equal. */
bool order_equal(const struct order *a, const struct order *b);

/* --- transition tables --- */

/* The table by which new commands are decided. Older ones stay, since a command names its own. */
#define ORDER_RULES_CURRENT 1

/* True if table `rules` exists. */
bool order_rules_exist(uint32_t rules);

/* True if `rules` allows the step. */
bool order_transition_is_allowed(uint32_t rules, enum order_status from, enum order_status to);

/* The statuses that `rules` allows after one, as a bit set (1 << status). */
unsigned order_next_statuses(uint32_t rules, enum order_status from);

/* True if an order in that status may be amended (before it is paid). */
bool order_is_amendable(uint32_t rules, enum order_status status);

/* --- JSON --- */

/* Writes the order as every reader sees it: order_id, customer_name, item, quantity, items, currency, total, status,
 * version, next_statuses (by ORDER_RULES_CURRENT), created_at, updated_at, metadata. */
void order_write_json(struct json_writer *writer, const struct order *order);

/* Reads what order_write_json wrote (next_statuses, item and quantity are derived and ignored; unknown members too, so
 * that a newer writer can be read). Text points into the value tree; arrays come from the arena. Every limit is checked:
 * INVALID names the field in error. */
enum status order_read_json(const struct json_value *value, struct arena *arena, struct order *order_out, struct error *error);

#endif
