/* Where reading starts: the group's positions, the first records and ends of partitions, and the way to make librdkafka
 * go on there. */
#include <inttypes.h>

#include "event_log/kafka_consumer.h"

/* --- questions --- */

static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err) return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* In the protocol, "first" and "end" are special times: one question serves all partitions of a broker. */
enum status kafka_position_bounds(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int64_t which,
                                  int timeout_ms, struct error *error) {
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->rk, list, timeout_ms);
    if (!code) code = first_error(list);
    for (int i = 0; i < list->cnt && !code; i++)
        if (list->elems[i].offset < 0) code = RD_KAFKA_RESP_ERR__BAD_MSG;
    return code ? kafka_unavailable(client, code, "the partitions' bounds", error) : STATUS_OK;
}

static enum status find_first(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int timeout_ms,
                              struct error *error) {
    rd_kafka_topic_partition_list_t *without = rd_kafka_topic_partition_list_new(list->cnt);
    enum status status = STATUS_OK;
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(without, list->elems[i].topic, list->elems[i].partition);
    if (without->cnt > 0) status = kafka_position_bounds(client, without, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, error);
    for (int i = 0; i < without->cnt && status == STATUS_OK; i++)
        rd_kafka_topic_partition_list_set_offset(list, without->elems[i].topic, without->elems[i].partition,
                                                 without->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(without);
    return status;
}

enum status kafka_position_committed(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int timeout_ms,
                                     struct error *error) {
    if (list->cnt == 0) return STATUS_OK;
    rd_kafka_resp_err_t code = rd_kafka_committed(client->rk, list, timeout_ms);
    if (!code) code = first_error(list);
    if (code) return kafka_unavailable(client, code, "the group's positions", error);
    return find_first(client, list, timeout_ms, error);
}

/* --- gaps --- */

static rd_kafka_topic_partition_list_t *list_out_of_range(const struct kafka_consumer *consumer) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->partition_count);
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (consumer->partitions[i].ownership == KAFKA_OWNED && consumer->partitions[i].is_out_of_range)
            rd_kafka_topic_partition_list_add(list, consumer->topic_name, i);
    return list;
}

/* Below the first record: trimmed. Beyond the end: the position is of a log that was lost. In between: it has changed
 * meanwhile, and is tried again. */
static void take_bounds(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *firsts,
                        const rd_kafka_topic_partition_list_t *ends) {
    for (int i = 0; i < firsts->cnt; i++) {
        struct kafka_partition *partition = &consumer->partitions[firsts->elems[i].partition];
        int64_t next = atomic_load(&partition->next_offset), first = firsts->elems[i].offset;
        partition->is_out_of_range = false;
        consumer->must_restart = true;
        if (next >= first && next <= ends->elems[i].offset) continue;
        atomic_store(&partition->next_offset, first);
        partition->tell_gap = true;
    }
}

enum status kafka_position_step(struct kafka_consumer *consumer, struct error *error) {
    bool has_any = false;
    for (int32_t i = 0; i < consumer->partition_count; i++)
        has_any = has_any || consumer->partitions[i].is_out_of_range;
    if (!has_any) return STATUS_OK;
    rd_kafka_topic_partition_list_t *firsts = list_out_of_range(consumer);
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_copy(firsts);
    enum status status = STATUS_OK;
    if (firsts->cnt > 0)
        status = kafka_position_bounds(consumer->client, firsts, RD_KAFKA_OFFSET_BEGINNING, KAFKA_QUESTION_MS, error);
    if (firsts->cnt > 0 && status == STATUS_OK)
        status = kafka_position_bounds(consumer->client, ends, RD_KAFKA_OFFSET_END, KAFKA_QUESTION_MS, error);
    if (status == STATUS_OK) take_bounds(consumer, firsts, ends);
    rd_kafka_topic_partition_list_destroy(firsts);
    rd_kafka_topic_partition_list_destroy(ends);
    return status;
}

/* --- restart --- */

/* A queue of its own instead of the consumer's; before the assignment, or its first records went there. */
static void open_queue(struct kafka_consumer *consumer, int32_t number) {
    struct kafka_partition *partition = &consumer->partitions[number];
    if (partition->queue) rd_kafka_queue_destroy(partition->queue);
    partition->queue = rd_kafka_queue_get_partition(consumer->client->rk, consumer->topic_name, number);
    if (!partition->queue) return;
    rd_kafka_queue_forward(partition->queue, NULL);
    kafka_queue_ring(partition->queue, consumer->wake_fd);
}

static void drop_held(struct kafka_partition *partition) {
    if (partition->held) rd_kafka_message_destroy(partition->held);
    partition->held = NULL;
}

/* The one way to go on elsewhere: librdkafka's seek does not work on a partition that had run into an error. */
enum status kafka_position_restart(struct kafka_consumer *consumer, struct error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->partition_count);
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct kafka_partition *partition = &consumer->partitions[i];
        drop_held(partition);
        if (partition->ownership != KAFKA_OWNED) continue;
        open_queue(consumer, i);
        rd_kafka_topic_partition_list_add(list, consumer->topic_name, i)->offset = atomic_load(&partition->next_offset);
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->client->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    consumer->must_restart = code != RD_KAFKA_RESP_ERR_NO_ERROR;
    return code ? kafka_unavailable(consumer->client, code, "taking over partitions", error) : STATUS_OK;
}
