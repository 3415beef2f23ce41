/* Expires deferred requests, cuts slow and idle connections, drains sockets that are being closed. */
#include "http/sweeper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"

#define LINGER_READ_SIZE 65536
#define LINGER_READS_PER_TURN 16 /* of one socket, so that no sender occupies the thread */

struct lingering {
    int fd;
    int64_t until_ns;
};

struct sweeper {
    struct http_server *server;
    pthread_t thread;
    int wake_fd;
    _Atomic bool stopping;
    pthread_mutex_t mutex; /* of the two below */
    struct lingering lingering[LINGER_MAX];
    size_t lingering_count;
    uint64_t received_bytes, sent_bytes; /* already in the metrics; the thread's own */
    char dropped[LINGER_READ_SIZE];      /* the thread's own */
};

/* --- deadlines --- */

static bool has_ended(struct connection *connection) {
    char byte;
    atomic_store_explicit(&connection->peek_at_ns, CUT_NEVER, memory_order_relaxed);
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Shuts down what is due, and takes the deferred requests that are due. A socket stays open as long as its connection
 * is in the list, so the descriptor cannot be another one's. */
static struct http_request *collect_expired(struct http_server *server, int64_t now_ns) {
    struct http_request *expired = NULL;
    pthread_mutex_lock(&server->connections_mutex);
    for (struct connection *at = server->connections; at; at = at->next) {
        bool is_cut = atomic_load_explicit(&at->cut_at_ns, memory_order_relaxed) <= now_ns;
        bool is_peeked = atomic_load_explicit(&at->peek_at_ns, memory_order_relaxed) <= now_ns;
        if (is_cut || (is_peeked && has_ended(at))) shutdown(at->fd, SHUT_RDWR);
        if (atomic_load_explicit(&at->expires_at_ns, memory_order_relaxed) > now_ns) continue;
        struct http_request *request = connection_take_deferred(at);
        if (!request) continue;
        request->next_expired = expired;
        expired = request;
    }
    pthread_mutex_unlock(&server->connections_mutex);
    return expired;
}

static void expire(struct http_request *request) {
    if (!response_is_begun(request)) {
        request->expired(request);
        if (!response_is_begun(request)) { /* it must respond; if it does not, the client still gets an answer */
            static const struct http_problem late = {
                .status = 503, .code = "timeout", .detail = "no answer in time", .retry_after_s = 1};
            http_respond_problem(request, &late);
        }
    }
    http_release(request);
}

static void sweep_connections(struct http_server *server) {
    struct http_request *expired = collect_expired(server, server_now_ns(server));
    while (expired) {
        struct http_request *next = expired->next_expired;
        expire(expired);
        expired = next;
    }
}

static void update_metrics(struct sweeper *sweeper) {
    struct http_server *server = sweeper->server;
    uint64_t received_bytes = 0, sent_bytes = 0;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        received_bytes += atomic_load_explicit(&server->workers[i].received_bytes, memory_order_relaxed);
        sent_bytes += atomic_load_explicit(&server->workers[i].sent_bytes, memory_order_relaxed);
    }
    metric_add(server->metrics.received_bytes, received_bytes - sweeper->received_bytes);
    metric_add(server->metrics.sent_bytes, sent_bytes - sweeper->sent_bytes);
    sweeper->received_bytes = received_bytes;
    sweeper->sent_bytes = sent_bytes;
    metric_set(server->metrics.active, server_active(server));
    metric_set(server->metrics.connections, atomic_load_explicit(&server->connection_count, memory_order_relaxed));
}

/* --- lingering: real time, whatever the server's clock --- */

static int64_t real_now_ns(void) {
    return clock_monotonic_ns(clock_system());
}

