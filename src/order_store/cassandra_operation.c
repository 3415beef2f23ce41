/* The life of one request to the order store: phases of calls to Cassandra, all on the loop's thread after submit. */
#include <stdlib.h>

#include "order_store/cassandra_store.h"

#define ARENA_BLOCK_SIZE 4096

/* --- on the caller's thread --- */

void *cassandra_operation_new(struct cassandra_store *store, const struct cassandra_operation_ops *ops, size_t size,
                              struct metric_histogram *seconds) {
    struct cassandra_operation *operation = calloc(1, size);
    if (!operation) return NULL;
    operation->ops = ops;
    operation->store = store;
    operation->seconds = seconds;
    operation->started_ns = clock_monotonic_ns(store->options.clock);
    operation->deadline_ns = operation->started_ns + (int64_t)store->options.request_timeout_ms * 1000000;
    arena_init(&operation->arena, ARENA_BLOCK_SIZE, CASSANDRA_OPERATION_BYTES_MAX);
    return operation;
}

void cassandra_operation_free(struct cassandra_operation *operation) {
    for (struct cassandra_kept *kept = operation->kept; kept; kept = kept->next)
        cql_result_free(kept->result);
    arena_free(&operation->arena);
    free(operation);
}

enum status cassandra_operation_submit(struct cassandra_operation *operation, struct error *error) {
    struct cassandra_store *store = operation->store;
    enum status status = STATUS_OK;
    bool wake = false;
    pthread_mutex_lock(&store->mutex);
    if (store->closing) {
        status = error_set(error, STATUS_CLOSED, "the order store is closing");
    } else if (store->accepted == CASSANDRA_REQUESTS_MAX) {
        status = error_set(error, STATUS_FULL, "the order store has %d requests under way", CASSANDRA_REQUESTS_MAX);
    } else {
        store->accepted++;
        wake = store->inbox.count == 0;
        queue_push(&store->inbox, &operation->link);
    }
    pthread_mutex_unlock(&store->mutex);
    if (wake) cassandra_loop_wake(store);
    return status;
}

/* --- on the loop's thread --- */

enum status cassandra_phase(struct cassandra_operation *operation, size_t count, bool writes) {
    struct cassandra_call *calls = arena_alloc(&operation->arena, (count + 1) * sizeof *calls);
    if (!calls) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        calls[i] = (struct cassandra_call){operation, i};
    operation->calls = calls;
    operation->call_count = count;
    operation->sent = operation->answered = 0;
    operation->writes_now = writes;
    return STATUS_OK;
}

/* Something may have been written, so the request cannot say that nothing was. */
static enum status final_status(const struct cassandra_operation *operation) {
    return operation->status != STATUS_OK && operation->has_written ? STATUS_UNKNOWN : operation->status;
}

static void end(struct cassandra_operation *operation) {
    struct cassandra_store *store = operation->store;
    enum status status = final_status(operation);
    metric_observe_ns(operation->seconds, clock_monotonic_ns(store->options.clock) - operation->started_ns);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        metric_add(store->metrics.failures, 1);
        if (!operation->error.text[0]) error_set(&operation->error, status, "order store: %s", status_name(status));
    }
    operation->ops->finish(operation, status, status == STATUS_OK ? NULL : operation->error.text);
    cassandra_operation_free(operation);
    pthread_mutex_lock(&store->mutex);
    if (--store->accepted == 0) pthread_cond_broadcast(&store->idle);
    pthread_mutex_unlock(&store->mutex);
}

void cassandra_operation_fail(struct cassandra_operation *operation, enum status status, const char *text) {
    if (operation->status != STATUS_OK) return; /* the first failure is the cause */
    operation->status = status;
    if (text) error_set(&operation->error, status, "%s", text);
}

bool cassandra_operation_settle(struct cassandra_operation *operation) {
    if (operation->status == STATUS_OK || operation->sent > operation->answered || operation->is_ready) return false;
    end(operation);
    return true;
}

/* The next phase, or the end. */
static void advance(struct cassandra_operation *operation) {
    operation->call_count = operation->sent = operation->answered = 0;
    enum status status = operation->ops->advance(operation);
    if (status != STATUS_OK)
        cassandra_operation_fail(operation, status, NULL);
    else if (operation->call_count > 0)
        cassandra_loop_ready(operation);
    if (status != STATUS_OK || operation->call_count == 0) end(operation);
}

void cassandra_operation_begin(struct cassandra_operation *operation) {
    struct cassandra_store *store = operation->store;
    if (atomic_load(&store->session->is_set_up)) {
        advance(operation);
        return;
    }
    error_set(&operation->error, STATUS_UNAVAILABLE, "the keyspace %s is not set up: run `orderly setup`",
              store->keyspace);
    cassandra_operation_fail(operation, STATUS_UNAVAILABLE, NULL);
    end(operation);
}

