/* The producer and its replacement: every version of librdkafka has ways to stop working for good. */
#include <stdlib.h>

#include "event_log/kafka_internal.h"

#define WAIT_MAX_NS ((int64_t)10000000000)   /* of a record for its acknowledgement; less if silent_max_ms is */
#define RETIRED_MAX_NS ((int64_t)5000000000) /* to report what became of its records */

static void producer_free(struct kafka_producer *producer) {
    for (int topic = 0; topic < TOPIC_COUNT; topic++)
        if (producer->topics[topic]) rd_kafka_topic_destroy(producer->topics[topic]);
    kafka_client_end(producer->client);
    free(producer);
}

enum status kafka_producer_new(struct kafka_log *log, struct kafka_producer **producer_out, struct error *error) {
    struct kafka_producer *producer = calloc(1, sizeof *producer);
    if (!producer) return error_set(error, STATUS_NO_MEMORY, "no memory for a producer");
    enum status status =
        kafka_client_new(log, KAFKA_PRODUCER, NULL, kafka_append_reported, producer, &producer->client, error);
    for (int topic = 0; topic < TOPIC_COUNT && status == STATUS_OK; topic++) {
        producer->topics[topic] = rd_kafka_topic_new(producer->client->rk, log->topic_names[topic], NULL);
        if (!producer->topics[topic])
            status = error_set(error, STATUS_NO_MEMORY, "%s", rd_kafka_err2str(rd_kafka_last_error()));
    }
    if (status) {
        producer_free(producer);
        return status;
    }
    *producer_out = producer;
    return STATUS_OK;
}

/* --- replacing --- */

/* Why it must go, or NULL. No record waits longer: either no broker is there, and a new producer does no harm, or this
 * one will never find it. What is purged with it is never sent again by anybody: no record is written twice. */
static const char *what_is_wrong(struct kafka_log *log, struct kafka_producer *producer, int64_t now_ns) {
    int64_t silent_max_ns = (int64_t)log->options.silent_max_ms * 1000000;
    if (atomic_load(&producer->client->is_fatal)) return "a fatal error";
    pthread_mutex_lock(&log->mutex);
    int64_t entered_ns = producer->oldest ? producer->oldest->entered_ns : now_ns;
    pthread_mutex_unlock(&log->mutex);
    bool is_stuck = now_ns - entered_ns > (silent_max_ns < WAIT_MAX_NS ? silent_max_ns : WAIT_MAX_NS);
    return is_stuck ? "records wait and are not acknowledged" : NULL;
}

/* New appends go to the other one from here on. */
void kafka_producer_change(struct kafka_log *log, struct kafka_producer *fresh) {
    pthread_mutex_lock(&log->mutex);
    struct kafka_producer *old = log->producer;
    log->producer = fresh;
    if (old) {
        old->retired_ns = kafka_now_ns();
        old->next = log->retired;
        log->retired = old;
        log->retiring++;
    }
    pthread_mutex_unlock(&log->mutex);
}

static void replace(struct kafka_log *log, struct kafka_producer *old, const char *why) {
    struct kafka_producer *fresh;
    struct error error;
    if (kafka_teardowns_are_full(log->teardowns)) return; /* tried again at the next tick */
    if (kafka_producer_new(log, &fresh, &error)) {
        log_event(log->options.logger, LOG_ERROR, "no new Kafka producer can be made", LOG_S("error", error.text));
        return;
    }
    struct error last;
    pthread_mutex_lock(&old->client->mutex);
    last = old->client->last_error;
    pthread_mutex_unlock(&old->client->mutex);
    kafka_producer_change(log, fresh);
    kafka_note_replaced(log, KAFKA_PRODUCER, last.text[0] ? last.text : why);
}

/* --- retired ones --- */

/* True once it can be freed. Callers leave soon: append() does not block. After the purge each record has a report,
 * unless the client hangs: then its records end all the same, and nobody listens to it any more. */
static bool retire_step(struct kafka_log *log, struct kafka_producer *producer, int64_t now_ns) {
    if (atomic_load(&producer->callers) > 0) return false;
    if (!producer->is_purged) {
        rd_kafka_purge(producer->client->rk,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        producer->is_purged = true;
    }
    pthread_mutex_lock(&log->mutex);
    bool is_empty = producer->appends == NULL;
    pthread_mutex_unlock(&log->mutex);
    if (!is_empty && now_ns - producer->retired_ns < RETIRED_MAX_NS) return false;
    kafka_append_abandon(log, producer);
    return true;
}

static void take_off_list(struct kafka_log *log, struct kafka_producer *producer) {
    pthread_mutex_lock(&log->mutex);
    struct kafka_producer **link = &log->retired;
    while (*link != producer)
        link = &(*link)->next;
    *link = producer->next;
    pthread_mutex_unlock(&log->mutex);
}

/* Others only put producers at the head of the list. */
static void retire(struct kafka_log *log, int64_t now_ns) {
    pthread_mutex_lock(&log->mutex);
    struct kafka_producer *producer = log->retired;
    pthread_mutex_unlock(&log->mutex);
    while (producer) {
        struct kafka_producer *next = producer->next;
        if (retire_step(log, producer, now_ns)) {
            take_off_list(log, producer);
            producer_free(producer);
            pthread_mutex_lock(&log->mutex);
            log->retiring--;
            pthread_cond_broadcast(&log->changed);
            pthread_mutex_unlock(&log->mutex);
        }
        producer = next;
    }
}

void kafka_producer_tick(struct kafka_log *log, int64_t now_ns) {
    pthread_mutex_lock(&log->mutex);
    struct kafka_producer *producer = log->closing ? NULL : log->producer;
    bool has_retired = log->retired != NULL;
    pthread_mutex_unlock(&log->mutex);
    const char *why = producer ? what_is_wrong(log, producer, now_ns) : NULL;
    if (why) replace(log, producer, why);
    if (has_retired || why) retire(log, now_ns);
}
