/* All keys of a run: written before it, so that it begins with a warm cache, and removed after it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotkey/target.h"

/* Reads count replies; false: the connection is of no use any more. Errors among them are counted. */
static bool read_replies(redisContext *context, unsigned count, unsigned *errors_out) {
    for (unsigned i = 0; i < count; i++) {
        redisReply *reply = NULL;
        if (redisGetReply(context, (void **)&reply) != REDIS_OK) return false;
        if (reply->type == REDIS_REPLY_ERROR) (*errors_out)++;
        freeReplyObject(reply);
    }
    return true;
}

static void append_set(redisContext *context, const struct target_load *load, uint32_t key, const char *value) {
    int64_t expiry_ms = load->expiry_ms(load->data, key);
    if (expiry_ms > 0)
        redisAppendCommand(context, "SET %s%u %b PX %lld", load->key_prefix, key, value, (size_t)load->value_bytes,
                           (long long)expiry_ms);
    else
        redisAppendCommand(context, "SET %s%u %b", load->key_prefix, key, value, (size_t)load->value_bytes);
}

static enum status load_keys(const struct target *target, struct target_load *load, uint32_t keys,
                             redisContext *context, const char *value, struct error *error) {
    const int64_t end_ns = clock_monotonic_ns(target->clock) + TARGET_LOAD_MS * INT64_C(1000000);
    unsigned errors = 0, batch = TARGET_LOAD_MAX / 64 / (load->value_bytes + 100);
    if (batch > TARGET_BATCH) batch = TARGET_BATCH;
    for (uint32_t key = 0; key < keys && errors == 0 && !atomic_load(load->stop);) {
        unsigned count = keys - key < batch ? keys - key : batch;
        for (unsigned i = 0; i < count; i++)
            append_set(context, load, key++, value);
        load->asked_out = key;
        if (!read_replies(context, count, &errors)) return target_error(target, error, context->errstr);
        if (clock_monotonic_ns(target->clock) >= end_ns) break;
    }
    return STATUS_OK;
}

enum status target_load(const struct target *target, struct target_load *load, struct error *error) {
    uint32_t most = TARGET_LOAD_MAX / load->value_bytes, keys = load->keys < most ? load->keys : most;
    redisContext *context = NULL;
    char *value = malloc(load->value_bytes);
    if (!value) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    memset(value, '.', load->value_bytes);
    enum status status = target_connect(target, TARGET_CONNECT_MS, &context, error);
    if (status == STATUS_OK) {
        status = load_keys(target, load, keys, context, value, error);
        redisFree(context);
    }
    free(value);
    return status;
}

/* --- the end --- */

static bool is_written(const uint8_t *written, uint32_t key) {
    return written[key >> 3] >> (key & 7) & 1;
}

static uint64_t count_written(const uint8_t *written, uint32_t keys) {
    uint64_t count = 0;
    for (uint32_t key = 0; key < keys; key++)
        count += is_written(written, key);
    return count;
}

/* One UNLINK of up to TARGET_BATCH keys from *next on; returns how many keys, 0 at the end. */
static int append_unlink(redisContext *context, const char *key_prefix, const uint8_t *written, uint32_t keys,
                         uint32_t *next) {
    char names[TARGET_BATCH][LAB_KEY_NAME_SIZE];
    const char *arguments[TARGET_BATCH + 1] = {"UNLINK"};
    int count = 0;
    for (; *next < keys && count < TARGET_BATCH; (*next)++) {
        if (!is_written(written, *next)) continue;
        snprintf(names[count], sizeof names[count], "%s%u", key_prefix, *next);
        arguments[count + 1] = names[count];
        count++;
    }
    if (count) redisAppendCommandArgv(context, count + 1, arguments, NULL);
    return count;
}

uint64_t target_unlink(const struct target *target, const char *key_prefix, const uint8_t *written, uint32_t keys,
                       int64_t limit_ms) {
    const int64_t end_ns = clock_monotonic_ns(target->clock) + limit_ms * INT64_C(1000000);
    uint64_t left = count_written(written, keys);
    redisContext *context = NULL;
    uint32_t next = 0;
    if (left == 0 || target_connect(target, limit_ms, &context, NULL) != STATUS_OK) return left;
    while (left > 0 && clock_monotonic_ns(target->clock) < end_ns) {
        unsigned errors = 0, commands = 0;
        uint64_t removed = 0;
        for (int count; commands < TARGET_UNLINKS; commands++, removed += (uint64_t)count) {
            count = append_unlink(context, key_prefix, written, keys, &next);
            if (count == 0) break;
        }
        if (commands == 0 || !read_replies(context, commands, &errors) || errors) break;
        left -= removed;
    }
    redisFree(context);
    return left;
}
