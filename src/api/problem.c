/* The table of the endpoints' problems, and which status of a port leads to which. */
#include "api/problem.h"

#include <stdio.h>

#include "base/json.h"

static const struct api_problem_kind kinds[PROBLEM_COUNT] = {
    [PROBLEM_INVALID_JSON] = {"invalid_json", 400, 0, "The body is not JSON."},
    [PROBLEM_IDEMPOTENCY_KEY] =
        {"idempotency_key_unsupported", 400, 0,
         "This server does not support Idempotency-Key yet, and ignoring it could make an order "
         "twice: send an order_id of your own instead, then a repeat is answered with 409."},
    [PROBLEM_INVALID_ORDER] = {"invalid_order", 422, 0, "The order breaks the rules named in errors."},
    [PROBLEM_INVALID_ORDER_ID] = {"invalid_order_id", 422, 0, "The order id in the path is not a UUID."},
    [PROBLEM_INVALID_QUERY] = {"invalid_query", 422, 0, "The query breaks the rules named in errors."},
    [PROBLEM_ORDER_NOT_FOUND] = {"not_found", 404, 0, "There is no order with this id."},
    [PROBLEM_NOT_VISIBLE_YET] =
        {"not_visible_yet", 404, 1,
         "There is no order with this id yet; the id is only seconds old, so the order may be on "
         "its way: ask again."},
    [PROBLEM_PAGE_NOT_FOUND] = {"not_found", 404, 0, "There is no such page."},
    [PROBLEM_ORDER_TOO_LARGE] = {"order_too_large", 413, 0,
                                 "The order is larger than the log takes; nothing was stored."},
    [PROBLEM_TOO_MANY_PENDING] =
        {"too_many_pending", 503, 1,
         "Too many accepted orders wait to be processed; this one was not stored. Repeat it later."},
    [PROBLEM_TOO_MANY_WAITING] =
        {"too_many_waiting", 503, 1,
         "Too many requests wait for their outcome; this order was not stored. Repeat it later."},
    [PROBLEM_STORAGE_FULL] = {"storage_full", 503, 10,
                              "There is no room for new orders; this one was not stored. Make room, then repeat it."},
    [PROBLEM_LOG_UNAVAILABLE] = {"log_unavailable", 503, 1,
                                 "The event log takes no records now; the order was not stored. Repeat it later."},
    [PROBLEM_OUTCOME_UNKNOWN] =
        {"outcome_unknown", 503, 5,
         "The event log did not confirm in time: the order may have been stored or not. Look for "
         "it before you repeat it."},
    [PROBLEM_STORE_UNAVAILABLE] = {"store_unavailable", 503, 1,
                                   "The order store does not answer now. Ask again later."},
    [PROBLEM_STORED_DATA_DAMAGED] = {"stored_data_damaged", 500, 0,
                                     "What is stored here does not match its checksum. See the server's log."},
    [PROBLEM_NO_MEMORY] = {"out_of_memory", 503, 1,
                           "The server is out of memory; nothing was stored. Repeat it later."},
    [PROBLEM_INVALID_SIMULATION] = {"invalid_simulation", 422, 0,
                                    "The parameters of the simulation break the rules named in errors."},
    [PROBLEM_SIMULATION_RUNNING] = {"simulation_running", 400, 0,
                                    "A simulation runs already, and there is one at a time: stop it first."},
    [PROBLEM_SIMULATION_NOT_RUNNING] = {"simulation_not_running", 400, 0, "No simulation runs."},
    [PROBLEM_INVALID_RUN_ID] = {"invalid_run_id", 422, 0, "The run id in the path is not a UUID."},
    [PROBLEM_RUN_NOT_FOUND] =
        {"not_found", 404, 0,
         "There is no run with this id: it has not ended yet, or is older than those that are kept."},
    [PROBLEM_LAB_UNAVAILABLE] = {"lab_unavailable", 503, 0,
                                 "This server has no hot-key lab: its directory in the data directory could not be "
                                 "used. See the server's log."},
    [PROBLEM_LAB_BUSY] = {"lab_busy", 503, 5,
                          "A process for the simulation cannot be had now. Ask again later; see the server's log."},
    [PROBLEM_TOO_MANY_STREAMS] = {"too_many_streams", 503, 5, "Too many streams of events are open. Ask again later."},
};

const struct api_problem_kind *api_problem_kind(enum api_problem problem) {
    return &kinds[problem];
}

struct http_problem api_problem(enum api_problem problem) {
    const struct api_problem_kind *kind = &kinds[problem];
    return (struct http_problem){
        .status = kind->status, .code = kind->code, .detail = kind->detail, .retry_after_s = kind->retry_after_s};
}

void api_respond_problem(struct http_request *request, enum api_problem problem) {
    const struct http_problem answer = api_problem(problem);
    http_respond_problem(request, &answer);
}

/* A status that does not say for sure that nothing was written counts as unknown: a lie here makes double orders. */
enum api_problem api_problem_of_append(enum status status) {
    switch (status) {
    case STATUS_FULL: return PROBLEM_STORAGE_FULL;
    case STATUS_TOO_LARGE:
    case STATUS_INVALID: return PROBLEM_ORDER_TOO_LARGE;
    case STATUS_NO_MEMORY: return PROBLEM_NO_MEMORY;
    case STATUS_BUSY:
    case STATUS_CLOSED:
    case STATUS_UNAVAILABLE: return PROBLEM_LOG_UNAVAILABLE;
    default: return PROBLEM_OUTCOME_UNKNOWN;
    }
}

enum api_problem api_problem_of_read(enum status status) {
    switch (status) {
    case STATUS_NOT_FOUND: return PROBLEM_ORDER_NOT_FOUND;
    case STATUS_CORRUPT:
    case STATUS_UNSUPPORTED: return PROBLEM_STORED_DATA_DAMAGED;
    case STATUS_NO_MEMORY: return PROBLEM_NO_MEMORY;
    default: return PROBLEM_STORE_UNAVAILABLE;
    }
}

/* Where the text stops being JSON, as the problem's extension member. */
void api_respond_invalid_json(struct http_request *request, const struct json_error *error) {
    char detail[256], position[96];
    snprintf(detail, sizeof detail, "The body is not JSON that this server takes: %s (line %u, column %u).",
             error->text, error->line, error->column);
    snprintf(position, sizeof position, "{\"line\":%u,\"column\":%u,\"offset\":%zu}", error->line, error->column,
             error->offset);
    struct http_problem problem = api_problem(PROBLEM_INVALID_JSON);
    problem.detail = json_utf8_is_valid(bytes_of(detail)) ? detail : api_problem_kind(PROBLEM_INVALID_JSON)->detail;
    problem.extra_name = "position";
    problem.extra_json = position;
    http_respond_problem(request, &problem);
}

bool api_path_order_id(struct http_request *request, struct uuid *order_id_out) {
    if (uuid_parse(http_param(request, "order_id"), order_id_out) == STATUS_OK) return true;
    const struct http_problem_field field = {BYTES("/order_id"), "must be a UUID: 8-4-4-4-12 hexadecimal digits"};
    struct http_problem problem = api_problem(PROBLEM_INVALID_ORDER_ID);
    problem.fields = &field;
    problem.field_count = 1;
    http_respond_problem(request, &problem);
    return false;
}
