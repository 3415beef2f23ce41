/* Pages of orders: a listing or the orders themselves, from where the last page ended, with a bound on what one page
 * reads. Nothing is counted or skipped over, so a page costs the same however many orders there are. */
#include "order_store/embedded_store.h"

/* The first byte of a cursor says whose it is and in which format; then comes the end of the last key that was read. */
enum { CURSOR_LIST = 1, CURSOR_SCAN = 2 };

/* What a page has so far, in the read's arena. */
struct page {
    struct order *orders;
    size_t count, limit;
    size_t reads; /* rows */
    struct order_store_cursor next;
};

static enum status page_init(struct page *page, struct embedded_read *read, size_t limit, size_t limit_max) {
    *page = (struct page){.limit = limit};
    if (limit < 1 || limit > limit_max)
        return error_set(&read->error, STATUS_INVALID, "the limit must be from 1 to %zu", limit_max);
    page->orders = arena_calloc(&read->arena, limit, sizeof *page->orders);
    return page->orders ? STATUS_OK : STATUS_NO_MEMORY;
}

/* A page ends at its limit of orders, of rows read, or of memory; each allows at least one row. */
static bool page_is_full(const struct page *page, const struct embedded_read *read) {
    return page->count == page->limit || page->reads == ORDER_STORE_LIST_READS ||
           (page->reads && read->arena.total_size > EMBEDDED_PAGE_MAX);
}

static void cursor_set(struct order_store_cursor *cursor, uint8_t format, const uint8_t *key, size_t size) {
    cursor->bytes[0] = format;
    memcpy(cursor->bytes + 1, key, size);
    cursor->size = 1 + size;
}

/* *key_out is untouched where the cursor is empty: the start. */
static enum status cursor_get(const struct order_store_cursor *cursor, uint8_t format, uint8_t *key_out, size_t size,
                              struct error *error) {
    if (cursor->size == 0) return STATUS_OK;
    if (cursor->size != 1 + size || cursor->bytes[0] != format)
        return error_set(error, STATUS_INVALID, "the cursor is not one of this list");
    memcpy(key_out, cursor->bytes + 1, size);
    return STATUS_OK;
}

/* Moves to the first row behind start; a missing one is MDB_NOTFOUND. */
static int seek_behind(MDB_cursor *cursor, struct bytes start, MDB_val *key, MDB_val *value) {
    *key = (MDB_val){start.size, (void *)start.data};
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (!code && bytes_equal((struct bytes){key->mv_data, key->mv_size}, start))
        code = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    return code;
}

/* --- list --- */

/* The part of one listing that a request asks for. */
struct list_range {
    enum embedded_listing listing;
    size_t prefix_size;
    uint8_t start[LISTING_KEY_MAX]; /* prefix and tail; rows behind it belong to the range ... */
    int64_t end_ms;                 /* ... down to those created at this time, which do not */
    bool has_end;
};

/* The listing that leaves fewest rows to filter: by customer, else by status, else all. */
static enum status range_of(const struct order_store_list *list, struct list_range *range, struct error *error) {
    uint8_t hash[CUSTOMER_HASH_SIZE] = {0}, bound[TAIL_SIZE];
    bool has_customer = list->customer_name.data != NULL;
    *range = (struct list_range){.end_ms = list->created_after_ms, .has_end = list->created_after_ms != 0};
    range->listing = has_customer ? LISTING_CUSTOMER : list->has_status ? LISTING_STATUS : LISTING_TIME;
    if (has_customer) customer_hash(list->customer_name, hash);
    range->prefix_size = listing_prefix(range->listing, list->status, hash, range->start);

    uint8_t *tail = range->start + range->prefix_size;
    enum status status = cursor_get(&list->cursor, CURSOR_LIST, tail, TAIL_SIZE, error);
    if (status != STATUS_OK || list->created_before_ms == 0) return status;
    /* The last possible row of that moment: what lies behind it is older. */
    tail_encode(list->created_before_ms, &(struct uuid){{0}}, bound);
    if (memcmp(bound, tail, TAIL_SIZE) > 0) memcpy(tail, bound, TAIL_SIZE);
    return STATUS_OK;
}

static bool range_has(const struct list_range *range, MDB_val key) {
    if (key.mv_size != range->prefix_size + TAIL_SIZE) return false;
    if (memcmp(key.mv_data, range->start, range->prefix_size) != 0) return false;
    int64_t created_at_ms;
    struct uuid order_id;
    tail_decode((const uint8_t *)key.mv_data + range->prefix_size, &created_at_ms, &order_id);
    return !range->has_end || created_at_ms > range->end_ms;
}

/* The current row of the order that a listing's row names. Both were written in one transaction: they agree, or the
 * file is damaged. */
