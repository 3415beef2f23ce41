/* Opening and closing a consumer, and the small calls around a poll. */
#include "event_log/kafka_consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_COMMITS_NS ((int64_t)10000000000) /* for the answers to commits under way */
#define RETRY_MS 100
#define READER_GROUP "reader" /* librdkafka wants a name for one that only reads; it joins nothing */

/* --- the client --- */

static enum status subscribe(struct kafka_consumer *consumer, struct kafka_client *client, struct error *error) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->topic_name, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(client->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? kafka_unavailable(client, code, "joining the group", error) : STATUS_OK;
}

enum status kafka_consumer_connect(struct kafka_consumer *consumer, struct error *error) {
    struct kafka_client *client;
    enum status status = kafka_client_new(consumer->log, consumer->is_member ? KAFKA_MEMBER : KAFKA_READER,
                                          consumer->group_id, kafka_commit_answered, consumer, &client, error);
    if (status) return status;
    if (consumer->is_member) status = subscribe(consumer, client, error);
    if (status) {
        kafka_client_end(client);
        return status;
    }
    consumer->group_queue = rd_kafka_queue_get_consumer(client->rk);
    kafka_queue_ring(consumer->group_queue, consumer->wake_fd);
    consumer->joining_since_ns = consumer->is_member ? kafka_now_ns() : 0;
    pthread_mutex_lock(&consumer->mutex);
    consumer->client = client;
    pthread_mutex_unlock(&consumer->mutex);
    return STATUS_OK;
}

static void free_queue(rd_kafka_queue_t **queue) {
    if (!*queue) return;
    kafka_queue_ring(*queue, -1);
    rd_kafka_queue_destroy(*queue);
    *queue = NULL;
}

void kafka_consumer_disconnect(struct kafka_consumer *consumer) {
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = &consumer->partitions[i];
        if (partition->held) rd_kafka_message_destroy(partition->held);
        partition->held = NULL;
        free_queue(&partition->queue);
    }
    if (consumer->assigning) rd_kafka_topic_partition_list_destroy(consumer->assigning);
    consumer->assigning = NULL;
    free_queue(&consumer->group_queue);
    pthread_mutex_lock(&consumer->mutex);
    struct kafka_client *client = consumer->client;
    consumer->client = NULL;
    pthread_mutex_unlock(&consumer->mutex);
    kafka_client_end(client);
}

/* --- small calls --- */

void kafka_consumer_own(struct kafka_consumer *consumer, int32_t number, enum kafka_ownership ownership) {
    pthread_mutex_lock(&consumer->mutex);
    consumer->partitions[number].ownership = ownership;
    pthread_mutex_unlock(&consumer->mutex);
}

static void consumer_wake(struct event_log_consumer *base) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    atomic_store(&consumer->is_woken, true);
    kafka_event_fd_ring(consumer->wake_fd);
}

static struct kafka_partition *partition_at(struct kafka_consumer *consumer, int32_t number) {
    return number >= 0 && number < consumer->partition_count ? &consumer->partitions[number] : NULL;
}

static void consumer_pause(struct event_log_consumer *base, int32_t number, bool paused) {
    struct kafka_partition *partition = partition_at(kafka_consumer_of(base), number);
    if (partition) partition->paused = paused;
}

static void consumer_release(struct event_log_consumer *base, int32_t number) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    struct kafka_partition *partition = partition_at(consumer, number);
    if (!partition || partition->ownership != KAFKA_REVOKED) return;
    partition->tell_revoked = false;
    kafka_consumer_own(consumer, number, KAFKA_RELEASED);
}

static enum status consumer_seek(struct event_log_consumer *base, int32_t number, int64_t offset, struct error *error) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    struct kafka_partition *partition = partition_at(consumer, number);
    if (!partition || partition->ownership != KAFKA_OWNED)
        return error_set(error, STATUS_CONFLICT, "partition %d is not this consumer's", number);
    if (offset == EVENT_LOG_FIRST) {
        int64_t end;
        enum status status =
            kafka_range(&consumer->log->base, consumer->topic, number, KAFKA_QUESTION_MS, &offset, &end, error);
        if (status) return status;
    }
    if (offset < 0) return error_set(error, STATUS_INVALID, "offset %" PRId64 " is negative", offset);
    atomic_store(&partition->next_offset, offset);
    partition->tell_gap = partition->is_out_of_range = false;
    consumer->must_restart = true; /* by the next poll */
    return STATUS_OK;
}

/* As librdkafka learned with the last answer to a fetch; the mutex keeps the client. */
static int64_t consumer_lag(struct event_log_consumer *base, int32_t number) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    struct kafka_partition *partition = partition_at(consumer, number);
    int64_t first = -1, end = -1;
    if (!partition) return -1;
    pthread_mutex_lock(&consumer->mutex);
    if (partition->ownership == KAFKA_OWNED && consumer->client)
        rd_kafka_get_watermark_offsets(consumer->client->rk, consumer->topic_name, number, &first, &end);
    pthread_mutex_unlock(&consumer->mutex);
    if (end < 0) return -1;
    int64_t next = atomic_load(&partition->next_offset);
    return end > next ? end - next : 0;
}

/* --- close --- */

static void await_commits(struct kafka_consumer *consumer) {
    struct timespec until = kafka_until(kafka_now_ns() + CLOSE_COMMITS_NS);
    pthread_mutex_lock(&consumer->mutex);
    consumer->is_closing = true;
    while (consumer->commits_under_way > 0 &&
           pthread_cond_timedwait(&consumer->changed, &consumer->mutex, &until) == 0) {
    }
    pthread_mutex_unlock(&consumer->mutex);
    kafka_commit_end_all(consumer, STATUS_UNAVAILABLE, "Kafka did not answer");
}

