/* Requests to an order cache that wait for their done, with answers copied out of the adapter's hands. */
#include "contract/order_cache/order_cache_contract.h"

#include <stdio.h>

#include "contract/completion.h"

struct uuid cache_test_id(uint64_t number) {
    struct uuid id = {{0x01, 0x93, 0x5b, 0x3a, 0x77, 0x1c, 0x70, 0x00}};
    bytes_put_u64(id.bytes + 8, number * 0x9e3779b97f4a7c15u);
    return id;
}

void cache_test_value(const struct uuid *order_id, uint32_t version, char out[CACHE_TEST_VALUE_SIZE]) {
    char text[UUID_TEXT_SIZE];
    uuid_format(order_id, text);
    memset(out, '.', CACHE_TEST_VALUE_SIZE);
    snprintf(out, CACHE_TEST_VALUE_SIZE, "%s/%u", text, (unsigned)version);
}

struct waited_get {
    struct order_cache_get get;
    struct completion completion;
    struct cache_answer answer;
};

static void get_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct waited_get *waited = get->data;
    struct cache_answer *answer = &waited->answer;
    answer->status = status;
    if (status == STATUS_OK) {
        char expected[CACHE_TEST_VALUE_SIZE];
        cache_test_value(&get->order_id, entry->version, expected);
        answer->version = entry->version;
        answer->expires_at_ms = entry->expires_at_ms;
        answer->value_size = entry->value.size;
        answer->is_genuine = bytes_equal(entry->value, (struct bytes){expected, sizeof expected});
        if (answer->value && entry->value.size) memcpy(answer->value, entry->value.data, entry->value.size);
    }
    completion_signal(&waited->completion);
}

struct cache_answer cache_test_get(struct order_cache *cache, const struct uuid *order_id, char *value) {
    struct waited_get waited = {.get = {.order_id = *order_id, .done = get_done, .data = &waited}};
    waited.answer.value = value;
    completion_init(&waited.completion);
    order_cache_get(cache, &waited.get);
    completion_wait(&waited.completion);
    return waited.answer;
}

struct waited_put {
    struct order_cache_put put;
    struct completion completion;
    enum status status;
};

static void put_done(struct order_cache_put *put, enum status status) {
    struct waited_put *waited = put->data;
    waited->status = status;
    completion_signal(&waited->completion);
}

enum status cache_test_put(struct order_cache *cache, const struct uuid *order_id, uint32_t version, struct bytes value,
                           int64_t expires_at_ms) {
    struct waited_put waited = {
        .put = {.order_id = *order_id, .entry = {version, value, expires_at_ms}, .done = put_done, .data = &waited}};
    completion_init(&waited.completion);
    order_cache_put(cache, &waited.put);
    completion_wait(&waited.completion);
    return waited.status;
}

enum status cache_test_put_version(struct order_cache *cache, const struct uuid *order_id, uint32_t version,
                                   int64_t expires_at_ms) {
    char value[CACHE_TEST_VALUE_SIZE];
    cache_test_value(order_id, version, value);
    return cache_test_put(cache, order_id, version, (struct bytes){value, sizeof value}, expires_at_ms);
}
