/* Keyspaces for tests: made by the stores under test, looked into and dropped from here. */
#include "cassandra/keyspaces.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

#define REQUEST_TIMEOUT_MS 25000
#define DDL_TIMEOUT_MS 60000

/* CASSANDRA_CONTACT_POINTS as users write it, a JSON list too, without its signs. */
const char *test_contact_points(void) {
    static char text[512]; /* made once, on the main thread */
    if (text[0]) return text;
    const char *value = getenv("CASSANDRA_CONTACT_POINTS");
    size_t size = 0;
    for (const char *c = value ? value : "127.0.0.1:9042"; *c && size < sizeof text - 1; c++)
        if (!strchr("[]\" ", *c)) text[size++] = *c;
    return text;
}

bool test_keyspaces_open(struct test_keyspaces *keyspaces) {
    uint32_t number;
    char error[CQL_ERROR_SIZE] = "";
    struct cql_options options = {.contact_points = test_contact_points(), .request_timeout_ms = DDL_TIMEOUT_MS};
    random_fill(random_system(), &number, sizeof number);
    snprintf(keyspaces->run, sizeof keyspaces->run, "t%08x", (unsigned)number);
    keyspaces->session = keyspaces->loose = NULL;
    enum cql_code code = cql_connect(&options, &keyspaces->session, error);
    options.consistency = CQL_ONE;
    if (code == CQL_OK) code = cql_connect(&options, &keyspaces->loose, error);
    if (code == CQL_OK) return true;
    fprintf(stderr, "%s\n", error);
    return false;
}

void test_keyspaces_close(struct test_keyspaces *keyspaces) {
    cql_free(keyspaces->loose);
    cql_free(keyspaces->session);
}

void test_prefix(const struct test_keyspaces *keyspaces, const char *name, char *out, size_t size) {
    snprintf(out, size, "%s_%s_", keyspaces->run, name);
}

void test_drop(struct test_keyspaces *keyspaces, const char *prefix) {
    cql_result_free(test_query(keyspaces, "DROP KEYSPACE IF EXISTS %sorders", prefix));
}

struct order_store_cassandra_options test_options(const char *prefix) {
    return (struct order_store_cassandra_options){.contact_points = test_contact_points(),
                                                  .prefix = prefix,
                                                  .local_dc = "",
                                                  .user = "",
                                                  .password = "",
                                                  .tls_ca_file = "",
                                                  .tls_cert_file = "",
                                                  .tls_key_file = "",
                                                  .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                                  .clock = clock_system()};
}

static struct cql_result *query(struct cql_session *session, const char *format, va_list arguments) {
    char cql[2048], error[CQL_ERROR_SIZE] = "";
    struct cql_result *result = NULL;
    vsnprintf(cql, sizeof cql, format, arguments);
    if (cql_run(session, cql, DDL_TIMEOUT_MS, &result, error) == CQL_OK) return result;
    fprintf(stderr, "%s: %s\n", cql, error);
    abort();
}

struct cql_result *test_query(struct test_keyspaces *keyspaces, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct cql_result *result = query(keyspaces->session, format, arguments);
    va_end(arguments);
    return result;
}

struct cql_result *test_query_one(struct test_keyspaces *keyspaces, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct cql_result *result = query(keyspaces->loose, format, arguments);
    va_end(arguments);
    return result;
}
