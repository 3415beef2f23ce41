/* The thread that asks the server: one round of questions at a time, each with a limit. */
#include "hotkey/sampler.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECONNECT_MS 500 /* after a connection was lost, at least */

struct sampler {
    const struct target *target;
    char key_prefix[LAB_KEY_NAME_SIZE];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t asked, answered;

    /* Under the mutex. */
    bool is_closing, is_busy, is_answered, has_key;
    uint32_t key;
    struct sampler_counters now, before, first;
    struct lab_hot_key hot_key;

    /* The thread's. */
    redisContext *context;
    int64_t retry_ns;
};

/* --- the thread --- */

static const struct lab_hot_key unknown_key = {.memory_bytes = -1, .frequency = -1, .value_bytes = -1};

static void disconnect(struct sampler *sampler) {
    if (sampler->context) redisFree(sampler->context);
    sampler->context = NULL;
    sampler->retry_ns = clock_monotonic_ns(clock_system()) + RECONNECT_MS * INT64_C(1000000);
}

static bool connect_again(struct sampler *sampler) {
    if (sampler->context) return true;
    if (clock_monotonic_ns(clock_system()) < sampler->retry_ns) return false;
    if (target_connect(sampler->target, TARGET_ASK_MS, &sampler->context, NULL) == STATUS_OK) return true;
    disconnect(sampler);
    return false;
}

/* What each answer about the key is for. An error among them (no such key, no such policy, no permission) leaves the
 * figure unknown. */
static void take_memory(struct lab_hot_key *key, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_INTEGER) key->memory_bytes = reply->integer;
}
static void take_frequency(struct lab_hot_key *key, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_INTEGER) key->frequency = reply->integer;
}
static void take_length(struct lab_hot_key *key, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_INTEGER && key->memory_bytes >= 0) key->value_bytes = reply->integer;
}
static void take_value(struct lab_hot_key *key, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_STRING) sampler_show_value(reply->str, reply->len, key->value);
}

static const struct {
    const char *command; /* %s: the key */
    void (*take)(struct lab_hot_key *key, const redisReply *reply);
} questions[] = {
    {"MEMORY USAGE %s", take_memory},
    {"OBJECT FREQ %s", take_frequency},
    {"STRLEN %s", take_length},
    {"GETRANGE %s 0 63", take_value},
};
#define QUESTIONS (sizeof questions / sizeof *questions)

static bool read_key(redisContext *context, struct lab_hot_key *key) {
    for (size_t i = 0; i < QUESTIONS; i++) {
        redisReply *reply = NULL;
        if (redisGetReply(context, (void **)&reply) != REDIS_OK) return false;
        questions[i].take(key, reply);
        freeReplyObject(reply);
    }
    return true;
}

static bool read_info(redisContext *context, struct sampler_counters *counters) {
    redisReply *reply = NULL;
    if (redisGetReply(context, (void **)&reply) != REDIS_OK) return false;
    if (reply->type == REDIS_REPLY_STRING) sampler_read_info(reply->str, counters);
    freeReplyObject(reply);
    return true;
}

/* One round: everything in one write, the answers in one go. */
static void ask(struct sampler *sampler, bool has_key, struct lab_hot_key *key, struct sampler_counters *counters) {
    if (!connect_again(sampler)) return;
    redisContext *context = sampler->context;
    redisAppendCommand(context, "INFO");
    for (size_t i = 0; has_key && i < QUESTIONS; i++)
        redisAppendCommand(context, questions[i].command, key->name);
    if (!read_info(context, counters) || (has_key && !read_key(context, key))) disconnect(sampler);
    counters->at_ns = clock_monotonic_ns(clock_system());
    double cpu_s = target_cpu_s(sampler->target);
    if (cpu_s >= 0) counters->cpu_s = cpu_s;
}

static void *sampler_main(void *data) {
    struct sampler *sampler = data;
    pthread_mutex_lock(&sampler->mutex);
    while (!sampler->is_closing) {
        if (!sampler->is_busy || sampler->is_answered) {
            pthread_cond_wait(&sampler->asked, &sampler->mutex);
            continue;
        }
        struct lab_hot_key key = unknown_key;
        struct sampler_counters counters = {0};
        bool has_key = sampler->has_key;
        key.is_known = has_key;
        key.key = sampler->key;
        if (has_key) snprintf(key.name, sizeof key.name, "%.60s%u", sampler->key_prefix, sampler->key);
        pthread_mutex_unlock(&sampler->mutex);
        ask(sampler, has_key, &key, &counters);
        pthread_mutex_lock(&sampler->mutex);
        sampler->hot_key = key;
        sampler->now = counters;
        sampler->is_answered = true;
        pthread_cond_signal(&sampler->answered);
    }
    pthread_mutex_unlock(&sampler->mutex);
    return NULL;
}

