/* The walk over all orders, in the order of Cassandra's tokens: each order is one partition, so each comes once. */
#include "order_store/cassandra_store.h"

#define CHUNK_ROWS 128 /* rows of one call: largest ones are 15 MiB */
#define COLUMN_TOKEN COLUMN_COUNT

struct scan_operation {
    struct cassandra_operation operation;
    struct order_store_scan *request;
    struct order *orders;
    size_t count, reads, asked, bytes;
    int64_t token; /* of the last order read; with order_id the place to go on from */
    struct uuid order_id;
    bool has_last, is_over;
};

static enum status scan_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    struct scan_operation *scan = (struct scan_operation *)operation;
    size_t left = scan->request->limit - scan->count;
    scan->asked = (left < CHUNK_ROWS ? left : CHUNK_ROWS) + 2; /* the last order once more, and one that says "more" */
    struct cql_value *cells = cassandra_draft_add(draft, operation->store, STATEMENT_SCAN);
    cells[0] = cassandra_bigint(scan->has_last ? scan->token : INT64_MIN);
    cells[1] = cassandra_int((int64_t)scan->asked);
    return STATUS_OK;
}

/* Two orders may share a token; they follow each other in the order of their ids, as bytes. */
static bool was_read(const struct scan_operation *scan, int64_t token, const struct uuid *order_id) {
    return scan->has_last && token == scan->token && uuid_compare(order_id, &scan->order_id) <= 0;
}

static enum status scan_row(struct scan_operation *scan, const struct cql_result *result, size_t row) {
    struct cassandra_operation *operation = &scan->operation;
    int64_t token;
    struct order *order = &scan->orders[scan->count];
    enum status status = cassandra_read_order(result, row, "orders", &operation->arena, order, &operation->error);
    if (status != STATUS_OK) return status;
    if (!cassandra_cell_integer(result, row, COLUMN_TOKEN, &token))
        return error_set(&operation->error, STATUS_CORRUPT, "a scan of the table orders gave no token");
    if (was_read(scan, token, &order->order_id)) return STATUS_OK;
    scan->count++;
    scan->bytes += cassandra_order_size(order);
    scan->token = token;
    scan->order_id = order->order_id;
    scan->has_last = true;
    return STATUS_OK;
}

static bool page_is_full(const struct scan_operation *scan) {
    return scan->count == scan->request->limit || scan->bytes > CASSANDRA_PAGE_BYTES_MAX;
}

static enum status scan_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct scan_operation *scan = (struct scan_operation *)operation;
    size_t rows = result ? cql_result_rows(result) : 0, row = 0;
    for (; row < rows && !page_is_full(scan); row++) {
        enum status status = scan_row(scan, result, row);
        if (status != STATUS_OK) return status;
    }
    scan->is_over = row == rows && rows < scan->asked;
    return STATUS_OK;
}

static enum status scan_advance(struct cassandra_operation *operation) {
    struct scan_operation *scan = (struct scan_operation *)operation;
    if (!scan->orders) scan->orders = arena_calloc(&operation->arena, scan->request->limit + 1, sizeof *scan->orders);
    if (!scan->orders) return STATUS_NO_MEMORY;
    if (scan->is_over || page_is_full(scan)) return STATUS_OK;
    return cassandra_phase(operation, 1, false);
}

static void scan_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct scan_operation *scan = (struct scan_operation *)operation;
    struct order_store_cursor next = {.size = 0};
    if (status != STATUS_OK) {
        scan->request->done(scan->request, status, NULL, 0, NULL, error_text);
        return;
    }
    if (!scan->is_over) cassandra_cursor_write(CURSOR_SCAN, scan->token, &scan->order_id, 0, &next);
    scan->request->done(scan->request, status, scan->orders, scan->count, &next, NULL);
}

static const struct cassandra_operation_ops scan_ops = {
    .prepare = scan_prepare, .answer = scan_answer, .advance = scan_advance, .finish = scan_finish};

static enum status scan_begin(struct scan_operation *scan, struct order_store_scan *request, struct error *error) {
    scan->request = request;
    if (request->limit < 1 || request->limit > ORDER_STORE_BATCH_MAX)
        return error_set(error, STATUS_INVALID, "the limit must be from 1 to %d", ORDER_STORE_BATCH_MAX);
    scan->has_last = request->cursor.size > 0;
    if (scan->has_last &&
        cassandra_cursor_read(&request->cursor, CURSOR_SCAN, 0, &scan->token, &scan->order_id) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "the cursor is not one of this store's scans");
    return cassandra_operation_submit(&scan->operation, error);
}

void cassandra_scan(struct order_store *base, struct order_store_scan *request) {
    struct cassandra_store *store = cassandra_of(base);
    struct error error = {"order store: out of memory"};
    struct scan_operation *scan =
        cassandra_operation_new(store, &scan_ops, sizeof *scan, store->metrics.read_seconds[KIND_SCAN]);
    enum status status = scan ? scan_begin(scan, request, &error) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) return;
    if (scan) cassandra_operation_free(&scan->operation);
    request->done(request, status, NULL, 0, NULL, error.text);
}
