/* The table of pending orders: one ordered tree holds three views of it, told apart by the group of the key. */
#include "api/pending.h"

#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/queue.h"

/* Groups: by id alone; by time; every customer's own by time. */
#define GROUP_BY_ID 0
#define GROUP_BY_TIME 1
#define GROUP_CUSTOMERS 2

struct pending {
    pthread_mutex_t mutex; /* guards all below */
    struct pending_node *root;
    size_t count, orders_max;
    size_t size_bytes, size_max_bytes;
};

/* Two names may share a group: who walks it compares the names. */
static uint64_t customer_group(struct bytes name) {
    uint64_t hash = XXH3_64bits(name.data, name.size);
    return hash < GROUP_CUSTOMERS ? GROUP_CUSTOMERS : hash;
}

struct pending_key pending_position(int64_t created_at_ms, const struct uuid *order_id) {
    return (struct pending_key){GROUP_BY_TIME, created_at_ms, *order_id};
}

struct pending_key pending_newest(void) {
    struct pending_key key = {GROUP_BY_TIME, INT64_MAX, {{0}}};
    memset(key.order_id.bytes, 0xff, sizeof key.order_id.bytes);
    return key;
}

static struct pending_key id_key(const struct uuid *order_id) {
    return (struct pending_key){GROUP_BY_ID, 0, *order_id};
}

struct pending *pending_new(size_t orders_max) {
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending) return NULL;
    pthread_mutex_init(&pending->mutex, NULL);
    pending->orders_max = orders_max;
    pending->size_max_bytes = orders_max * PENDING_ORDER_SIZE;
    if (pending->size_max_bytes < PENDING_SIZE_MIN) pending->size_max_bytes = PENDING_SIZE_MIN;
    return pending;
}

void pending_free(struct pending *pending) {
    if (!pending) return;
    while (pending->root) {
        const struct uuid order_id = pending->root->key.order_id;
        pending_remove(pending, &order_id);
    }
    pthread_mutex_destroy(&pending->mutex);
    free(pending);
}

static size_t order_size(const struct pending_order *order) {
    return sizeof *order + order->customer_name.size + order->json.size;
}

static struct pending_order *make_order(const struct order *order, struct bytes json) {
    struct pending_order *made = malloc(sizeof *made + order->customer_name.size + json.size);
    if (!made) return NULL;
    *made = (struct pending_order){.order_id = order->order_id, .created_at_ms = order->created_at_ms};
    atomic_init(&made->references, 2); /* the caller's and the table's */
    if (json.size) memcpy(made->text, json.data, json.size);
    if (order->customer_name.size) memcpy(made->text + json.size, order->customer_name.data, order->customer_name.size);
    made->json = (struct bytes){made->text, json.size};
    made->customer_name = (struct bytes){made->text + json.size, order->customer_name.size};
    made->by_id.key = id_key(&order->order_id);
    made->by_time.key = pending_position(order->created_at_ms, &order->order_id);
    made->by_customer.key = made->by_time.key;
    made->by_customer.key.group = customer_group(made->customer_name);
    return made;
}

enum status pending_reserve(struct pending *pending, const struct order *order, struct bytes json,
                            struct pending_order **order_out) {
    struct pending_order *made = make_order(order, json);
    if (!made) return STATUS_NO_MEMORY;
    pthread_mutex_lock(&pending->mutex);
    bool fits = pending->count < pending->orders_max && pending->size_bytes + order_size(made) <= pending->size_max_bytes;
    if (fits) {
        pending_tree_insert(&pending->root, &made->by_id);
        pending->count++;
        pending->size_bytes += order_size(made);
    }
    pthread_mutex_unlock(&pending->mutex);
    if (!fits) {
        free(made);
        return STATUS_FULL;
    }
    *order_out = made;
    return STATUS_OK;
}

