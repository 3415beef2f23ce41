/* Whether Redis answers and how it is set up: asked by blocking calls on a connection of its own, so that the answer is
 * fresh and its error exact whatever the loop thread is at. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order_cache/redis_internal.h"

struct probe {
    const struct redis_cache *cache;
    const struct order_cache_redis_options *options;
    redisContext *context;
    int timeout_ms;
    int64_t deadline_ns;
    struct error *error;
};

static struct timeval time_left(const struct probe *probe) {
    int64_t left_us = (probe->deadline_ns - redis_now_ns(probe->cache)) / 1000;
    if (left_us < 1000) left_us = 1000; /* 0 would mean: for ever */
    return (struct timeval){left_us / 1000000, left_us % 1000000};
}

static bool is_late(const struct probe *probe) {
    return redis_now_ns(probe->cache) >= probe->deadline_ns;
}

static enum status no_answer(struct probe *probe) {
    char what[64];
    snprintf(what, sizeof what, "no answer within %d ms", probe->timeout_ms);
    return redis_error_set(probe->error, probe->options, what);
}

/* A time-out shows as EAGAIN from reads, and as EINPROGRESS or a text of hiredis's own from connects. */
static enum status context_failed(struct probe *probe) {
    const redisContext *context = probe->context;
    if (!context) return error_set(probe->error, STATUS_NO_MEMORY, "no memory");
    if (is_late(probe) || (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT)))
        return no_answer(probe);
    return redis_error_set(probe->error, probe->options, context->errstr);
}

/* The read time-out alone would begin anew with each byte that trickles in. */
static enum status receive(struct probe *probe, redisReply **reply_out) {
    void *reply = NULL;
    int done = 0;
    while (!done)
        if (redisBufferWrite(probe->context, &done) != REDIS_OK) return context_failed(probe);
    while (redisGetReplyFromReader(probe->context, &reply) == REDIS_OK && !reply) {
        if (is_late(probe)) return no_answer(probe);
        if (redisSetTimeout(probe->context, time_left(probe)) != REDIS_OK) return context_failed(probe);
        errno = 0;
        if (redisBufferRead(probe->context) != REDIS_OK) return context_failed(probe);
    }
    if (!reply) return context_failed(probe);
    *reply_out = reply;
    return STATUS_OK;
}

static enum status greet(struct probe *probe) {
    const struct order_cache_redis_options *options = probe->options;
    redisReply *reply;
    enum status status = STATUS_OK;
    int rc = REDIS_OK;
    bool wants_auth = options->user[0] || options->password[0];
    if (options->user[0])
        rc = redisAppendCommand(probe->context, "AUTH %s %s", options->user, options->password);
    else if (wants_auth)
        rc = redisAppendCommand(probe->context, "AUTH %s", options->password);
    rc |= redisAppendCommand(probe->context, "PING");
    if (rc != REDIS_OK) return context_failed(probe);
    for (int i = wants_auth ? 0 : 1; i < 2 && status == STATUS_OK; i++) {
        status = receive(probe, &reply);
        if (status != STATUS_OK) break;
        if (reply->type == REDIS_REPLY_ERROR)
            status = redis_error_set(probe->error, options, i == 0 ? redis_auth_text(options, reply->str) : reply->str);
        freeReplyObject(reply);
    }
    return status;
}

static enum status probe_open(struct probe *probe) {
    errno = 0;
    probe->context = redisConnectWithTimeout(probe->options->host, probe->options->port, time_left(probe));
    if (!probe->context || probe->context->err) return context_failed(probe);
    fcntl(probe->context->fd, F_SETFD, FD_CLOEXEC);
    if (redisSetTimeout(probe->context, time_left(probe)) != REDIS_OK ||
        !redis_tls_start(probe->cache->tls, probe->context))
        return context_failed(probe);
    return greet(probe);
}

/* hiredis writes without MSG_NOSIGNAL: while it does on a thread of others, SIGPIPE is kept from them. */
static void pipe_signal_block(sigset_t *before_out) {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, before_out);
}

