/* The decision: a pure function of a command, its position in the log, and history rows e and e+1.
 *
 * Why a verdict never changes. Commands of one order stand in one partition, and every consumer works through it in
 * order, starting no later than what is committed, with all writes of a command durable before its position is
 * committed. So, whoever decides the command at position p, and whenever:
 *   - every row that an earlier command (position < p) leads to is in the store;
 *   - rows at position p are this very command's; rows at later positions may be there (a replay, a late consumer) or
 *     not (the first run). Rows never change.
 * Therefore the decision may depend only on what the first run saw: row e and row e+1 as far as their positions are
 * not above p, or made by p itself. A later row e is "absent" (version_ahead). A later row e+1 needs no look either,
 * whether its command id is ours or another's: at first sight it was not there, so row e alone decided. If row e had
 * allowed the command, row e+1 would have been written at p and could not be a later one; so it was rejected or a
 * no-op, and is so again. (That is why "my command id" may not be looked at before positions: a second attempt under
 * the same key with another payload may have been applied after the first was rejected, and that must not turn the
 * first one's answer into key_reused.) A row e+1 that was there at first sight is there in every replay: its command
 * id, fingerprint, status and row e decide, and none of them changes. Last, the command's own row: at first sight row
 * e+1 was absent and row e allowed it; in a replay row e+1 has its command id and fingerprint: the same verdict,
 * `repeat` apart. */
#include "order/decide.h"

/* A row is visible to a command if the first run saw it, or the command made it itself. */
static bool is_visible(const struct history_row *row, int64_t position) {
    return row && row->position <= position;
}

static enum reason reason_of_transition(const struct command *command, const struct order *order) {
    if (!order_transition_is_allowed(command->rules, order->status, command->target)) return REASON_ILLEGAL_TRANSITION;
    return order->version >= ORDER_VERSION_MAX ? REASON_VERSION_LIMIT : REASON_NONE;
}

static enum reason reason_of_amend(const struct command *command, const struct order *order) {
    int64_t total;
    if (!order_is_amendable(command->rules, order->status)) return REASON_NOT_AMENDABLE;
    if (command->amend_set & AMEND_ITEMS && order_total(command->order.items, command->order.item_count, &total))
        return REASON_TOTAL_TOO_LARGE;
    return order->version >= ORDER_VERSION_MAX ? REASON_VERSION_LIMIT : REASON_NONE;
}

/* What row e says against the command; NONE: nothing. */
static enum reason reason_on_row(const struct command *command, const struct history_row *row_e) {
    switch (command->kind) {
    case COMMAND_TRANSITION: return reason_of_transition(command, &row_e->order);
    case COMMAND_AMEND: return reason_of_amend(command, &row_e->order);
    default: return REASON_NONE; /* a create has no row e */
    }
}

static bool has_target_status(const struct command *command, const struct history_row *row) {
    return command->kind == COMMAND_TRANSITION && row->order.status == command->target;
}

static void reject(struct decision *decision, enum reason reason, const struct history_row *shown) {
    decision->verdict = VERDICT_REJECTED;
    decision->reason = reason;
    decision->shown = shown ? &shown->order : NULL;
}

static void leave_unchanged(struct decision *decision, const struct history_row *shown) {
    decision->verdict = VERDICT_UNCHANGED;
    decision->shown = &shown->order;
}

static void accept(struct decision *decision, const struct command *command) {
    decision->verdict = command->kind == COMMAND_CREATE ? VERDICT_CREATED : VERDICT_APPLIED;
    decision->write = true;
    decision->shown = &decision->row.order;
}

/* The order that the command makes of the one before (NULL for a create). */
static struct order next_order(const struct command *command, const struct order *before) {
    const struct order *input = &command->order;
    if (!before) {
        struct order created = *input;
        created.order_id = command->order_id;
        created.status = ORDER_CREATED;
        created.version = 1;
        created.created_at_ms = created.updated_at_ms = command->time_ms;
        return created;
    }
    struct order order = *before;
    order.version++;
    if (command->time_ms > order.updated_at_ms) order.updated_at_ms = command->time_ms;
    if (command->kind == COMMAND_TRANSITION) {
        order.status = command->target;
        return order;
    }
    if (command->amend_set & AMEND_CUSTOMER_NAME) order.customer_name = input->customer_name;
    if (command->amend_set & AMEND_METADATA) {
        order.metadata = input->metadata;
        order.metadata_count = input->metadata_count;
    }
    if (command->amend_set & AMEND_ITEMS) {
        order.items = input->items;
        order.item_count = input->item_count;
        (void)order_total(order.items, order.item_count, &order.total); /* reason_of_amend: it is within the limit */
    }
    return order;
}

