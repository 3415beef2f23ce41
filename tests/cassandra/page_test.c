/* What a page of a list costs: by Cassandra's own traces, at ten orders and at many. And pages over bounds of buckets,
 * days and years. CASSANDRA_LIST_ORDERS=1000000 compares ten orders with that many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <poll.h>
#include <sys/resource.h>

#include "cassandra/fixture.h"
#include "contract/completion.h"
#include "order_store/cassandra_store.h"

#define SOME_ORDERS 1000
#define MANY_ORDERS 20000
#define ORDER_EVERY_MS 100
#define BATCH 512
#define LOADS 4
#define ATTEMPTS_MAX 10
#define PAGE 10
#define TRACES_MAX 256
#define TRACE_WAIT_MS 20000

/* --- traces --- */

struct traces {
    uint8_t ids[TRACES_MAX][16];
    size_t count;
};

static void note_trace(void *data, const uint8_t id[16]) {
    struct traces *traces = data;
    if (traces->count < TRACES_MAX) memcpy(traces->ids[traces->count++], id, 16);
}

struct cost {
    size_t partitions, rows, tombstones, listing_rows;
};

/* Adds what the server says that one request read. The events are written some time after the answer. */
static bool add_cost(struct cassandra_fixture *fixture, const uint8_t id[16], struct cost *cost) {
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];
    memcpy(uuid.bytes, id, 16);
    uuid_format(&uuid, text);
    struct cql_result *rows =
        test_query_one(&fixture->keyspaces, "SELECT activity FROM system_traces.events WHERE session_id = %s", text);
    bool is_found = false;
    for (size_t row = 0; rows && row < cql_result_rows(rows) && !is_found; row++) {
        char activity[256];
        unsigned live, dead;
        cassandra_cell_text(rows, row, 0, activity, sizeof activity);
        if (sscanf(activity, "Read %u live rows and %u tombstone", &live, &dead) != 2) continue;
        is_found = true;
        cost->partitions++;
        cost->rows += live;
        cost->tombstones += dead;
    }
    cql_result_free(rows);
    return is_found;
}

static struct cost traced_page(struct cassandra_fixture *fixture, const struct order_store_list *filter,
                               struct store_page *page_out) {
    struct cassandra_store *store = cassandra_of(fixture->store);
    struct traces traces = {.count = 0};
    struct cost cost = {0};
    store->on_trace_data = &traces;
    store->on_trace = note_trace;
    assert_int_equal(store_test_list(fixture->store, &fixture->arena, filter, page_out), STATUS_OK);
    store->on_trace = NULL;
    for (size_t i = 0; i < traces.count; i++) {
        int64_t until_ms = fixture_now_ms() + TRACE_WAIT_MS;
        while (!add_cost(fixture, traces.ids[i], &cost)) {
            assert_true(fixture_now_ms() < until_ms);
            poll(NULL, 0, 20);
        }
    }
    assert_int_equal(cost.partitions, traces.count);
    return cost;
}

/* --- filling --- */

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* One batch of orders: number `first` and those that follow it. */
struct load {
    struct order_store_apply request;
    struct completion completion;
    enum status status;
    struct order_store_change changes[BATCH];
};

static void loaded(struct order_store_apply *request, enum status status, const char *error_text) {
    struct load *load = request->data;
    load->status = status;
    completion_signal(&load->completion);
}

static void send_load(struct cassandra_fixture *fixture, struct arena *arena, struct load *load, size_t first,
                      size_t count) {
    int64_t newest_ms = cassandra_floor(SAMPLE_TIME_MS, 86400000) - 1; /* the end of a day */
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "customer %zu", (first + i) % 1000);
        int64_t created_at_ms = newest_ms - (int64_t)(first + i) * ORDER_EVERY_MS;
        load->changes[i] =
            (struct order_store_change){NULL, sample_row(arena, &fixture->random.base, name, created_at_ms)};
    }
    load->request = (struct order_store_apply){.changes = load->changes, .count = count, .done = loaded, .data = load};
    completion_init(&load->completion);
    order_store_apply(fixture->store, &load->request);
}

/* On a busy machine a write may time out; it is repeated, as the pipeline would. */
static void end_load(struct cassandra_fixture *fixture, struct load *load) {
    completion_wait(&load->completion);
    for (int attempt = 0; load->status != STATUS_OK && attempt < ATTEMPTS_MAX; attempt++)
        load->status = store_test_apply(fixture->store, load->changes, load->request.count);
    assert_int_equal(load->status, STATUS_OK);
}

