/* Counts requests by route, method and status, and measures them by route. */
#include "http/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define LABELS_SIZE 256

static const char *route_label(const struct http_metrics *metrics, size_t i) {
    return i < metrics->route_count ? metrics->routes[i].path : "none";
}

enum status http_metrics_open(struct http_metrics *metrics, struct metrics *registry, const struct http_route *routes,
                              size_t route_count) {
    *metrics = (struct http_metrics){.registry = registry, .routes = routes, .route_count = route_count};
    metrics->requests = calloc((route_count + 1) * METHOD_COUNT * METRICS_STATUS_MAX, sizeof *metrics->requests);
    metrics->seconds = calloc(route_count + 1, sizeof *metrics->seconds);
    if (!metrics->requests || !metrics->seconds) {
        http_metrics_close(metrics);
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i <= route_count; i++) {
        char labels[LABELS_SIZE];
        snprintf(labels, sizeof labels, "route=\"%s\"", route_label(metrics, i));
        metrics->seconds[i] = metrics_histogram(registry, "orderly_http_request_seconds",
                                                "Time from a request's first line to the end of its answer", labels);
    }
    metrics->connections = metrics_gauge(registry, "orderly_http_connections", "Open connections", "");
    metrics->active = metrics_gauge(registry, "orderly_http_active_requests", "Requests under way", "");
    metrics->streams = metrics_gauge(registry, "orderly_http_streams", "Open streams of events", "");
    for (enum stream_end end = 0; end < STREAM_ENDS; end++) {
        char labels[LABELS_SIZE];
        snprintf(labels, sizeof labels, "reason=\"%s\"", stream_end_name(end));
        metrics->streams_ended[end] =
            metrics_counter(registry, "orderly_http_streams_ended_total", "Streams that ended, by reason", labels);
    }
    metrics->received_bytes =
        metrics_counter(registry, "orderly_http_received_bytes_total", "Bytes of request bodies", "");
    metrics->sent_bytes = metrics_counter(registry, "orderly_http_sent_bytes_total", "Bytes of response bodies", "");
    return STATUS_OK;
}

void http_metrics_close(struct http_metrics *metrics) {
    free(metrics->requests);
    free(metrics->seconds);
    *metrics = (struct http_metrics){0};
}

static struct metric_counter *make_counter(struct http_metrics *metrics, size_t route, enum method method, int status) {
    char labels[LABELS_SIZE], code[16];
    snprintf(code, sizeof code, "%d", status);
    snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%s\"", route_label(metrics, route),
             method_name(method), status ? code : "aborted");
    return metrics_counter(metrics->registry, "orderly_http_requests_total", "Requests by route, method and status",
                           labels);
}

void http_metrics_count(struct http_metrics *metrics, const struct http_route *route, enum method method, int status,
                        int64_t took_ns) {
    size_t i = route ? (size_t)(route - metrics->routes) : metrics->route_count;
    if (status < 0 || status >= METRICS_STATUS_MAX) status = 0;
    size_t slot = (i * METHOD_COUNT + method) * METRICS_STATUS_MAX + (size_t)status;
    struct metric_counter *counter = atomic_load_explicit(&metrics->requests[slot], memory_order_acquire);
    if (!counter) { /* two threads may both come here: the registry gives both the same counter */
        counter = make_counter(metrics, i, method, status);
        atomic_store_explicit(&metrics->requests[slot], counter, memory_order_release);
    }
    metric_add(counter, 1);
    metric_observe_ns(metrics->seconds[i], took_ns);
}
