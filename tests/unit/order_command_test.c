/* Tests commands as messages: exact text, round trips, what is poison, what is newer, and the fingerprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "unit/order_sample.h"

static struct arena arena;
static struct buffer buffer;

static int setup(void **state) {
    arena_init(&arena, 4096, 8 << 20);
    buffer_init(&buffer, COMMAND_TEXT_MAX);
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    buffer_free(&buffer);
    return 0;
}

static void write_command(const struct command *command) {
    buffer_reset(&buffer);
    command_write(&buffer, command);
    assert_int_equal(buffer.status, STATUS_OK);
}

static void assert_commands_equal(const struct command *a, const struct command *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->rules, b->rules);
    assert_true(uuid_equal(&a->order_id, &b->order_id));
    assert_true(uuid_equal(&a->command_id, &b->command_id));
    assert_true(uuid_equal(&a->attempt_id, &b->attempt_id));
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof a->fingerprint);
    assert_int_equal(a->expected_version, b->expected_version);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_int_equal(a->minted, b->minted);
    assert_true(order_equal(&a->order, &b->order));
    assert_int_equal(a->amend_set, b->amend_set);
    assert_int_equal(a->target, b->target);
}

static void round_trip(const struct command *command) {
    struct command read;
    struct error error = {""};
    uint32_t schema = 0;
    write_command(command);
    enum status status = command_read(buffer_bytes(&buffer), &arena, &read, &schema, &error);
    if (status) fail_msg("%s", error.text);
    assert_int_equal(schema, COMMAND_SCHEMA);
    assert_commands_equal(command, &read);
}

static void every_kind_round_trips(void **state) {
    for (int kind = 0; kind < COMMAND_KIND_COUNT; kind++) {
        struct command command = sample_command((enum command_kind)kind);
        round_trip(&command);
    }
    for (unsigned set = 1; set < 8; set++) {
        struct command command = sample_command(COMMAND_AMEND), part = command;
        part.amend_set = set;
        part.order = (struct order){0};
        if (set & AMEND_CUSTOMER_NAME) part.order.customer_name = command.order.customer_name;
        if (set & AMEND_ITEMS) part.order.items = command.order.items, part.order.item_count = 2;
        if (set & AMEND_METADATA) part.order.metadata = command.order.metadata, part.order.metadata_count = 2;
        command_fingerprint(&part, part.fingerprint);
        round_trip(&part);
    }
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        struct command command = sample_command(COMMAND_TRANSITION);
        command.target = (enum order_status)status;
        command_fingerprint(&command, command.fingerprint);
        round_trip(&command);
    }
}

static void an_empty_order_round_trips(void **state) {
    struct command command = sample_command(COMMAND_CREATE);
    command.order = (struct order){.customer_name = BYTES(""), .currency = "USD"};
    command_fingerprint(&command, command.fingerprint);
    round_trip(&command);
}

/* Messages and fingerprints are kept for ever in logs and history rows: a change here is a new schema, not a new test.
 * The fingerprints were computed apart, by XXH3-128 over the bytes that command.c describes. */
static const char transition_text[] =
    "{\"schema\":1,\"kind\":\"transition\",\"rules\":1,\"order_id\":\"019a1b2c-3d4e-7f50-8123-000000000001\","
    "\"command_id\":\"019a1b2c-3d4e-7f50-8123-000000000002\",\"attempt_id\":\"019a1b2c-3d4e-7f50-8123-000000000003\","
    "\"fingerprint\":\"aa0aca5c803e611b3e3019b5b8dec0e3\",\"expected_version\":3,\"time_ms\":1795356441123,"
    "\"minted\":false,\"payload\":{\"target\":\"paid\"}}";
static const char create_text[] =
    "{\"schema\":1,\"kind\":\"create\",\"rules\":1,\"order_id\":\"019a1b2c-3d4e-7f50-8123-000000000001\","
    "\"command_id\":\"019a1b2c-3d4e-7f50-8123-000000000002\",\"attempt_id\":\"019a1b2c-3d4e-7f50-8123-000000000003\","
    "\"fingerprint\":\"8c907f94ea7f1fc543d97421706754dd\",\"expected_version\":0,\"time_ms\":1795356441123,"
    "\"minted\":true,\"payload\":{\"customer_name\":\"Ada \U0001F600\",\"items\":["
    "{\"item\":\"lamp \\\"\u00e9\u20ac\\\"\",\"quantity\":2,\"unit_price\":1999},"
    "{\"item\":\"bulb\",\"quantity\":10,\"unit_price\":0}],\"currency\":\"EUR\",\"total\":3998,"
    "\"metadata\":{\"channel\":\"web\",\"note\":\"line 1\\nline 2\\t\\\\\"}}}";

