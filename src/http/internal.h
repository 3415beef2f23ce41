/* What the files of the HTTP server share: connections, requests, the server. Nobody outside this folder includes it.
 *
 * Threads: each connection belongs to one worker ("its server thread"), which alone runs its callbacks;
 * the accept thread only hands sockets over; the sweeper watches deadlines of all connections; any thread may respond
 * to a deferred request. */
#ifndef ORDERLY_HTTP_INTERNAL_H
#define ORDERLY_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdalign.h>

#include "http/guard.h"
#include "http/http.h"
#include "http/listen.h"
#include "http/method.h"
#include "http/metrics.h"
#include "http/router.h"
#include "http/stream.h"
#include "http/sweeper.h"
#include "http/target.h"

#define RESPONSE_HEADERS_MAX 24               /* added by a handler to one response */
#define REQUEST_ARENA_BLOCK_SIZE 4096         /* kept by a connection between its requests */
#define REQUEST_ARENA_LIMIT_SIZE (32u << 20)  /* a handler's memory for one request */
#define RESPONSE_ARENA_BLOCK_SIZE 1024        /* kept by a connection between its requests */
#define RESPONSE_ARENA_LIMIT_SIZE (32u << 20) /* headers and copied body of one response */
#define BODY_KEPT_SIZE 4096                   /* a larger body buffer is freed with its request */
#define REQUEST_ID_SIZE 129                   /* 128 characters and a NUL */
#define WORKERS_MAX 8                         /* server threads */
#define CONNECTION_MEMORY_SIZE 12288          /* headers of some 8 KiB and their records; all of it is cleared after each request */

/* --- a server thread and its libmicrohttpd daemon; the last part is what other threads write --- */
struct worker {
    alignas(64) struct http_server *server;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool is_running;             /* the thread that opens and closes */
    bool has_resumed;            /* the worker's thread: a connection was resumed since libmicrohttpd was run */
    int epoll_fd;                /* watches the daemon's own epoll and the two below */
    int wake_fd;                 /* an eventfd */
    int handover_fds[2];         /* a pipe of sockets from the accept thread */
    _Atomic int64_t active;      /* requests between their headers and the end of their answer */
    _Atomic uint64_t received_bytes; /* of bodies; the sweeper moves them to the metrics */
    _Atomic uint64_t sent_bytes;

    alignas(64) _Atomic int64_t suspended; /* connections suspended and not resumed yet */
    _Atomic int64_t responders;            /* threads inside resume_later */
    _Atomic(struct http_request *) ready;  /* suspended requests that have their response: a stack */
    _Atomic bool waking;                   /* the worker was woken and has not looked at ready since */
    _Atomic bool stopping;
};

/* --- a connection: made and freed on its server thread --- */
struct connection {
    struct connection *previous, *next; /* server->connections, under its mutex */
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd; /* libmicrohttpd's; open until the connection has left the list */
    struct worker *worker;
    struct http_request *spare; /* a finished request's memory for the next one; its server thread only */

    _Atomic int64_t cut_at_ns;     /* the sweeper shuts the socket down then; CUT_NEVER */
    _Atomic int64_t peek_at_ns;    /* the sweeper looks then whether the client has ended its side; CUT_NEVER */
    _Atomic int64_t expires_at_ns; /* of the deferred request; CUT_NEVER. A hint: the truth is under the mutex */
    pthread_mutex_t mutex;
    struct http_request *deferred; /* holds a reference: whoever takes it out (the sweeper, to expire it, or the end of
                                    * the request) releases it */
};
#define CUT_NEVER INT64_MAX

/* --- a request: reference counted; libmicrohttpd's side holds one, each http_hold and http_defer one --- */
enum request_phase {
    PHASE_LINE,    /* the request line is there */
    PHASE_BODY,    /* the headers are checked, the body comes */
    PHASE_WAITING, /* suspended until somebody responds */
    PHASE_QUEUED,  /* the response is libmicrohttpd's to send */
};

/* Bits of http_request.flags. Of the two that matter to each other, RESPONSE_READY and SUSPENDED, whoever sets the
 * second resumes the connection. */
enum {
    RESPONSE_READY = 1, /* the response is complete and will not change */
    SUSPENDED = 2,      /* the connection is suspended */
};

enum known_header {
    HEADER_HOST,
    HEADER_ORIGIN,
    HEADER_EXPECT,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_LENGTH,
    HEADER_TRANSFER_ENCODING,
    HEADER_REQUEST_ID,
    HEADER_CORS_METHOD,
    HEADER_KNOWN_COUNT
};

struct request_header {
    struct request_header *next;
    struct bytes name, value; /* both with a NUL behind */
};

struct response_header {
    const char *name, *value;
};

