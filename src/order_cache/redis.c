/* The Redis order cache: open, close, and the table of functions. */
#include "order_cache/redis.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "order_cache/redis_internal.h"

static void redis_stats(struct order_cache *base, struct order_cache_stats *stats_out) {
    struct redis_stats *stats = &((struct redis_cache *)(void *)base)->stats;
    *stats_out = (struct order_cache_stats){
        .hits = atomic_load_explicit(&stats->hits, memory_order_relaxed),
        .misses = atomic_load_explicit(&stats->misses, memory_order_relaxed),
        .puts = atomic_load_explicit(&stats->puts, memory_order_relaxed),
        .skipped = atomic_load_explicit(&stats->skipped, memory_order_relaxed),
        .errors = atomic_load_explicit(&stats->errors, memory_order_relaxed),
    };
}

static void redis_stop(struct redis_cache *cache) {
    pthread_mutex_lock(&cache->mutex);
    cache->accepts = false;
    cache->closing = true;
    pthread_mutex_unlock(&cache->mutex);
    if (write(cache->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0) {
        /* The counter is full: the loop is awake already. */
    }
    pthread_join(cache->thread, NULL);
}

static void options_free(struct order_cache_redis_options *options) {
    const char *texts[] = {options->host, options->namespace_prefix, options->user, options->password,
                           options->tls_ca_file};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((char *)texts[i]);
}

static void redis_close(struct order_cache *base) {
    struct redis_cache *cache = (struct redis_cache *)(void *)base;
    if (cache->thread_runs) redis_stop(cache);
    if (cache->wake_fd >= 0) close(cache->wake_fd);
    redis_tls_close(cache->tls);
    pthread_mutex_destroy(&cache->mutex);
    options_free(&cache->options);
    free(cache->key_pattern);
    free(cache->calls);
    buffer_free(&cache->entry);
    free(cache);
}

static const struct order_cache_ops redis_ops = {
    .name = "redis",
    .check = redis_check,
    .advise = redis_advise,
    .get = redis_get,
    .put = redis_put,
    .drop = redis_drop,
    .clear = redis_clear,
    .stats = redis_stats,
    .close = redis_close,
};

static void default_to(int *value, int standard) {
    if (*value == 0) *value = standard;
}

/* All texts are copied; NULL counts as "". */
static bool options_copy(struct order_cache_redis_options *to, const struct order_cache_redis_options *from) {
    *to = *from;
    const char **texts[] = {&to->host, &to->namespace_prefix, &to->user, &to->password, &to->tls_ca_file};
    bool is_whole = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = strdup(*texts[i] ? *texts[i] : "");
        is_whole = is_whole && *texts[i];
    }
    default_to(&to->timeout_ms, REDIS_TIMEOUT_MS);
    default_to(&to->connect_timeout_ms, REDIS_CONNECT_TIMEOUT_MS);
    default_to(&to->backoff_min_ms, REDIS_BACKOFF_MIN_MS);
    default_to(&to->backoff_max_ms, REDIS_BACKOFF_MAX_MS);
    if (to->in_flight_max == 0) to->in_flight_max = REDIS_IN_FLIGHT_MAX;
    return is_whole;
}

/* Every key of this installation, with what SCAN would take for a wildcard escaped. */
static char *key_pattern_new(const char *prefix) {
    char *pattern = malloc(2 * strlen(prefix) + sizeof REDIS_KEY + 1), *to = pattern;
    if (!pattern) return NULL;
    for (const char *at = prefix; *at; at++) {
        if (strchr("*?[]\\", *at)) *to++ = '\\';
        *to++ = *at;
    }
    strcpy(to, REDIS_KEY "*");
    return pattern;
}

static void register_metrics(struct redis_cache *cache) {
    static const char *const labels[CALL_KINDS] = {
        [CALL_GET] = "call=\"get\"",
        [CALL_PUT] = "call=\"put\"",
        [CALL_DROP] = "call=\"drop\"",
        [CALL_CLEAR] = "call=\"clear\"",
    };
    struct metrics *metrics = cache->options.metrics;
    struct redis_metrics *own = &cache->metrics;
    for (int i = 0; i < CALL_KINDS; i++)
        own->seconds[i] = metrics_histogram(metrics, "orderly_redis_call_seconds",
                                            "Time from a call's submission to Redis's reply.", labels[i]);
    own->late = metrics_counter(metrics, "orderly_redis_late_total", "Calls cut off at their deadline.", "");
    own->refused =
        metrics_counter(metrics, "orderly_redis_refused_total", "Calls that Redis answered by an error.", "");
    own->skipped = metrics_counter(metrics, "orderly_redis_skipped_total",
                                   "Calls not made: the circuit was open, or too many were under way.", "");
    own->opened = metrics_counter(metrics, "orderly_redis_circuit_opened_total",
                                  "How often Redis was left out after it had answered.", "");
    own->connects = metrics_counter(metrics, "orderly_redis_connects_total", "Connections tried.", "");
    own->up = metrics_gauge(metrics, "orderly_redis_up", "1 while calls are sent to Redis.", "");
}

/* A failure leaves a cache that redis_close can free. */
static enum status prepare(struct redis_cache *cache, const struct order_cache_redis_options *options,
                           struct error *error) {
    bool has_copied = options_copy(&cache->options, options);
    cache->calls = calloc(cache->options.in_flight_max, sizeof *cache->calls);
    if (has_copied) cache->key_pattern = key_pattern_new(cache->options.namespace_prefix);
    if (!cache->key_pattern || !cache->calls) return error_set(error, STATUS_NO_MEMORY, "no memory for the cache");
    if (strlen(cache->options.namespace_prefix) > REDIS_PREFIX_MAX)
        return error_set(error, STATUS_INVALID, "the namespace is longer than %d bytes", REDIS_PREFIX_MAX);
    for (size_t i = 0; i < cache->options.in_flight_max; i++)
        queue_push(&cache->free_calls, &cache->calls[i].link);
    buffer_init(&cache->entry, REDIS_HEAD_MAX + ORDER_CACHE_VALUE_MAX);
    register_metrics(cache);
    if (options->tls) {
        enum status status = redis_tls_open(&cache->options, &cache->tls, error);
        if (status != STATUS_OK) return status;
    }
    cache->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cache->wake_fd < 0) return error_set_errno(error, STATUS_IO, errno, "no eventfd");
    return STATUS_OK;
}

/* Signals are other threads' business; SIGPIPE, which hiredis's writes raise, is nobody's. */
static enum status start(struct redis_cache *cache, struct error *error) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&cache->thread, NULL, redis_loop_main, cache);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) return error_set_errno(error, STATUS_IO, rc, "no thread for the Redis cache");
    cache->thread_runs = true;
    return STATUS_OK;
}

enum status order_cache_redis_open(const struct order_cache_redis_options *options, struct order_cache **cache_out,
                                   struct error *error) {
    struct redis_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return error_set(error, STATUS_NO_MEMORY, "no memory for the cache");
    cache->base.ops = &redis_ops;
    cache->wake_fd = -1;
    pthread_mutex_init(&cache->mutex, NULL);
    enum status status = prepare(cache, options, error);
    if (status == STATUS_OK) status = start(cache, error);
    if (status != STATUS_OK) {
        redis_close(&cache->base);
        return status;
    }
    *cache_out = &cache->base;
    return STATUS_OK;
}
