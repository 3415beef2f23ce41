/* What a client may send to make an order, checked in full: every bad field is named, not only the first. */
#ifndef ORDERLY_ORDER_INPUT_H
#define ORDERLY_ORDER_INPUT_H

#include "order/order.h"

#define INPUT_ERRORS_MAX 32 /* further ones are counted, not kept */

struct input_error {
    struct bytes pointer; /* RFC 6901: "/items/3/quantity"; in the arena */
    const char *detail;   /* "must be a whole number from 1 to 1000000"; static or in the arena */
};

struct input_errors {
    struct input_error list[INPUT_ERRORS_MAX];
    size_t count; /* kept ones */
    size_t total; /* found ones */
};

/* The two dialects of a create. */
enum input_dialect {
    INPUT_ORDERS,     /* POST /orders: {customer_name, items[...]} or {customer_name, item, quantity[, unit_price]} */
    INPUT_API_ORDERS, /* POST /api/orders: the same; an empty body or {} makes an empty order */
};

struct input_create {
    bool has_order_id; /* the client named the id */
    struct order order; /* customer_name, items, metadata, currency, total and, if has_order_id, order_id are set */
};

/* Reads a create. body_value: the parsed body, or NULL for an empty one. default_currency: used where none is given.
 * Returns OK, INVALID (errors_out says each bad field; an unknown field is one) or NO_MEMORY.
 * The result points into the value tree and the arena. */
enum status input_read_create(const struct json_value *body_value, enum input_dialect dialect, const char *default_currency,
                              struct arena *arena, struct input_create *create_out, struct input_errors *errors_out);

/* The fields of a create as the checks know them, for the test that holds openapi.yaml against them. */
struct input_field {
    const char *pointer; /* "/customer_name", "/items/0/quantity"; "/metadata/{key}" stands for each pair */
    const char *type;    /* "string", "integer", "array", "object"; "key": the name of the member itself */
    int64_t minimum, maximum; /* value, length or count, by type */
    bool required;            /* in the form, short or rich, to which it belongs */
};
const struct input_field *input_create_fields(size_t *count_out);

#endif
