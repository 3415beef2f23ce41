/* The comparison of an installation with the model. */
#include "model/model_compare.h"

#include <stdio.h>
#include <stdlib.h>

#define COMPARE_ARENA_SIZE (256u << 20)

static bool differs(const struct round *round, int order, const char *what) {
    fprintf(stderr, "difference: %s\n", what);
    if (order >= 0) round_print_order(round, order);
    return false;
}

static const struct round_command *command_of_attempt(const struct round *round, int attempt) {
    return &round->commands[attempt]; /* an attempt is named by the command that made it first */
}

/* --- orders and histories --- */

static bool compare_row(const struct round *round, const struct round_order *order, const struct history_row *row,
                        int version) {
    const struct round_command *maker = command_of_attempt(round, order->model.versions[version].attempt);
    struct order expected = round_order_of(round, order, version);
    return order_equal(&row->order, &expected) && uuid_equal(&row->attempt_id, &maker->attempt_id) &&
           uuid_equal(&row->command_id, &maker->command_id) && row->position == maker->offset;
}

static bool compare_order(const struct round *round, struct rig *rig, int index, struct arena *arena) {
    const struct round_order *order = &round->orders[index];
    const struct order *stored = rig_order(rig, order->order_id, arena);
    struct rig_rows history = rig_history(rig, order->order_id, arena);
    if ((stored != NULL) != (order->model.count > 0))
        return differs(round, index, "one exists that should not, or not");
    if ((int)history.count != order->model.count) return differs(round, index, "the number of versions");
    for (int version = 1; version <= order->model.count; version++)
        if (!compare_row(round, order, &history.rows[version - 1], version))
            return differs(round, index, "a row of the history");
    if (!stored) return true;
    struct order expected = round_order_of(round, order, order->model.count);
    return order_equal(stored, &expected) ? true : differs(round, index, "the order as it is now");
}

/* It may be behind or empty, where a put was skipped or a service was away; never ahead. */
static bool compare_cached(const struct round *round, struct rig *rig, int index) {
    const struct round_order *order = &round->orders[index];
    bool is_ahead = rig_cached_version(rig, order->order_id) > (uint32_t)order->model.count;
    return is_ahead ? differs(round, index, "the cache shows a version that never was") : true;
}

/* --- listings --- */

static int newest_first(const void *left, const void *right) {
    const struct order *a = left, *b = right;
    if (a->created_at_ms != b->created_at_ms) return a->created_at_ms < b->created_at_ms ? 1 : -1;
    return -uuid_compare(&a->order_id, &b->order_id);
}

static bool compare_list(const struct round *round, struct rig *rig, const struct order_store_list *filter,
                         struct arena *arena) {
    struct order expected[ROUND_ORDERS_MAX];
    size_t count = 0;
    for (int i = 0; i < round->order_count; i++) {
        const struct round_order *order = &round->orders[i];
        if (order->model.count == 0) continue;
        expected[count] = round_order_of(round, order, order->model.count);
        bool has_status = !filter->has_status || expected[count].status == filter->status;
        bool has_name =
            !filter->customer_name.data || bytes_equal(expected[count].customer_name, filter->customer_name);
        count += has_status && has_name;
    }
    qsort(expected, count, sizeof expected[0], newest_first);
    struct rig_orders listed = rig_list(rig, filter, arena);
    if (listed.count != count) return differs(round, -1, "the length of a list");
    for (size_t i = 0; i < count; i++)
        if (!order_equal(&listed.orders[i], &expected[i]))
            return differs(round, -1, "an order in a list, or its place");
    return true;
}

static bool compare_lists(const struct round *round, struct rig *rig, struct arena *arena) {
    const struct order_store_list all = {
        .created_after_ms = round->begin_ms - 1, .created_before_ms = round->begin_ms + ROUND_TIME_MS, .limit = 7};
    if (!compare_list(round, rig, &all, arena)) return false;
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        struct order_store_list list = all;
        list.has_status = true;
        list.status = (enum order_status)status;
        if (!compare_list(round, rig, &list, arena)) return false;
        list.customer_name = bytes_of(round_customer(status % CUSTOMER_COUNT));
        if (!compare_list(round, rig, &list, arena)) return false;
        list.has_status = false;
        if (status < CUSTOMER_COUNT && !compare_list(round, rig, &list, arena)) return false;
    }
    return true;
}

/* --- verdicts --- */

static bool compare_verdict(const struct round *round, const struct round_command *command,
                            const struct verdict_of_attempt *found) {
    int index = command->model.order, shown = command->expected.shown;
    if (!found) return differs(round, index, "an attempt without a verdict");
    const struct event *event = &found->event;
    bool is_same = strcmp(verdict_name(event->verdict), command->expected.verdict) == 0 &&
                   strcmp(reason_name(event->reason), command->expected.reason) == 0 && event->has_order == (shown > 0);
    if (is_same && shown > 0) {
        struct order expected = round_order_of(round, &round->orders[index], shown);
        is_same = order_equal(&event->order, &expected);
    }
    if (is_same) return true;
    fprintf(stderr, "verdict: %.*s\n", (int)found->value.size, found->value.data);
    return differs(round, index, "a verdict");
}

static bool was_sent(const struct round *round, const struct uuid *attempt_id) {
    for (int i = 0; i < round->command_count; i++)
        if (uuid_equal(&round->commands[i].attempt_id, attempt_id)) return true;
    return false;
}

static bool compare_verdicts(const struct round *round, struct rig *rig, const int64_t *events_from,
                             struct arena *arena) {
    struct verdicts verdicts = verdicts_read(rig, events_from, arena);
    size_t attempts = 0;
    if (verdicts.malformed > 0) return differs(round, -1, "a malformed event");
    if (!verdicts.all_agree) return differs(round, -1, "a verdict changed");
    for (int i = 0; i < round->command_count; i++) {
        const struct round_command *command = &round->commands[i];
        if (!compare_verdict(round, command, verdicts_find(&verdicts, &command->attempt_id))) return false;
        attempts += command->model.attempt == i;
    }
    if (verdicts.count == attempts) return true;
    for (size_t i = 0; i < verdicts.count; i++)
        if (!was_sent(round, &verdicts.list[i].attempt_id))
            fprintf(stderr, "verdict: %.*s\n", (int)verdicts.list[i].value.size, verdicts.list[i].value.data);
    return differs(round, -1, "a verdict on something nobody sent");
}

bool round_compare(const struct round *round, struct rig *rig, const int64_t *events_from) {
    struct arena arena;
    arena_init(&arena, 1u << 20, COMPARE_ARENA_SIZE);
    bool is_same = true;
    for (int i = 0; is_same && i < round->order_count; i++)
        is_same = compare_order(round, rig, i, &arena) && compare_cached(round, rig, i);
    if (is_same) is_same = compare_lists(round, rig, &arena);
    if (is_same) is_same = compare_verdicts(round, rig, events_from, &arena);
    if (is_same && rig_read(rig, TOPIC_DLQ, NULL, &arena).count > 0) is_same = differs(round, -1, "a dead letter");
    arena_free(&arena);
    return is_same;
}
