/* Behind the API: the commands it appends, what its caches may keep, and pending orders that the feed never reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/near_cache.h"
#include "http/api_service.h"

#define LAMP "\"customer_name\":\"Ada\",\"item\":\"lamp\",\"quantity\":2"
#define NAMED "7b8a1c9e-0000-4000-8000-000000000001"

static bool header_is(const struct event_log_record *record, const char *name, const char *value) {
    return bytes_equal(rig_header(record, name), bytes_of(value));
}

/* --- commands --- */

static void a_minted_create_is_one_complete_command(void **state) {
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct service *service = service_open(NULL, NULL, false);
    struct rig *rig = &service->rig;
    char headers[256];
    snprintf(headers, sizeof headers, "X-Request-ID: mine-1\r\ntraceparent: %s\r\n", trace);
    assert_int_equal(service_post(service, "/orders", headers, "{" LAMP "}"), 201);
    const struct uuid order_id = service_order_id(service);
    struct rig_records records = rig_read(rig, TOPIC_COMMANDS, NULL, &rig->arena);
    assert_int_equal(records.count, 1);
    const struct event_log_record *record = &records.records[0];
    struct command command;
    struct error error = {""};
    assert_int_equal(command_read(record->value, &rig->arena, &command, NULL, &error), STATUS_OK);
    char id[UUID_TEXT_SIZE], attempt[UUID_TEXT_SIZE];
    uuid_format(&order_id, id);
    uuid_format(&command.attempt_id, attempt);
    assert_true(uuid_equal(&command.order_id, &order_id));
    assert_true(command.minted);
    assert_int_equal(command.kind, COMMAND_CREATE);
    assert_int_equal(command.rules, ORDER_RULES_CURRENT);
    assert_int_equal(command.expected_version, 0);
    assert_int_equal(command.time_ms, uuid_v7_wall_ms(&order_id)); /* id and created_at sort the same */
    assert_int_equal(record->time_ms, command.time_ms);
    assert_true(bytes_equal(record->key, bytes_of(id)));
    assert_int_equal(record->partition, rig_partition(rig, &order_id));
    assert_true(header_is(record, "ce_id", attempt));
    assert_true(header_is(record, "ce_type", "orderly.command.create"));
    assert_true(header_is(record, "ce_specversion", "1.0"));
    assert_true(header_is(record, "ce_subject", id));
    assert_true(header_is(record, "content-type", "application/json"));
    assert_true(header_is(record, "x-request-id", "mine-1"));
    assert_true(header_is(record, "traceparent", trace));
    service_close(service);
}

static void a_named_create_is_not_minted_and_bad_headers_stay_out(void **state) {
    struct service *service = service_open(NULL, NULL, false);
    struct rig *rig = &service->rig;
    assert_int_equal(service_post(service, "/orders", "X-Request-ID: a b\r\ntraceparent: 00-x\r\n",
                                  "{\"order_id\":\"" NAMED "\"," LAMP "}"),
                     202); /* nobody decides here */
    struct rig_records records = rig_read(rig, TOPIC_COMMANDS, NULL, &rig->arena);
    assert_int_equal(records.count, 1);
    struct command command;
    assert_int_equal(command_read(records.records[0].value, &rig->arena, &command, NULL, NULL), STATUS_OK);
    assert_false(command.minted);
    assert_int_equal(rig_header(&records.records[0], "x-request-id").size, 0);
    assert_int_equal(rig_header(&records.records[0], "traceparent").size, 0);
    assert_int_equal(pending_count(service->api->pending), 0); /* not decided, so not shown */
    assert_int_equal(service_get(service, "/orders/" NAMED, ""), 404);
    service_close(service);
}

static void a_refused_create_leaves_no_command(void **state) {
    struct service *service = service_open(NULL, NULL, false);
    assert_int_equal(service_post(service, "/orders", "", "{\"customer_name\":\"Ada\"}"), 422);
    assert_int_equal(service_post(service, "/orders", "Idempotency-Key: k\r\n", "{" LAMP "}"), 400);
    assert_int_equal(rig_read(&service->rig, TOPIC_COMMANDS, NULL, &service->rig.arena).count, 0);
    assert_int_equal(pending_count(service->api->pending), 0);
    service_close(service);
}

