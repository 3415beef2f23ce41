/* The partitioner, the names and the header lookup of the event log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_log/event_log.h"

/* The hashes are those of UtilsTest.testMurmur2 of Kafka's Java client; with so many partitions, a key's partition is
 * the positive part of its hash. */
static void keys_get_the_partitions_that_kafka_gives_them(void **state) {
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
        {"\x0c\x2a\x38\x18\x6d\x6f", 274204207},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int32_t positive = known[i].hash & INT32_MAX;
        assert_int_equal(event_log_partition_of(bytes_of(known[i].key), INT32_MAX), positive);
        assert_int_equal(event_log_partition_of(bytes_of(known[i].key), 12), positive % 12);
    }
    assert_int_equal(event_log_partition_of(BYTES(""), 12), 0);
}

static void topics_have_their_names(void **state) {
    assert_string_equal(event_log_topic_name(TOPIC_COMMANDS), "order-commands");
    assert_string_equal(event_log_topic_name(TOPIC_EVENTS), "order-events");
    assert_string_equal(event_log_topic_name(TOPIC_DLQ), "order-dlq");
    assert_string_equal(event_log_topic_name(TOPIC_INVOICES), "invoices");
}

static void headers_are_found_by_name(void **state) {
    struct event_log_header headers[] = {{"ce_id", BYTES("1")}, {"ce_type", BYTES("2")}, {"ce_id", BYTES("3")}};
    struct event_log_record record = {.headers = headers, .header_count = 3};
    assert_ptr_equal(event_log_header(&record, "ce_type"), &headers[1]);
    assert_ptr_equal(event_log_header(&record, "ce_id"), &headers[0]);
    assert_null(event_log_header(&record, "ce_"));
    record.header_count = 0;
    assert_null(event_log_header(&record, "ce_id"));
}

/* Sizes near SIZE_MAX must not wrap around into a small sum. */
static void absurd_sizes_are_too_large(void **state) {
    struct event_log_header header = {"name", {"", SIZE_MAX - 2}};
    struct event_log_record record = {.key = BYTES("k"), .headers = &header, .header_count = 1};
    assert_int_equal(event_log_record_check(&record, 1, NULL), STATUS_TOO_LARGE);
    record = (struct event_log_record){.key = BYTES("k"), .value = {"", SIZE_MAX}};
    assert_int_equal(event_log_record_check(&record, 1, NULL), STATUS_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_get_the_partitions_that_kafka_gives_them),
        cmocka_unit_test(topics_have_their_names),
        cmocka_unit_test(headers_are_found_by_name),
        cmocka_unit_test(absurd_sizes_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
