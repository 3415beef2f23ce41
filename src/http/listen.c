/* Listening on several addresses and ports, and the accept thread: a libmicrohttpd daemon has room for one only. */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 64      /* on one socket, before the next gets its turn */
#define ACCEPTS_AT_STOP_MAX 4096 /* of connections queued in the kernel when the listener stops */
#define OUT_OF_FILES_PAUSE_MS 50 /* no accepting for so long when there is no descriptor or memory left */
#define ANY_PORT_ATTEMPTS_MAX 16 /* to find one that is free on all addresses */
#define SOCKETS_MAX (LISTEN_PORTS_MAX * LISTEN_ADDRESSES_MAX)

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
    bool is_optional; /* ::1 of "localhost": not every machine has it */
};

struct listener {
    struct listener_options options;
    struct address addresses[LISTEN_ADDRESSES_MAX];
    size_t address_count;
    uint16_t ports[LISTEN_PORTS_MAX];
    int fds[SOCKETS_MAX]; /* the accept thread's while it runs */
    size_t fd_count;
    int wake_fd; /* tells the accept thread to stop */
    pthread_t thread;
    bool is_running;
};

/* --- addresses --- */

static void add_address(struct listener *listener, const struct sockaddr *address, socklen_t size, bool is_optional) {
    if (listener->address_count == LISTEN_ADDRESSES_MAX) return;
    for (size_t i = 0; i < listener->address_count; i++) {
        const struct address *known = &listener->addresses[i];
        if (known->size == size && memcmp(&known->storage, address, size) == 0) return;
    }
    struct address *added = &listener->addresses[listener->address_count++];
    memcpy(&added->storage, address, size);
    added->size = size;
    added->is_optional = is_optional;
}

static enum status resolve(struct listener *listener, const char *host, struct error *error) {
    if (strcmp(host, "localhost") == 0) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        add_address(listener, (struct sockaddr *)&v4, sizeof v4, false);
        add_address(listener, (struct sockaddr *)&v6, sizeof v6, true);
        return STATUS_OK;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int result = getaddrinfo(host, NULL, &hints, &found);
    if (result) return error_set(error, STATUS_INVALID, "no address for host \"%s\": %s", host, gai_strerror(result));
    for (struct addrinfo *at = found; at; at = at->ai_next)
        add_address(listener, at->ai_addr, at->ai_addrlen, false);
    freeaddrinfo(found);
    return STATUS_OK;
}

static bool is_loopback(const struct address *address) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    if (address->storage.ss_family == AF_INET) return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void set_port(struct address *address, uint16_t port) {
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &size)) return 0;
    return ntohs(storage.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&storage)->sin6_port
                                               : ((struct sockaddr_in *)&storage)->sin_port);
}

/* --- binding --- */