/* --- the near cache --- */

static bool is_near(struct service *service, struct uuid order_id) {
    return rig_cached_version(&service->rig, order_id) > 0;
}

static void fill(struct service *service, struct uuid order_id, uint32_t mark, int64_t read_at_ms) {
    const struct order_cache_put put = {
        .order_id = order_id,
        .entry = {.version = 1, .value = BYTES("{}"), .expires_at_ms = read_at_ms + 60000},
    };
    near_cache_fill(service->api, mark, &put, read_at_ms);
}

static void a_read_fills_the_near_cache_for_a_second(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct service *service = service_open(&clock.base, NULL, false);
    const struct uuid order_id = rig_uuid(&service->rig);
    fill(service, order_id, near_cache_mark(service->api, &order_id), RIG_TIME_MS);
    assert_true(is_near(service, order_id));
    clock_manual_advance(&clock, API_NEAR_TTL_MS - 1);
    assert_true(is_near(service, order_id));
    clock_manual_advance(&clock, 1);
    assert_false(is_near(service, order_id));
    service_close(service);
}

static void an_old_read_fills_nothing(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct service *service = service_open(&clock.base, NULL, false);
    const struct uuid order_id = rig_uuid(&service->rig);
    uint32_t mark = near_cache_mark(service->api, &order_id);
    fill(service, order_id, mark, RIG_TIME_MS - API_FILL_AGE_MAX_MS - 1);
    assert_false(is_near(service, order_id));
    fill(service, order_id, mark, RIG_TIME_MS - API_FILL_AGE_MAX_MS);
    assert_true(is_near(service, order_id));
    service_close(service);
}

/* The read saw version 1, then version 2 was reported: version 1 must not come back. */
static void an_event_during_the_read_keeps_it_out(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct service *service = service_open(&clock.base, NULL, false);
    const struct uuid order_id = rig_uuid(&service->rig);
    uint32_t mark = near_cache_mark(service->api, &order_id);
    near_cache_event(service->api, &order_id, 2);
    fill(service, order_id, mark, RIG_TIME_MS);
    assert_false(is_near(service, order_id));
    fill(service, order_id, near_cache_mark(service->api, &order_id), RIG_TIME_MS);
    assert_true(is_near(service, order_id));
    near_cache_event(service->api, &order_id, 2);
    assert_false(is_near(service, order_id));
    service_close(service);
}

/* --- pending orders that the feed never reports --- */

/* A store that knows one order, and answers at once. */
struct one_order_store {
    struct order_store base; /* first */
    struct order order;
    unsigned gets;
    bool is_listed, is_listed_by_customer;
};

static void one_list(struct order_store *base, struct order_store_list *list) {
    const struct one_order_store *store = (const struct one_order_store *)(const void *)base;
    bool is_there = list->customer_name.data ? store->is_listed_by_customer : store->is_listed;
    assert_true(list->created_after_ms < RIG_TIME_MS && list->created_before_ms > RIG_TIME_MS);
    list->done(list, STATUS_OK, &store->order, is_there, &(struct order_store_cursor){0}, NULL);
}

static void one_get(struct order_store *base, struct order_store_get *get) {
    struct one_order_store *store = (struct one_order_store *)(void *)base;
    store->gets++;
    bool is_known = uuid_equal(&get->order_id, &store->order.order_id);
    get->done(get, is_known ? STATUS_OK : STATUS_NOT_FOUND, is_known ? &store->order : NULL, RIG_TIME_MS, NULL);
}

static const struct order_store_ops one_order_ops = {.name = "one", .get = one_get, .list = one_list};

static void add_pending(struct service *service, struct uuid order_id, int64_t created_at_ms) {
    const struct order order = {.order_id = order_id, .created_at_ms = created_at_ms};
    struct pending_order *made;
    assert_int_equal(pending_reserve(service->api->pending, &order, BYTES("{\"status\":\"created\"}"), &made),
                     STATUS_OK);
    pending_acknowledge(service->api->pending, made);
    pending_release(made);
}

