/* GET /orders: pages newest first, the store's orders merged with the pending ones.
 *
 * The pending orders are noted before the store is asked: one that the feed reports in between is in the store's
 * answer, so none falls through the gap; one that is in both has the same creation time and id, so the merge meets both
 * at once and keeps the store's. A page that would be too long is cut, and the next one then begins, in the store too,
 * just below the last order shown; otherwise at the store's own cursor. */
#include "api/list.h"
#include "api/order_view.h"

#define LINK_SIZE_MAX 8192 /* a name of 200 characters, percent-encoded, and the rest */

struct list_orders {
    struct deferred deferred; /* first: http_data points to it */
    struct list_query query;
    struct order_store_list store;
    struct pending_order **pending; /* limit + 1 places: one more than fits shows that there is more */
    size_t pending_count;
};

/* What the merge goes over, and what has come out of it. */
struct merge {
    const struct order *orders;
    size_t order_count, order_at;
    struct pending_order *const *pending;
    size_t pending_count, pending_at;
    size_t emitted;
    struct pending_key last; /* the last order shown */
};

static struct pending_key order_key(const struct order *order) {
    return pending_position(order->created_at_ms, &order->order_id);
}

/* Pending orders that are older than the store's last one here wait for a later page, if there is one. */
static void merge_init(struct merge *merge, const struct list_orders *list, const struct order *orders, size_t count,
                       bool store_has_more) {
    *merge = (struct merge){
        .orders = orders, .order_count = count, .pending = list->pending, .pending_count = list->pending_count};
    while (merge->order_at < count) {
        const struct pending_key key = order_key(&orders[merge->order_at]);
        if (pending_key_compare(&key, &list->query.position.bound) < 0) break;
        merge->order_at++;
    }
    if (count == 0 || !store_has_more) return;
    const struct pending_key end = order_key(&orders[count - 1]);
    while (merge->pending_count > 0 &&
           pending_key_compare(&merge->pending[merge->pending_count - 1]->by_time.key, &end) < 0)
        merge->pending_count--;
}

static bool merge_has_more(const struct merge *merge) {
    return merge->order_at < merge->order_count || merge->pending_at < merge->pending_count;
}

/* Writes the newer of the two heads; of two equal ones the store's, and the pending one is done with. */
static void merge_emit(struct merge *merge, struct json_writer *writer) {
    const struct order *order = merge->order_at < merge->order_count ? &merge->orders[merge->order_at] : NULL;
    const struct pending_order *pending =
        merge->pending_at < merge->pending_count ? merge->pending[merge->pending_at] : NULL;
    struct pending_key key = order ? order_key(order) : pending->by_time.key;
    int difference = !order ? -1 : !pending ? 1 : pending_key_compare(&key, &pending->by_time.key);
    if (difference <= 0) merge->pending_at++;
    if (difference < 0) {
        key = pending->by_time.key;
        json_raw(writer, pending->json);
    } else {
        merge->order_at++;
        order_write_json(writer, order);
    }
    merge->last = key;
    merge->emitted++;
}

/* Where the next page begins; false: this was the last one. */
static bool next_position(const struct merge *merge, const struct list_query *query,
                          const struct order_store_cursor *next, struct list_position *next_out) {
    struct list_position position = query->position;
    if (merge_has_more(merge)) {
        position = (struct list_position){.bound = merge->last, .pending_below = merge->last};
    } else if (next->size > 0) {
        position.store = *next;
        if (merge->emitted > 0) position.pending_below = merge->last;
    } else {
        return false;
    }
    *next_out = position;
    return true;
}

static bool add_link(struct http_request *request, const struct list_query *query, const struct list_position *next) {
    struct buffer link;
    buffer_init(&link, LINK_SIZE_MAX);
    buffer_put_char(&link, '<');
    list_query_write_next(query, next, &link);
    buffer_put(&link, (struct bytes){">; rel=\"next\"", sizeof ">; rel=\"next\""}); /* with the NUL */
    bool is_whole = link.status == STATUS_OK;
    if (is_whole) http_add_header(request, "Link", link.data);
    buffer_free(&link);
    return is_whole;
}

