/* The server under test: a user's Redis, or a private redis-server that lives as long as the run. */
#ifndef ORDERLY_HOTKEY_TARGET_H
#define ORDERLY_HOTKEY_TARGET_H

#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "hotkey/run.h"

#define TARGET_CONNECT_MS 2000  /* to connect and to be answered, at the start */
#define TARGET_START_MS 5000    /* for a private server to answer */
#define TARGET_PORTS_MAX 5      /* free ports tried: another program may take one in between */
#define TARGET_ASK_MS 150       /* for an answer during the run */
#define TARGET_LOAD_MAX (128u << 20) /* bytes of values written before the run, so that it begins with a warm cache */
#define TARGET_LOAD_MS 10000
#define TARGET_BATCH 500        /* keys at a time when loading, and in an UNLINK */
#define TARGET_UNLINKS 8        /* of these under way at once */

struct target {
    struct lab_target_options options; /* borrowed strings */
    const struct clock *clock;
    char host[256];
    uint16_t port;
    bool is_private;
    pid_t pid;               /* of the private server, or 0 */
    bool is_frozen;
    struct sockaddr_storage address;
    socklen_t address_size;
    clockid_t cpu_clock;     /* of the server's process, if has_cpu_clock */
    bool has_cpu_clock;
    char version[40], policy[40];
};

/* Finds or starts it and waits until it answers. As lab_run says. */
enum status target_open(struct target *target, const struct lab_target_options *options, const struct clock *clock,
                        struct error *error);

/* Ends a private server. A cleared struct is allowed. */
void target_close(struct target *target);

/* A blocking connection, greeted; every answer within timeout_ms. Free with redisFree. UNAVAILABLE: error says why. */
enum status target_connect(const struct target *target, int64_t timeout_ms, redisContext **context_out, struct error *error);

/* SIGSTOP and SIGCONT; a private server only. */
void target_freeze(struct target *target, bool frozen);

/* CPU seconds that the server's process has used; -1: not known here. */
double target_cpu_s(const struct target *target);

/* "redis 7.0.15 at 127.0.0.1:31234, started for this run" */
void target_describe(const struct target *target, char *out, size_t size);

/* An error about the target: address, what happened, remedy. */
enum status target_error(const struct target *target, struct error *error, const char *what);

/* --- target_private.c --- */

/* Starts a redis-server child on a free loopback port: pid and port are set. NOT_FOUND: no such program. */
enum status target_start_private(struct target *target, struct error *error);

/* --- target_keys.c --- */

/* Writes every key once, the value of a run's own kind, as far as TARGET_LOAD_MAX goes; ends early (OK) when the server
 * refuses one, since the run will show that. expiry_ms(data, key): 0 for none. */
struct target_load {
    const char *key_prefix;
    uint32_t keys, value_bytes;
    int64_t (*expiry_ms)(void *data, uint32_t key);
    void *data;
    atomic_bool *stop;
    uint32_t asked_out; /* so many keys, from 0 on, may have been written, also after a failure */
};
enum status target_load(const struct target *target, struct target_load *load, struct error *error);

/* UNLINKs the keys whose bit is set, until limit_ms is over; returns how many are left. */
uint64_t target_unlink(const struct target *target, const char *key_prefix, const uint8_t *written, uint32_t keys,
                       int64_t limit_ms);

#endif
