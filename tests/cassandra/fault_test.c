/* A Cassandra that goes away and comes back: requests end in time and say so, what is repeated is repaired, nothing is
 * done by hand. The node in front of the real one is cut and frozen; with CASSANDRA_TEST_CLUSTER="deploy/local/cluster
 * --dir ..." (a cluster of the test's own) the real one is killed, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include "cassandra/fixture.h"
#include "contract/completion.h"
#include "cql/node.h"
#include "order_store/cassandra_store.h"

#define TIMEOUT_MS 2000
#define MARGIN_MS 3000    /* for a busy machine */
#define RECOVERY_MS 30000 /* back to work after the node is back */
#define ORDERS 512
#define ROUNDS 6

struct weather {
    struct cassandra_fixture *fixture;
    struct node *node;
    struct order_store *store; /* through the node */
};

static void weather_begin(void **state, struct weather *weather) {
    weather->fixture = fixture_of(state);
    weather->node = node_start(test_contact_points(), NODE_FORWARDS);
    struct order_store_cassandra_options options = test_options(weather->fixture->prefix);
    struct error error = {""};
    options.contact_points = node_address(weather->node);
    options.request_timeout_ms = TIMEOUT_MS;
    if (order_store_cassandra_open(&options, &weather->store, &error) == STATUS_OK) return;
    fprintf(stderr, "%s\n", error.text);
    abort();
}

static void weather_end(struct weather *weather) {
    order_store_close(weather->store);
    node_stop(weather->node);
}

/* Repeats a get until it works, within a bound. */
static void assert_recovers(struct weather *weather, const struct uuid *order_id) {
    int64_t until_ms = fixture_now_ms() + RECOVERY_MS;
    while (store_test_get(weather->store, &weather->fixture->arena, order_id, NULL, NULL) != STATUS_OK) {
        assert_true(fixture_now_ms() < until_ms);
        poll(NULL, 0, 20);
    }
}

static void assert_in_time(int64_t began_ms) {
    assert_true(fixture_now_ms() - began_ms < TIMEOUT_MS + MARGIN_MS);
}

static void assert_requests_fail(struct weather *weather, const struct history_row *row, bool may_be_written) {
    struct arena *arena = &weather->fixture->arena;
    const struct history_row *new_row = sample_row(arena, &weather->fixture->random.base, "Ada", SAMPLE_TIME_MS);
    struct store_page page;
    struct order_store_list all = {.limit = 5};
    int64_t began_ms = fixture_now_ms();
    assert_int_equal(store_test_get(weather->store, arena, &row->order.order_id, NULL, NULL), STATUS_UNAVAILABLE);
    assert_in_time(began_ms);
    began_ms = fixture_now_ms();
    enum status status = store_test_apply_one(weather->store, NULL, new_row);
    assert_int_equal(status, may_be_written ? STATUS_UNKNOWN : STATUS_UNAVAILABLE);
    assert_in_time(began_ms);
    began_ms = fixture_now_ms();
    assert_int_equal(store_test_list(weather->store, arena, &all, &page), STATUS_UNAVAILABLE);
    assert_in_time(began_ms);
}

static void test_a_node_that_is_down_fails_requests_and_comes_back(void **state) {
    struct weather weather;
    struct error error = {""};
    weather_begin(state, &weather);
    const struct history_row *row = fixture_create(weather.fixture, "Ada", SAMPLE_TIME_MS);
    assert_recovers(&weather, &row->order.order_id);
    node_set(weather.node, NODE_DOWN);
    store_test_get(weather.store, &weather.fixture->arena, &row->order.order_id, NULL, NULL); /* it learns of it */
    assert_requests_fail(&weather, row, false);
    int64_t began_ms = fixture_now_ms();
    assert_int_equal(order_store_check(weather.store, 1000, &error), STATUS_UNAVAILABLE);
    assert_true(fixture_now_ms() - began_ms < 1000 + MARGIN_MS);
    assert_non_null(strstr(error.text, node_address(weather.node)));
    assert_non_null(strstr(error.text, "does not answer"));
    assert_non_null(strstr(error.text, "CASSANDRA_CONTACT_POINTS"));
    node_set(weather.node, NODE_FORWARDS);
    assert_recovers(&weather, &row->order.order_id);
    assert_int_equal(order_store_check(weather.store, 20000, &error), STATUS_OK);
    weather_end(&weather);
}

