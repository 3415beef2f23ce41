/* Requests to an order store that wait for their done, with answers copied out of the adapter's hands. */
#include "contract/order_store/order_store_contract.h"

#include "contract/completion.h"

void *store_test_alloc(struct arena *arena, size_t count, size_t size) {
    void *memory = arena_calloc(arena, count + 1, size);
    if (memory) return memory;
    fprintf(stderr, "the test is out of memory\n");
    abort();
}

static struct order copy_order(struct arena *arena, const struct order *order) {
    struct order copy;
    if (order_copy(order, arena, &copy) == STATUS_OK) return copy;
    fprintf(stderr, "the test is out of memory\n");
    abort();
}

/* One for every kind of answer; each request uses what it gives. */
struct answer {
    struct completion completion;
    struct arena *arena;
    enum status status;
    struct order *orders;
    struct history_row *rows;
    const struct history_row **found;
    size_t count;
    struct order_store_cursor next;
    int64_t read_at_ms;
};

static struct answer *answer_new(struct arena *arena) {
    struct answer *answer = store_test_alloc(arena, 1, sizeof *answer);
    answer->arena = arena;
    completion_init(&answer->completion);
    return answer;
}

/* What came must agree with its status: text where something failed, and only there answers. */
static void check_answer(enum status status, const char *error_text) {
    if (status == STATUS_OK || status == STATUS_NOT_FOUND || error_text) return;
    fprintf(stderr, "done said %s without a text\n", status_name(status));
    abort();
}

static void keep_orders(struct answer *answer, const struct order *orders, size_t count) {
    answer->orders = store_test_alloc(answer->arena, count, sizeof *orders);
    answer->count = count;
    for (size_t i = 0; i < count; i++)
        answer->orders[i] = copy_order(answer->arena, &orders[i]);
}

static void keep_row(struct answer *answer, struct history_row *to, const struct history_row *row) {
    *to = *row;
    to->order = copy_order(answer->arena, &row->order);
}

/* --- get --- */

static void get_done(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                     const char *error_text) {
    struct answer *answer = get->data;
    check_answer(status, error_text);
    answer->status = status;
    answer->read_at_ms = read_at_ms;
    if (status == STATUS_OK) keep_orders(answer, order, 1);
    completion_signal(&answer->completion);
}

enum status store_test_get(struct order_store *store, struct arena *arena, const struct uuid *order_id,
                           struct order *order_out, int64_t *read_at_ms_out) {
    struct answer *answer = answer_new(arena);
    struct order_store_get get = {.order_id = *order_id, .done = get_done, .data = answer};
    order_store_get(store, &get);
    completion_wait(&answer->completion);
    if (answer->status == STATUS_OK && order_out) *order_out = answer->orders[0];
    if (read_at_ms_out) *read_at_ms_out = answer->read_at_ms;
    return answer->status;
}

/* --- rows --- */

static void rows_done(struct order_store_rows *rows, enum status status, const struct history_row *const *found,
                      const char *error_text) {
    struct answer *answer = rows->data;
    check_answer(status, error_text);
    answer->status = status;
    answer->found = store_test_alloc(answer->arena, rows->count, sizeof *answer->found);
    for (size_t i = 0; i < rows->count && status == STATUS_OK; i++) {
        if (!found[i]) continue;
        struct history_row *row = store_test_alloc(answer->arena, 1, sizeof *row);
        keep_row(answer, row, found[i]);
        answer->found[i] = row;
    }
    completion_signal(&answer->completion);
}

enum status store_test_rows(struct order_store *store, struct arena *arena, const struct order_store_key *keys,
                            size_t count, const struct history_row ***found_out) {
    struct answer *answer = answer_new(arena);
    struct order_store_rows rows = {.keys = keys, .count = count, .done = rows_done, .data = answer};
    order_store_rows(store, &rows);
    completion_wait(&answer->completion);
    *found_out = answer->found;
    return answer->status;
}

/* --- history --- */

static void history_done(struct order_store_history *history, enum status status, const struct history_row *rows,
                         size_t count, const char *error_text) {
    struct answer *answer = history->data;
    check_answer(status, error_text);
    answer->status = status;
    answer->count = status == STATUS_OK ? count : 0;
    answer->rows = store_test_alloc(answer->arena, answer->count, sizeof *rows);
    for (size_t i = 0; i < answer->count; i++)
        keep_row(answer, &answer->rows[i], &rows[i]);
    completion_signal(&answer->completion);
}

enum status store_test_history(struct order_store *store, struct arena *arena, const struct uuid *order_id,
                               uint32_t from_version, size_t limit, const struct history_row **rows_out,
                               size_t *count_out) {
    struct answer *answer = answer_new(arena);
    struct order_store_history history = {
        .order_id = *order_id, .from_version = from_version, .limit = limit, .done = history_done, .data = answer};
    order_store_history(store, &history);
    completion_wait(&answer->completion);
    *rows_out = answer->rows;
    *count_out = answer->count;
    return answer->status;
}

