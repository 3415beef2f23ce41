/* The faulty order store: each call is copied, so that its answer can be changed on the way back. */
#include "support/faulty_store.h"

#include <stdlib.h>

struct faulty_store {
    struct order_store base;
    struct order_store *inner;
    struct faults *faults;
};

static struct faulty_store *faulty_of(struct order_store *base) {
    return (struct faulty_store *)base;
}

/* --- rows --- */

struct rows_call {
    struct fault_held held;
    struct order_store *inner;
    struct order_store_rows request, *outer;
    enum status misreport; /* OK: the truth */
};

static void rows_done(struct order_store_rows *rows, enum status status, const struct history_row *const *found,
                      const char *error_text) {
    struct rows_call *call = rows->data;
    struct order_store_rows *outer = call->outer;
    if (status == STATUS_OK && call->misreport) status = call->misreport, found = NULL, error_text = "misreported";
    free(call);
    outer->done(outer, status, found, error_text);
}

static void rows_go_on(struct fault_held *held) {
    struct rows_call *call = CONTAINER_OF(held, struct rows_call, held);
    order_store_rows(call->inner, &call->request);
}

static void faulty_rows(struct order_store *base, struct order_store_rows *outer) {
    struct faulty_store *store = faulty_of(base);
    enum status status = STATUS_OK;
    enum fault_effect effect = faults_next(store->faults, FAULT_ROWS, &status);
    if (effect == FAULT_REFUSED) {
        outer->done(outer, status, NULL, "refused by the test");
        return;
    }
    struct rows_call *call = calloc(1, sizeof *call);
    if (!call) abort();
    *call = (struct rows_call){{.go_on = rows_go_on}, store->inner, *outer, outer, STATUS_OK};
    call->request.done = rows_done;
    call->request.data = call;
    if (effect == FAULT_MISREPORTED) call->misreport = status;
    if (effect == FAULT_HELD)
        faults_hold(store->faults, FAULT_ROWS, &call->held);
    else
        rows_go_on(&call->held);
}

/* --- apply --- */

struct apply_call {
    struct fault_held held;
    struct order_store *inner;
    struct order_store_apply request, *outer;
    enum status misreport;
};

static void apply_done(struct order_store_apply *apply, enum status status, const char *error_text) {
    struct apply_call *call = apply->data;
    struct order_store_apply *outer = call->outer;
    if (status == STATUS_OK && call->misreport) status = call->misreport, error_text = "misreported";
    free(call);
    outer->done(outer, status, error_text);
}

static void apply_go_on(struct fault_held *held) {
    struct apply_call *call = CONTAINER_OF(held, struct apply_call, held);
    order_store_apply(call->inner, &call->request);
}

/* What the port asks of its callers, and what the embedded adapter would not notice. */
static void check_changes(const struct order_store_apply *apply) {
    for (size_t i = 0; i < apply->count; i++) {
        const struct order_store_change *change = &apply->changes[i];
        uint32_t version = change->after->order.version;
        if (version == 1 ? change->before != NULL : !change->before || change->before->version != version - 1) abort();
        for (size_t j = 0; j < i; j++) {
            const struct order *earlier = &apply->changes[j].after->order;
            if (uuid_equal(&earlier->order_id, &change->after->order.order_id) && earlier->version >= version) abort();
        }
    }
}

static void faulty_apply(struct order_store *base, struct order_store_apply *outer) {
    struct faulty_store *store = faulty_of(base);
    check_changes(outer);
    enum status status = STATUS_OK;
    enum fault_effect effect = faults_next(store->faults, FAULT_APPLY, &status);
    if (effect == FAULT_REFUSED) {
        outer->done(outer, status, "refused by the test");
        return;
    }
    struct apply_call *call = calloc(1, sizeof *call);
    if (!call) abort();
    *call = (struct apply_call){{.go_on = apply_go_on}, store->inner, *outer, outer, STATUS_OK};
    call->request.done = apply_done;
    call->request.data = call;
    if (effect == FAULT_MISREPORTED) call->misreport = status;
    if (effect == FAULT_HELD)
        faults_hold(store->faults, FAULT_APPLY, &call->held);
    else
        apply_go_on(&call->held);
}

/* --- straight through --- */

static enum status faulty_setup(struct order_store *base, struct error *error) {
    return order_store_setup(faulty_of(base)->inner, error);
}
static enum status faulty_check(struct order_store *base, int timeout_ms, struct error *error) {
    return order_store_check(faulty_of(base)->inner, timeout_ms, error);
}
static void faulty_get(struct order_store *base, struct order_store_get *get) {
    order_store_get(faulty_of(base)->inner, get);
}
static void faulty_history(struct order_store *base, struct order_store_history *history) {
    order_store_history(faulty_of(base)->inner, history);
}
static void faulty_list(struct order_store *base, struct order_store_list *list) {
    order_store_list(faulty_of(base)->inner, list);
}
static void faulty_scan(struct order_store *base, struct order_store_scan *scan) {
    order_store_scan(faulty_of(base)->inner, scan);
}
static void faulty_close(struct order_store *base) {
    free(faulty_of(base));
}

struct order_store *faulty_store_new(struct order_store *inner, struct faults *faults) {
    static const struct order_store_ops ops = {
        .name = "faulty",
        .setup = faulty_setup,
        .check = faulty_check,
        .get = faulty_get,
        .rows = faulty_rows,
        .history = faulty_history,
        .apply = faulty_apply,
        .list = faulty_list,
        .scan = faulty_scan,
        .close = faulty_close,
    };
    struct faulty_store *store = calloc(1, sizeof *store);
    if (!store) abort();
    *store = (struct faulty_store){{&ops}, inner, faults};
    return &store->base;
}
