/* The service's own hot orders, found among its reads by the lab's detector. Reads never wait for each other: one that
 * would is not counted. */
#include "api/hot_orders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hotkey/space_saving.h"

struct rank {
    struct hot_orders *hot;
    size_t index;
};

struct hot_orders {
    const struct clock *clock;
    struct metric_counter *watched, *unwatched;
    struct rank ranks[HOT_ORDERS_TOP]; /* for the metrics' callbacks */
    pthread_mutex_t mutex;             /* of what follows */
    struct space_saving *summary;      /* of the window that goes on */
    int64_t second;                    /* which one that is */
    struct hot_orders_window last;
};

static struct uuid uuid_of(struct space_saving_key key) {
    struct uuid order_id = {.bytes = {0}};
    bytes_put_u64(order_id.bytes, key.high);
    bytes_put_u64(order_id.bytes + 8, key.low);
    return order_id;
}

/* Begins the window of this second, if it has not begun. A second without reads was an empty window. */
static void turn(struct hot_orders *hot) {
    int64_t second = clock_monotonic_ns(hot->clock) / 1000000000;
    if (second == hot->second) return;
    hot->last = (struct hot_orders_window){.count = 0};
    if (second == hot->second + 1) {
        struct space_saving_entry top[HOT_ORDERS_TOP];
        hot->last.count = space_saving_top(hot->summary, top, HOT_ORDERS_TOP);
        hot->last.reads = space_saving_total(hot->summary);
        for (size_t i = 0; i < hot->last.count; i++)
            hot->last.top[i] = (struct hot_order){uuid_of(top[i].key), top[i].count};
    }
    space_saving_reset(hot->summary);
    hot->second = second;
}

void hot_orders_touch(struct hot_orders *hot, const struct uuid *order_id) {
    if (pthread_mutex_trylock(&hot->mutex)) {
        metric_add(hot->unwatched, 1);
        return;
    }
    turn(hot);
    space_saving_touch(hot->summary, (struct space_saving_key){.high = bytes_get_u64(order_id->bytes),
                                                               .low = bytes_get_u64(order_id->bytes + 8)});
    pthread_mutex_unlock(&hot->mutex);
    metric_add(hot->watched, 1);
}

void hot_orders_last(struct hot_orders *hot, struct hot_orders_window *window_out) {
    pthread_mutex_lock(&hot->mutex);
    turn(hot);
    *window_out = hot->last;
    pthread_mutex_unlock(&hot->mutex);
}

static double read_rank(void *data) {
    const struct rank *rank = data;
    struct hot_orders_window window;
    hot_orders_last(rank->hot, &window);
    return rank->index < window.count ? window.top[rank->index].reads : 0;
}

void hot_orders_show(struct hot_orders *hot, struct metrics *metrics) {
    for (size_t i = 0; i < HOT_ORDERS_TOP; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "rank=\"%zu\"", i + 1);
        hot->ranks[i] = (struct rank){hot, i};
        metrics_gauge_callback(metrics, "orderly_hot_order_reads",
                               "Reads of the most read orders in the last full second.", labels, read_rank,
                               &hot->ranks[i]);
    }
}

struct hot_orders *hot_orders_new(const struct clock *clock, struct random *random, struct metrics *metrics) {
    struct hot_orders *hot = calloc(1, sizeof *hot);
    uint64_t seed;
    random_fill(random, &seed, sizeof seed);
    struct space_saving *summary = hot ? space_saving_new(seed) : NULL;
    if (!summary) {
        free(hot);
        return NULL;
    }
    hot->summary = summary;
    hot->clock = clock;
    hot->second = clock_monotonic_ns(clock) / 1000000000;
    pthread_mutex_init(&hot->mutex, NULL);
    hot->watched = metrics_counter(metrics, "orderly_order_reads_watched_total",
                                   "Reads of one order that the detector of hot orders has counted.", "");
    hot->unwatched = metrics_counter(metrics, "orderly_order_reads_unwatched_total",
                                     "Reads of one order that it has not, because another thread was counting.", "");
    return hot;
}

void hot_orders_free(struct hot_orders *hot) {
    if (!hot) return;
    space_saving_free(hot->summary);
    pthread_mutex_destroy(&hot->mutex);
    free(hot);
}