static enum status listed_current(struct embedded_read *read, const struct list_range *range, MDB_val key,
                                  MDB_val value, struct uuid *order_id, struct current_row *current) {
    struct bytes found = {key.mv_data, key.mv_size}, payload;
    int64_t created_at_ms;
    tail_decode((const uint8_t *)found.data + range->prefix_size, &created_at_ms, order_id);
    char text[UUID_TEXT_SIZE];
    uuid_format(order_id, text);
    if (lmdb_unseal(found, value, &payload) != STATUS_OK)
        return error_set(&read->error, STATUS_CORRUPT, "order %s: its row in a listing does not match its checksum",
                         text);
    enum status status = embedded_current(read->store, read->txn, order_id, current, &read->error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    uint8_t expected[LISTING_KEY_MAX];
    if (status == STATUS_OK) {
        size_t size = listing_key(range->listing, order_id, current, expected);
        if (bytes_equal((struct bytes){(const char *)expected, size}, found)) return STATUS_OK;
    }
    return error_set(&read->error, STATUS_CORRUPT, "order %s: its row in a listing and its current row disagree", text);
}

/* Reads one row of the listing and adds its order to the page, if it passes the filters that the key does not hold. */
static enum status list_row(struct embedded_read *read, const struct order_store_list *list,
                            const struct list_range *range, MDB_val key, MDB_val value, struct page *page) {
    struct uuid order_id;
    struct current_row current;
    enum status status = listed_current(read, range, key, value, &order_id, &current);
    if (status != STATUS_OK) return status;
    if (list->has_status && current.status != list->status) return STATUS_OK;
    struct order *order = &page->orders[page->count];
    status = embedded_order(read, &order_id, &current, order);
    if (status != STATUS_OK) return status;
    /* Two names may share a hash. */
    if (!list->customer_name.data || bytes_equal(order->customer_name, list->customer_name)) page->count++;
    return STATUS_OK;
}

static enum status list_page(struct embedded_read *read, const struct order_store_list *list, struct page *page) {
    struct list_range range;
    enum status status = range_of(list, &range, &read->error);
    if (status != STATUS_OK) return status;
    MDB_cursor *cursor;
    int code = mdb_cursor_open(read->txn, read->store->listings[range.listing], &cursor);
    if (code) return lmdb_status(code, &read->error);

    uint8_t last[TAIL_SIZE];
    MDB_val key, value;
    struct bytes start = {(const char *)range.start, range.prefix_size + TAIL_SIZE};
    code = seek_behind(cursor, start, &key, &value);
    while (!code && range_has(&range, key)) {
        if (page_is_full(page, read)) {
            cursor_set(&page->next, CURSOR_LIST, last, sizeof last);
            break;
        }
        memcpy(last, (const uint8_t *)key.mv_data + range.prefix_size, sizeof last);
        page->reads++;
        status = list_row(read, list, &range, key, value, page);
        if (status != STATUS_OK) break;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code && code != MDB_NOTFOUND) return lmdb_status(code, &read->error);
    return status;
}

void embedded_list(struct order_store *base, struct order_store_list *list) {
    struct embedded_read read;
    struct page page = {0};
    enum status status = embedded_read_begin(embedded_of(base), READ_LIST, &read);
    if (status == STATUS_OK) status = page_init(&page, &read, list->limit, ORDER_STORE_LIST_MAX);
    if (status == STATUS_OK) status = list_page(&read, list, &page);
    embedded_read_end(&read);
    if (status == STATUS_OK)
        list->done(list, status, page.orders, page.count, &page.next, NULL);
    else
        list->done(list, status, NULL, 0, NULL, embedded_read_text(&read, status));
    embedded_read_free(&read);
}

/* --- scan --- */

static enum status scan_row(struct embedded_read *read, MDB_val key, MDB_val value, struct page *page) {
    struct uuid order_id;
    struct current_row current;
    struct bytes payload;
    memcpy(order_id.bytes, key.mv_data, sizeof order_id.bytes);
    if (lmdb_unseal((struct bytes){key.mv_data, key.mv_size}, value, &payload) != STATUS_OK ||
        current_row_decode(payload, &current) != STATUS_OK) {
        char text[UUID_TEXT_SIZE];
        uuid_format(&order_id, text);
        return error_set(&read->error, STATUS_CORRUPT,
                         "order %s: its current row does not match its checksum or format", text);
    }
    enum status status = embedded_order(read, &order_id, &current, &page->orders[page->count]);
    if (status == STATUS_OK) page->count++;
    return status;
}

static enum status scan_page(struct embedded_read *read, const struct order_store_scan *scan, struct page *page) {
    struct uuid last;
    enum status status = cursor_get(&scan->cursor, CURSOR_SCAN, last.bytes, sizeof last.bytes, &read->error);
    if (status != STATUS_OK) return status;
    MDB_cursor *cursor;
    int code = mdb_cursor_open(read->txn, read->store->orders, &cursor);
    if (code) return lmdb_status(code, &read->error);
    MDB_val key, value;
    if (scan->cursor.size)
        code = seek_behind(cursor, (struct bytes){(const char *)last.bytes, sizeof last.bytes}, &key, &value);
    else
        code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (!code) {
        if (page_is_full(page, read)) {
            cursor_set(&page->next, CURSOR_SCAN, last.bytes, sizeof last.bytes);
            break;
        }
        memcpy(last.bytes, key.mv_data, sizeof last.bytes);
        page->reads++;
        status = scan_row(read, key, value, page);
        if (status != STATUS_OK) break;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code && code != MDB_NOTFOUND) return lmdb_status(code, &read->error);
    return status;
}

void embedded_scan(struct order_store *base, struct order_store_scan *scan) {
    struct embedded_read read;
    struct page page = {0};
    enum status status = embedded_read_begin(embedded_of(base), READ_SCAN, &read);
    if (status == STATUS_OK) status = page_init(&page, &read, scan->limit, ORDER_STORE_BATCH_MAX);
    if (status == STATUS_OK) status = scan_page(&read, scan, &page);
    embedded_read_end(&read);
    if (status == STATUS_OK)
        scan->done(scan, status, page.orders, page.count, &page.next, NULL);
    else
        scan->done(scan, status, NULL, 0, NULL, embedded_read_text(&read, status));
    embedded_read_free(&read);
}
