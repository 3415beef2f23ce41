/* The inside of the Redis cache: shared by the redis files of this folder, for nobody else.
 *
 * Threads: any thread submits calls to the queue; the loop thread alone touches hiredis, the connection and the list of
 * waiting calls, and runs the done callbacks of what was taken. The mutex guards what both use. */
#ifndef ORDERLY_ORDER_CACHE_REDIS_INTERNAL_H
#define ORDERLY_ORDER_CACHE_REDIS_INTERNAL_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/queue.h"
#include "order_cache/redis.h"

#define REDIS_TIMEOUT_MS 50 /* the defaults of redis.h */
#define REDIS_CONNECT_TIMEOUT_MS 500
#define REDIS_BACKOFF_MIN_MS 50
#define REDIS_BACKOFF_MAX_MS 2000
#define REDIS_IN_FLIGHT_MAX 4096
#define REDIS_IN_FLIGHT_SIZE_MAX (4u << 20) /* bytes of values on their way: hiredis moves them all at each write */
#define REDIS_FAILURES_MAX 16               /* calls in a row without a good answer in time open the circuit */
#define REDIS_CLEAR_STEP "500"              /* keys that one step of a clear looks at: under a millisecond of Redis */
#define REDIS_PREFIX_MAX 128                /* bytes of namespace_prefix */
#define REDIS_KEY "orderly:order:"
#define REDIS_KEY_SIZE (REDIS_PREFIX_MAX + sizeof REDIS_KEY + UUID_TEXT_SIZE)
#define REDIS_NUMBER_SIZE 24 /* a 64-bit number as text */
#define REDIS_SHA_SIZE 41    /* 40 hexadecimal digits and a NUL */
#define REDIS_HEAD_MAX 64    /* bytes before the order of an entry */
#define NS_PER_MS INT64_C(1000000)

struct redis_cache;
struct redis_tls;

/* --- scripts: redis_scripts.c --- */

enum redis_script { SCRIPT_PUT, SCRIPT_DROP, SCRIPT_CLEAR, SCRIPT_COUNT };
extern const char *const redis_scripts[SCRIPT_COUNT];

/* Writes an entry as the put script would, and nothing else, into the buffer; false: no memory. */
bool redis_entry_write(struct buffer *out, const struct order_cache_entry *entry);

/* Reads an entry as the put script wrote it; false: these bytes are somebody else's. value points into text. */
bool redis_entry_parse(struct bytes text, struct order_cache_entry *entry_out);

/* --- calls: redis_requests.c makes them, redis_calls.c carries them out --- */

enum redis_call_kind { CALL_GET, CALL_PUT, CALL_DROP, CALL_CLEAR, CALL_KINDS };

/* One request on its way. It outlives the caller's request when that was cut off: the reply still to come finds it. */
struct redis_call {
    struct queue_link link;             /* in the queue, then among the spent, then among the free ones */
    struct redis_call *earlier, *later; /* among those that wait for a reply, by deadline */
    struct redis_cache *cache;
    enum redis_call_kind kind;
    bool is_waiting;     /* somebody waits: not answered and not cut off */
    bool is_sent;        /* Redis may have carried it out */
    bool is_spelled_out; /* sent once more with the whole script */
    bool is_compared;    /* put: something is there, so it went to the script */
    struct uuid order_id;
    int64_t started_ns, deadline_ns;
    size_t size_bytes; /* counted against REDIS_IN_FLIGHT_SIZE_MAX */
    union {
        struct order_cache_get *get; /* the caller's */
        struct {
            struct order_cache_put *request; /* the caller's, or NULL: done is not wanted */
            struct order_cache_entry entry;
            char *copy; /* of the value, or NULL: it is the request's */
        } put;
        uint32_t below_version;
        struct {
            char cursor[REDIS_NUMBER_SIZE]; /* of SCAN */
            char begun[REDIS_NUMBER_SIZE];  /* when, by Redis's clock; entries made later stay. "": now */
        } clear;
    };
};

/* --- the cache --- */

enum redis_state { REDIS_AWAY, REDIS_GREETING, REDIS_UP };

