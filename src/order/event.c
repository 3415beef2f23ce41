/* Events: verdicts as messages of order-events, their type and id. */
#include "order/event.h"

#include <stdio.h>

#include "order/member.h"

#define EVENT_SCHEMA 1

static const char *const transition_types[ORDER_STATUS_COUNT] = {
    [ORDER_CREATED] = "orderly.order.created",     [ORDER_CONFIRMED] = "orderly.order.confirmed",
    [ORDER_PAID] = "orderly.order.paid",           [ORDER_SHIPPED] = "orderly.order.shipped",
    [ORDER_DELIVERED] = "orderly.order.delivered", [ORDER_CANCELLED] = "orderly.order.cancelled",
    [ORDER_FAILED] = "orderly.order.failed",       [ORDER_REFUNDED] = "orderly.order.refunded",
};

void event_of(const struct command *command, const struct decision *decision, int32_t partition, int64_t offset,
              struct event *event_out) {
    struct event event = {
        .order_id = command->order_id,
        .command_id = command->command_id,
        .attempt_id = command->attempt_id,
        .kind = command->kind,
        .verdict = decision->verdict,
        .reason = decision->reason,
        .is_first = decision->write && history_row_is_attempt(&decision->row, command),
        .partition = partition,
        .offset = offset,
        .time_ms = command->time_ms,
        .has_order = decision->shown != NULL,
    };
    if (decision->shown) event.order = *decision->shown;
    *event_out = event;
}

const char *event_type(const struct event *event) {
    if (event->verdict == VERDICT_REJECTED) return "orderly.command.rejected";
    if (!event->is_first) return "orderly.command.repeated";
    if (event->kind == COMMAND_AMEND) return "orderly.order.amended";
    return transition_types[event->order.status];
}

void event_id(const struct event *event, char out[EVENT_ID_SIZE]) {
    char id[UUID_TEXT_SIZE];
    uuid_format(event->is_first ? &event->order_id : &event->attempt_id, id);
    if (event->is_first)
        snprintf(out, EVENT_ID_SIZE, "%s/%u", id, (unsigned)event->order.version);
    else
        snprintf(out, EVENT_ID_SIZE, "%s", id);
}

void event_write(struct buffer *out, const struct event *event) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "schema");
    json_integer(&writer, EVENT_SCHEMA);
    json_key(&writer, "kind");
    json_text(&writer, command_kind_name(event->kind));
    json_key(&writer, "verdict");
    json_text(&writer, verdict_name(event->verdict));
    json_key(&writer, "reason");
    json_text(&writer, reason_name(event->reason));
    json_key(&writer, "first");
    json_bool(&writer, event->is_first);
    member_write_uuid(&writer, "order_id", &event->order_id);
    member_write_uuid(&writer, "command_id", &event->command_id);
    member_write_uuid(&writer, "attempt_id", &event->attempt_id);
    json_key(&writer, "partition");
    json_integer(&writer, event->partition);
    json_key(&writer, "offset");
    json_integer(&writer, event->offset);
    json_key(&writer, "time_ms");
    json_integer(&writer, event->time_ms);
    json_key(&writer, "order");
    if (event->has_order)
        order_write_json(&writer, &event->order);
    else
        json_null(&writer);
    json_end_object(&writer);
}

static enum status read_head(const struct json_value *message, struct event *event, struct error *error) {
    int64_t schema, partition = 0;
    struct bytes kind = {0}, verdict = {0}, reason = {0};
    /* Newer members are ignored: a newer program writes the ones here as they are. */
    enum status status = member_integer(message, "schema", 1, UINT32_MAX, &schema, error);
    if (!status) status = member_string(message, "kind", &kind, error);
    if (!status) status = member_string(message, "verdict", &verdict, error);
    if (!status) status = member_string(message, "reason", &reason, error);
    if (!status) status = member_bool(message, "first", &event->is_first, error);
    if (!status) status = member_uuid(message, "order_id", &event->order_id, error);
    if (!status) status = member_uuid(message, "command_id", &event->command_id, error);
    if (!status) status = member_uuid(message, "attempt_id", &event->attempt_id, error);
    if (!status) status = member_integer(message, "partition", 0, INT32_MAX, &partition, error);
    if (!status) status = member_integer(message, "offset", 0, JSON_INTEGER_MAX, &event->offset, error);
    if (!status) status = member_integer(message, "time_ms", 0, MEMBER_TIME_MS_MAX, &event->time_ms, error);
    if (status) return status;
    event->partition = (int32_t)partition;
    if (command_kind_parse(kind, &event->kind)) return error_set(error, STATUS_INVALID, "kind is unknown");
    if (verdict_parse(verdict, &event->verdict)) return error_set(error, STATUS_INVALID, "verdict is unknown");
    if (reason_parse(reason, &event->reason)) return error_set(error, STATUS_INVALID, "reason is unknown");
    return STATUS_OK;
}

/* What event_of never makes, and what readers therefore need not think of. */
static enum status check_sense(const struct event *event, struct error *error) {
    bool is_rejected = event->verdict == VERDICT_REJECTED;
    if (is_rejected != (event->reason != REASON_NONE))
        return error_set(error, STATUS_INVALID, "reason does not go with the verdict");
    if ((event->verdict == VERDICT_CREATED) != (event->kind == COMMAND_CREATE) && !is_rejected &&
        event->verdict != VERDICT_UNCHANGED)
        return error_set(error, STATUS_INVALID, "verdict does not go with the kind");
    if (!is_rejected && !event->has_order) return error_set(error, STATUS_INVALID, "order is missing");
    if (event->is_first && (is_rejected || event->verdict == VERDICT_UNCHANGED))
        return error_set(error, STATUS_INVALID, "first does not go with the verdict");
    if (event->has_order && !uuid_equal(&event->order.order_id, &event->order_id))
        return error_set(error, STATUS_INVALID, "order is another one");
    return STATUS_OK;
}

enum status event_read(struct bytes value, struct arena *arena, struct event *event_out, struct error *error) {
    struct json_value *message;
    struct json_error why = {0};
    struct event event = {0};
    if (value.size > EVENT_TEXT_MAX)
        return error_set(error, STATUS_INVALID, "an event has at most %d bytes", EVENT_TEXT_MAX);
    enum status status = json_read(value, arena, &message, &why);
    if (status == STATUS_NO_MEMORY) return error_set(error, status, "no memory to read an event");
    if (status) return error_set(error, STATUS_INVALID, "not JSON: %s (at byte %zu)", why.text, why.offset);
    if ((status = read_head(message, &event, error))) return status;
    const struct json_value *order = json_member(message, "order");
    event.has_order = order && order->kind != JSON_NULL;
    if (event.has_order && (status = order_read_json(order, arena, &event.order, error))) return status;
    if ((status = check_sense(&event, error))) return status;
    *event_out = event;
    return STATUS_OK;
}
