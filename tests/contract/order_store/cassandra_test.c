/* The contract of the order store, held against the Cassandra adapter: a keyspace of its own for each namespace. */
#include "order_store/cassandra.h"

#include <stdio.h>
#include <stdlib.h>

#include "cassandra/keyspaces.h"
#include "contract/order_store/order_store_contract.h"

struct cassandra_subject {
    struct order_store_subject base;
    struct test_keyspaces keyspaces;
    char prefix[64]; /* of the namespace that is open, or was last */
};

/* The keyspace of the test before this one is not needed any more. */
static void change_namespace(struct cassandra_subject *subject, const char *namespace_name) {
    char prefix[sizeof subject->prefix];
    test_prefix(&subject->keyspaces, namespace_name, prefix, sizeof prefix);
    if (subject->prefix[0] && strcmp(prefix, subject->prefix) != 0) test_drop(&subject->keyspaces, subject->prefix);
    memcpy(subject->prefix, prefix, sizeof prefix);
}

static enum status open_cassandra(struct order_store_subject *base, const char *namespace_name,
                                  struct order_store **store_out) {
    struct cassandra_subject *subject = (struct cassandra_subject *)base;
    change_namespace(subject, namespace_name);
    struct order_store_cassandra_options options = test_options(subject->prefix);
    struct error error = {""};
    struct order_store *store = NULL;
    enum status status = order_store_cassandra_open(&options, &store, &error);
    if (status == STATUS_NOT_FOUND) status = order_store_setup(store, &error);
    if (status == STATUS_OK) {
        *store_out = store;
        return status;
    }
    fprintf(stderr, "cannot open the store: %s\n", error.text);
    order_store_close(store);
    return status;
}

static void close_cassandra(struct order_store_subject *base, struct order_store *store) {
    order_store_close(store);
}

int main(void) {
    struct cassandra_subject subject = {.base = {.name = "order_store on Cassandra",
                                                 .clock = clock_system(),
                                                 .open = open_cassandra,
                                                 .close = close_cassandra}};
    if (!test_keyspaces_open(&subject.keyspaces)) return 1;
    int failures = order_store_contract_run(&subject.base);
    if (subject.prefix[0]) test_drop(&subject.keyspaces, subject.prefix);
    test_keyspaces_close(&subject.keyspaces);
    return failures;
}
