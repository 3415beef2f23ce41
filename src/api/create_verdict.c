/* Waiting for the pipeline's verdict on a create whose id the client named, and the answer that follows from it. */
#include "api/create.h"

#include <stdio.h>

#include "api/near_cache.h"
#include "api/order_view.h"

/* --- the requests that wait: kept so that api_free can end them when the feed is closed --- */

static void waiting_add(struct create *create) {
    struct api *api = create->api;
    pthread_mutex_lock(&api->waiting_mutex);
    create->previous = NULL;
    create->next = api->waiting;
    if (create->next) create->next->previous = create;
    api->waiting = create;
    pthread_mutex_unlock(&api->waiting_mutex);
}

static void waiting_remove(struct create *create) {
    struct api *api = create->api;
    pthread_mutex_lock(&api->waiting_mutex);
    if (create->next) create->next->previous = create->previous;
    if (create->previous)
        create->previous->next = create->next;
    else
        api->waiting = create->next;
    pthread_mutex_unlock(&api->waiting_mutex);
}

/* By whoever the feed has given the waiter back to: it called, or it was told not to. */
static void wait_ended(struct create *create) {
    waiting_remove(create);
    deferred_end(&create->deferred);
}

void create_abandon_waiting(struct api *api) {
    while (api->waiting)
        wait_ended(api->waiting);
}

/* --- the answer --- */

static void respond_created(struct create *create, const struct event *event) {
    struct buffer json;
    buffer_init(&json, ORDER_TEXT_MAX);
    if (order_view_render(&event->order, &json) == STATUS_OK)
        order_view_respond_created(create->request, create->dialect, &event->order_id, event->order.version,
                                   buffer_bytes(&json));
    else
        api_respond_problem(create->request, PROBLEM_OUTCOME_UNKNOWN);
    buffer_free(&json);
}

static void respond_rejected(struct create *create, const struct event *event) {
    char version[16];
    snprintf(version, sizeof version, "%u", event->order.version);
    const struct http_problem problem = {
        .status = verdict_http_status(event->verdict, event->reason),
        .code = reason_name(event->reason),
        .detail = reason_text(event->reason),
        .extra_name = event->has_order ? "version" : NULL,
        .extra_json = version,
    };
    http_respond_problem(create->request, &problem);
}

/* The feed's thread. What the client is told now, its next read must not fall behind, whether the feed calls its
 * listeners before its waiters or after. */
static void verdict_arrived(struct feed_waiter *waiter, const struct event *event) {
    struct create *create = waiter->data;
    if (event->has_order) near_cache_event(create->api, &event->order_id, event->order.version);
    if (deferred_claim(&create->deferred)) {
        if (event->verdict != VERDICT_REJECTED && event->has_order)
            respond_created(create, event);
        else
            respond_rejected(create, event);
    }
    wait_ended(create);
}

bool create_await_verdict(struct create *create) {
    deferred_hold(&create->deferred);
    waiting_add(create);
    create->waiter =
        (struct feed_waiter){.attempt_id = create->command.attempt_id, .verdict = verdict_arrived, .data = create};
    enum status status = feed_wait(create->api->options.feed, &create->waiter);
    if (status == STATUS_OK) return true;
    deferred_problem(&create->deferred, status == STATUS_NO_MEMORY ? PROBLEM_NO_MEMORY : PROBLEM_TOO_MANY_WAITING);
    wait_ended(create);
    return false;
}

void create_stop_waiting(struct create *create) {
    if (feed_cancel(create->api->options.feed, &create->waiter)) wait_ended(create);
}
