/* The embedded event log: topics in LMDB, group membership by file locks. For app/ and tests only. */
#ifndef ORDERLY_EVENT_LOG_EMBEDDED_H
#define ORDERLY_EVENT_LOG_EMBEDDED_H

#include "base/clock.h"
#include "event_log/event_log.h"
#include "lmdb/lmdb_env.h"

struct event_log_embedded_options {
    struct lmdb_env *env; /* borrowed; outlives the log */
    const struct clock *clock;
    const char *namespace_prefix;        /* put before topic and group names; "" for none */
    int32_t partition_count;             /* used by setup; afterwards the recorded number counts */
    int64_t retention_ms[TOPIC_COUNT];   /* older records are removed by time; 0: kept until trimmed */
    struct metrics *metrics;             /* may be NULL */
};

/* Opens the log. NOT_FOUND: setup has not been run (the log is returned all the same, for event_log_setup). */
enum status event_log_embedded_open(const struct event_log_embedded_options *options, struct event_log **log_out,
                                    struct error *error);

#endif
