/* The transport over sockets: one epoll for all connections, one read and one write for a batch of a connection. */
#include "hotkey/redis_transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)

static int64_t now_ns(const struct redis_transport *transport) {
    return clock_monotonic_ns(transport->options.clock);
}

static struct redis_connection *connection_of(struct redis_transport *transport, uint32_t index) {
    return &transport->connections[index];
}

static void set_error(struct redis_transport *transport, const char *text, size_t size) {
    snprintf(transport->error_text, sizeof transport->error_text, "%.*s", (int)size, text);
}

static void set_system_error(struct redis_transport *transport, int code) {
    const char *text = strerror(code);
    set_error(transport, text, strlen(text));
}

/* Puts the connection down until it is tried again, after a wait that grows. */
static void lose(struct redis_transport *transport, struct redis_connection *connection) {
    if (connection->fd >= 0) close(connection->fd);
    if (connection->state == REDIS_UP) transport->not_up++;
    connection->fd = -1;
    connection->state = REDIS_DOWN;
    connection->wants_write = false;
    connection->awaited = 0;
    connection->out_begin = connection->out_end = 0;
    connection->due_ns = now_ns(transport) + connection->wait_ms * NS_PER_MS;
    connection->wait_ms *= 2;
    if (connection->wait_ms > TRANSPORT_RETRY_MAX_MS) connection->wait_ms = TRANSPORT_RETRY_MAX_MS;
    resp_init(&connection->parser);
}

/* Asks epoll for room in the socket, or no longer: needed only where a write did not go out whole. */
static void want_write(struct redis_transport *transport, uint32_t index, bool wants) {
    struct redis_connection *connection = connection_of(transport, index);
    struct epoll_event event = {.events = EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0), .data.u32 = index};
    if (connection->wants_write == wants) return;
    if (epoll_ctl(transport->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0) connection->wants_write = wants;
}

/* A write that fails is left to the next poll, which sees the broken connection and tells of it. */
static void write_out(struct redis_transport *transport, uint32_t index) {
    struct redis_connection *connection = connection_of(transport, index);
    uint32_t size = connection->out_end - connection->out_begin;
    if (size == 0) return;
    ssize_t written = send(connection->fd, connection->out + connection->out_begin, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) written = errno == EAGAIN || errno == EINTR ? 0 : size;
    connection->out_begin += (uint32_t)written;
    want_write(transport, index, connection->out_begin < connection->out_end);
}

static void flush(struct transport *base, uint32_t index) {
    struct redis_transport *transport = (struct redis_transport *)base;
    if (connection_of(transport, index)->state == REDIS_UP) write_out(transport, index);
}

static void start_connect(struct redis_transport *transport, uint32_t index) {
    struct redis_connection *connection = connection_of(transport, index);
    const struct transport_options *options = &transport->options;
    const int one = 1;
    const unsigned user_timeout_ms = REDIS_USER_TIMEOUT_MS;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = index};
    connection->fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) goto failed;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
    if (connect(connection->fd, (const struct sockaddr *)&options->address, options->address_size) != 0 &&
        errno != EINPROGRESS)
        goto failed;
    if (epoll_ctl(transport->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) goto failed;
    connection->wants_write = true;
    connection->state = REDIS_CONNECTING;
    connection->due_ns = now_ns(transport) + TRANSPORT_CONNECT_MS * NS_PER_MS;
    return;
failed:
    set_system_error(transport, errno);
    lose(transport, connection);
}

static void greet(struct redis_transport *transport, uint32_t index) {
    struct redis_connection *connection = connection_of(transport, index);
    connection->state = REDIS_GREETING;
    connection->awaited = redis_put_greeting(transport, connection);
    write_out(transport, index);
}

/* Does what is due by time with connections that are not up; returns when the next thing is. */
static int64_t tend(struct redis_transport *transport) {
    int64_t next_ns = INT64_MAX, now = now_ns(transport);
    for (uint32_t i = 0; i < transport->options.connections; i++) {
        struct redis_connection *connection = connection_of(transport, i);
        if (connection->state == REDIS_UP) continue;
        if (connection->due_ns <= now) {
            if (connection->state == REDIS_DOWN) {
                start_connect(transport, i);
            } else {
                set_error(transport, "no answer", 9);
                lose(transport, connection);
            }
        }
        if (connection->due_ns < next_ns) next_ns = connection->due_ns;
    }
    return next_ns;
}

