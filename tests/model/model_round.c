/* Rounds: random commands, most of them sensible, all with the model's verdict. */
#include "model/model_round.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- contents by number --- */

static const char *const customers[CUSTOMER_COUNT] = {"Ada", "Grace", "Edsger \"EWD\"", "\xc3\x89milie"};

const char *round_customer(int customer) {
    return customers[customer];
}

static const struct order_item lamp[] = {{{"lamp", 4}, 2, 1250}};
static const struct order_item several[] = {{{"bulb", 4}, 12, 99}, {{"socket \"E27\"", 12}, 1, 0}, {{"wire", 4}, 3, 7}};
static const struct order_item dear[] = {{{"yacht", 5}, 1000000, ORDER_AMOUNT_MAX}};

static const struct {
    const struct order_item *items;
    size_t count;
    bool is_too_dear; /* for amends only: no API lets such a create pass */
} baskets[] = {{lamp, 1, false}, {several, 3, false}, {dear, 1, true}};
#define BASKETS_CREATE 2
#define BASKETS_AMEND 3

static const struct order_pair colours[] = {{{"colour", 6}, {"green", 5}}, {{"note", 4}, {"", 0}}};
static const struct {
    const struct order_pair *pairs;
    size_t count;
} metadata[] = {{NULL, 0}, {colours, 2}, {colours, 1}};
#define METADATA_COUNT 3

/* --- generation --- */

static int below(struct round *round, int bound) {
    return (int)random_below(&round->random.base, (uint64_t)bound);
}
static bool chance(struct round *round, int percent) {
    return below(round, 100) < percent;
}

static int new_key(struct round *round) {
    round->command_ids[round->key_count] = uuid_make_v4(&round->random.base);
    return round->key_count++;
}

/* Version right, one behind, one ahead, or anything. */
static int pick_version(struct round *round, const struct model_order *order) {
    int version = order->count;
    int kind = below(round, 10);
    if (kind == 7) version--;
    if (kind == 8) version++;
    if (kind == 9) version = below(round, order->count + 3);
    return version > 0 ? version : 1;
}

static const char *pick_target(struct round *round, const struct model_order *order) {
    static const char *const way[] = {"confirmed", "paid", "shipped", "delivered", "refunded"};
    if (order->count > 0 && chance(round, 70))
        for (int i = 0; i < 5; i++)
            if (strcmp(order->versions[order->count].status, i == 0 ? "created" : way[i - 1]) == 0) return way[i];
    return model_statuses[below(round, 8)];
}

static void fill_payload(struct round *round, struct model_command *command, const struct model_order *order) {
    bool is_create = command->kind == MODEL_CREATE;
    command->target = "created";
    if (command->kind == MODEL_TRANSITION) command->target = pick_target(round, order);
    command->customer = is_create || chance(round, 50) ? below(round, CUSTOMER_COUNT) : MODEL_UNSET;
    command->basket = is_create ? below(round, BASKETS_CREATE) : MODEL_UNSET;
    if (!is_create && chance(round, 30)) command->basket = below(round, BASKETS_AMEND);
    command->metadata = is_create || chance(round, 30) ? below(round, METADATA_COUNT) : MODEL_UNSET;
    bool amends_nothing = command->customer == MODEL_UNSET && command->basket == MODEL_UNSET;
    if (amends_nothing && command->metadata == MODEL_UNSET) command->customer = 0;
}

/* An earlier command of the same order again: under the same key, perhaps with another payload; or the last one in the
 * very same bytes, as a log does that repeats an append. (An attempt id is unique per append: the same attempt again
 * after others might rightly get another verdict.) False: there is none. */
static bool repeat_command(struct round *round, int order, struct model_command *command) {
    int candidates = 0, pick = -1, last = -1;
    for (int i = 0; i < round->command_count; i++) {
        if (round->commands[i].model.order != order) continue;
        if (below(round, ++candidates) == 0) pick = i;
        last = i;
    }
    if (pick < 0) return false;
    if (chance(round, 30) && !round->commands[last].model.minted) {
        *command = round->commands[last].model;
        return true;
    }
    *command = round->commands[pick].model;
    command->attempt = round->command_count;
    command->minted = false;
    if (chance(round, 25)) fill_payload(round, command, &round->orders[order].model);
    return true;
}

static struct model_command fresh_command(struct round *round, int order) {
    const struct model_order *model = &round->orders[order].model;
    struct model_command command = {.order = order, .key = new_key(round), .attempt = round->command_count};
    if (model->count == 0 ? chance(round, 85) : chance(round, 4))
        command.kind = MODEL_CREATE;
    else
        command.kind = chance(round, 65) ? MODEL_TRANSITION : MODEL_AMEND;
    if (command.kind != MODEL_CREATE) command.expected = pick_version(round, model);
    command.minted = command.kind == MODEL_CREATE && model->count == 0 && round->orders[order].is_minted;
    command.time_ms = round->begin_ms + below(round, ROUND_TIME_MS / 2);
    fill_payload(round, &command, model);
    return command;
}