/* A listening socket, or -1 and errno. "::" takes IPv4 as well, so that it means "everywhere". */
static int open_socket(struct address *address, uint16_t port) {
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    int on = 1, is_v6_only = address->storage.ss_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &is_v6_only, sizeof is_v6_only);
    set_port(address, port);
    if (bind(fd, (struct sockaddr *)&address->storage, address->size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

static void close_from(struct listener *listener, size_t first) {
    while (listener->fd_count > first)
        close(listener->fds[--listener->fd_count]);
}

static enum status bind_failed(const struct address *address, uint16_t port, int failure, struct error *error) {
    char name[NI_MAXHOST];
    if (getnameinfo((const struct sockaddr *)&address->storage, address->size, name, sizeof name, NULL, 0,
                    NI_NUMERICHOST))
        snprintf(name, sizeof name, "?");
    if (failure == EADDRINUSE)
        return error_set(error, STATUS_UNAVAILABLE,
                         "port %u is in use on %s: stop the program that has it, or choose another port", port, name);
    return error_set_errno(error, STATUS_UNAVAILABLE, failure, "cannot listen on port %u of %s", port, name);
}

/* Binds one port on all addresses. If the first address is given any free port, the others follow it. */
static enum status bind_port(struct listener *listener, uint16_t wanted, uint16_t *port_out, struct error *error) {
    size_t first = listener->fd_count;
    uint16_t port = wanted;
    for (size_t i = 0; i < listener->address_count; i++) {
        int fd = open_socket(&listener->addresses[i], port);
        if (fd >= 0) {
            listener->fds[listener->fd_count++] = fd;
            if (port == 0) port = bound_port(fd);
            continue;
        }
        int failure = errno;
        bool is_absent = failure == EADDRNOTAVAIL || failure == EAFNOSUPPORT;
        if (is_absent && listener->addresses[i].is_optional) continue;
        close_from(listener, first);
        return bind_failed(&listener->addresses[i], port, failure, error);
    }
    *port_out = port;
    return STATUS_OK;
}

static enum status bind_any_port(struct listener *listener, uint16_t *port_out, struct error *error) {
    enum status status = STATUS_OK;
    for (int attempt = 0; attempt < ANY_PORT_ATTEMPTS_MAX; attempt++) {
        status = bind_port(listener, 0, port_out, error);
        if (status != STATUS_UNAVAILABLE) return status;
    }
    return status;
}

enum status listener_open(const struct listener_options *options, struct listener **listener_out, struct error *error) {
    if (options->port_count == 0 || options->port_count > LISTEN_PORTS_MAX)
        return error_set(error, STATUS_INVALID, "1 to %d ports can be listened on", LISTEN_PORTS_MAX);
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener) return error_set(error, STATUS_NO_MEMORY, "no memory to listen");
    listener->options = *options;
    listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum status status = listener->wake_fd < 0 ? error_set_errno(error, STATUS_IO, errno, "cannot make an eventfd")
                                               : resolve(listener, options->host, error);
    for (size_t i = 0; !status && i < options->port_count; i++) {
        uint16_t port = options->ports[i];
        enum status bound = port ? bind_port(listener, port, &listener->ports[i], i ? NULL : error)
                                 : bind_any_port(listener, &listener->ports[i], i ? NULL : error);
        if (i == 0) status = bound;
    }
    if (status) {
        listener_close(listener);
        return status;
    }
    *listener_out = listener;
    return STATUS_OK;
}

/* --- accepting --- */

/* Accepts up to count connections. False if descriptors or memory have run out: accepting again at once would spin. */
static bool accept_some(struct listener *listener, int listen_fd, int count) {
    for (int i = 0; i < count; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            listener->options.accepted(listener->options.data, fd, (struct sockaddr *)&address, size);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return false;
        /* Anything else is the fault of one connection: the next one may be well. */
    }
    return true;
}

static void *accept_run(void *data) {
    struct listener *listener = data;
    struct pollfd polled[1 + SOCKETS_MAX] = {{.fd = listener->wake_fd, .events = POLLIN}};
    for (size_t i = 0; i < listener->fd_count; i++)
        polled[1 + i] = (struct pollfd){.fd = listener->fds[i], .events = POLLIN};
    bool may_accept = true;
    for (;;) {
        nfds_t count = may_accept ? 1 + listener->fd_count : 1;
        int ready = poll(polled, count, may_accept ? -1 : OUT_OF_FILES_PAUSE_MS);
        if (ready > 0 && polled[0].revents) break;
        bool was_paused = !may_accept;
        may_accept = true;
        for (size_t i = 0; ready > 0 && !was_paused && may_accept && i < listener->fd_count; i++)
            if (polled[1 + i].revents) may_accept = accept_some(listener, listener->fds[i], ACCEPTS_PER_TURN);
    }
    for (size_t i = 0; i < listener->fd_count; i++)
        accept_some(listener, listener->fds[i], ACCEPTS_AT_STOP_MAX);
    return NULL;
}

enum status listener_start(struct listener *listener, struct error *error) {
    int failure = pthread_create(&listener->thread, NULL, accept_run, listener);
    if (failure) return error_set_errno(error, STATUS_IO, failure, "cannot start the accept thread");
    listener->is_running = true;
    return STATUS_OK;
}

void listener_stop(struct listener *listener) {
    if (listener->is_running) {
        uint64_t one = 1;
        while (write(listener->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
            continue;
        pthread_join(listener->thread, NULL);
        listener->is_running = false;
    }
    close_from(listener, 0);
}

void listener_close(struct listener *listener) {
    if (!listener) return;
    listener_stop(listener);
    if (listener->wake_fd >= 0) close(listener->wake_fd);
    free(listener);
}

uint16_t listener_port(const struct listener *listener, size_t i) {
    return i < listener->options.port_count ? listener->ports[i] : 0;
}

bool listener_is_loopback(const struct listener *listener) {
    for (size_t i = 0; i < listener->address_count; i++)
        if (!is_loopback(&listener->addresses[i])) return false;
    return true;
}