static void consumer_free(struct kafka_consumer *consumer) {
    if (consumer->wake_fd >= 0) close(consumer->wake_fd);
    pthread_cond_destroy(&consumer->changed);
    pthread_mutex_destroy(&consumer->mutex);
    free(consumer->partitions);
    free(consumer->fetched);
    free(consumer);
}

static void consumer_close(struct event_log_consumer *base) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    await_commits(consumer);
    if (consumer->is_member && consumer->client) kafka_group_leave(consumer);
    kafka_consumer_disconnect(consumer);
    consumer_free(consumer);
}

static const struct event_log_consumer_ops consumer_ops = {
    .poll = kafka_poll,
    .wake = consumer_wake,
    .pause = consumer_pause,
    .commit = kafka_commit,
    .release = consumer_release,
    .seek = consumer_seek,
    .lag = consumer_lag,
    .close = consumer_close,
};

/* --- open --- */

static bool asks_for(const int64_t *positions, int32_t number, int64_t which) {
    if (which == RD_KAFKA_OFFSET_END) return positions == NULL;
    return positions && positions[number] == EVENT_LOG_FIRST;
}

/* Sets the next offsets of those partitions that shall start at their first record, or at their end. */
static enum status find_bounds(struct kafka_consumer *consumer, const int64_t *positions, int64_t which,
                               struct error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->partition_count);
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (asks_for(positions, i, which)) rd_kafka_topic_partition_list_add(list, consumer->topic_name, i);
    enum status status = STATUS_OK;
    if (list->cnt > 0) status = kafka_position_bounds(consumer->client, list, which, KAFKA_QUESTION_MS, error);
    for (int i = 0; i < list->cnt && status == STATUS_OK; i++)
        atomic_store(&consumer->partitions[list->elems[i].partition].next_offset, list->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* A reader has every partition from the start. A position that the log no longer has shows at the first fetch. */
static enum status assign_all(struct kafka_consumer *consumer, const int64_t *positions, struct error *error) {
    const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000};
    int64_t until_ns = kafka_now_ns() + (int64_t)consumer->log->options.connect_timeout_ms * 1000000;
    for (int32_t i = 0; positions && i < consumer->partition_count; i++) {
        if (positions[i] < 0 && positions[i] != EVENT_LOG_FIRST)
            return error_set(error, STATUS_INVALID, "position %" PRId64 " of partition %d is negative", positions[i],
                             i);
        atomic_store(&consumer->partitions[i].next_offset, positions[i]);
    }
    for (;;) {
        enum status status = find_bounds(consumer, positions, RD_KAFKA_OFFSET_BEGINNING, error);
        if (status == STATUS_OK) status = find_bounds(consumer, positions, RD_KAFKA_OFFSET_END, error);
        if (status == STATUS_OK) break;
        if (status != STATUS_UNAVAILABLE || kafka_now_ns() > until_ns) return status;
        nanosleep(&retry, NULL);
    }
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        kafka_consumer_own(consumer, i, KAFKA_OWNED);
        consumer->partitions[i].tell_assigned = true;
    }
    return kafka_position_restart(consumer, error);
}

static struct kafka_consumer *consumer_new(struct kafka_log *log, const struct event_log_consumer_options *options) {
    struct kafka_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) return NULL;
    size_t batch_max = options->batch_max ? options->batch_max : 1;
    consumer->base.ops = &consumer_ops;
    consumer->log = log;
    consumer->topic = options->topic;
    consumer->topic_name = log->topic_names[options->topic];
    consumer->is_member = options->group != NULL;
    consumer->partition_count = log->base.partition_count;
    consumer->batch_max = batch_max < KAFKA_BATCH_RECORDS_MAX ? batch_max : KAFKA_BATCH_RECORDS_MAX;
    snprintf(consumer->group_id, sizeof consumer->group_id, "%s%s", log->options.namespace_prefix,
             options->group ? options->group : READER_GROUP);
    pthread_mutex_init(&consumer->mutex, NULL);
    kafka_condition_init(&consumer->changed);
    consumer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    consumer->partitions = calloc((size_t)consumer->partition_count, sizeof *consumer->partitions);
    consumer->fetched = calloc(consumer->batch_max, sizeof *consumer->fetched);
    if (consumer->wake_fd >= 0 && consumer->partitions && consumer->fetched) return consumer;
    consumer_free(consumer);
    return NULL;
}

enum status kafka_consumer_open(struct event_log *base, const struct event_log_consumer_options *options,
                                struct event_log_consumer **consumer_out, struct error *error) {
    enum status status = kafka_check_partition(base, options->topic, 0, error);
    if (status) return status;
    if (options->group && (!options->group[0] || !kafka_name_is_valid(options->group)))
        return error_set(error, STATUS_INVALID, "\"%s\" cannot be the name of a group", options->group);
    struct kafka_consumer *consumer = consumer_new(kafka_log_of(base), options);
    if (!consumer) return error_set(error, STATUS_NO_MEMORY, "no memory for a consumer");
    status = kafka_consumer_connect(consumer, error);
    if (status == STATUS_OK && !consumer->is_member) status = assign_all(consumer, options->positions, error);
    if (status) {
        consumer_close(&consumer->base);
        return status;
    }
    *consumer_out = &consumer->base;
    return STATUS_OK;
}