static void pipe_signal_restore(const sigset_t *before) {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if (!sigismember(before, SIGPIPE)) sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static struct probe probe_make(struct order_cache *base, int timeout_ms, struct error *error) {
    const struct redis_cache *cache = (const struct redis_cache *)(const void *)base;
    return (struct probe){.cache = cache,
                          .options = &cache->options,
                          .timeout_ms = timeout_ms,
                          .deadline_ns = redis_now_ns(cache) + timeout_ms * NS_PER_MS,
                          .error = error};
}

enum status redis_check(struct order_cache *base, int timeout_ms, struct error *error) {
    struct probe probe = probe_make(base, timeout_ms, error);
    sigset_t before;
    pipe_signal_block(&before);
    enum status status = probe_open(&probe);
    redisFree(probe.context);
    pipe_signal_restore(&before);
    return status;
}

/* --- advice --- */

/* The value of "name:value" in the text of INFO, up to the end of its line. */
static struct bytes info_value(const char *info, const char *name) {
    size_t name_size = strlen(name);
    for (const char *line = info; line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, name, name_size) != 0 || line[name_size] != ':') continue;
        const char *value = line + name_size + 1;
        return (struct bytes){value, strcspn(value, "\r\n")};
    }
    return (struct bytes){0};
}

static void advise_memory(const struct probe *probe, const char *info, struct advice *advice) {
    const char *host = probe->options->host;
    unsigned port = probe->options->port;
    struct bytes maxmemory = info_value(info, "maxmemory"), policy = info_value(info, "maxmemory_policy");
    if (bytes_equal(maxmemory, BYTES("0")))
        advice_add(advice,
                   "Redis at %.128s:%u: maxmemory is 0, so it may take all memory of its machine; set maxmemory, and "
                   "maxmemory-policy to allkeys-lru",
                   host, port);
    else if (maxmemory.size > 0 && bytes_equal(policy, BYTES("noeviction")))
        advice_add(advice,
                   "Redis at %.128s:%u: maxmemory-policy is noeviction, so it refuses new entries when maxmemory is "
                   "reached; set maxmemory-policy to allkeys-lru",
                   host, port);
}

/* Makes an entry that expires at once again, by the same script as every put. */
static void advise_writes(struct probe *probe, struct advice *advice) {
    char expires[REDIS_NUMBER_SIZE];
    struct error text;
    redisReply *reply;
    snprintf(expires, sizeof expires, "%" PRId64, clock_wall_ms(probe->options->clock) + probe->timeout_ms);
    if (redisAppendCommand(probe->context, "EVAL %s 1 %s" REDIS_KEY "check 1 %s {}", redis_scripts[SCRIPT_PUT],
                           probe->options->namespace_prefix, expires) != REDIS_OK)
        return;
    if (receive(probe, &reply) != STATUS_OK) return;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_error_set(&text, probe->options, reply->str);
        advice_add(advice, "%s (it takes no entries now)", text.text);
    }
    freeReplyObject(reply);
}

/* INFO may be refused to an ACL user: then nothing is known, and nothing is said. */
static void advise_settings(struct probe *probe, struct advice *advice) {
    redisReply *reply;
    if (redisAppendCommand(probe->context, "INFO memory") != REDIS_OK || receive(probe, &reply) != STATUS_OK) return;
    if (reply->type == REDIS_REPLY_STRING) advise_memory(probe, reply->str, advice);
    freeReplyObject(reply);
    advise_writes(probe, advice);
}

void redis_advise(struct order_cache *base, int timeout_ms, struct advice *advice) {
    struct probe probe = probe_make(base, timeout_ms, NULL);
    sigset_t before;
    pipe_signal_block(&before);
    if (probe_open(&probe) == STATUS_OK) advise_settings(&probe, advice);
    redisFree(probe.context);
    pipe_signal_restore(&before);
}