/* --- the coordinator's side --- */

enum status sampler_new(const struct target *target, const char *key_prefix, struct sampler **sampler_out,
                        struct error *error) {
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    pthread_condattr_t monotonic;
    sampler->target = target;
    snprintf(sampler->key_prefix, sizeof sampler->key_prefix, "%s", key_prefix);
    pthread_mutex_init(&sampler->mutex, NULL);
    pthread_cond_init(&sampler->asked, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sampler->answered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&sampler->thread, NULL, sampler_main, sampler);
    if (code) {
        pthread_mutex_destroy(&sampler->mutex);
        free(sampler);
        return error_set_errno(error, STATUS_IO, code, "starting a thread");
    }
    struct lab_server ignored;
    struct lab_hot_key no_key;
    sampler_ask(sampler, false, 0, &ignored, &no_key); /* what the first second is measured from */
    *sampler_out = sampler;
    return STATUS_OK;
}

void sampler_free(struct sampler *sampler) {
    if (!sampler) return;
    pthread_mutex_lock(&sampler->mutex);
    sampler->is_closing = true;
    pthread_cond_signal(&sampler->asked);
    pthread_mutex_unlock(&sampler->mutex);
    pthread_join(sampler->thread, NULL);
    if (sampler->context) redisFree(sampler->context);
    pthread_cond_destroy(&sampler->asked);
    pthread_cond_destroy(&sampler->answered);
    pthread_mutex_destroy(&sampler->mutex);
    free(sampler);
}

static void wait_for_answer(struct sampler *sampler) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SAMPLER_WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!sampler->is_answered && pthread_cond_timedwait(&sampler->answered, &sampler->mutex, &until) != ETIMEDOUT) {
    }
}

void sampler_ask(struct sampler *sampler, bool has_key, uint32_t key, struct lab_server *server_out,
                 struct lab_hot_key *hot_key_out) {
    pthread_mutex_lock(&sampler->mutex);
    bool was_late = sampler->is_busy; /* the last question had no answer in time; it may have come since */
    if (was_late && sampler->is_answered) sampler->is_busy = sampler->is_answered = was_late = false;
    if (!was_late) {
        sampler->is_busy = true;
        sampler->has_key = has_key;
        sampler->key = key;
        pthread_cond_signal(&sampler->asked);
        wait_for_answer(sampler);
    }
    *server_out = (struct lab_server){.ops_per_second = NAN,
                                      .cpu_share = NAN,
                                      .used_memory_bytes = -1,
                                      .clients = -1,
                                      .keys = -1,
                                      .evicted = -1,
                                      .expired = -1,
                                      .hit_ratio = NAN,
                                      .network_in_bytes = NAN,
                                      .network_out_bytes = NAN};
    *hot_key_out = unknown_key;
    if (has_key) {
        hot_key_out->is_known = true;
        hot_key_out->key = key;
        snprintf(hot_key_out->name, sizeof hot_key_out->name, "%.60s%u", sampler->key_prefix, key);
    }
    if (sampler->is_answered && !was_late) {
        if (has_key) *hot_key_out = sampler->hot_key;
        if (sampler->now.is_known && sampler->before.is_known)
            sampler_difference(&sampler->before, &sampler->now, server_out);
        if (sampler->now.is_known) sampler->before = sampler->now;
        if (sampler->now.is_known && !sampler->first.is_known) sampler->first = sampler->now;
        sampler->is_busy = sampler->is_answered = false;
    }
    pthread_mutex_unlock(&sampler->mutex);
}

double sampler_server_cpu_s(struct sampler *sampler) {
    pthread_mutex_lock(&sampler->mutex);
    const struct sampler_counters *first = &sampler->first, *last = &sampler->before;
    double cpu_s = last->is_known && first->cpu_s >= 0 && last->cpu_s >= first->cpu_s ? last->cpu_s - first->cpu_s : -1;
    pthread_mutex_unlock(&sampler->mutex);
    return cpu_s;
}
