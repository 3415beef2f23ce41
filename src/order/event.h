/* Events: what the pipeline publishes to order-events, one verdict at least for every attempt.
 *
 * As a message: key = order id as text, value = JSON, headers = CloudEvents 1.0 binary mode. Readers that only route
 * (the feed) need the headers alone:
 *
 *   ce_specversion  1.0
 *   ce_id           "<order id>/<version>" for the attempt that its history row names, else the attempt id
 *   ce_source       /orderly
 *   ce_type         see event_type
 *   ce_time         the order's updated_at (deterministic), or the command's time where there is no order
 *   ce_subject      order id
 *   ce_attemptid, ce_verdict, ce_reason, ce_orderversion   extension attributes
 *   content-type    application/json
 */
#ifndef ORDERLY_ORDER_EVENT_H
#define ORDERLY_ORDER_EVENT_H

#include "order/decide.h"

#define EVENT_ID_SIZE 48
#define EVENT_HEADERS 12
#define EVENT_TEXT_MAX (ORDER_TEXT_MAX + 4096)

struct event {
    struct uuid order_id, command_id, attempt_id;
    enum command_kind kind;
    enum verdict verdict;
    enum reason reason;
    bool is_first; /* the attempt that its history row names: ce_id is order id/version */
    int32_t partition;
    int64_t offset; /* position of the command */
    int64_t time_ms; /* the command's */
    bool has_order;
    struct order order; /* if has_order: see struct decision, shown */
};

/* Fills an event from a decision. Points into command and decision. */
void event_of(const struct command *command, const struct decision *decision, int32_t partition, int64_t offset,
              struct event *event_out);

/* "orderly.order.created", ".amended", ".confirmed" ... ".refunded" (first, applied); "orderly.command.repeated" (not the
 * first, or unchanged); "orderly.command.rejected". */
const char *event_type(const struct event *event);

/* The ce_id. */
void event_id(const struct event *event, char out[EVENT_ID_SIZE]);

/* Writes / reads the JSON value. Reading: INVALID with error; text points into value and arena. */
void event_write(struct buffer *out, const struct event *event);
enum status event_read(struct bytes value, struct arena *arena, struct event *event_out, struct error *error);

#endif
