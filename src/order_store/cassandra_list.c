/* Pages of orders. The directory says which partitions of the listing have rows: first the newest period, then buckets
 * in it, then the newest rows of their shards, merged. What a page reads follows from its size and from how dense the
 * orders are where it begins, not from how many there are. */
#include <xxhash.h>

#include "order_store/cassandra_pages.h"

#define NEWEST_MS 253402300800000 /* the year 10000: above every order */

static struct list_operation *list_of(struct cassandra_operation *operation) {
    return (struct list_operation *)operation;
}

/* The latest moment of which orders may still come: at a position without an id that one itself is done with. */
static int64_t latest_ms(const struct list_operation *list) {
    bool is_bare = uuid_equal(&list->position.order_id, &(struct uuid){{0}});
    return list->position.created_at_ms - is_bare;
}

static const struct cassandra_layout *layout_of(const struct list_operation *list) {
    return &list->operation.store->session->layout;
}

/* --- calls --- */

static void prepare_directory(const struct list_operation *list, struct cql_value *cells) {
    cells[0] = cassandra_text(list->scope_text);
    cells[1] = cassandra_time(list->period_ms);
    cells[2] = cassandra_time(list->buckets_below);
    cells[3] = cassandra_int((int64_t)list->entries_asked);
}

static enum status prepare_stream(const struct list_operation *list, const struct page_stream *stream,
                                  struct cassandra_draft *draft) {
    const struct order_store_list *request = list->request;
    struct cql_value *cells = cassandra_draft_add(draft, list->operation.store,
                                                  request->has_status ? STATEMENT_PAGE_OF_STATUS : STATEMENT_PAGE);
    const struct order from = {.order_id = stream->from.order_id};
    cells[0] = cassandra_text(list->scope_text);
    cells[1] = cassandra_time(stream->entry.bucket_ms);
    cells[2] = cassandra_int(stream->entry.shard);
    cells[3] = cassandra_time(stream->from.created_at_ms);
    if (request->has_status) cells[5] = cassandra_text(bytes_of(order_status_name(request->status)));
    cells[request->has_status ? 6 : 5] = cassandra_int((int64_t)stream->asked);
    return cassandra_put_id(draft, &from, &cells[4]);
}

static enum status list_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    const struct list_operation *list = list_of(operation);
    struct cql_value *cells;
    switch (list->step) {
    case PAGE_PERIOD:
        cells = cassandra_draft_add(draft, operation->store, STATEMENT_PERIODS);
        cells[0] = cassandra_text(list->scope_text);
        cells[1] = cassandra_time(list->periods_below);
        return STATUS_OK;
    case PAGE_DIRECTORY:
        prepare_directory(list, cassandra_draft_add(draft, operation->store, STATEMENT_DIRECTORY));
        return STATUS_OK;
    default: return prepare_stream(list, &list->streams[list->refills[index]], draft);
    }
}

/* --- answers --- */

static enum status read_period(struct list_operation *list, const struct cql_result *result, size_t rows) {
    list->has_period = rows > 0;
    if (rows > 0 && !cassandra_cell_integer(result, 0, 0, &list->period_ms))
        return error_set(&list->operation.error, STATUS_CORRUPT, "a row of listing_periods cannot be read");
    return STATUS_OK;
}

/* Where the rows were cut, the last bucket may have more shards: it is left for the next time. */
static enum status drop_cut_bucket(struct list_operation *list) {
    int64_t cut_ms = list->entries[list->entry_count - 1].bucket_ms;
    while (list->entry_count > 0 && list->entries[list->entry_count - 1].bucket_ms == cut_ms)
        list->entry_count--;
    if (list->entry_count > 0) return STATUS_OK;
    return error_set(&list->operation.error, STATUS_CORRUPT, "a bucket in listing_directory has too many shards");
}

