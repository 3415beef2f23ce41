/* Reads by key: one order, many history rows, the history of one order. */
#include "order_store/cassandra_store.h"

#define RUN_MAX 16 /* versions of one order that one call reads */

static const char no_memory[] = "order store: out of memory";

/* One phase of calls; what they bring is there after it. */
static enum status one_phase(struct cassandra_operation *operation, size_t count) {
    return operation->calls ? STATUS_OK : cassandra_phase(operation, count, false);
}

/* Not OK: the request has to be answered here. */
static enum status submit(struct cassandra_operation *operation, struct error *error) {
    enum status status = cassandra_operation_submit(operation, error);
    if (status != STATUS_OK) cassandra_operation_free(operation);
    return status;
}

/* --- get --- */

struct get_operation {
    struct cassandra_operation operation;
    struct order_store_get *request;
    int64_t read_at_ms;
    struct order order;
    bool found;
};

static enum status get_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    struct get_operation *get = (struct get_operation *)operation;
    struct cql_value *cells = cassandra_draft_add(draft, operation->store, STATEMENT_GET);
    cells[0] = cassandra_uuid(&get->request->order_id);
    return STATUS_OK;
}

static enum status get_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct get_operation *get = (struct get_operation *)operation;
    get->found = result && cql_result_rows(result) > 0;
    if (!get->found) return STATUS_OK;
    return cassandra_read_order(result, 0, "orders", &operation->arena, &get->order, &operation->error);
}

static enum status get_advance(struct cassandra_operation *operation) {
    return one_phase(operation, 1);
}

static void get_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct get_operation *get = (struct get_operation *)operation;
    if (status == STATUS_OK && !get->found) status = STATUS_NOT_FOUND;
    get->request->done(get->request, status, status == STATUS_OK ? &get->order : NULL, get->read_at_ms, error_text);
}

static const struct cassandra_operation_ops get_ops = {
    .prepare = get_prepare, .answer = get_answer, .advance = get_advance, .finish = get_finish};

void cassandra_get(struct order_store *base, struct order_store_get *request) {
    struct cassandra_store *store = cassandra_of(base);
    int64_t read_at_ms = clock_wall_ms(store->options.clock);
    struct error error = {""};
    struct get_operation *get =
        cassandra_operation_new(store, &get_ops, sizeof *get, store->metrics.read_seconds[KIND_GET]);
    if (!get) {
        request->done(request, STATUS_NO_MEMORY, NULL, read_at_ms, no_memory);
        return;
    }
    get->request = request;
    get->read_at_ms = read_at_ms;
    enum status status = submit(&get->operation, &error);
    if (status != STATUS_OK) request->done(request, status, NULL, read_at_ms, error.text);
}

/* --- rows: neighbouring keys of one order are read together, as the pipeline asks for versions e and e + 1 --- */

struct key_run {
    size_t first, count;
};

struct rows_operation {
    struct cassandra_operation operation;
    struct order_store_rows *request;
    struct key_run *runs;
    const struct history_row **found;
};

static size_t make_runs(const struct order_store_rows *request, struct key_run *runs) {
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        const struct order_store_key *key = &request->keys[i], *before = i ? key - 1 : NULL;
        struct key_run *last = count ? &runs[count - 1] : NULL;
        if (last && last->count < RUN_MAX && uuid_equal(&before->order_id, &key->order_id) &&
            before->version + 1 == key->version)
            last->count++;
        else
            runs[count++] = (struct key_run){i, 1};
    }
    return count;
}

/* Versions above what the column can hold are above ORDER_VERSION_MAX too: no row has them. */
static struct cql_value version_cell(uint32_t version) {
    return cassandra_int(version < INT32_MAX ? version : INT32_MAX);
}

static enum status rows_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    struct rows_operation *rows = (struct rows_operation *)operation;
    const struct key_run *run = &rows->runs[index];
    const struct order_store_key *keys = rows->request->keys + run->first;
    struct cql_value *cells = cassandra_draft_add(draft, operation->store, STATEMENT_ROWS);
    cells[0] = cassandra_uuid(&keys[0].order_id);
    cells[1] = version_cell(keys[0].version);
    cells[2] = version_cell(keys[run->count - 1].version);
    return STATUS_OK;
}

static enum status rows_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct rows_operation *rows = (struct rows_operation *)operation;
    const struct key_run *run = &rows->runs[index];
    for (size_t i = 0; result && i < cql_result_rows(result); i++) {
        struct history_row *row = arena_alloc(&operation->arena, sizeof *row);
        if (!row) return STATUS_NO_MEMORY;
        enum status status = cassandra_read_row(result, i, &operation->arena, row, &operation->error);
        if (status != STATUS_OK) return status;
        size_t at = row->order.version - rows->request->keys[run->first].version;
        if (at < run->count) rows->found[run->first + at] = row;
    }
    return STATUS_OK;
}

