/* The contract suite of the order cache port, and what an adapter's program gives it. */
#ifndef ORDERLY_TESTS_ORDER_CACHE_CONTRACT_H
#define ORDERLY_TESTS_ORDER_CACHE_CONTRACT_H

#include "order_cache/order_cache.h"

/* The adapter under test. The program embeds it and keeps its own state behind it. */
struct order_cache_subject {
    const char *name;
    /* A cache in a namespace that nobody has used before; NULL: failed. */
    struct order_cache *(*open)(struct order_cache_subject *subject);
    /* The clock by which entries expire, and a way to let it pass: moved by hand or really waited for. */
    int64_t (*now_ms)(struct order_cache_subject *subject);
    void (*pass_ms)(struct order_cache_subject *subject, int64_t ms);
    size_t limit_bytes; /* of entries; 0: the server's business, its tests are skipped */

    struct order_cache *cache; /* set by the suite: the cache of the test that runs */
};

/* Runs all tests; returns the number of failures. */
int order_cache_contract_run(struct order_cache_subject *subject);

/* --- order_cache_requests.c --- */

/* An order id of a number, and a value that only this id and version have. */
struct uuid cache_test_id(uint64_t number);
#define CACHE_TEST_VALUE_SIZE 64
void cache_test_value(const struct uuid *order_id, uint32_t version, char out[CACHE_TEST_VALUE_SIZE]);

/* An answer to a get, copied. */
struct cache_answer {
    enum status status;
    uint32_t version;
    int64_t expires_at_ms;
    size_t value_size;
    char *value;     /* room for ORDER_CACHE_VALUE_MAX bytes, or NULL: not wanted */
    bool is_genuine; /* the value is cache_test_value of id and version */
};
struct cache_answer cache_test_get(struct order_cache *cache, const struct uuid *order_id, char *value);
enum status cache_test_put(struct order_cache *cache, const struct uuid *order_id, uint32_t version, struct bytes value,
                           int64_t expires_at_ms);
/* The same with cache_test_value. */
enum status cache_test_put_version(struct order_cache *cache, const struct uuid *order_id, uint32_t version,
                                   int64_t expires_at_ms);

/* --- order_cache_threads.c --- */
void test_concurrent_puts_end_at_the_highest_version(void **state);
void test_concurrent_use_gives_only_genuine_values(void **state);

#endif