void pending_acknowledge(struct pending *pending, struct pending_order *order) {
    pthread_mutex_lock(&pending->mutex);
    if (!order->removed && !order->listed) {
        pending_tree_insert(&pending->root, &order->by_time);
        pending_tree_insert(&pending->root, &order->by_customer);
        order->listed = true;
    }
    pthread_mutex_unlock(&pending->mutex);
}

void pending_remove(struct pending *pending, const struct uuid *order_id) {
    const struct pending_key key = id_key(order_id);
    struct pending_order *order = NULL;
    pthread_mutex_lock(&pending->mutex);
    struct pending_node *node = pending_tree_find(pending->root, &key);
    if (node) {
        order = CONTAINER_OF(node, struct pending_order, by_id);
        pending_tree_remove(&pending->root, &order->by_id);
        if (order->listed) {
            pending_tree_remove(&pending->root, &order->by_time);
            pending_tree_remove(&pending->root, &order->by_customer);
        }
        order->listed = false;
        order->removed = true;
        pending->count--;
        pending->size_bytes -= order_size(order);
    }
    pthread_mutex_unlock(&pending->mutex);
    pending_release(order);
}

static struct pending_order *with_reference(struct pending_order *order) {
    atomic_fetch_add(&order->references, 1);
    return order;
}

void pending_release(struct pending_order *order) {
    if (order && atomic_fetch_sub(&order->references, 1) == 1) free(order);
}

struct pending_order *pending_get(struct pending *pending, const struct uuid *order_id) {
    const struct pending_key key = id_key(order_id);
    struct pending_order *order = NULL;
    pthread_mutex_lock(&pending->mutex);
    struct pending_node *node = pending_tree_find(pending->root, &key);
    if (node) order = CONTAINER_OF(node, struct pending_order, by_id);
    order = order && order->listed ? with_reference(order) : NULL;
    pthread_mutex_unlock(&pending->mutex);
    return order;
}

/* Where a walk begins: just below the filter's position and its upper bound in time. */
static struct pending_key walk_start(const struct pending_filter *filter, uint64_t group) {
    struct pending_key key = filter->below;
    if (filter->created_before_ms && filter->created_before_ms <= key.created_at_ms)
        key = (struct pending_key){.created_at_ms = filter->created_before_ms};
    key.group = group;
    return key;
}

size_t pending_list(struct pending *pending, const struct pending_filter *filter, struct pending_order **orders_out,
                    size_t max) {
    bool by_customer = filter->customer_name.data;
    struct pending_key key = walk_start(filter, by_customer ? customer_group(filter->customer_name) : GROUP_BY_TIME);
    size_t count = 0;
    pthread_mutex_lock(&pending->mutex);
    while (count < max) {
        struct pending_node *node = pending_tree_below(pending->root, &key);
        if (!node || node->key.group != key.group) break;
        if (filter->created_after_ms && node->key.created_at_ms <= filter->created_after_ms) break;
        key = node->key;
        struct pending_order *order = by_customer ? CONTAINER_OF(node, struct pending_order, by_customer)
                                                  : CONTAINER_OF(node, struct pending_order, by_time);
        if (by_customer && !bytes_equal(order->customer_name, filter->customer_name)) continue;
        orders_out[count++] = with_reference(order);
    }
    pthread_mutex_unlock(&pending->mutex);
    return count;
}

struct pending_order *pending_oldest(struct pending *pending, const struct pending_key *position) {
    struct pending_key key = *position;
    key.group = GROUP_BY_TIME;
    pthread_mutex_lock(&pending->mutex);
    struct pending_node *node = pending_tree_above(pending->root, &key);
    struct pending_order *order = NULL;
    if (node && node->key.group == GROUP_BY_TIME)
        order = with_reference(CONTAINER_OF(node, struct pending_order, by_time));
    pthread_mutex_unlock(&pending->mutex);
    return order;
}

size_t pending_count(struct pending *pending) {
    pthread_mutex_lock(&pending->mutex);
    size_t count = pending->count;
    pthread_mutex_unlock(&pending->mutex);
    return count;
}
