/* An HTTP/1.1 server on libmicrohttpd: routing, limits, problems, negotiation. It knows no orders.
 *
 * A handler runs on a server thread once the whole body is there, and answers at once or later: it either calls one of
 * the http_respond functions before it returns, or http_defer, and then any thread may respond. The first response
 * wins; later ones are ignored (false). The request and its arena live until the response is sent and every hold taken
 * by http_defer or http_hold is released. */
#ifndef ORDERLY_HTTP_HTTP_H
#define ORDERLY_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/status.h"

struct http_server;
struct http_request;

/* --- routes --- */

enum http_body_kind {
    HTTP_BODY_NONE,          /* a body is ignored (up to the limit) */
    HTTP_BODY_JSON,          /* must be application/json (or +json), else 415 */
    HTTP_BODY_JSON_OPTIONAL, /* the same; an empty body needs no content type */
};

struct http_route {
    const char *method; /* GET (answers HEAD too), POST, PATCH, PUT, DELETE */
    const char *path;   /* "/orders/{order_id}": segments; matches with and without a trailing slash */
    void (*handle)(struct http_request *request, void *data);
    enum http_body_kind body;
    size_t body_max; /* bytes; 0: the server's default */
    const char *summary; /* one line, for logs and the openapi test */
};

/* --- server --- */

struct http_server_options {
    const struct http_route *routes; /* borrowed, static */
    size_t route_count;
    void *data;                    /* for the handlers */
    const char *host;              /* "localhost": 127.0.0.1 and ::1; else an address or a name */
    const uint16_t *ports;         /* 0: a free one; the first must be free, a busy other one is a warning */
    size_t port_count;
    unsigned threads;              /* 0: one per core, at most 4 */
    unsigned connections_max;      /* 0: 4,096; further ones get 503 and are closed */
    unsigned streams_max;          /* 0: half of connections_max */
    size_t body_max;               /* 0: 262,144 */
    int idle_timeout_ms;           /* between requests of a connection; 0: 60,000 */
    int receive_timeout_ms;        /* for headers and body of one request; 0: 10,000 */
    const char *const *allowed_origins; /* beside our own: CORS and state-changing requests; NULL-terminated */
    const struct clock *clock;
    struct random *random;         /* request ids */
    const struct log *logger;      /* may be NULL */
    struct metrics *metrics;       /* may be NULL; orderly_http_* */
    bool log_requests;             /* an access line for each request at INFO; else at DEBUG, failures (5xx) at WARN */
};

/* Binds, listens and serves. UNAVAILABLE: the first port is busy (error names it and what to do). */
enum status http_server_open(const struct http_server_options *options, struct http_server **server_out, struct error *error);

/* The port really bound for options.ports[i]; 0 if it was busy. */
uint16_t http_server_port(const struct http_server *server, size_t i);

/* Takes no new connections and requests (503 with Connection: close), waits until those under way are answered or
 * timeout_ms is over. OK or BUSY. */
enum status http_server_drain(struct http_server *server, int timeout_ms);

/* Answers what is still deferred with 503, stops, frees. NULL is allowed. Handlers must not respond afterwards; holds
 * may still be released. */
void http_server_close(struct http_server *server);

/* Requests under way, now. */
size_t http_server_active(const struct http_server *server);

/* --- a request: valid on the handler's thread, and on others while held --- */

struct bytes http_method(const struct http_request *request);
struct bytes http_path(const struct http_request *request); /* without query */
struct bytes http_body(const struct http_request *request);

/* A {name} of the route's path, percent-decoded; .data NULL if there is none. */
struct bytes http_param(const struct http_request *request, const char *name);

/* A query parameter, decoded; .data NULL if absent. */
struct bytes http_query(const struct http_request *request, const char *name);

/* Each query parameter in turn (for refusing unknown and repeated ones); false at the end. */
bool http_query_at(const struct http_request *request, size_t i, struct bytes *name_out, struct bytes *value_out);

/* A header by name, any case; .data NULL if absent. */
struct bytes http_header(const struct http_request *request, const char *name);

