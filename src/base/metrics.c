/* The registry of metrics, their updates, and their text form for Prometheus. */
#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_BUCKETS 19 /* 50 us * 2^0 ... 2^18 */
#define SIZES_BUCKETS 17   /* 2^0 ... 2^16 */
#define SECONDS_BUCKET_FIRST_NS 50000
#define CACHE_LINE_SIZE 64

enum kind { COUNTER, GAUGE, SECONDS, SIZES, CALLBACK };

/* The values sit alone on their cache line: two threads that count different things do not slow each other. */
struct metric_counter {
    alignas(CACHE_LINE_SIZE) _Atomic uint64_t value;
};
struct metric_gauge {
    alignas(CACHE_LINE_SIZE) _Atomic int64_t value;
};
struct metric_histogram {
    alignas(CACHE_LINE_SIZE) _Atomic uint64_t sum; /* ns, or the sum of sizes */
    _Atomic uint64_t buckets[SECONDS_BUCKETS + 1]; /* each its own count; the one after the last is +Inf */
};
struct callback {
    double (*read)(void *data);
    void *data;
};

/* One name and labels. Its family's list only grows, and an element is complete before it is linked: so a scrape walks
 * the lists without the lock, and a callback may take any lock it likes. */
struct metric {
    union {
        struct metric_counter counter;
        struct metric_gauge gauge;
        struct metric_histogram histogram;
        struct callback callback;
    };
    struct metric *_Atomic next;
    char labels[];
};

/* One name, with its HELP and TYPE lines. */
struct family {
    struct family *_Atomic next;
    struct metric *_Atomic first;
    enum kind kind;
    char *name;
    char *help;
};

struct metrics {
    pthread_mutex_t mutex; /* for registering */
    struct family *_Atomic first;
    size_t count;
};

/* What a registry that is absent, full or out of memory hands out. Updates know them by address and do nothing: they
 * are constant, so that threads that count into the void do not contend there. */
static const struct metric_counter void_counter;
static const struct metric_gauge void_gauge;
static const struct metric_histogram void_histogram;

struct metrics *metrics_new(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics && pthread_mutex_init(&metrics->mutex, NULL) != 0) {
        free(metrics);
        return NULL;
    }
    return metrics;
}

static void family_free(struct family *family) {
    if (!family) return;
    for (struct metric *metric = family->first, *next; metric; metric = next) {
        next = metric->next;
        free(metric);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void metrics_free(struct metrics *metrics) {
    if (!metrics) return;
    for (struct family *family = metrics->first, *next; family; family = next) {
        next = family->next;
        family_free(family);
    }
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

/* Finds or adds the family; under the mutex. NULL: no memory, or the name is of another kind. */
static struct family *family_get(struct metrics *metrics, enum kind kind, const char *name, const char *help) {
    struct family *_Atomic *link = &metrics->first;
    for (; *link; link = &(*link)->next) {
        if (strcmp((*link)->name, name) == 0) return (*link)->kind == kind ? *link : NULL;
    }
    struct family *family = calloc(1, sizeof *family);
    if (!family) return NULL;
    family->kind = kind;
    family->name = strdup(name);
    family->help = strdup(help);
    if (!family->name || !family->help) {
        family_free(family);
        return NULL;
    }
    atomic_store_explicit(link, family, memory_order_release);
    return family;
}

/* Finds or adds the metric; under the mutex. NULL: no memory or too many. */
static struct metric *family_metric(struct metrics *metrics, struct family *family, const char *labels,
                                    struct callback callback) {
    struct metric *_Atomic *link = &family->first;
    for (; *link; link = &(*link)->next) {
        if (strcmp((*link)->labels, labels) == 0) return *link;
    }
    if (metrics->count == METRICS_MAX) return NULL;
    size_t size = sizeof(struct metric) + strlen(labels) + 1;
    size = (size + CACHE_LINE_SIZE - 1) / CACHE_LINE_SIZE * CACHE_LINE_SIZE;
    struct metric *metric = aligned_alloc(CACHE_LINE_SIZE, size);
    if (!metric) return NULL;
    memset(metric, 0, size);
    strcpy(metric->labels, labels);
    if (callback.read) metric->callback = callback;
    metrics->count++;
    atomic_store_explicit(link, metric, memory_order_release);
    return metric;
}

static struct metric *register_metric(struct metrics *metrics, enum kind kind, const char *name, const char *help,
                                      const char *labels, struct callback callback) {
    if (!metrics) return NULL;
    pthread_mutex_lock(&metrics->mutex);
    struct family *family = family_get(metrics, kind, name, help);
    struct metric *metric = family ? family_metric(metrics, family, labels, callback) : NULL;
    pthread_mutex_unlock(&metrics->mutex);
    return metric;
}

struct metric_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                                       const char *labels) {
    struct metric *metric = register_metric(metrics, COUNTER, name, help, labels, (struct callback){0});
    return metric ? &metric->counter : (struct metric_counter *)&void_counter;
}

struct metric_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels) {
    struct metric *metric = register_metric(metrics, GAUGE, name, help, labels, (struct callback){0});
    return metric ? &metric->gauge : (struct metric_gauge *)&void_gauge;
}

static struct metric_histogram *register_histogram(struct metrics *metrics, enum kind kind, const char *name,
                                                   const char *help, const char *labels) {
    struct metric *metric = register_metric(metrics, kind, name, help, labels, (struct callback){0});
    return metric ? &metric->histogram : (struct metric_histogram *)&void_histogram;
}

struct metric_histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                                           const char *labels) {
    return register_histogram(metrics, SECONDS, name, help, labels);
}