/* Orders number `from` to `to`, one every ORDER_EVERY_MS downward; a few batches at a time, as partitions do. */
static void fill(struct cassandra_fixture *fixture, size_t from, size_t to) {
    static struct load loads[LOADS];
    int64_t began_ms = fixture_now_ms();
    double cpu = cpu_seconds();
    struct arena arena;
    arena_init(&arena, 1 << 20, STORE_TEST_ARENA_MAX);
    for (size_t done = from; done < to;) {
        size_t count = 0;
        for (; count < LOADS && done < to; count++) {
            size_t size = to - done < BATCH ? to - done : BATCH;
            send_load(fixture, &arena, &loads[count], done, size);
            done += size;
        }
        for (size_t i = 0; i < count; i++)
            end_load(fixture, &loads[i]);
        arena_reset(&arena);
    }
    arena_free(&arena);
    double seconds = (double)(fixture_now_ms() - began_ms) / 1000, orders = (double)(to - from);
    if (to - from <= LOADS * BATCH) return;
    const struct cassandra_metrics *metrics = &cassandra_of(fixture->store)->metrics;
    print_message("%.0f orders in batches of %d, %d at a time: %.0f orders/s, %.1f us of this process's CPU each; "
                  "%.2f requests and %.2f rows each since the start\n",
                  orders, BATCH, LOADS, orders / seconds, (cpu_seconds() - cpu) / orders * 1e6,
                  (double)metric_count(metrics->calls) / (double)to,
                  (double)metric_count(metrics->rows_written) / (double)to);
}

static struct cost cost_at(struct cassandra_fixture *fixture, const char *name, size_t count,
                           const struct order_store_list *filter) {
    struct store_page page;
    struct cost cost = traced_page(fixture, filter, &page);
    print_message("%s, %zu orders: a page of %zu reads %zu partitions, %zu rows, %zu tombstones\n", name, count,
                  page.count, cost.partitions, cost.rows, cost.tombstones);
    assert_int_equal(page.count, PAGE);
    return cost;
}

/* The store goes on growing: from ten orders to some, to many. */
static void test_a_page_costs_the_same_at_any_number_of_orders(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    const char *wanted = getenv("CASSANDRA_LIST_ORDERS");
    const size_t counts[] = {PAGE, SOME_ORDERS, wanted ? (size_t)atoll(wanted) : MANY_ORDERS};
    struct order_store_list all = {.limit = PAGE};
    struct order_store_list created = {.limit = PAGE, .has_status = true, .status = ORDER_CREATED};
    struct order_store_list own = {.limit = PAGE, .customer_name = BYTES("customer 7")};
    struct cost all_at[3], created_at[3];
    for (int i = 0; i < 3; i++) {
        fill(fixture, i ? counts[i - 1] : 0, counts[i]);
        all_at[i] = cost_at(fixture, "all", counts[i], &all);
        created_at[i] = cost_at(fixture, "created", counts[i], &created);
    }
    /* Each customer's orders are further apart than a bucket is wide: a partition for each. */
    struct cost own_at = cost_at(fixture, "one customer", counts[2], &own);

    /* One row of periods, five of the directory (a whole bucket and one more), and of each of four shards at most the
     * page's share, two deviations and one: 6. With ten orders in all there are no more than ten rows. */
    assert_int_equal(all_at[0].partitions, 6);
    assert_int_equal(created_at[0].partitions, 6);
    assert_true(all_at[0].rows <= 1 + 5 + 4 * 6);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(all_at[i].partitions, 6);
        assert_int_equal(created_at[i].partitions, 6);
        assert_int_equal(all_at[i].rows, 1 + 5 + 4 * 6);
        assert_int_equal(created_at[i].rows, 1 + 5 + 4 * 6);
        assert_int_equal(all_at[i].tombstones + created_at[i].tombstones, 0);
    }
    assert_true(own_at.partitions <= PAGE + 4);
}

/* --- pages over bounds --- */

#define SPREAD 400
#define DAY_MS INT64_C(86400000)

/* Times that lie on and beside the bounds of buckets, days and periods, and far apart. */
static int64_t some_time(struct random *random) {
    static const int64_t widths_ms[] = {1, 10000, 120000, 86400000, 400 * INT64_C(86400000)};
    int64_t time_ms = SAMPLE_TIME_MS - (int64_t)random_below(random, 6) * widths_ms[random_below(random, 5)];
    int64_t width_ms = widths_ms[random_below(random, 5)];
    if (random_below(random, 2)) time_ms = cassandra_floor(time_ms, width_ms);
    return time_ms + (int64_t)random_below(random, 3) - 1;
}

