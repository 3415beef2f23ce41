/* A paced (open-loop) client: posts orders at a fixed rate over keep-alive connections, and measures from the moment a
 * request was due how long the answer takes, and for a sample how long until the order can be read from the store.
 *
 *   pace PORT RATE SECONDS CONNECTIONS PROBE_EVERY     prints one JSON object
 *
 * One thread, epoll. A request that finds no free connection waits, and its time counts (no coordinated omission). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define PROBES_MAX 64
#define PROBE_PAUSE_NS 300000
#define INPUT_SIZE 8192
#define SAMPLES_MAX 4000000

enum role { ROLE_POST, ROLE_PROBE };

struct connection {
    enum role role;
    int fd;
    bool busy;
    bool wants_probe;
    int64_t due_ns;   /* POST: when it should have been sent; PROBE: when its order's POST was due */
    int64_t retry_ns; /* PROBE: not before */
    char id[40];
    char input[INPUT_SIZE];
    size_t input_size;
};

struct samples {
    double *ms;
    size_t count;
};

static struct connection connections[CONNECTIONS_MAX + PROBES_MAX];
static struct samples post_times, visible_times;
static size_t connection_count, probe_count = PROBES_MAX, errors, probes_skipped;
static int port, epoll_fd;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add_sample(struct samples *samples, int64_t from_ns) {
    if (samples->count < SAMPLES_MAX) samples->ms[samples->count++] = (double)(now_ns() - from_ns) / 1e6;
}

static void open_connection(struct connection *connection, enum role role) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->role = role;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) fail("epoll_ctl");
}

static void send_text(struct connection *connection, const char *text, size_t size) {
    connection->busy = true;
    connection->input_size = 0;
    if (write(connection->fd, text, size) != (ssize_t)size) fail("write");
}

static void send_post(struct connection *connection, uint64_t number, int64_t due_ns, bool wants_probe) {
    char text[512], body[256];
    int body_size = snprintf(body, sizeof body,
                             "{\"customer_name\":\"Ada %llu\",\"items\":[{\"item\":\"lamp\",\"quantity\":2,\"unit_price\":1999},"
                             "{\"item\":\"shade\",\"quantity\":1,\"unit_price\":499}]}",
                             (unsigned long long)(number % 1000));
    int size = snprintf(text, sizeof text,
                        "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                        body_size, body);
    connection->due_ns = due_ns;
    connection->wants_probe = wants_probe;
    send_text(connection, text, (size_t)size);
}

static void send_probe(struct connection *connection) {
    char text[256];
    int size = snprintf(text, sizeof text, "GET /orders/%s HTTP/1.1\r\nHost: localhost\r\nCache-Control: no-cache\r\n\r\n",
                        connection->id);
    send_text(connection, text, (size_t)size);
}

/* The size of the whole response if it is there, else 0. */
static size_t response_size(const struct connection *connection) {
    const char *end = memmem(connection->input, connection->input_size, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = strcasestr(connection->input, "\r\ncontent-length:");
    size_t size = (size_t)(end - connection->input) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return connection->input_size >= size ? size : 0;
}

static void start_probe(const struct connection *post) {
    const char *id = strstr(post->input, "\"order_id\":\"");
    for (size_t i = 0; i < probe_count && id; i++) {
        struct connection *probe = &connections[CONNECTIONS_MAX + i];
        if (probe->busy || probe->retry_ns) continue;
        memcpy(probe->id, id + 12, 36);
        probe->due_ns = post->due_ns;
        send_probe(probe);
        return;
    }
    probes_skipped++;
}

static void finish_response(struct connection *connection) {
    int status = atoi(connection->input + 9);
    connection->busy = false;
    if (connection->role == ROLE_POST) {
        if (status != 201) {
            errors++;
            return;
        }
        add_sample(&post_times, connection->due_ns);
        if (connection->wants_probe) start_probe(connection);
    } else if (status == 200) {
        add_sample(&visible_times, connection->due_ns);
        connection->retry_ns = 0;
    } else {
        connection->retry_ns = now_ns() + PROBE_PAUSE_NS;
    }
}

static void read_response(struct connection *connection) {
    ssize_t size = read(connection->fd, connection->input + connection->input_size, INPUT_SIZE - 1 - connection->input_size);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) fail("the server closed a connection");
    connection->input_size += (size_t)size;
    connection->input[connection->input_size] = 0;
    if (response_size(connection)) finish_response(connection);
}

static bool probes_under_way(int64_t now) {
    bool some = false;
    for (size_t i = 0; i < probe_count; i++) {
        struct connection *probe = &connections[CONNECTIONS_MAX + i];
        if (!probe->busy && probe->retry_ns && now >= probe->retry_ns) send_probe(probe);
        some |= probe->busy || probe->retry_ns;
    }
    return some;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(struct samples *samples, double p) {
    if (samples->count == 0) return 0;
    size_t i = (size_t)(p / 100 * (double)samples->count);
    return samples->ms[i < samples->count ? i : samples->count - 1];
}

static void print_times(const char *name, struct samples *samples) {
    qsort(samples->ms, samples->count, sizeof *samples->ms, compare);
    printf("\"%s\": {\"count\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}", name,
           samples->count, percentile(samples, 50), percentile(samples, 99), percentile(samples, 99.9),
           percentile(samples, 100));
}

static void run(double rate, double seconds, uint64_t probe_every) {
    const int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9);
    uint64_t sent = 0;
    size_t next = 0;
    for (int64_t now = start; now < end + 5000000000 && (now < end || probes_under_way(now)); now = now_ns()) {
        for (size_t tries = 0; now < end && tries < connection_count; next = (next + 1) % connection_count) {
            int64_t due = start + (int64_t)((double)sent * 1e9 / rate);
            if (due > now) break;
            if (connections[next].busy) {
                tries++;
                continue;
            }
            send_post(&connections[next], sent, due, probe_every && sent % probe_every == 0);
            sent++;
            tries = 0;
        }
        probes_under_way(now);
        struct epoll_event events[256];
        struct timespec wait = {0, 100000};
        int count = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
        for (int i = 0; i < count; i++) read_response(events[i].data.ptr);
    }
    printf("{\"sent\": %llu, \"errors\": %zu, \"probes_skipped\": %zu, ", (unsigned long long)sent, errors, probes_skipped);
    print_times("post", &post_times);
    printf(", ");
    print_times("visible", &visible_times);
    puts("}");
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("usage: pace PORT RATE SECONDS CONNECTIONS PROBE_EVERY\n", stderr);
        return 2;
    }
    port = atoi(argv[1]);
    connection_count = strtoul(argv[4], NULL, 10);
    if (connection_count < 1 || connection_count > CONNECTIONS_MAX) return 2;
    uint64_t probe_every = strtoul(argv[5], NULL, 10);
    post_times.ms = malloc(SAMPLES_MAX * sizeof(double));
    visible_times.ms = malloc(SAMPLES_MAX * sizeof(double));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!post_times.ms || !visible_times.ms || epoll_fd < 0) fail("start");
    for (size_t i = 0; i < connection_count; i++) open_connection(&connections[i], ROLE_POST);
    for (size_t i = 0; i < probe_count; i++) open_connection(&connections[CONNECTIONS_MAX + i], ROLE_PROBE);
    run(strtod(argv[2], NULL), strtod(argv[3], NULL), probe_every);
    return 0;
}
