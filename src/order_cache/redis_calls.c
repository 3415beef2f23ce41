/* The life of a call on the loop thread: sent, answered or cut off, and given back.
 *
 * hiredis calls back exactly once for each command that it took: with the reply, or with NULL when the connection ends.
 * Only then is a call given back, so a late reply never meets memory of somebody else. A caller is answered before that
 * when the call is cut off: is_waiting says whether that has happened. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order_cache/redis_internal.h"

#define ARGUMENTS_MAX 8

/* --- calls that wait, by deadline --- */

static void waiting_add(struct redis_call *call) {
    struct redis_cache *cache = call->cache;
    call->is_waiting = true;
    call->earlier = cache->last_waiting;
    call->later = NULL;
    if (cache->last_waiting)
        cache->last_waiting->later = call;
    else
        cache->first_waiting = call;
    cache->last_waiting = call;
}

static void waiting_remove(struct redis_call *call) {
    struct redis_cache *cache = call->cache;
    call->is_waiting = false;
    if (call->earlier)
        call->earlier->later = call->later;
    else
        cache->first_waiting = call->later;
    if (call->later)
        call->later->earlier = call->earlier;
    else
        cache->last_waiting = call->earlier;
}

static void give_back(struct redis_call *call) {
    struct redis_cache *cache = call->cache;
    if (call->kind == CALL_PUT) free(call->put.copy);
    cache->spent_bytes += call->size_bytes;
    queue_push(&cache->spent, &call->link);
}

/* --- answers: reply is NULL when none came, and never an error --- */

static void answer_get(struct redis_call *call, const redisReply *reply) {
    struct redis_cache *cache = call->cache;
    struct order_cache_get *get = call->get;
    struct order_cache_entry entry;
    if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL)) {
        redis_count(&cache->stats.errors);
        get->done(get, STATUS_UNAVAILABLE, NULL);
        return;
    }
    bool is_entry =
        reply->type == REDIS_REPLY_STRING && redis_entry_parse((struct bytes){reply->str, reply->len}, &entry);
    if (!is_entry || entry.expires_at_ms <= clock_wall_ms(cache->options.clock)) {
        redis_count(&cache->stats.misses);
        get->done(get, STATUS_NOT_FOUND, NULL);
        return;
    }
    redis_count(&cache->stats.hits);
    get->done(get, STATUS_OK, &entry);
}

static void put_ended(struct redis_call *call, enum status status) {
    struct order_cache_put *put = call->put.request;
    if (put) put->done(put, status);
}

static void answer_put(struct redis_call *call, const redisReply *reply) {
    struct redis_stats *stats = &call->cache->stats;
    if (!reply || (reply->type != REDIS_REPLY_INTEGER && reply->type != REDIS_REPLY_STATUS)) {
        redis_count(&stats->errors);
        put_ended(call, call->is_sent ? STATUS_UNKNOWN : STATUS_UNAVAILABLE);
        return;
    }
    bool is_kept = reply->type == REDIS_REPLY_STATUS || reply->integer;
    redis_count(is_kept ? &stats->puts : &stats->skipped);
    put_ended(call, STATUS_OK);
}

static void answer_nobody(struct redis_call *call, const redisReply *reply) {
    if (!reply) redis_count(&call->cache->stats.errors);
}

static void (*const answers[CALL_KINDS])(struct redis_call *call, const redisReply *reply) = {
    [CALL_GET] = answer_get,
    [CALL_PUT] = answer_put,
    [CALL_DROP] = answer_nobody,
    [CALL_CLEAR] = answer_nobody,
};

static void answer(struct redis_call *call, const redisReply *reply) {
    waiting_remove(call);
    answers[call->kind](call, reply);
}

/* --- sending --- */

struct command {
    int count;
    const char *arguments[ARGUMENTS_MAX];
    size_t sizes[ARGUMENTS_MAX];
};

static void add(struct command *command, struct bytes argument) {
    command->arguments[command->count] = argument.data ? argument.data : "";
    command->sizes[command->count++] = argument.size;
}

