/* How one order is shown: its JSON in the first dialect, id and status in the second, the version as ETag. */
#ifndef ORDERLY_API_ORDER_VIEW_H
#define ORDERLY_API_ORDER_VIEW_H

#include "http/http.h"
#include "order/input.h"

#define ORDER_ETAG_SIZE 16
#define ORDER_PATH_SIZE 64

/* Renders the order into an empty buffer, as every cache and answer holds it. */
enum status order_view_render(const struct order *order, struct buffer *out);

/* Answers a GET: 200, or 304 if If-None-Match names the version. json: from order_view_render. */
void order_view_respond(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id,
                        uint32_t version, struct bytes json);

/* Answers a create with 201, Location and ETag. json: the order, for the first dialect. */
void order_view_respond_created(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id,
                                uint32_t version, struct bytes json);

/* 202: stored in the log, outcome not known yet; Location says where it will be. */
void order_view_respond_accepted(struct http_request *request, enum input_dialect dialect, const struct uuid *order_id);

#endif
