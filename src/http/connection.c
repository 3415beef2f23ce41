/* Connections as libmicrohttpd announces them: the list that the sweeper watches, and the deadline of each. */
#include <stdlib.h>
#include <sys/socket.h>

#include "http/internal.h"

#define PEEK_AFTER_MS 100 /* of idleness */

static void connection_link(struct http_server *server, struct connection *connection) {
    pthread_mutex_lock(&server->connections_mutex);
    connection->next = server->connections;
    if (connection->next) connection->next->previous = connection;
    server->connections = connection;
    pthread_mutex_unlock(&server->connections_mutex);
}

static void connection_unlink(struct http_server *server, struct connection *connection) {
    pthread_mutex_lock(&server->connections_mutex);
    if (connection->next) connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    pthread_mutex_unlock(&server->connections_mutex);
}

/* A fresh connection has as long for its first request as any request: who opens one should say something. */
static struct connection *connection_new(struct worker *worker, struct MHD_Connection *mhd, int fd) {
    struct http_server *server = worker->server;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->server = server;
    connection->mhd = mhd;
    connection->fd = fd;
    connection->worker = worker;
    int64_t receive_ns = server->options.receive_timeout_ms * INT64_C(1000000);
    atomic_init(&connection->cut_at_ns, server_now_ns(server) + receive_ns);
    atomic_init(&connection->peek_at_ns, CUT_NEVER);
    atomic_init(&connection->expires_at_ns, CUT_NEVER);
    pthread_mutex_init(&connection->mutex, NULL);
    connection_link(server, connection);
    return connection;
}

static void connection_free(struct connection *connection) {
    if (!connection) return;
    connection_unlink(connection->server, connection);
    if (connection->spare) http_release(connection->spare);
    pthread_mutex_destroy(&connection->mutex);
    free(connection);
}

void connection_notify(void *data, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode code) {
    struct worker *worker = data;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) { /* libmicrohttpd closes the descriptor after this */
        connection_free(*context);
        *context = NULL;
        atomic_fetch_sub(&worker->server->connection_count, 1);
        return;
    }
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *context = connection_new(worker, mhd, fd);
    if (!*context) shutdown(fd, SHUT_RDWR); /* nobody would watch it */
}

void connection_set_cut(struct connection *connection, int64_t at_ns) {
    atomic_store_explicit(&connection->cut_at_ns, at_ns, memory_order_relaxed);
    atomic_store_explicit(&connection->peek_at_ns, CUT_NEVER, memory_order_relaxed);
}

/* libmicrohttpd misses an end of stream that comes together with a request, and would keep the connection. */
void connection_set_idle(struct connection *connection, int64_t now_ns) {
    connection_set_cut(connection, now_ns + connection->server->options.idle_timeout_ms * INT64_C(1000000));
    atomic_store_explicit(&connection->peek_at_ns, now_ns + PEEK_AFTER_MS * INT64_C(1000000), memory_order_relaxed);
}

void connection_set_deferred(struct connection *connection, struct http_request *request, int64_t expires_at_ns) {
    pthread_mutex_lock(&connection->mutex);
    connection->deferred = request;
    atomic_store_explicit(&connection->expires_at_ns, expires_at_ns, memory_order_relaxed);
    pthread_mutex_unlock(&connection->mutex);
}

struct http_request *connection_take_deferred(struct connection *connection) {
    pthread_mutex_lock(&connection->mutex);
    struct http_request *request = connection->deferred;
    connection->deferred = NULL;
    atomic_store_explicit(&connection->expires_at_ns, CUT_NEVER, memory_order_relaxed);
    pthread_mutex_unlock(&connection->mutex);
    return request;
}
