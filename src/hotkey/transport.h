/* The port between the workers of a run and the server under test: commands out, replies in, by connection.
 *
 * A transport belongs to one thread. It has a fixed number of connections; replies come in the order of the commands of
 * their connection. It makes lost connections anew by itself, with growing waits. Times are those of its clock. */
#ifndef ORDERLY_HOTKEY_TRANSPORT_H
#define ORDERLY_HOTKEY_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"

#define TRANSPORT_EVENTS_MAX 1024   /* of one poll; more than the replies that one connection can owe */
#define TRANSPORT_ERROR_SIZE 160
#define TRANSPORT_CONNECT_MS 2000   /* from connect(2) to the greeting's reply; then it is tried again */
#define TRANSPORT_RETRY_MIN_MS 50   /* before a lost connection is tried again; doubled each time */
#define TRANSPORT_RETRY_MAX_MS 1000

enum transport_event_kind {
    TRANSPORT_STORED, /* a write was done */
    TRANSPORT_VALUE,  /* a read found a value */
    TRANSPORT_NIL,    /* a read found none */
    TRANSPORT_ERROR,  /* the server refused the command: see error_text */
    TRANSPORT_UP,     /* the connection takes commands from now on */
    TRANSPORT_LOST,   /* what was under way on it gets no reply; it takes no commands until TRANSPORT_UP */
};

struct transport_event {
    int64_t at_ns; /* when it was read from the socket */
    uint32_t connection;
    uint8_t kind; /* enum transport_event_kind */
};

struct transport_write {
    uint32_t key;
    uint32_t client, number; /* who writes: the value begins with them */
    int64_t expiry_ms;       /* from now; 0: none */
};

struct transport;

struct transport_ops {
    const char *name;
    bool (*get)(struct transport *transport, uint32_t connection, uint32_t key);
    bool (*set)(struct transport *transport, uint32_t connection, const struct transport_write *write);
    void (*flush)(struct transport *transport, uint32_t connection);
    size_t (*poll)(struct transport *transport, int64_t until_ns, struct transport_event *events_out);
    const char *(*error_text)(const struct transport *transport);
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
};

struct transport_options {
    const struct clock *clock;
    struct sockaddr_storage address;
    socklen_t address_size;
    const char *user, *password; /* "" for none; borrowed for its life */
    const char *key_prefix;      /* "orderly:lab:<run>:"; copied */
    uint32_t connections;
    uint32_t pipeline;           /* commands under way on one connection, at most: the caller keeps to it */
    uint32_t value_bytes;
};

/* Queues a command on a connection that is up. False: there is no room; flush, and try again after the next poll. */
static inline bool transport_get(struct transport *transport, uint32_t connection, uint32_t key) {
    return transport->ops->get(transport, connection, key);
}
static inline bool transport_set(struct transport *transport, uint32_t connection, const struct transport_write *write) {
    return transport->ops->set(transport, connection, write);
}

/* Sends what is queued on the connection, as far as the socket takes it; the rest goes out during polls. */
static inline void transport_flush(struct transport *transport, uint32_t connection) {
    transport->ops->flush(transport, connection);
}

/* Waits for events until there is one or until_ns is over (a time in the past: only looks), and writes them, at most
 * TRANSPORT_EVENTS_MAX. Returns how many. */
static inline size_t transport_poll(struct transport *transport, int64_t until_ns, struct transport_event *events_out) {
    return transport->ops->poll(transport, until_ns, events_out);
}

/* The latest error: of the server's replies, or why a connection is not there. "" if there was none. */
static inline const char *transport_error_text(const struct transport *transport) {
    return transport->ops->error_text(transport);
}

/* NULL is allowed. */
static inline void transport_close(struct transport *transport) {
    if (transport) transport->ops->close(transport);
}

/* Over sockets, to a Redis. Connects during polls. NO_MEMORY, IO. */
enum status redis_transport_new(const struct transport_options *options, struct transport **transport_out,
                                struct error *error);

#endif
