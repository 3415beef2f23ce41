/* The adapter's thread: serves the main queue of every client, and replaces producers that no longer work. */
#include <stdlib.h>

#include "event_log/kafka_internal.h"

/* The mutex is let go while a client is served; it cannot leave the list meanwhile. */
static void serve_clients(struct kafka_log *log) {
    pthread_mutex_lock(&log->clients_mutex);
    for (struct kafka_client *client = log->clients; client; client = client->next) {
        client->is_served = true;
        pthread_mutex_unlock(&log->clients_mutex);
        kafka_client_serve(client);
        pthread_mutex_lock(&log->clients_mutex);
        client->is_served = false;
        pthread_cond_broadcast(&log->client_served);
    }
    pthread_mutex_unlock(&log->clients_mutex);
}

static void *supervisor_main(void *data) {
    struct kafka_log *log = data;
    while (!atomic_load(&log->stopping)) {
        kafka_event_fd_wait(log->wake_fd, kafka_now_ns() + (int64_t)KAFKA_TICK_MS * 1000000);
        serve_clients(log);
        kafka_producer_tick(log, kafka_now_ns());
    }
    return NULL;
}

void kafka_note_replaced(struct kafka_log *log, enum kafka_role role, const char *why) {
    static const char *const names[KAFKA_ROLE_COUNT] = {"admin", "producer", "reader", "member"};
    metric_add(log->replaced[role], 1);
    log_event(log->options.logger, LOG_WARN, "a Kafka client is replaced", LOG_S("client", names[role]),
              LOG_S("reason", why));
}

enum status kafka_supervisor_start(struct kafka_log *log, struct error *error) {
    int failure = pthread_create(&log->supervisor, NULL, supervisor_main, log);
    if (failure) return error_set_errno(error, STATUS_NO_MEMORY, failure, "the log's thread cannot be started");
    log->supervisor_runs = true;
    return STATUS_OK;
}

void kafka_supervisor_stop(struct kafka_log *log) {
    if (!log->supervisor_runs) return;
    atomic_store(&log->stopping, true);
    kafka_event_fd_ring(log->wake_fd);
    pthread_join(log->supervisor, NULL);
    log->supervisor_runs = false;
}