struct response {
    int status;
    const char *content_type; /* NULL: none */
    struct bytes body;
    char *owned_body; /* freed with the request; NULL if the body is elsewhere */
    struct response_header headers[RESPONSE_HEADERS_MAX];
    size_t header_count;
    bool header_is_lost; /* there was no memory for one: an answer without it could be taken for another one */
};

struct http_request {
    _Atomic unsigned references;
    _Atomic unsigned flags;
    _Atomic uintptr_t responder; /* the thread that makes the response; 0: none yet */

    /* Written by the server thread before the handler runs, then only read. */
    struct http_server *server;
    struct connection *connection;
    enum request_phase phase; /* server thread only */
    enum method method;
    struct bytes method_text;
    struct target target;
    struct request_header *headers;
    struct bytes known[HEADER_KNOWN_COUNT];
    uint8_t known_count[HEADER_KNOWN_COUNT];
    bool header_is_malformed, header_is_lost; /* bad name; no memory for it */
    char id[REQUEST_ID_SIZE];
    const struct router_path *path;
    const struct http_route *route; /* NULL: refused, or OPTIONS */
    size_t body_max;
    struct buffer body;
    size_t received_size;        /* of the body, kept or dropped */
    struct http_problem refusal; /* .status 0: not refused */
    int64_t started_ns;
    bool is_http_1_0; /* which may come without Host */
    bool is_active, is_deferred, must_close, cors_is_allowed;
    struct http_stream *stream; /* it has taken the socket: libmicrohttpd only has to close */

    struct arena arena; /* the handler's, handed on with the request */
    void *data;
    void (*expired)(struct http_request *request);
    struct http_request *next_expired; /* the sweeper's list */
    struct http_request *next_ready;   /* worker->ready */

    struct arena response_arena; /* the responder's */
    struct response response;
};

/* --- the server --- */
struct http_server {
    struct http_server_options options; /* with the defaults filled in */
    struct router router;
    struct guard guard;
    struct listener *listener;
    struct sweeper *sweeper;
    struct streams *streams;
    struct http_metrics metrics;
    struct worker workers[WORKERS_MAX]; /* options.threads of them are used */
    size_t next_worker;                 /* the accept thread: sockets go to them in turn */
    _Atomic bool draining, closing;

    pthread_mutex_t connections_mutex; /* the list; never taken while a connection's mutex is held */
    struct connection *connections;
    _Atomic int64_t connection_count; /* handed over and not closed yet; streams too */
};

/* server.c */
int64_t server_now_ns(const struct http_server *server);
int64_t server_active(const struct http_server *server);
/* Writes a short problem straight to a socket that libmicrohttpd does not answer on, and closes it politely. Takes fd.
 */
void server_refuse(struct http_server *server, int fd, const struct http_problem *problem);

/* connection.c: libmicrohttpd's notifications, and the deadline of a deferred request */
void connection_notify(void *data, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode code);
void connection_set_cut(struct connection *connection, int64_t at_ns);
/* The connection waits for its next request until then. */
void connection_set_idle(struct connection *connection, int64_t now_ns);
void connection_set_deferred(struct connection *connection, struct http_request *request, int64_t expires_at_ns);
/* The deferred request with its reference, or NULL. */
struct http_request *connection_take_deferred(struct connection *connection);

/* request.c: a request's way through libmicrohttpd's callbacks */
void *request_begin(void *data, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_continue(void *data, struct MHD_Connection *mhd, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **context);
void request_completed(void *data, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code);
void request_free(struct http_request *request);

/* check.c: refuses what no handler shall see, and finds the handler. Sets request->refusal or request->route. */
void request_check(struct http_request *request);
bool request_content_type_is_json(const struct http_request *request);
void request_refuse(struct http_request *request, int status, const char *code, const char *detail);

/* header.c: copies the headers out of libmicrohttpd's memory. */
void request_copy_headers(struct http_request *request);
void request_set_id(struct http_request *request);

/* worker.c */
void worker_init(struct worker *worker, struct http_server *server);
enum status worker_start(struct worker *worker, struct error *error);
void worker_stop(struct worker *worker); /* nothing may be suspended; a half-started one is fine */
bool worker_hand_over(struct worker *worker, int fd); /* the accept thread. False: too many are waiting; fd stays ours */
/* The worker's thread: resumes the connection of a request whose response is ready. */
void resume_now(struct http_request *request);
/* Any thread: has the worker do so, together with others if there are any. */
void resume_later(struct http_request *request);

/* respond.c */
/* Hands the response to libmicrohttpd; server thread. MHD_NO: no memory, the connection ends. */
enum MHD_Result response_queue(struct http_request *request);
/* True for the first thread that begins to make the response. */
bool response_claim(struct http_request *request);
/* All headers but those of the body's framing. */
bool response_add_headers(const struct http_request *request, struct MHD_Response *mhd);
bool response_is_begun(const struct http_request *request);

#endif