static enum status read_directory(struct list_operation *list, const struct cql_result *result, size_t rows) {
    list->entry_at = list->entry_count = 0;
    for (size_t row = 0; row < rows && row < DIRECTORY_ROWS_MAX; row++) {
        struct page_entry *entry = &list->entries[list->entry_count++];
        if (!cassandra_cell_integer(result, row, 0, &entry->bucket_ms) ||
            !cassandra_cell_integer(result, row, 1, &entry->shard))
            return error_set(&list->operation.error, STATUS_CORRUPT, "a row of listing_directory cannot be read");
    }
    list->directory_has_ended = rows < list->entries_asked;
    enum status status = list->directory_has_ended ? STATUS_OK : drop_cut_bucket(list);
    if (list->entry_count > 0) list->buckets_below = list->entries[list->entry_count - 1].bucket_ms;
    return status;
}

static enum status list_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct list_operation *list = list_of(operation);
    size_t rows = result ? cql_result_rows(result) : 0;
    list->rows += rows;
    if (list->step == PAGE_PERIOD) return read_period(list, result, rows);
    if (list->step == PAGE_DIRECTORY) return read_directory(list, result, rows);
    struct page_stream *stream = &list->streams[list->refills[index]];
    stream->rows = result;
    stream->row = 0;
    stream->has_ended = rows < stream->asked;
    return STATUS_OK;
}

/* --- steps --- */

static enum status ask(struct list_operation *list, enum page_step step, size_t calls) {
    list->step = step;
    if (step != PAGE_STREAMS) list->partitions++;
    return cassandra_phase(&list->operation, calls, false);
}

static enum status end_page(struct list_operation *list, bool has_more) {
    list->step = PAGE_END;
    list->has_more = has_more;
    return STATUS_OK;
}

/* True if no order created before that time is in the list. */
static bool is_too_old(const struct list_operation *list, int64_t below_ms) {
    return list->request->created_after_ms && below_ms <= list->request->created_after_ms + 1;
}

/* The next period, unless all are too old or the page has read enough. */
static enum status next_period(struct list_operation *list) {
    if (is_too_old(list, list->periods_below)) return end_page(list, false);
    if (list->partitions + 2 >= PAGE_PARTITIONS_MAX) {
        list->position = (struct page_position){.created_at_ms = list->periods_below};
        return end_page(list, true);
    }
    return ask(list, PAGE_PERIOD, 1);
}

static enum status next_directory(struct list_operation *list) {
    size_t shards = (size_t)layout_of(list)->shards[list->scope];
    list->entries_asked = list->buckets_done == 0 ? shards + 1 : DIRECTORY_ROWS_MAX;
    return ask(list, PAGE_DIRECTORY, 1);
}

/* A period was found: its buckets from the list's position down. */
static enum status enter_period(struct list_operation *list) {
    if (!list->has_period) return end_page(list, false);
    list->periods_below = list->period_ms;
    const struct cassandra_layout *layout = layout_of(list);
    int64_t end_ms = list->period_ms + layout->period_ms[list->scope];
    list->buckets_below = cassandra_floor(latest_ms(list), layout->bucket_ms[list->scope]) + 1;
    if (list->buckets_below > end_ms) list->buckets_below = end_ms;
    return next_directory(list);
}

static enum status next_streams(struct list_operation *list) {
    if (list->entry_at == list->entry_count)
        return list->directory_has_ended ? next_period(list) : next_directory(list);
    int64_t width_ms = layout_of(list)->bucket_ms[list->scope];
    if (is_too_old(list, list->entries[list->entry_at].bucket_ms + width_ms)) return end_page(list, false);
    if (!page_open_streams(list)) return end_page(list, true);
    return ask(list, PAGE_STREAMS, page_find_refills(list));
}

/* The streams have rows: merges, and asks for more where one ran dry. */
static enum status go_on(struct list_operation *list) {
    enum status status = page_merge(list);
    if (status != STATUS_OK || list->step == PAGE_END) return status;
    if (page_is_full(list)) return end_page(list, true);
    size_t refills = page_find_refills(list);
    if (refills == 0) return next_streams(list);
    size_t left = ORDER_STORE_LIST_READS > list->rows ? ORDER_STORE_LIST_READS - list->rows : 0;
    if (left < refills) return end_page(list, true);
    for (size_t i = 0; i < refills; i++) {
        struct page_stream *stream = &list->streams[list->refills[i]];
        if (stream->asked > left / refills) stream->asked = left / refills;
    }
    return ask(list, PAGE_STREAMS, refills);
}