/* Reads what is there. True if the other side has closed. */
static bool drain_socket(struct sweeper *sweeper, int fd) {
    for (int i = 0; i < LINGER_READS_PER_TURN; i++) {
        ssize_t size = recv(fd, sweeper->dropped, sizeof sweeper->dropped, MSG_DONTWAIT);
        if (size > 0 || (size < 0 && errno == EINTR)) continue;
        return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
    return false;
}

/* Only this thread takes sockets out, so it may read from them without the mutex; others add behind them. */
static void sweep_lingering(struct sweeper *sweeper, bool close_all) {
    int64_t now_ns = real_now_ns();
    pthread_mutex_lock(&sweeper->mutex);
    size_t count = sweeper->lingering_count;
    pthread_mutex_unlock(&sweeper->mutex);
    for (size_t i = count; i-- > 0;) {
        struct lingering *at = &sweeper->lingering[i];
        if (!drain_socket(sweeper, at->fd) && at->until_ns > now_ns && !close_all) continue;
        close(at->fd);
        pthread_mutex_lock(&sweeper->mutex);
        *at = sweeper->lingering[--sweeper->lingering_count];
        pthread_mutex_unlock(&sweeper->mutex);
    }
}

void sweeper_linger(struct sweeper *sweeper, int fd) {
    pthread_mutex_lock(&sweeper->mutex);
    bool is_full = sweeper->lingering_count == LINGER_MAX;
    if (!is_full)
        sweeper->lingering[sweeper->lingering_count++] =
            (struct lingering){.fd = fd, .until_ns = real_now_ns() + LINGER_MS * INT64_C(1000000)};
    pthread_mutex_unlock(&sweeper->mutex);
    if (is_full) {
        close(fd);
        return;
    }
    uint64_t one = 1;
    while (write(sweeper->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* --- the thread --- */

/* Waits until bytes come on a lingering socket, or for what is left of the tick. */
static void wait_tick(struct sweeper *sweeper, int64_t until_ns) {
    struct pollfd polled[1 + LINGER_MAX] = {{.fd = sweeper->wake_fd, .events = POLLIN}};
    pthread_mutex_lock(&sweeper->mutex);
    nfds_t count = 1 + sweeper->lingering_count;
    for (size_t i = 0; i < sweeper->lingering_count; i++)
        polled[1 + i] = (struct pollfd){.fd = sweeper->lingering[i].fd, .events = POLLIN};
    pthread_mutex_unlock(&sweeper->mutex);
    int64_t left_ms = (until_ns - real_now_ns() + 999999) / 1000000;
    poll(polled, count, left_ms > 0 ? (int)left_ms : 0);
    uint64_t woken;
    if (polled[0].revents && read(sweeper->wake_fd, &woken, sizeof woken) < 0) return;
}

static void *sweeper_run(void *data) {
    struct sweeper *sweeper = data;
    int64_t tick_ns = SWEEPER_TICK_MS * INT64_C(1000000), next_ns = real_now_ns() + tick_ns;
    while (!atomic_load(&sweeper->stopping)) {
        wait_tick(sweeper, next_ns);
        sweep_lingering(sweeper, false);
        int64_t now_ns = real_now_ns();
        if (now_ns < next_ns) continue;
        next_ns = now_ns + tick_ns;
        sweep_connections(sweeper->server);
        update_metrics(sweeper);
    }
    return NULL;
}

enum status sweeper_open(struct http_server *server, struct sweeper **sweeper_out, struct error *error) {
    struct sweeper *sweeper = calloc(1, sizeof *sweeper);
    if (!sweeper) return error_set(error, STATUS_NO_MEMORY, "no memory for the sweeper");
    sweeper->server = server;
    sweeper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sweeper->wake_fd < 0) {
        error_set_errno(error, STATUS_IO, errno, "cannot make an eventfd");
        free(sweeper);
        return STATUS_IO;
    }
    pthread_mutex_init(&sweeper->mutex, NULL);
    int failure = pthread_create(&sweeper->thread, NULL, sweeper_run, sweeper);
    if (failure) {
        close(sweeper->wake_fd);
        pthread_mutex_destroy(&sweeper->mutex);
        free(sweeper);
        return error_set_errno(error, STATUS_IO, failure, "cannot start the sweeper thread");
    }
    *sweeper_out = sweeper;
    return STATUS_OK;
}

void sweeper_close(struct sweeper *sweeper) {
    if (!sweeper) return;
    atomic_store(&sweeper->stopping, true);
    uint64_t one = 1;
    while (write(sweeper->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(sweeper->thread, NULL);
    sweep_lingering(sweeper, true);
    close(sweeper->wake_fd);
    pthread_mutex_destroy(&sweeper->mutex);
    free(sweeper);
}
