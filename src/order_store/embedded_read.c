/* Reading the embedded order store: one short transaction on the caller's thread, ended before the answer goes out. */
#include "order_store/embedded_store.h"

#define READ_BLOCK_SIZE 4096 /* bytes: most single orders fit */

enum status embedded_read_begin(struct embedded_store *store, enum embedded_read_kind kind,
                                struct embedded_read *read) {
    *read = (struct embedded_read){.store = store, .kind = kind};
    read->started_ns = clock_monotonic_ns(store->clock);
    arena_init(&read->arena, READ_BLOCK_SIZE, EMBEDDED_READ_MAX);
    enum status status = lmdb_env_read_begin(store->env, &read->txn);
    if (status == STATUS_OK) return STATUS_OK;
    read->txn = NULL;
    return error_set(&read->error, status, "order store: cannot begin a read");
}

void embedded_read_end(struct embedded_read *read) {
    if (read->txn) lmdb_env_read_end(read->store->env, read->txn);
    read->txn = NULL;
    metric_observe_ns(read->store->read_seconds[read->kind], clock_monotonic_ns(read->store->clock) - read->started_ns);
}

void embedded_read_free(struct embedded_read *read) {
    arena_free(&read->arena);
}

const char *embedded_read_text(const struct embedded_read *read, enum status status) {
    if (status == STATUS_OK) return NULL;
    return read->error.text[0] ? read->error.text : status_name(status);
}

enum status embedded_value(MDB_txn *txn, MDB_dbi dbi, struct bytes key, struct bytes *payload_out,
                           struct error *error) {
    MDB_val k = {key.size, (void *)key.data}, v;
    int code = mdb_get(txn, dbi, &k, &v);
    if (code == MDB_NOTFOUND) return STATUS_NOT_FOUND;
    if (code) return lmdb_status(code, error);
    return lmdb_unseal(key, v, payload_out);
}

static enum status corrupt(struct error *error, const struct uuid *order_id, uint32_t version, const char *what) {
    char text[UUID_TEXT_SIZE];
    uuid_format(order_id, text);
    if (!version) return error_set(error, STATUS_CORRUPT, "order %s: %s", text, what);
    return error_set(error, STATUS_CORRUPT, "order %s, version %u: %s", text, (unsigned)version, what);
}

enum status embedded_current(const struct embedded_store *store, MDB_txn *txn, const struct uuid *order_id,
                             struct current_row *current_out, struct error *error) {
    struct bytes payload;
    struct bytes key = {(const char *)order_id->bytes, sizeof order_id->bytes};
    enum status status = embedded_value(txn, store->orders, key, &payload, error);
    if (status == STATUS_OK) status = current_row_decode(payload, current_out);
    if (status != STATUS_CORRUPT) return status;
    return corrupt(error, order_id, 0, "its current row does not match its checksum or format");
}

enum status embedded_row(struct embedded_read *read, const struct uuid *order_id, uint32_t version,
                         struct history_row *row_out) {
    uint8_t key[HISTORY_KEY_SIZE];
    struct bytes payload;
    history_key(order_id, version, key);
    enum status status = embedded_value(read->txn, read->store->history, (struct bytes){(const char *)key, sizeof key},
                                        &payload, &read->error);
    if (status == STATUS_OK) status = history_row_decode(key, payload, &read->arena, row_out);
    if (status != STATUS_CORRUPT) return status;
    return corrupt(&read->error, order_id, version, "its history row does not match its checksum or format");
}

enum status embedded_order(struct embedded_read *read, const struct uuid *order_id, const struct current_row *current,
                           struct order *order_out) {
    struct history_row row;
    enum status status = embedded_row(read, order_id, current->version, &row);
    if (status == STATUS_NOT_FOUND)
        return corrupt(&read->error, order_id, current->version, "its history row is missing");
    if (status != STATUS_OK) return status;
    if (row.order.status != current->status || row.order.created_at_ms != current->created_at_ms)
        return corrupt(&read->error, order_id, current->version, "its current row and its history row disagree");
    *order_out = row.order;
    return STATUS_OK;
}

/* --- get --- */

