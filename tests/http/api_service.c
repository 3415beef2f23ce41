/* The service in this process, and its client. */
#include "http/api_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

void service_wait(bool (*condition)(struct service *service), struct service *service) {
    for (int waited_ms = 0; !condition(service); waited_ms++) {
        assert_true(waited_ms < SERVICE_WAIT_MS);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

bool service_feed_is_live(struct service *service) {
    return feed_is_live(service->feed);
}

bool service_nothing_is_pending(struct service *service) {
    return pending_count(service->api->pending) == 0;
}

static void open_server(struct service *service) {
    static const uint16_t any_port;
    struct error error = {""};
    struct http_server_options options = {
        .data = service->api,
        .host = "127.0.0.1",
        .ports = &any_port,
        .port_count = 1,
        .threads = 1,
        .clock = clock_system(), /* its deadlines are real, whatever the orders' time */
        .random = random_system(),
        .metrics = service->rig.metrics,
    };
    options.routes = api_routes(&options.route_count);
    assert_int_equal(http_server_open(&options, &service->server, &error), STATUS_OK);
}

struct service *service_open(const struct clock *clock, struct order_store *store, bool with_pipeline) {
    struct service *service = calloc(1, sizeof *service);
    struct rig *rig = &service->rig;
    struct error error = {""};
    rig_open(rig, 4, clock, 5);
    /* Not the wrappers that fail on demand: they end the program when an allocation of theirs fails. */
    const struct pipeline_options pipeline = {
        .log = rig->log, .store = rig->store, .cache = rig->cache, .cache_ttl_ms = API_NEAR_TTL_MS};
    if (with_pipeline) rig_start(rig, &pipeline);
    const struct feed_options feed = {.log = rig->log, .clock = rig->clock, .metrics = rig->metrics};
    assert_int_equal(feed_open(&feed, &service->feed, &error), STATUS_OK);
    const struct api_options api = {
        .log = rig->log,
        .store = store ? store : rig->store,
        .own_cache = rig->cache,
        .feed = service->feed,
        .pipeline = rig->pipeline,
        .clock = rig->clock,
        .random = random_system(),
        .metrics = rig->metrics,
        .default_currency = "EUR",
        .pending_max = 1000,
        .answer_timeout_ms = 10000,
        .verdict_timeout_ms = 500,
        .cache_ttl_ms = 60000,
    };
    service->api = api_new(&api);
    assert_non_null(service->api);
    open_server(service);
    service_wait(service_feed_is_live, service);
    return service;
}

void service_close(struct service *service) {
    assert_int_equal(http_server_drain(service->server, SERVICE_WAIT_MS), STATUS_OK);
    if (service->rig.pipeline) rig_stop(&service->rig);
    http_server_close(service->server);
    feed_close(service->feed);
    api_free(service->api);
    rig_close(&service->rig);
    free(service);
}

int service_ask(struct service *service, const char *request) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(http_server_port(service->server, 0)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){SERVICE_WAIT_MS / 1000, 0}, sizeof(struct timeval));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    size_t got = 0;
    ssize_t n;
    do {
        n = recv(fd, service->reply + got, sizeof service->reply - 1 - got, 0);
        if (n > 0) got += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    close(fd);
    service->reply[got] = 0;
    return strncmp(service->reply, "HTTP/1.1 ", 9) == 0 ? atoi(service->reply + 9) : 0;
}

void service_write_get(char *request, size_t size, const char *path, const char *headers) {
    snprintf(request, size, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", path, headers);
}

void service_write_post(char *request, size_t size, const char *path, const char *headers, const char *body) {
    snprintf(request, size,
             "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             path, headers, strlen(body), body);
}

int service_get(struct service *service, const char *path, const char *headers) {
    char request[2048];
    service_write_get(request, sizeof request, path, headers);
    return service_ask(service, request);
}

int service_post(struct service *service, const char *path, const char *headers, const char *body) {
    char request[4096];
    service_write_post(request, sizeof request, path, headers, body);
    return service_ask(service, request);
}

struct uuid service_order_id(struct service *service) {
    struct uuid order_id;
    const char *member = strstr(service->reply, "\"order_id\":\"");
    assert_non_null(member);
    const struct bytes text = {member + sizeof "\"order_id\":\"" - 1, UUID_TEXT_SIZE - 1};
    assert_int_equal(uuid_parse(text, &order_id), STATUS_OK);
    return order_id;
}
