/* The feed's thread: it reads order-events from the end, calls the waiters of each attempt, then the listeners.
 *
 * The reader belongs to the thread; the table of waiters has its own lock; the rest is atomic. */
#include "feed/feed.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "feed/waiters.h"

#define FEED_POLL_TIMEOUT_MS 100
#define FEED_LIVE_NS 1000000000 /* since the last contact with the log */
#define FEED_RETRY_MS 100       /* between polls of a log that does not answer */
#define FEED_BATCH_MAX 1024     /* records in one poll */
#define FEED_ARENA_BLOCK_SIZE (64u << 10)
#define FEED_ARENA_LIMIT_SIZE (16u << 20) /* one event's JSON */
#define FEED_NEVER INT64_MIN

struct feed_metrics {
    struct metric_counter *events, *malformed, *errors;
    struct metric_gauge *waiters, *live;
};

struct feed {
    struct feed_options options;
    struct event_log_consumer *reader; /* of the thread */
    pthread_t thread;
    struct waiters waiters;
    _Atomic(struct feed_listener *) listeners;  /* grows at its head only */
    struct arena arena;                         /* of the thread */
    bool is_assigned[EVENT_LOG_PARTITIONS_MAX]; /* of the thread */
    int32_t assigned_count;                     /* of the thread */
    bool is_in_trouble;                         /* of the thread: a failure has been logged */
    _Atomic bool is_positioned;                 /* at the end of every partition */
    _Atomic int64_t contact_at_ns;              /* or FEED_NEVER */
    struct feed_metrics metrics;
    pthread_mutex_t mutex; /* guards `stopping` */
    pthread_cond_t stop;   /* on CLOCK_MONOTONIC */
    bool stopping;
};

/* --- one event --- */

static enum status header_uuid(const struct event_log_record *record, const char *name, struct uuid *out) {
    const struct event_log_header *header = event_log_header(record, name);
    return header ? uuid_parse(header->value, out) : STATUS_NOT_FOUND;
}

static enum status header_number(const struct event_log_record *record, const char *name, uint32_t *out) {
    const struct event_log_header *header = event_log_header(record, name);
    if (!header || header->value.size == 0 || header->value.size > 9) return STATUS_INVALID;
    uint32_t number = 0;
    for (size_t i = 0; i < header->value.size; i++) {
        char c = header->value.data[i];
        if (c < '0' || c > '9') return STATUS_INVALID;
        number = number * 10 + (uint32_t)(c - '0');
    }
    *out = number;
    return STATUS_OK;
}

/* Most events are nobody's here: their JSON is not parsed. */
static enum status call_waiters(struct feed *feed, const struct uuid *attempt_id,
                                const struct event_log_record *record) {
    if (!waiters_expect(&feed->waiters, attempt_id)) return STATUS_OK;
    struct event event;
    arena_reset(&feed->arena);
    enum status status = event_read(record->value, &feed->arena, &event, NULL);
    if (status != STATUS_OK) return status;
    if (!uuid_equal(&event.attempt_id, attempt_id)) return STATUS_INVALID;
    waiters_call(&feed->waiters, attempt_id, &event);
    return STATUS_OK;
}

static enum status take_event(struct feed *feed, const struct event_log_record *record) {
    struct feed_event event = {.record = record};
    struct uuid attempt_id;
    enum status status = header_uuid(record, "ce_attemptid", &attempt_id);
    if (status == STATUS_OK) status = header_uuid(record, "ce_subject", &event.order_id);
    if (status == STATUS_OK) status = header_number(record, "ce_orderversion", &event.version);
    if (status == STATUS_OK) status = call_waiters(feed, &attempt_id, record);
    if (status != STATUS_OK) return status;
    struct feed_listener *listener = atomic_load_explicit(&feed->listeners, memory_order_acquire);
    for (; listener; listener = listener->next)
        listener->event(listener, &event);
    return STATUS_OK;
}

/* --- the thread --- */

static void on_records(struct feed *feed, const struct event_log_poll *poll) {
    for (size_t i = 0; i < poll->batch->count; i++) {
        const struct event_log_record *record = &poll->batch->records[i];
        metric_add(feed->metrics.events, 1);
        if (take_event(feed, record) == STATUS_OK) continue;
        metric_add(feed->metrics.malformed, 1);
        log_event(feed->options.logger, LOG_WARN, "an event that cannot be read is skipped",
                  LOG_N("partition", poll->partition), LOG_N("offset", record->offset));
    }
    event_log_batch_free(poll->batch);
}

static void set_assigned(struct feed *feed, int32_t partition, bool is_assigned) {
    if (feed->is_assigned[partition] == is_assigned) return;
    feed->is_assigned[partition] = is_assigned;
    feed->assigned_count += is_assigned ? 1 : -1;
    atomic_store(&feed->is_positioned, feed->assigned_count == feed->options.log->partition_count);
}

static void on_poll(struct feed *feed, const struct event_log_poll *poll) {
    switch (poll->kind) {
    case POLL_NOTHING: break;
    case POLL_RECORDS: on_records(feed, poll); break;
    case POLL_ASSIGNED: set_assigned(feed, poll->partition, true); break;
    case POLL_REVOKED:
    case POLL_LOST: set_assigned(feed, poll->partition, false); break;
    case POLL_GAP:
        log_event(feed->options.logger, LOG_WARN, "events are gone from the log before they were read",
                  LOG_N("partition", poll->partition), LOG_N("next_offset", poll->next_offset));
    }
}