static enum status list_advance(struct cassandra_operation *operation) {
    struct list_operation *list = list_of(operation);
    if (list->orders) {
        switch (list->step) {
        case PAGE_PERIOD: return enter_period(list);
        case PAGE_DIRECTORY: return next_streams(list);
        case PAGE_STREAMS: return go_on(list);
        case PAGE_END: return STATUS_OK;
        }
    }
    const struct order_store_list *request = list->request;
    list->scope = request->customer_name.data ? SCOPE_CUSTOMER : SCOPE_ALL;
    list->scope_text = cassandra_scope_text(list->scope, request->customer_name, &operation->arena);
    list->orders = arena_calloc(&operation->arena, request->limit, sizeof *list->orders);
    if (!list->orders || !list->scope_text.data) return STATUS_NO_MEMORY;
    if (is_too_old(list, latest_ms(list) + 1)) return end_page(list, false);
    list->periods_below = cassandra_floor(latest_ms(list), layout_of(list)->period_ms[list->scope]) + 1;
    return ask(list, PAGE_PERIOD, 1);
}

static void list_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct list_operation *list = list_of(operation);
    struct order_store_list *request = list->request;
    struct order_store_cursor next = {.size = 0};
    if (status != STATUS_OK) {
        request->done(request, status, NULL, 0, NULL, error_text);
        return;
    }
    metric_observe_size(operation->store->metrics.page_partitions, list->partitions);
    metric_observe_size(operation->store->metrics.page_rows, list->rows);
    if (list->has_more)
        cassandra_cursor_write(CURSOR_LIST, list->position.created_at_ms, &list->position.order_id, list->filter,
                               &next);
    request->done(request, status, list->orders, list->count, &next, NULL);
}

static const struct cassandra_operation_ops list_ops = {
    .is_page = true, .prepare = list_prepare, .answer = list_answer, .advance = list_advance, .finish = list_finish};

/* --- the request --- */

/* A cursor belongs to the list that it is of; bounds of time may change on the way. */
static uint64_t filter_hash(const struct order_store_list *request) {
    const uint8_t rest[] = {request->customer_name.data != NULL, request->has_status,
                            request->has_status ? (uint8_t)request->status : 0};
    struct bytes name = request->customer_name.data ? request->customer_name : BYTES("");
    return XXH3_64bits_withSeed(name.data, name.size, XXH3_64bits(rest, sizeof rest));
}

static enum status list_begin(struct list_operation *list, struct order_store_list *request, struct error *error) {
    list->request = request;
    if (request->limit < 1 || request->limit > ORDER_STORE_LIST_MAX)
        return error_set(error, STATUS_INVALID, "the limit must be from 1 to %d", ORDER_STORE_LIST_MAX);
    list->filter = filter_hash(request);
    list->position.created_at_ms = NEWEST_MS;
    if (request->cursor.size > 0 &&
        cassandra_cursor_read(&request->cursor, CURSOR_LIST, list->filter, &list->position.created_at_ms,
                              &list->position.order_id) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "the cursor is not one of this list");
    if (request->created_before_ms && request->created_before_ms <= list->position.created_at_ms)
        list->position = (struct page_position){.created_at_ms = request->created_before_ms};
    return cassandra_operation_submit(&list->operation, error);
}

void cassandra_list(struct order_store *base, struct order_store_list *request) {
    struct cassandra_store *store = cassandra_of(base);
    struct error error = {"order store: out of memory"};
    struct list_operation *list =
        cassandra_operation_new(store, &list_ops, sizeof *list, store->metrics.read_seconds[KIND_LIST]);
    enum status status = list ? list_begin(list, request, &error) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) return;
    if (list) cassandra_operation_free(&list->operation);
    request->done(request, status, NULL, 0, NULL, error.text);
}
