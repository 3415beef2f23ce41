/* The feed: one process's tail of order-events. From it come verdicts for waiting requests, and drops from caches.
 *
 * It reads all partitions by itself (no group), from the end, on a thread of its own. */
#ifndef ORDERLY_FEED_FEED_H
#define ORDERLY_FEED_FEED_H

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "event_log/event_log.h"
#include "order/event.h"

#define FEED_WAITERS_MAX 65536

struct feed;

struct feed_options {
    struct event_log *log; /* borrowed */
    const struct clock *clock;
    const struct log *logger; /* may be NULL */
    struct metrics *metrics;  /* may be NULL */
};

/* Opens the reader at the end of every partition and starts the thread. */
enum status feed_open(const struct feed_options *options, struct feed **feed_out, struct error *error);

/* Stops the thread; waiters left get no call. NULL is allowed. */
void feed_close(struct feed *feed);

/* True once positioned at the end of every partition, and while the log answers (last contact below 1 s). Any thread.
 */
bool feed_is_live(struct feed *feed);

/* --- verdicts --- */

/* Waits for the verdict on one attempt. The struct belongs to the caller until called or cancelled. */
struct feed_waiter {
    struct uuid attempt_id;
    /* Once, on the feed's thread; event is valid until it returns. Must not block. */
    void (*verdict)(struct feed_waiter *waiter, const struct event *event);
    void *data;
    struct feed_waiter *next; /* the feed's */
};

/* Registers; do so before the append. FULL: too many. Any thread. */
enum status feed_wait(struct feed *feed, struct feed_waiter *waiter);

/* True: the waiter was still registered and will not be called. False: it was called, and the call has ended: a call
 * that is under way on the feed's thread is waited for, so do not hold a lock that `verdict` takes. (From within a
 * call, on the feed's thread itself, nothing is waited for.) Either way the struct is the caller's again. Any thread.
 */
bool feed_cancel(struct feed *feed, struct feed_waiter *waiter);

/* --- listeners: every event, by its headers (see order/event.h) --- */

struct feed_event {
    struct uuid order_id;
    uint32_t version;                      /* of the order shown; 0: none */
    const struct event_log_record *record; /* whole message, valid during the call */
};
struct feed_listener {
    void (*event)(struct feed_listener *listener, const struct feed_event *event);
    struct feed_listener *next; /* the feed's */
};

/* Before traffic starts; listeners stay until feed_close. Called on the feed's thread; must not block. */
void feed_listen(struct feed *feed, struct feed_listener *listener);

#endif
