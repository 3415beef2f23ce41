/* Commits: one request at a time for each member, with the latest position of each partition, so that no retry inside
 * librdkafka can put an older position in the place of a newer one. Their answers come on the supervisor's thread. */
#include "event_log/kafka_consumer.h"

#define SILENT_NS ((int64_t)20000000000) /* librdkafka gives up after a session or some socket time-outs */

struct commit_work {
    struct queue_link link;
};
_Static_assert(sizeof(struct commit_work) <= sizeof((struct event_log_commit *)0)->reserved,
               "the work fits the request");

static struct event_log_commit *commit_of(struct queue_link *link) {
    return CONTAINER_OF(CONTAINER_OF(link, struct commit_work, link), struct event_log_commit, reserved);
}

static struct queue take_all(struct queue *queue) {
    struct queue taken = *queue;
    *queue = (struct queue){0};
    return taken;
}

/* --- the end --- */

static enum status status_of(rd_kafka_resp_err_t code) {
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return STATUS_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__FENCED: return STATUS_CONFLICT;
    default: return STATUS_UNAVAILABLE;
    }
}

static rd_kafka_resp_err_t code_of(rd_kafka_event_t *event, const struct kafka_consumer *consumer, int32_t partition) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_topic_partition_t *found =
        list ? rd_kafka_topic_partition_list_find(list, consumer->topic_name, partition) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    return found && found->err ? found->err : code;
}

/* The requests belong to their callers again once done is called. */
static void commits_ended(struct kafka_consumer *consumer, size_t count) {
    pthread_mutex_lock(&consumer->mutex);
    consumer->commits_under_way -= count;
    pthread_cond_broadcast(&consumer->changed);
    kafka_event_fd_ring(consumer->wake_fd); /* a hand-over may wait for it */
    pthread_mutex_unlock(&consumer->mutex);
}

static void end_all(struct kafka_consumer *consumer, struct queue ended, enum status status, const char *text) {
    struct queue_link *link;
    size_t count = ended.count;
    while ((link = queue_pop(&ended))) {
        struct event_log_commit *commit = commit_of(link);
        commit->done(commit, status, text);
    }
    if (count > 0) commits_ended(consumer, count);
}

void kafka_commit_end_all(struct kafka_consumer *consumer, enum status status, const char *text) {
    pthread_mutex_lock(&consumer->mutex);
    struct queue sent = take_all(&consumer->commits_sent), waiting = take_all(&consumer->commits_waiting);
    consumer->commits_round++;
    pthread_mutex_unlock(&consumer->mutex);
    end_all(consumer, sent, status, text);
    end_all(consumer, waiting, status, text);
}

/* --- sending --- */

/* Under the mutex. All that wait go as one; librdkafka only puts it into a queue here. */
static rd_kafka_resp_err_t send_waiting(struct kafka_consumer *consumer) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->partition_count);
    consumer->commits_sent = take_all(&consumer->commits_waiting);
    for (struct queue_link *link = consumer->commits_sent.head; link; link = link->next) {
        const struct event_log_commit *commit = commit_of(link);
        rd_kafka_topic_partition_t *place =
            rd_kafka_topic_partition_list_find(list, consumer->topic_name, commit->partition);
        if (!place) place = rd_kafka_topic_partition_list_add(list, consumer->topic_name, commit->partition);
        place->offset = commit->next_offset;
    }
    consumer->commits_round++;
    consumer->commits_sent_ns = kafka_now_ns();
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(consumer->client->rk, list, consumer->client->main_queue, NULL,
                                                     (void *)consumer->commits_round);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Sends what waits, unless an answer is still to come. A member that has lost its partitions must not commit, even if
 * nobody else has joined the group yet, when the broker would take it. */
static void send_next(struct kafka_consumer *consumer) {
    struct queue failed = {0};
    enum status status = STATUS_OK;
    pthread_mutex_lock(&consumer->mutex);
    if (consumer->commits_sent.count == 0 && consumer->commits_waiting.count > 0) {
        if (!consumer->client)
            status = STATUS_UNAVAILABLE;
        else if (rd_kafka_assignment_lost(consumer->client->rk))
            status = STATUS_CONFLICT;
        else
            status = status_of(send_waiting(consumer));
        if (status)
            failed = take_all(consumer->commits_sent.count > 0 ? &consumer->commits_sent : &consumer->commits_waiting);
    }
    pthread_mutex_unlock(&consumer->mutex);
    end_all(consumer, failed, status, "the position could not be sent");
}

void kafka_commit(struct event_log_consumer *base, struct event_log_commit *commit) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    struct commit_work *work = (struct commit_work *)(void *)commit->reserved;
    bool is_ours = consumer->is_member && commit->partition >= 0 && commit->partition < consumer->partition_count;
    pthread_mutex_lock(&consumer->mutex);
    if (is_ours) {
        enum kafka_ownership ownership = consumer->partitions[commit->partition].ownership;
        is_ours = !consumer->is_closing && (ownership == KAFKA_OWNED || ownership == KAFKA_REVOKED);
    }
    if (is_ours) {
        queue_push(&consumer->commits_waiting, &work->link);
        consumer->commits_under_way++;
    }
    pthread_mutex_unlock(&consumer->mutex);
    if (is_ours)
        send_next(consumer);
    else
        commit->done(commit, STATUS_CONFLICT, "the partition is not this member's");
}

/* --- answers --- */

void kafka_commit_answered(struct kafka_client *client, rd_kafka_event_t *event) {
    struct kafka_consumer *consumer = client->owner;
    struct queue answered = {0};
    struct queue_link *link;
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_OFFSET_COMMIT) return;
    pthread_mutex_lock(&consumer->mutex);
    if ((uintptr_t)rd_kafka_event_opaque(event) == consumer->commits_round)
        answered = take_all(&consumer->commits_sent);
    pthread_mutex_unlock(&consumer->mutex);
    size_t count = answered.count;
    if (count == 0) return;
    while ((link = queue_pop(&answered))) {
        struct event_log_commit *commit = commit_of(link);
        rd_kafka_resp_err_t code = code_of(event, consumer, commit->partition);
        commit->done(commit, status_of(code), code ? rd_kafka_err2str(code) : "");
    }
    send_next(consumer);
    commits_ended(consumer, count);
}

bool kafka_commit_is_silent(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->mutex);
    bool is_silent = consumer->commits_sent.count > 0 && kafka_now_ns() - consumer->commits_sent_ns > SILENT_NS;
    pthread_mutex_unlock(&consumer->mutex);
    return is_silent;
}
