/* A small HTTP server with one route for each behaviour under test, and a client that sends exactly the bytes it is
 * told to. Every wait is bounded and fails the test when it is over. */
#ifndef ORDERLY_TESTS_HTTP_HARNESS_H
#define ORDERLY_TESTS_HTTP_HARNESS_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "http/http.h"

#define WAIT_MS 10000
#define REPLY_HEAD_SIZE 16384

/* --- the server --- */

struct harness {
    struct http_server *server;
    struct metrics *metrics;
    uint16_t port;
    /* Requests that /defer has put off, to be answered by the test or by the answering thread. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct http_request *deferred[4096];
    size_t deferred_count;
    int defer_deadline_ms;
    bool answers_at_once; /* the answering thread answers what it finds */
    bool stopping;
    pthread_t answerer;
    _Atomic int first_responses, late_responses, expirations;
    _Atomic uint64_t handled;
};

/* Defaults: localhost, a free port, 2 threads. options may be NULL. */
struct harness *harness_open(const struct http_server_options *options);
void harness_close(struct harness *harness);
extern const struct http_route harness_routes[];
extern const size_t harness_route_count;

/* Waits until so many requests are deferred. */
void harness_wait_deferred(struct harness *harness, size_t count);
/* Takes the oldest deferred request, or NULL. */
struct http_request *harness_take(struct harness *harness);
/* Answers 200 "late" and releases. True if it was the first response. */
bool harness_answer(struct http_request *request);

/* --- the client --- */

struct reply {
    int status; /* 0: the connection ended without an answer */
    char head[REPLY_HEAD_SIZE];
    char *body; /* NUL behind it */
    size_t body_size;
};

int client_open(uint16_t port);
int client_open_or_fail(uint16_t port); /* -1: refused */
void client_send(int fd, const char *text);
/* Like client_send, but a connection that is closed meanwhile is no failure. True if all was sent. */
bool client_try_send(int fd, const void *data, size_t size);
/* Reads one answer; has_body false for the answer to a HEAD. */
struct reply *client_read(int fd, bool has_body);
/* Sends and reads one answer. The reply is the test's until the next call. */
struct reply *client_ask(int fd, const char *text);
/* The same on a connection of its own, with "Host: localhost" and Connection: close added. */
struct reply *client_once(uint16_t port, const char *method, const char *target, const char *headers, const char *body);
/* The value of a header in the reply, or NULL. Valid until the next call. */
const char *reply_header(const struct reply *reply, const char *name);
/* Waits for the end of the connection; fails if bytes come. */
void client_expect_end(int fd);
/* True if the connection ends within ms; drops what comes. */
bool client_ends_within(int fd, int ms);

/* Waits until the condition holds. */
#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        int waited_ms_ = 0;                                                                                            \
        while (!(condition) && waited_ms_++ < WAIT_MS)                                                                 \
            wait_a_moment();                                                                                           \
        assert_true(condition);                                                                                        \
    } while (0)
void wait_a_moment(void); /* 1 ms */
int64_t now_ms(void);

void assert_header(const struct reply *from, const char *name, const char *value);
void assert_no_header(const struct reply *from, const char *name);

/* The reply is a problem with this status and code, and valid JSON with all members. */
void assert_problem(const struct reply *reply, int status, const char *code);

#endif
