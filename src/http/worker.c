/* The server threads: each runs one libmicrohttpd daemon, takes new sockets, and resumes what has been answered.
 *
 * The loop is ours, not libmicrohttpd's internal one, for two reasons. In 0.9.75 that one sleeps on although connections
 * are ready when exactly 128 of them became ready at once (it calls epoll_wait again, and waits, before it looks at
 * them). And a resume from another thread costs a lock and a wake-up each; here a responder leaves its request on the
 * worker's stack, wakes it if nobody else has, and the worker resumes all that are there, without a system call.
 *
 * No wake-up is lost: a responder pushes first and then sets `waking`; the worker clears `waking` first and then looks at
 * the stack. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"

#define ADOPTED_AT_ONCE 64

/* --- other threads --- */

static void worker_wake(struct worker *worker) {
    uint64_t one = 1;
    while (write(worker->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

bool worker_hand_over(struct worker *worker, int fd) {
    return write(worker->handover_fds[1], &fd, sizeof fd) == sizeof fd; /* as large as a pipe keeps whole */
}

void resume_later(struct http_request *request) {
    struct worker *worker = request->connection->worker;
    atomic_fetch_add(&worker->responders, 1); /* keeps the server until we are done with the worker */
    request->next_ready = atomic_load(&worker->ready);
    while (!atomic_compare_exchange_weak(&worker->ready, &request->next_ready, request))
        continue;
    if (!atomic_exchange(&worker->waking, true)) worker_wake(worker);
    atomic_fetch_sub(&worker->responders, 1);
}

/* --- the worker's own thread --- */

void resume_now(struct http_request *request) {
    struct worker *worker = request->connection->worker;
    MHD_resume_connection(request->connection->mhd);
    worker->has_resumed = true; /* libmicrohttpd goes on with it when it is run next */
    atomic_fetch_sub(&worker->suspended, 1);
}

static void resume_ready(struct worker *worker) {
    atomic_exchange(&worker->waking, false);
    struct http_request *request = atomic_exchange(&worker->ready, NULL);
    while (request) {
        struct http_request *next = request->next_ready;
        resume_now(request);
        request = next;
    }
}

static void adopt(struct worker *worker) {
    int fds[ADOPTED_AT_ONCE];
    ssize_t size = read(worker->handover_fds[0], fds, sizeof fds);
    for (ssize_t i = 0; i * (ssize_t)sizeof fds[0] < size; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t address_size = sizeof address;
        getpeername(fds[i], (struct sockaddr *)&address, &address_size); /* gone already: the first read says so */
        if (MHD_add_connection(worker->daemon, fds[i], (struct sockaddr *)&address, address_size) != MHD_YES)
            atomic_fetch_sub(&worker->server->connection_count, 1); /* it has closed fd */
    }
}

static bool has_work(struct worker *worker) {
    MHD_UNSIGNED_LONG_LONG wait_ms = 1;
    return worker->has_resumed || (MHD_get_timeout(worker->daemon, &wait_ms) == MHD_YES && wait_ms == 0);
}

static void *worker_run(void *data) {
    struct worker *worker = data;
    struct epoll_event events[3]; /* the daemon's descriptors, new sockets, a wake-up */
    while (!atomic_load(&worker->stopping)) {
        int count = epoll_wait(worker->epoll_fd, events, 3, has_work(worker) ? 0 : -1);
        for (int i = 0; i < count; i++) {
            uint64_t wakes;
            if (events[i].data.fd == worker->wake_fd && read(worker->wake_fd, &wakes, sizeof wakes) < 0) continue;
            if (events[i].data.fd == worker->handover_fds[0]) adopt(worker);
        }
        resume_ready(worker);
        worker->has_resumed = false;
        MHD_run_wait(worker->daemon, 0);
    }
    adopt(worker); /* so that they are closed with the others */
    return NULL;
}

/* --- opening and closing --- */

static bool watch(struct worker *worker, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Targets are decoded by our own code, strictly. */
static size_t keep_escapes(void *data, struct MHD_Connection *mhd, char *text) {
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct worker *worker) {
    struct http_server *server = worker->server;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_continue, server,
        MHD_OPTION_NOTIFY_CONNECTION, connection_notify, worker, MHD_OPTION_NOTIFY_COMPLETED, request_completed, server,
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_CONNECTION_LIMIT, server->options.connections_max + 1, /* ours is reached first */
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_SIZE,
        MHD_OPTION_END);
}

void worker_init(struct worker *worker, struct http_server *server) {
    worker->server = server;
    worker->epoll_fd = worker->wake_fd = worker->handover_fds[0] = worker->handover_fds[1] = -1;
}

enum status worker_start(struct worker *worker, struct error *error) {
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->daemon = start_daemon(worker);
    bool is_ready = worker->epoll_fd >= 0 && pipe2(worker->handover_fds, O_CLOEXEC | O_NONBLOCK) == 0 && worker->daemon &&
                    watch(worker, worker->wake_fd) && watch(worker, worker->handover_fds[0]) &&
                    watch(worker, MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (!is_ready) return error_set_errno(error, STATUS_IO, errno, "cannot start the HTTP threads");
    int failure = pthread_create(&worker->thread, NULL, worker_run, worker);
    if (failure) return error_set_errno(error, STATUS_IO, failure, "cannot start the HTTP threads");
    worker->is_running = true;
    return STATUS_OK;
}

void worker_stop(struct worker *worker) {
    if (worker->is_running) {
        atomic_store(&worker->stopping, true);
        worker_wake(worker);
        pthread_join(worker->thread, NULL);
    }
    if (worker->daemon) MHD_stop_daemon(worker->daemon);
    int fds[] = {worker->epoll_fd, worker->wake_fd, worker->handover_fds[0], worker->handover_fds[1]};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0) close(fds[i]);
    worker_init(worker, worker->server);
    worker->daemon = NULL;
    worker->is_running = false;
}
