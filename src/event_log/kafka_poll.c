/* What a poll does: hears the group, replaces a client that no longer works, tells what changed, reads records, waits.
 * All on the consumer's thread. */
#include "event_log/kafka_consumer.h"

#define LOOK_NS ((int64_t)KAFKA_TICK_MS * 1000000)
#define JOIN_MAX_NS ((int64_t)KAFKA_POLL_MAX_MS * 1500000) /* members that do not let go are expelled well before */

/* --- the client --- */

static int64_t silence_ns(const struct kafka_consumer *consumer, int64_t now_ns) {
    return now_ns - atomic_load(&consumer->client->contact_ns);
}

static const char *what_is_wrong(struct kafka_consumer *consumer, int64_t now_ns) {
    if (atomic_load(&consumer->client->is_fatal)) return "a fatal error";
    if (silence_ns(consumer, now_ns) > (int64_t)consumer->log->options.silent_max_ms * 1000000)
        return "no contact with a broker";
    if (consumer->joining_since_ns != 0 && now_ns - consumer->joining_since_ns > JOIN_MAX_NS)
        return "the group came to no end";
    return kafka_commit_is_silent(consumer) ? "a commit was not answered" : NULL;
}

/* A reader goes on where it is. A member's partitions are lost, and come anew from the group. */
static enum status reconnect(struct kafka_consumer *consumer, struct error *error) {
    enum status status = kafka_consumer_connect(consumer, error);
    if (status == STATUS_OK && !consumer->is_member) consumer->must_restart = true;
    return status ? STATUS_UNAVAILABLE : STATUS_OK;
}

static enum status keep_client(struct kafka_consumer *consumer, int64_t now_ns, struct error *error) {
    if (!consumer->client) return reconnect(consumer, error);
    const char *why = what_is_wrong(consumer, now_ns);
    if (!why || kafka_teardowns_are_full(consumer->log->teardowns)) return STATUS_OK;
    kafka_note_replaced(consumer->log, consumer->client->role, why);
    if (consumer->is_member) {
        kafka_commit_end_all(consumer, STATUS_UNAVAILABLE, why);
        kafka_group_lose(consumer);
    }
    kafka_consumer_disconnect(consumer);
    return reconnect(consumer, error);
}

/* --- what changed --- */

static bool tell_one(struct kafka_consumer *consumer, int32_t number, bool *flag, enum event_log_poll_kind kind,
                     struct event_log_poll *poll) {
    if (!*flag) return false;
    *flag = false;
    *poll = (struct event_log_poll){kind, number, atomic_load(&consumer->partitions[number].next_offset), NULL};
    return true;
}

/* What was lost before what is new; all assignments before anything else of the new ones. */
static bool tell_change(struct kafka_consumer *consumer, struct event_log_poll *poll) {
    struct kafka_partition *partitions = consumer->partitions;
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (tell_one(consumer, i, &partitions[i].tell_lost, POLL_LOST, poll)) return true;
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (tell_one(consumer, i, &partitions[i].tell_assigned, POLL_ASSIGNED, poll)) return true;
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        if (tell_one(consumer, i, &partitions[i].tell_revoked, POLL_REVOKED, poll)) return true;
        if (tell_one(consumer, i, &partitions[i].tell_gap, POLL_GAP, poll)) return true;
    }
    return false;
}

/* --- records --- */

/* The partitions take turns. */
static enum status read_records(struct kafka_consumer *consumer, struct event_log_poll *poll, struct error *error) {
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        int32_t number = (consumer->next_partition + i) % consumer->partition_count;
        const struct kafka_partition *partition = &consumer->partitions[number];
        if (partition->ownership != KAFKA_OWNED || partition->paused) continue;
        enum status status = kafka_batch_read(consumer, number, poll, error);
        if (status || poll->kind != POLL_NOTHING) {
            consumer->next_partition = (number + 1) % consumer->partition_count;
            return status;
        }
    }
    return STATUS_OK;
}

/* --- poll --- */

/* *poll is set if there is something to tell. What the group asked before is told also when no broker answers. */
static enum status look(struct kafka_consumer *consumer, int64_t now_ns, struct event_log_poll *poll,
                        struct error *error) {
    enum status status = keep_client(consumer, now_ns, error);
    if (status == STATUS_OK) {
        atomic_store(&consumer->client->polled_ns, now_ns);
        kafka_group_serve(consumer);
        status = kafka_group_step(consumer, error);
    }
    if (status == STATUS_OK) status = kafka_position_step(consumer, error);
    if (status == STATUS_OK && consumer->must_restart) status = kafka_position_restart(consumer, error);
    if (tell_change(consumer, poll)) return STATUS_OK;
    return status ? status : read_records(consumer, poll, error);
}

/* A member that joins hears nothing until all have joined, or the session of one that is gone is over. */
static enum status no_contact(const struct kafka_consumer *consumer, struct error *error) {
    bool owns_any = !consumer->is_member;
    for (int32_t i = 0; i < consumer->partition_count; i++)
        owns_any |= consumer->partitions[i].ownership != KAFKA_FREE;
    if (owns_any) return kafka_unavailable(consumer->client, RD_KAFKA_RESP_ERR_NO_ERROR, "reading", error);
    return error_set(
        error, STATUS_UNAVAILABLE,
        "Kafka at %s: no partitions yet: the group is being shared out anew, which can take the session of "
        "a member that is gone (%d ms), or no broker answers",
        consumer->log->options.bootstrap_servers, consumer->log->options.session_timeout_ms);
}

enum status kafka_poll(struct event_log_consumer *base, int timeout_ms, struct event_log_poll *poll_out,
                       struct error *error) {
    struct kafka_consumer *consumer = kafka_consumer_of(base);
    struct event_log_poll poll = {.kind = POLL_NOTHING};
    int64_t now_ns = kafka_now_ns(), deadline_ns = now_ns + (int64_t)timeout_ms * 1000000;
    for (;;) {
        bool is_woken = atomic_exchange(&consumer->is_woken, false);
        if (!is_woken) {
            enum status status = look(consumer, now_ns, &poll, error);
            if (status) return status;
        }
        if (is_woken || poll.kind != POLL_NOTHING || now_ns >= deadline_ns) break;
        kafka_event_fd_wait(consumer->wake_fd, deadline_ns < now_ns + LOOK_NS ? deadline_ns : now_ns + LOOK_NS);
        now_ns = kafka_now_ns();
    }
    if (poll.kind == POLL_NOTHING && consumer->client && silence_ns(consumer, now_ns) > KAFKA_AWAY_NS)
        return no_contact(consumer, error);
    *poll_out = poll;
    return STATUS_OK;
}
