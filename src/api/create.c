/* POST /orders and POST /api/orders: reads and checks the body, and makes the command. */
#include "api/create.h"

#include <stdio.h>

static void respond_invalid_order(struct http_request *request, const struct input_errors *errors) {
    struct http_problem_field fields[INPUT_ERRORS_MAX];
    for (size_t i = 0; i < errors->count; i++)
        fields[i] = (struct http_problem_field){errors->list[i].pointer, errors->list[i].detail};
    char total[24];
    snprintf(total, sizeof total, "%zu", errors->total);
    struct http_problem problem = api_problem(PROBLEM_INVALID_ORDER);
    problem.fields = fields;
    problem.field_count = errors->count;
    problem.extra_name = "error_count";
    problem.extra_json = total;
    http_respond_problem(request, &problem);
}

/* An empty body is a document only in the second dialect; in the first one the reader says what is wrong with it. */
static bool read_body(const struct create *create, struct input_create *input_out) {
    struct bytes body = http_body(create->request);
    struct arena *arena = http_arena(create->request);
    struct json_value *value = NULL;
    if (body.size > 0 || create->dialect == INPUT_ORDERS) {
        struct json_error error = {0};
        enum status status = json_read(body, arena, &value, &error);
        if (status == STATUS_NO_MEMORY)
            api_respond_problem(create->request, PROBLEM_NO_MEMORY);
        else if (status != STATUS_OK)
            api_respond_invalid_json(create->request, &error);
        if (status != STATUS_OK) return false;
    }
    struct input_errors errors = {.count = 0};
    enum status status =
        input_read_create(value, create->dialect, create->api->options.default_currency, arena, input_out, &errors);
    if (status == STATUS_NO_MEMORY)
        api_respond_problem(create->request, PROBLEM_NO_MEMORY);
    else if (status != STATUS_OK)
        respond_invalid_order(create->request, &errors);
    return status == STATUS_OK;
}

/* A minted id carries the command's time, so that id and created_at sort the same. */
static void make_command(struct create *create, const struct input_create *input) {
    const struct api_options *options = &create->api->options;
    int64_t now_ms = clock_wall_ms(options->clock);
    struct command *command = &create->command;
    *command = (struct command){
        .kind = COMMAND_CREATE,
        .rules = ORDER_RULES_CURRENT,
        .order_id = input->has_order_id ? input->order.order_id : uuid_make_v7(now_ms, options->random),
        .command_id = uuid_make_v4(options->random),
        .attempt_id = uuid_make_v4(options->random),
        .time_ms = now_ms,
        .minted = !input->has_order_id,
        .order = input->order,
    };
    command->order.order_id = command->order_id;
    command->order.status = ORDER_CREATED;
    command->order.version = 1;
    command->order.created_at_ms = now_ms;
    command->order.updated_at_ms = now_ms;
    command_fingerprint(command, command->fingerprint);
    uuid_format(&command->order_id, create->order_id);
    uuid_format(&command->attempt_id, create->attempt_id);
}

static void handle(struct http_request *request, struct api *api, enum input_dialect dialect) {
    pending_recheck(api);
    if (http_header(request, "Idempotency-Key").data) {
        api_respond_problem(request, PROBLEM_IDEMPOTENCY_KEY);
        return;
    }
    struct create *create = arena_calloc(http_arena(request), 1, sizeof *create);
    if (!create) {
        api_respond_problem(request, PROBLEM_NO_MEMORY);
        return;
    }
    create->api = api;
    create->request = request;
    create->dialect = dialect;
    struct input_create input;
    if (!read_body(create, &input)) return;
    make_command(create, &input);
    create_append(create);
}

void api_post_orders(struct http_request *request, void *data) {
    handle(request, data, INPUT_ORDERS);
}

void api_post_api_orders(struct http_request *request, void *data) {
    handle(request, data, INPUT_API_ORDERS);
}
