/* A redis-server of a test's own: started on a free port, killed, frozen, thawed, started again on the same port.
 *
 * Helpers that cannot do their work end the program: what a test asserts, it asserts itself. */
#ifndef ORDERLY_TESTS_REDIS_REDIS_SERVER_H
#define ORDERLY_TESTS_REDIS_REDIS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#define REDIS_SERVER_ARGUMENTS_MAX 16

struct redis_server {
    pid_t pid; /* 0: not running */
    uint16_t port;
    const char *arguments[REDIS_SERVER_ARGUMENTS_MAX]; /* beside the usual ones; ends with NULL */
    const char *password;                              /* by which the helpers come in, or NULL */
};

/* Picks a port; nothing runs yet. */
void redis_server_init(struct redis_server *server);

/* Starts it and waits until it answers. */
void redis_server_start(struct redis_server *server);
void redis_server_kill(struct redis_server *server); /* SIGKILL; returns when it is gone. Nothing if not running */
void redis_server_freeze(struct redis_server *server);
void redis_server_thaw(struct redis_server *server);

/* One command as redis-cli would send it, on a connection of its own. The text of its answer (integers as digits, nil
 * as
 * "(nil)", an array as its count), to be freed. */
char *redis_server_ask(const struct redis_server *server, const char *format, ...);

/* The same where the answer is a number; -1: it is none. */
long long redis_server_number(const struct redis_server *server, const char *format, ...);

#endif
