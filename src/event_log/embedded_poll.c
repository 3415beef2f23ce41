/* What a poll does: looks at the group, tells what changed, reads records, waits. All on the consumer's thread. */
#include <inttypes.h>
#include <stdlib.h>

#include "event_log/embedded_consumer.h"

#define LOOK_NS EMBEDDED_GROUP_LOOK_NS /* at the group, and for commits of other processes while nothing happens */

/* --- the group --- */

static void set_ownership(struct embedded_consumer *consumer, int32_t number, enum ownership ownership) {
    pthread_mutex_lock(&consumer->mutex);
    consumer->partitions[number].ownership = ownership;
    pthread_mutex_unlock(&consumer->mutex);
}

/* Partitions let go of while commits were under way. */
static void finish_releases(struct embedded_consumer *consumer) {
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct embedded_partition *partition = &consumer->partitions[i];
        if (partition->ownership != RELEASING) continue;
        pthread_mutex_lock(&consumer->mutex);
        bool ended = partition->commits_under_way == 0;
        if (ended) partition->ownership = FREE;
        pthread_mutex_unlock(&consumer->mutex);
        if (ended) embedded_group_give(&consumer->group, i);
    }
}

/* Where reading starts. The transaction must begin after the lock was taken: the owner before keeps the lock until its
 * commits are durable, so they are seen. A position that is damaged or beyond the end is lost: reading starts at the
 * first record. */
static enum status read_start(struct embedded_consumer *consumer, int32_t number) {
    struct embedded_partition *partition = &consumer->partitions[number];
    struct embedded_log *log = consumer->log;
    MDB_txn *txn;
    int64_t first, end, position = 0;
    enum status status = lmdb_env_read_begin(log->env, &txn);
    if (status) return status;
    status = embedded_log_bounds(log, txn, consumer->topic, number, &first, &end);
    if (status == STATUS_OK) {
        enum status found = embedded_position_read(log, txn, consumer->group_name, consumer->topic, number, &position);
        bool is_lost = found == STATUS_CORRUPT || (found == STATUS_OK && (position < 0 || position > end));
        if (found != STATUS_OK && found != STATUS_NOT_FOUND && !is_lost) status = found;
        partition->tell_gap = is_lost;
        atomic_store(&partition->next_offset, found == STATUS_OK && !is_lost ? position : first);
    }
    lmdb_env_read_end(log->env, txn);
    return status;
}

static int32_t take_free(struct embedded_consumer *consumer, int32_t wanted) {
    int32_t taken = 0;
    for (int32_t i = 0; i < consumer->partition_count && taken < wanted; i++) {
        struct embedded_partition *partition = &consumer->partitions[i];
        if (partition->ownership != FREE || !embedded_group_take(&consumer->group, i)) continue;
        if (read_start(consumer, i)) {
            embedded_group_give(&consumer->group, i); /* tried again at the next look */
            continue;
        }
        partition->tell_assigned = true;
        partition->tell_revoked = partition->paused = false;
        set_ownership(consumer, i, OWNED);
        taken++;
    }
    return taken;
}

static void give_up(struct embedded_consumer *consumer, int32_t surplus) {
    for (int32_t i = consumer->partition_count - 1; i >= 0 && surplus > 0; i--) {
        struct embedded_partition *partition = &consumer->partitions[i];
        if (partition->ownership != OWNED) continue;
        surplus--;
        set_ownership(consumer, i, partition->tell_assigned ? RELEASING : REVOKED);
        partition->tell_revoked = !partition->tell_assigned; /* who was never told of it need not hand it over */
        partition->tell_assigned = partition->tell_gap = false;
    }
}

static enum status look_at_group(struct embedded_consumer *consumer, int64_t now_ns, struct error *error) {
    if (!consumer->group_name[0] || now_ns < consumer->next_look_ns) return STATUS_OK;
    consumer->next_look_ns = now_ns + LOOK_NS;
    if (consumer->group.slot < 0 && embedded_group_join(&consumer->group, error)) return STATUS_UNAVAILABLE;
    int32_t share = embedded_group_share(&consumer->group, consumer->partition_count), owned = 0;
    for (int32_t i = 0; i < consumer->partition_count; i++)
        owned += consumer->partitions[i].ownership == OWNED;
    if (share >= 0 && owned > share) give_up(consumer, owned - share);
    finish_releases(consumer);
    if (owned < share && take_free(consumer, share - owned) > 0) consumer->scanned_txn = 0;
    return STATUS_OK;
}

