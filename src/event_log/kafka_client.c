/* One client of the cluster: made from the properties, its main queue served, ended without waiting. */
#include <stdlib.h>
#include <string.h>

#include "event_log/kafka_internal.h"

#define EVENTS_AT_ONCE_MAX 1000
#define LINES_MAX 5 /* of librdkafka's log in LINES_NS; the rest is counted */
#define LINES_NS ((int64_t)10000000000)

/* --- what it says --- */

void kafka_client_note_error(struct kafka_client *client, const char *text) {
    pthread_mutex_lock(&client->mutex);
    error_set(&client->last_error, STATUS_UNAVAILABLE, "%s", text);
    pthread_mutex_unlock(&client->mutex);
}

enum status kafka_unavailable(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                              struct error *error) {
    pthread_mutex_lock(&client->mutex);
    struct error last = client->last_error;
    pthread_mutex_unlock(&client->mutex);
    const char *reason = code ? rd_kafka_err2str(code) : "no answer";
    return error_set(error, STATUS_UNAVAILABLE, "Kafka at %s: %s: %s%s%s: is it running, and reachable from here?",
                     client->log->options.bootstrap_servers, what, reason, last.text[0] ? "; last: " : "", last.text);
}

/* That all brokers are down says less than why the last one is. */
static void take_all_down(struct kafka_client *client) {
    int64_t away_ns = kafka_now_ns() - KAFKA_AWAY_NS, contact_ns = atomic_load(&client->contact_ns);
    while (contact_ns > away_ns && !atomic_compare_exchange_weak(&client->contact_ns, &contact_ns, away_ns)) {
    }
}

void kafka_client_take_error(struct kafka_client *client, rd_kafka_event_t *event) {
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        take_all_down(client);
    else
        kafka_client_note_error(client, rd_kafka_event_error_string(event));
    if (rd_kafka_event_error_is_fatal(event) || code == RD_KAFKA_RESP_ERR__FATAL) atomic_store(&client->is_fatal, true);
}

/* How long ago each broker was last heard from stands in librdkafka's statistics. Readers and members ask for something
 * at least once a second (see kafka_conf.c), so silence means something. */
static void take_statistics(struct kafka_client *client, rd_kafka_event_t *event) {
    static const char name[] = "\"rxidle\":";
    int64_t idle_us = INT64_MAX;
    for (const char *at = rd_kafka_event_stats(event); at && (at = strstr(at, name)); at++) {
        int64_t value = strtoll(at + sizeof name - 1, NULL, 10);
        if (value >= 0 && value < idle_us) idle_us = value;
    }
    if (idle_us == INT64_MAX) return;
    int64_t heard_ns = kafka_now_ns() - idle_us * 1000;
    if (heard_ns > atomic_load(&client->contact_ns)) atomic_store(&client->contact_ns, heard_ns);
}

/* Disconnects come in bursts: a few lines say it. Which property serves which kind of client is of no interest. */
static void take_line(struct kafka_client *client, rd_kafka_event_t *event) {
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(event, &facility, &text, &level)) return;
    bool is_debug = level >= 6 || strcmp(facility, "CONFWARN") == 0;
    int64_t now_ns = kafka_now_ns();
    if (now_ns - client->lines_since_ns > LINES_NS) {
        if (client->lines_dropped > 0)
            log_event(client->log->options.logger, LOG_DEBUG, "lines of librdkafka were left out",
                      LOG_N("lines", client->lines_dropped));
        client->lines_since_ns = now_ns;
        client->lines = client->lines_dropped = 0;
    }
    if (!is_debug && client->lines++ >= LINES_MAX) {
        client->lines_dropped++;
        return;
    }
    log_event(client->log->options.logger, is_debug ? LOG_DEBUG : LOG_WARN, "librdkafka", LOG_S("facility", facility),
              LOG_S("text", text));
}

static void take_event(struct kafka_client *client, rd_kafka_event_t *event) {
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_ERROR: kafka_client_take_error(client, event); break;
    case RD_KAFKA_EVENT_STATS: take_statistics(client, event); break;
    case RD_KAFKA_EVENT_LOG: take_line(client, event); break;
    default:
        if (client->on_event) client->on_event(client, event);
    }
}

/* librdkafka takes each look at a queue as a sign of life of the group's member. The member lives by its owner's polls:
 * without them its queue is left alone, and it is expelled. */
static bool is_left_alone(const struct kafka_client *client) {
    return client->role == KAFKA_MEMBER &&
           kafka_now_ns() - atomic_load(&client->polled_ns) > (int64_t)KAFKA_POLL_MAX_MS * 1000000;
}

void kafka_client_serve(struct kafka_client *client) {
    rd_kafka_event_t *event;
    if (is_left_alone(client)) return;
    for (int i = 0; i < EVENTS_AT_ONCE_MAX; i++) {
        if (!(event = rd_kafka_queue_poll(client->main_queue, 0))) return;
        take_event(client, event);
        rd_kafka_event_destroy(event);
    }
    kafka_event_fd_ring(client->log->wake_fd); /* there may be more: the others first */
}

/* --- life --- */

static enum status start(struct kafka_client *client, const char *group, struct error *error) {
    char text[ERROR_TEXT_SIZE];
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf_new(&client->log->options, client->role, group, &conf, error);
    if (status) return status;
    client->rk =
        rd_kafka_new(client->role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!client->rk) {
        status = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE ? STATUS_NO_MEMORY : STATUS_INVALID;
        rd_kafka_conf_destroy(conf);
        return error_set(error, status, "librdkafka refuses the settings: %s", text);
    }
    rd_kafka_set_log_queue(client->rk, NULL);
    client->main_queue = rd_kafka_queue_get_main(client->rk);
    kafka_queue_ring(client->main_queue, client->log->wake_fd);
    return STATUS_OK;
}

enum status kafka_client_new(struct kafka_log *log, enum kafka_role role, const char *group,
                             void (*on_event)(struct kafka_client *, rd_kafka_event_t *), void *owner,
                             struct kafka_client **client_out, struct error *error) {
    struct kafka_client *client = calloc(1, sizeof *client);
    if (!client) return error_set(error, STATUS_NO_MEMORY, "no memory for a client");
    *client = (struct kafka_client){.log = log, .role = role, .on_event = on_event, .owner = owner};
    atomic_init(&client->contact_ns, kafka_now_ns());
    atomic_init(&client->polled_ns, kafka_now_ns());
    enum status status = start(client, group, error);
    if (status) {
        free(client);
        return status;
    }
    pthread_mutex_init(&client->mutex, NULL);
    pthread_mutex_lock(&log->clients_mutex);
    client->next = log->clients;
    log->clients = client;
    pthread_mutex_unlock(&log->clients_mutex);
    *client_out = client;
    return STATUS_OK;
}

static void take_off_list(struct kafka_client *client) {
    struct kafka_log *log = client->log;
    pthread_mutex_lock(&log->clients_mutex);
    while (client->is_served)
        pthread_cond_wait(&log->client_served, &log->clients_mutex);
    struct kafka_client **link = &log->clients;
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    pthread_mutex_unlock(&log->clients_mutex);
}

void kafka_client_end(struct kafka_client *client) {
    if (!client) return;
    take_off_list(client);
    kafka_queue_ring(client->main_queue, -1); /* one that hangs must not write to a descriptor that is closed */
    rd_kafka_queue_destroy(client->main_queue);
    kafka_teardowns_add(client->log->teardowns, client->rk);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}
