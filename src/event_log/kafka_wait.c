/* Waiting: by the monotonic clock, and on descriptors that librdkafka's queues and other threads ring. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "event_log/kafka_internal.h"

int64_t kafka_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct timespec kafka_until(int64_t at_ns) {
    return (struct timespec){.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
}

void kafka_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void kafka_event_fd_ring(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    } /* a counter that is full rings as well */
}

void kafka_event_fd_drain(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

void kafka_event_fd_wait(int fd, int64_t until_ns) {
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    int64_t left_ns = until_ns - kafka_now_ns();
    struct timespec timeout = kafka_until(left_ns > 0 ? left_ns : 0);
    if (ppoll(&waited, 1, &timeout, NULL) > 0) kafka_event_fd_drain(fd);
}

void kafka_queue_ring(rd_kafka_queue_t *queue, int fd) {
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
}