static void respond_page(struct list_orders *list, const struct order *orders, size_t count,
                         const struct order_store_cursor *next) {
    struct merge merge;
    merge_init(&merge, list, orders, count, next->size > 0);
    struct buffer body;
    buffer_init(&body, LIST_TEXT_MAX + ORDER_TEXT_MAX + 16);
    struct json_writer writer;
    json_writer_init(&writer, &body);
    json_begin_array(&writer);
    while (merge.emitted < list->query.limit && body.size < LIST_TEXT_MAX && body.status == STATUS_OK &&
           merge_has_more(&merge))
        merge_emit(&merge, &writer);
    json_end_array(&writer);
    struct list_position position;
    bool has_next = next_position(&merge, &list->query, next, &position);
    if (!deferred_claim(&list->deferred))
        buffer_free(&body);
    else if (has_next && !add_link(list->deferred.request, &list->query, &position))
        api_respond_problem(list->deferred.request, PROBLEM_NO_MEMORY);
    else
        http_respond_buffer(list->deferred.request, 200, API_JSON, &body);
    buffer_free(&body);
}

static void respond_bad_cursor(struct list_orders *list) {
    const struct http_problem_field field = {BYTES("/cursor"), "is not a cursor of this store: start again without it"};
    struct http_problem problem = api_problem(PROBLEM_INVALID_QUERY);
    problem.fields = &field;
    problem.field_count = 1;
    if (deferred_claim(&list->deferred)) http_respond_problem(list->deferred.request, &problem);
}

static void page_read(struct order_store_list *store_list, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    struct list_orders *list = store_list->data;
    if (status == STATUS_OK) {
        respond_page(list, orders, count, next);
    } else if (status == STATUS_INVALID) {
        respond_bad_cursor(list);
    } else {
        api_warn(list->deferred.api, list->deferred.request, "a page of orders could not be read", status, error_text);
        deferred_problem(&list->deferred, api_problem_of_read(status));
    }
    for (size_t i = 0; i < list->pending_count; i++)
        pending_release(list->pending[i]);
    deferred_end(&list->deferred);
}

/* Pending orders are all `created`. */
static void note_pending(struct list_orders *list, struct api *api) {
    const struct list_query *query = &list->query;
    if (query->has_status && query->status != ORDER_CREATED) return;
    const struct pending_filter filter = {
        .customer_name = query->customer_name,
        .created_after_ms = query->created_after_ms,
        .created_before_ms = query->created_before_ms,
        .below = query->position.pending_below,
    };
    list->pending_count = pending_list(api->pending, &filter, list->pending, query->limit + 1);
}

static void read_page(struct list_orders *list, struct api *api) {
    const struct list_query *query = &list->query;
    list->store = (struct order_store_list){
        .customer_name = query->customer_name,
        .has_status = query->has_status,
        .status = query->status,
        .created_after_ms = query->created_after_ms,
        .created_before_ms = query->created_before_ms,
        .cursor = query->position.store,
        .limit = query->limit,
        .done = page_read,
        .data = list,
    };
    int64_t bound_ms = query->position.bound.created_at_ms;
    if (bound_ms < INT64_MAX && (query->created_before_ms == 0 || bound_ms + 1 < query->created_before_ms))
        list->store.created_before_ms = bound_ms + 1; /* the bound's own millisecond may hold more orders */
    order_store_list(api->options.store, &list->store);
}

void api_list_orders(struct http_request *request, void *data) {
    struct api *api = data;
    pending_recheck(api);
    struct list_query query;
    if (!list_query_read(request, &query)) return;
    if (query.is_empty) {
        http_respond_static(request, 200, API_JSON, BYTES("[]"));
        return;
    }
    struct list_orders *list = arena_calloc(http_arena(request), 1, sizeof *list);
    if (list) list->pending = arena_calloc(http_arena(request), query.limit + 1, sizeof *list->pending);
    if (!list || !list->pending) {
        api_respond_problem(request, PROBLEM_NO_MEMORY);
        return;
    }
    list->query = query;
    deferred_start(&list->deferred, api, request, api->options.answer_timeout_ms, deferred_read_expired);
    note_pending(list, api);
    read_page(list, api);
}