static enum status rows_advance(struct cassandra_operation *operation) {
    struct rows_operation *rows = (struct rows_operation *)operation;
    if (rows->runs) return STATUS_OK;
    rows->runs = arena_calloc(&operation->arena, rows->request->count + 1, sizeof *rows->runs);
    rows->found = arena_calloc(&operation->arena, rows->request->count + 1, sizeof *rows->found);
    if (!rows->runs || !rows->found) return STATUS_NO_MEMORY;
    return cassandra_phase(operation, make_runs(rows->request, rows->runs), false);
}

static void rows_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct rows_operation *rows = (struct rows_operation *)operation;
    rows->request->done(rows->request, status, status == STATUS_OK ? rows->found : NULL, error_text);
}

static const struct cassandra_operation_ops rows_ops = {
    .prepare = rows_prepare, .answer = rows_answer, .advance = rows_advance, .finish = rows_finish};

void cassandra_rows(struct order_store *base, struct order_store_rows *request) {
    struct cassandra_store *store = cassandra_of(base);
    struct error error = {""};
    if (request->count > ORDER_STORE_BATCH_MAX) {
        error_set(&error, STATUS_INVALID, "more than %d rows in one read", ORDER_STORE_BATCH_MAX);
        request->done(request, STATUS_INVALID, NULL, error.text);
        return;
    }
    struct rows_operation *rows =
        cassandra_operation_new(store, &rows_ops, sizeof *rows, store->metrics.read_seconds[KIND_ROWS]);
    if (!rows) {
        request->done(request, STATUS_NO_MEMORY, NULL, no_memory);
        return;
    }
    rows->request = request;
    enum status status = submit(&rows->operation, &error);
    if (status != STATUS_OK) request->done(request, status, NULL, error.text);
}

/* --- history --- */

struct history_operation {
    struct cassandra_operation operation;
    struct order_store_history *request;
    struct history_row *rows;
    size_t count;
};

static enum status history_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    const struct order_store_history *request = ((struct history_operation *)operation)->request;
    struct cql_value *cells = cassandra_draft_add(draft, operation->store, STATEMENT_HISTORY);
    cells[0] = cassandra_uuid(&request->order_id);
    cells[1] = version_cell(request->from_version);
    cells[2] = cassandra_int((int64_t)request->limit);
    return STATUS_OK;
}

static enum status history_answer(struct cassandra_operation *operation, size_t index,
                                  const struct cql_result *result) {
    struct history_operation *history = (struct history_operation *)operation;
    size_t count = result ? cql_result_rows(result) : 0;
    history->rows = arena_calloc(&operation->arena, count + 1, sizeof *history->rows);
    if (!history->rows) return STATUS_NO_MEMORY;
    for (; history->count < count; history->count++) {
        enum status status = cassandra_read_row(result, history->count, &operation->arena,
                                                &history->rows[history->count], &operation->error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status history_advance(struct cassandra_operation *operation) {
    return one_phase(operation, 1);
}

static void history_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct history_operation *history = (struct history_operation *)operation;
    bool is_ok = status == STATUS_OK;
    history->request->done(history->request, status, is_ok ? history->rows : NULL, is_ok ? history->count : 0,
                           error_text);
}

static const struct cassandra_operation_ops history_ops = {
    .prepare = history_prepare, .answer = history_answer, .advance = history_advance, .finish = history_finish};

void cassandra_history(struct order_store *base, struct order_store_history *request) {
    struct cassandra_store *store = cassandra_of(base);
    struct error error = {""};
    if (request->limit < 1 || request->limit > ORDER_STORE_LIST_MAX) {
        error_set(&error, STATUS_INVALID, "the limit must be from 1 to %d", ORDER_STORE_LIST_MAX);
        request->done(request, STATUS_INVALID, NULL, 0, error.text);
        return;
    }
    struct history_operation *history =
        cassandra_operation_new(store, &history_ops, sizeof *history, store->metrics.read_seconds[KIND_HISTORY]);
    if (!history) {
        request->done(request, STATUS_NO_MEMORY, NULL, 0, no_memory);
        return;
    }
    history->request = request;
    enum status status = submit(&history->operation, &error);
    if (status != STATUS_OK) request->done(request, status, NULL, 0, error.text);
}