static void test_pages_over_all_bounds_agree_with_a_model(void **state) {
    static const char *const customers[] = {"Ada", "Grace", "", "Linus"};
    struct cassandra_fixture *fixture = fixture_of(state);
    struct random *random = &fixture->random.base;
    struct store_model model;
    struct order_store_change changes[SPREAD];
    model_init(&model, &fixture->arena, SPREAD);
    for (size_t i = 0; i < SPREAD; i++) {
        changes[i] = (struct order_store_change){
            NULL, sample_row(&fixture->arena, random, customers[random_below(random, 3)], some_time(random))};
        model_show(&model, &changes[i].after->order);
    }
    assert_int_equal(store_test_apply(fixture->store, changes, SPREAD), STATUS_OK);
    for (size_t i = 0; i < SPREAD; i += 5) {
        const struct history_row *next =
            i % 2 ? sample_transition(&fixture->arena, random, changes[i].after, ORDER_CANCELLED)
                  : sample_amendment(&fixture->arena, random, changes[i].after, customers[random_below(random, 4)]);
        assert_int_equal(store_test_apply_one(fixture->store, &changes[i].after->order, next), STATUS_OK);
        model_show(&model, &next->order);
    }
    assert_all_lists(fixture->store, &model, customers, 4);
    for (int i = 0; i < 60; i++) {
        struct order_store_list filter = {.limit = 1 + random_below(random, 60)};
        if (random_below(random, 2)) filter.customer_name = bytes_of(customers[random_below(random, 4)]);
        if (random_below(random, 3) == 0) filter.has_status = true, filter.status = ORDER_CANCELLED;
        if (random_below(random, 2)) filter.created_after_ms = some_time(random);
        if (random_below(random, 2)) filter.created_before_ms = some_time(random);
        assert_lists(fixture->store, &model, &filter);
    }
}

/* A status that nobody has, in a shop with an order a day: the page ends at its bound of partitions, short, with a
 * next, and the walk ends. */
static void test_a_page_reads_a_bounded_number_of_partitions(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct order_store_change changes[200];
    for (int i = 0; i < 200; i++)
        changes[i] = (struct order_store_change){
            NULL, sample_row(&fixture->arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS - i * DAY_MS)};
    assert_int_equal(store_test_apply(fixture->store, changes, 200), STATUS_OK);
    struct order_store_list paid = {.limit = 50, .has_status = true, .status = ORDER_PAID};
    struct store_page page;
    size_t pages = 0;
    do {
        struct cost cost = traced_page(fixture, &paid, &page);
        assert_int_equal(page.count, 0);
        assert_true(cost.partitions <= 128);
        assert_true(cost.rows <= ORDER_STORE_LIST_READS);
        paid.cursor = page.next;
        assert_true(++pages < 20);
    } while (page.next.size > 0);
    assert_true(pages > 1);
}

/* The listing must not depend on the memory of what was written before: another process has its own. */
static void test_orders_of_two_programs_are_in_one_list(void **state) {
    struct cassandra_fixture *fixture = fixture_of(state);
    struct order_store *other = fixture_store(fixture, fixture->prefix);
    struct store_model model;
    model_init(&model, &fixture->arena, 60);
    enum status status = STATUS_OK;
    for (int i = 0; i < 60 && status == STATUS_OK; i++) {
        const struct history_row *row =
            sample_row(&fixture->arena, &fixture->random.base, "Ada", SAMPLE_TIME_MS + i / 2 * 3000);
        status = store_test_apply_one(i % 2 ? other : fixture->store, NULL, row);
        model_show(&model, &row->order);
    }
    order_store_close(other);
    assert_int_equal(status, STATUS_OK);
    assert_lists(fixture->store, &model, &(struct order_store_list){.limit = 7});
    assert_lists(fixture->store, &model, &(struct order_store_list){.limit = 7, .customer_name = BYTES("Ada")});
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_page_costs_the_same_at_any_number_of_orders),
        TEST(test_pages_over_all_bounds_agree_with_a_model),
        TEST(test_a_page_reads_a_bounded_number_of_partitions),
        TEST(test_orders_of_two_programs_are_in_one_list),
    };
    return cmocka_run_group_tests(tests, fixture_open_group, fixture_close_group);
}