struct metric_histogram *metrics_sizes(struct metrics *metrics, const char *name, const char *help,
                                       const char *labels) {
    return register_histogram(metrics, SIZES, name, help, labels);
}

void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help, const char *labels,
                            double (*read)(void *data), void *data) {
    register_metric(metrics, CALLBACK, name, help, labels, (struct callback){read, data});
}

/* --- Updates: relaxed, because a scrape only needs each number whole. --- */

void metric_add(struct metric_counter *counter, uint64_t n) {
    if (counter == &void_counter) return;
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t metric_count(const struct metric_counter *counter) {
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

void metric_set(struct metric_gauge *gauge, int64_t value) {
    if (gauge == &void_gauge) return;
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

/* Counts into the first bucket whose bound first * 2^i is not below the value, or into +Inf behind the last. */
static void histogram_observe(struct metric_histogram *histogram, uint64_t value, uint64_t first, unsigned buckets) {
    if (histogram == &void_histogram) return;
    uint64_t quotient = value > first ? (value - 1) / first : 0;
    unsigned bucket = quotient > 0 ? 64 - (unsigned)__builtin_clzll(quotient) : 0;
    if (bucket > buckets) bucket = buckets;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

void metric_observe_ns(struct metric_histogram *histogram, int64_t ns) {
    histogram_observe(histogram, ns > 0 ? (uint64_t)ns : 0, SECONDS_BUCKET_FIRST_NS, SECONDS_BUCKETS);
}

void metric_observe_size(struct metric_histogram *histogram, uint64_t n) {
    histogram_observe(histogram, n, 1, SIZES_BUCKETS);
}

/* --- Writing --- */

/* One sample's name and labels: name_suffix{labels,extra} */
static void write_name(struct buffer *out, const struct family *family, const char *suffix, const char *labels,
                       const char *extra) {
    buffer_put_text(out, family->name);
    buffer_put_text(out, suffix);
    if (labels[0] != '\0' || extra[0] != '\0') {
        buffer_put_char(out, '{');
        buffer_put_text(out, labels);
        if (labels[0] != '\0' && extra[0] != '\0') buffer_put_char(out, ',');
        buffer_put_text(out, extra);
        buffer_put_char(out, '}');
    }
    buffer_put_char(out, ' ');
}

static void write_double(struct buffer *out, double value) {
    if (isnan(value))
        buffer_put_text(out, "NaN");
    else if (isinf(value))
        buffer_put_text(out, value > 0 ? "+Inf" : "-Inf");
    else
        buffer_printf(out, "%.15g", value);
}

/* The buckets are read one after another while others count, so the count is made from what was read: a scrape always
 * agrees with itself. */
static void write_histogram(struct buffer *out, const struct family *family, const struct metric *metric) {
    unsigned buckets = family->kind == SECONDS ? SECONDS_BUCKETS : SIZES_BUCKETS;
    double first = family->kind == SECONDS ? SECONDS_BUCKET_FIRST_NS / 1e9 : 1;
    uint64_t count = 0;
    for (unsigned i = 0; i <= buckets; i++) {
        char bound[40] = "le=\"+Inf\"";
        if (i < buckets) snprintf(bound, sizeof bound, "le=\"%.10g\"", first * (double)(1U << i));
        count += atomic_load_explicit(&metric->histogram.buckets[i], memory_order_relaxed);
        write_name(out, family, "_bucket", metric->labels, bound);
        buffer_printf(out, "%" PRIu64 "\n", count);
    }
    uint64_t sum = atomic_load_explicit(&metric->histogram.sum, memory_order_relaxed);
    write_name(out, family, "_sum", metric->labels, "");
    if (family->kind == SECONDS)
        buffer_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", sum / 1000000000, sum % 1000000000);
    else
        buffer_printf(out, "%" PRIu64 "\n", sum);
    write_name(out, family, "_count", metric->labels, "");
    buffer_printf(out, "%" PRIu64 "\n", count);
}

static void write_metric(struct buffer *out, const struct family *family, const struct metric *metric) {
    if (family->kind == SECONDS || family->kind == SIZES) {
        write_histogram(out, family, metric);
        return;
    }
    write_name(out, family, "", metric->labels, "");
    if (family->kind == COUNTER)
        buffer_printf(out, "%" PRIu64, metric_count(&metric->counter));
    else if (family->kind == GAUGE)
        buffer_put_int(out, atomic_load_explicit(&metric->gauge.value, memory_order_relaxed));
    else
        write_double(out, metric->callback.read(metric->callback.data));
    buffer_put_char(out, '\n');
}

static const char *family_type(const struct family *family) {
    static const char *const types[] = {
        [COUNTER] = "counter", [GAUGE] = "gauge", [SECONDS] = "histogram", [SIZES] = "histogram"};
    if (family->kind != CALLBACK) return types[family->kind];
    size_t size = strlen(family->name);
    return size >= 6 && strcmp(family->name + size - 6, "_total") == 0 ? "counter" : "gauge";
}

static void write_head(struct buffer *out, const struct family *family) {
    buffer_put_text(out, "# HELP ");
    buffer_put_text(out, family->name);
    buffer_put_char(out, ' ');
    for (const char *c = family->help; *c; c++) {
        if (*c == '\\' || *c == '\n') buffer_put_char(out, '\\');
        buffer_put_char(out, *c == '\n' ? 'n' : *c);
    }
    buffer_put_text(out, "\n# TYPE ");
    buffer_put_text(out, family->name);
    buffer_put_char(out, ' ');
    buffer_put_text(out, family_type(family));
    buffer_put_char(out, '\n');
}

void metrics_write(struct metrics *metrics, struct buffer *out) {
    if (!metrics) return;
    const struct family *family = atomic_load_explicit(&metrics->first, memory_order_acquire);
    for (; family; family = atomic_load_explicit(&family->next, memory_order_acquire)) {
        const struct metric *metric = atomic_load_explicit(&family->first, memory_order_acquire);
        if (!metric) continue; /* its first metric found no room */
        write_head(out, family);
        for (; metric; metric = atomic_load_explicit(&metric->next, memory_order_acquire))
            write_metric(out, family, metric);
    }
}
