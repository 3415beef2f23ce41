/* The inside of the Kafka event log: shared by the kafka*.c files and their own tests, for nobody else.
 *
 * Threads. Each client (one rd_kafka_t) has librdkafka's own threads, which call nothing of ours: all they have to say
 * comes through queues. The adapter's one thread (kafka_supervisor.c) serves the main queue of every client: delivery
 * reports, commit results, errors, statistics, log lines. A consumer's group and partition queues are read by the
 * consumer's owner, inside poll. Blocking questions run on the caller's thread, trims on a thread of their own. */
#ifndef ORDERLY_EVENT_LOG_KAFKA_INTERNAL_H
#define ORDERLY_EVENT_LOG_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "event_log/kafka.h"

#define KAFKA_NAME_MAX 64 /* characters of a namespace prefix and of a group's name */
#define KAFKA_NAME_SIZE (2 * KAFKA_NAME_MAX + 32)
#define KAFKA_RECORDS_UNDER_WAY_MAX 100000   /* appended, no delivery report yet; beyond that: FULL */
#define KAFKA_SIZE_UNDER_WAY_MAX (64u << 20) /* bytes of these, but always one append */
#define KAFKA_TICK_MS 250                    /* how often the supervisor looks when nothing happens */
#define KAFKA_AWAY_NS ((int64_t)4000000000)  /* without contact for so long, a consumer's log does not answer */
#define KAFKA_POLL_MAX_MS 60000              /* a member that does not poll, or let go, for so long is expelled */
#define KAFKA_TEARDOWNS_MAX 16               /* clients being torn down; at that many none is replaced */

enum kafka_role { KAFKA_ADMIN, KAFKA_PRODUCER, KAFKA_READER, KAFKA_MEMBER, KAFKA_ROLE_COUNT };

struct kafka_log;

/* --- kafka_client.c: one rd_kafka_t --- */

struct kafka_client {
    struct kafka_log *log;
    enum kafka_role role;
    rd_kafka_t *rk;
    rd_kafka_queue_t *main_queue;
    /* What the supervisor's thread does with delivery reports and commit results; none after kafka_client_end. */
    void (*on_event)(struct kafka_client *client, rd_kafka_event_t *event);
    void *owner;
    _Atomic int64_t contact_ns; /* a broker was heard from; kept by readers and members */
    _Atomic int64_t polled_ns;  /* members: by their owner */
    _Atomic bool is_fatal;
    pthread_mutex_t mutex; /* last_error */
    struct error last_error;
    /* the supervisor's: log lines are bounded */
    int64_t lines_since_ns;
    int lines, lines_dropped;
    /* under log->clients_mutex */
    struct kafka_client *next;
    bool is_served; /* by the supervisor, at this moment */
};

/* group: members and readers, else NULL. INVALID: what the properties say does not go together. */
enum status kafka_client_new(struct kafka_log *log, enum kafka_role role, const char *group,
                             void (*on_event)(struct kafka_client *, rd_kafka_event_t *), void *owner,
                             struct kafka_client **client_out, struct error *error);

/* Takes what waits in the main queue. The supervisor's thread. */
void kafka_client_serve(struct kafka_client *client);

/* The client calls nobody any more when this returns; it is torn down on a thread of its own. All other queues and
 * messages of it must be destroyed before. Not from within its own on_event. */
void kafka_client_end(struct kafka_client *client);

/* Notes the error and returns UNAVAILABLE: "no Kafka broker answers at …". what: "the position of group x". */
enum status kafka_unavailable(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                              struct error *error);
void kafka_client_note_error(struct kafka_client *client, const char *text);
void kafka_client_take_error(struct kafka_client *client, rd_kafka_event_t *event);

/* --- kafka_teardown.c --- */

struct kafka_teardowns;
struct kafka_teardowns *kafka_teardowns_new(void);
void kafka_teardowns_add(struct kafka_teardowns *teardowns, rd_kafka_t *rk);
bool kafka_teardowns_are_full(struct kafka_teardowns *teardowns);
/* Waits for all of them, but not for ever; what hangs is left behind. Returns how many. */
size_t kafka_teardowns_close(struct kafka_teardowns *teardowns);

/* --- kafka_conf.c: librdkafka's properties, ours and the user's --- */

/* Refuses what the user may not set, what librdkafka does not know, and bad values. */
enum status kafka_conf_check(const struct event_log_kafka_options *options, struct error *error);

/* The caller owns *conf_out. */
enum status kafka_conf_new(const struct event_log_kafka_options *options, enum kafka_role role, const char *group,
                           rd_kafka_conf_t **conf_out, struct error *error);

/* --- kafka_append.c, kafka_producer.c --- */

/* Lives in the request's reserved words. While it is under way, each record's offset points to it. */
struct kafka_append_work {
    struct kafka_append_work *prev, *next; /* a newer and an older one; under log->mutex */
    struct kafka_producer *producer;
    int64_t entered_ns;
    size_t size;
    atomic_size_t left; /* records without a report, and one while append() still works */
    atomic_uint outcomes;
    atomic_int code; /* the first error */
};
_Static_assert(sizeof(struct kafka_append_work) <= sizeof((struct event_log_append *)0)->reserved,
               "the work fits the request");

struct kafka_producer {
    struct kafka_client *client;
    rd_kafka_topic_t *topics[TOPIC_COUNT];
    struct kafka_append_work *appends, *oldest; /* under way, the newest first; under log->mutex */
    atomic_size_t callers;                      /* inside append(); grows under log->mutex only */
    /* once it is retired: the supervisor's */
    struct kafka_producer *next;
    int64_t retired_ns;
    bool is_purged;
};

