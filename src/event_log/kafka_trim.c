/* Trimming: a thread, started with the first trim, that asks where the old records end and has them deleted. librdkafka
 * finds offsets by time in a blocking call only, so neither the caller's thread nor the supervisor's will do. */
#include <stdio.h>

#include "event_log/kafka_internal.h"

#define TRIM_TIMEOUT_MS 5000 /* of each of its three questions */

struct trim_work {
    struct queue_link link;
};
_Static_assert(sizeof(struct trim_work) <= sizeof((struct event_log_trim *)0)->reserved, "the work fits the request");

static struct event_log_trim *trim_of(struct queue_link *link) {
    return CONTAINER_OF(CONTAINER_OF(link, struct trim_work, link), struct event_log_trim, reserved);
}

/* The first record of that time or later; *offset_out is left alone if all are older. */
static rd_kafka_resp_err_t find_time(struct kafka_client *client, const char *topic, int32_t partition,
                                     int64_t before_ms, int64_t *offset_out) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before_ms > 0 ? before_ms : 0;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client->rk, list, TRIM_TIMEOUT_MS);
    if (!code) code = list->elems[0].err;
    if (!code && list->elems[0].offset >= 0) *offset_out = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

struct deletion {
    const char *topic;
    int32_t partition;
    int64_t below_offset;
};

static void submit_deletion(struct kafka_client *client, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue,
                            void *data) {
    const struct deletion *deletion = data;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, deletion->topic, deletion->partition)->offset = deletion->below_offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client->rk, &request, 1, options, queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

static enum status delete_records(struct kafka_client *client, struct deletion *deletion, const char *what,
                                  struct error *error) {
    struct kafka_admin_call call = {submit_deletion, deletion, RD_KAFKA_ADMIN_OP_DELETERECORDS, what};
    rd_kafka_event_t *event;
    enum status status = kafka_admin_run(client, &call, TRIM_TIMEOUT_MS, &event, error);
    if (status) return status;
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    rd_kafka_resp_err_t code = list->cnt == 1 ? list->elems[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    rd_kafka_event_destroy(event);
    return code ? kafka_unavailable(client, code, what, error) : STATUS_OK;
}

static enum status run(struct kafka_log *log, struct kafka_client *client, const struct event_log_trim *trim,
                       struct error *error) {
    const char *topic = log->topic_names[trim->topic];
    char what[KAFKA_NAME_SIZE + 64];
    int64_t first, end;
    snprintf(what, sizeof what, "trimming %s, partition %d", topic, trim->partition);
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(client->rk, topic, trim->partition, &first, &end, TRIM_TIMEOUT_MS);
    int64_t young = end;
    if (!code) code = find_time(client, topic, trim->partition, trim->before_ms, &young);
    if (code) return kafka_unavailable(client, code, what, error);
    int64_t below = trim->below_offset < young ? trim->below_offset : young;
    if (below > end) below = end;
    if (below <= first) return STATUS_OK;
    struct deletion deletion = {topic, trim->partition, below};
    return delete_records(client, &deletion, what, error);
}

static void run_and_end(struct kafka_log *log, struct event_log_trim *trim) {
    struct kafka_client *client;
    struct error error = {.text = ""};
    enum status status = kafka_admin_take(log, &client, &error);
    if (status == STATUS_OK) {
        status = run(log, client, trim, &error);
        kafka_admin_give(log, status == STATUS_OK);
    }
    trim->done(trim, status, error.text);
}

/* --- the thread --- */

static void *trimmer_main(void *data) {
    struct kafka_log *log = data;
    for (;;) {
        pthread_mutex_lock(&log->mutex);
        while (log->trims_waiting.count == 0 && !log->closing)
            pthread_cond_wait(&log->changed, &log->mutex);
        struct queue_link *link = log->closing ? NULL : queue_pop(&log->trims_waiting);
        pthread_mutex_unlock(&log->mutex);
        if (!link) return NULL;
        run_and_end(log, trim_of(link));
    }
}

static enum status submit(struct kafka_log *log, struct event_log_trim *trim) {
    struct trim_work *work = (struct trim_work *)(void *)trim->reserved;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&log->mutex);
    if (log->closing) status = STATUS_CLOSED;
    if (status == STATUS_OK && !log->trimmer_runs) {
        log->trimmer_runs = pthread_create(&log->trimmer, NULL, trimmer_main, log) == 0;
        if (!log->trimmer_runs) status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK) queue_push(&log->trims_waiting, &work->link);
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    return status;
}

void kafka_trim(struct event_log *base, struct event_log_trim *trim) {
    struct error error;
    enum status status = kafka_check_partition(base, trim->topic, trim->partition, &error);
    if (status == STATUS_OK) {
        status = submit(kafka_log_of(base), trim);
        if (status == STATUS_OK) return;
        error_set(&error, status, "no trimming now");
    }
    trim->done(trim, status, error.text);
}

void kafka_trimmer_stop(struct kafka_log *log) {
    pthread_mutex_lock(&log->mutex);
    log->closing = true;
    pthread_cond_broadcast(&log->changed);
    bool runs = log->trimmer_runs;
    pthread_mutex_unlock(&log->mutex);
    if (runs) pthread_join(log->trimmer, NULL);
    struct queue_link *link;
    while ((link = queue_pop(&log->trims_waiting))) {
        struct event_log_trim *trim = trim_of(link);
        trim->done(trim, STATUS_CLOSED, "the log is closing");
    }
}
