/* The faulty order cache. */
#include "support/faulty_cache.h"

#include <stdlib.h>

struct faulty_cache {
    struct order_cache base;
    struct order_cache *inner;
    struct faults *faults;
};

static struct faulty_cache *faulty_of(struct order_cache *base) {
    return (struct faulty_cache *)base;
}

struct put_call {
    struct fault_held held;
    struct order_cache *inner;
    struct order_cache_put request, *outer;
};

static void put_done(struct order_cache_put *put, enum status status) {
    struct put_call *call = put->data;
    struct order_cache_put *outer = call->outer;
    free(call);
    outer->done(outer, status);
}

static void put_go_on(struct fault_held *held) {
    struct put_call *call = CONTAINER_OF(held, struct put_call, held);
    order_cache_put(call->inner, &call->request);
}

static void faulty_put(struct order_cache *base, struct order_cache_put *outer) {
    struct faulty_cache *cache = faulty_of(base);
    enum status status = STATUS_OK;
    enum fault_effect effect = faults_next(cache->faults, FAULT_PUT, &status);
    if (effect == FAULT_REFUSED) {
        outer->done(outer, status);
        return;
    }
    struct put_call *call = calloc(1, sizeof *call);
    if (!call) abort();
    *call = (struct put_call){{.go_on = put_go_on}, cache->inner, *outer, outer};
    call->request.done = put_done;
    call->request.data = call;
    if (effect == FAULT_HELD)
        faults_hold(cache->faults, FAULT_PUT, &call->held);
    else
        put_go_on(&call->held);
}

static enum status faulty_check(struct order_cache *base, int timeout_ms, struct error *error) {
    return order_cache_check(faulty_of(base)->inner, timeout_ms, error);
}
static void faulty_get(struct order_cache *base, struct order_cache_get *get) {
    order_cache_get(faulty_of(base)->inner, get);
}
static void faulty_drop(struct order_cache *base, const struct uuid *order_id, uint32_t below_version) {
    order_cache_drop(faulty_of(base)->inner, order_id, below_version);
}
static void faulty_clear(struct order_cache *base) {
    order_cache_clear(faulty_of(base)->inner);
}
static void faulty_stats(struct order_cache *base, struct order_cache_stats *stats_out) {
    order_cache_stats(faulty_of(base)->inner, stats_out);
}
static void faulty_close(struct order_cache *base) {
    free(faulty_of(base));
}

struct order_cache *faulty_cache_new(struct order_cache *inner, struct faults *faults) {
    static const struct order_cache_ops ops = {
        .name = "faulty",
        .check = faulty_check,
        .get = faulty_get,
        .put = faulty_put,
        .drop = faulty_drop,
        .clear = faulty_clear,
        .stats = faulty_stats,
        .close = faulty_close,
    };
    struct faulty_cache *cache = calloc(1, sizeof *cache);
    if (!cache) abort();
    *cache = (struct faulty_cache){{&ops}, inner, faults};
    return &cache->base;
}