static void test_a_frozen_node_fails_requests_in_time(void **state) {
    struct weather weather;
    struct error error = {""};
    weather_begin(state, &weather);
    const struct history_row *row = fixture_create(weather.fixture, "Ada", SAMPLE_TIME_MS);
    node_set(weather.node, NODE_FROZEN);
    assert_requests_fail(&weather, row, true);
    int64_t began_ms = fixture_now_ms();
    assert_int_equal(order_store_check(weather.store, 500, &error), STATUS_UNAVAILABLE);
    assert_true(fixture_now_ms() - began_ms < 500 + MARGIN_MS);
    node_set(weather.node, NODE_FORWARDS);
    assert_recovers(&weather, &row->order.order_id);
    weather_end(&weather);
}

/* --- in the middle of an apply --- */

struct flight {
    struct order_store_apply request;
    struct completion completion;
    enum status status;
};

static void flight_done(struct order_store_apply *request, enum status status, const char *error_text) {
    struct flight *flight = request->data;
    flight->status = status;
    completion_signal(&flight->completion);
}

static void take_off(struct order_store *store, struct flight *flight, const struct order_store_change *changes,
                     size_t count) {
    completion_init(&flight->completion);
    flight->request =
        (struct order_store_apply){.changes = changes, .count = count, .done = flight_done, .data = flight};
    order_store_apply(store, &flight->request);
}

/* Applies until it is done, with `disturb` at a random moment of the first attempt. True: that one did not end well. */
static bool apply_disturbed(struct order_store *store, struct random *random, const struct order_store_change *changes,
                            size_t count, void (*disturb)(void *data), void *data) {
    int64_t until_ms = fixture_now_ms() + 4 * RECOVERY_MS;
    for (int attempt = 0;; attempt++) {
        struct flight flight;
        take_off(store, &flight, changes, count);
        if (attempt == 0) {
            poll(NULL, 0, (int)random_below(random, 40));
            disturb(data);
        }
        completion_wait(&flight.completion);
        if (flight.status == STATUS_OK) return attempt > 0;
        assert_true(flight.status == STATUS_UNKNOWN || flight.status == STATUS_UNAVAILABLE);
        assert_true(fixture_now_ms() < until_ms);
        poll(NULL, 0, 50);
    }
}

static void cut(void *data) {
    struct node *node = data;
    node_set(node, NODE_DOWN);
    node_set(node, NODE_FORWARDS);
}

/* The versions of all orders, some with another name, in the rounds' order. */
static const struct history_row *next_version(struct cassandra_fixture *fixture, const struct history_row *row,
                                              int round) {
    static const char *const names[] = {"Ada", "Grace", "Linus"};
    struct random *random = &fixture->random.base;
    if (!row)
        return sample_row(&fixture->arena, random, names[0], SAMPLE_TIME_MS + (int64_t)random_below(random, 30000));
    if (round % 3 == 2) return sample_amendment(&fixture->arena, random, row, names[random_below(random, 3)]);
    return sample_transition(&fixture->arena, random, row, (enum order_status)(round % ORDER_STATUS_COUNT));
}

static void assert_all_is_there(struct cassandra_fixture *fixture, const struct history_row *const *rows, int rounds) {
    static const char *const names[] = {"Ada", "Grace", "Linus"};
    struct store_model model;
    model_init(&model, &fixture->arena, ORDERS);
    for (size_t i = 0; i < ORDERS; i++) {
        const struct history_row *history;
        size_t count;
        model_show(&model, &rows[i]->order);
        if (i % 16) continue;
        assert_int_equal(
            store_test_history(fixture->store, &fixture->arena, &rows[i]->order.order_id, 1, 100, &history, &count),
            STATUS_OK);
        assert_int_equal(count, rounds);
        assert_true(history_row_equal(&history[count - 1], rows[i]));
    }
    assert_all_lists(fixture->store, &model, names, 3);
}

static void run_disturbed(struct cassandra_fixture *fixture, struct order_store *store, int rounds,
                          void (*disturb)(void *data), void *data) {
    static const struct history_row *rows[ORDERS];
    static struct order_store_change changes[ORDERS];
    memset(rows, 0, sizeof rows);
    size_t disturbed = 0;
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < ORDERS; i++) {
            const struct history_row *before = rows[i];
            rows[i] = next_version(fixture, before, round);
            changes[i] = (struct order_store_change){before ? &before->order : NULL, rows[i]};
        }
        disturbed += apply_disturbed(store, &fixture->random.base, changes, ORDERS, disturb, data);
    }
    int64_t until_ms = fixture_now_ms() + RECOVERY_MS; /* the last apply may have ended before the disturbance */
    while (order_store_check(fixture->store, 1000, NULL) != STATUS_OK)
        assert_true(fixture_now_ms() < until_ms);
    print_message("%zu first attempts were disturbed\n", disturbed);
    assert_all_is_there(fixture, rows, rounds);
}