/* The codes of requests that were refused as they stand: nothing of them was done. */
static bool was_refused(enum cql_code code) {
    return (code >= CQL_SYNTAX_ERROR && code <= CQL_FUNCTION_FAILURE) || (code >= CQL_BUSY && code <= CQL_BAD_ARGUMENT);
}

static void call_failed(struct cassandra_operation *operation, enum cql_code code, enum cql_retry retry,
                        const char *detail) {
    if (operation->writes_now && retry != CQL_RETRY_SAFE && !was_refused(code)) operation->has_written = true;
    if (operation->status != STATUS_OK) return;
    enum status status = cassandra_explain(operation->store, code, detail, &operation->error);
    cassandra_operation_fail(operation, status, NULL);
}

static void send_call(struct cassandra_operation *operation, uint32_t timeout_ms) {
    struct cassandra_store *store = operation->store;
    struct cassandra_draft *draft = &store->draft;
    struct cassandra_call *call = &operation->calls[operation->sent];
    char detail[CQL_ERROR_SIZE] = "";
    cassandra_draft_reset(draft);
    enum status status = operation->ops->prepare(operation, call->index, draft);
    if (status != STATUS_OK) {
        cassandra_operation_fail(operation, status, NULL);
        return;
    }
    const struct cql_execute execute = {
        .statements = draft->statements,
        .values = draft->values,
        .count = draft->count,
        .timestamp_us = CQL_NO_TIMESTAMP, /* each write names its own */
        .consistency = CQL_LOCAL_QUORUM,
        .timeout_ms = timeout_ms,
        .tracing = operation->ops->is_page && store->on_trace,
        .data = call,
    };
    enum cql_code code = cql_submit(store->session->cql, &execute, detail);
    if (code != CQL_OK) {
        cassandra_loop_note(store, code);
        call_failed(operation, code, CQL_RETRY_SAFE, detail);
        return;
    }
    operation->sent++;
    store->in_flight++;
    metric_add(store->metrics.calls, 1);
}

static bool has_room(const struct cassandra_operation *operation) {
    return operation->sent < operation->call_count && operation->sent - operation->answered < CASSANDRA_CALLS_MAX;
}

void cassandra_operation_pump(struct cassandra_operation *operation, size_t room) {
    int64_t left_ns = operation->deadline_ns - clock_monotonic_ns(operation->store->options.clock);
    if (left_ns <= 0) cassandra_operation_expire(operation);
    uint32_t left_ms = (uint32_t)(left_ns / 1000000) + 1;
    for (; room > 0 && operation->status == STATUS_OK && has_room(operation); room--)
        send_call(operation, left_ms);
    if (cassandra_operation_settle(operation)) return;
    if (operation->status == STATUS_OK && has_room(operation)) cassandra_loop_ready(operation);
}

void cassandra_operation_expire(struct cassandra_operation *operation) {
    if (operation->status != STATUS_OK) return;
    error_set(&operation->error, STATUS_UNAVAILABLE, "Cassandra at %s has no room for more requests: none within %d ms",
              operation->store->options.contact_points, operation->store->options.request_timeout_ms);
    cassandra_operation_fail(operation, STATUS_UNAVAILABLE, NULL);
}

/* Takes the result over. */
static enum status keep(struct cassandra_operation *operation, struct cql_result *result) {
    if (!result) return STATUS_OK;
    struct cassandra_kept *kept = arena_alloc(&operation->arena, sizeof *kept);
    if (!kept) {
        cql_result_free(result);
        return STATUS_NO_MEMORY;
    }
    *kept = (struct cassandra_kept){operation->kept, result};
    operation->kept = kept;
    return STATUS_OK;
}

static void trace(const struct cassandra_operation *operation, const struct cql_result *result) {
    const struct cassandra_store *store = operation->store;
    uint8_t id[16];
    if (store->on_trace && result && cql_result_trace_id(result, id)) store->on_trace(store->on_trace_data, id);
}

void cassandra_operation_answered(struct cassandra_call *call, struct cql_completion *completion) {
    struct cassandra_operation *operation = call->operation;
    operation->answered++;
    trace(operation, completion->result);
    if (completion->code != CQL_OK) {
        const char *detail = completion->result ? cql_result_error(completion->result) : "";
        call_failed(operation, completion->code, completion->retry, detail);
        cql_result_free(completion->result);
    } else {
        if (operation->writes_now) operation->has_written = true;
        enum status status = keep(operation, completion->result);
        if (status == STATUS_OK && operation->status == STATUS_OK && operation->ops->answer)
            status = operation->ops->answer(operation, call->index, completion->result);
        if (status != STATUS_OK) cassandra_operation_fail(operation, status, NULL);
    }
    if (cassandra_operation_settle(operation) || operation->status != STATUS_OK) return;
    if (operation->answered == operation->call_count)
        advance(operation);
    else if (!operation->is_ready && has_room(operation))
        cassandra_loop_ready(operation);
}
