/* The event log on Apache Kafka, by librdkafka. For app/ and tests only. */
#ifndef ORDERLY_EVENT_LOG_KAFKA_H
#define ORDERLY_EVENT_LOG_KAFKA_H

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "event_log/event_log.h"

/* A librdkafka property by its own name ("sasl.username"), and the setting it came from for error texts. */
struct kafka_property {
    const char *name, *value, *setting;
};

struct event_log_kafka_options {
    const char *bootstrap_servers; /* "host:port,host:port" */
    const char *namespace_prefix;  /* put before topic and group names; "" for none */
    const struct kafka_property *properties;
    size_t property_count;
    /* for setup: */
    int32_t partition_count;           /* afterwards the topics' own number counts */
    int replication;                   /* 0: 3, or as many brokers as there are if fewer */
    int min_insync_replicas;           /* 0: 2 from replication 3 on, else 1 */
    int64_t retention_ms[TOPIC_COUNT]; /* by time; 0: kept until trimmed */
    int connect_timeout_ms;            /* for open, setup and what they ask; 0: 10,000 */
    int session_timeout_ms;            /* of group members; 0: 6,000 */
    int silent_max_ms;                 /* a client without contact and with work for so long is replaced; 0: 20,000 */
    const struct clock *clock;
    const struct log *logger; /* may be NULL: replaced clients and librdkafka's own errors are worth a line */
    struct metrics *metrics;  /* may be NULL */
};

/* Opens the log. NOT_FOUND: setup has not been run (the log is returned all the same, for event_log_setup).
 * UNAVAILABLE: no broker answers; error names the address tried, what happened, and the likely remedy. INVALID: a
 * property is unknown, has a bad value, or is one that Orderly's promises rest on (acks, partitioner, commits, offset
 * reset, group…). CONFLICT: topics exist that do not fit together. Borrowed pointers outlive the log. */
enum status event_log_kafka_open(const struct event_log_kafka_options *options, struct event_log **log_out,
                                 struct error *error);

#endif