static void the_text_is_exact(void **state) {
    struct command transition = sample_command(COMMAND_TRANSITION), create = sample_command(COMMAND_CREATE);
    write_command(&transition);
    buffer_put(&buffer, (struct bytes){"", 1});
    assert_string_equal(buffer.data, transition_text);
    write_command(&create);
    buffer_put(&buffer, (struct bytes){"", 1});
    assert_string_equal(buffer.data, create_text);
}

static const struct {
    const char *sample, *from, *to, *why;
} poison[] = {
    {transition_text, "{\"schema\"", "\"schema\"", "not JSON: more text after the value (at byte 8)"},
    {transition_text, "\"schema\":1,", "", "schema must be"},
    {transition_text, "\"schema\":1", "\"schema\":0", "schema must be"},
    {transition_text, "\"schema\":1", "\"schema\":\"1\"", "schema must be"},
    {transition_text, "\"schema\":1", "\"schema\":4294967296", "schema must be"},
    {transition_text, "\"rules\":1", "\"rules\":0", "rules must be"},
    {transition_text, "\"kind\":\"transition\"", "\"kind\":\"move\"", "kind is unknown"},
    {transition_text, "\"kind\":\"transition\"", "\"kind\":7", "kind must be a string"},
    {transition_text, "000001", "00001", "order_id must be a UUID"},
    {transition_text, "000002", "00000g", "command_id must be a UUID"},
    {transition_text, "\"attempt_id\"", "\"attempt\"", "attempt_id must be a UUID"},
    {transition_text, "\"fingerprint\":\"", "\"fingerprint\":\"0", "fingerprint must be 32 hexadecimal digits"},
    {transition_text, "\"paid\"", "\"shipped\"", "fingerprint does not match"},
    {transition_text, "\"paid\"", "\"sold\"", "target is no status"},
    {transition_text, "\"expected_version\":3", "\"expected_version\":0", "expected_version must be 1 or more"},
    {transition_text, "\"expected_version\":3", "\"expected_version\":10001", "expected_version must be"},
    {transition_text, "\"expected_version\":3", "\"expected_version\":-1", "expected_version must be"},
    {transition_text, "\"time_ms\":1795356441123", "\"time_ms\":-1", "time_ms must be"},
    {transition_text, "\"time_ms\":1795356441123", "\"time_ms\":253402300800000", "time_ms must be"},
    {transition_text, "\"minted\":false", "\"minted\":0", "minted must be true or false"},
    {transition_text, "\"minted\":false", "\"minted\":true", "only a create is minted"},
    {transition_text, "\"payload\":{\"target\":\"paid\"}", "\"payload\":[]", "payload must be an object"},
    {transition_text, "\"payload\":", "\"load\":", "payload must be an object"},
    {create_text, "\"expected_version\":0", "\"expected_version\":1", "expected_version must be 0"},
    {create_text, "\"total\":3998", "\"total\":3999", "total is not the sum"},
    {create_text, "\"quantity\":10", "\"quantity\":11", "fingerprint does not match"},
    {create_text, "\"quantity\":10", "\"quantity\":0", "items[1]: quantity must be"},
    {create_text, "\"unit_price\":0", "\"unit_price\":9007199254740991", "total is not the sum"},
    {create_text, "Ada \U0001F600", "", "customer_name must have 1 to 200"},
    {create_text, "\"EUR\"", "\"EURO\"", "currency must be"},
    {create_text, "\"EUR\"", "\"USD\"", "fingerprint does not match"},
    {create_text, "\"web\"", "\"app\"", "fingerprint does not match"},
    {create_text, "\"web\"", "7", "metadata: pair 0"},
    {create_text, "\"metadata\"", "\"meta\"", "metadata must be"},
    {create_text, "\"kind\":\"create\"", "\"kind\":\"amend\"", "expected_version must be 1 or more"},
};

/* Copies the sample with `from` replaced once by `to`. */
static struct bytes change(const char *sample, const char *from, const char *to) {
    const char *at = strstr(sample, from);
    if (!at) fail_msg("%s is not in the sample", from);
    buffer_reset(&buffer);
    buffer_put(&buffer, (struct bytes){sample, (size_t)(at - sample)});
    buffer_put_text(&buffer, to);
    buffer_put_text(&buffer, at + strlen(from));
    return buffer_bytes(&buffer);
}