static void forgotten_orders_are_looked_up_and_taken_out(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct one_order_store store = {.base.ops = &one_order_ops, .order = {.order_id = {{1}}, .version = 3}};
    struct service *service = service_open(&clock.base, &store.base, false);
    add_pending(service, store.order.order_id, RIG_TIME_MS);
    add_pending(service, (struct uuid){{2}}, RIG_TIME_MS + 1);
    clock_manual_advance(&clock, 60000); /* as old as a cache entry may be, not older */
    pending_recheck(service->api);
    assert_int_equal(store.gets, 0);
    for (int i = 0; i < 6; i++) {
        clock_manual_advance(&clock, API_RECHECK_MS);
        pending_recheck(service->api);
        pending_recheck(service->api); /* one at a time */
    }
    assert_int_equal(pending_count(service->api->pending), 1); /* the one the store does not know stays */
    assert_in_range(store.gets, 3, 6);                         /* and is asked for again */
    service_close(service);
}

/* A store whose apply is not atomic: what a get finds must not vanish from the lists. */
static void a_forgotten_order_stays_until_it_is_listed(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct one_order_store store = {.base.ops = &one_order_ops, .order = {.order_id = {{1}}, .version = 1}};
    struct service *service = service_open(&clock.base, &store.base, false);
    add_pending(service, store.order.order_id, RIG_TIME_MS);
    clock_manual_advance(&clock, 60001);
    for (int step = 0; step < 3; step++) {
        store.is_listed = step > 0;
        store.is_listed_by_customer = step > 1;
        for (int i = 0; i < 3; i++) { /* each second look begins anew at the oldest */
            clock_manual_advance(&clock, API_RECHECK_MS);
            pending_recheck(service->api);
        }
        assert_int_equal(pending_count(service->api->pending), step < 2);
    }
    service_close(service);
}

/* As long as a cache entry a pending order answers by itself; then only if the store does not know better. */
static void an_old_pending_order_asks_the_store_first(void **state) {
    struct clock_manual clock;
    clock_manual_init(&clock, RIG_TIME_MS);
    struct one_order_store store = {
        .base.ops = &one_order_ops,
        .order = {.order_id = {{1}}, .version = 3, .status = ORDER_PAID, .currency = "EUR"}};
    struct service *service = service_open(&clock.base, &store.base, false);
    add_pending(service, store.order.order_id, RIG_TIME_MS);
    add_pending(service, (struct uuid){{2}}, RIG_TIME_MS);
    assert_int_equal(service_get(service, "/orders/01000000-0000-0000-0000-000000000000", ""), 200);
    assert_non_null(strstr(service->reply, "ETag: \"1\""));
    clock_manual_advance(&clock, 60000);
    assert_int_equal(service_get(service, "/orders/01000000-0000-0000-0000-000000000000", ""), 200);
    assert_non_null(strstr(service->reply, "ETag: \"3\""));
    assert_int_equal(service_get(service, "/orders/02000000-0000-0000-0000-000000000000", ""), 200);
    assert_non_null(strstr(service->reply, "ETag: \"1\""));
    service_close(service);
}

/* --- pages of stored and pending orders --- */

#define STORED 24
#define PENDING 40
#define MIXED_MAX (STORED + PENDING)

struct mixture {
    struct pending_key expected[MIXED_MAX]; /* newest first */
    size_t count;
};

static int newest_first(const void *a, const void *b) {
    return pending_key_compare(b, a);
}

static void expect(struct mixture *mixture, int64_t created_at_ms, const struct uuid *order_id) {
    mixture->expected[mixture->count++] = pending_position(created_at_ms, order_id);
}

/* Orders made over the API, a few in each millisecond, and processed. */
static void make_stored(struct service *service, struct clock_manual *clock, struct mixture *mixture) {
    for (int i = 0; i < STORED; i++) {
        if (i % 3 == 0) clock_manual_advance(clock, 2);
        assert_int_equal(service_post(service, "/orders", "", "{" LAMP "}"), 201);
        const struct uuid order_id = service_order_id(service);
        expect(mixture, uuid_v7_wall_ms(&order_id), &order_id);
    }
    service_wait(service_nothing_is_pending, service);
    rig_stop(&service->rig);
}

