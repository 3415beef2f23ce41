/* What the tests of the Redis cache share: a server, a cache on it, its log and metrics, requests that are watched. */
#ifndef ORDERLY_TESTS_REDIS_REDIS_FIXTURE_H
#define ORDERLY_TESTS_REDIS_REDIS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "contract/order_cache/order_cache_contract.h"
#include "order_cache/redis.h"
#include "redis/redis_server.h"

#ifdef ORDERLY_SLOW /* under sanitizers */
#define SLACK_MS 3000
#else
#define SLACK_MS 500 /* what a busy machine may add to a time limit */
#endif
#define FIXTURE_LOG_SIZE 65536
#define WAIT_S 20 /* every wait ends by then */

/* The system's clock with the wall's hands moved. */
struct shifted_clock {
    struct clock base;
    _Atomic int64_t shift_ms;
};

struct fixture {
    struct redis_server server;
    struct order_cache_redis_options options; /* to change before fixture_open */
    struct order_cache *cache;
    struct shifted_clock clock;
    struct metrics *metrics;
    struct log log;
    int log_fds[2]; /* a pipe */
    char log_text[FIXTURE_LOG_SIZE];
    size_t log_size;
};

/* cmocka's setup and teardown: a running server, and no cache yet. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Opens the cache and waits until it is up. */
void fixture_open(struct fixture *fixture);
void fixture_open_only(struct fixture *fixture); /* does not wait */

/* A further cache on the same server, up. */
struct order_cache *fixture_open_another(struct fixture *fixture);

/* Waits until gets are answered, or refused. */
void fixture_wait_up(struct order_cache *cache);
void fixture_wait_down(struct order_cache *cache);

int64_t fixture_now_ms(const struct fixture *fixture); /* by the cache's clock */
int64_t fixture_monotonic_ms(void);

/* Waits for a condition; false: it did not come true in time. */
bool fixture_wait(bool (*condition)(void *data), void *data);

/* What the cache has logged so far. */
const char *fixture_log(struct fixture *fixture);

/* Its metrics, to be freed. */
char *fixture_metrics(struct fixture *fixture);

/* A get or put that counts its dones and measures its time. It lives on the heap and is freed by watch_end. */
struct watched {
    struct order_cache_get get;
    struct order_cache_put put;
    int64_t started_ms;
    _Atomic int64_t took_ms;
    _Atomic int dones;
    _Atomic int status;
    uint32_t version;
};
struct watched *watch_get(struct order_cache *cache, const struct uuid *order_id);
struct watched *watch_put(struct order_cache *cache, const struct uuid *order_id, uint32_t version, struct bytes value,
                          int64_t expires_at_ms);
bool watch_is_done(const struct watched *watched);
void watch_wait(struct watched *watched);       /* for its done */
enum status watch_end(struct watched *watched); /* waits, frees; the status */

#endif
