/* The order cache on Redis, shared by all processes of an installation, by hiredis. For app/ and tests only. */
#ifndef ORDERLY_ORDER_CACHE_REDIS_H
#define ORDERLY_ORDER_CACHE_REDIS_H

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "order_cache/order_cache.h"

struct order_cache_redis_options {
    const char *host;
    uint16_t port;
    const char *namespace_prefix;  /* put before the keys orderly:order:<id>; "" for none */
    const char *user, *password;   /* ACL; "" for none */
    bool tls;                      /* UNSUPPORTED from open where the installed hiredis has no TLS */
    const char *tls_ca_file;       /* "": the system's */
    int timeout_ms;                /* of each call; 0: 50 */
    int connect_timeout_ms;        /* 0: 500 */
    int backoff_min_ms, backoff_max_ms; /* between connects; 0: 50 and 2,000 */
    size_t in_flight_max;          /* 0: 4,096; further gets answer UNAVAILABLE, puts are skipped */
    const struct clock *clock;
    struct random *random;         /* jitter */
    const struct log *logger;      /* may be NULL: the circuit opening and closing is worth a line */
    struct metrics *metrics;       /* may be NULL */
};

/* Starts the loop thread, which connects by itself, now and whenever the connection is lost. A Redis that is away is no
 * failure: the cache then answers UNAVAILABLE at once. UNSUPPORTED: TLS is asked for and not available. */
enum status order_cache_redis_open(const struct order_cache_redis_options *options, struct order_cache **cache_out,
                                   struct error *error);

#endif