/* Among and around them; every fourth one is a stored order that the feed has not reported. */
static void make_pending(struct service *service, struct mixture *mixture) {
    char id[UUID_TEXT_SIZE], json[128];
    for (int i = 0; i < PENDING; i++) {
        bool is_stored = i % 4 == 0 && i / 4 < STORED;
        struct order order = {.created_at_ms = RIG_TIME_MS + i / 2, .customer_name = BYTES("Ada")};
        order.order_id = uuid_make_v7(order.created_at_ms, &service->rig.random.base);
        if (is_stored) order.order_id = mixture->expected[i / 4].order_id;
        if (is_stored) order.created_at_ms = mixture->expected[i / 4].created_at_ms;
        if (!is_stored) expect(mixture, order.created_at_ms, &order.order_id);
        uuid_format(&order.order_id, id);
        snprintf(json, sizeof json, "{\"order_id\":\"%s\"}", id);
        struct pending_order *made;
        assert_int_equal(pending_reserve(service->api->pending, &order, bytes_of(json), &made), STATUS_OK);
        pending_acknowledge(service->api->pending, made);
        pending_release(made);
    }
    qsort(mixture->expected, mixture->count, sizeof *mixture->expected, newest_first);
}

/* The ids on the page that was just read. */
static size_t read_page(struct service *service, struct uuid *ids, size_t max) {
    size_t count = 0;
    for (const char *at = service->reply; (at = strstr(at, "\"order_id\":\"")); count++) {
        assert_true(count < max);
        at += sizeof "\"order_id\":\"" - 1;
        assert_int_equal(uuid_parse((struct bytes){at, UUID_TEXT_SIZE - 1}, &ids[count]), STATUS_OK);
    }
    return count;
}

static bool next_path(struct service *service, char *path, size_t size) {
    const char *link = strstr(service->reply, "Link: <");
    const char *end = link ? strchr(link, '>') : NULL;
    if (!end) return false;
    snprintf(path, size, "%.*s", (int)(end - link - 7), link + 7);
    return true;
}

static void check_pages(struct service *service, const struct mixture *mixture, int limit, const char *filter) {
    char path[1024];
    struct uuid seen[MIXED_MAX];
    size_t count = 0;
    int pages = 0;
    snprintf(path, sizeof path, "/orders?limit=%d%s", limit, filter);
    do {
        assert_int_equal(service_get(service, path, ""), 200);
        size_t got = read_page(service, seen + count, MIXED_MAX - count);
        assert_true(got <= (size_t)limit);
        count += got;
        assert_true(pages++ < 2 * MIXED_MAX);
    } while (next_path(service, path, sizeof path));
    assert_int_equal(count, mixture->count);
    for (size_t i = 0; i < count; i++)
        assert_true(uuid_equal(&seen[i], &mixture->expected[i].order_id));
}

static void pages_mix_stored_and_pending_orders(void **state) {
    static const int limits[] = {1, 2, 3, 5, 7, 11, 40, 64, 200};
    static const char *const filters[] = {"", "&status=created", "&customer_name=Ada"};
    struct clock_manual clock;
    struct mixture mixture = {.count = 0};
    clock_manual_init(&clock, RIG_TIME_MS);
    struct service *service = service_open(&clock.base, NULL, true);
    make_stored(service, &clock, &mixture);
    make_pending(service, &mixture);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (size_t j = 0; j < sizeof filters / sizeof *filters; j++)
            check_pages(service, &mixture, limits[i], filters[j]);
    service_close(service);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minted_create_is_one_complete_command),
        cmocka_unit_test(a_named_create_is_not_minted_and_bad_headers_stay_out),
        cmocka_unit_test(a_refused_create_leaves_no_command),
        cmocka_unit_test(a_read_fills_the_near_cache_for_a_second),
        cmocka_unit_test(an_old_read_fills_nothing),
        cmocka_unit_test(an_event_during_the_read_keeps_it_out),
        cmocka_unit_test(forgotten_orders_are_looked_up_and_taken_out),
        cmocka_unit_test(a_forgotten_order_stays_until_it_is_listed),
        cmocka_unit_test(an_old_pending_order_asks_the_store_first),
        cmocka_unit_test(pages_mix_stored_and_pending_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
