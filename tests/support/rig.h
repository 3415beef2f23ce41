/* A whole installation for tests: log, store and cache, behind wrappers that fail on demand, a pipeline on top, and
 * helpers to send commands and to look at everything that comes of them. The adapters are the embedded ones in a
 * temporary directory, or others (rig_cluster.h).
 *
 * Helpers that cannot do their work end the program: what a test asserts, it asserts itself. */
#ifndef ORDERLY_TESTS_SUPPORT_RIG_H
#define ORDERLY_TESTS_SUPPORT_RIG_H

#include <time.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "event_log/embedded.h"
#include "order/event.h"
#include "order_cache/memory.h"
#include "order_store/embedded.h"
#include "pipeline/pipeline.h"
#include "support/faults.h"
#include "support/faulty_cache.h"
#include "support/faulty_log.h"
#include "support/faulty_store.h"

#define RIG_TIME_MS 1800000000000 /* 2027-01-15: where time starts in tests with a manual clock */
#define RIG_WAIT_S 30             /* every wait ends by then */

struct rig;

/* How the log, the store and the cache of a rig are opened, set up where that is needed, and closed. */
struct rig_adapters {
    void (*open)(struct rig *rig);
    void (*close)(struct rig *rig);
    int wait_s;         /* every wait ends by then */
    int pause_us;       /* between two looks of a wait */
    int backoff_max_ms; /* of the pipeline, where its options name none */
};
extern const struct rig_adapters rig_embedded;

struct rig {
    const struct rig_adapters *adapters;
    char namespace_prefix[32]; /* "" until the adapters name one */
    char directory[64];
    int32_t partition_count;
    const struct clock *clock; /* borrowed */
    struct lmdb_env *env;
    struct event_log *log; /* the real ones */
    struct order_store *store;
    struct order_cache *cache;
    struct faults faults;
    struct event_log *faulty_log; /* what the pipeline gets */
    struct order_store *faulty_store;
    struct order_cache *faulty_cache;
    struct metrics *metrics;
    struct random_seeded random;
    struct arena arena; /* for what the tests make; until rig_close */
    struct pipeline *pipeline;
};

/* Opens everything but the pipeline. clock: NULL for the system's. */
void rig_open(struct rig *rig, int32_t partition_count, const struct clock *clock, uint64_t seed);
void rig_open_on(struct rig *rig, const struct rig_adapters *adapters, int32_t partition_count,
                 const struct clock *clock, uint64_t seed);
void rig_close(struct rig *rig);

/* Closes and opens the environment and the adapters, as a new process would. The pipeline must be closed. */
void rig_reopen(struct rig *rig);

/* Starts the pipeline on the wrappers. options: NULL, or those to change (log, store, cache, clock, random and metrics
 * are set where they are NULL; back-off is 1 to 5 ms where it is 0). */
void rig_start(struct rig *rig, const struct pipeline_options *options);
void rig_stop(struct rig *rig);  /* drains; must succeed */
void rig_crash(struct rig *rig); /* closes at once, whatever is under way */

/* --- commands --- */

struct uuid rig_uuid(struct rig *rig); /* random, version 4 */
struct command rig_create(struct rig *rig, struct uuid order_id, bool minted);
struct command rig_transition(struct rig *rig, struct uuid order_id, uint32_t expected_version,
                              enum order_status target);
struct command rig_amend(struct rig *rig, struct uuid order_id, uint32_t expected_version, const char *customer_name);

/* Appends the command where it belongs (its fingerprint is made here); returns its offset. */
int64_t rig_send(struct rig *rig, struct command *command);
int32_t rig_partition(const struct rig *rig, const struct uuid *order_id);

/* Appends any record to any topic; returns its offset. */
int64_t rig_append(struct rig *rig, enum event_log_topic topic, const struct event_log_record *record);

/* Appends many commands with one sync. offsets_out: one for each, or NULL. */
void rig_send_all(struct rig *rig, struct command *commands, size_t count, int64_t *offsets_out);

/* --- waiting --- */

int64_t rig_end(struct rig *rig, enum event_log_topic topic, int32_t partition);
int64_t rig_committed(struct rig *rig, int32_t partition); /* 0: no position yet */

/* For waits of one's own. until: 0 at the first call. Pauses; false: the time is over. */
bool rig_wait_more(const struct rig *rig, time_t *until);

/* True if the call may be made again since the service was away (after a pause), false if its status counts. */
bool rig_again(const struct rig *rig, enum status status, time_t *until);

/* Waits for a condition; false: it did not come true in time. */
bool rig_wait(bool (*condition)(struct rig *rig), struct rig *rig);
bool rig_wait_committed(struct rig *rig); /* everything in order-commands */

/* Waits until the pipeline itself has got that far with a partition (embedded: RIG_WAIT_S). */
bool rig_wait_position(struct pipeline *pipeline, int32_t partition, int64_t next_offset);
bool rig_has_position(struct pipeline *pipeline, int32_t partition, int64_t next_offset);

/* --- looking --- */

/* All records of a topic from the given offsets on (NULL: all), in order within each partition. */
struct rig_records {
    struct event_log_record *records; /* in the arena, with all they point to */
    size_t count;
};
struct rig_records rig_read(struct rig *rig, enum event_log_topic topic, const int64_t *positions, struct arena *arena);

struct bytes rig_header(const struct event_log_record *record, const char *name); /* empty if absent */

/* The order as the store has it, copied into the arena; NULL: none. */
const struct order *rig_order(struct rig *rig, struct uuid order_id, struct arena *arena);

/* Its history, ascending. */
struct rig_rows {
    struct history_row *rows;
    size_t count;
};
struct rig_rows rig_history(struct rig *rig, struct uuid order_id, struct arena *arena);

/* The cached version of the order; 0: none. */
uint32_t rig_cached_version(struct rig *rig, struct uuid order_id);

/* Everything the store holds as text, independent of when and how it was written: orders with their histories by id,
 * then the listings. In the arena. */
struct bytes rig_dump(struct rig *rig, struct arena *arena);

/* One page of a listing after another, until the end. */
struct rig_orders {
    struct order *orders;
    size_t count;
};
struct rig_orders rig_list(struct rig *rig, const struct order_store_list *query, struct arena *arena);

#endif