static void apply(struct decision *decision, const struct command *command, int64_t position,
                  const struct history_row *row_e) {
    struct history_row *row = &decision->row;
    row->order = next_order(command, row_e ? &row_e->order : NULL);
    row->position = position;
    row->command_id = command->command_id;
    row->attempt_id = command->attempt_id;
    memcpy(row->fingerprint, command->fingerprint, sizeof row->fingerprint);
    accept(decision, command);
}

/* Row e+1 is this command's: it was applied before, by this attempt or an earlier one. */
static void decide_again(struct decision *decision, const struct command *command, const struct history_row *row_next) {
    if (memcmp(row_next->fingerprint, command->fingerprint, sizeof command->fingerprint) != 0) {
        reject(decision, REASON_KEY_REUSED, row_next);
        return;
    }
    decision->row = *row_next;
    decision->repeat = true;
    accept(decision, command);
}

/* Row e+1 is another's, and row e would have allowed the command. */
static void lose(struct decision *decision, const struct command *command, const struct history_row *row_e,
                 const struct history_row *row_next) {
    if (has_target_status(command, row_next))
        leave_unchanged(decision, row_next);
    else if (command->kind == COMMAND_CREATE)
        reject(decision, REASON_ORDER_EXISTS, row_next);
    else
        reject(decision, REASON_VERSION_CONFLICT, row_e);
}

void decide(const struct command *command, int64_t position, const struct history_row *row_e,
            const struct history_row *row_next, struct decision *decision_out) {
    *decision_out = (struct decision){0};
    if (command->expected_version > 0 && !is_visible(row_e, position)) {
        reject(decision_out, REASON_VERSION_AHEAD, NULL); /* no order: a later row e would differ from the first run */
        return;
    }
    bool is_mine = row_next && uuid_equal(&row_next->command_id, &command->command_id);
    if (is_mine && is_visible(row_next, position)) {
        decide_again(decision_out, command, row_next);
        return;
    }
    if (row_e && has_target_status(command, row_e)) {
        leave_unchanged(decision_out, row_e);
        return;
    }
    enum reason reason = reason_on_row(command, row_e);
    if (reason != REASON_NONE)
        reject(decision_out, reason, row_e);
    else if (!row_next)
        apply(decision_out, command, position, row_e);
    else if (is_mine) /* later than this attempt, though row e allowed it: a store that a sound log does not lead to */
        decide_again(decision_out, command, row_next);
    else
        lose(decision_out, command, row_e, row_next);
}

/* --- names --- */

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_CREATED] = "created",
    [VERDICT_APPLIED] = "applied",
    [VERDICT_UNCHANGED] = "unchanged",
    [VERDICT_REJECTED] = "rejected",
};

static const struct {
    const char *name, *text;
    int http_status;
} reasons[REASON_COUNT] = {
    [REASON_NONE] = {"none", "The command was accepted.", 200},
    [REASON_VERSION_AHEAD] = {"version_ahead", "The order had not reached the expected version.", 409},
    [REASON_VERSION_CONFLICT] = {"version_conflict", "Another change came first: read the order and try again.", 409},
    [REASON_ORDER_EXISTS] = {"order_exists", "An order with this id exists already.", 409},
    [REASON_ILLEGAL_TRANSITION] = {"illegal_transition", "The order's status does not allow this step.", 409},
    [REASON_NOT_AMENDABLE] = {"not_amendable", "The order's status no longer allows it to be amended.", 409},
    [REASON_TOTAL_TOO_LARGE] = {"total_too_large", "The total would be above the limit.", 422},
    [REASON_KEY_REUSED] = {"key_reused", "The same key was used before with other content.", 422},
    [REASON_VERSION_LIMIT] = {"version_limit", "The order has reached the highest version and stays as it is.", 409},
};

const char *verdict_name(enum verdict verdict) {
    return verdict < VERDICT_COUNT ? verdict_names[verdict] : "unknown";
}

enum status verdict_parse(struct bytes name, enum verdict *verdict_out) {
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (bytes_equal(name, bytes_of(verdict_names[i]))) return *verdict_out = (enum verdict)i, STATUS_OK;
    return STATUS_INVALID;
}

const char *reason_name(enum reason reason) {
    return reason < REASON_COUNT ? reasons[reason].name : "unknown";
}

enum status reason_parse(struct bytes name, enum reason *reason_out) {
    for (int i = 0; i < REASON_COUNT; i++)
        if (bytes_equal(name, bytes_of(reasons[i].name))) return *reason_out = (enum reason)i, STATUS_OK;
    return STATUS_INVALID;
}

const char *reason_text(enum reason reason) {
    return reason < REASON_COUNT ? reasons[reason].text : "Unknown.";
}

int verdict_http_status(enum verdict verdict, enum reason reason) {
    if (verdict == VERDICT_CREATED) return 201;
    if (verdict != VERDICT_REJECTED) return 200;
    return reason < REASON_COUNT ? reasons[reason].http_status : 409;
}
