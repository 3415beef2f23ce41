/* The server's metrics, found once and then only counted. */
#ifndef ORDERLY_HTTP_METRICS_H
#define ORDERLY_HTTP_METRICS_H

#include <stdatomic.h>

#include "base/metrics.h"
#include "http/http.h"
#include "http/method.h"
#include "http/stream.h"

#define METRICS_STATUS_MAX 600

struct http_metrics {
    struct metrics *registry;
    const struct http_route *routes;
    size_t route_count;
    /* A counter for each route (and one past them for what matches none), method and status; made when first counted.
     */
    _Atomic(struct metric_counter *) *requests;
    struct metric_histogram **seconds; /* by route */
    struct metric_gauge *connections, *active, *streams;
    struct metric_counter *streams_ended[STREAM_ENDS]; /* by reason */
    struct metric_counter *received_bytes, *sent_bytes;
};

enum status http_metrics_open(struct http_metrics *metrics, struct metrics *registry, const struct http_route *routes,
                              size_t route_count);
void http_metrics_close(struct http_metrics *metrics);

/* status 0: the connection ended before an answer. */
void http_metrics_count(struct http_metrics *metrics, const struct http_route *route, enum method method, int status,
                        int64_t took_ns);

#endif
