/* See node.h. */
#include "cql/node.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cql/fixture.h"

enum { NODE_CONNECTIONS = 16, TICK_MS = 5, FRAME_HEADER = 9 };

struct pair {
    int client, server; /* -1: none */
};

struct node {
    char upstream_host[64], upstream_port[8], address[32];
    uint16_t port;
    int listener; /* -1 while down */
    struct pair pairs[NODE_CONNECTIONS];
    atomic_int wanted, mode;
    atomic_bool stop;
    pthread_t thread;
};

static int listen_on(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, NODE_CONNECTIONS) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        abort();
    *port = ntohs(address.sin_port);
    return listener;
}

static int dial(const struct node *node) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(node->upstream_host, node->upstream_port, &hints, &found) != 0) return -1;
    int server = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(server, found->ai_addr, found->ai_addrlen) != 0) {
        close(server);
        server = -1;
    }
    freeaddrinfo(found);
    return server;
}

static void drop(struct pair *pair) {
    if (pair->client >= 0) close(pair->client);
    if (pair->server >= 0) close(pair->server);
    *pair = (struct pair){-1, -1};
}

static void accept_one(struct node *node, enum node_mode mode) {
    int client = accept4(node->listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; client >= 0 && i < NODE_CONNECTIONS; i++) {
        if (node->pairs[i].client >= 0) continue;
        bool real = mode == NODE_FORWARDS || mode == NODE_FROZEN;
        node->pairs[i] = (struct pair){client, real ? dial(node) : -1};
        if (real && node->pairs[i].server < 0) drop(&node->pairs[i]);
        return;
    }
    if (client >= 0) close(client);
}

static bool write_all(int descriptor, const char *data, ssize_t size) {
    while (size > 0) {
        ssize_t written = send(descriptor, data, (size_t)size, MSG_NOSIGNAL);
        if (written <= 0) return false;
        data += written;
        size -= written;
    }
    return true;
}

static bool forward(int from, int to) {
    char buffer[65536];
    ssize_t size = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
    return size > 0 && write_all(to, buffer, size);
}

/* Answers one frame: OPTIONS with an empty SUPPORTED, STARTUP with AUTHENTICATE, what comes then with "bad
 * credentials". */
static bool refuse(int client) {
    static const char supported[] = "\x84\0\0\0\x06\0\0\0\x02\0", authenticate[] = "\x84\0\0\0\x03\0\0\0\x03\0\x01P",
                      bad[] = "\x84\0\0\0\0\0\0\0\x08\0\0\x01\0\0\x02no";
    uint8_t header[FRAME_HEADER], body[512];
    if (recv(client, header, sizeof header, MSG_WAITALL) != sizeof header) return false;
    size_t size = (size_t)header[7] << 8 | header[8];
    if (size > sizeof body || (size > 0 && recv(client, body, size, MSG_WAITALL) != (ssize_t)size)) return false;
    char answer[32];
    size_t answer_size = 0;
    switch (header[4]) {
    case 5: answer_size = sizeof supported, memcpy(answer, supported, sizeof supported); break;
    case 1: answer_size = sizeof authenticate - 1, memcpy(answer, authenticate, sizeof authenticate - 1); break;
    default: answer_size = sizeof bad - 1, memcpy(answer, bad, sizeof bad - 1); break;
    }
    memcpy(answer + 2, header + 2, 2); /* the stream */
    return write_all(client, answer, (ssize_t)answer_size);
}

static void serve_pair(struct node *node, struct pair *pair, enum node_mode mode, const struct pollfd *ready) {
    bool alive = true;
    if (mode == NODE_FORWARDS && ready[0].revents) alive = forward(pair->client, pair->server);
    if (mode == NODE_FORWARDS && ready[1].revents) alive = alive && forward(pair->server, pair->client);
    if (mode == NODE_REFUSES_CREDENTIALS && ready[0].revents) alive = refuse(pair->client);
    if (!alive) drop(pair);
}

static void change(struct node *node, enum node_mode mode) {
    if (mode == NODE_DOWN) {
        for (size_t i = 0; i < NODE_CONNECTIONS; i++)
            drop(&node->pairs[i]);
        if (node->listener >= 0) close(node->listener);
        node->listener = -1;
    } else if (node->listener < 0) {
        node->listener = listen_on(&node->port);
    }
}

static void *serve(void *data) {
    struct node *node = data;
    while (!atomic_load(&node->stop)) {
        enum node_mode mode = (enum node_mode)atomic_load(&node->wanted);
        if (mode != (enum node_mode)atomic_load(&node->mode)) {
            change(node, mode);
            atomic_store(&node->mode, (int)mode);
        }
        struct pollfd ready[1 + 2 * NODE_CONNECTIONS] = {{.fd = node->listener, .events = POLLIN}};
        for (size_t i = 0; i < NODE_CONNECTIONS; i++) {
            bool deaf = mode == NODE_FROZEN || mode == NODE_SILENT;
            ready[1 + 2 * i] = (struct pollfd){.fd = deaf ? -1 : node->pairs[i].client, .events = POLLIN};
            ready[2 + 2 * i] = (struct pollfd){.fd = deaf ? -1 : node->pairs[i].server, .events = POLLIN};
        }
        poll(ready, 1 + 2 * NODE_CONNECTIONS, TICK_MS);
        for (size_t i = 0; i < NODE_CONNECTIONS; i++)
            serve_pair(node, &node->pairs[i], mode, &ready[1 + 2 * i]);
        if (ready[0].revents & POLLIN) accept_one(node, mode);
    }
    return NULL;
}

struct node *node_start(const char *upstream, enum node_mode mode) {
    struct node *node = calloc(1, sizeof *node);
    assert_non_null(node);
    for (size_t i = 0; i < NODE_CONNECTIONS; i++)
        node->pairs[i] = (struct pair){-1, -1};
    if (upstream) {
        int parts = sscanf(upstream, "%63[^:,]:%7[0-9]", node->upstream_host, node->upstream_port);
        assert_true(parts >= 1);
        if (parts == 1) strcpy(node->upstream_port, "9042");
    }
    node->listener = listen_on(&node->port);
    snprintf(node->address, sizeof node->address, "127.0.0.1:%u", node->port);
    atomic_store(&node->wanted, (int)mode);
    atomic_store(&node->mode, (int)mode);
    assert_int_equal(pthread_create(&node->thread, NULL, serve, node), 0);
    return node;
}

void node_set(struct node *node, enum node_mode mode) {
    atomic_store(&node->wanted, (int)mode);
    while (atomic_load(&node->mode) != (int)mode)
        poll(NULL, 0, 1);
}

const char *node_address(const struct node *node) {
    return node->address;
}

void node_stop(struct node *node) {
    atomic_store(&node->stop, true);
    pthread_join(node->thread, NULL);
    change(node, NODE_DOWN);
    free(node);
}