static void test_what_is_cut_in_the_middle_is_repaired_by_the_repeat(void **state) {
    struct weather weather;
    weather_begin(state, &weather);
    run_disturbed(weather.fixture, weather.store, ROUNDS, cut, weather.node);
    weather_end(&weather);
}

/* The pid that `cluster status` says: the command itself takes too long to hit the middle of an apply. */
struct victim {
    const char *cluster;
    pid_t pid;
};

static void find_victim(struct victim *victim) {
    char command[512], line[256];
    snprintf(command, sizeof command, "%s status", victim->cluster);
    FILE *status = popen(command, "r");
    assert_non_null(status);
    victim->pid = 0;
    while (fgets(line, sizeof line, status)) {
        const char *pid = strstr(line, " pid ");
        if (strncmp(line, "cassandra ", strlen("cassandra ")) == 0 && pid) victim->pid = atoi(pid + strlen(" pid "));
    }
    pclose(status);
    assert_true(victim->pid > 0);
}

static void kill_and_start(void *data) {
    struct victim *victim = data;
    char command[512];
    assert_int_equal(kill(victim->pid, SIGKILL), 0);
    snprintf(command, sizeof command, "%s kill cassandra; %s start cassandra", victim->cluster, victim->cluster);
    assert_int_equal(system(command), 0);
    find_victim(victim);
}

static void test_a_killed_cassandra_loses_nothing(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct victim victim = {.cluster = getenv("CASSANDRA_TEST_CLUSTER")};
    if (!victim.cluster) skip();
    find_victim(&victim);
    run_disturbed(fixture, fixture->store, 4, kill_and_start, &victim);
}

/* --- the session --- */

static void test_a_session_beyond_repair_is_replaced(void **state) {
    struct weather weather;
    weather_begin(state, &weather);
    struct cassandra_store *store = cassandra_of(weather.store);
    store->session_failing_ms = 300;
    const struct history_row *row = fixture_create(weather.fixture, "Ada", SAMPLE_TIME_MS);
    struct cassandra_session *session = cassandra_session_hold(store);
    cql_shutdown(session->cql, 0);
    assert_int_equal(store_test_get(weather.store, &weather.fixture->arena, &row->order.order_id, NULL, NULL),
                     STATUS_UNAVAILABLE);
    assert_recovers(&weather, &row->order.order_id);
    cassandra_session_release(store, session);
    assert_int_equal(store_test_apply_one(weather.store, NULL, row), STATUS_OK);
    weather_end(&weather);
}

/* --- more requests than fit --- */

#define CROWD (CASSANDRA_REQUESTS_MAX + 500)

struct crowd {
    atomic_size_t ended, full, unavailable;
};

static void crowd_done(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                       const char *error_text) {
    struct crowd *crowd = get->data;
    if (status == STATUS_FULL) atomic_fetch_add(&crowd->full, 1);
    if (status == STATUS_UNAVAILABLE) atomic_fetch_add(&crowd->unavailable, 1);
    atomic_fetch_add(&crowd->ended, 1);
}

static void test_too_many_requests_are_refused_and_none_hangs(void **state) {
    static struct order_store_get gets[CROWD];
    struct weather weather;
    struct crowd crowd = {0};
    weather_begin(state, &weather);
    const struct history_row *row = fixture_create(weather.fixture, "Ada", SAMPLE_TIME_MS);
    node_set(weather.node, NODE_FROZEN);
    int64_t began_ms = fixture_now_ms();
    for (size_t i = 0; i < CROWD; i++) {
        gets[i] = (struct order_store_get){.order_id = row->order.order_id, .done = crowd_done, .data = &crowd};
        order_store_get(weather.store, &gets[i]);
    }
    assert_int_equal(atomic_load(&crowd.full), CROWD - CASSANDRA_REQUESTS_MAX);
    while (atomic_load(&crowd.ended) < CROWD) {
        assert_in_time(began_ms);
        poll(NULL, 0, 10);
    }
    assert_int_equal(atomic_load(&crowd.unavailable), CASSANDRA_REQUESTS_MAX);
    node_set(weather.node, NODE_FORWARDS);
    assert_recovers(&weather, &row->order.order_id);
    weather_end(&weather);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_node_that_is_down_fails_requests_and_comes_back),
        TEST(test_a_frozen_node_fails_requests_in_time),
        TEST(test_what_is_cut_in_the_middle_is_repaired_by_the_repeat),
        TEST(test_a_killed_cassandra_loses_nothing),
        TEST(test_a_session_beyond_repair_is_replaced),
        TEST(test_too_many_requests_are_refused_and_none_hangs),
    };
    return cmocka_run_group_tests(tests, fixture_open_group, fixture_close_group);
}
