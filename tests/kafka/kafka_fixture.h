/* A Kafka log with a prefix of its own for each test, a broker of the tests' own that they may kill and freeze, and a
 * load with a ledger: which record was promised, and what the log then holds. */
#ifndef ORDERLY_TESTS_KAFKA_FIXTURE_H
#define ORDERLY_TESTS_KAFKA_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "contract/completion.h"
#include "event_log/kafka.h"
#include "event_log/kafka_internal.h"

#define FIXTURE_WAIT_MS 60000
#define FIXTURE_PARTITIONS 4
#define FIXTURE_TEXT_MAX 512

struct fixture {
    char servers[FIXTURE_TEXT_MAX], prefix[64];
    struct event_log_kafka_options options;
    struct metrics *metrics;
    struct event_log *log;
};

/* servers NULL: those of KAFKA_BOOTSTRAP_SERVERS. Nothing is opened yet: options may be changed. */
void fixture_init(struct fixture *fixture, const char *servers);
void fixture_open(struct fixture *fixture);  /* sets up, too */
void fixture_close(struct fixture *fixture); /* and deletes the topics */
uint64_t fixture_replaced(const struct fixture *fixture, enum kafka_role role);

int64_t now_ms(void);

/* --- a broker of the test's own, by deploy/local --- */

struct broker {
    char directory[FIXTURE_TEXT_MAX];
    char servers[FIXTURE_TEXT_MAX];
    int guard_fd; /* closed, by whatever way this process ends, it ends the broker */
    pid_t guard;
};
void broker_start(struct broker *broker);
void broker_do(const struct broker *broker, const char *command); /* "kill kafka", "freeze kafka", … */
void broker_end(struct broker *broker);

/* --- appends and what became of them --- */

enum promise { PROMISE_NONE, PROMISE_KEPT, PROMISE_REFUSED, PROMISE_UNKNOWN };

struct load {
    struct fixture *fixture;
    size_t in_flight_max;
    pthread_t thread;
    atomic_bool stops;
    pthread_mutex_t mutex; /* all below */
    pthread_cond_t changed;
    struct load_append *appends; /* by number */
    size_t capacity, started, ended, in_flight;
    int64_t longest_ms; /* from an append to its done */
    int64_t last_kept_ms;
};

struct load *load_start(struct fixture *fixture, size_t capacity, size_t in_flight_max);
size_t load_count(struct load *load, enum promise promise);
void load_wait_kept(struct load *load, size_t more, int timeout_ms); /* until so many more are durable */
void load_stop(struct load *load);                                   /* every append has ended when it returns */
/* Reads the whole log: what was promised is there once and in order, what was refused is not there. */
void load_check(struct load *load);
void load_free(struct load *load);

/* --- consumers --- */

struct event_log_consumer *fixture_reader(struct fixture *fixture, enum event_log_topic topic, bool from_first);
struct event_log_consumer *fixture_member(struct fixture *fixture, const char *group);
/* Polls until the kind comes (bounded), freeing batches on the way. */
struct event_log_poll fixture_poll_until(struct event_log_consumer *consumer, enum event_log_poll_kind kind);
void fixture_assign(struct event_log_consumer *consumer); /* until all partitions are assigned */
enum status fixture_append(struct fixture *fixture, int32_t partition, uint64_t number, int64_t *offset_out);
void fixture_append_sized(struct fixture *fixture, int32_t partition, size_t size); /* one record of so many zeros */
enum status fixture_commit(struct event_log_consumer *consumer, int32_t partition, int64_t next_offset);

#endif
