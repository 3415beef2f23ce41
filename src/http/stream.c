/* A stream as its writers see it: the beginning of the answer, appending, the end. Any thread; the sending is in
 * stream_loop.c. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/internal.h"
#include "http/stream.h"

const char *stream_end_name(enum stream_end end) {
    static const char *const names[STREAM_ENDS] = {"client", "slow", "done", "server", "failed"};
    return names[end];
}

/* --- memory --- */

static char *place(char **at, const void *data, size_t size) {
    char *copy = *at;
    if (size) memcpy(copy, data, size);
    copy[size] = '\0';
    *at += size + 1;
    return copy;
}

/* The struct and all its texts in one piece. */
static struct http_stream *stream_new(struct http_request *request, const struct http_stream_options *options) {
    struct bytes path = request->target.path, id = bytes_of(request->id);
    size_t texts_size = options->last_words.size + options->heartbeat.size + path.size + id.size + 4;
    struct http_stream *stream = calloc(1, sizeof *stream + texts_size);
    if (!stream) return NULL;
    char *at = (char *)(stream + 1);
    stream->options = *options;
    stream->options.last_words.data = place(&at, options->last_words.data, options->last_words.size);
    stream->options.heartbeat.data = place(&at, options->heartbeat.data, options->heartbeat.size);
    stream->path = place(&at, path.data, path.size);
    stream->request_id = place(&at, id.data, id.size);
    if (stream->options.queue_max > HTTP_STREAM_QUEUE_MAX) stream->options.queue_max = HTTP_STREAM_QUEUE_MAX;
    atomic_init(&stream->references, 2);
    pthread_mutex_init(&stream->mutex, NULL);
    buffer_init(&stream->waiting, stream->options.queue_max + options->last_words.size);
    buffer_init(&stream->sending, STREAM_HEAD_SIZE);
    stream->streams = request->server->streams;
    stream->fd = -1;
    stream->begun_ns = stream->moved_ns = server_now_ns(request->server);
    return stream;
}

void http_stream_release(struct http_stream *stream) {
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) > 1) return;
    buffer_free(&stream->waiting);
    buffer_free(&stream->sending);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
}

/* --- the beginning --- */

static enum MHD_Result put_header(void *data, enum MHD_ValueKind kind, const char *name, const char *value) {
    buffer_printf(data, "%s: %s\r\n", name, value);
    return MHD_YES;
}

/* The head of the answer as libmicrohttpd would write it. The body ends with the connection: an EventSource needs no
 * chunks, and the bytes of an event are the same for all who get it. */
static bool put_head(struct http_request *request, struct buffer *out) {
    struct MHD_Response *mhd = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    if (!mhd) return false;
    char date[64];
    struct tm now;
    time_t seconds = (time_t)(clock_wall_ms(request->server->options.clock) / 1000);
    gmtime_r(&seconds, &now);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &now);
    bool ok = response_add_headers(request, mhd);
    buffer_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", request->response.status,
                  MHD_get_reason_phrase_for((unsigned)request->response.status), date);
    MHD_get_response_headers(mhd, put_header, out);
    buffer_put_text(out, "\r\n");
    MHD_destroy_response(mhd);
    return ok && out->status == STATUS_OK;
}

/* Small events go out at once, and a client whose network is gone is noticed although nobody says so. */
static void set_socket_options(const struct http_server *server, int fd) {
    int on = 1, timeout_ms = server->options.idle_timeout_ms;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

/* Everything that can fail; afterwards the socket is the stream's. */
static bool prepare(struct http_request *request, const struct http_stream_options *options,
                    struct http_stream *stream) {
    struct response *response = &request->response;
    response->status = 200;
    response->content_type = options->content_type; /* read by put_head alone */
    bool must_close = request->must_close;
    request->must_close = true;
    bool ok = !response->header_is_lost && put_head(request, &stream->sending);
    request->must_close = must_close;
    response->content_type = NULL;
    if (!ok) return false;
    stream->fd = stream_take_socket(request->connection, streams_placeholder(stream->streams));
    return stream->fd >= 0;
}

struct http_stream *http_stream_begin(struct http_request *request, const struct http_stream_options *options) {
    struct http_server *server = request->server;
    if (request->is_deferred || !response_claim(request) || !streams_reserve(server->streams)) return NULL;
    struct http_stream *stream = stream_new(request, options);
    if (!stream || !prepare(request, options, stream)) {
        streams_unreserve(server->streams);
        if (stream) atomic_store(&stream->references, 1), http_stream_release(stream);
        return NULL;
    }
    set_socket_options(server, stream->fd);
    request->stream = stream;
    request->must_close = true;
    atomic_fetch_or(&request->flags, RESPONSE_READY); /* no other answer any more */
    atomic_fetch_add(&server->connection_count, 1);   /* libmicrohttpd's own end takes one off */
    if (request->method == METHOD_HEAD) stream_set_ending(stream, STREAM_END_DONE);
    return stream;
}

void stream_start(struct http_stream *stream) {
    pthread_mutex_lock(&stream->mutex);
    stream->is_started = true;
    streams_make_urgent(stream);
    pthread_mutex_unlock(&stream->mutex);
}

/* --- writing --- */

void stream_set_ending(struct http_stream *stream, enum stream_end end) {
    if (stream->is_ending || stream->is_closed) return;
    stream->is_ending = true;
    stream->end = end;
}

/* What waits is dropped; what is on its way is sent to its end, then the last words. */
static enum status run_over(struct http_stream *stream) {
    buffer_free(&stream->waiting);
    buffer_init(&stream->waiting, stream->options.last_words.size);
    buffer_put(&stream->waiting, stream->options.last_words);
    stream_set_ending(stream, STREAM_END_SLOW);
    streams_make_ready(stream);
    return STATUS_TOO_LARGE;
}

static enum status append(struct http_stream *stream, struct bytes bytes) {
    if (stream->is_ending || stream->is_closed) return STATUS_CLOSED;
    size_t used_size = stream->waiting.size + stream->unsent_size;
    if (used_size > stream->options.queue_max || bytes.size > stream->options.queue_max - used_size)
        return run_over(stream);
    buffer_put(&stream->waiting, bytes);
    if (stream->waiting.status) return run_over(stream); /* no memory: the client cannot be told all either */
    if (used_size < stream->options.queue_max / 2 && used_size + bytes.size >= stream->options.queue_max / 2)
        streams_make_urgent(stream);
    else
        streams_make_ready(stream);
    return STATUS_OK;
}

enum status http_stream_write(struct http_stream *stream, struct bytes bytes) {
    pthread_mutex_lock(&stream->mutex);
    enum status status = append(stream, bytes);
    pthread_mutex_unlock(&stream->mutex);
    return status;
}

void http_stream_end(struct http_stream *stream) {
    pthread_mutex_lock(&stream->mutex);
    stream_set_ending(stream, STREAM_END_DONE);
    streams_make_ready(stream);
    pthread_mutex_unlock(&stream->mutex);
}
