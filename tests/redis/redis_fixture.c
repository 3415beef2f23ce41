/* A cache on a Redis of the test's own, and requests that are watched. */
#include "redis/redis_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 2000 /* of a call, in tests that are not about it */

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "%s\n", what);
    abort();
}

static int64_t shifted_wall_ms(const struct clock *clock) {
    return clock_wall_ms(clock_system()) + ((const struct shifted_clock *)(const void *)clock)->shift_ms;
}

static int64_t unshifted_monotonic_ns(const struct clock *clock) {
    return clock_monotonic_ns(clock_system());
}

int64_t fixture_now_ms(const struct fixture *fixture) {
    return clock_wall_ms(&fixture->clock.base);
}

int64_t fixture_monotonic_ms(void) {
    return clock_monotonic_ns(clock_system()) / 1000000;
}

int fixture_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture || pipe2(fixture->log_fds, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    fixture->clock.base = (struct clock){shifted_wall_ms, unshifted_monotonic_ns};
    fixture->metrics = metrics_new();
    log_init(&fixture->log, clock_system(), fixture->log_fds[1], LOG_DEBUG, LOG_TEXT);
    redis_server_init(&fixture->server);
    redis_server_start(&fixture->server);
    fixture->options = (struct order_cache_redis_options){
        .host = "127.0.0.1",
        .port = fixture->server.port,
        .namespace_prefix = "t:",
        .timeout_ms = TIMEOUT_MS,
        .connect_timeout_ms = TIMEOUT_MS,
        .backoff_min_ms = 5,
        .backoff_max_ms = 50,
        .clock = &fixture->clock.base,
        .random = random_system(),
        .logger = &fixture->log,
        .metrics = fixture->metrics,
    };
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    order_cache_close(fixture->cache);
    redis_server_kill(&fixture->server);
    metrics_free(fixture->metrics);
    close(fixture->log_fds[0]), close(fixture->log_fds[1]);
    free(fixture);
    return 0;
}

static struct order_cache *open_cache(struct fixture *fixture) {
    struct order_cache *cache;
    struct error error;
    if (order_cache_redis_open(&fixture->options, &cache, &error) != STATUS_OK) give_up(error.text);
    return cache;
}

void fixture_open_only(struct fixture *fixture) {
    fixture->cache = open_cache(fixture);
}

void fixture_open(struct fixture *fixture) {
    fixture_open_only(fixture);
    fixture_wait_up(fixture->cache);
}

struct order_cache *fixture_open_another(struct fixture *fixture) {
    struct order_cache *cache = open_cache(fixture);
    fixture_wait_up(cache);
    return cache;
}

bool fixture_wait(bool (*condition)(void *data), void *data) {
    int64_t until_ms = fixture_monotonic_ms() + WAIT_S * 1000;
    while (!condition(data)) {
        if (fixture_monotonic_ms() > until_ms) return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

static bool is_up(void *data) {
    struct uuid id = cache_test_id(UINT64_MAX);
    return cache_test_get(data, &id, NULL).status != STATUS_UNAVAILABLE;
}

static bool is_down(void *data) {
    return !is_up(data);
}

void fixture_wait_up(struct order_cache *cache) {
    if (!fixture_wait(is_up, cache)) give_up("the cache does not come up");
}

void fixture_wait_down(struct order_cache *cache) {
    if (!fixture_wait(is_down, cache)) give_up("the cache does not go down");
}

const char *fixture_log(struct fixture *fixture) {
    for (;;) {
        size_t room = sizeof fixture->log_text - 1 - fixture->log_size;
        ssize_t n = read(fixture->log_fds[0], fixture->log_text + fixture->log_size, room);
        if (n <= 0) return fixture->log_text;
        fixture->log_size += (size_t)n;
    }
}

char *fixture_metrics(struct fixture *fixture) {
    struct buffer buffer;
    buffer_init(&buffer, 1u << 20);
    metrics_write(fixture->metrics, &buffer);
    buffer_put_char(&buffer, '\0');
    char *text = buffer_take(&buffer, &(size_t){0});
    if (!text) give_up("no memory");
    return text;
}

/* --- watched requests --- */

static void note_done(struct watched *watched, enum status status) {
    watched->took_ms = fixture_monotonic_ms() - watched->started_ms;
    watched->status = (int)status;
    watched->dones++;
}

static void get_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct watched *watched = get->data;
    watched->version = entry ? entry->version : 0;
    note_done(watched, status);
}

static void put_done(struct order_cache_put *put, enum status status) {
    note_done(put->data, status);
}

static struct watched *watch_new(void) {
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched) give_up("no memory");
    watched->started_ms = fixture_monotonic_ms();
    return watched;
}

struct watched *watch_get(struct order_cache *cache, const struct uuid *order_id) {
    struct watched *watched = watch_new();
    watched->get = (struct order_cache_get){.order_id = *order_id, .done = get_done, .data = watched};
    order_cache_get(cache, &watched->get);
    return watched;
}

struct watched *watch_put(struct order_cache *cache, const struct uuid *order_id, uint32_t version, struct bytes value,
                          int64_t expires_at_ms) {
    struct watched *watched = watch_new();
    watched->put = (struct order_cache_put){
        .order_id = *order_id, .entry = {version, value, expires_at_ms}, .done = put_done, .data = watched};
    order_cache_put(cache, &watched->put);
    return watched;
}

bool watch_is_done(const struct watched *watched) {
    return watched->dones > 0;
}

static bool has_ended(void *data) {
    return watch_is_done(data);
}

void watch_wait(struct watched *watched) {
    if (!fixture_wait(has_ended, watched)) give_up("done did not come");
    if (watched->dones != 1) give_up("done came twice");
}

enum status watch_end(struct watched *watched) {
    watch_wait(watched);
    enum status status = (enum status)watched->status;
    free(watched);
    return status;
}
