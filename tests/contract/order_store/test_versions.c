/* Versions: what apply makes visible, whatever the order and number of applies. */
#include "contract/order_store/order_store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdatomic.h>

#include "contract/completion.h"

/* The shared beginning of the tests: an order in versions 1 to 4, of which nothing is stored yet. */
struct story {
    const struct history_row *rows[4];
};
static const char *const story_customers[] = {"Ada", "Grace"};

static struct story story_of(struct order_store_subject *subject, uint64_t seed) {
    struct random_seeded random;
    random_seeded_init(&random, seed);
    struct arena *arena = &subject->arena;
    struct story story;
    story.rows[0] = sample_row(arena, &random.base, "Ada", SAMPLE_TIME_MS);
    story.rows[1] = sample_transition(arena, &random.base, story.rows[0], ORDER_CONFIRMED);
    story.rows[2] = sample_amendment(arena, &random.base, story.rows[1], "Grace");
    story.rows[3] = sample_transition(arena, &random.base, story.rows[2], ORDER_PAID);
    return story;
}

static struct order_store_change change_of(const struct story *story, size_t index) {
    return (struct order_store_change){index ? &story->rows[index - 1]->order : NULL, story->rows[index]};
}

static void apply_step(struct order_store_subject *subject, const struct story *story, size_t index) {
    struct order_store_change change = change_of(story, index);
    assert_int_equal(store_test_apply(subject->store, &change, 1), STATUS_OK);
}

/* That get, history, rows and lists show the story up to its version `shown`, with rows as in `present` (bits). */
static void assert_story(struct order_store_subject *subject, const struct story *story, size_t shown,
                         unsigned present) {
    struct order order;
    const struct uuid *id = &story->rows[0]->order.order_id;
    assert_int_equal(store_test_get(subject->store, &subject->arena, id, &order, NULL), STATUS_OK);
    assert_true(order_equal(&order, &story->rows[shown - 1]->order));

    const struct history_row *history, **found;
    struct order_store_key keys[4];
    size_t count, expected = 0;
    for (uint32_t i = 0; i < 4; i++)
        keys[i] = (struct order_store_key){*id, i + 1};
    assert_int_equal(store_test_rows(subject->store, &subject->arena, keys, 4, &found), STATUS_OK);
    assert_int_equal(store_test_history(subject->store, &subject->arena, id, 1, ORDER_STORE_LIST_MAX, &history, &count),
                     STATUS_OK);
    for (size_t i = 0; i < 4; i++) {
        if (!(present >> i & 1)) {
            assert_null(found[i]);
            continue;
        }
        assert_non_null(found[i]);
        assert_true(history_row_equal(found[i], story->rows[i]));
        assert_true(expected < count);
        assert_true(history_row_equal(&history[expected++], story->rows[i]));
    }
    assert_int_equal(count, expected);

    struct store_model model;
    model_init(&model, &subject->arena, 1);
    model_show(&model, &story->rows[shown - 1]->order);
    assert_all_lists(subject->store, &model, story_customers, 2);
}

void test_an_order_that_was_never_applied_is_not_found(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1), other = story_of(subject, 2);
    const struct uuid *id = &story.rows[0]->order.order_id;
    const struct history_row *history, **found;
    size_t count;
    apply_step(subject, &other, 0);
    assert_int_equal(store_test_get(subject->store, &subject->arena, id, NULL, NULL), STATUS_NOT_FOUND);
    assert_int_equal(store_test_history(subject->store, &subject->arena, id, 1, 10, &history, &count), STATUS_OK);
    assert_int_equal(count, 0);
    struct order_store_key key = {*id, 1};
    assert_int_equal(store_test_rows(subject->store, &subject->arena, &key, 1, &found), STATUS_OK);
    assert_null(found[0]);
}

