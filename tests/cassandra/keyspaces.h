/* Keyspaces for tests on a Cassandra that others use too: names that nobody else has, dropped afterwards. */
#ifndef ORDERLY_TESTS_CASSANDRA_KEYSPACES_H
#define ORDERLY_TESTS_CASSANDRA_KEYSPACES_H

#include "cql/cql.h"
#include "order_store/cassandra.h"

struct test_keyspaces {
    struct cql_session *session;
    struct cql_session *loose; /* reads from one node: system_traces has two replicas even on a single one */
    char run[16];              /* of this run of the program alone */
};

/* Connects to CASSANDRA_CONTACT_POINTS. false: it does not answer (said on stderr). */
bool test_keyspaces_open(struct test_keyspaces *keyspaces);
void test_keyspaces_close(struct test_keyspaces *keyspaces);

/* A prefix for a store's keyspace, from lower-case letters and digits. */
void test_prefix(const struct test_keyspaces *keyspaces, const char *name, char *out, size_t size);
void test_drop(struct test_keyspaces *keyspaces, const char *prefix);

/* Options with generous time, as fit a busy machine. */
struct order_store_cassandra_options test_options(const char *prefix);
const char *test_contact_points(void);

/* Runs a statement and gives its rows (free them); aborts with the error if it fails. */
struct cql_result *test_query(struct test_keyspaces *keyspaces, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct cql_result *test_query_one(struct test_keyspaces *keyspaces, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
