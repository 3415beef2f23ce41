/* Writing to the Cassandra order store. Not one transaction, so each step leaves something that the repeat repairs:
 *
 *   1. read     who wrote the rows that are to be written; a change whose row is another's is left out
 *   2. history  the versions with their status, which decide what is true; and the directory, which only says where to
 *               look, so that it may be there too early but never too late
 *   3. listings
 *   4. a customer's row that has moved to another name is deleted, after it is to be seen at the new one
 *
 * The same change writes the same cells at the same write time, however often and from wherever it is repeated. */
#include "order_store/cassandra_writes.h"

#define ORDER_SIZE_MAX (128u << 10)       /* bytes; an order at all limits has about 118 KiB */
#define CREATED_AT_MS_MAX 253402300799999 /* the end of the year 9999 */

enum apply_step { STEP_READ, STEP_HISTORY, STEP_LISTINGS, STEP_UNLIST, STEP_END };

struct apply_operation {
    struct cassandra_operation operation;
    struct order_store_apply *request;
    enum apply_step step;           /* the next one */
    size_t *reads;                  /* of which change each call of the first step is */
    bool *is_left_out;              /* by change */
    struct cassandra_writes writes; /* of the step */
};

static struct apply_operation *apply_of(struct cassandra_operation *operation) {
    return (struct apply_operation *)operation;
}

/* --- the rows of each step --- */

static enum status begin_read(struct apply_operation *apply) {
    const struct order_store_apply *request = apply->request;
    struct arena *arena = &apply->operation.arena;
    apply->reads = arena_calloc(arena, request->count, sizeof *apply->reads);
    apply->is_left_out = arena_calloc(arena, request->count, sizeof *apply->is_left_out);
    if (!apply->reads || !apply->is_left_out) return STATUS_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++)
        if (request->changes[i].before) apply->reads[count++] = i;
    return count ? cassandra_phase(&apply->operation, count, false) : STATUS_OK;
}

static enum status add_change(struct apply_operation *apply, const struct order_store_change *change,
                              enum apply_step step) {
    struct cassandra_store *store = apply->operation.store;
    struct arena *arena = &apply->operation.arena;
    const struct order *before = change->before;
    switch (step) {
    case STEP_HISTORY:
        cassandra_add_order(&apply->writes, change->after);
        return cassandra_add_directory(&apply->writes, store, change->after, arena);
    case STEP_LISTINGS: return cassandra_add_listing(&apply->writes, store, change->after, arena);
    case STEP_UNLIST:
        if (!before || bytes_equal(before->customer_name, change->after->order.customer_name)) return STATUS_OK;
        return cassandra_add_unlisting(&apply->writes, store, before, change->after, arena);
    default: return STATUS_OK;
    }
}

static enum status begin_writes(struct apply_operation *apply, enum apply_step step) {
    static const size_t rows_per_change[STEP_END] = {
        [STEP_HISTORY] = 1 + 2 * SCOPE_COUNT, [STEP_LISTINGS] = SCOPE_COUNT, [STEP_UNLIST] = 1};
    const struct order_store_apply *request = apply->request;
    struct arena *arena = &apply->operation.arena;
    enum status status = cassandra_writes_init(&apply->writes, request->count * rows_per_change[step], arena);
    for (size_t i = 0; i < request->count && status == STATUS_OK; i++)
        if (!apply->is_left_out[i]) status = add_change(apply, &request->changes[i], step);
    if (status == STATUS_OK) status = cassandra_writes_cut(&apply->writes, arena);
    if (status != STATUS_OK || apply->writes.batch_count == 0) return status;
    return cassandra_phase(&apply->operation, apply->writes.batch_count, true);
}

/* Steps that have nothing to do are passed over. */
static enum status apply_advance(struct cassandra_operation *operation) {
    struct apply_operation *apply = apply_of(operation);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && operation->call_count == 0 && apply->step < STEP_END) {
        enum apply_step step = apply->step++;
        status = step == STEP_READ ? begin_read(apply) : begin_writes(apply, step);
    }
    return status;
}

/* --- calls --- */

