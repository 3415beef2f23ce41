/* Connecting: what is wrong is said in plain words, within the time allowed. No Cassandra is needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cql/fixture.h"
#include "cql/node.h"

enum { LIMIT_MS = 700 };

static void assert_refused(const struct cql_options *options, enum cql_code code, const char *text) {
    struct cql_session *session = (void *)"untouched";
    char error[CQL_ERROR_SIZE] = "";
    int64_t started_ms = now_ms();
    assert_code(cql_connect(options, &session, error), code, error);
    assert_string_equal((const char *)session, "untouched");
    if (!strstr(error, text)) fail_msg("\"%s\" is not in: %s", text, error);
    assert_true(now_ms() - started_ms < LIMIT_MS + 5000);
}

static void options_are_checked(void **state) {
    assert_refused(&(struct cql_options){0}, CQL_BAD_ARGUMENT, "contact_points");
    assert_refused(&(struct cql_options){.contact_points = " , "}, CQL_BAD_ARGUMENT, "contact_points");
    assert_refused(&(struct cql_options){.contact_points = "\xff"}, CQL_BAD_ARGUMENT, "UTF-8");
    struct cql_options options = {.contact_points = "localhost", .consistency = (enum cql_consistency)8}; /* serial */
    assert_refused(&options, CQL_BAD_ARGUMENT, "consistency 8");
    options = (struct cql_options){.contact_points = "localhost", .max_in_flight = 1000000};
    assert_refused(&options, CQL_BAD_ARGUMENT, "max_in_flight");
    options = (struct cql_options){.contact_points = "localhost", .tls_cert_file = "/x"};
    assert_refused(&options, CQL_BAD_ARGUMENT, "tls_key_file");
    options = (struct cql_options){.contact_points = "localhost", .tls_ca_file = "/nowhere/ca.pem"};
    assert_refused(&options, CQL_TLS, "/nowhere/ca.pem");
}

static void a_closed_port_is_named(void **state) {
    struct node *node = node_start(NULL, NODE_SILENT);
    node_set(node, NODE_DOWN);
    struct cql_options options = {.contact_points = node_address(node), .connect_timeout_ms = LIMIT_MS};
    assert_refused(&options, CQL_NO_HOST, node_address(node));
    assert_refused(&options, CQL_NO_HOST, "refused");
    char both[64];
    snprintf(both, sizeof both, "%s,[::1]:1", node_address(node));
    options.contact_points = both;
    assert_refused(&options, CQL_NO_HOST, node_address(node));
    assert_refused(&options, CQL_NO_HOST, "[::1]:1");
    node_stop(node);
}

static void an_unknown_name_is_named(void **state) {
    struct cql_options options = {.contact_points = "no-such-host.invalid", .connect_timeout_ms = LIMIT_MS};
    assert_refused(&options, CQL_NO_HOST, "no-such-host.invalid");
}

static void a_silent_node_does_not_hold_up(void **state) {
    struct node *node = node_start(NULL, NODE_SILENT);
    struct cql_options options = {.contact_points = node_address(node), .connect_timeout_ms = LIMIT_MS};
    assert_refused(&options, CQL_NO_HOST, node_address(node));
    options.tls_ca_file = "/etc/ssl/certs/ca-certificates.crt";
    if (access(options.tls_ca_file, R_OK) == 0) assert_refused(&options, CQL_NO_HOST, node_address(node));
    node_stop(node);
}

static void bad_credentials_are_told(void **state) {
    struct node *node = node_start(NULL, NODE_REFUSES_CREDENTIALS);
    struct cql_options options = {.contact_points = node_address(node), .connect_timeout_ms = LIMIT_MS};
    assert_refused(&options, CQL_BAD_CREDENTIALS, node_address(node)); /* none given, but asked for */
    assert_refused(&options, CQL_BAD_CREDENTIALS, "asks for a user");
    options.user = "someone";
    options.password = "secret-word";
    assert_refused(&options, CQL_BAD_CREDENTIALS, node_address(node));
    char error[CQL_ERROR_SIZE] = "";
    struct cql_session *session = NULL;
    cql_connect(&options, &session, error);
    assert_null(strstr(error, "secret-word"));
    node_stop(node);
}

static void plain_text_is_no_tls(void **state) {
    struct node *node = node_start(NULL, NODE_REFUSES_CREDENTIALS);
    char path[] = "/tmp/orderly-cql-ca-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    struct cql_options options = {.contact_points = node_address(node), .connect_timeout_ms = LIMIT_MS};
    options.tls_ca_file = path; /* an empty file: no certificate is trusted */
    assert_refused(&options, CQL_TLS, node_address(node));
    unlink(path);
    node_stop(node);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),      cmocka_unit_test(a_closed_port_is_named),
        cmocka_unit_test(an_unknown_name_is_named), cmocka_unit_test(a_silent_node_does_not_hold_up),
        cmocka_unit_test(bad_credentials_are_told), cmocka_unit_test(plain_text_is_no_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
