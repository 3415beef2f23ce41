/* The inside of the transport over sockets: what its two files share. */
#ifndef ORDERLY_HOTKEY_REDIS_TRANSPORT_H
#define ORDERLY_HOTKEY_REDIS_TRANSPORT_H

#include "hotkey/resp.h"
#include "hotkey/transport.h"

#define REDIS_DIGITS_MAX 10          /* of a key number, 32 bits */
#define REDIS_HEAD_MAX 160           /* of a command before the key's number */
#define REDIS_OUT_MIN 4096
#define REDIS_OUT_MAX (64u << 10)    /* queued on one connection, beside one command of any size */
#define REDIS_READ_MAX (64u << 10)   /* read from one connection at a time */
#define REDIS_READY_MAX 128          /* connections served in one poll */
#define REDIS_USER_TIMEOUT_MS 10000  /* sent and not acknowledged by the other machine: the connection is lost */

enum redis_state { REDIS_DOWN, REDIS_CONNECTING, REDIS_GREETING, REDIS_UP };

struct redis_connection {
    int fd;
    uint8_t state;       /* enum redis_state */
    bool wants_write;    /* epoll is asked for room in the socket */
    uint32_t awaited;    /* replies */
    uint32_t out_begin, out_end; /* of what waits in out */
    char *out;
    int64_t due_ns;      /* DOWN: connect again; CONNECTING, GREETING: give up */
    int64_t wait_ms;     /* the next wait before connecting again */
    struct resp_parser parser;
};

/* The beginning of commands for keys of one length, so that a command is two or three copies. */
struct redis_head {
    uint8_t size;
    char text[REDIS_HEAD_MAX];
};

struct redis_transport {
    struct transport base;
    struct transport_options options;
    int epoll_fd;
    bool lacks_pwait2; /* an old kernel, or a sandbox that does not know it */
    uint32_t not_up;   /* connections in another state than UP */
    uint32_t out_capacity;
    struct redis_connection *connections;
    char *out_memory;
    char *value; /* value_bytes of it, all dots */
    struct redis_head get_heads[REDIS_DIGITS_MAX + 1]; /* by the digits of the key */
    struct redis_head set_heads[REDIS_DIGITS_MAX + 1], set_expiring_heads[REDIS_DIGITS_MAX + 1];
    char value_head[32]; /* "\r\n$1000\r\n" */
    uint8_t value_head_size;
    char error_text[TRANSPORT_ERROR_SIZE];
    char read_buffer[REDIS_READ_MAX];
};

/* --- redis_commands.c --- */

/* Prepares the heads; false: the key prefix is too long. */
bool redis_commands_init(struct redis_transport *transport);
size_t redis_command_size_max(const struct redis_transport *transport);
bool redis_transport_get(struct transport *base, uint32_t index, uint32_t key);
bool redis_transport_set(struct transport *base, uint32_t index, const struct transport_write *write);

/* AUTH where there is a password, then PING; returns how many replies that makes. */
uint32_t redis_put_greeting(struct redis_transport *transport, struct redis_connection *connection);

#endif