static const struct history_row *row_read(const struct apply_operation *apply, size_t index) {
    return apply->request->changes[apply->reads[index]].after;
}

static enum status apply_prepare(struct cassandra_operation *operation, size_t index, struct cassandra_draft *draft) {
    const struct apply_operation *apply = apply_of(operation);
    if (operation->writes_now) return cassandra_batch_prepare(&apply->writes.batches[index], operation->store, draft);
    const struct history_row *row = row_read(apply, index);
    struct cql_value *cells = cassandra_draft_add(draft, operation->store, STATEMENT_WRITER);
    cells[0] = cassandra_uuid(&row->order.order_id);
    cells[1] = cassandra_int(row->order.version);
    return STATUS_OK;
}

/* Whoever wrote a row by the same command, attempt and position wrote the same row. */
static bool is_writer_of(const struct cql_result *result, const struct history_row *row) {
    int64_t position;
    struct uuid command_id, attempt_id;
    return cassandra_cell_integer(result, 0, 0, &position) && position == row->position &&
           cassandra_cell_uuid(result, 0, 1, &command_id) && uuid_equal(&command_id, &row->command_id) &&
           cassandra_cell_uuid(result, 0, 2, &attempt_id) && uuid_equal(&attempt_id, &row->attempt_id);
}

static enum status apply_answer(struct cassandra_operation *operation, size_t index, const struct cql_result *result) {
    struct apply_operation *apply = apply_of(operation);
    if (operation->writes_now)
        cassandra_batch_done(&apply->writes.batches[index], operation->store);
    else if (result && cql_result_rows(result) > 0 && !is_writer_of(result, row_read(apply, index)))
        apply->is_left_out[apply->reads[index]] = true;
    return STATUS_OK;
}

static void apply_finish(struct cassandra_operation *operation, enum status status, const char *error_text) {
    struct order_store_apply *request = apply_of(operation)->request;
    request->done(request, status, error_text);
}

static const struct cassandra_operation_ops apply_ops = {
    .writes = true,
    .prepare = apply_prepare,
    .answer = apply_answer,
    .advance = apply_advance,
    .finish = apply_finish,
};

/* --- the request --- */

/* Only rows that can be read again are written. */
static bool row_is_storable(const struct history_row *row) {
    const struct order *order = &row->order;
    return order->version >= 1 && order->version <= INT32_MAX && (unsigned)order->status < ORDER_STATUS_COUNT &&
           order->item_count <= ORDER_ITEMS_MAX && order->metadata_count <= ORDER_METADATA_MAX &&
           order->customer_name.size <= 4 * ORDER_CUSTOMER_NAME_MAX && order->created_at_ms >= 0 &&
           order->created_at_ms <= CREATED_AT_MS_MAX && cassandra_order_size(order) <= ORDER_SIZE_MAX;
}

static bool request_is_storable(const struct order_store_apply *request) {
    if (request->count < 1 || request->count > ORDER_STORE_BATCH_MAX) return false;
    for (size_t i = 0; i < request->count; i++) {
        const struct order_store_change *change = &request->changes[i];
        if (!row_is_storable(change->after)) return false;
        if (change->before && change->before->customer_name.size > 4 * ORDER_CUSTOMER_NAME_MAX) return false;
    }
    return true;
}

void cassandra_apply(struct order_store *base, struct order_store_apply *request) {
    struct cassandra_store *store = cassandra_of(base);
    struct error error = {"order store: out of memory"};
    if (!request_is_storable(request)) {
        request->done(request, STATUS_INVALID, "a change is above a limit of the order store");
        return;
    }
    metric_observe_size(store->metrics.apply_changes, request->count);
    struct apply_operation *apply =
        cassandra_operation_new(store, &apply_ops, sizeof *apply, store->metrics.apply_seconds);
    enum status status = STATUS_NO_MEMORY;
    if (apply) {
        apply->request = request;
        status = cassandra_operation_submit(&apply->operation, &error);
    }
    if (status == STATUS_OK) return;
    if (apply) cassandra_operation_free(&apply->operation);
    request->done(request, status, error.text);
}
