/* One create on its way: from the checked body to the log's acknowledgement or the pipeline's verdict. */
#ifndef ORDERLY_API_CREATE_H
#define ORDERLY_API_CREATE_H

#include "api/api_state.h"
#include "order/command.h"
#include "order/input.h"

#define CREATE_HEADERS 8

/* In the request's arena. Two operations may use it at a time: the append and the wait for the verdict. */
struct create {
    struct deferred deferred; /* first: http_data points to it */
    struct api *api;
    struct http_request *request;
    enum input_dialect dialect;
    struct command command;
    char order_id[UUID_TEXT_SIZE], attempt_id[UUID_TEXT_SIZE];
    /* the append */
    struct buffer value;
    struct event_log_header headers[CREATE_HEADERS];
    struct event_log_record record;
    struct event_log_append append;
    int64_t appended_ns;
    atomic_bool is_durable;
    /* a minted create: shown until the feed reports it; one reference */
    struct pending_order *pending;
    /* a create whose id the client named */
    struct feed_waiter waiter;
    struct create *next, *previous; /* in api->waiting */
};

/* Appends the command and answers, now or later (create_append.c). */
void create_append(struct create *create);

/* Registers with the feed, with a hold of its own; false: answered already, nothing is registered. */
bool create_await_verdict(struct create *create);

/* Ends the wait if the verdict has not come, and never will here. */
void create_stop_waiting(struct create *create);

#endif
