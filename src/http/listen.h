/* The listening sockets and the thread that accepts on them. */
#ifndef ORDERLY_HTTP_LISTEN_H
#define ORDERLY_HTTP_LISTEN_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/status.h"

#define LISTEN_PORTS_MAX 8
#define LISTEN_ADDRESSES_MAX 4 /* per port */

struct listener;

struct listener_options {
    const char *host;      /* "localhost": 127.0.0.1 and, where there is one, ::1; else an address or a name */
    const uint16_t *ports; /* 0: any free one, the same for all addresses if possible */
    size_t port_count;
    /* Called on the accept thread with a non-blocking socket, which the callee then owns. Must not block. */
    void (*accepted)(void *data, int fd, const struct sockaddr *address, socklen_t size);
    void *data;
};

/* Binds. UNAVAILABLE: the first port is busy; INVALID: no such host. A later busy port is left out: its
 * listener_port is 0. */
enum status listener_open(const struct listener_options *options, struct listener **listener_out, struct error *error);

/* Starts the accept thread; called once. */
enum status listener_start(struct listener *listener, struct error *error);

/* Accepts what is already queued, closes the sockets, ends the thread. May be called again. */
void listener_stop(struct listener *listener);

/* Stops and frees. NULL is allowed. */
void listener_close(struct listener *listener);

uint16_t listener_port(const struct listener *listener, size_t i);

/* True if every address is a loopback address. */
bool listener_is_loopback(const struct listener *listener);

#endif
