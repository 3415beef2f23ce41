/* The transition tables: which status may follow which, by version of the rules. A table, once used, never changes. */
#include "order/order.h"

#define BIT(name) (1u << ORDER_##name)

struct rules {
    unsigned next[ORDER_STATUS_COUNT]; /* bit sets; an absent row is a final status */
    unsigned amendable;
};

static const struct rules rules_1 = {
    .next =
        {
            [ORDER_CREATED] = BIT(CONFIRMED) | BIT(CANCELLED) | BIT(FAILED),
            [ORDER_CONFIRMED] = BIT(PAID) | BIT(CANCELLED) | BIT(FAILED),
            [ORDER_PAID] = BIT(SHIPPED) | BIT(REFUNDED) | BIT(FAILED),
            [ORDER_SHIPPED] = BIT(DELIVERED) | BIT(REFUNDED),
            [ORDER_DELIVERED] = BIT(REFUNDED),
        },
    .amendable = BIT(CREATED) | BIT(CONFIRMED),
};

/* By version. New rules go behind; commands that name old ones are still decided by them. */
static const struct rules *const versions[] = {NULL, &rules_1};
#define VERSION_COUNT (sizeof versions / sizeof versions[0])
_Static_assert(VERSION_COUNT == ORDER_RULES_CURRENT + 1, "the current rules are the last of the table");

bool order_rules_exist(uint32_t rules) {
    return rules > 0 && rules < VERSION_COUNT;
}

unsigned order_next_statuses(uint32_t rules, enum order_status from) {
    return order_rules_exist(rules) && from < ORDER_STATUS_COUNT ? versions[rules]->next[from] : 0;
}

bool order_transition_is_allowed(uint32_t rules, enum order_status from, enum order_status to) {
    return to < ORDER_STATUS_COUNT && (order_next_statuses(rules, from) >> to & 1);
}

bool order_is_amendable(uint32_t rules, enum order_status status) {
    return order_rules_exist(rules) && status < ORDER_STATUS_COUNT && (versions[rules]->amendable >> status & 1);
}