/* --- what changed --- */

static bool tell_one(struct embedded_consumer *consumer, int32_t number, bool *flag, enum event_log_poll_kind kind,
                     struct event_log_poll *poll) {
    if (!*flag) return false;
    *flag = false;
    *poll = (struct event_log_poll){kind, number, atomic_load(&consumer->partitions[number].next_offset), NULL};
    return true;
}

/* All assignments come before anything else: a reader knows then that it stands at all its positions. */
static bool tell_change(struct embedded_consumer *consumer, struct event_log_poll *poll) {
    for (int32_t i = 0; i < consumer->partition_count; i++)
        if (tell_one(consumer, i, &consumer->partitions[i].tell_assigned, POLL_ASSIGNED, poll)) return true;
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        struct embedded_partition *partition = &consumer->partitions[i];
        if (tell_one(consumer, i, &partition->tell_revoked, POLL_REVOKED, poll)) return true;
        if (tell_one(consumer, i, &partition->tell_gap, POLL_GAP, poll)) return true;
    }
    return false;
}

/* --- records --- */

struct fetch {
    size_t count, headers, size_bytes;
    int64_t gap_to; /* -1: none */
};

/* Collects what one batch will hold; nothing is copied yet. */
static enum status fetch_records(struct embedded_consumer *consumer, MDB_cursor *cursor, int64_t next,
                                 struct fetch *fetch) {
    MDB_val key = {sizeof next, &next}, value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (; rc == 0 && fetch->count < consumer->batch_max; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        struct fetched_record *record = &consumer->fetched[fetch->count];
        memcpy(&record->offset, key.mv_data, sizeof record->offset);
        if (fetch->count == 0 && record->offset > next) {
            fetch->gap_to = record->offset;
            return STATUS_OK;
        }
        enum status status = embedded_record_unseal(record->offset, value, &record->payload);
        if (status) return fetch->count > 0 ? STATUS_OK : status; /* what is before it can still be handed out */
        if (fetch->count > 0 && fetch->size_bytes + record->payload.size > EMBEDDED_BATCH_SIZE_MAX) return STATUS_OK;
        fetch->size_bytes += record->payload.size;
        fetch->headers += embedded_record_header_count(record->payload);
        fetch->count++;
    }
    return rc == 0 || rc == MDB_NOTFOUND ? STATUS_OK : lmdb_status(rc, NULL);
}

static void batch_free(struct event_log_batch *batch) {
    free(batch);
}

/* One block: the batch, its records, their headers, the bytes. */
static enum status build_batch(const struct embedded_consumer *consumer, int32_t number, const struct fetch *fetch,
                               struct event_log_batch **batch_out) {
    struct event_log_batch *batch = malloc(sizeof *batch + fetch->count * sizeof(struct event_log_record) +
                                           fetch->headers * sizeof(struct event_log_header) + fetch->size_bytes);
    if (!batch) return STATUS_NO_MEMORY;
    struct event_log_record *records = (struct event_log_record *)(batch + 1);
    struct event_log_header *headers = (struct event_log_header *)(records + fetch->count);
    char *bytes = (char *)(headers + fetch->headers);
    for (size_t i = 0; i < fetch->count; i++) {
        struct bytes payload = {bytes, consumer->fetched[i].payload.size};
        memcpy(bytes, consumer->fetched[i].payload.data, payload.size);
        if (embedded_record_decode(payload, headers, &records[i])) {
            free(batch);
            return STATUS_CORRUPT;
        }
        records[i].partition = number;
        records[i].offset = consumer->fetched[i].offset;
        headers += records[i].header_count;
        bytes += payload.size;
    }
    *batch = (struct event_log_batch){records, fetch->count, batch_free};
    *batch_out = batch;
    return STATUS_OK;
}

/* All records of the partition were trimmed: its end is kept apart. */
static enum status find_end_gap(struct embedded_consumer *consumer, MDB_txn *txn, int32_t number, int64_t next,
                                struct fetch *fetch) {
    int64_t first, end;
    enum status status = embedded_log_bounds(consumer->log, txn, consumer->topic, number, &first, &end);
    if (status == STATUS_OK && first > next) fetch->gap_to = first;
    return status;
}

