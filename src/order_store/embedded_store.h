/* What the files of the embedded order store share: its databases, their keys and their rows.
 *
 *   database     key                                        value
 *   orders       order id (16)                              current row: version, and what the listings are made of
 *   history      order id (16), version (u32)               the whole order as it was then, and what wrote it
 *   by_time      tail                                       nothing
 *   by_customer  XXH3-128 of the customer name (16), tail   nothing
 *   by_status    status (1), tail                           nothing
 *
 * The tail of a listing's key is created_at (8) and order id (16), both turned around so that LMDB's ascending order is
 * newest first. Every value is sealed (lmdb_seal), the empty ones too. */
#ifndef ORDERLY_ORDER_STORE_EMBEDDED_STORE_H
#define ORDERLY_ORDER_STORE_EMBEDDED_STORE_H

#include <pthread.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "lmdb/lmdb_env.h"
#include "order_store/order_store.h"

#define EMBEDDED_FORMAT 1             /* of keys and rows, recorded at setup; a newer one is refused */
#define EMBEDDED_ROW_MAX (128u << 10) /* bytes of a history row; an order at all limits has about 118 KiB */
#define EMBEDDED_PAGE_MAX (8u << 20)  /* bytes of decoded orders after which a page of list or scan ends early */
#define EMBEDDED_ARRAYS_MAX                                                                                            \
    (ORDER_ITEMS_MAX * sizeof(struct order_item) + ORDER_METADATA_MAX * sizeof(struct order_pair))
/* Bytes that one read may decode: the largest request, of the largest rows. */
#define EMBEDDED_READ_MAX                                                                                              \
    (ORDER_STORE_BATCH_MAX * (EMBEDDED_ROW_MAX + EMBEDDED_ARRAYS_MAX + sizeof(struct history_row)))
#define EMBEDDED_PREFIX_MAX 64 /* characters before database names */

enum embedded_listing { LISTING_TIME, LISTING_CUSTOMER, LISTING_STATUS, LISTING_COUNT };
enum embedded_read_kind { READ_GET, READ_ROWS, READ_HISTORY, READ_LIST, READ_SCAN, READ_KIND_COUNT };

struct embedded_store {
    struct order_store base;
    struct lmdb_env *env;
    const struct clock *clock;
    MDB_dbi orders, history, listings[LISTING_COUNT];
    struct metric_histogram *apply_seconds, *apply_sizes, *read_seconds[READ_KIND_COUNT];
    char format_name[EMBEDDED_PREFIX_MAX + 32]; /* under which the environment records EMBEDDED_FORMAT */
    /* Applies under way, so that close can wait for them. */
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* applies has become 0 */
    size_t applies;
};

static inline struct embedded_store *embedded_of(struct order_store *store) {
    return (struct embedded_store *)(void *)store;
}

/* --- embedded_codec.c: keys and rows as bytes; pure --- */

#define CUSTOMER_HASH_SIZE 16
#define TAIL_SIZE (8 + sizeof(struct uuid))
#define HISTORY_KEY_SIZE (sizeof(struct uuid) + 4)
#define LISTING_KEY_MAX (CUSTOMER_HASH_SIZE + TAIL_SIZE)

/* The row of the database `orders`: enough to know an order's rows in every listing. */
struct current_row {
    uint32_t version;
    enum order_status status;
    int64_t created_at_ms;
    uint8_t customer_hash[CUSTOMER_HASH_SIZE];
};
#define CURRENT_ROW_SIZE (1 + 4 + 1 + 8 + CUSTOMER_HASH_SIZE)

void customer_hash(struct bytes customer_name, uint8_t out[CUSTOMER_HASH_SIZE]);
void current_row_of(const struct order *order, struct current_row *current_out);
void current_row_encode(const struct current_row *current, uint8_t out[CURRENT_ROW_SIZE]);
enum status current_row_decode(struct bytes payload, struct current_row *current_out); /* CORRUPT */

void history_key(const struct uuid *order_id, uint32_t version, uint8_t out[HISTORY_KEY_SIZE]);
uint32_t history_key_version(const uint8_t key[HISTORY_KEY_SIZE]);

/* The bytes of a row without its key (order id and version). out has history_row_size bytes. */
size_t history_row_size(const struct history_row *row);
void history_row_encode(const struct history_row *row, uint8_t *out);

/* Everything that the row points to is copied into the arena. CORRUPT, NO_MEMORY: *row_out is undefined. Safe for any
 * payload. */
enum status history_row_decode(const uint8_t key[HISTORY_KEY_SIZE], struct bytes payload, struct arena *arena,
                               struct history_row *row_out);

void tail_encode(int64_t created_at_ms, const struct uuid *order_id, uint8_t out[TAIL_SIZE]);
void tail_decode(const uint8_t tail[TAIL_SIZE], int64_t *created_at_ms_out, struct uuid *order_id_out);

/* The part of a listing's key before the tail, from the fields that the listing is by; returns its size. */
size_t listing_prefix(enum embedded_listing listing, enum order_status status, const uint8_t hash[CUSTOMER_HASH_SIZE],
                      uint8_t out[LISTING_KEY_MAX]);
/* The whole key of an order's row in a listing; returns its size. */
size_t listing_key(enum embedded_listing listing, const struct uuid *order_id, const struct current_row *current,
                   uint8_t out[LISTING_KEY_MAX]);

/* --- embedded_apply.c --- */

void embedded_apply(struct order_store *base, struct order_store_apply *apply);

/* --- embedded_read.c: a read on the caller's thread, and the single-order requests --- */

/* One read: its transaction is ended before `done`, which sees only what the arena holds. */
struct embedded_read {
    struct embedded_store *store;
    enum embedded_read_kind kind;
    MDB_txn *txn;
    struct arena arena;
    int64_t started_ns;
    struct error error;
};

enum status embedded_read_begin(struct embedded_store *store, enum embedded_read_kind kind, struct embedded_read *read);
/* Ends the transaction; what is in the arena stays until embedded_read_free. */
void embedded_read_end(struct embedded_read *read);
void embedded_read_free(struct embedded_read *read);

/* The text for done: NULL if status is OK. */
const char *embedded_read_text(const struct embedded_read *read, enum status status);

/* The payload of a key, in the map. NOT_FOUND, CORRUPT (both without text), or what LMDB says. */
enum status embedded_value(MDB_txn *txn, MDB_dbi dbi, struct bytes key, struct bytes *payload_out, struct error *error);

/* The current row of an order. NOT_FOUND, CORRUPT with text. */
enum status embedded_current(const struct embedded_store *store, MDB_txn *txn, const struct uuid *order_id,
                             struct current_row *current_out, struct error *error);

/* One history row, copied into the read's arena. NOT_FOUND, CORRUPT with text, NO_MEMORY. */
enum status embedded_row(struct embedded_read *read, const struct uuid *order_id, uint32_t version,
                         struct history_row *row_out);

/* The order that a current row stands for: its history row must be there and agree, or it is CORRUPT. */
enum status embedded_order(struct embedded_read *read, const struct uuid *order_id, const struct current_row *current,
                           struct order *order_out);

void embedded_get(struct order_store *base, struct order_store_get *get);
void embedded_rows(struct order_store *base, struct order_store_rows *rows);
void embedded_history(struct order_store *base, struct order_store_history *history);

/* --- embedded_list.c --- */

void embedded_list(struct order_store *base, struct order_store_list *list);
void embedded_scan(struct order_store *base, struct order_store_scan *scan);

#endif
