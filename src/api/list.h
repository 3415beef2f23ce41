/* One page of GET /orders: what was asked for, and where a page begins. */
#ifndef ORDERLY_API_LIST_H
#define ORDERLY_API_LIST_H

#include "api/api_state.h"

#define LIST_LIMIT_DEFAULT 50
#define LIST_LIMIT_MAX ORDER_STORE_LIST_MAX
#define LIST_TEXT_MAX (4u << 20) /* bytes after which a page ends, however few orders it has */
#define LIST_CURSOR_TEXT_MAX 256 /* characters */
#define LIST_ERRORS_MAX 16       /* named in one answer */

/* Where a page begins: the store's own place, and two bounds, since a page mixes the store's orders with pending ones.
 */
struct list_position {
    struct order_store_cursor store;
    struct pending_key bound;         /* the store's orders must be older: set where a page was cut */
    struct pending_key pending_below; /* pending orders must be older */
};

struct list_query {
    size_t limit;
    struct bytes customer_name; /* .data NULL: any */
    bool has_status;
    enum order_status status;
    int64_t created_after_ms, created_before_ms; /* 0: none */
    bool is_empty;                               /* created_before lies before every order */
    struct list_position position;
};

/* The list's parameters, in the order of the documentation; for openapi_test.py. */
extern const char *const list_parameters[];
extern const size_t list_parameter_count;

/* Reads and checks the parameters. False: answered with a problem that names each bad one. */
bool list_query_read(struct http_request *request, struct list_query *query_out);

/* The Link header's target for the next page: the same filters, another cursor. */
void list_query_write_next(const struct list_query *query, const struct list_position *next, struct buffer *out);

/* A first page's position. */
struct list_position list_position_first(void);

/* Cursors are opaque texts: a version, a hash of the filters they belong to, the position, a checksum. */
void list_cursor_write(const struct list_query *query, const struct list_position *position,
                       char out[LIST_CURSOR_TEXT_MAX]);

/* INVALID: not one of our cursors; UNSUPPORTED: of another version; CONFLICT: it belongs to other filters. */
enum status list_cursor_read(const struct list_query *query, struct bytes text, struct list_position *position_out);

#endif
