/* The plain model of an order's life. */
#include "model/order_model.h"

#include <string.h>

const char *const model_statuses[8] = {"created",   "confirmed", "paid",   "shipped",
                                       "delivered", "cancelled", "failed", "refunded"};

/* Every step there is. */
static const char *const steps[][2] = {
    {"created", "confirmed"},   {"created", "cancelled"}, {"created", "failed"},   {"confirmed", "paid"},
    {"confirmed", "cancelled"}, {"confirmed", "failed"},  {"paid", "shipped"},     {"paid", "failed"},
    {"paid", "refunded"},       {"shipped", "delivered"}, {"shipped", "refunded"}, {"delivered", "refunded"},
};

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

static bool may_step(const char *from, const char *to) {
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (same(steps[i][0], from) && same(steps[i][1], to)) return true;
    return false;
}

static bool may_amend(const char *status) {
    return same(status, "created") || same(status, "confirmed");
}

static bool asks_the_same(const struct model_command *a, const struct model_command *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == MODEL_TRANSITION) return same(a->target, b->target);
    return a->customer == b->customer && a->basket == b->basket && a->metadata == b->metadata;
}

static struct model_verdict yes(const char *verdict, int shown) {
    return (struct model_verdict){verdict, "none", shown};
}
static struct model_verdict no(const char *reason, int shown) {
    return (struct model_verdict){"rejected", reason, shown};
}

static struct model_version *add_version(struct model_order *order, const struct model_command *command) {
    struct model_version *version = &order->versions[++order->count];
    if (order->count > 1) *version = order->versions[order->count - 1];
    version->key = command->key;
    version->attempt = command->attempt;
    version->payload = *command;
    return version;
}

static struct model_verdict tell_create(struct model_order *order, const struct model_command *command) {
    if (order->count > 0) {
        const struct model_version *first = &order->versions[1];
        if (first->key != command->key) return no("order_exists", 1);
        return asks_the_same(&first->payload, command) ? yes("created", 1) : no("key_reused", 1);
    }
    struct model_version *version = add_version(order, command);
    version->customer = command->customer;
    version->basket = command->basket;
    version->metadata = command->metadata;
    version->status = "created";
    version->created_ms = version->updated_ms = command->time_ms;
    return yes("created", 1);
}

/* What the version that the client saw has against the command, or NULL. */
static const char *objection(const struct model_version *seen, const struct model_command *command,
                             bool basket_is_too_dear) {
    if (command->kind == MODEL_TRANSITION) return may_step(seen->status, command->target) ? NULL : "illegal_transition";
    if (!may_amend(seen->status)) return "not_amendable";
    return basket_is_too_dear ? "total_too_large" : NULL;
}

static void change(struct model_order *order, const struct model_command *command) {
    struct model_version *version = add_version(order, command);
    if (command->time_ms > version->updated_ms) version->updated_ms = command->time_ms;
    if (command->kind == MODEL_TRANSITION) {
        version->status = command->target;
        return;
    }
    if (command->customer != MODEL_UNSET) version->customer = command->customer;
    if (command->basket != MODEL_UNSET) version->basket = command->basket;
    if (command->metadata != MODEL_UNSET) version->metadata = command->metadata;
}

static struct model_verdict tell_change(struct model_order *order, const struct model_command *command,
                                        bool basket_is_too_dear) {
    int seen = command->expected, next = seen + 1;
    if (seen > order->count) return no("version_ahead", 0);
    bool is_taken = next <= order->count;
    if (is_taken && order->versions[next].key == command->key)
        return asks_the_same(&order->versions[next].payload, command) ? yes("applied", next) : no("key_reused", next);
    bool wants_status = command->kind == MODEL_TRANSITION;
    if (wants_status && same(order->versions[seen].status, command->target)) return yes("unchanged", seen);
    const char *reason = objection(&order->versions[seen], command, basket_is_too_dear);
    if (reason) return no(reason, seen);
    if (is_taken && wants_status && same(order->versions[next].status, command->target)) return yes("unchanged", next);
    if (is_taken) return no("version_conflict", seen);
    change(order, command);
    return yes("applied", next);
}

struct model_verdict model_tell(struct model_order *order, const struct model_command *command,
                                bool basket_is_too_dear) {
    if (command->kind == MODEL_CREATE) return tell_create(order, command);
    return tell_change(order, command, basket_is_too_dear);
}
