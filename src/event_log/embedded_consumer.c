/* Opening and closing a consumer, its commits, and the small calls around a poll. */
#include "event_log/embedded_consumer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- commits: accepted only while the partition is ours, and the lock is kept until they have ended --- */

struct commit_work {
    struct lmdb_job job;
    struct embedded_consumer *consumer;
};
_Static_assert(sizeof(struct commit_work) <= sizeof((struct event_log_commit *)0)->reserved,
               "the work fits the request");

static struct event_log_commit *commit_of(struct lmdb_job *job) {
    return CONTAINER_OF(CONTAINER_OF(job, struct commit_work, job), struct event_log_commit, reserved);
}

static enum status commit_run(struct lmdb_job *job, MDB_txn *txn) {
    struct embedded_consumer *consumer = CONTAINER_OF(job, struct commit_work, job)->consumer;
    struct event_log_commit *commit = commit_of(job);
    return embedded_position_write(consumer->log, txn, consumer->group_name, consumer->topic, commit->partition,
                                   commit->next_offset);
}

static void commit_done(struct lmdb_job *job, enum status status, const char *error_text) {
    struct embedded_consumer *consumer = CONTAINER_OF(job, struct commit_work, job)->consumer;
    struct event_log_commit *commit = commit_of(job);
    struct embedded_partition *partition = &consumer->partitions[commit->partition];
    commit->done(commit, status, error_text);
    pthread_mutex_lock(&consumer->mutex);
    if (--partition->commits_under_way == 0) pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->mutex);
}

static bool commit_begin(struct embedded_consumer *consumer, int32_t number) {
    if (number < 0 || number >= consumer->partition_count || !consumer->group_name[0]) return false;
    struct embedded_partition *partition = &consumer->partitions[number];
    pthread_mutex_lock(&consumer->mutex);
    bool is_ours = partition->ownership == OWNED || partition->ownership == REVOKED;
    if (is_ours) partition->commits_under_way++;
    pthread_mutex_unlock(&consumer->mutex);
    return is_ours;
}

static void consumer_commit(struct event_log_consumer *base, struct event_log_commit *commit) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct commit_work *work = (struct commit_work *)(void *)commit->reserved;
    if (!commit_begin(consumer, commit->partition)) {
        commit->done(commit, STATUS_CONFLICT, "the partition is not this member's");
        return;
    }
    *work = (struct commit_work){
        .job = {.run = commit_run, .done = commit_done, .size_bytes = EMBEDDED_KEY_MAX, .uses_reserve = true},
        .consumer = consumer,
    };
    lmdb_env_submit(consumer->log->env, &work->job);
}

/* --- small calls --- */

static void consumer_wake(struct event_log_consumer *base) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    pthread_mutex_lock(&consumer->mutex);
    consumer->woken = true;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->mutex);
}

static void consumer_committed(struct lmdb_listener *listener) {
    struct embedded_consumer *consumer = CONTAINER_OF(listener, struct embedded_consumer, listener);
    pthread_mutex_lock(&consumer->mutex);
    consumer->committed = true;
    pthread_cond_broadcast(&consumer->changed);
    pthread_mutex_unlock(&consumer->mutex);
}

static struct embedded_partition *partition_at(struct embedded_consumer *consumer, int32_t number) {
    return number >= 0 && number < consumer->partition_count ? &consumer->partitions[number] : NULL;
}

static void consumer_pause(struct event_log_consumer *base, int32_t number, bool paused) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct embedded_partition *partition = partition_at(consumer, number);
    if (!partition) return;
    partition->paused = paused;
    consumer->scanned_txn = 0;
}

static void consumer_release(struct event_log_consumer *base, int32_t number) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct embedded_partition *partition = partition_at(consumer, number);
    if (!partition || partition->ownership != REVOKED) return;
    pthread_mutex_lock(&consumer->mutex);
    bool now = partition->commits_under_way == 0;
    partition->ownership = now ? FREE : RELEASING; /* RELEASING: the next poll looks again */
    partition->tell_revoked = false;
    pthread_mutex_unlock(&consumer->mutex);
    if (now) embedded_group_give(&consumer->group, number);
}

static enum status consumer_seek(struct event_log_consumer *base, int32_t number, int64_t offset, struct error *error) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct embedded_partition *partition = partition_at(consumer, number);
    if (!partition || partition->ownership != OWNED)
        return error_set(error, STATUS_CONFLICT, "partition %d is not this consumer's", number);
    if (offset == EVENT_LOG_FIRST) {
        int64_t end;
        enum status status = event_log_range(&consumer->log->base, consumer->topic, number, 0, &offset, &end, error);
        if (status) return status;
    }
    if (offset < 0) return error_set(error, STATUS_INVALID, "offset %" PRId64 " is negative", offset);
    atomic_store(&partition->next_offset, offset);
    partition->tell_gap = false;
    consumer->scanned_txn = 0;
    return STATUS_OK;
}

