/* What the tests of the Cassandra order store share: a store in a keyspace of the test's own. */
#ifndef ORDERLY_TESTS_CASSANDRA_FIXTURE_H
#define ORDERLY_TESTS_CASSANDRA_FIXTURE_H

#include "cassandra/keyspaces.h"
#include "contract/order_store/order_store_contract.h"

struct cassandra_fixture {
    struct test_keyspaces keyspaces;
    struct order_store *store;
    struct arena arena; /* of the test that runs */
    struct random_seeded random;
    struct metrics *metrics;
    char prefix[64];
    unsigned tests;
};

/* For cmocka: the group connects; each test gets an empty store that is set up, and its keyspace is dropped after it.
 */
int fixture_open_group(void **state);
int fixture_close_group(void **state);
int fixture_open(void **state);
int fixture_close(void **state);

static inline struct cassandra_fixture *fixture_of(void **state) {
    return *state;
}

/* Opens another store on the keyspace of a prefix, set up if it is not; aborts if it cannot. */
struct order_store *fixture_store(struct cassandra_fixture *fixture, const char *prefix);

/* A new order, applied. */
const struct history_row *fixture_create(struct cassandra_fixture *fixture, const char *customer,
                                         int64_t created_at_ms);
/* Its next version, applied. */
const struct history_row *fixture_advance(struct cassandra_fixture *fixture, const struct history_row *row,
                                          enum order_status status);

/* The text of the first cell of a query's first row ("" if none); `%s` stands for the keyspace's prefix. */
void fixture_cell(struct cassandra_fixture *fixture, const char *format, char *out, size_t size);
int64_t fixture_now_ms(void);

#endif