void kafka_append(struct event_log *base, struct event_log_append *append);
void kafka_append_reported(struct kafka_client *client, rd_kafka_event_t *event); /* a client's on_event */
/* Nothing more will be heard of these: they end with UNKNOWN. The supervisor's thread, when nobody is in append(). */
void kafka_append_abandon(struct kafka_log *log, struct kafka_producer *producer);

enum status kafka_producer_new(struct kafka_log *log, struct kafka_producer **producer_out, struct error *error);
/* Puts this one (or NULL) in the place of the log's producer, which is purged and ended by the supervisor. */
void kafka_producer_change(struct kafka_log *log, struct kafka_producer *fresh);
/* A producer that is fatal or silent is replaced; retired ones are purged and ended. The supervisor's thread. */
void kafka_producer_tick(struct kafka_log *log, int64_t now_ns);

/* --- the log --- */

struct kafka_log {
    struct event_log base;
    struct event_log_kafka_options options; /* with its defaults filled in */
    char topic_names[TOPIC_COUNT][KAFKA_NAME_SIZE];
    struct kafka_teardowns *teardowns;
    struct metric_counter *appended[TOPIC_COUNT], *replaced[KAFKA_ROLE_COUNT];

    pthread_mutex_t clients_mutex;
    pthread_cond_t client_served;
    struct kafka_client *clients;

    int wake_fd; /* the supervisor waits on it */
    pthread_t supervisor;
    bool supervisor_runs;
    atomic_bool stopping;

    pthread_mutex_t mutex; /* all below */
    pthread_cond_t changed;
    struct kafka_producer *producer; /* NULL before setup */
    struct kafka_producer *retired;
    size_t retiring;          /* in that list, or just being freed */
    size_t appends_under_way; /* whose done has not returned */
    size_t records_under_way, size_under_way;
    bool closing;

    pthread_mutex_t admin_mutex;
    struct kafka_client *admin;
    size_t admin_users;
    bool admin_is_suspect; /* did not answer: the next one who asks gets another */

    struct queue trims_waiting; /* under mutex */
    bool trimmer_runs;
    pthread_t trimmer;
};

static inline struct kafka_log *kafka_log_of(struct event_log *base) {
    return CONTAINER_OF(base, struct kafka_log, base);
}
int64_t kafka_now_ns(void);
struct timespec kafka_until(int64_t at_ns);
void kafka_condition_init(pthread_cond_t *condition); /* waits by the monotonic clock */
void kafka_event_fd_ring(int fd);
void kafka_event_fd_drain(int fd);
/* Waits until fd is rung, and drains it. */
void kafka_event_fd_wait(int fd, int64_t until_ns);
void kafka_queue_ring(rd_kafka_queue_t *queue, int fd); /* librdkafka rings fd when the queue is no longer empty */
enum status kafka_check_partition(const struct event_log *base, enum event_log_topic topic, int32_t partition,
                                  struct error *error);
bool kafka_name_is_valid(const char *name);

/* --- kafka_supervisor.c --- */

enum status kafka_supervisor_start(struct kafka_log *log, struct error *error);
void kafka_supervisor_stop(struct kafka_log *log);
void kafka_note_replaced(struct kafka_log *log, enum kafka_role role, const char *why);

/* --- kafka_admin.c, kafka_metadata.c, kafka_setup.c, kafka_check.c, kafka_trim.c --- */

/* The client for questions, made when first asked for; give it back. */
enum status kafka_admin_take(struct kafka_log *log, struct kafka_client **client_out, struct error *error);
void kafka_admin_give(struct kafka_log *log, bool did_answer);
void kafka_admin_close(struct kafka_log *log);

/* Runs an admin operation to its end: submit gives it the queue. The caller destroys *event_out. */
struct kafka_admin_call {
    void (*submit)(struct kafka_client *client, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue, void *data);
    void *data;
    rd_kafka_admin_op_t operation;
    const char *what; /* for errors */
};
enum status kafka_admin_run(struct kafka_client *client, const struct kafka_admin_call *call, int timeout_ms,
                            rd_kafka_event_t **event_out, struct error *error);

/* What the cluster says of our four topics and its brokers. */
struct kafka_topics_state {
    int broker_count;
    int32_t partition_count[TOPIC_COUNT]; /* 0: the topic is not there */
    int replication[TOPIC_COUNT];         /* the smallest of its partitions */
    int in_sync[TOPIC_COUNT];             /* the smallest */
    int32_t leaderless[TOPIC_COUNT];      /* partitions without a leader */
};
enum status kafka_topics_ask(struct kafka_log *log, int timeout_ms, struct kafka_topics_state *state_out,
                             struct error *error);
/* The number of partitions they all have; 0: a topic is not there. CONFLICT: they differ. */
enum status kafka_topics_count(const struct kafka_log *log, const struct kafka_topics_state *state, int32_t *count_out,
                               struct error *error);

/* Makes the log usable once the topics are known. */
enum status kafka_log_begin(struct kafka_log *log, int32_t partition_count, struct error *error);

enum status kafka_setup(struct event_log *base, struct error *error);
enum status kafka_check(struct event_log *base, int timeout_ms, struct error *error);
void kafka_advise(struct event_log *base, int timeout_ms, struct advice *advice);
void kafka_trim(struct event_log *base, struct event_log_trim *trim);
void kafka_trimmer_stop(struct kafka_log *log);
enum status kafka_range(struct event_log *base, enum event_log_topic topic, int32_t partition, int timeout_ms,
                        int64_t *first_out, int64_t *end_out, struct error *error);
enum status kafka_committed(struct event_log *base, const char *group, enum event_log_topic topic, int32_t partition,
                            int timeout_ms, int64_t *next_offset_out, struct error *error);

enum status kafka_consumer_open(struct event_log *base, const struct event_log_consumer_options *options,
                                struct event_log_consumer **consumer_out, struct error *error);

#endif