/* --- apply --- */

struct waited_apply {
    struct completion completion;
    enum status status;
};

static void apply_done(struct order_store_apply *apply, enum status status, const char *error_text) {
    struct waited_apply *waited = apply->data;
    check_answer(status, error_text);
    waited->status = status;
    completion_signal(&waited->completion);
}

enum status store_test_apply(struct order_store *store, const struct order_store_change *changes, size_t count) {
    struct waited_apply waited;
    completion_init(&waited.completion);
    struct order_store_apply apply = {.changes = changes, .count = count, .done = apply_done, .data = &waited};
    order_store_apply(store, &apply);
    completion_wait(&waited.completion);
    return waited.status;
}

enum status store_test_apply_one(struct order_store *store, const struct order *before,
                                 const struct history_row *after) {
    return store_test_apply(store, &(struct order_store_change){before, after}, 1);
}

/* --- list and scan --- */

static void keep_page(struct answer *answer, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    check_answer(status, error_text);
    answer->status = status;
    if (status == STATUS_OK) {
        keep_orders(answer, orders, count);
        answer->next = *next;
    }
    completion_signal(&answer->completion);
}

static void list_done(struct order_store_list *list, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    keep_page(list->data, status, orders, count, next, error_text);
}

static void scan_done(struct order_store_scan *scan, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    keep_page(scan->data, status, orders, count, next, error_text);
}

enum status store_test_list(struct order_store *store, struct arena *arena, const struct order_store_list *filter,
                            struct store_page *page_out) {
    struct answer *answer = answer_new(arena);
    struct order_store_list list = *filter;
    list.done = list_done;
    list.data = answer;
    order_store_list(store, &list);
    completion_wait(&answer->completion);
    *page_out = (struct store_page){answer->orders, answer->count, answer->next};
    return answer->status;
}

enum status store_test_scan(struct order_store *store, struct arena *arena, const struct order_store_cursor *cursor,
                            size_t limit, struct store_page *page_out) {
    struct answer *answer = answer_new(arena);
    struct order_store_scan scan = {.cursor = *cursor, .limit = limit, .done = scan_done, .data = answer};
    order_store_scan(store, &scan);
    completion_wait(&answer->completion);
    *page_out = (struct store_page){answer->orders, answer->count, answer->next};
    return answer->status;
}

/* Orders gathered over pages. */
struct gathered {
    struct arena *arena;
    struct order *orders;
    size_t count, capacity;
};

static void gather(struct gathered *gathered, const struct store_page *page) {
    if (gathered->count + page->count > gathered->capacity) {
        gathered->capacity = 2 * (gathered->count + page->count);
        struct order *orders = store_test_alloc(gathered->arena, gathered->capacity, sizeof *orders);
        if (gathered->count) memcpy(orders, gathered->orders, gathered->count * sizeof *orders);
        gathered->orders = orders;
    }
    if (page->count) memcpy(gathered->orders + gathered->count, page->orders, page->count * sizeof *page->orders);
    gathered->count += page->count;
}

static void check_walk(unsigned pages, size_t count, size_t limit) {
    if (pages < STORE_TEST_PAGES_MAX && count <= limit) return;
    fprintf(stderr, "a walk without an end, or a page above its limit: %u pages, %zu orders on one\n", pages, count);
    abort();
}

enum status store_test_list_all(struct order_store *store, struct arena *arena, const struct order_store_list *filter,
                                const struct order **orders_out, size_t *count_out) {
    struct order_store_list list = *filter;
    struct gathered gathered = {.arena = arena};
    for (unsigned pages = 0;; pages++) {
        struct store_page page;
        enum status status = store_test_list(store, arena, &list, &page);
        if (status != STATUS_OK) return status;
        check_walk(pages, page.count, list.limit);
        gather(&gathered, &page);
        if (page.next.size == 0) break;
        list.cursor = page.next;
    }
    *orders_out = gathered.orders;
    *count_out = gathered.count;
    return STATUS_OK;
}

enum status store_test_scan_all(struct order_store *store, struct arena *arena, size_t limit,
                                const struct order **orders_out, size_t *count_out) {
    struct order_store_cursor cursor = {.size = 0};
    struct gathered gathered = {.arena = arena};
    for (unsigned pages = 0;; pages++) {
        struct store_page page;
        enum status status = store_test_scan(store, arena, &cursor, limit, &page);
        if (status != STATUS_OK) return status;
        check_walk(pages, page.count, limit);
        gather(&gathered, &page);
        if (page.next.size == 0) break;
        cursor = page.next;
    }
    *orders_out = gathered.orders;
    *count_out = gathered.count;
    return STATUS_OK;
}

bool history_row_equal(const struct history_row *a, const struct history_row *b) {
    return order_equal(&a->order, &b->order) && a->position == b->position &&
           uuid_equal(&a->command_id, &b->command_id) && uuid_equal(&a->attempt_id, &b->attempt_id) &&
           memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint) == 0;
}
