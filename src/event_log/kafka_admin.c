/* Questions to the cluster: a client of their own, asked on the caller's thread and within the caller's time.
 *
 * It is a consumer without a group, not the producer: a producer that asks about a topic creates it, on brokers that
 * allow that (the default), with the wrong number of partitions. */
#include <stdio.h>
#include <time.h>

#include "event_log/kafka_internal.h"

#define RETRY_MS 100
#define TRY_MS 5000 /* then the client itself may be the trouble */

/* --- the client --- */

/* With nobody using it, one that did not answer gives way to a new one: its trouble may be its own. */
static void drop_suspect(struct kafka_log *log) {
    if (!log->admin || !log->admin_is_suspect || log->admin_users > 0 || kafka_teardowns_are_full(log->teardowns))
        return;
    kafka_client_end(log->admin);
    log->admin = NULL;
    metric_add(log->replaced[KAFKA_ADMIN], 1);
}

enum status kafka_admin_take(struct kafka_log *log, struct kafka_client **client_out, struct error *error) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&log->admin_mutex);
    drop_suspect(log);
    if (!log->admin) {
        status = kafka_client_new(log, KAFKA_ADMIN, NULL, NULL, NULL, &log->admin, error);
        log->admin_is_suspect = false;
    }
    if (status == STATUS_OK) {
        log->admin_users++;
        *client_out = log->admin;
    }
    pthread_mutex_unlock(&log->admin_mutex);
    return status;
}

void kafka_admin_give(struct kafka_log *log, bool did_answer) {
    pthread_mutex_lock(&log->admin_mutex);
    log->admin_users--;
    log->admin_is_suspect = !did_answer;
    pthread_mutex_unlock(&log->admin_mutex);
}

void kafka_admin_close(struct kafka_log *log) {
    kafka_client_end(log->admin);
    log->admin = NULL;
}

/* --- operations --- */

enum status kafka_admin_run(struct kafka_client *client, const struct kafka_admin_call *call, int timeout_ms,
                            rd_kafka_event_t **event_out, struct error *error) {
    char text[ERROR_TEXT_SIZE];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, call->operation);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_event_t *event = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        call->submit(client, options, queue, call->data);
        event = rd_kafka_queue_poll(queue, timeout_ms);
    }
    if (event) code = rd_kafka_event_error(event);
    if (event && code) {
        kafka_client_note_error(client, rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    if (code) return kafka_unavailable(client, code, call->what, error);
    *event_out = event;
    return STATUS_OK;
}

/* --- a partition's range --- */

/* What passes by itself, as after a broker's return: a leader is being chosen, or the client has kept an old answer about
 * the topic, which is ours and exists. A client that gave one of these gives way to a new one before the next try. */
static bool passes(rd_kafka_resp_err_t code) {
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,    RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,       RD_KAFKA_RESP_ERR__TIMED_OUT,
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (code == codes[i]) return true;
    return false;
}

static int smaller_of(int a, int b) {
    return a < b ? a : b;
}

/* One try with the client of now; *passes_out: another may succeed. */
static enum status try_range(struct kafka_log *log, enum event_log_topic topic, int32_t partition, int timeout_ms,
                             int64_t *first_out, int64_t *end_out, bool *passes_out, struct error *error) {
    struct kafka_client *client;
    *passes_out = false;
    enum status status = kafka_admin_take(log, &client, error);
    if (status) return status;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client->rk, log->topic_names[topic], partition,
                                                                first_out, end_out, timeout_ms > 1 ? timeout_ms : 1);
    if (code) {
        char what[KAFKA_NAME_SIZE + 64];
        snprintf(what, sizeof what, "the offsets of %s, partition %d", log->topic_names[topic], partition);
        status = kafka_unavailable(client, code, what, error);
        *passes_out = passes(code);
    }
    kafka_admin_give(log, status == STATUS_OK);
    return status;
}

enum status kafka_range(struct event_log *base, enum event_log_topic topic, int32_t partition, int timeout_ms,
                        int64_t *first_out, int64_t *end_out, struct error *error) {
    const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000};
    int64_t until_ns = kafka_now_ns() + (int64_t)timeout_ms * 1000000, first = 0, end = 0;
    enum status status = kafka_check_partition(base, topic, partition, error);
    bool again = status == STATUS_OK;
    while (again) {
        int left_ms = (int)((until_ns - kafka_now_ns()) / 1000000);
        status = try_range(kafka_log_of(base), topic, partition, smaller_of(left_ms, TRY_MS), &first, &end, &again, error);
        again = again && kafka_now_ns() + (int64_t)RETRY_MS * 1000000 < until_ns;
        if (again) nanosleep(&retry, NULL);
    }
    if (status == STATUS_OK) *first_out = first, *end_out = end;
    return status;
}

/* --- a group's position --- */

/* A client of the group that never joins it. Not by the admin API: in 2.0.2, a question about a group ends the process
 * when it has timed out before its coordinator was found, or when the coordinator is just starting. */
static enum status ask_position(struct kafka_client *client, const char *topic, int32_t partition, int timeout_ms,
                                int64_t *offset_out, struct error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(client->rk, list, timeout_ms);
    if (!code) code = list->elems[0].err;
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code) return kafka_unavailable(client, code, "a group's position", error);
    if (offset < 0) return error_set(error, STATUS_NOT_FOUND, "the group has no position there");
    *offset_out = offset;
    return STATUS_OK;
}

enum status kafka_committed(struct event_log *base, const char *group, enum event_log_topic topic, int32_t partition,
                            int timeout_ms, int64_t *next_offset_out, struct error *error) {
    struct kafka_log *log = kafka_log_of(base);
    struct kafka_client *client;
    char name[KAFKA_NAME_SIZE];
    enum status status = kafka_check_partition(base, topic, partition, error);
    if (status) return status;
    snprintf(name, sizeof name, "%s%s", log->options.namespace_prefix, group);
    status = kafka_client_new(log, KAFKA_ADMIN, name, NULL, NULL, &client, error);
    if (status) return status;
    status = ask_position(client, log->topic_names[topic], partition, timeout_ms, next_offset_out, error);
    kafka_client_end(client);
    return status;
}
