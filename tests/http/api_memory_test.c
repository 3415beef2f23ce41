/* A request's way through the whole service with the n-th allocation failing, for every n: the answer is the usual one
 * or 503, the server goes on, and every order that was answered 201 is there in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/api_service.h"
#include "support/failing_alloc.h"

#define ALLOCATIONS_MAX 2000 /* more than any request makes */
#define UNANSWERED_MAX 6     /* a connection, a request, what they need to begin; other threads may count in between */
#define CREATED_MAX 2000

static struct uuid created[CREATED_MAX];
static size_t created_count;

static int open_service(void **state) {
    *state = service_open(NULL, NULL, true);
    return 0;
}

static int close_service(void **state) {
    service_close(*state);
    return 0;
}

/* The n-th allocation fails, for n from 1 until a request needs fewer. make writes the request anew each time. Without
 * memory for the connection or the request itself there is no answer, only an end. */
static void try_all(struct service *service, int expected, int other,
                    void (*make)(struct service *service, char *request, size_t size)) {
    static char request[4096];
    bool was_hit = true;
    int unanswered = 0;
    for (long n = 1; was_hit; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        make(service, request, sizeof request);
        assert_true(rig_wait_committed(&service->rig)); /* quiet, so that it is this request that is hit */
        service_wait(service_nothing_is_pending, service);
        failing_alloc_arm(n);
        int status = service_ask(service, request);
        was_hit = failing_alloc_disarm();
        bool is_usual = status == expected || status == other;
        bool is_sound =
            is_usual || (was_hit && status == 503) || (was_hit && status == 0 && ++unanswered <= UNANSWERED_MAX);
        if (!is_sound) print_error("n = %ld: %d\n%s\n%s\n", n, status, request, service->reply);
        assert_true(is_sound);
        if (status == 201) created[created_count++] = service_order_id(service);
        assert_true(created_count < CREATED_MAX);
    }
}

#define ITEMS "\"items\":[{\"item\":\"lamp\",\"quantity\":1},{\"item\":\"desk\",\"quantity\":2,\"unit_price\":5}]"

static void make_minted(struct service *service, char *request, size_t size) {
    service_write_post(request, size, "/orders", "X-Request-ID: r1\r\n",
                       "{\"customer_name\":\"A\\u0064a\"," ITEMS ",\"metadata\":{\"a\":\"b\"}}");
}

static void make_named(struct service *service, char *request, size_t size) {
    char id[UUID_TEXT_SIZE], body[512];
    const struct uuid order_id = rig_uuid(&service->rig);
    uuid_format(&order_id, id);
    snprintf(body, sizeof body, "{\"order_id\":\"%s\",\"customer_name\":\"Ada\"," ITEMS "}", id);
    service_write_post(request, size, "/orders", "", body);
}

static void make_empty(struct service *service, char *request, size_t size) {
    service_write_post(request, size, "/api/orders", "", "");
}

static void make_invalid(struct service *service, char *request, size_t size) {
    service_write_post(request, size, "/orders", "", "{\"customer_name\":1,\"item\":2,\"quantity\":\"x\",\"foo\":[]}");
}

static void make_not_json(struct service *service, char *request, size_t size) {
    service_write_post(request, size, "/orders", "", "{\"customer_name\":\"Ada\",\"item\":lamp}");
}

static void make_list(struct service *service, char *request, size_t size) {
    service_write_get(request, size,
                      "/orders?limit=1&status=created&customer_name=%41da&created_after=2020-01-01T00:00:00Z", "");
}

static void make_bad_list(struct service *service, char *request, size_t size) {
    service_write_get(request, size, "/orders?limit=0&status=x&foo=1&cursor=abc", "");
}

static void make_read_of(const char *base, const char *headers, char *request, size_t size) {
    char id[UUID_TEXT_SIZE], path[64];
    uuid_format(&created[0], id);
    snprintf(path, sizeof path, "%s%s", base, id);
    service_write_get(request, size, path, headers);
}

static void make_read(struct service *service, char *request, size_t size) {
    make_read_of("/orders/", "", request, size);
}

static void make_fresh_read(struct service *service, char *request, size_t size) {
    make_read_of("/api/orders/", "Cache-Control: no-cache\r\n", request, size);
}

static void make_unknown_read(struct service *service, char *request, size_t size) {
    service_write_get(request, size, "/orders/00000000-0000-4000-8000-000000000000", "");
}

static void make_ready(struct service *service, char *request, size_t size) {
    service_write_get(request, size, "/health/ready", "");
}

static void make_metrics(struct service *service, char *request, size_t size) {
    service_write_get(request, size, "/metrics", "");
}

static void every_request_survives(void **state) {
    struct service *service = *state;
    try_all(service, 201, 201, make_minted);
    try_all(service, 201, 201, make_empty);
    try_all(service, 201, 202, make_named); /* 202: the feed could not read the verdict */
    try_all(service, 422, 422, make_invalid);
    try_all(service, 400, 400, make_not_json);
    try_all(service, 200, 200, make_read);
    try_all(service, 200, 200, make_fresh_read);
    try_all(service, 404, 404, make_unknown_read);
    try_all(service, 200, 200, make_list);
    try_all(service, 422, 422, make_bad_list);
    try_all(service, 200, 200, make_ready);
    try_all(service, 200, 200, make_metrics);
}

static void what_was_acknowledged_is_there(void **state) {
    struct service *service = *state;
    service_wait(service_nothing_is_pending, service);
    assert_true(created_count >= 3);
    for (size_t i = 0; i < created_count; i++)
        assert_non_null(rig_order(&service->rig, created[i], &service->rig.arena));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_survives),
        cmocka_unit_test(what_was_acknowledged_is_there),
    };
    return cmocka_run_group_tests(tests, open_service, close_service);
}
