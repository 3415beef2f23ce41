/* What the group says and how it is answered: by Kafka's eager protocol, all partitions are given up before any are
 * shared out anew. The group waits for our answers; librdkafka sends the heartbeats meanwhile. */
#include "event_log/kafka_consumer.h"

#define LEAVE_MAX_NS ((int64_t)5000000000)
#define LEAVE_LOOK_MS 50

/* --- what it says --- */

void kafka_group_lose(struct kafka_consumer *consumer) {
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = &consumer->partitions[i];
        if (partition->ownership == KAFKA_FREE) continue;
        /* Who was never told that it came, or has let go, need not hear that it went. */
        partition->tell_lost = !partition->tell_assigned && partition->ownership != KAFKA_RELEASED;
        partition->tell_assigned = partition->tell_revoked = partition->tell_gap = false;
        partition->is_out_of_range = false;
        kafka_consumer_own(consumer, i, KAFKA_FREE);
    }
    consumer->is_revoking = consumer->must_restart = false;
    kafka_commit_end_all(consumer, STATUS_CONFLICT, "the partition was taken away");
}

static void take_assigned(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list) {
    kafka_group_lose(consumer); /* nothing is ours any more, unless librdkafka forgot to say so */
    if (consumer->assigning) rd_kafka_topic_partition_list_destroy(consumer->assigning);
    consumer->assigning = rd_kafka_topic_partition_list_copy(list);
    consumer->joining_since_ns = 0;
}

static void take_revoked(struct kafka_consumer *consumer) {
    if (consumer->assigning) rd_kafka_topic_partition_list_destroy(consumer->assigning);
    consumer->assigning = NULL;
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = &consumer->partitions[i];
        if (partition->ownership != KAFKA_OWNED) continue;
        kafka_consumer_own(consumer, i, partition->tell_assigned ? KAFKA_RELEASED : KAFKA_REVOKED);
        partition->tell_revoked = !partition->tell_assigned;
        partition->tell_assigned = partition->tell_gap = partition->is_out_of_range = false;
    }
    consumer->must_restart = false;
    consumer->is_revoking = true;
}

static void take_rebalance(struct kafka_consumer *consumer, rd_kafka_event_t *event) {
    switch (rd_kafka_event_error(event)) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        take_assigned(consumer, rd_kafka_event_topic_partition_list(event));
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS: take_revoked(consumer); break;
    default: /* librdkafka could not rebalance: all is given up, and it joins again */
        take_revoked(consumer);
        kafka_group_lose(consumer);
        consumer->is_revoking = true;
    }
}

void kafka_group_serve(struct kafka_consumer *consumer) {
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(consumer->group_queue, 0))) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) take_rebalance(consumer, event);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) kafka_client_take_error(consumer->client, event);
        rd_kafka_event_destroy(event);
    }
}

/* --- how it is answered --- */

static bool has_commits(struct kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->mutex);
    bool has_any = consumer->commits_under_way > 0;
    pthread_mutex_unlock(&consumer->mutex);
    return has_any;
}

static bool all_are_released(const struct kafka_consumer *consumer) {
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (consumer->partitions[i].ownership == KAFKA_REVOKED) return false;
    return true;
}

/* Others may have the partitions only when what was done with them is committed. */
static enum status hand_over(struct kafka_consumer *consumer, struct error *error) {
    if (rd_kafka_assignment_lost(consumer->client->rk)) {
        kafka_group_lose(consumer);
    } else if (!all_are_released(consumer) || has_commits(consumer)) {
        return STATUS_OK;
    }
    for (int32_t i = 0; i < consumer->partition_count; i++)
        kafka_consumer_own(consumer, i, KAFKA_FREE);
    consumer->is_revoking = false;
    consumer->joining_since_ns = kafka_now_ns();
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->client->rk, NULL);
    return code ? kafka_unavailable(consumer->client, code, "handing partitions over", error) : STATUS_OK;
}

/* The positions are asked for only now: the owner before has committed its last one. */
static enum status take_over(struct kafka_consumer *consumer, struct error *error) {
    rd_kafka_topic_partition_list_t *list = consumer->assigning;
    enum status status = kafka_position_committed(consumer->client, list, KAFKA_QUESTION_MS, error);
    if (status) return status; /* the next poll tries again */
    for (int i = 0; i < list->cnt; i++) {
        int32_t number = list->elems[i].partition;
        if (number < 0 || number >= consumer->partition_count) continue;
        struct kafka_partition *partition = &consumer->partitions[number];
        atomic_store(&partition->next_offset, list->elems[i].offset);
        partition->tell_assigned = true;
        partition->paused = partition->is_out_of_range = false;
        kafka_consumer_own(consumer, number, KAFKA_OWNED);
    }
    rd_kafka_topic_partition_list_destroy(list);
    consumer->assigning = NULL;
    return kafka_position_restart(consumer, error);
}

enum status kafka_group_step(struct kafka_consumer *consumer, struct error *error) {
    if (consumer->is_revoking) return hand_over(consumer, error);
    return consumer->assigning ? take_over(consumer, error) : STATUS_OK;
}

/* So that others need not wait for the session's end. */
void kafka_group_leave(struct kafka_consumer *consumer) {
    rd_kafka_t *rk = consumer->client->rk;
    int64_t until_ns = kafka_now_ns() + LEAVE_MAX_NS;
    rd_kafka_error_t *failure = rd_kafka_consumer_close_queue(rk, consumer->group_queue);
    while (!failure && !rd_kafka_consumer_closed(rk) && kafka_now_ns() < until_ns) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->group_queue, LEAVE_LOOK_MS);
        if (!event) continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) rd_kafka_assign(rk, NULL);
        rd_kafka_event_destroy(event);
    }
    if (failure) rd_kafka_error_destroy(failure);
}