static int64_t consumer_lag(struct event_log_consumer *base, int32_t number) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    struct embedded_partition *partition = partition_at(consumer, number);
    int64_t first, end;
    if (!partition) return -1;
    pthread_mutex_lock(&consumer->mutex);
    bool is_owned = partition->ownership == OWNED;
    pthread_mutex_unlock(&consumer->mutex);
    if (!is_owned || event_log_range(&consumer->log->base, consumer->topic, number, 0, &first, &end, NULL)) return -1;
    int64_t next = atomic_load(&partition->next_offset);
    if (next < first) next = first;
    return end > next ? end - next : 0;
}

/* --- open, close --- */

static void consumer_close(struct event_log_consumer *base) {
    struct embedded_consumer *consumer = embedded_consumer_of(base);
    lmdb_env_unlisten(consumer->log->env, &consumer->listener);
    pthread_mutex_lock(&consumer->mutex);
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        if (consumer->partitions[i].ownership != FREE) consumer->partitions[i].ownership = RELEASING;
        while (consumer->partitions[i].commits_under_way > 0)
            pthread_cond_wait(&consumer->changed, &consumer->mutex);
    }
    pthread_mutex_unlock(&consumer->mutex);
    embedded_group_close(&consumer->group);
    pthread_cond_destroy(&consumer->changed);
    pthread_mutex_destroy(&consumer->mutex);
    free(consumer->partitions);
    free(consumer->fetched);
    free(consumer);
}

static const struct event_log_consumer_ops consumer_ops = {
    .poll = embedded_poll,
    .wake = consumer_wake,
    .pause = consumer_pause,
    .commit = consumer_commit,
    .release = consumer_release,
    .seek = consumer_seek,
    .lag = consumer_lag,
    .close = consumer_close,
};

static bool group_name_is_valid(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > EMBEDDED_NAME_MAX || name[0] == '.') return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at)) return false;
    return true;
}

/* A reader has every partition from the start. */
static enum status assign_all(struct embedded_consumer *consumer, const int64_t *positions, struct error *error) {
    for (int32_t i = 0; i < consumer->partition_count; i++) {
        int64_t first, end;
        enum status status = event_log_range(&consumer->log->base, consumer->topic, i, 0, &first, &end, error);
        if (status) return status;
        int64_t wanted = positions ? positions[i] : end;
        if (wanted < 0 && wanted != EVENT_LOG_FIRST)
            return error_set(error, STATUS_INVALID, "position %" PRId64 " of partition %d is negative", wanted, i);
        struct embedded_partition *partition = &consumer->partitions[i];
        partition->ownership = OWNED;
        partition->tell_assigned = true;
        partition->tell_gap = wanted > end; /* of another log, or of one that was lost */
        atomic_store(&partition->next_offset, wanted == EVENT_LOG_FIRST || wanted > end ? first : wanted);
    }
    return STATUS_OK;
}

static enum status open_group(struct embedded_consumer *consumer, const char *group, struct error *error) {
    char name[512];
    if (!group_name_is_valid(group))
        return error_set(error, STATUS_INVALID, "\"%s\" cannot be the name of a group", group);
    snprintf(consumer->group_name, sizeof consumer->group_name, "%s", group);
    snprintf(name, sizeof name, "%s%s.%s", consumer->log->prefix, group, event_log_topic_name(consumer->topic));
    return embedded_group_open(&consumer->group, lmdb_env_directory(consumer->log->env), name, error);
}

static struct embedded_consumer *consumer_new(struct embedded_log *log,
                                              const struct event_log_consumer_options *options) {
    struct embedded_consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer) return NULL;
    size_t batch_max = options->batch_max ? options->batch_max : 1;
    if (batch_max > EMBEDDED_BATCH_RECORDS_MAX) batch_max = EMBEDDED_BATCH_RECORDS_MAX;
    consumer->base.ops = &consumer_ops;
    consumer->log = log;
    consumer->topic = options->topic;
    consumer->group.fd = consumer->group.slot = -1;
    consumer->listener.committed = consumer_committed;
    consumer->partition_count = log->base.partition_count;
    consumer->batch_max = batch_max;
    consumer->partitions = calloc((size_t)consumer->partition_count, sizeof *consumer->partitions);
    consumer->fetched = calloc(batch_max, sizeof *consumer->fetched);
    if (!consumer->partitions || !consumer->fetched) {
        free(consumer->partitions);
        free(consumer->fetched);
        free(consumer);
        return NULL;
    }
    pthread_mutex_init(&consumer->mutex, NULL);
    embedded_wait_init(&consumer->changed);
    return consumer;
}

enum status embedded_consumer_open(struct event_log *base, const struct event_log_consumer_options *options,
                                   struct event_log_consumer **consumer_out, struct error *error) {
    enum status status = embedded_log_check_partition(base, options->topic, 0, error);
    if (status) return status;
    struct embedded_consumer *consumer = consumer_new(embedded_log_of(base), options);
    if (!consumer) return error_set(error, STATUS_NO_MEMORY, "no memory for a consumer");
    status =
        options->group ? open_group(consumer, options->group, error) : assign_all(consumer, options->positions, error);
    if (status) {
        consumer_close(&consumer->base);
        return status;
    }
    lmdb_env_listen(consumer->log->env, &consumer->listener);
    *consumer_out = &consumer->base;
    return STATUS_OK;
}
