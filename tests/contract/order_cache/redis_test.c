/* The contract of the order cache, held against a real Redis (REDIS_HOST, REDIS_PORT), in a namespace of its own. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "contract/order_cache/order_cache_contract.h"
#include "order_cache/redis.h"

#define TIMEOUT_MS 10000 /* of a call: sanitizers are slow, and no test here is about time limits */
#define UP_POLLS_MAX 2000

static bool is_up(struct order_cache *cache) {
    struct uuid id = cache_test_id(0);
    for (int i = 0; i < UP_POLLS_MAX; i++) {
        if (cache_test_get(cache, &id, NULL).status != STATUS_UNAVAILABLE) return true;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return false;
}

static struct order_cache *open_redis(struct order_cache_subject *subject) {
    const char *host = getenv("REDIS_HOST"), *port = getenv("REDIS_PORT");
    char prefix[32];
    uint64_t number;
    struct error error;
    struct order_cache *cache;
    random_fill(random_system(), &number, sizeof number);
    snprintf(prefix, sizeof prefix, "test-%016" PRIx64 ":", number);
    struct order_cache_redis_options options = {.host = host ? host : "127.0.0.1",
                                                .port = (uint16_t)atoi(port ? port : "6379"),
                                                .namespace_prefix = prefix,
                                                .timeout_ms = TIMEOUT_MS,
                                                .connect_timeout_ms = TIMEOUT_MS,
                                                .clock = clock_system(),
                                                .random = random_system()};
    if (order_cache_redis_open(&options, &cache, &error) != STATUS_OK) {
        print_error("%s\n", error.text);
        return NULL;
    }
    if (is_up(cache)) return cache;
    if (order_cache_check(cache, TIMEOUT_MS, &error) != STATUS_OK) print_error("%s\n", error.text);
    order_cache_close(cache);
    return NULL;
}

static int64_t now_ms(struct order_cache_subject *subject) {
    return clock_wall_ms(clock_system());
}

/* Really waited for: Redis has a clock of its own. */
static void pass_ms(struct order_cache_subject *subject, int64_t ms) {
    int64_t until_ms = now_ms(subject) + ms;
    while (now_ms(subject) < until_ms)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int main(void) {
    struct order_cache_subject subject = {
        .name = "order_cache on redis", .open = open_redis, .now_ms = now_ms, .pass_ms = pass_ms};
    return order_cache_contract_run(&subject);
}
