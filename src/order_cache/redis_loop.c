/* The loop thread: waits for the socket, the queue and the next deadline, and does what is due.
 *
 * Two descriptors at most: ppoll(2) does, and remembers nothing of a connection that is gone. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "order_cache/redis_internal.h"

#define LOOP_WAIT_MAX_NS (1000 * NS_PER_MS) /* a clock that tests move by hand is looked at so often */

static int64_t earlier_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static struct timespec wait_time(const struct redis_cache *cache) {
    int64_t until_ns = redis_connection_next_ns(cache);
    if (cache->first_waiting) until_ns = earlier_of(until_ns, cache->first_waiting->deadline_ns);
    int64_t now_ns = redis_now_ns(cache);
    int64_t wait_ns = until_ns > now_ns ? earlier_of(until_ns - now_ns, LOOP_WAIT_MAX_NS) : 0;
    return (struct timespec){wait_ns / (1000 * NS_PER_MS), wait_ns % (1000 * NS_PER_MS)};
}

/* hiredis may end the connection in either call; the hook then empties connection.context. An error is read to be
 * known. */
static void serve_socket(struct redis_cache *cache, short events) {
    struct redis_connection *connection = &cache->connection;
    if (connection->context && (events & POLLOUT)) redisAsyncHandleWrite(connection->context);
    if (connection->context && (events & (POLLIN | POLLERR | POLLHUP))) {
        if (connection->wants_read)
            redisAsyncHandleRead(connection->context);
        else
            redisAsyncHandleWrite(connection->context); /* still connecting: it asks the socket why not */
    }
}

static void wait_for_events(struct redis_cache *cache) {
    struct redis_connection *connection = &cache->connection;
    struct timespec timeout = wait_time(cache);
    struct pollfd fds[2] = {{.fd = cache->wake_fd, .events = POLLIN}, {.fd = -1}};
    if (connection->context) {
        fds[1].fd = connection->context->c.fd;
        fds[1].events = (short)((connection->wants_read ? POLLIN : 0) | (connection->wants_write ? POLLOUT : 0));
    }
    if (ppoll(fds, 2, &timeout, NULL) <= 0) return;
    uint64_t woken;
    if (fds[0].revents && read(cache->wake_fd, &woken, sizeof woken) < 0) {
        /* Somebody's write is still to come: so is the next wake-up. */
    }
    serve_socket(cache, fds[1].revents);
}

/* Gives spent calls back and takes what was submitted; false: the cache is being closed. */
static bool take(struct redis_cache *cache, struct queue *queue_out) {
    pthread_mutex_lock(&cache->mutex);
    *queue_out = cache->queue;
    cache->queue = (struct queue){0};
    for (struct queue_link *link; (link = queue_pop(&cache->spent));)
        queue_push(&cache->free_calls, link);
    cache->in_flight_bytes -= cache->spent_bytes;
    bool closing = cache->closing;
    pthread_mutex_unlock(&cache->mutex);
    cache->spent_bytes = 0;
    return !closing;
}

/* All that was taken goes out with one write, at once if the socket has room. */
static void send_all(struct redis_cache *cache, struct queue *queue) {
    struct redis_connection *connection = &cache->connection;
    bool is_empty = !queue->head;
    for (struct queue_link *link; (link = queue_pop(queue));)
        redis_call_send(CONTAINER_OF(link, struct redis_call, link));
    if (!is_empty && connection->context && !connection->is_doomed) redisAsyncHandleWrite(connection->context);
}

void *redis_loop_main(void *data) {
    struct redis_cache *cache = data;
    struct queue queue;
    for (bool goes_on = true; goes_on;) {
        redis_connection_tend(cache);
        goes_on = take(cache, &queue);
        send_all(cache, &queue);
        redis_calls_expire(cache);
        if (goes_on) wait_for_events(cache);
    }
    redis_connection_close(cache);
    return NULL;
}