/* The loop thread's. */
struct redis_connection {
    enum redis_state state;
    redisAsyncContext *context; /* NULL: none */
    bool wants_read, wants_write;
    bool is_doomed;          /* to be cut at the next chance, not inside a callback of hiredis */
    int step;                /* of the handshake: replies that came */
    int64_t deadline_ns;     /* of connect and handshake */
    int64_t next_connect_ns; /* while away */
    int64_t up_since_ns;
    unsigned attempts;                      /* since the last connection that held: the wait grows with them */
    unsigned failures;                      /* calls in a row without a good answer in time */
    bool has_logged_trouble;                /* until it is up again */
    int64_t next_refusal_ns;                /* no log line about refused writes before */
    struct error reason;                    /* why it ends */
    char sha[SCRIPT_COUNT][REDIS_SHA_SIZE]; /* of the scripts it has loaded; "": send the whole text */
};

struct redis_stats {
    atomic_uint_fast64_t hits, misses, puts, skipped, errors;
};

struct redis_metrics {
    struct metric_histogram *seconds[CALL_KINDS];
    struct metric_counter *late, *refused, *skipped, *opened, *connects;
    struct metric_gauge *up;
};

struct redis_cache {
    struct order_cache base;
    struct order_cache_redis_options options; /* its texts are copies */
    char *key_pattern;                        /* of SCAN */
    struct redis_tls *tls;                    /* NULL: plain TCP */
    struct redis_stats stats;
    struct redis_metrics metrics;

    pthread_mutex_t mutex; /* from here to closing */
    struct queue queue;    /* submitted, not taken by the loop */
    struct queue free_calls;
    size_t in_flight_bytes;
    bool accepts; /* the circuit is closed */
    bool closing;

    struct redis_call *calls; /* all there are: in_flight_max */
    int wake_fd;              /* written when the queue was empty */
    pthread_t thread;
    bool thread_runs;

    /* the loop thread's */
    struct redis_connection connection;
    struct redis_call *first_waiting, *last_waiting;
    struct queue spent; /* calls to be given back with the next lock */
    size_t spent_bytes;
    struct buffer entry; /* of the put being sent */
};

static inline int64_t redis_now_ns(const struct redis_cache *cache) {
    return clock_monotonic_ns(cache->options.clock);
}

static inline void redis_count(atomic_uint_fast64_t *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- redis_requests.c: any thread --- */

void redis_get(struct order_cache *base, struct order_cache_get *get);
void redis_put(struct order_cache *base, struct order_cache_put *put);
void redis_drop(struct order_cache *base, const struct uuid *order_id, uint32_t below_version);
void redis_clear(struct order_cache *base);

/* --- redis_calls.c: the loop thread --- */

void redis_key(const struct redis_cache *cache, const struct uuid *order_id, char out[REDIS_KEY_SIZE]);

/* Sends a call that was taken from the queue, or fails it. */
void redis_call_send(struct redis_call *call);

/* Ends a call that was never sent: nothing was done. */
void redis_call_refuse(struct redis_call *call);

/* Cuts off the calls past their deadline; their replies, if any come, are thrown away. */
void redis_calls_expire(struct redis_cache *cache);

/* --- redis_connection.c: the loop thread --- */

/* Notes why the connection must end; it does at the next redis_connection_tend. */
void redis_connection_doom(struct redis_cache *cache, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends what is doomed, lost or late, and connects when it is time. */
void redis_connection_tend(struct redis_cache *cache);

/* When tend has something to do, INT64_MAX: not before an event. */
int64_t redis_connection_next_ns(const struct redis_cache *cache);

void redis_connection_close(struct redis_cache *cache);

/* Redis answered a put, drop or clear with an error: worth a line, now and then. */
void redis_connection_refused(struct redis_cache *cache, const char *text);

/* --- redis_loop.c --- */

void *redis_loop_main(void *cache);

/* --- redis_check.c: any thread, on connections of their own --- */

enum status redis_check(struct order_cache *base, int timeout_ms, struct error *error);
void redis_advise(struct order_cache *base, int timeout_ms, struct advice *advice);

/* --- redis_error.c --- */

/* "Redis at host:port: what; remedy", where a remedy is known. Always returns UNAVAILABLE. */
enum status redis_error_set(struct error *error, const struct order_cache_redis_options *options, const char *what);

/* An error reply to AUTH, or another text if it might repeat what was sent. */
const char *redis_auth_text(const struct order_cache_redis_options *options, const char *text);

/* --- redis_tls.c --- */

enum status redis_tls_open(const struct order_cache_redis_options *options, struct redis_tls **tls_out,
                           struct error *error);

/* Before anything is sent. tls NULL: nothing to do. False: the context's errstr says why. */
bool redis_tls_start(struct redis_tls *tls, redisContext *context);

void redis_tls_close(struct redis_tls *tls);

#endif
