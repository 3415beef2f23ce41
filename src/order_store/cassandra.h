/* The order store on Apache Cassandra. For app/ and tests only. */
#ifndef ORDERLY_ORDER_STORE_CASSANDRA_H
#define ORDERLY_ORDER_STORE_CASSANDRA_H

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "order_store/order_store.h"

struct order_store_cassandra_options {
    const char *contact_points; /* "host[:port],host[:port]" */
    const char *prefix;         /* put before the keyspace's name, `orders`; "" for none */
    const char *local_dc;       /* "": whichever answers; for setup with several data centres it must be named */
    const char *user, *password; /* "" for none */
    const char *tls_ca_file, *tls_cert_file, *tls_key_file; /* "" for none: plain TCP */
    int replication;            /* for setup; 0: 3, or as many nodes as there are if fewer */
    int64_t commands_retention_ms; /* of the log: compared with gc_grace by order_store_advise */
    int request_timeout_ms;     /* 0: 5,000 */
    size_t in_flight_max;       /* 0: 1,024 */
    const struct clock *clock;
    const struct log *logger;   /* may be NULL */
    struct metrics *metrics;    /* may be NULL */
};

/* Connects. NOT_FOUND: the keyspace is not set up (the store is returned all the same, for order_store_setup).
 * UNAVAILABLE: no node answers; error names the addresses tried, what happened and the likely remedy. UNSUPPORTED: the
 * schema was made by a newer version. Borrowed pointers outlive the store. */
enum status order_store_cassandra_open(const struct order_store_cassandra_options *options, struct order_store **store_out,
                                       struct error *error);

#endif