static bool is_stopping(struct feed *feed) {
    pthread_mutex_lock(&feed->mutex);
    bool stopping = feed->stopping;
    pthread_mutex_unlock(&feed->mutex);
    return stopping;
}

static void wait_before_retry(struct feed *feed) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FEED_RETRY_MS * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    int failure = 0;
    pthread_mutex_lock(&feed->mutex);
    while (!feed->stopping && failure == 0)
        failure = pthread_cond_timedwait(&feed->stop, &feed->mutex, &until);
    pthread_mutex_unlock(&feed->mutex);
}

/* Not live from here on, until the log answers again. */
static void on_failure(struct feed *feed, enum status status, const struct error *error) {
    atomic_store(&feed->contact_at_ns, FEED_NEVER);
    metric_add(feed->metrics.errors, 1);
    if (!feed->is_in_trouble)
        log_event(feed->options.logger, LOG_WARN, "the feed does not reach the log and tries again",
                  LOG_S("status", status_name(status)), LOG_S("error", error->text));
    feed->is_in_trouble = true;
    wait_before_retry(feed);
}

static void *feed_run(void *argument) {
    struct feed *feed = argument;
    while (!is_stopping(feed)) {
        struct event_log_poll poll = {.kind = POLL_NOTHING};
        struct error error = {.text = ""};
        enum status status = event_log_poll(feed->reader, FEED_POLL_TIMEOUT_MS, &poll, &error);
        if (status != STATUS_OK) {
            on_failure(feed, status, &error);
        } else {
            feed->is_in_trouble = false;
            atomic_store(&feed->contact_at_ns, clock_monotonic_ns(feed->options.clock));
            on_poll(feed, &poll);
        }
        metric_set(feed->metrics.waiters, (int64_t)waiters_count(&feed->waiters));
        metric_set(feed->metrics.live, feed_is_live(feed));
    }
    return NULL;
}

/* --- the interface --- */

bool feed_is_live(struct feed *feed) {
    int64_t contact_at_ns = atomic_load(&feed->contact_at_ns);
    if (contact_at_ns == FEED_NEVER || !atomic_load(&feed->is_positioned)) return false;
    return clock_monotonic_ns(feed->options.clock) - contact_at_ns < FEED_LIVE_NS;
}

enum status feed_wait(struct feed *feed, struct feed_waiter *waiter) {
    return waiters_add(&feed->waiters, waiter);
}

bool feed_cancel(struct feed *feed, struct feed_waiter *waiter) {
    return waiters_cancel(&feed->waiters, waiter);
}

void feed_listen(struct feed *feed, struct feed_listener *listener) {
    listener->next = atomic_load(&feed->listeners);
    while (!atomic_compare_exchange_weak(&feed->listeners, &listener->next, listener)) {
    }
}

static void register_metrics(struct feed *feed) {
    struct metrics *metrics = feed->options.metrics;
    feed->metrics = (struct feed_metrics){
        .events = metrics_counter(metrics, "orderly_feed_events_total", "Events read.", ""),
        .malformed = metrics_counter(metrics, "orderly_feed_malformed_total", "Events skipped as unreadable.", ""),
        .errors = metrics_counter(metrics, "orderly_feed_errors_total", "Polls that the log did not answer.", ""),
        .waiters = metrics_gauge(metrics, "orderly_feed_waiters", "Requests that wait for a verdict.", ""),
        .live = metrics_gauge(metrics, "orderly_feed_live", "1 while the feed is at the end of the log.", ""),
    };
}

static struct feed *feed_new(const struct feed_options *options) {
    struct feed *feed = calloc(1, sizeof *feed);
    if (!feed) return NULL;
    feed->options = *options;
    atomic_init(&feed->contact_at_ns, FEED_NEVER);
    arena_init(&feed->arena, FEED_ARENA_BLOCK_SIZE, FEED_ARENA_LIMIT_SIZE);
    if (waiters_init(&feed->waiters) != STATUS_OK) {
        free(feed);
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&feed->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&feed->mutex, NULL);
    register_metrics(feed);
    return feed;
}

static void feed_free(struct feed *feed) {
    event_log_consumer_close(feed->reader);
    arena_free(&feed->arena);
    waiters_free(&feed->waiters);
    pthread_cond_destroy(&feed->stop);
    pthread_mutex_destroy(&feed->mutex);
    free(feed);
}

enum status feed_open(const struct feed_options *options, struct feed **feed_out, struct error *error) {
    struct feed *feed = feed_new(options);
    if (!feed) return error_set(error, STATUS_NO_MEMORY, "no memory for the feed");
    const struct event_log_consumer_options reader = {.topic = TOPIC_EVENTS, .batch_max = FEED_BATCH_MAX};
    enum status status = event_log_consumer_open(options->log, &reader, &feed->reader, error);
    if (status == STATUS_OK) {
        int failure = pthread_create(&feed->thread, NULL, feed_run, feed);
        if (failure) status = error_set_errno(error, STATUS_NO_MEMORY, failure, "the feed's thread");
    }
    if (status != STATUS_OK) {
        feed_free(feed);
        return status;
    }
    *feed_out = feed;
    return STATUS_OK;
}

void feed_close(struct feed *feed) {
    if (!feed) return;
    pthread_mutex_lock(&feed->mutex);
    feed->stopping = true;
    pthread_cond_signal(&feed->stop);
    pthread_mutex_unlock(&feed->mutex);
    event_log_wake(feed->reader);
    pthread_join(feed->thread, NULL);
    feed_free(feed);
}