static void add_script(struct command *command, const struct redis_call *call, enum redis_script script,
                       const char *key) {
    const char *sha = call->cache->connection.sha[script];
    bool is_known = sha[0] && !call->is_spelled_out;
    add(command, is_known ? BYTES("EVALSHA") : BYTES("EVAL"));
    add(command, bytes_of(is_known ? sha : redis_scripts[script]));
    add(command, key ? BYTES("1") : BYTES("0"));
    if (key) add(command, bytes_of(key));
}

void redis_key(const struct redis_cache *cache, const struct uuid *order_id, char out[REDIS_KEY_SIZE]) {
    int size = snprintf(out, REDIS_KEY_SIZE, "%s" REDIS_KEY, cache->options.namespace_prefix);
    uuid_format(order_id, out + size);
}

static void on_reply(redisAsyncContext *context, void *data, void *privdata);

static void send_command(struct redis_call *call, struct command *command) {
    struct redis_cache *cache = call->cache;
    redisAsyncContext *context = cache->connection.context;
    bool is_taken = context && redisAsyncCommandArgv(context, on_reply, call, command->count, command->arguments,
                                                     command->sizes) == REDIS_OK;
    /* hiredis 0.14 also takes a command for which it then has no memory: replies would no longer fit to calls. */
    if (!is_taken || context->c.err) redis_connection_doom(cache, "a command could not be sent");
    if (is_taken) {
        call->is_sent = true;
        return;
    }
    if (call->is_waiting) answer(call, NULL);
    give_back(call);
}

static void send_get(struct redis_call *call) {
    char key[REDIS_KEY_SIZE];
    struct command command = {0};
    redis_key(call->cache, &call->order_id, key);
    add(&command, BYTES("GET"));
    add(&command, bytes_of(key));
    send_command(call, &command);
}

static void send_compared(struct redis_call *call, const char *key, const char *expires) {
    char version[REDIS_NUMBER_SIZE];
    struct command command = {0};
    snprintf(version, sizeof version, "%" PRIu32, call->put.entry.version);
    add_script(&command, call, SCRIPT_PUT, key);
    add(&command, bytes_of(version));
    add(&command, bytes_of(expires));
    add(&command, call->put.entry.value);
    send_command(call, &command);
}

/* No version is below the first one, so it is newer exactly where nothing is: a SET, which takes Redis less than half of
 * the script's time. */
static void send_first_version(struct redis_call *call, const char *key, const char *expires) {
    struct command command = {0};
    struct buffer *entry = &call->cache->entry;
    if (!redis_entry_write(entry, &call->put.entry)) {
        send_compared(call, key, expires);
        return;
    }
    add(&command, BYTES("SET"));
    add(&command, bytes_of(key));
    add(&command, buffer_bytes(entry));
    add(&command, BYTES("NX"));
    add(&command, BYTES("PXAT"));
    add(&command, bytes_of(expires));
    send_command(call, &command);
}

/* It may have waited for so long, here or in the caller's hands, that its time is over. */
static void send_put(struct redis_call *call) {
    const struct order_cache_entry *entry = &call->put.entry;
    if (entry->expires_at_ms <= clock_wall_ms(call->cache->options.clock)) {
        answer(call, &(redisReply){.type = REDIS_REPLY_INTEGER, .integer = 0});
        give_back(call);
        return;
    }
    char key[REDIS_KEY_SIZE], expires[REDIS_NUMBER_SIZE];
    redis_key(call->cache, &call->order_id, key);
    snprintf(expires, sizeof expires, "%" PRId64, entry->expires_at_ms);
    bool is_first = entry->version == 1 && !call->is_compared;
    (is_first ? send_first_version : send_compared)(call, key, expires);
}

static void send_drop(struct redis_call *call) {
    char key[REDIS_KEY_SIZE], version[REDIS_NUMBER_SIZE];
    struct command command = {0};
    redis_key(call->cache, &call->order_id, key);
    snprintf(version, sizeof version, "%" PRIu32, call->below_version);
    add_script(&command, call, SCRIPT_DROP, key);
    add(&command, bytes_of(version));
    send_command(call, &command);
}

static void send_clear(struct redis_call *call) {
    struct command command = {0};
    add_script(&command, call, SCRIPT_CLEAR, NULL);
    add(&command, bytes_of(call->clear.cursor));
    add(&command, bytes_of(call->cache->key_pattern));
    add(&command, BYTES(REDIS_CLEAR_STEP));
    add(&command, bytes_of(call->clear.begun));
    send_command(call, &command);
}

