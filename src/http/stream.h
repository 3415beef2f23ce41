/* Answers that go on: their sockets, taken out of libmicrohttpd, and the one thread that writes to them.
 *
 * A stream that lived in libmicrohttpd would be a suspended connection: 19 KiB each, and walked past at every resume of
 * another one (docs/decisions/0011). So a stream begins by taking the socket: libmicrohttpd keeps a placeholder under the
 * same number and closes that. What is left is a struct, a socket, and the bytes that wait. */
#ifndef ORDERLY_HTTP_STREAM_H
#define ORDERLY_HTTP_STREAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"

#define STREAM_TICK_MS 250      /* between two looks at heartbeats and deadlines */
#define STREAM_LAST_MS 5000     /* for what is queued to be sent once the stream ends */
#define STREAM_EVENTS_MAX 256   /* of the kernel, at once */
#define STREAM_HEAD_SIZE 16384  /* of an answer, at most */

struct http_server;
struct streams;

/* Why a stream is over; the label of orderly_http_streams_ended_total. */
enum stream_end {
    STREAM_END_CLIENT, /* it is gone */
    STREAM_END_SLOW,   /* its queue ran over, or nothing could be sent for the idle time */
    STREAM_END_DONE,   /* http_stream_end */
    STREAM_END_SERVER, /* the server closes */
    STREAM_END_FAILED, /* the system refused */
    STREAM_ENDS
};
const char *stream_end_name(enum stream_end end);

struct http_stream {
    _Atomic unsigned references; /* the caller's, the thread's until it has closed the stream, one while it is in ready */
    struct streams *streams;     /* may be used under the mutex while not is_closed */
    struct http_stream_options options; /* the texts are in the same allocation */
    const char *request_id, *path;

    pthread_mutex_t mutex; /* of this block */
    struct buffer waiting; /* written, and not taken by the thread yet */
    size_t unsent_size;    /* taken, and not sent yet; the head is not counted */
    bool is_ending;        /* takes no more bytes; what waits is sent */
    bool is_started;       /* the handler has returned; before that the thread does not know it */
    bool is_closed;        /* over: the thread has nothing to do with it any more */
    bool is_ready;         /* in streams->ready */
    enum stream_end end;   /* if is_ending */
    struct http_stream *next_ready;

    /* The thread's own, once it is in ready for the first time. */
    struct http_stream *previous, *next;
    int fd;
    bool is_adopted;
    struct buffer sending; /* on its way */
    size_t sent_size;      /* of it */
    int64_t begun_ns, moved_ns; /* when bytes were taken or sent last */
    int64_t last_until_ns; /* once it is ending; else 0 */
    uint64_t sent_total;
};

enum status streams_open(struct http_server *server, struct streams **streams_out, struct error *error);

/* Ends all streams and refuses new ones. Returns at once. Any thread. */
void streams_end_all(struct streams *streams);

/* The same, and waits until every `closed` was called. No handler runs any more. NULL is allowed. */
void streams_close(struct streams *streams);

/* --- between the files of the streams --- */

/* Counts one more. False: there are too many, or the server closes. */
bool streams_reserve(struct streams *streams);
void streams_unreserve(struct streams *streams);

/* Hands it to the thread: the handler has returned. */
void stream_start(struct http_stream *stream);

/* No more bytes are taken; what waits is sent. Under the mutex. */
void stream_set_ending(struct http_stream *stream, enum stream_end end);

/* Has the thread look at it. Under the stream's mutex, and only while it is not closed. */
void streams_make_ready(struct http_stream *stream);
/* The same, at once: the answer begins; or its queue is half full, and a client that is quick shall not be called slow. */
void streams_make_urgent(struct http_stream *stream);

/* Takes the connection's socket out of libmicrohttpd: the descriptor, the caller's from now on. -1: the system refused,
 * and nothing has changed. On the server thread, in the handler; libmicrohttpd must be told to close right after it. */
struct connection;
int stream_take_socket(struct connection *connection, int placeholder_fd);
int streams_placeholder(const struct streams *streams);

#endif