void embedded_get(struct order_store *base, struct order_store_get *get) {
    struct embedded_store *store = embedded_of(base);
    struct embedded_read read;
    struct current_row current;
    struct order order;
    int64_t read_at_ms = clock_wall_ms(store->clock);
    enum status status = embedded_read_begin(store, READ_GET, &read);
    if (status == STATUS_OK) status = embedded_current(store, read.txn, &get->order_id, &current, &read.error);
    if (status == STATUS_OK) status = embedded_order(&read, &get->order_id, &current, &order);
    embedded_read_end(&read);
    get->done(get, status, status == STATUS_OK ? &order : NULL, read_at_ms, embedded_read_text(&read, status));
    embedded_read_free(&read);
}

/* --- rows --- */

static enum status read_rows(struct embedded_read *read, const struct order_store_rows *rows,
                             const struct history_row **found) {
    for (size_t i = 0; i < rows->count; i++) {
        struct history_row row;
        enum status status = embedded_row(read, &rows->keys[i].order_id, rows->keys[i].version, &row);
        if (status == STATUS_NOT_FOUND) continue;
        if (status != STATUS_OK) return status;
        struct history_row *kept = arena_alloc(&read->arena, sizeof *kept);
        if (!kept) return STATUS_NO_MEMORY;
        *kept = row;
        found[i] = kept;
    }
    return STATUS_OK;
}

void embedded_rows(struct order_store *base, struct order_store_rows *rows) {
    struct embedded_read read;
    const struct history_row **found = NULL;
    enum status status = embedded_read_begin(embedded_of(base), READ_ROWS, &read);
    if (status == STATUS_OK && rows->count > ORDER_STORE_BATCH_MAX)
        status = error_set(&read.error, STATUS_INVALID, "more than %d rows in one read", ORDER_STORE_BATCH_MAX);
    if (status == STATUS_OK) {
        found = arena_calloc(&read.arena, rows->count + 1, sizeof(struct history_row *));
        status = found ? read_rows(&read, rows, found) : STATUS_NO_MEMORY;
    }
    embedded_read_end(&read);
    rows->done(rows, status, status == STATUS_OK ? found : NULL, embedded_read_text(&read, status));
    embedded_read_free(&read);
}

/* --- history --- */

static bool key_is_of(MDB_val key, const struct uuid *order_id) {
    return key.mv_size == HISTORY_KEY_SIZE && memcmp(key.mv_data, order_id->bytes, sizeof order_id->bytes) == 0;
}

static enum status read_history(struct embedded_read *read, const struct order_store_history *history,
                                struct history_row *rows, size_t *count_out) {
    MDB_cursor *cursor;
    int code = mdb_cursor_open(read->txn, read->store->history, &cursor);
    if (code) return lmdb_status(code, &read->error);
    uint8_t start[HISTORY_KEY_SIZE];
    history_key(&history->order_id, history->from_version, start);
    MDB_val key = {sizeof start, start}, value;
    enum status status = STATUS_OK;
    size_t count = 0;
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (!code && count < history->limit && key_is_of(key, &history->order_id)) {
        struct bytes payload, sealed_by = {key.mv_data, key.mv_size};
        status = lmdb_unseal(sealed_by, value, &payload);
        if (status == STATUS_OK) status = history_row_decode(key.mv_data, payload, &read->arena, &rows[count]);
        if (status == STATUS_CORRUPT)
            corrupt(&read->error, &history->order_id, history_key_version(key.mv_data),
                    "its history row does not match its checksum or format");
        if (status != STATUS_OK) break;
        count++;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code && code != MDB_NOTFOUND) return lmdb_status(code, &read->error);
    *count_out = count;
    return status;
}

void embedded_history(struct order_store *base, struct order_store_history *history) {
    struct embedded_read read;
    struct history_row *rows = NULL;
    size_t count = 0;
    enum status status = embedded_read_begin(embedded_of(base), READ_HISTORY, &read);
    if (status == STATUS_OK && (history->limit < 1 || history->limit > ORDER_STORE_LIST_MAX))
        status = error_set(&read.error, STATUS_INVALID, "the limit must be from 1 to %d", ORDER_STORE_LIST_MAX);
    if (status == STATUS_OK) {
        rows = arena_calloc(&read.arena, history->limit, sizeof *rows);
        status = rows ? read_history(&read, history, rows, &count) : STATUS_NO_MEMORY;
    }
    embedded_read_end(&read);
    history->done(history, status, rows, status == STATUS_OK ? count : 0, embedded_read_text(&read, status));
    embedded_read_free(&read);
}
