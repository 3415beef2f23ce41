/* The one connection, and the circuit around it: closed (calls are taken) only from the end of a handshake until the
 * connection is lost or REDIS_FAILURES_MAX calls in a row got no good answer in time. Then every caller is refused at
 * once, and a new connection with a handshake is tried after growing, jittered waits.
 *
 * A connection is never mended: what it owes is failed, and late replies go down with it. A frozen Redis may still
 * carry out what lies in its socket when it thaws; the scripts and the entries' own expiry bound what that can do. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "order_cache/redis_internal.h"

#define REFUSAL_LOG_MS 60000 /* at most one line in so long about writes that Redis refuses */
#define DOUBLINGS_MAX 16     /* of the wait, before its limit */

/* --- the hooks by which hiredis says what it waits for --- */

static void add_read(void *data) {
    ((struct redis_connection *)data)->wants_read = true;
}

static void del_read(void *data) {
    ((struct redis_connection *)data)->wants_read = false;
}

static void add_write(void *data) {
    ((struct redis_connection *)data)->wants_write = true;
}

static void del_write(void *data) {
    ((struct redis_connection *)data)->wants_write = false;
}

/* hiredis frees the context after this, for whatever reason; all callbacks have been called. */
static void cleanup(void *data) {
    struct redis_connection *connection = data;
    const redisContext *context = &connection->context->c;
    bool knows_why = strcmp(context->errstr, "Success") != 0; /* what hiredis makes of a TLS error */
    if (!connection->is_doomed && context->err)
        error_set(&connection->reason, STATUS_UNAVAILABLE, "%s", knows_why ? context->errstr : "TLS handshake failed");
    connection->context = NULL;
    connection->wants_read = connection->wants_write = false;
}

void redis_connection_doom(struct redis_cache *cache, const char *format, ...) {
    struct redis_connection *connection = &cache->connection;
    if (connection->is_doomed) return;
    connection->is_doomed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->reason.text, sizeof connection->reason.text, format, arguments);
    va_end(arguments);
}

/* --- the handshake: AUTH if wanted, PING, the scripts --- */

enum { STEP_AUTH, STEP_PING, STEP_SCRIPTS, STEPS = STEP_SCRIPTS + SCRIPT_COUNT };

static void come_up(struct redis_cache *cache) {
    struct redis_connection *connection = &cache->connection;
    connection->state = REDIS_UP;
    connection->up_since_ns = redis_now_ns(cache);
    metric_set(cache->metrics.up, 1);
    if (connection->has_logged_trouble)
        log_event(cache->options.logger, LOG_INFO, "Redis answers again", LOG_S("host", cache->options.host),
                  LOG_N("port", cache->options.port));
    connection->has_logged_trouble = false;
    pthread_mutex_lock(&cache->mutex);
    cache->accepts = true;
    pthread_mutex_unlock(&cache->mutex);
}

/* A user who may not load scripts may still run them: then their texts are sent. */
static void keep_sha(char sha[REDIS_SHA_SIZE], const redisReply *reply) {
    bool is_sha = reply->type == REDIS_REPLY_STRING && reply->len == REDIS_SHA_SIZE - 1;
    snprintf(sha, REDIS_SHA_SIZE, "%s", is_sha ? reply->str : "");
}

static void on_step(redisAsyncContext *context, void *data, void *privdata) {
    struct redis_cache *cache = privdata;
    struct redis_connection *connection = &cache->connection;
    const redisReply *reply = data;
    if (!reply || connection->is_doomed) return;
    int step = connection->step++;
    if (step >= STEP_SCRIPTS)
        keep_sha(connection->sha[step - STEP_SCRIPTS], reply);
    else if (reply->type == REDIS_REPLY_ERROR)
        redis_connection_doom(cache, "%.200s",
                              step == STEP_AUTH ? redis_auth_text(&cache->options, reply->str) : reply->str);
    if (connection->step == STEPS && !connection->is_doomed) come_up(cache);
}

static void greet(struct redis_cache *cache) {
    const struct order_cache_redis_options *options = &cache->options;
    redisAsyncContext *context = cache->connection.context;
    int rc = REDIS_OK;
    cache->connection.step = STEP_PING;
    if (options->user[0]) {
        cache->connection.step = STEP_AUTH;
        rc |= redisAsyncCommand(context, on_step, cache, "AUTH %s %s", options->user, options->password);
    } else if (options->password[0]) {
        cache->connection.step = STEP_AUTH;
        rc |= redisAsyncCommand(context, on_step, cache, "AUTH %s", options->password);
    }
    rc |= redisAsyncCommand(context, on_step, cache, "PING");
    for (int i = 0; i < SCRIPT_COUNT; i++)
        rc |= redisAsyncCommand(context, on_step, cache, "SCRIPT LOAD %s", redis_scripts[i]);
    if (rc != REDIS_OK || context->c.err) redis_connection_doom(cache, "no memory");
}

/* --- connecting and ending --- */