/* --- replies --- */

static const uint8_t event_kinds[] = {
    [RESP_STATUS] = TRANSPORT_STORED, [RESP_INTEGER] = TRANSPORT_STORED, [RESP_BULK] = TRANSPORT_VALUE,
    [RESP_ARRAY] = TRANSPORT_VALUE,   [RESP_NIL] = TRANSPORT_NIL,        [RESP_ERROR] = TRANSPORT_ERROR,
};

struct reading {
    struct redis_transport *transport;
    struct transport_event *events;
    size_t count;
};

static void put_event(struct reading *reading, uint32_t index, int64_t at_ns, enum transport_event_kind kind) {
    reading->events[reading->count++] = (struct transport_event){at_ns, index, (uint8_t)kind};
}

static void lose_aloud(struct reading *reading, uint32_t index) {
    struct redis_connection *connection = connection_of(reading->transport, index);
    bool was_up = connection->state == REDIS_UP;
    lose(reading->transport, connection);
    if (was_up) put_event(reading, index, now_ns(reading->transport), TRANSPORT_LOST);
}

/* A reply of the greeting: it takes commands once all were good. False: the server refuses. */
static bool take_greeting(struct reading *reading, uint32_t index, int64_t at_ns, enum resp_kind kind) {
    struct redis_connection *connection = connection_of(reading->transport, index);
    if (kind == RESP_ERROR) return false;
    if (connection->awaited > 0) return true;
    connection->state = REDIS_UP;
    connection->wait_ms = TRANSPORT_RETRY_MIN_MS;
    reading->transport->not_up--;
    put_event(reading, index, at_ns, TRANSPORT_UP);
    return true;
}

/* False: the connection is of no use any more, error_text says why. */
static bool take_replies(struct reading *reading, uint32_t index, int64_t at_ns, const char *at, const char *end) {
    struct redis_transport *transport = reading->transport;
    struct redis_connection *connection = connection_of(transport, index);
    enum resp_kind kind;
    const char *text = "";
    size_t text_size = 0;
    for (enum resp_result result;;) {
        result = resp_next(&connection->parser, &at, end, &kind, &text, &text_size);
        if (result == RESP_MORE) return true;
        if (result == RESP_BAD || connection->awaited == 0) {
            set_error(transport, "what answers there is not Redis", 31);
            return false;
        }
        connection->awaited--;
        if (kind == RESP_ERROR) set_error(transport, text, text_size);
        if (connection->state == REDIS_UP)
            put_event(reading, index, at_ns, event_kinds[kind]);
        else if (!take_greeting(reading, index, at_ns, kind))
            return false;
    }
}

static void serve_input(struct reading *reading, uint32_t index) {
    struct redis_transport *transport = reading->transport;
    struct redis_connection *connection = connection_of(transport, index);
    ssize_t size = recv(connection->fd, transport->read_buffer, REDIS_READ_MAX, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    int64_t at_ns = now_ns(transport);
    if (size > 0 && take_replies(reading, index, at_ns, transport->read_buffer, transport->read_buffer + size)) return;
    if (size < 0) set_system_error(transport, errno);
    if (size == 0) set_error(transport, "the server closed the connection", 32);
    lose_aloud(reading, index);
}

static void serve(struct reading *reading, const struct epoll_event *event) {
    struct redis_transport *transport = reading->transport;
    uint32_t index = event->data.u32;
    struct redis_connection *connection = connection_of(transport, index);
    if (connection->state == REDIS_CONNECTING) {
        int code = 0;
        socklen_t size = sizeof code;
        getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &code, &size);
        if (code) {
            set_system_error(transport, code);
            lose(transport, connection);
        } else {
            greet(transport, index);
        }
        return;
    }
    if (event->events & EPOLLOUT) write_out(transport, index);
    if (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) serve_input(reading, index);
}

