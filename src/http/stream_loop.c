/* The thread that sends all streams: it gathers what was written for up to HTTP_STREAM_FLUSH_MS, sends heartbeats, and
 * closes what is over.
 *
 * Writers push their stream on a stack and wake the thread only if nobody has since it took the stack last, so that
 * thousands of writes cost one wake-up. Sockets are watched edge-triggered for room and for the client's end alone. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"
#include "http/stream.h"

#define STREAM_EVENTS (EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct streams {
    struct http_server *server;
    pthread_t thread;
    bool is_running;
    int epoll_fd, wake_fd, placeholder_fd;
    _Atomic int64_t count;               /* reserved ones */
    _Atomic(struct http_stream *) ready; /* a stack */
    _Atomic bool waking;                 /* the thread was woken and has not taken ready since */
    _Atomic bool urgent;                 /* ready is to be taken without waiting */
    _Atomic bool ending, stopping;
    /* The thread's own. */
    struct http_stream *first;
    bool has_ready;
    int64_t next_flush_ns, next_tick_ns; /* real time */
};

static int64_t real_now_ns(void) {
    return clock_monotonic_ns(clock_system());
}

/* --- any thread --- */

static void wake(struct streams *streams) {
    uint64_t one = 1;
    while (write(streams->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void streams_make_ready(struct http_stream *stream) {
    struct streams *streams = stream->streams;
    if (stream->is_ready || stream->is_closed || !stream->is_started) return;
    stream->is_ready = true;
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    stream->next_ready = atomic_load(&streams->ready);
    while (!atomic_compare_exchange_weak(&streams->ready, &stream->next_ready, stream))
        continue;
    if (!atomic_exchange(&streams->waking, true)) wake(streams);
}

void streams_make_urgent(struct http_stream *stream) {
    struct streams *streams = stream->streams;
    streams_make_ready(stream);
    if (stream->is_started && !atomic_exchange(&streams->urgent, true)) wake(streams);
}

bool streams_reserve(struct streams *streams) {
    if (atomic_load(&streams->ending)) return false;
    if (atomic_fetch_add(&streams->count, 1) < (int64_t)streams->server->options.streams_max) return true;
    streams_unreserve(streams);
    return false;
}

void streams_unreserve(struct streams *streams) {
    atomic_fetch_sub(&streams->count, 1);
}

int streams_placeholder(const struct streams *streams) {
    return streams->placeholder_fd;
}

/* --- closing one --- */

static void log_end(const struct http_server *server, const struct http_stream *stream, enum stream_end end) {
    enum log_level level = server->options.log_requests ? LOG_INFO : LOG_DEBUG;
    log_event(server->options.logger, level, "stream ended", LOG_S("path", stream->path),
              LOG_S("reason", stream_end_name(end)),
              LOG_N("duration_ms", (server_now_ns(server) - stream->begun_ns) / 1000000),
              LOG_N("response_bytes", stream->sent_total), LOG_S("request_id", stream->request_id));
}

static void unlink_stream(struct streams *streams, struct http_stream *stream) {
    if (!stream->is_adopted) return;
    if (stream->next) stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        streams->first = stream->next;
    epoll_ctl(streams->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
}

/* Closing with unread bytes would reset the connection, and the last words could be lost. */
static void close_socket(struct streams *streams, struct http_stream *stream, enum stream_end end) {
    bool is_polite = end != STREAM_END_CLIENT && end != STREAM_END_FAILED && stream->sent_size == stream->sending.size;
    if (is_polite && shutdown(stream->fd, SHUT_WR) == 0)
        sweeper_linger(streams->server->sweeper, stream->fd);
    else
        close(stream->fd);
    stream->fd = -1;
}

static void close_stream(struct streams *streams, struct http_stream *stream, enum stream_end end) {
    struct http_server *server = streams->server;
    pthread_mutex_lock(&stream->mutex);
    if (stream->is_ending && end != STREAM_END_CLIENT && end != STREAM_END_FAILED) end = stream->end;
    stream->is_closed = true;
    buffer_free(&stream->waiting);
    pthread_mutex_unlock(&stream->mutex);
    unlink_stream(streams, stream);
    close_socket(streams, stream, end);
    streams_unreserve(streams);
    atomic_fetch_sub(&server->connection_count, 1);
    metric_set(server->metrics.streams, atomic_load(&streams->count));
    metric_add(server->metrics.streams_ended[end], 1);
    log_end(server, stream, end);
    if (stream->options.closed) stream->options.closed(stream->options.data);
    http_stream_release(stream);
}

/* --- sending --- */

/* The next bytes to send; all before are sent. True if they are the last ones. */
static bool take_waiting(struct streams *streams, struct http_stream *stream) {
    pthread_mutex_lock(&stream->mutex);
    buffer_free(&stream->sending);
    stream->sending = stream->waiting;
    buffer_init(&stream->waiting, stream->sending.limit);
    stream->sent_size = 0;
    stream->unsent_size = stream->sending.size;
    if (stream->unsent_size) stream->moved_ns = server_now_ns(streams->server);
    bool is_ending = stream->is_ending;
    pthread_mutex_unlock(&stream->mutex);
    return is_ending;
}

static void note_sent(struct streams *streams, struct http_stream *stream, size_t size, int64_t at_ns) {
    stream->sent_size += size;
    stream->sent_total += size;
    stream->moved_ns = at_ns;
    metric_add(streams->server->metrics.sent_bytes, size);
    pthread_mutex_lock(&stream->mutex);
    stream->unsent_size -= size < stream->unsent_size ? size : stream->unsent_size; /* the head was not counted */
    pthread_mutex_unlock(&stream->mutex);
}

/* Sends what is on its way, as far as there is room. False: the client is gone. */
static bool send_taken(struct streams *streams, struct http_stream *stream) {
    while (stream->sent_size < stream->sending.size) {
        int64_t at_ns = server_now_ns(streams->server); /* before the client can know of it */
        ssize_t size = send(stream->fd, stream->sending.data + stream->sent_size,
                            stream->sending.size - stream->sent_size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        note_sent(streams, stream, (size_t)size, at_ns);
    }
    return true;
}

static bool all_is_sent(const struct http_stream *stream) {
    return stream->sent_size == stream->sending.size;
}

/* Sends, and closes the stream if it is over. What is written meanwhile has its own turn. */
static void serve(struct streams *streams, struct http_stream *stream) {
    bool is_there = send_taken(streams, stream), is_ending = false;
    if (is_there && all_is_sent(stream)) {
        is_ending = take_waiting(streams, stream);
        is_there = send_taken(streams, stream);
    }
    if (!is_there)
        close_stream(streams, stream, STREAM_END_CLIENT);
    else if (is_ending && all_is_sent(stream))
        close_stream(streams, stream, STREAM_END_DONE);
}

static bool adopt(struct streams *streams, struct http_stream *stream) {
    struct epoll_event event = {.events = STREAM_EVENTS, .data.ptr = stream};
    if (epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, stream->fd, &event)) return false;
    stream->is_adopted = true;
    stream->next = streams->first;
    if (stream->next) stream->next->previous = stream;
    streams->first = stream;
    metric_set(streams->server->metrics.streams, atomic_load(&streams->count));
    return true;
}

static void serve_ready(struct streams *streams) {
    streams->has_ready = false;
    streams->next_flush_ns = real_now_ns() + HTTP_STREAM_FLUSH_MS * INT64_C(1000000);
    atomic_store(&streams->urgent, false);
    atomic_exchange(&streams->waking, false);
    struct http_stream *stream = atomic_exchange(&streams->ready, NULL);
    while (stream) {
        pthread_mutex_lock(&stream->mutex);
        struct http_stream *next = stream->next_ready;
        bool is_closed = stream->is_closed;
        stream->is_ready = false;
        pthread_mutex_unlock(&stream->mutex);
        if (!is_closed && !stream->is_adopted && !adopt(streams, stream))
            close_stream(streams, stream, STREAM_END_FAILED);
        else if (!is_closed)
            serve(streams, stream);
        http_stream_release(stream);
        stream = next;
    }
}

/* --- time --- */

static bool begin_heartbeat(struct http_stream *stream, int64_t now_ns) {
    const struct http_stream_options *options = &stream->options;
    if (options->heartbeat_ms <= 0 || options->heartbeat.size == 0) return false;
    if (now_ns - stream->moved_ns < options->heartbeat_ms * INT64_C(1000000)) return false;
    return http_stream_write(stream, options->heartbeat) == STATUS_OK;
}

/* True if its time to send the rest is over: it has taken nothing for the idle time, or has not taken its last bytes.
 */
static bool is_late(const struct streams *streams, struct http_stream *stream, int64_t now_ns) {
    pthread_mutex_lock(&stream->mutex);
    if (stream->is_ending && stream->last_until_ns == 0)
        stream->last_until_ns = now_ns + STREAM_LAST_MS * INT64_C(1000000);
    pthread_mutex_unlock(&stream->mutex);
    int64_t idle_ns = streams->server->options.idle_timeout_ms * INT64_C(1000000);
    return (stream->last_until_ns && now_ns >= stream->last_until_ns) || now_ns - stream->moved_ns >= idle_ns;
}

static void tick(struct streams *streams) {
    int64_t now_ns = server_now_ns(streams->server);
    streams->next_tick_ns = real_now_ns() + STREAM_TICK_MS * INT64_C(1000000);
    for (struct http_stream *stream = streams->first, *next; stream; stream = next) {
        next = stream->next;
        if (all_is_sent(stream))
            begin_heartbeat(stream, now_ns);
        else if (is_late(streams, stream, now_ns))
            close_stream(streams, stream, STREAM_END_SLOW);
    }
}

/* The server closes: what is queued is sent as far as it goes at once. */
static void end_all(struct streams *streams) {
    serve_ready(streams);
    while (streams->first) {
        struct http_stream *stream = streams->first;
        pthread_mutex_lock(&stream->mutex);
        stream_set_ending(stream, STREAM_END_SERVER);
        pthread_mutex_unlock(&stream->mutex);
        if (send_taken(streams, stream) && all_is_sent(stream)) {
            take_waiting(streams, stream);
            send_taken(streams, stream);
        }
        close_stream(streams, stream, STREAM_END_SERVER);
    }
    serve_ready(streams); /* gives back those that were closed while in the stack */
}

/* --- the thread --- */

static void on_event(struct streams *streams, const struct epoll_event *event) {
    struct http_stream *stream = event->data.ptr;
    uint64_t wakes;
    if (!stream) {
        streams->has_ready = true;
        if (read(streams->wake_fd, &wakes, sizeof wakes) < 0) return;
    } else if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        close_stream(streams, stream, STREAM_END_CLIENT);
    } else if (!all_is_sent(stream)) {
        serve(streams, stream);
    }
}

static int wait_ms(const struct streams *streams) {
    if (!streams->has_ready && !streams->first) return -1;
    int64_t until_ns = streams->next_tick_ns;
    if (streams->has_ready && streams->next_flush_ns < until_ns) until_ns = streams->next_flush_ns;
    int64_t left_ms = (until_ns - real_now_ns() + 999999) / 1000000;
    return left_ms > 0 ? (int)left_ms : 0;
}

static void *run(void *data) {
    struct streams *streams = data;
    struct epoll_event events[STREAM_EVENTS_MAX];
    while (!atomic_load(&streams->stopping)) {
        int count = epoll_wait(streams->epoll_fd, events, STREAM_EVENTS_MAX, wait_ms(streams));
        for (int i = 0; i < count; i++)
            on_event(streams, &events[i]);
        int64_t now_ns = real_now_ns();
        if (atomic_load(&streams->ending))
            end_all(streams);
        else if (streams->has_ready && (now_ns >= streams->next_flush_ns || atomic_load(&streams->urgent)))
            serve_ready(streams);
        if (now_ns >= streams->next_tick_ns) tick(streams);
    }
    end_all(streams);
    return NULL;
}

/* --- opening and closing --- */

enum status streams_open(struct http_server *server, struct streams **streams_out, struct error *error) {
    struct streams *streams = calloc(1, sizeof *streams);
    if (!streams) return error_set(error, STATUS_NO_MEMORY, "no memory for the HTTP streams");
    streams->server = server;
    streams->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    streams->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    streams->placeholder_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    bool is_ready = streams->epoll_fd >= 0 && streams->wake_fd >= 0 && streams->placeholder_fd >= 0 &&
                    epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, streams->wake_fd, &event) == 0;
    int failure = is_ready ? pthread_create(&streams->thread, NULL, run, streams) : errno;
    if (failure) {
        streams_close(streams);
        return error_set_errno(error, STATUS_IO, failure, "cannot start the thread of the HTTP streams");
    }
    streams->is_running = true;
    *streams_out = streams;
    return STATUS_OK;
}

void streams_end_all(struct streams *streams) {
    if (!streams) return;
    atomic_store(&streams->ending, true);
    wake(streams);
}

void streams_close(struct streams *streams) {
    if (!streams) return;
    if (streams->is_running) {
        atomic_store(&streams->stopping, true);
        streams_end_all(streams);
        pthread_join(streams->thread, NULL);
    }
    int fds[] = {streams->epoll_fd, streams->wake_fd, streams->placeholder_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0) close(fds[i]);
    free(streams);
}
