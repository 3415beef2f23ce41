/* The pending orders: acknowledged by this process, not yet reported by the feed, so that a GET or a list at once after
 * the 201 shows them. Bounded; any thread.
 *
 * A life: reserved before the append (counted, not shown), then acknowledged (shown) or removed. The feed's report
 * removes it; it may come before the acknowledgement, which then shows nothing. */
#ifndef ORDERLY_API_PENDING_H
#define ORDERLY_API_PENDING_H

#include <stdatomic.h>

#include "api/pending_tree.h"
#include "order/order.h"

#define PENDING_ORDER_SIZE 1024      /* bytes of memory for each order of the limit; all orders share them */
#define PENDING_SIZE_MIN (4u << 20) /* ... but at least this, so that the largest order fits */

/* One pending order: immutable once made, except for what the table guards. */
struct pending_order {
    struct uuid order_id;
    int64_t created_at_ms;
    struct bytes customer_name; /* in text */
    struct bytes json;          /* in text: the order as a GET shows it */
    atomic_uint references;
    /* guarded by the table's mutex */
    bool listed, removed;
    struct pending_node by_id, by_time, by_customer;
    char text[];
};

struct pending;

/* At most orders_max orders, and as many bytes as PENDING_ORDER_SIZE gives them. NULL: no memory. */
struct pending *pending_new(size_t orders_max);
void pending_free(struct pending *pending);

/* Makes room for the order and keeps copies of its json and name. FULL: nothing was kept. The caller owns one
 * reference. */
enum status pending_reserve(struct pending *pending, const struct order *order, struct bytes json,
                            struct pending_order **order_out);

/* Shows the order, unless it was removed meanwhile. */
void pending_acknowledge(struct pending *pending, struct pending_order *order);

/* Removes by id; nothing happens if it is not there. */
void pending_remove(struct pending *pending, const struct uuid *order_id);

/* An acknowledged order with a reference for the caller, or NULL. */
struct pending_order *pending_get(struct pending *pending, const struct uuid *order_id);

void pending_release(struct pending_order *order);

struct pending_filter {
    struct bytes customer_name;                  /* .data NULL: any */
    int64_t created_after_ms, created_before_ms; /* exclusive; 0: none */
    struct pending_key below;                    /* older than this (the group does not matter) */
};

/* The newest acknowledged orders that pass, newest first, with a reference each. The cost depends on max, not on the
 * size of the table. */
size_t pending_list(struct pending *pending, const struct pending_filter *filter, struct pending_order **orders_out,
                    size_t max);

/* The oldest acknowledged order created after *position (see pending_recheck.c), with a reference, or NULL. */
struct pending_order *pending_oldest(struct pending *pending, const struct pending_key *position);

/* Reserved and acknowledged ones. */
size_t pending_count(struct pending *pending);

/* A position in the order of creation: of one order, and one newer than all. */
struct pending_key pending_position(int64_t created_at_ms, const struct uuid *order_id);
struct pending_key pending_newest(void);

#endif