/* *poll is set, to records or a gap, or left alone if there is nothing to read. */
static enum status read_partition(struct embedded_consumer *consumer, MDB_txn *txn, int32_t number,
                                  struct event_log_poll *poll, struct error *error) {
    struct embedded_partition *partition = &consumer->partitions[number];
    int64_t next = atomic_load(&partition->next_offset);
    struct fetch fetch = {.gap_to = -1};
    struct event_log_batch *batch = NULL;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, consumer->log->records[consumer->topic][number], &cursor);
    if (rc) return lmdb_status(rc, error);
    enum status status = fetch_records(consumer, cursor, next, &fetch);
    mdb_cursor_close(cursor);
    if (status == STATUS_OK && fetch.count > 0) status = build_batch(consumer, number, &fetch, &batch);
    if (status == STATUS_OK && fetch.count == 0 && fetch.gap_to < 0)
        status = find_end_gap(consumer, txn, number, next, &fetch);
    if (status)
        return error_set(error, status, "%s, partition %d, at offset %" PRId64 ": %s",
                         event_log_topic_name(consumer->topic), number, next, status_name(status));
    if (batch) next = batch->records[batch->count - 1].offset + 1;
    if (fetch.gap_to >= 0) next = fetch.gap_to;
    if (!batch && fetch.gap_to < 0) return STATUS_OK;
    *poll = (struct event_log_poll){batch ? POLL_RECORDS : POLL_GAP, number, next, batch};
    atomic_store(&partition->next_offset, next);
    return STATUS_OK;
}

/* The partitions take turns. Nothing is looked at again before some process has committed something. */
static enum status read_records(struct embedded_consumer *consumer, struct event_log_poll *poll, struct error *error) {
    MDB_txn *txn;
    enum status status = lmdb_env_read_begin(consumer->log->env, &txn);
    if (status) return error_set(error, status, "the log cannot be read: %s", status_name(status));
    if (mdb_txn_id(txn) != consumer->scanned_txn) {
        for (int32_t i = 0; i < consumer->partition_count && status == STATUS_OK && poll->kind == POLL_NOTHING; i++) {
            int32_t number = (consumer->next_partition + i) % consumer->partition_count;
            struct embedded_partition *partition = &consumer->partitions[number];
            if (partition->ownership != OWNED || partition->paused) continue;
            status = read_partition(consumer, txn, number, poll, error);
        }
        if (poll->kind != POLL_NOTHING)
            consumer->next_partition = (poll->partition + 1) % consumer->partition_count;
        else if (status == STATUS_OK) /* after a failure it must look again */
            consumer->scanned_txn = mdb_txn_id(txn);
    }
    lmdb_env_read_end(consumer->log->env, txn);
    return status;
}

/* --- poll --- */

/* Returns true if event_log_wake was called. until_ns 0: only asks. */
static bool wait_for_change(struct embedded_consumer *consumer, int64_t until_ns) {
    struct timespec until = embedded_wait_until(until_ns);
    pthread_mutex_lock(&consumer->mutex);
    while (until_ns > 0 && !consumer->woken && !consumer->committed &&
           pthread_cond_timedwait(&consumer->changed, &consumer->mutex, &until) == 0) {
    }
    bool woken = consumer->woken;
    consumer->woken = consumer->committed = false;
    pthread_mutex_unlock(&consumer->mutex);
    return woken;
}

/* Out of memory or of reader slots now: another poll may do better. */
static enum status final_or_later(enum status status) {
    return status_retry_is_safe(status) ? STATUS_UNAVAILABLE : status;
}

enum status embedded_poll(struct event_log_consumer *base, int timeout_ms, struct event_log_poll *poll_out,
                          struct error *error) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct event_log_poll poll = {.kind = POLL_NOTHING};
    int64_t now_ns = embedded_now_ns(), deadline_ns = now_ns + (int64_t)timeout_ms * 1000000;
    bool woken = wait_for_change(consumer, 0);
    for (;;) {
        enum status status = look_at_group(consumer, now_ns, error);
        bool told = status == STATUS_OK && !woken && tell_change(consumer, &poll);
        if (status == STATUS_OK && !woken && !told) status = read_records(consumer, &poll, error);
        if (status) return final_or_later(status);
        if (woken || poll.kind != POLL_NOTHING || now_ns >= deadline_ns) break;
        woken = wait_for_change(consumer, deadline_ns < now_ns + LOOK_NS ? deadline_ns : now_ns + LOOK_NS);
        now_ns = embedded_now_ns();
    }
    *poll_out = poll;
    return STATUS_OK;
}