static void connect_now(struct redis_cache *cache) {
    struct redis_connection *connection = &cache->connection;
    metric_add(cache->metrics.connects, 1);
    connection->state = REDIS_GREETING;
    connection->deadline_ns = redis_now_ns(cache) + cache->options.connect_timeout_ms * NS_PER_MS;
    redisAsyncContext *context = redisAsyncConnect(cache->options.host, cache->options.port);
    if (!context || context->err || !redis_tls_start(cache->tls, &context->c)) {
        redis_connection_doom(cache, "%s", context ? context->c.errstr : "no memory");
        if (context) redisAsyncFree(context);
        return;
    }
    fcntl(context->c.fd, F_SETFD, FD_CLOEXEC);
    context->ev.data = connection;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    connection->context = context;
    greet(cache);
}

/* Between half and all of a time that doubles with each attempt: many processes do not come back at one moment. */
static int64_t next_wait_ms(struct redis_cache *cache) {
    unsigned doublings = cache->connection.attempts < DOUBLINGS_MAX ? cache->connection.attempts : DOUBLINGS_MAX;
    int64_t wait_ms = (int64_t)cache->options.backoff_min_ms << doublings;
    if (wait_ms > cache->options.backoff_max_ms) wait_ms = cache->options.backoff_max_ms;
    cache->connection.attempts++;
    return wait_ms - (int64_t)random_below(cache->options.random, (uint64_t)wait_ms / 2 + 1);
}

/* From here on callers are refused; those that came just before are failed. */
static void open_circuit(struct redis_cache *cache) {
    pthread_mutex_lock(&cache->mutex);
    cache->accepts = false;
    struct queue queue = cache->queue;
    cache->queue = (struct queue){0};
    pthread_mutex_unlock(&cache->mutex);
    for (struct queue_link *link; (link = queue_pop(&queue));)
        redis_call_refuse(CONTAINER_OF(link, struct redis_call, link));
}

static void log_trouble(struct redis_cache *cache, int64_t wait_ms) {
    struct redis_connection *connection = &cache->connection;
    if (connection->has_logged_trouble) return;
    struct error text;
    redis_error_set(&text, &cache->options, connection->reason.text);
    log_event(cache->options.logger, LOG_WARN, "the order cache is left out until Redis answers",
              LOG_S("reason", text.text), LOG_N("retry_ms", wait_ms));
    connection->has_logged_trouble = true;
}

static void ended(struct redis_cache *cache) {
    struct redis_connection *connection = &cache->connection;
    int64_t now_ns = redis_now_ns(cache);
    if (connection->state == REDIS_UP) {
        open_circuit(cache);
        metric_set(cache->metrics.up, 0);
        metric_add(cache->metrics.opened, 1);
        bool has_held = now_ns - connection->up_since_ns >= cache->options.backoff_max_ms * NS_PER_MS;
        if (has_held) connection->attempts = 0;
    }
    int64_t wait_ms = next_wait_ms(cache);
    connection->next_connect_ns = now_ns + wait_ms * NS_PER_MS;
    log_trouble(cache, wait_ms);
    connection->state = REDIS_AWAY;
    connection->is_doomed = false;
    connection->failures = 0;
    connection->reason.text[0] = '\0';
}

static void cut(struct redis_cache *cache) {
    if (cache->connection.context) redisAsyncFree(cache->connection.context);
}

/* --- what the loop asks for --- */

void redis_connection_tend(struct redis_cache *cache) {
    struct redis_connection *connection = &cache->connection;
    int64_t now_ns = redis_now_ns(cache);
    if (connection->state == REDIS_GREETING && connection->deadline_ns <= now_ns)
        redis_connection_doom(cache, "no answer within %d ms", cache->options.connect_timeout_ms);
    if (connection->is_doomed) cut(cache);
    if (connection->state != REDIS_AWAY && !connection->context) ended(cache);
    if (connection->state == REDIS_AWAY && connection->next_connect_ns <= now_ns) connect_now(cache);
}

int64_t redis_connection_next_ns(const struct redis_cache *cache) {
    const struct redis_connection *connection = &cache->connection;
    if (connection->state == REDIS_AWAY) return connection->next_connect_ns;
    if (connection->is_doomed || !connection->context) return 0;
    return connection->state == REDIS_GREETING ? connection->deadline_ns : INT64_MAX;
}

void redis_connection_close(struct redis_cache *cache) {
    open_circuit(cache);
    cut(cache);
}

void redis_connection_refused(struct redis_cache *cache, const char *text) {
    struct redis_connection *connection = &cache->connection;
    int64_t now_ns = redis_now_ns(cache);
    if (now_ns < connection->next_refusal_ns) return;
    connection->next_refusal_ns = now_ns + REFUSAL_LOG_MS * NS_PER_MS;
    struct error error;
    redis_error_set(&error, &cache->options, text);
    log_event(cache->options.logger, LOG_WARN, "Redis refuses entries", LOG_S("reason", error.text));
}
