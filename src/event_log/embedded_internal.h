/* The inside of the embedded event log: shared by the embedded_*.c files, for nobody else. */
#ifndef ORDERLY_EVENT_LOG_EMBEDDED_INTERNAL_H
#define ORDERLY_EVENT_LOG_EMBEDDED_INTERNAL_H

#include <pthread.h>

#include "event_log/embedded.h"

#define EMBEDDED_NAME_MAX 64           /* characters of a namespace prefix and of a group's name */
#define EMBEDDED_KEY_MAX 128           /* of a row in the positions database */
#define EMBEDDED_TRIM_RECORDS_MAX 1000 /* removed in one transaction */
#define EMBEDDED_TRIM_SIZE (16u << 10) /* about what that writes: pages that it empties are used again at once */

/* One database for each partition of each topic (offset -> sealed record), and one for positions. Handles are set by
 * setup or open, before other threads have the log, and never change. */
struct embedded_log {
    struct event_log base;
    struct lmdb_env *env;
    const struct clock *clock;
    char prefix[EMBEDDED_NAME_MAX + 1];
    int32_t setup_partition_count;
    MDB_dbi records[TOPIC_COUNT][EVENT_LOG_PARTITIONS_MAX];
    MDB_dbi positions;
    struct metric_counter *appended[TOPIC_COUNT], *trimmed[TOPIC_COUNT];

    pthread_mutex_t mutex; /* all below */
    pthread_cond_t changed;
    size_t under_way; /* requests whose done has not returned */
    bool closing;
    bool retention_runs;
    pthread_t retention;
    int64_t retention_ms[TOPIC_COUNT]; /* constant */
};

/* embedded.c */
void embedded_log_enter(struct embedded_log *log); /* a request begins */
void embedded_log_leave(struct embedded_log *log); /* its done has returned */
/* The first offset that is there and the next one to be written, as the transaction sees them. */
enum status embedded_log_bounds(struct embedded_log *log, MDB_txn *txn, enum event_log_topic topic, int32_t partition,
                                int64_t *first_out, int64_t *end_out);

enum status embedded_log_check_partition(const struct event_log *base, enum event_log_topic topic, int32_t partition,
                                         struct error *error);

/* embedded_check.c */
enum status embedded_check(struct event_log *base, int timeout_ms, struct error *error);

/* embedded_wait.c: conditions that wait by the monotonic clock */
void embedded_wait_init(pthread_cond_t *condition);
int64_t embedded_now_ns(void);
struct timespec embedded_wait_until(int64_t at_ns);

/* embedded_record.c: a record as it is stored */
size_t embedded_record_size(const struct event_log_record *record); /* with the seal */
void embedded_record_encode(const struct event_log_record *record, int64_t offset, int64_t time_ms, char *value);
enum status embedded_record_unseal(int64_t offset, MDB_val value, struct bytes *payload_out);
size_t embedded_record_header_count(struct bytes payload);
enum status embedded_record_time(MDB_val value, int64_t *time_ms_out);
/* headers: room for embedded_record_header_count. The record points into payload. */
enum status embedded_record_decode(struct bytes payload, struct event_log_header *headers,
                                   struct event_log_record *record_out);

/* embedded_append.c, embedded_trim.c */
void embedded_append(struct event_log *base, struct event_log_append *append);
void embedded_trim(struct event_log *base, struct event_log_trim *trim);
enum status embedded_retention_start(struct embedded_log *log, struct error *error);
void embedded_retention_stop(struct embedded_log *log);

/* embedded_position.c: rows "group/topic/partition" -> the next offset; the group "" keeps the end of a partition whose
 * records are all gone */
enum status embedded_position_read(struct embedded_log *log, MDB_txn *txn, const char *group,
                                   enum event_log_topic topic, int32_t partition, int64_t *offset_out);
enum status embedded_position_write(struct embedded_log *log, MDB_txn *txn, const char *group,
                                    enum event_log_topic topic, int32_t partition, int64_t offset);

/* embedded_consumer.c */
enum status embedded_consumer_open(struct event_log *base, const struct event_log_consumer_options *options,
                                   struct event_log_consumer **consumer_out, struct error *error);

static inline struct embedded_log *embedded_log_of(struct event_log *base) {
    return CONTAINER_OF(base, struct embedded_log, base);
}

#endif
