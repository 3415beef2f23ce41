/* Which orders are read most: every GET of one order is counted in windows of a second (hotkey/space_saving.h). */
#ifndef ORDERLY_API_HOT_ORDERS_H
#define ORDERLY_API_HOT_ORDERS_H

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/uuid.h"

#define HOT_ORDERS_TOP 10

struct hot_orders;

struct hot_order {
    struct uuid order_id;
    uint32_t reads; /* at least the true number */
};

/* Of the last full second. */
struct hot_orders_window {
    struct hot_order top[HOT_ORDERS_TOP]; /* most read first */
    size_t count;
    uint64_t reads; /* of all orders */
};

/* Counts into metrics. NULL: no memory. */
struct hot_orders *hot_orders_new(const struct clock *clock, struct random *random, struct metrics *metrics);
/* Has each scrape show the last full second. It must live as long as the metrics are asked. */
void hot_orders_show(struct hot_orders *hot, struct metrics *metrics);
void hot_orders_free(struct hot_orders *hot);

/* Counts one read. Any thread; never waits: while another thread counts, the read is counted as unwatched only. */
void hot_orders_touch(struct hot_orders *hot, const struct uuid *order_id);

void hot_orders_last(struct hot_orders *hot, struct hot_orders_window *window_out);

#endif
