/* Counters, gauges and latency histograms, written out in the Prometheus text format (version 0.0.4).
 *
 * A registry owns its metrics; they live until metrics_free. Registering the same name and labels again returns the
 * same metric. Updates are lock-free and may come from any thread; registering takes a lock. All registering functions
 * return a usable metric even when memory is out (a shared one that is not written out), so callers need no check.
 * Accepts metrics == NULL: then all is counted into the void. */
#ifndef ORDERLY_BASE_METRICS_H
#define ORDERLY_BASE_METRICS_H

#include "base/buffer.h"

#define METRICS_MAX 4096 /* metrics in one registry; further ones go to the shared one */

struct metrics;
struct metric_counter;
struct metric_gauge;
struct metric_histogram;

struct metrics *metrics_new(void); /* NULL: no memory */
void metrics_free(struct metrics *metrics);

/* name: "orderly_http_requests_total"; labels: "route=\"/orders\",status=\"201\"" or "". help is copied. */
struct metric_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *labels);
struct metric_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* Buckets in seconds: 50 us doubling to about 13 s, then +Inf. */
struct metric_histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* The same with buckets 1, 2, 4 ... 65,536 for sizes. */
struct metric_histogram *metrics_sizes(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* A gauge (or, by name ending in _total, a counter) whose value is asked for at each scrape, on the scraper's thread. */
void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help, const char *labels,
                            double (*read)(void *data), void *data);

void metric_add(struct metric_counter *counter, uint64_t n);
uint64_t metric_count(const struct metric_counter *counter);
void metric_set(struct metric_gauge *gauge, int64_t value);
void metric_observe_ns(struct metric_histogram *histogram, int64_t ns);
void metric_observe_size(struct metric_histogram *histogram, uint64_t n);

/* CPU seconds, resident and anonymous memory, threads, descriptors, start time of this process (process_*). */
void metrics_register_process(struct metrics *metrics);

/* Writes the whole registry, grouped by name. */
void metrics_write(struct metrics *metrics, struct buffer *out);

#endif