/* The client's X-Request-ID if it is sound (1-128 of [A-Za-z0-9._-]), else a fresh one. */
const char *http_request_id(const struct http_request *request);

/* Memory that lives as long as the request. One thread at a time. */
struct arena *http_arena(struct http_request *request);

/* A place for the endpoint's own state. */
void http_set_data(struct http_request *request, void *data);
void *http_data(const struct http_request *request);

/* --- answering --- */

/* A header of the response; the value is copied. Before the response, on the thread that will respond. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Responds with a copy of body, or with a static one that outlives the server. Adds X-Request-ID, CORS and safety
 * headers (nosniff, no framing). For HEAD the body is left out, Content-Length stays. Any thread. True if it was the
 * first response. */
bool http_respond(struct http_request *request, int status, const char *content_type, struct bytes body);
bool http_respond_static(struct http_request *request, int status, const char *content_type, struct bytes body);

/* Responds with the buffer's memory, which the server takes over (the buffer is empty afterwards). After a failure of
 * the buffer: 503. */
bool http_respond_buffer(struct http_request *request, int status, const char *content_type, struct buffer *body);

/* --- streams: an answer that goes on, for server-sent events (WHATWG HTML, section 9.2) --- */

/* A response without an end. Written by any thread; sent by the request's server thread, gathered for at most
 * HTTP_STREAM_FLUSH_MS. What is written waits in a queue of queue_max bytes; a client that lets it run over is too slow: its
 * queue is dropped, last_words (copied; may be empty) are sent after what was on its way, and the connection is closed. */
struct http_stream;
#define HTTP_STREAM_FLUSH_MS 50
#define HTTP_STREAM_QUEUE_MAX 262144 /* the largest queue_max */

struct http_stream_options {
    const char *content_type;   /* "text/event-stream" */
    size_t queue_max;           /* bytes */
    struct bytes last_words;    /* "event: slow\n..." */
    struct bytes heartbeat;     /* sent after heartbeat_ms without anything else: ":\n\n"; also finds clients that are gone */
    int heartbeat_ms;
    void (*closed)(void *data); /* once, on any thread, when nothing can be sent any more: the client is gone or too slow,
                                 * the server closes, or after http_stream_end. Never inside a call of ours. */
    void *data;
};

/* Begins the answer (200; headers added before are sent) on the handler's thread, before any http_respond. Counts against
 * the server's streams_max. Nothing is sent and `closed` is not called before the handler returns. NULL: no room (nothing
 * was sent; answer 503) or no memory. The caller owns one reference. */
struct http_stream *http_stream_begin(struct http_request *request, const struct http_stream_options *options);

/* Appends a copy. OK; TOO_LARGE: the queue ran over, the stream ends; CLOSED: it has ended. Any thread; never blocks. */
enum status http_stream_write(struct http_stream *stream, struct bytes bytes);

/* Sends what is queued, then closes the connection. */
void http_stream_end(struct http_stream *stream);

/* Gives the reference back; the last use of it by this thread. A stream that was not ended goes on until its client does. */
void http_stream_release(struct http_stream *stream);

/* --- problems: RFC 9457 application/problem+json --- */

struct http_problem_field {
    struct bytes pointer;
    const char *detail;
};
struct http_problem {
    int status;
    const char *code;   /* stable, for programs: "invalid_order" */
    const char *detail; /* for people */
    const struct http_problem_field *fields;
    size_t field_count;
    int retry_after_s;  /* > 0: a Retry-After header */
    const char *extra_name; /* one extension member, JSON value as text; NULL: none */
    const char *extra_json;
};
bool http_respond_problem(struct http_request *request, const struct http_problem *problem);

/* --- answering later --- */

/* The handler will return without a response; takes one hold. deadline_ms from now on, expired (not NULL) is called once
 * on a thread of the server unless a response was made before: it must respond. */
void http_defer(struct http_request *request, int deadline_ms, void (*expired)(struct http_request *request));

/* More holds, for each asynchronous operation that uses the request or its arena. Any thread. */
void http_hold(struct http_request *request);
void http_release(struct http_request *request);

#endif
