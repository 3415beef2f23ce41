/* Answers that come later: several threads may want to give one (completion, verdict, deadline), one may. */
#include "api/api_state.h"

void deferred_start(struct deferred *deferred, struct api *api, struct http_request *request, int deadline_ms,
                    void (*expired)(struct http_request *request)) {
    deferred->api = api;
    deferred->request = request;
    atomic_init(&deferred->claimed, false);
    api_begin(api);
    http_set_data(request, deferred);
    http_defer(request, deadline_ms, expired);
}

bool deferred_claim(struct deferred *deferred) {
    return !atomic_exchange(&deferred->claimed, true);
}

void deferred_hold(struct deferred *deferred) {
    api_begin(deferred->api);
    http_hold(deferred->request);
}

void deferred_end(struct deferred *deferred) {
    struct api *api = deferred->api; /* the release may free the arena that deferred lives in */
    http_release(deferred->request);
    api_end(api);
}

void deferred_problem(struct deferred *deferred, enum api_problem problem) {
    if (deferred_claim(deferred)) api_respond_problem(deferred->request, problem);
}

void deferred_read_expired(struct http_request *request) {
    deferred_problem(http_data(request), PROBLEM_STORE_UNAVAILABLE);
}
