/* A thread that appends numbered records, and the ledger of what became of each. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kafka/kafka_fixture.h"

#define VALUE_SIZE 300
#define RETRY_NS 2000000 /* after a refusal */

struct load_append {
    struct load *load;
    struct event_log_append append;
    struct event_log_record record;
    char value[VALUE_SIZE];
    int64_t started_ms;
    enum promise promise;
    size_t times_seen;
};

static enum promise promise_of(enum status status) {
    switch (status) {
    case STATUS_OK: return PROMISE_KEPT;
    case STATUS_UNKNOWN: return PROMISE_UNKNOWN;
    case STATUS_UNAVAILABLE:
    case STATUS_FULL: return PROMISE_REFUSED;
    default: abort(); /* none of the others fits these appends */
    }
}

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct load_append *self = append->data;
    struct load *load = self->load;
    pthread_mutex_lock(&load->mutex);
    if (self->promise != PROMISE_NONE) abort(); /* ended twice */
    self->promise = promise_of(status);
    int64_t ended_ms = now_ms(), took_ms = ended_ms - self->started_ms;
    if (took_ms > load->longest_ms) load->longest_ms = took_ms;
    if (status == STATUS_OK) load->last_kept_ms = ended_ms;
    load->ended++;
    load->in_flight--;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
}

static void append_next(struct load *load) {
    size_t number = load->started++;
    struct load_append *self = &load->appends[number];
    load->in_flight++;
    pthread_mutex_unlock(&load->mutex);
    self->load = load;
    self->started_ms = now_ms();
    bytes_put_u64(self->value, number);
    self->record = (struct event_log_record){.partition = (int32_t)(number % FIXTURE_PARTITIONS),
                                             .key = BYTES("key"),
                                             .value = {self->value, sizeof self->value}};
    self->append = (struct event_log_append){
        .topic = TOPIC_COMMANDS, .records = &self->record, .count = 1, .done = append_done, .data = self};
    event_log_append(load->fixture->log, &self->append);
    pthread_mutex_lock(&load->mutex);
    if (self->promise == PROMISE_REFUSED) { /* at once: not to burn through all numbers during an outage */
        pthread_mutex_unlock(&load->mutex);
        nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
        pthread_mutex_lock(&load->mutex);
    }
}

static void *load_main(void *data) {
    struct load *load = data;
    pthread_mutex_lock(&load->mutex);
    while (!atomic_load(&load->stops) && load->started < load->capacity) {
        if (load->in_flight < load->in_flight_max)
            append_next(load);
        else
            pthread_cond_wait(&load->changed, &load->mutex);
    }
    pthread_mutex_unlock(&load->mutex);
    return NULL;
}

struct load *load_start(struct fixture *fixture, size_t capacity, size_t in_flight_max) {
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    load->fixture = fixture;
    load->capacity = capacity;
    load->in_flight_max = in_flight_max;
    load->appends = calloc(capacity, sizeof *load->appends);
    assert_non_null(load->appends);
    pthread_mutex_init(&load->mutex, NULL);
    kafka_condition_init(&load->changed);
    assert_int_equal(pthread_create(&load->thread, NULL, load_main, load), 0);
    return load;
}

static size_t count_locked(const struct load *load, enum promise promise) {
    size_t count = 0;
    for (size_t i = 0; i < load->started; i++)
        count += load->appends[i].promise == promise;
    return count;
}

size_t load_count(struct load *load, enum promise promise) {
    pthread_mutex_lock(&load->mutex);
    size_t count = count_locked(load, promise);
    pthread_mutex_unlock(&load->mutex);
    return count;
}

void load_wait_kept(struct load *load, size_t more, int timeout_ms) {
    size_t wanted = load_count(load, PROMISE_KEPT) + more;
    int64_t until_ms = now_ms() + timeout_ms;
    while (load_count(load, PROMISE_KEPT) < wanted) {
        if (now_ms() > until_ms) fail_msg("appends do not work again within %d ms", timeout_ms);
        usleep(20000);
    }
}

void load_stop(struct load *load) {
    struct timespec until = kafka_until(kafka_now_ns() + (int64_t)FIXTURE_WAIT_MS * 1000000);
    atomic_store(&load->stops, true);
    pthread_mutex_lock(&load->mutex);
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    pthread_join(load->thread, NULL);
    pthread_mutex_lock(&load->mutex);
    while (load->in_flight > 0)
        if (pthread_cond_timedwait(&load->changed, &load->mutex, &until) != 0) {
            fprintf(stderr, "%zu appends have not ended\n", load->in_flight);
            abort(); /* they are still the log's: the test cannot go on */
        }
    pthread_mutex_unlock(&load->mutex);
}

/* --- what the log holds --- */

struct reading {
    size_t records;
    uint64_t next_kept[FIXTURE_PARTITIONS]; /* the smallest promised number that may come next */
};

static void note_record(struct load *load, struct reading *reading, const struct event_log_record *record) {
    uint64_t number = bytes_get_u64(record->value.data);
    assert_true(record->value.size == VALUE_SIZE && number < load->started);
    struct load_append *self = &load->appends[number];
    assert_int_equal(record->partition, self->record.partition);
    self->times_seen++;
    reading->records++;
    if (self->promise != PROMISE_KEPT) return;
    assert_int_equal(record->offset, self->record.offset);
    assert_true(number >= reading->next_kept[record->partition]);
    reading->next_kept[record->partition] = number + 1;
}

static int64_t records_in_log(struct fixture *fixture) {
    int64_t sum = 0;
    for (int32_t i = 0; i < FIXTURE_PARTITIONS; i++) {
        int64_t first, end, until_ms = now_ms() + FIXTURE_WAIT_MS;
        struct error error;
        while (event_log_range(fixture->log, TOPIC_COMMANDS, i, FIXTURE_WAIT_MS, &first, &end, &error))
            if (now_ms() > until_ms) fail_msg("%s", error.text);
        sum += end - first;
    }
    return sum;
}

void load_check(struct load *load) {
    struct reading reading = {0};
    int64_t expected = records_in_log(load->fixture);
    struct event_log_consumer *reader = fixture_reader(load->fixture, TOPIC_COMMANDS, true);
    while ((int64_t)reading.records < expected) {
        struct event_log_poll poll = fixture_poll_until(reader, POLL_RECORDS);
        for (size_t i = 0; i < poll.batch->count; i++)
            note_record(load, &reading, &poll.batch->records[i]);
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(reader);
    size_t counts[4] = {0};
    for (size_t i = 0; i < load->started; i++) {
        const struct load_append *self = &load->appends[i];
        counts[self->promise]++;
        if (self->promise == PROMISE_KEPT && self->times_seen != 1)
            fail_msg("record %zu was promised and is there %zu times", i, self->times_seen);
        if (self->promise == PROMISE_REFUSED && self->times_seen != 0)
            fail_msg("record %zu was refused and is there %zu times", i, self->times_seen);
    }
    print_message("%zu kept, %zu refused, %zu unknown; longest append %lld ms\n", counts[PROMISE_KEPT],
                  counts[PROMISE_REFUSED], counts[PROMISE_UNKNOWN], (long long)load->longest_ms);
}

void load_free(struct load *load) {
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->mutex);
    free(load->appends);
    free(load);
}
