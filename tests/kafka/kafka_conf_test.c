/* The user's librdkafka properties: what passes, what is refused, and that no secret shows. No broker is needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/kafka_fixture.h"

#define NOBODY "127.0.0.1:1" /* nothing listens there */

static enum status open_with(const struct kafka_property *properties, size_t count, struct error *error) {
    struct event_log *log = NULL;
    struct event_log_kafka_options options = {.bootstrap_servers = NOBODY,
                                              .properties = properties,
                                              .property_count = count,
                                              .partition_count = 1,
                                              .connect_timeout_ms = 300,
                                              .clock = clock_system()};
    enum status status = event_log_kafka_open(&options, &log, error);
    assert_null(log);
    return status;
}

static void what_the_promises_rest_on_is_refused(void **state) {
    static const char *const names[] = {
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "partitioner",
        "group.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "partition.assignment.strategy",
        "group.protocol",
        "group.instance.id",
        "transactional.id",
        "isolation.level",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "retries",
        "message.send.max.retries",
        "bootstrap.servers",
        "metadata.broker.list",
        "dr_msg_cb",
        "rebalance_cb",
        "log_cb",
        "plugin.library.paths",
        "interceptors",
        "log.queue",
        "statistics.interval.ms",
        "topic.metadata.refresh.interval.ms",
        "message.timeout.ms",
        "ACKS",
        "allow.auto.create.topics",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct kafka_property property = {names[i], "1", "ORDERLY_KAFKA_X"};
        struct error error;
        assert_int_equal(open_with(&property, 1, &error), STATUS_INVALID);
        assert_non_null(strstr(error.text, "ORDERLY_KAFKA_X"));
        assert_non_null(strstr(error.text, names[i]));
    }
}

static void unknown_and_bad_ones_name_the_setting(void **state) {
    struct error error;
    struct kafka_property unknown = {"linger.mss", "1", "ORDERLY_KAFKA_LINGER_MSS"};
    assert_int_equal(open_with(&unknown, 1, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "ORDERLY_KAFKA_LINGER_MSS"));
    struct kafka_property bad = {"linger.ms", "soon", "ORDERLY_KAFKA_LINGER_MS"};
    assert_int_equal(open_with(&bad, 1, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "ORDERLY_KAFKA_LINGER_MS"));
    assert_non_null(strstr(error.text, "linger.ms"));
}

/* librdkafka quotes a value that it refuses; where a secret may have been put in the wrong place, we do not. */
static void secrets_do_not_show(void **state) {
    static const struct kafka_property properties[] = {
        {"sasl.oauthbearer.method", "hunter2", "ORDERLY_KAFKA_SASL_OAUTHBEARER_METHOD"},
        {"sasl.pasword", "hunter2", "ORDERLY_KAFKA_SASL_PASWORD"},
        {"ssl.key.pem", "hunter2", "ORDERLY_KAFKA_SSL_KEY_PEM"},
    };
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        struct error error;
        enum status status = open_with(&properties[i], 1, &error);
        assert_true(status == STATUS_INVALID || status == STATUS_UNAVAILABLE);
        assert_null(strstr(error.text, "hunter2"));
    }
}

/* Each kind of client gets them all, also those that are for another kind. */
static void good_ones_pass_and_an_absent_broker_is_named(void **state) {
    static const struct kafka_property good[] = {
        {"linger.ms", "5", "ORDERLY_KAFKA_LINGER_MS"},
        {"compression.type", "lz4", "ORDERLY_KAFKA_COMPRESSION_TYPE"},
        {"fetch.min.bytes", "1", "ORDERLY_KAFKA_FETCH_MIN_BYTES"},
        {"socket.timeout.ms", "4000", "ORDERLY_KAFKA_SOCKET_TIMEOUT_MS"},
        {"client.id", "shop", "ORDERLY_KAFKA_CLIENT_ID"},
    };
    struct error error;
    assert_int_equal(open_with(good, sizeof good / sizeof *good, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, NOBODY));
    assert_non_null(strstr(error.text, "refused")); /* what happened, in the words of the system */
}

static void what_does_not_go_together_is_invalid(void **state) {
    static const struct kafka_property both[] = {{"security.protocol", "sasl_plaintext", "ORDERLY_KAFKA_X"},
                                                 {"sasl.mechanisms", "NONE-SUCH", "ORDERLY_KAFKA_Y"}};
    struct error error;
    assert_int_equal(open_with(both, 2, &error), STATUS_INVALID);
    assert_true(error.text[0]);
}

static void bad_names_are_invalid(void **state) {
    struct event_log *log = NULL;
    struct event_log_kafka_options options = {.bootstrap_servers = NOBODY, .namespace_prefix = "a b"};
    assert_int_equal(event_log_kafka_open(&options, &log, NULL), STATUS_INVALID);
    options.namespace_prefix = "";
    options.bootstrap_servers = "";
    assert_int_equal(event_log_kafka_open(&options, &log, NULL), STATUS_INVALID);
    assert_null(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_promises_rest_on_is_refused),
        cmocka_unit_test(unknown_and_bad_ones_name_the_setting),
        cmocka_unit_test(secrets_do_not_show),
        cmocka_unit_test(good_ones_pass_and_an_absent_broker_is_named),
        cmocka_unit_test(what_does_not_go_together_is_invalid),
        cmocka_unit_test(bad_names_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