static void poison_is_invalid_and_says_why(void **state) {
    for (size_t i = 0; i < sizeof poison / sizeof poison[0]; i++) {
        struct command read, before;
        struct error error = {""};
        memset(&read, 0xa5, sizeof read);
        memcpy(&before, &read, sizeof before);
        enum status status =
            command_read(change(poison[i].sample, poison[i].from, poison[i].to), &arena, &read, NULL, &error);
        if (status != STATUS_INVALID || strncmp(error.text, poison[i].why, strlen(poison[i].why)) != 0)
            fail_msg("%s -> %s: %s: %s", poison[i].from, poison[i].to, status_name(status), error.text);
        assert_memory_equal(&read, &before, sizeof read);
    }
    struct command read;
    assert_int_equal(command_read(BYTES(""), &arena, &read, NULL, NULL), STATUS_INVALID);
    assert_int_equal(command_read(BYTES("[]"), &arena, &read, NULL, NULL), STATUS_INVALID);
    assert_int_equal(command_read(BYTES("\xff"), &arena, &read, NULL, NULL), STATUS_INVALID);
}

static void an_amend_must_amend_something(void **state) {
    struct command command = sample_command(COMMAND_AMEND);
    struct error error;
    command.amend_set = 0;
    command_fingerprint(&command, command.fingerprint);
    write_command(&command);
    assert_int_equal(command_read(buffer_bytes(&buffer), &arena, &command, NULL, &error), STATUS_INVALID);
    assert_string_equal(error.text, "payload amends nothing");
}

/* Whoever decides it later rejects it; to refuse it here would be to skip a command that the log has taken. */
static void an_amended_total_is_left_to_the_decision(void **state) {
    struct command command = sample_command(COMMAND_AMEND);
    struct order_item items[] = {{BYTES("a"), ORDER_QUANTITY_MAX, ORDER_AMOUNT_MAX}};
    command.order.items = items, command.order.item_count = 1;
    command_fingerprint(&command, command.fingerprint);
    round_trip(&command);
}

