/* Opening a store where no Cassandra is, or not for us: the status and the one line that says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "cassandra/keyspaces.h"
#include "cql/node.h"

static void assert_refused(struct order_store_cassandra_options options, enum status expected, const char *text) {
    struct order_store *store = NULL;
    struct error error = {""};
    enum status status = order_store_cassandra_open(&options, &store, &error);
    if (status != expected || strcmp(error.text, text) != 0) print_message("%s\n", error.text);
    assert_int_equal(status, expected);
    assert_null(store);
    assert_string_equal(error.text, text);
}

static struct order_store_cassandra_options options_at(const char *address) {
    struct order_store_cassandra_options options = test_options("t_");
    options.contact_points = address;
    return options;
}

static void test_a_closed_port_is_said(void **state) {
    struct node *node = node_start(NULL, NODE_DOWN); /* a port that was free a moment ago */
    char text[256];
    node_set(node, NODE_SILENT);
    node_set(node, NODE_DOWN);
    snprintf(text, sizeof text,
             "Cassandra at %s does not answer (connection refused): start it, or correct CASSANDRA_CONTACT_POINTS",
             node_address(node));
    assert_refused(options_at(node_address(node)), STATUS_UNAVAILABLE, text);
    node_stop(node);
}

static void test_a_name_that_is_none_is_said(void **state) {
    assert_refused(options_at("no-such-host.invalid:9042"), STATUS_UNAVAILABLE,
                   "Cassandra at no-such-host.invalid:9042 does not answer (unknown host name): start it, or correct "
                   "CASSANDRA_CONTACT_POINTS");
}

static void test_a_node_that_says_nothing_is_said(void **state) {
    struct node *node = node_start(NULL, NODE_SILENT);
    char text[256];
    snprintf(text, sizeof text,
             "Cassandra at %s does not answer (no answer in time): start it, or correct CASSANDRA_CONTACT_POINTS",
             node_address(node));
    assert_refused(options_at(node_address(node)), STATUS_UNAVAILABLE, text);
    node_stop(node);
}

static void test_wrong_credentials_are_said_and_not_shown(void **state) {
    struct node *node = node_start(NULL, NODE_REFUSES_CREDENTIALS);
    struct order_store_cassandra_options options = options_at(node_address(node));
    char text[256];
    options.user = "ada";
    options.password = "geheim";
    snprintf(text, sizeof text,
             "Cassandra at %s refused the login (wrong user or password): correct ORDERLY_CASSANDRA_USER and "
             "ORDERLY_CASSANDRA_PASSWORD",
             node_address(node));
    assert_refused(options, STATUS_UNAVAILABLE, text);
    node_stop(node);
}

static void test_a_prefix_that_names_no_keyspace_is_refused(void **state) {
    static const char *const prefixes[] = {
        "Ada_", "9_", "a-b", "a b", "a;", "\"", "a_prefix_that_has_more_than_forty_two_letters_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct order_store_cassandra_options options = options_at("127.0.0.1:1");
        struct order_store *store = NULL;
        options.prefix = prefixes[i];
        assert_int_equal(order_store_cassandra_open(&options, &store, NULL), STATUS_INVALID);
        assert_null(store);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_closed_port_is_said),
        cmocka_unit_test(test_a_name_that_is_none_is_said),
        cmocka_unit_test(test_a_node_that_says_nothing_is_said),
        cmocka_unit_test(test_wrong_credentials_are_said_and_not_shown),
        cmocka_unit_test(test_a_prefix_that_names_no_keyspace_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
