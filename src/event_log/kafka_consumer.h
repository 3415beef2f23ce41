/* A consumer of the Kafka log, as its parts see it: what is called (kafka_consumer.c), what a poll does (kafka_poll.c),
 * the group's changes (kafka_group.c), where reading starts (kafka_position.c), records (kafka_batch.c), commits
 * (kafka_commit.c). */
#ifndef ORDERLY_EVENT_LOG_KAFKA_CONSUMER_H
#define ORDERLY_EVENT_LOG_KAFKA_CONSUMER_H

#include "event_log/kafka_internal.h"

#define KAFKA_BATCH_RECORDS_MAX 16384
#define KAFKA_BATCH_SIZE_MAX (4u << 20) /* bytes of one batch, but always one record */
#define KAFKA_QUESTION_MS 2000          /* what a poll may wait for positions, when they must be known */

enum kafka_ownership {
    KAFKA_FREE, /* not this consumer's */
    KAFKA_OWNED,
    KAFKA_REVOKED,  /* to be handed over: the owner has been told, or will be */
    KAFKA_RELEASED, /* the owner has let go; handed over when all are */
};

/* Only the consumer's thread writes. Ownership is for other threads too, under the mutex. */
struct kafka_partition {
    enum kafka_ownership ownership;
    bool tell_lost, tell_assigned, tell_revoked, tell_gap;
    bool paused;
    bool is_out_of_range; /* the broker has no record at next_offset */
    _Atomic int64_t next_offset;
    rd_kafka_queue_t *queue;  /* its records, apart from all others: so a pause just does not look */
    rd_kafka_message_t *held; /* taken from the queue, and too large for the last batch */
};

struct kafka_consumer {
    struct event_log_consumer base;
    struct kafka_log *log;
    enum event_log_topic topic;
    const char *topic_name;
    char group_id[KAFKA_NAME_SIZE];
    bool is_member;
    int32_t partition_count;
    struct kafka_partition *partitions;
    int wake_fd; /* rung by queues, by wakes, by commits that ended */
    atomic_bool is_woken;
    /* the consumer's thread */
    rd_kafka_queue_t *group_queue;
    rd_kafka_topic_partition_list_t *assigning; /* told by the group, not taken yet */
    bool is_revoking;                           /* the group waits for all to be released */
    int64_t joining_since_ns;                   /* members: the group owes us an assignment; 0: it gave one */
    bool must_restart;                          /* fetching goes on at the partitions' next offsets */
    int32_t next_partition;                     /* to read from, in turn */
    size_t batch_max;
    rd_kafka_message_t **fetched;
    /* any thread */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct kafka_client *client; /* NULL: it could not be replaced yet */
    struct queue commits_waiting, commits_sent;
    size_t commits_under_way; /* whose done has not returned */
    uintptr_t commits_round;  /* of commits_sent: an older answer is nobody's */
    int64_t commits_sent_ns;
    bool is_closing;
};

static inline struct kafka_consumer *kafka_consumer_of(struct event_log_consumer *base) {
    return CONTAINER_OF(base, struct kafka_consumer, base);
}

/* kafka_consumer.c: a client of its own, subscribed if a member */
enum status kafka_consumer_connect(struct kafka_consumer *consumer, struct error *error);
void kafka_consumer_disconnect(struct kafka_consumer *consumer); /* frees its queues; leaves no group */
void kafka_consumer_own(struct kafka_consumer *consumer, int32_t number, enum kafka_ownership ownership);

/* kafka_poll.c */
enum status kafka_poll(struct event_log_consumer *base, int timeout_ms, struct event_log_poll *poll_out,
                       struct error *error);

/* kafka_group.c */
void kafka_group_serve(struct kafka_consumer *consumer);                            /* takes in what the group says */
enum status kafka_group_step(struct kafka_consumer *consumer, struct error *error); /* answers it, if it can */
void kafka_group_lose(struct kafka_consumer *consumer);                             /* all partitions, at once */
void kafka_group_leave(struct kafka_consumer *consumer);

/* kafka_position.c */
/* Offsets of the list's partitions become those of their first records (RD_KAFKA_OFFSET_BEGINNING) or ends (_END). */
enum status kafka_position_bounds(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int64_t which,
                                  int timeout_ms, struct error *error);
/* Offsets of the list's partitions become the group's positions, or those of the first records. */
enum status kafka_position_committed(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int timeout_ms,
                                     struct error *error);
/* Partitions that are out of range go on at the first record, and tell of the gap. */
enum status kafka_position_step(struct kafka_consumer *consumer, struct error *error);
/* Gives librdkafka all owned partitions anew, at their next offsets: fetched records it holds are dropped. */
enum status kafka_position_restart(struct kafka_consumer *consumer, struct error *error);

/* kafka_batch.c: *poll is set, or left alone if there is nothing to read */
enum status kafka_batch_read(struct kafka_consumer *consumer, int32_t number, struct event_log_poll *poll,
                             struct error *error);

/* kafka_commit.c */
void kafka_commit(struct event_log_consumer *base, struct event_log_commit *commit);
void kafka_commit_answered(struct kafka_client *client, rd_kafka_event_t *event); /* a client's on_event */
/* All that wait or were sent end so; an answer that comes later is nobody's. */
void kafka_commit_end_all(struct kafka_consumer *consumer, enum status status, const char *text);
bool kafka_commit_is_silent(struct kafka_consumer *consumer); /* an answer is long overdue */

#endif
