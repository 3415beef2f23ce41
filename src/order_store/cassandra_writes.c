/* Makes the rows of an apply, and of these rows batches: rows of one partition go out together, which costs the server
 * and the client far less than one by one; rows of different partitions never do. */
#include <stdlib.h>

#include "order_store/cassandra_writes.h"

#define KNOWN_KEY_MAX (1 + 3 * 8 + 2 + 4 * ORDER_CUSTOMER_NAME_MAX)
#define SMALL_ROW_SIZE 64 /* bytes of a row of the directory, about */

enum status cassandra_writes_init(struct cassandra_writes *writes, size_t capacity, struct arena *arena) {
    *writes = (struct cassandra_writes){.capacity = capacity};
    writes->list = arena_alloc(arena, (capacity + 1) * sizeof *writes->list);
    return writes->list ? STATUS_OK : STATUS_NO_MEMORY;
}

static void add(struct cassandra_writes *writes, struct cassandra_write write) {
    if (writes->count < writes->capacity) writes->list[writes->count++] = write;
}

/* --- rows --- */

void cassandra_add_order(struct cassandra_writes *writes, const struct history_row *row) {
    add(writes, (struct cassandra_write){.kind = WRITE_ORDER, .row = row});
}

static struct bytes known_key(const struct cassandra_write *write, uint8_t key[KNOWN_KEY_MAX]) {
    key[0] = (uint8_t)write->kind;
    bytes_put_u64(key + 1, (uint64_t)write->place.period_ms);
    bytes_put_u64(key + 9, (uint64_t)write->place.bucket_ms);
    bytes_put_u64(key + 17, (uint64_t)write->place.shard);
    memcpy(key + 25, write->scope.data, write->scope.size);
    return (struct bytes){(const char *)key, 25 + write->scope.size};
}

static void add_unless_known(struct cassandra_writes *writes, struct cassandra_store *store,
                             struct cassandra_write write) {
    uint8_t key[KNOWN_KEY_MAX];
    if (!cassandra_known_has(&store->known, known_key(&write, key))) add(writes, write);
}

enum status cassandra_add_directory(struct cassandra_writes *writes, struct cassandra_store *store,
                                    const struct history_row *row, struct arena *arena) {
    const struct order *order = &row->order;
    for (int i = 0; i < SCOPE_COUNT; i++) {
        enum cassandra_scope scope = (enum cassandra_scope)i;
        struct cassandra_write write = {.kind = WRITE_DIRECTORY};
        write.scope = cassandra_scope_text(scope, order->customer_name, arena);
        if (!write.scope.data) return STATUS_NO_MEMORY;
        write.place = cassandra_place_of(&store->session->layout, scope, order->created_at_ms, &order->order_id);
        add_unless_known(writes, store, write);
        write.kind = WRITE_PERIOD;
        write.place.bucket_ms = write.place.shard = 0;
        add_unless_known(writes, store, write);
    }
    return STATUS_OK;
}

enum status cassandra_add_listing(struct cassandra_writes *writes, const struct cassandra_store *store,
                                  const struct history_row *row, struct arena *arena) {
    const struct order *order = &row->order;
    for (int i = 0; i < SCOPE_COUNT; i++) {
        enum cassandra_scope scope = (enum cassandra_scope)i;
        struct cassandra_write write = {.kind = WRITE_LISTING, .row = row};
        write.scope = cassandra_scope_text(scope, order->customer_name, arena);
        if (!write.scope.data) return STATUS_NO_MEMORY;
        write.place = cassandra_place_of(&store->session->layout, scope, order->created_at_ms, &order->order_id);
        add(writes, write);
    }
    return STATUS_OK;
}

enum status cassandra_add_unlisting(struct cassandra_writes *writes, const struct cassandra_store *store,
                                    const struct order *before, const struct history_row *row, struct arena *arena) {
    struct cassandra_write write = {.kind = WRITE_UNLISTING, .row = row};
    write.scope = cassandra_scope_text(SCOPE_CUSTOMER, before->customer_name, arena);
    if (!write.scope.data) return STATUS_NO_MEMORY;
    write.place =
        cassandra_place_of(&store->session->layout, SCOPE_CUSTOMER, row->order.created_at_ms, &row->order.order_id);
    add(writes, write);
    return STATUS_OK;
}