static void (*const senders[CALL_KINDS])(struct redis_call *call) = {
    [CALL_GET] = send_get,
    [CALL_PUT] = send_put,
    [CALL_DROP] = send_drop,
    [CALL_CLEAR] = send_clear,
};

void redis_call_send(struct redis_call *call) {
    waiting_add(call);
    senders[call->kind](call);
}

void redis_call_refuse(struct redis_call *call) {
    answers[call->kind](call, NULL);
    give_back(call);
}

/* --- replies --- */

/* The next step of a clear; a fresh deadline, or a large Redis could never be cleared. */
static bool goes_on(struct redis_call *call, const redisReply *reply) {
    if (call->kind != CALL_CLEAR || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return false;
    const redisReply *cursor = reply->element[0], *begun = reply->element[1];
    if (cursor->type != REDIS_REPLY_STRING || begun->type != REDIS_REPLY_STRING) return false;
    if (cursor->len >= REDIS_NUMBER_SIZE || begun->len >= REDIS_NUMBER_SIZE || strcmp(cursor->str, "0") == 0)
        return false;
    memcpy(call->clear.cursor, cursor->str, cursor->len + 1);
    memcpy(call->clear.begun, begun->str, begun->len + 1);
    call->started_ns = redis_now_ns(call->cache);
    call->deadline_ns = call->started_ns + call->cache->options.timeout_ms * NS_PER_MS;
    redis_call_send(call);
    return true;
}

/* A Redis that was restarted, or whose scripts were flushed, takes the whole text and knows it from then on. Of a call
 * that was cut off the text may be gone. */
static bool spelled_out(struct redis_call *call, const redisReply *reply) {
    if (call->is_spelled_out || !call->is_waiting || strncmp(reply->str, "NOSCRIPT", 8) != 0) return false;
    call->is_spelled_out = true;
    senders[call->kind](call);
    return true;
}

/* Something is there already, and only the script knows whether it is older or has less time left. Of a call that was cut
 * off the value may be gone. */
static bool compared(struct redis_call *call, const redisReply *reply) {
    if (call->kind != CALL_PUT || reply->type != REDIS_REPLY_NIL || call->is_compared || !call->is_waiting) return false;
    call->is_compared = true;
    senders[call->kind](call);
    return true;
}

/* Reads that are refused open the circuit in the end; writes that are refused cost nobody anything. */
static void note_error(struct redis_call *call, const char *text) {
    struct redis_connection *connection = &call->cache->connection;
    metric_add(call->cache->metrics.refused, 1);
    if (call->kind != CALL_GET)
        redis_connection_refused(call->cache, text);
    else if (++connection->failures >= REDIS_FAILURES_MAX)
        redis_connection_doom(call->cache, "%.200s", text);
}

static void note_answer(struct redis_call *call) {
    struct redis_cache *cache = call->cache;
    metric_observe_ns(cache->metrics.seconds[call->kind], redis_now_ns(cache) - call->started_ns);
    if (call->is_waiting) cache->connection.failures = 0;
}

static void on_reply(redisAsyncContext *context, void *data, void *privdata) {
    struct redis_call *call = privdata;
    const redisReply *reply = data;
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        if (spelled_out(call, reply)) return;
        note_error(call, reply->str);
        call->is_sent = false; /* refused: nothing was done */
        reply = NULL;
    } else if (reply) {
        note_answer(call);
    }
    if (reply && compared(call, reply)) return;
    if (call->is_waiting) answer(call, reply);
    if (reply && goes_on(call, reply)) return;
    give_back(call);
}

void redis_calls_expire(struct redis_cache *cache) {
    int64_t now_ns = redis_now_ns(cache);
    while (cache->first_waiting && cache->first_waiting->deadline_ns <= now_ns) {
        metric_add(cache->metrics.late, 1);
        if (++cache->connection.failures >= REDIS_FAILURES_MAX)
            redis_connection_doom(cache, "no answer within %d ms", cache->options.timeout_ms);
        answer(cache->first_waiting, NULL);
    }
}
