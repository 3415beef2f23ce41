/* A create's way into the log, and the answer that follows from the log's acknowledgement. */
#include "api/create.h"

#include "api/order_view.h"

/* 00-<32 hex>-<16 hex>-<2 hex>; anything else is not passed on (W3C Trace Context). */
static bool is_traceparent(struct bytes text) {
    static const char shape[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    if (text.size != sizeof shape - 1) return false;
    for (size_t i = 0; i < text.size; i++) {
        bool is_hex = (text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f');
        if (shape[i] == 'x' ? !is_hex : text.data[i] != shape[i]) return false;
    }
    return true;
}

static void add_header(struct create *create, const char *name, struct bytes value) {
    create->headers[create->record.header_count++] = (struct event_log_header){name, value};
}

/* CloudEvents 1.0, binary mode. The request id goes along if the client gave one: it can look for it then. */
static void fill_record(struct create *create) {
    struct event_log_record *record = &create->record;
    *record = (struct event_log_record){
        .partition = -1,
        .time_ms = create->command.time_ms,
        .key = bytes_of(create->order_id),
        .value = buffer_bytes(&create->value),
        .headers = create->headers,
    };
    add_header(create, "ce_specversion", BYTES("1.0"));
    add_header(create, "ce_id", bytes_of(create->attempt_id));
    add_header(create, "ce_source", BYTES("/orderly"));
    add_header(create, "ce_type", BYTES("orderly.command.create"));
    add_header(create, "ce_subject", bytes_of(create->order_id));
    add_header(create, "content-type", BYTES(API_JSON));
    struct bytes traceparent = http_header(create->request, "traceparent");
    if (traceparent.data && is_traceparent(traceparent)) add_header(create, "traceparent", traceparent);
    struct bytes request_id = bytes_of(http_request_id(create->request));
    struct bytes given_id = http_header(create->request, "X-Request-ID");
    if (given_id.data && bytes_equal(given_id, request_id)) add_header(create, "x-request-id", request_id);
}

static void shared_put(struct create *create) {
    struct order_cache *cache = create->api->options.shared_cache;
    if (!cache) return;
    struct order_cache_put put = {
        .order_id = create->command.order_id,
        .entry = {.version = 1,
                  .value = create->pending->json,
                  .expires_at_ms = clock_wall_ms(create->api->options.clock) + create->api->options.cache_ttl_ms},
    };
    order_cache_put(cache, &put);
}

/* Shown first, answered then: whoever has the 201 finds the order. */
static void minted_appended(struct create *create, enum status status) {
    if (status == STATUS_OK) {
        pending_acknowledge(create->api->pending, create->pending);
        shared_put(create);
        if (deferred_claim(&create->deferred))
            order_view_respond_created(create->request, create->dialect, &create->command.order_id, 1,
                                       create->pending->json);
    } else {
        pending_remove(create->api->pending, &create->command.order_id);
        deferred_problem(&create->deferred, api_problem_of_append(status));
    }
    pending_release(create->pending);
}

/* Durable is not decided yet: the verdict answers. Not written: there will be no verdict. */
static void named_appended(struct create *create, enum status status) {
    if (status == STATUS_OK) {
        atomic_store(&create->is_durable, true);
        return;
    }
    deferred_problem(&create->deferred, api_problem_of_append(status));
    create_stop_waiting(create);
}

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct create *create = append->data;
    struct api *api = create->api;
    metric_observe_ns(api->metrics.append, clock_monotonic_ns(api->options.clock) - create->appended_ns);
    if (status != STATUS_OK) api_warn(api, create->request, "an order could not be appended", status, error_text);
    buffer_free(&create->value);
    if (create->command.minted)
        minted_appended(create, status);
    else
        named_appended(create, status);
    deferred_end(&create->deferred);
}

/* The log is late: it may still have stored the order, and if it did, the pipeline will process it. */
static void minted_expired(struct http_request *request) {
    deferred_problem(http_data(request), PROBLEM_OUTCOME_UNKNOWN);
}

static void named_expired(struct http_request *request) {
    struct create *create = http_data(request);
    create_stop_waiting(create);
    if (!deferred_claim(&create->deferred)) return;
    if (atomic_load(&create->is_durable))
        order_view_respond_accepted(request, create->dialect, &create->command.order_id);
    else
        api_respond_problem(request, PROBLEM_OUTCOME_UNKNOWN);
}

/* The order as the pipeline will make it, into the table of pending ones. */
static enum status reserve_pending(struct create *create) {
    struct buffer json;
    buffer_init(&json, ORDER_TEXT_MAX);
    enum status status = order_view_render(&create->command.order, &json);
    if (status == STATUS_OK)
        status = pending_reserve(create->api->pending, &create->command.order, buffer_bytes(&json), &create->pending);
    buffer_free(&json);
    return status;
}

static bool prepare(struct create *create) {
    buffer_init(&create->value, COMMAND_TEXT_MAX);
    command_write(&create->value, &create->command);
    enum status status = create->value.status;
    if (status == STATUS_OK && create->command.minted) status = reserve_pending(create);
    if (status == STATUS_OK) return true;
    buffer_free(&create->value);
    api_respond_problem(create->request, status == STATUS_FULL        ? PROBLEM_TOO_MANY_PENDING
                                         : status == STATUS_TOO_LARGE ? PROBLEM_ORDER_TOO_LARGE
                                                                      : PROBLEM_NO_MEMORY);
    return false;
}

/* A minted create waits for the log; one whose id the client named also for the verdict, both within one deadline (its
 * repeat is safe: it meets its own order). */
void create_append(struct create *create) {
    const struct api_options *options = &create->api->options;
    if (!prepare(create)) return;
    if (create->command.minted) {
        deferred_start(&create->deferred, create->api, create->request, options->answer_timeout_ms, minted_expired);
    } else {
        deferred_start(&create->deferred, create->api, create->request, options->verdict_timeout_ms, named_expired);
        if (!create_await_verdict(create)) {
            buffer_free(&create->value);
            deferred_end(&create->deferred);
            return;
        }
    }
    fill_record(create);
    create->append = (struct event_log_append){
        .topic = TOPIC_COMMANDS, .records = &create->record, .count = 1, .done = append_done, .data = create};
    create->appended_ns = clock_monotonic_ns(options->clock);
    event_log_append(options->log, &create->append);
}