static void a_newer_program_may_read_it(void **state) {
    static const struct {
        const char *from, *to;
        uint32_t schema;
    } cases[] = {
        {"\"schema\":1", "\"schema\":2", 2},
        {"\"schema\":1,\"kind\":\"transition\"", "\"schema\":70000,\"new\":[]", 70000},
        {"\"rules\":1", "\"rules\":2", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command read;
        struct error error = {""};
        uint32_t schema = 99;
        struct bytes text = change(transition_text, cases[i].from, cases[i].to);
        assert_int_equal(command_read(text, &arena, &read, &schema, &error), STATUS_UNSUPPORTED);
        assert_int_equal(schema, cases[i].schema);
        assert_non_null(strstr(error.text, "newer than this program"));
        assert_int_equal(command_read(text, &arena, &read, NULL, NULL), STATUS_UNSUPPORTED);
    }
}

static void unknown_members_are_ignored(void **state) {
    struct command read, command = sample_command(COMMAND_TRANSITION);
    struct bytes text = change(transition_text, "\"payload\":{", "\"trace\":\"x\",\"payload\":{\"note\":7,");
    assert_int_equal(command_read(text, &arena, &read, NULL, NULL), STATUS_OK);
    assert_commands_equal(&command, &read);
}

static void size_is_limited(void **state) {
    struct buffer large;
    struct command read;
    buffer_init(&large, 2 * COMMAND_TEXT_MAX);
    buffer_put_text(&large, transition_text);
    large.size--; /* open the object again */
    buffer_put_text(&large, ",\"x\":\"");
    while (large.size < COMMAND_TEXT_MAX - 2)
        buffer_put_char(&large, 'x');
    buffer_put_text(&large, "\"}");
    assert_int_equal(large.size, COMMAND_TEXT_MAX);
    assert_int_equal(command_read(buffer_bytes(&large), &arena, &read, NULL, NULL), STATUS_OK);
    buffer_put_char(&large, ' ');
    assert_int_equal(command_read(buffer_bytes(&large), &arena, &read, NULL, NULL), STATUS_INVALID);
    buffer_free(&large);
}

/* --- fingerprint --- */

static void fingerprint_leaves_out_ids_versions_and_times(void **state) {
    struct command a = sample_command(COMMAND_CREATE), b = a;
    b.order_id = b.command_id = b.attempt_id = sample_uuid(9);
    b.expected_version = 7, b.time_ms = 1, b.minted = false, b.rules = 9;
    b.order.order_id = sample_uuid(8), b.order.version = 4, b.order.created_at_ms = 5, b.order.status = ORDER_PAID;
    b.target = ORDER_FAILED, b.amend_set = 1; /* not of a create */
    command_fingerprint(&b, b.fingerprint);
    assert_memory_equal(a.fingerprint, b.fingerprint, COMMAND_FINGERPRINT_SIZE);
}

static void fingerprint_sees_every_payload_field(void **state) {
    struct command base = sample_command(COMMAND_CREATE);
    struct order_item items[2];
    struct order_pair pairs[2];
    struct command variants[12];
    struct order_item other_items[6][2];
    struct order_pair other_pairs[4][2];
    memcpy(items, sample_items, sizeof items), memcpy(pairs, sample_metadata, sizeof pairs);
    for (int i = 0; i < 12; i++)
        variants[i] = base;
    for (int i = 0; i < 6; i++)
        memcpy(other_items[i], items, sizeof items);
    for (int i = 0; i < 4; i++)
        memcpy(other_pairs[i], pairs, sizeof pairs);
    variants[1].order.customer_name = BYTES("Ada");
    memcpy(variants[2].order.currency, "USD", 4);
    variants[3].order.item_count = 1;
    variants[4].order.metadata_count = 1;
    for (int i = 5; i < 9; i++)
        variants[i].order.items = other_items[i - 5];
    other_items[0][1].item = BYTES("bul");
    other_items[1][1].quantity++;
    other_items[2][1].unit_price++;
    other_items[3][0] = items[1], other_items[3][1] = items[0];
    for (int i = 9; i < 11; i++)
        variants[i].order.metadata = other_pairs[i - 9];
    other_pairs[0][0].key = BYTES("channe"),
    other_pairs[0][0].value = BYTES("lweb"); /* the same bytes, cut elsewhere */
    other_pairs[1][0].value = BYTES("app");
    variants[11].kind = COMMAND_AMEND, variants[11].amend_set = 7;
    for (int i = 0; i < 12; i++) {
        command_fingerprint(&variants[i], variants[i].fingerprint);
        for (int j = 0; j < i; j++)
            if (memcmp(variants[i].fingerprint, variants[j].fingerprint, COMMAND_FINGERPRINT_SIZE) == 0)
                fail_msg("%d and %d", i, j);
    }
}

static void fingerprint_of_an_amend_sees_only_what_is_set(void **state) {
    struct command a = sample_command(COMMAND_AMEND), b = a;
    a.amend_set = b.amend_set = AMEND_ITEMS;
    b.order.customer_name = BYTES("other");
    b.order.metadata_count = 0;
    command_fingerprint(&a, a.fingerprint), command_fingerprint(&b, b.fingerprint);
    assert_memory_equal(a.fingerprint, b.fingerprint, COMMAND_FINGERPRINT_SIZE);
    b.amend_set = AMEND_ITEMS | AMEND_CUSTOMER_NAME;
    command_fingerprint(&b, b.fingerprint);
    assert_memory_not_equal(a.fingerprint, b.fingerprint, COMMAND_FINGERPRINT_SIZE);
}

static void kind_names(void **state) {
    enum command_kind kind;
    for (int i = 0; i < COMMAND_KIND_COUNT; i++) {
        assert_int_equal(command_kind_parse(bytes_of(command_kind_name((enum command_kind)i)), &kind), STATUS_OK);
        assert_int_equal(kind, i);
    }
    assert_int_equal(command_kind_parse(BYTES("unknown"), &kind), STATUS_INVALID);
    assert_string_equal(command_kind_name(COMMAND_KIND_COUNT), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_round_trips, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_order_round_trips, setup, teardown),
        cmocka_unit_test_setup_teardown(the_text_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(poison_is_invalid_and_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(an_amend_must_amend_something, setup, teardown),
        cmocka_unit_test_setup_teardown(an_amended_total_is_left_to_the_decision, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_program_may_read_it, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_members_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(size_is_limited, setup, teardown),
        cmocka_unit_test(fingerprint_leaves_out_ids_versions_and_times),
        cmocka_unit_test(fingerprint_sees_every_payload_field),
        cmocka_unit_test(fingerprint_of_an_amend_sees_only_what_is_set),
        cmocka_unit_test(kind_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