static void add_command(struct round *round, int order) {
    struct round_command *added = &round->commands[round->command_count];
    struct model_order *model = &round->orders[order].model;
    if (model->count == MODEL_VERSIONS_MAX) return;
    if (!chance(round, 25) || !repeat_command(round, order, &added->model)) added->model = fresh_command(round, order);
    bool is_same_attempt = added->model.attempt != round->command_count;
    added->command_id = round->command_ids[added->model.key];
    added->attempt_id =
        is_same_attempt ? round->commands[added->model.attempt].attempt_id : uuid_make_v4(&round->random.base);
    bool is_too_dear = added->model.basket != MODEL_UNSET && baskets[added->model.basket].is_too_dear;
    added->expected = model_tell(model, &added->model, added->model.kind == MODEL_AMEND && is_too_dear);
    round->command_count++;
}

void round_generate(struct round *round, uint64_t seed, int64_t begin_ms) {
    int first[ROUND_SEQUENCES], count[ROUND_SEQUENCES], left[ROUND_SEQUENCES], total = 0;
    memset(round, 0, sizeof *round);
    round->seed = seed;
    round->begin_ms = begin_ms;
    random_seeded_init(&round->random, seed);
    for (int i = 0; i < ROUND_SEQUENCES; i++) {
        first[i] = round->order_count;
        count[i] = 1 + below(round, SEQUENCE_ORDERS_MAX);
        left[i] = 1 + below(round, SEQUENCE_COMMANDS_MAX);
        total += left[i];
        for (int j = 0; j < count[i]; j++)
            round->orders[round->order_count++] =
                (struct round_order){.order_id = uuid_make_v4(&round->random.base), .is_minted = chance(round, 50)};
    }
    while (total > 0) { /* the sequences take turns at random */
        int i = below(round, ROUND_SEQUENCES);
        if (left[i] == 0) continue;
        left[i]--, total--;
        add_command(round, first[i] + below(round, count[i]));
    }
}

/* --- as orders and commands --- */

static void fill_order(struct order *order, int customer, int basket, int meta) {
    if (customer != MODEL_UNSET) order->customer_name = bytes_of(customers[customer]);
    if (basket != MODEL_UNSET) {
        order->items = baskets[basket].items;
        order->item_count = baskets[basket].count;
    }
    if (meta != MODEL_UNSET) {
        order->metadata = metadata[meta].pairs;
        order->metadata_count = metadata[meta].count;
    }
}

static int64_t total_of(int basket) {
    int64_t total = 0;
    for (size_t i = 0; i < baskets[basket].count; i++)
        total += baskets[basket].items[i].quantity * baskets[basket].items[i].unit_price;
    return total;
}

static enum order_status status_of(const char *name) {
    enum order_status status;
    if (order_status_parse(bytes_of(name), &status) != STATUS_OK) abort();
    return status;
}

struct command round_command_of(const struct round *round, const struct round_command *from) {
    static const enum command_kind kinds[] = {COMMAND_CREATE, COMMAND_TRANSITION, COMMAND_AMEND};
    const struct model_command *model = &from->model;
    struct command command = {
        .kind = kinds[model->kind],
        .rules = ORDER_RULES_CURRENT,
        .order_id = round->orders[model->order].order_id,
        .command_id = from->command_id,
        .attempt_id = from->attempt_id,
        .expected_version = (uint32_t)model->expected,
        .time_ms = model->time_ms,
        .minted = model->minted,
    };
    if (model->kind == MODEL_TRANSITION) {
        command.target = status_of(model->target);
        return command;
    }
    fill_order(&command.order, model->customer, model->basket, model->metadata);
    if (model->kind == MODEL_CREATE) {
        memcpy(command.order.currency, "EUR", 4);
        command.order.total = total_of(model->basket);
        return command;
    }
    if (model->customer != MODEL_UNSET) command.amend_set |= AMEND_CUSTOMER_NAME;
    if (model->basket != MODEL_UNSET) command.amend_set |= AMEND_ITEMS;
    if (model->metadata != MODEL_UNSET) command.amend_set |= AMEND_METADATA;
    return command;
}

struct order round_order_of(const struct round *round, const struct round_order *from, int version) {
    const struct model_version *model = &from->model.versions[version];
    struct order order = {
        .order_id = from->order_id,
        .currency = "EUR",
        .total = total_of(model->basket),
        .status = status_of(model->status),
        .version = (uint32_t)version,
        .created_at_ms = model->created_ms,
        .updated_at_ms = model->updated_ms,
    };
    fill_order(&order, model->customer, model->basket, model->metadata);
    return order;
}

void round_print_order(const struct round *round, int order) {
    static const char *const kinds[] = {"create", "transition", "amend"};
    char id[UUID_TEXT_SIZE], attempt[UUID_TEXT_SIZE];
    uuid_format(&round->orders[order].order_id, id);
    fprintf(stderr, "order %s, versions in the model: %d\n", id, round->orders[order].model.count);
    for (int i = 0; i < round->command_count; i++) {
        const struct round_command *command = &round->commands[i];
        const struct model_command *model = &command->model;
        if (model->order != order) continue;
        uuid_format(&command->attempt_id, attempt);
        fprintf(stderr, "  %4" PRId64 " %-10s expects %d key %d attempt %s%s %s %d/%d/%d -> %s %s (shows %d)\n",
                command->offset, kinds[model->kind], model->expected, model->key, attempt,
                model->minted ? " minted" : "", model->kind == MODEL_TRANSITION ? model->target : "-", model->customer,
                model->basket, model->metadata, command->expected.verdict, command->expected.reason,
                command->expected.shown);
    }
}