/* Waits with the precision of ns: epoll_pwait2, or ppoll(2) on the epoll where that is unknown. */
static int wait_for(struct redis_transport *transport, struct epoll_event *ready, int max, int64_t wait_ns) {
    struct timespec timeout = {wait_ns / (1000 * NS_PER_MS), wait_ns % (1000 * NS_PER_MS)};
    if (!transport->lacks_pwait2) {
        int count = epoll_pwait2(transport->epoll_fd, ready, max, &timeout, NULL);
        if (count >= 0 || errno == EINTR) return count;
        transport->lacks_pwait2 = true;
    }
    struct pollfd poll_fd = {.fd = transport->epoll_fd, .events = POLLIN};
    if (wait_ns > 0 && ppoll(&poll_fd, 1, &timeout, NULL) <= 0) return 0;
    return epoll_wait(transport->epoll_fd, ready, max, 0);
}

static size_t poll_events(struct transport *base, int64_t until_ns, struct transport_event *events_out) {
    struct redis_transport *transport = (struct redis_transport *)base;
    struct reading reading = {transport, events_out, 0};
    struct epoll_event ready[REDIS_READY_MAX];
    int64_t now = now_ns(transport);
    if (transport->not_up) {
        int64_t next_ns = tend(transport);
        if (next_ns < until_ns) until_ns = next_ns;
    }
    int count = wait_for(transport, ready, REDIS_READY_MAX, until_ns > now ? until_ns - now : 0);
    for (int i = 0; i < count; i++) {
        uint32_t owed = connection_of(transport, ready[i].data.u32)->awaited;
        if (reading.count + owed + 1 > TRANSPORT_EVENTS_MAX) break; /* epoll tells of it again */
        serve(&reading, &ready[i]);
    }
    return reading.count;
}

static const char *error_text(const struct transport *base) {
    return ((const struct redis_transport *)base)->error_text;
}

static void close_transport(struct transport *base) {
    struct redis_transport *transport = (struct redis_transport *)base;
    for (uint32_t i = 0; transport->connections && i < transport->options.connections; i++)
        if (transport->connections[i].fd >= 0) close(transport->connections[i].fd);
    if (transport->epoll_fd >= 0) close(transport->epoll_fd);
    free(transport->connections);
    free(transport->out_memory);
    free(transport->value);
    free(transport);
}

static const struct transport_ops redis_ops = {
    .name = "redis",
    .get = redis_transport_get,
    .set = redis_transport_set,
    .flush = flush,
    .poll = poll_events,
    .error_text = error_text,
    .close = close_transport,
};

static enum status allocate(struct redis_transport *transport, struct error *error) {
    const struct transport_options *options = &transport->options;
    transport->value = malloc(options->value_bytes + 1);
    if (!transport->value) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (!redis_commands_init(transport)) return error_set(error, STATUS_INVALID, "the key prefix is too long");
    size_t command_size = redis_command_size_max(transport), out_size = command_size * options->pipeline;
    if (out_size < REDIS_OUT_MIN) out_size = REDIS_OUT_MIN;
    if (out_size > REDIS_OUT_MAX) out_size = REDIS_OUT_MAX;
    transport->out_capacity = (uint32_t)(out_size + command_size);
    transport->connections = calloc(options->connections, sizeof *transport->connections);
    transport->out_memory = malloc((size_t)transport->out_capacity * options->connections);
    if (!transport->connections || !transport->out_memory) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

enum status redis_transport_new(const struct transport_options *options, struct transport **transport_out,
                                struct error *error) {
    struct redis_transport *transport = calloc(1, sizeof *transport);
    if (!transport) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    transport->base.ops = &redis_ops;
    transport->options = *options;
    transport->epoll_fd = -1;
    enum status status = allocate(transport, error);
    if (status == STATUS_OK) {
        for (uint32_t i = 0; i < options->connections; i++) {
            struct redis_connection *connection = connection_of(transport, i);
            connection->fd = -1;
            connection->out = transport->out_memory + (size_t)i * transport->out_capacity;
            connection->wait_ms = TRANSPORT_RETRY_MIN_MS;
            connection->due_ns = INT64_MIN;
            resp_init(&connection->parser);
        }
        transport->not_up = options->connections;
        transport->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (transport->epoll_fd < 0) status = error_set_errno(error, STATUS_IO, errno, "epoll");
    }
    if (status != STATUS_OK) {
        close_transport(&transport->base);
        return status;
    }
    *transport_out = &transport->base;
    return STATUS_OK;
}