/* --- batches --- */

static int compare_numbers(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_bytes(struct bytes a, struct bytes b) {
    size_t size = a.size < b.size ? a.size : b.size;
    int difference = size ? memcmp(a.data, b.data, size) : 0;
    return difference ? difference : compare_numbers((int64_t)a.size, (int64_t)b.size);
}

static bool has_order(enum cassandra_write_kind kind) {
    return kind <= WRITE_UNLISTING;
}

/* By partition; 0: the same one. */
static int compare_partitions(const struct cassandra_write *a, const struct cassandra_write *b) {
    int difference = compare_numbers(a->kind, b->kind);
    if (!difference) difference = compare_bytes(a->scope, b->scope);
    if (!difference && a->kind != WRITE_PERIOD) difference = compare_numbers(a->place.period_ms, b->place.period_ms);
    if (!difference && has_order(a->kind)) difference = compare_numbers(a->place.bucket_ms, b->place.bucket_ms);
    if (!difference && has_order(a->kind)) difference = compare_numbers(a->place.shard, b->place.shard);
    if (!difference && a->kind == WRITE_ORDER)
        difference = uuid_compare(&a->row->order.order_id, &b->row->order.order_id);
    return difference;
}

/* By row within a partition; 0: a later version of the order writes the same row. */
static int compare_rows(const struct cassandra_write *a, const struct cassandra_write *b) {
    int difference = compare_numbers(a->place.period_ms, b->place.period_ms);
    if (!difference) difference = compare_numbers(a->place.bucket_ms, b->place.bucket_ms);
    if (!difference) difference = compare_numbers(a->place.shard, b->place.shard);
    if (!difference && has_order(a->kind)) difference = uuid_compare(&a->row->order.order_id, &b->row->order.order_id);
    if (!difference && a->kind == WRITE_ORDER)
        difference = compare_numbers(a->row->order.version, b->row->order.version);
    return difference;
}

static int compare_writes(const void *left, const void *right) {
    const struct cassandra_write *a = left, *b = right;
    int difference = compare_partitions(a, b);
    if (!difference) difference = compare_rows(a, b);
    if (!difference && has_order(a->kind)) difference = compare_numbers(a->row->order.version, b->row->order.version);
    return difference;
}

static size_t size_of(const struct cassandra_write *write) {
    bool is_whole = write->kind == WRITE_ORDER || write->kind == WRITE_LISTING;
    return is_whole ? cassandra_order_size(&write->row->order) : SMALL_ROW_SIZE + write->scope.size;
}

/* Keeps of rows with one key the last. */
static void leave_out_repeats(struct cassandra_writes *writes) {
    size_t kept = 0;
    for (size_t i = 0; i < writes->count; i++) {
        const struct cassandra_write *write = &writes->list[i];
        bool is_repeated =
            i + 1 < writes->count && compare_partitions(write, write + 1) == 0 && compare_rows(write, write + 1) == 0;
        if (!is_repeated) writes->list[kept++] = *write;
    }
    writes->count = kept;
}

enum status cassandra_writes_cut(struct cassandra_writes *writes, struct arena *arena) {
    writes->batches = arena_alloc(arena, (writes->count + 1) * sizeof *writes->batches);
    if (!writes->batches) return STATUS_NO_MEMORY;
    if (writes->count > 0) qsort(writes->list, writes->count, sizeof *writes->list, compare_writes);
    leave_out_repeats(writes);
    size_t size = 0;
    struct cassandra_batch *batch = NULL;
    for (size_t i = 0; i < writes->count; i++) {
        const struct cassandra_write *write = &writes->list[i];
        size += size_of(write);
        bool fits = batch && batch->count < CASSANDRA_BATCH_ROWS_MAX && size <= CASSANDRA_BATCH_BYTES_MAX &&
                    compare_partitions(batch->writes, write) == 0;
        if (!fits) {
            batch = &writes->batches[writes->batch_count++];
            *batch = (struct cassandra_batch){write, 0};
            size = size_of(write);
        }
        batch->count++;
    }
    return STATUS_OK;
}

/* --- statements --- */

static enum status put_order(const struct cassandra_write *write, const struct cassandra_store *store,
                             struct cassandra_draft *draft) {
    const struct history_row *row = write->row;
    struct cql_value *cells = cassandra_draft_add(draft, store, STATEMENT_PUT_ORDER);
    cells[COLUMN_POSITION] = cassandra_bigint(row->position);
    cells[COLUMN_COMMAND_ID] = cassandra_uuid(&row->command_id);
    cells[COLUMN_ATTEMPT_ID] = cassandra_uuid(&row->attempt_id);
    cells[COLUMN_FINGERPRINT] =
        (struct cql_value){.type = CQL_BLOB, .data = row->fingerprint, .size = sizeof row->fingerprint};
    cells[ROW_COLUMN_COUNT] = cassandra_bigint(cassandra_write_time(&row->order));
    return cassandra_put_order(draft, cells, &row->order, false);
}

/* The same partition key in another table of the keyspace: Cassandra makes one mutation of both. */
static void put_status(const struct cassandra_write *write, const struct cassandra_store *store,
                       struct cassandra_draft *draft) {
    const struct order *order = &write->row->order;
    struct cql_value *cells = cassandra_draft_add(draft, store, STATEMENT_PUT_STATUS);
    cells[0] = cassandra_uuid(&order->order_id);
    cells[1] = cassandra_text(bytes_of(order_status_name(order->status)));
    cells[2] = cassandra_bigint(cassandra_write_time(order));
}

static void put_partition(const struct cassandra_write *write, struct cql_value *cells) {
    cells[0] = cassandra_text(write->scope);
    cells[1] = cassandra_time(write->place.bucket_ms);
    cells[2] = cassandra_int(write->place.shard);
}

static enum status put_listing(const struct cassandra_write *write, const struct cassandra_store *store,
                               struct cassandra_draft *draft) {
    struct cql_value *cells = cassandra_draft_add(draft, store, STATEMENT_PUT_LISTING);
    put_partition(write, cells + COLUMN_COUNT);
    cells[COLUMN_COUNT + 3] = cassandra_bigint(cassandra_write_time(&write->row->order));
    return cassandra_put_order(draft, cells, &write->row->order, true);
}

static enum status delete_listing(const struct cassandra_write *write, const struct cassandra_store *store,
                                  struct cassandra_draft *draft) {
    struct cql_value *cells = cassandra_draft_add(draft, store, STATEMENT_DELETE_LISTING);
    cells[0] = cassandra_bigint(cassandra_write_time(&write->row->order));
    put_partition(write, cells + 1);
    cells[4] = cassandra_time(write->row->order.created_at_ms);
    return cassandra_put_id(draft, &write->row->order, &cells[5]);
}

static void put_directory(const struct cassandra_write *write, const struct cassandra_store *store,
                          struct cassandra_draft *draft) {
    bool is_period = write->kind == WRITE_PERIOD;
    struct cql_value *cells =
        cassandra_draft_add(draft, store, is_period ? STATEMENT_PUT_PERIOD : STATEMENT_PUT_DIRECTORY);
    cells[0] = cassandra_text(write->scope);
    cells[1] = cassandra_time(write->place.period_ms);
    cells[2] = cassandra_time(write->place.bucket_ms); /* these two: the directory's alone */
    cells[3] = cassandra_int(write->place.shard);
}

enum status cassandra_batch_prepare(const struct cassandra_batch *batch, const struct cassandra_store *store,
                                    struct cassandra_draft *draft) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        const struct cassandra_write *write = &batch->writes[i];
        switch (write->kind) {
        case WRITE_ORDER: status = put_order(write, store, draft); break;
        case WRITE_LISTING: status = put_listing(write, store, draft); break;
        case WRITE_UNLISTING: status = delete_listing(write, store, draft); break;
        case WRITE_DIRECTORY:
        case WRITE_PERIOD: put_directory(write, store, draft); break;
        }
    }
    if (status == STATUS_OK && batch->writes->kind == WRITE_ORDER)
        put_status(&batch->writes[batch->count - 1], store, draft);
    return status;
}

void cassandra_batch_done(const struct cassandra_batch *batch, struct cassandra_store *store) {
    uint8_t key[KNOWN_KEY_MAX];
    metric_add(store->metrics.rows_written, batch->count + (batch->writes->kind == WRITE_ORDER));
    if (has_order(batch->writes->kind)) return;
    for (size_t i = 0; i < batch->count; i++)
        cassandra_known_add(&store->known, known_key(&batch->writes[i], key));
}