void test_a_created_order_is_in_get_history_rows_and_list(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    apply_step(subject, &story, 0);
    assert_story(subject, &story, 1, 1);
    int64_t before_ms = clock_wall_ms(subject->clock), read_at_ms;
    store_test_get(subject->store, &subject->arena, &story.rows[0]->order.order_id, NULL, &read_at_ms);
    assert_true(read_at_ms >= before_ms);
    assert_true(read_at_ms <= clock_wall_ms(subject->clock));
}

void test_applying_twice_changes_nothing(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    for (size_t i = 0; i < 4; i++)
        for (int repeat = 0; repeat < 3; repeat++) {
            apply_step(subject, &story, i);
            assert_story(subject, &story, i + 1, (2u << i) - 1);
        }
}

void test_an_older_version_after_a_newer_one_changes_nothing(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    for (size_t i = 0; i < 4; i++)
        apply_step(subject, &story, i);
    for (size_t i = 0; i < 4; i++) {
        apply_step(subject, &story, i);
        assert_story(subject, &story, 4, 15);
    }
}

/* Every sequence of the four versions; what is shown in between depends on the way, what is at the end does not. */
void test_versions_applied_out_of_order_end_at_the_highest(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct store_model model;
    model_init(&model, &subject->arena, 24);
    for (unsigned code = 0; code < 256; code++) {
        size_t sequence[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3};
        unsigned seen = 0;
        for (int i = 0; i < 4; i++)
            seen |= 1u << sequence[i];
        if (seen != 15) continue;
        struct story story = story_of(subject, code);
        struct order order;
        size_t highest = 0;
        for (int i = 0; i < 4; i++) {
            apply_step(subject, &story, sequence[i]);
            if (sequence[i] > highest) highest = sequence[i];
            store_test_get(subject->store, &subject->arena, &story.rows[0]->order.order_id, &order, NULL);
            assert_true(order_equal(&order, &story.rows[highest]->order));
        }
        model_show(&model, &story.rows[3]->order);
    }
    assert_int_equal(model.count, 24);
    assert_all_lists(subject->store, &model, story_customers, 2);
}

void test_a_history_row_is_never_overwritten(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    struct random_seeded random;
    random_seeded_init(&random, 99);
    apply_step(subject, &story, 0);
    apply_step(subject, &story, 1);
    struct history_row *other = sample_amendment(&subject->arena, &random.base, story.rows[0], "Somebody else");
    other->order.status = ORDER_CANCELLED;
    assert_int_equal(store_test_apply_one(subject->store, &story.rows[0]->order, other), STATUS_OK);
    assert_story(subject, &story, 2, 3);
    const struct order *orders;
    size_t count;
    struct order_store_list filter = {.customer_name = BYTES("Somebody else"), .limit = 10};
    assert_int_equal(store_test_list_all(subject->store, &subject->arena, &filter, &orders, &count), STATUS_OK);
    assert_int_equal(count, 0);
}

