/* The consumer: reads order-commands, decides, writes the store, the cache and order-events, commits.
 *
 * One thread polls and decides; the steps of each partition's batch are asynchronous, so a partition that waits for its
 * store does not hold up the others. */
#ifndef ORDERLY_PIPELINE_PIPELINE_H
#define ORDERLY_PIPELINE_PIPELINE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "event_log/event_log.h"
#include "order_cache/order_cache.h"
#include "order_store/order_store.h"

#define PIPELINE_GROUP "orderly"
#define PIPELINE_UNCOMMITTED_MAX 4096 /* W: uncommitted commands of one partition, at most; recorded at setup */

struct pipeline;

struct pipeline_options {
    struct event_log *log; /* all borrowed */
    struct order_store *store;
    struct order_cache *cache; /* may be NULL */
    const struct clock *clock;
    struct random *random;              /* jitter of retries */
    const struct log *logger;           /* may be NULL */
    struct metrics *metrics;            /* may be NULL */
    size_t batch_max;                   /* commands of one partition worked on together; 0: 512; <= W */
    int64_t cache_ttl_ms;               /* of the entries it puts; 0: 60,000 */
    int cache_wait_ms;                  /* a cache that takes longer is skipped; 0: 50 */
    int64_t retention_ms;               /* committed commands older than this are trimmed; 0: 7 days; -1: never */
    int backoff_min_ms, backoff_max_ms; /* retries while a service is away; 0: 50 and 5,000 */
    bool replay;                        /* rows only: no cache, no events; ends when the end of the log is reached */
};

/* Joins the group and starts the thread. */
enum status pipeline_open(const struct pipeline_options *options, struct pipeline **pipeline_out, struct error *error);

/* Stops reading, finishes and commits what is under way, leaves the group. OK: all done. BUSY: the time was over; what
 * is not committed will be processed again by the next owner. */
enum status pipeline_drain(struct pipeline *pipeline, int timeout_ms);

/* Frees it (drains for 0 ms if that was not done). NULL is allowed. */
void pipeline_close(struct pipeline *pipeline);

/* What it is doing, for /health and /metrics. Any thread. */
struct pipeline_partition_state {
    bool assigned;
    bool waiting;          /* retrying: a service is away */
    uint32_t needs_schema; /* not 0: paused at a command of this newer schema version */
    int64_t lag;           /* -1: unknown */
    int64_t committed;     /* next offset */
};
void pipeline_state(struct pipeline *pipeline, int32_t partition, struct pipeline_partition_state *state_out);

/* True when a replay has reached the end of all its partitions. */
bool pipeline_replay_is_done(struct pipeline *pipeline);

/* The text of the last failure of a service, or "" (copied under a lock). Any thread. */
void pipeline_last_error(struct pipeline *pipeline, char *out, size_t size);

#endif
