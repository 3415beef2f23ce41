/* The order store port: orders, every version of them (history), and listings.
 *
 * Threads and ownership are as in event_log/event_log.h: any thread may call; `done` comes exactly once, on the
 * caller's thread before the call returns or on a thread of the adapter, must not block, may submit further requests;
 * request structs and what they point to belong to the caller and stay unchanged until `done`. What a done callback is
 * given to read is valid until it returns: copy what must stay.
 *
 * Statuses of every `done`: OK; NOT_FOUND where said; UNAVAILABLE (nothing done, retry safe); UNKNOWN (writes: perhaps
 * done; all writes here are repeatable, so repeat); FULL; CORRUPT; NO_MEMORY; CLOSED. */
#ifndef ORDERLY_ORDER_STORE_ORDER_STORE_H
#define ORDERLY_ORDER_STORE_ORDER_STORE_H

#include "base/advice.h"
#include "order/decide.h"

#define ORDER_STORE_LIST_MAX 200    /* orders on one page */
#define ORDER_STORE_BATCH_MAX 1024  /* keys or changes in one request */
#define ORDER_STORE_CURSOR_MAX 48   /* bytes */
#define ORDER_STORE_LIST_READS 1000 /* rows one page reads at most; then it is short and still says where to go on */

/* One order, as it is now. NOT_FOUND: no such order. read_at_ms: wall time at which the read began. */
struct order_store_get {
    struct uuid order_id;
    void (*done)(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                 const char *error_text);
    void *data;
    void *reserved[8];
};

/* Many history rows by key. rows[i] is NULL where absent. Not NOT_FOUND. */
struct order_store_key {
    struct uuid order_id;
    uint32_t version;
};
struct order_store_rows {
    const struct order_store_key *keys;
    size_t count; /* <= ORDER_STORE_BATCH_MAX */
    void (*done)(struct order_store_rows *rows, enum status status, const struct history_row *const *found,
                 const char *error_text);
    void *data;
    void *reserved[8];
};

/* The history of one order, ascending, from from_version, at most limit rows (<= ORDER_STORE_LIST_MAX). An order that
 * does not exist has no rows (OK). */
struct order_store_history {
    struct uuid order_id;
    uint32_t from_version;
    size_t limit;
    void (*done)(struct order_store_history *history, enum status status, const struct history_row *rows, size_t count,
                 const char *error_text);
    void *data;
    void *reserved[8];
};

/* apply(before, after): makes the store show `after` in the order's row, its history and every listing, unless it
 * already shows that version or a later one; atomic, or safely repeatable. A history row that exists is never changed.
 * before: the previous version, NULL for version 1. Changes of one order come in ascending order of versions; after OK
 * all of them are durable and seen by every later read. */
struct order_store_change {
    const struct order *before;
    const struct history_row *after;
};
struct order_store_apply {
    const struct order_store_change *changes;
    size_t count; /* 1 to ORDER_STORE_BATCH_MAX */
    void (*done)(struct order_store_apply *apply, enum status status, const char *error_text);
    void *data;
    void *reserved[8];
};

/* A page of orders, newest first: by created_at, then order id, both descending. */
struct order_store_cursor {
    uint8_t bytes[ORDER_STORE_CURSOR_MAX]; /* the adapter's own format */
    size_t size;                           /* 0: from the start */
};
struct order_store_list {
    struct bytes customer_name; /* exact; .data NULL: any */
    bool has_status;
    enum order_status status;
    int64_t created_after_ms, created_before_ms; /* exclusive; 0: none */
    struct order_store_cursor cursor;            /* INVALID from done if it is not one of this adapter's */
    size_t limit;                                /* 1 to ORDER_STORE_LIST_MAX */
    /* next: where the next page starts; its size is 0 at the end of the list. A page may be short, even empty, and
     * still have a next. */
    void (*done)(struct order_store_list *list, enum status status, const struct order *orders, size_t count,
                 const struct order_store_cursor *next, const char *error_text);
    void *data;
    void *reserved[8];
};

/* A walk over all orders in an order of the adapter's choice, for export: each order that exists throughout the walk
 * comes once. cursor and next as above; limit up to ORDER_STORE_BATCH_MAX; holds nothing between pages. */
struct order_store_scan {
    struct order_store_cursor cursor;
    size_t limit;
    void (*done)(struct order_store_scan *scan, enum status status, const struct order *orders, size_t count,
                 const struct order_store_cursor *next, const char *error_text);
    void *data;
    void *reserved[8];
};

struct order_store {
    const struct order_store_ops *ops;
};

struct order_store_ops {
    const char *name; /* "embedded", "cassandra" */
    enum status (*setup)(struct order_store *store, struct error *error);
    enum status (*check)(struct order_store *store, int timeout_ms, struct error *error);
    void (*advise)(struct order_store *store, int timeout_ms, struct advice *advice); /* NULL: nothing to say */
    void (*get)(struct order_store *store, struct order_store_get *get);
    void (*rows)(struct order_store *store, struct order_store_rows *rows);
    void (*history)(struct order_store *store, struct order_store_history *history);
    void (*apply)(struct order_store *store, struct order_store_apply *apply);
    void (*list)(struct order_store *store, struct order_store_list *list);
    void (*scan)(struct order_store *store, struct order_store_scan *scan);
    void (*close)(struct order_store *store);
};

/* Creates what the store needs, if it is not there. Repeatable. UNSUPPORTED: made by a newer version. */
static inline enum status order_store_setup(struct order_store *store, struct error *error) {
    return store->ops->setup(store, error);
}
/* OK if the store answers within timeout_ms. */
static inline enum status order_store_check(struct order_store *store, int timeout_ms, struct error *error) {
    return store->ops->check(store, timeout_ms, error);
}

/* Adds a line for each weak setting of the service (replication, durability, eviction…). One that does not answer within
 * timeout_ms adds none. */
static inline void order_store_advise(struct order_store *store, int timeout_ms, struct advice *advice) {
    if (store->ops->advise) store->ops->advise(store, timeout_ms, advice);
}
static inline void order_store_get(struct order_store *store, struct order_store_get *get) {
    store->ops->get(store, get);
}
static inline void order_store_rows(struct order_store *store, struct order_store_rows *rows) {
    store->ops->rows(store, rows);
}
static inline void order_store_history(struct order_store *store, struct order_store_history *history) {
    store->ops->history(store, history);
}
static inline void order_store_apply(struct order_store *store, struct order_store_apply *apply) {
    store->ops->apply(store, apply);
}
static inline void order_store_list(struct order_store *store, struct order_store_list *list) {
    store->ops->list(store, list);
}
static inline void order_store_scan(struct order_store *store, struct order_store_scan *scan) {
    store->ops->scan(store, scan);
}
/* Frees the store; requests under way end first. NULL is allowed. */
static inline void order_store_close(struct order_store *store) {
    if (store) store->ops->close(store);
}

#endif