void test_history_gives_the_versions_asked_for(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct random_seeded random;
    random_seeded_init(&random, 7);
    enum { VERSIONS = 300 };
    const struct history_row *rows[VERSIONS];
    struct order_store_change changes[VERSIONS];
    for (int i = 0; i < VERSIONS; i++) {
        rows[i] = i ? sample_amendment(&subject->arena, &random.base, rows[i - 1], i % 2 ? "Grace" : "Ada")
                    : sample_row(&subject->arena, &random.base, "Ada", SAMPLE_TIME_MS);
        changes[i] = (struct order_store_change){i ? &rows[i - 1]->order : NULL, rows[i]};
    }
    struct story neighbour = story_of(subject, 3);
    apply_step(subject, &neighbour, 0);
    assert_int_equal(store_test_apply(subject->store, changes, VERSIONS), STATUS_OK);

    static const struct {
        uint32_t from;
        size_t limit, first, count;
    } cases[] = {{0, 10, 1, 10},    {1, 1, 1, 1},      {1, 200, 1, 200}, {101, 200, 101, 200},  {255, 5, 255, 5},
                 {299, 10, 299, 2}, {300, 10, 300, 1}, {301, 10, 0, 0},  {UINT32_MAX, 10, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct history_row *found;
        size_t count;
        assert_int_equal(store_test_history(subject->store, &subject->arena, &rows[0]->order.order_id, cases[c].from,
                                            cases[c].limit, &found, &count),
                         STATUS_OK);
        assert_int_equal(count, cases[c].count);
        for (size_t i = 0; i < count; i++)
            assert_true(history_row_equal(&found[i], rows[cases[c].first - 1 + i]));
    }
}

void test_rows_gives_each_key_its_row_or_null(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story stories[3];
    for (size_t i = 0; i < 3; i++) {
        stories[i] = story_of(subject, i + 1);
        for (size_t version = 0; version <= i; version++)
            apply_step(subject, &stories[i], version);
    }
    static struct order_store_key keys[ORDER_STORE_BATCH_MAX];
    const struct history_row **found;
    for (size_t i = 0; i < ORDER_STORE_BATCH_MAX; i++)
        keys[i] = (struct order_store_key){stories[i % 3].rows[0]->order.order_id, (uint32_t)(i / 3 % 5)};
    assert_int_equal(store_test_rows(subject->store, &subject->arena, keys, ORDER_STORE_BATCH_MAX, &found), STATUS_OK);
    for (size_t i = 0; i < ORDER_STORE_BATCH_MAX; i++) {
        size_t version = i / 3 % 5;
        if (version < 1 || version > i % 3 + 1) {
            assert_null(found[i]);
            continue;
        }
        assert_non_null(found[i]);
        assert_true(history_row_equal(found[i], stories[i % 3].rows[version - 1]));
    }
}

void test_one_request_may_hold_many_versions_of_many_orders(void **state) {
    struct order_store_subject *subject = subject_of(state);
    static struct story stories[ORDER_STORE_BATCH_MAX / 4];
    static struct order_store_change changes[ORDER_STORE_BATCH_MAX];
    struct store_model model;
    model_init(&model, &subject->arena, ORDER_STORE_BATCH_MAX / 4);
    for (size_t i = 0; i < ORDER_STORE_BATCH_MAX / 4; i++) {
        stories[i] = story_of(subject, 1000 + i);
        model_show(&model, &stories[i].rows[3]->order);
    }
    /* Each order's versions ascend, those of different orders are mixed. */
    for (size_t i = 0; i < ORDER_STORE_BATCH_MAX; i++)
        changes[i] = change_of(&stories[i % (ORDER_STORE_BATCH_MAX / 4)], i / (ORDER_STORE_BATCH_MAX / 4));
    assert_int_equal(store_test_apply(subject->store, changes, ORDER_STORE_BATCH_MAX), STATUS_OK);
    assert_all_lists(subject->store, &model, story_customers, 2);
    for (size_t i = 0; i < ORDER_STORE_BATCH_MAX / 4; i += 50) {
        const struct history_row *rows;
        size_t count;
        assert_int_equal(store_test_history(subject->store, &subject->arena, &stories[i].rows[0]->order.order_id, 1, 10,
                                            &rows, &count),
                         STATUS_OK);
        assert_int_equal(count, 4);
        for (size_t version = 0; version < 4; version++)
            assert_true(history_row_equal(&rows[version], stories[i].rows[version]));
    }
}

void test_what_was_applied_is_there_after_reopening(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    apply_step(subject, &story, 0);
    apply_step(subject, &story, 1);
    for (size_t i = 2; i < 4; i++) {
        subject->close(subject, subject->store);
        subject->store = NULL;
        assert_int_equal(subject->open(subject, subject->namespace_name, &subject->store), STATUS_OK);
        assert_story(subject, &story, i, (1u << i) - 1);
        apply_step(subject, &story, i);
        assert_story(subject, &story, i + 1, (2u << i) - 1);
    }
}

/* --- requests from within done: apply, in its done a list, in that one's done a get --- */

struct chain {
    struct order_store *store;
    struct order_store_apply apply;
    struct order_store_list list;
    struct order_store_get get;
    struct completion completion;
    enum status apply_status, list_status, get_status;
    uint32_t version;
    size_t listed;
};

static void chain_got(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                      const char *error_text) {
    struct chain *chain = get->data;
    chain->get_status = status;
    if (order) chain->version = order->version;
    completion_signal(&chain->completion);
}

static void chain_listed(struct order_store_list *list, enum status status, const struct order *orders, size_t count,
                         const struct order_store_cursor *next, const char *error_text) {
    struct chain *chain = list->data;
    chain->list_status = status;
    chain->listed = count;
    if (count) chain->get.order_id = orders[0].order_id;
    order_store_get(chain->store, &chain->get);
}

static void chain_applied(struct order_store_apply *apply, enum status status, const char *error_text) {
    struct chain *chain = apply->data;
    chain->apply_status = status;
    order_store_list(chain->store, &chain->list);
}

void test_done_may_submit_further_requests(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    struct order_store_change change = change_of(&story, 0);
    struct chain chain = {
        .store = subject->store,
        .apply = {.changes = &change, .count = 1, .done = chain_applied, .data = &chain},
        .list = {.limit = 5, .done = chain_listed, .data = &chain},
        .get = {.done = chain_got, .data = &chain},
    };
    completion_init(&chain.completion);
    order_store_apply(subject->store, &chain.apply);
    completion_wait(&chain.completion);
    assert_int_equal(chain.apply_status, STATUS_OK);
    assert_int_equal(chain.list_status, STATUS_OK);
    assert_int_equal(chain.listed, 1);
    assert_int_equal(chain.get_status, STATUS_OK);
    assert_int_equal(chain.version, 1);
}

/* --- close with requests under way --- */

#define UNDER_WAY 300

struct unwaited {
    struct order_store_apply apply;
    struct order_store_change change;
    atomic_bool ended;
    enum status status;
};

static void unwaited_done(struct order_store_apply *apply, enum status status, const char *error_text) {
    struct unwaited *unwaited = apply->data;
    unwaited->status = status;
    atomic_store(&unwaited->ended, true);
}

void test_close_ends_what_is_under_way(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct unwaited *all = store_test_alloc(&subject->arena, UNDER_WAY, sizeof *all);
    for (size_t i = 0; i < UNDER_WAY; i++) {
        struct story story = story_of(subject, i);
        all[i].change = change_of(&story, 0);
        all[i].apply =
            (struct order_store_apply){.changes = &all[i].change, .count = 1, .done = unwaited_done, .data = &all[i]};
        order_store_apply(subject->store, &all[i].apply);
    }
    subject->close(subject, subject->store);
    subject->store = NULL;
    assert_int_equal(subject->open(subject, subject->namespace_name, &subject->store), STATUS_OK);
    for (size_t i = 0; i < UNDER_WAY; i++) {
        struct order order;
        const struct order *expected = &all[i].change.after->order;
        assert_true(atomic_load(&all[i].ended));
        enum status status = store_test_get(subject->store, &subject->arena, &expected->order_id, &order, NULL);
        if (all[i].status == STATUS_OK) assert_int_equal(status, STATUS_OK);
        if (all[i].status == STATUS_CLOSED) assert_int_equal(status, STATUS_NOT_FOUND);
        if (status == STATUS_OK) assert_true(order_equal(&order, expected));
    }
}

void test_setup_may_be_repeated(void **state) {
    struct order_store_subject *subject = subject_of(state);
    struct story story = story_of(subject, 1);
    assert_int_equal(order_store_setup(subject->store, NULL), STATUS_OK);
    apply_step(subject, &story, 0);
    assert_int_equal(order_store_setup(subject->store, NULL), STATUS_OK);
    assert_story(subject, &story, 1, 1);
}

void test_check_says_that_it_answers(void **state) {
    assert_int_equal(order_store_check(subject_of(state)->store, 5000, NULL), STATUS_OK);
}
