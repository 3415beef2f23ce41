/* Tests the order as JSON: the exact text, the way back, and that every limit is checked when reading. */
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
    buffer_init(&buffer, 1 << 20);
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    buffer_free(&buffer);
    return 0;
}

static void write_order(const struct order *order) {
    struct json_writer writer;
    buffer_reset(&buffer);
    json_writer_init(&writer, &buffer);
    order_write_json(&writer, order);
    assert_int_equal(buffer.status, STATUS_OK);
}

static enum status read_order(struct bytes text, struct order *order_out, struct error *error) {
    struct json_value *value;
    assert_int_equal(json_read(text, &arena, &value, NULL), STATUS_OK);
    return order_read_json(value, &arena, order_out, error);
}

static const char sample_text[] =
    "{\"order_id\":\"019a1b2c-3d4e-7f50-8123-000000000001\",\"customer_name\":\"Ada \U0001F600\","
    "\"item\":\"lamp \\\"\u00e9\u20ac\\\"\",\"quantity\":2,\"items\":["
    "{\"item\":\"lamp \\\"\u00e9\u20ac\\\"\",\"quantity\":2,\"unit_price\":1999},"
    "{\"item\":\"bulb\",\"quantity\":10,\"unit_price\":0}],"
    "\"currency\":\"EUR\",\"total\":3998,\"status\":\"confirmed\",\"version\":2,"
    "\"next_statuses\":[\"paid\",\"cancelled\",\"failed\"],"
    "\"created_at\":\"2026-11-22T14:07:21.123Z\",\"updated_at\":\"2026-11-22T14:07:21.999Z\","
    "\"metadata\":{\"channel\":\"web\",\"note\":\"line 1\\nline 2\\t\\\\\"}}";

static void writes_the_exact_text(void **state) {
    struct order order = sample_order();
    write_order(&order);
    assert_int_equal(buffer.size, strlen(sample_text));
    assert_memory_equal(buffer.data, sample_text, buffer.size);
}

static void reads_back(void **state) {
    struct order order = sample_order(), read;
    struct error error = {""};
    assert_int_equal(read_order(bytes_of(sample_text), &read, &error), STATUS_OK);
    assert_true(order_equal(&order, &read));
    struct order empty = {.order_id = sample_uuid(7), .customer_name = BYTES(""), .currency = "USD", .version = 1};
    write_order(&empty);
    assert_non_null(memmem(buffer.data, buffer.size, "\"item\":\"\",\"quantity\":0,\"items\":[],", 33));
    assert_int_equal(read_order(buffer_bytes(&buffer), &read, &error), STATUS_OK);
    assert_true(order_equal(&empty, &read));
}

/* The largest order there can be stays below the limit of a message. */
static void the_largest_order_fits(void **state) {
    struct order_item items[ORDER_ITEMS_MAX];
    struct order_pair pairs[ORDER_METADATA_MAX];
    char name[4 * ORDER_CUSTOMER_NAME_MAX], key[4 * ORDER_METADATA_KEY_MAX], value[ORDER_METADATA_VALUE_MAX];
    for (size_t i = 0; i < sizeof name; i += 4)
        memcpy(name + i, "\U0001F600", 4);
    for (size_t i = 0; i < sizeof key; i += 4)
        memcpy(key + i, "\U0001F600", 4);
    memset(value, 1, sizeof value); /* six bytes each, as \u0001 */
    for (int i = 0; i < ORDER_ITEMS_MAX; i++)
        items[i] = (struct order_item){{name, sizeof name}, ORDER_QUANTITY_MAX, ORDER_AMOUNT_MAX};
    char keys[ORDER_METADATA_MAX][sizeof key];
    for (int i = 0; i < ORDER_METADATA_MAX; i++) {
        memcpy(keys[i], key, sizeof key);
        keys[i][3] = (char)(0x80 + i); /* other characters, or they would be duplicates */
        pairs[i] = (struct order_pair){{keys[i], sizeof key}, {value, sizeof value}};
    }
    struct order order = {.customer_name = {name, sizeof name},
                          .items = items,
                          .item_count = ORDER_ITEMS_MAX,
                          .metadata = pairs,
                          .metadata_count = ORDER_METADATA_MAX,
                          .currency = "EUR",
                          .total = ORDER_AMOUNT_MAX,
                          .version = ORDER_VERSION_MAX,
                          .created_at_ms = 253402300799999,
                          .updated_at_ms = 253402300799999};
    struct order read;
    struct error error = {""};
    write_order(&order);
    assert_true(buffer.size < ORDER_TEXT_MAX);
    assert_int_equal(read_order(buffer_bytes(&buffer), &read, &error), STATUS_OK);
    assert_true(order_equal(&order, &read));
}

/* Replaces `from` in the sample by `to`, once. */
static struct bytes changed_sample(const char *from, const char *to) {
    const char *at = strstr(sample_text, from);
    if (!at) fail_msg("%s is not in the sample", from);
    buffer_reset(&buffer);
    buffer_put(&buffer, (struct bytes){sample_text, (size_t)(at - sample_text)});
    buffer_put_text(&buffer, to);
    buffer_put_text(&buffer, at + strlen(from));
    return buffer_bytes(&buffer);
}

static void ignores_what_is_derived_or_new(void **state) {
    struct order order = sample_order(), read;
    struct error error = {""};
    assert_int_equal(read_order(changed_sample("\"next_statuses\":[", "\"next_statuses\":[7,"), &read, &error),
                     STATUS_OK);
    assert_int_equal(read_order(changed_sample("\"quantity\":2,\"items\"", "\"items\""), &read, &error), STATUS_OK);
    assert_int_equal(read_order(changed_sample("\"total\"", "\"later\":{\"a\":[]},\"total\""), &read, &error),
                     STATUS_OK);
    assert_true(order_equal(&order, &read));
    assert_int_equal(read_order(changed_sample("\"EUR\"", "\"ZZZ\""), &read, &error), STATUS_OK); /* once was a code */
}

static void refuses_and_names_the_field(void **state) {
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"019a1b2c", "019a1b2", "order_id must be a UUID"},
        {"\"order_id\"", "\"order\"", "order_id must be a UUID"},
        {"\"customer_name\":\"Ada", "\"customer_name\":7,\"x\":\"", "customer_name must be a string"},
        {"Ada \U0001F600", " \u3000\u00a0", "customer_name must not be only white space"},
        {"Ada", "A\\u0007da", "customer_name must not contain control"},
        {"\"items\":[", "\"items\":7,\"x\":[", "items must be a list"},
        {"\"items\":[", "\"items\":[7,", "items[0]: item must be a string"},
        {"\"item\":\"bulb\"", "\"item\":\"\"", "items[1]: item must have 1 to 200"},
        {"\"quantity\":10", "\"quantity\":0", "items[1]: quantity must be a whole number from 1 to 1000000"},
        {"\"quantity\":10", "\"quantity\":1000001", "items[1]: quantity must"},
        {"\"quantity\":10", "\"quantity\":1.5", "items[1]: quantity must"},
        {"\"unit_price\":0", "\"unit_price\":-1", "items[1]: unit_price must"},
        {"\"unit_price\":0", "\"unit_price\":9007199254740992", "items[1]: unit_price must"},
        {"\"EUR\"", "\"eur\"", "currency"},
        {"\"EUR\"", "\"EURO\"", "currency"},
        {"\"total\":3998", "\"total\":-1", "total must"},
        {"\"total\":3998", "\"total\":9007199254740992", "total must"},
        {"\"confirmed\"", "\"Confirmed\"", "status is unknown"},
        {"\"version\":2", "\"version\":0", "version must"},
        {"\"version\":2", "\"version\":10001", "version must"},
        {"\"version\":2", "\"version\":\"2\"", "version must"},
        {"2026-11-22T14:07:21.123Z", "2026-11-22 ", "created_at must be an RFC 3339 time"},
        {"2026-11-22T14:07:21.123Z", "1969-12-31T23:59:59.999Z", "created_at must be an RFC 3339 time from 1970"},
        {"2026-11-22T14:07:21.123Z", "9999-12-31T23:59:59.999-00:01", "created_at must be an RFC 3339 time from 1970"},
        {"2026-11-22T14:07:21.999Z", "yesterday", "updated_at must be an RFC 3339 time"},
        {"\"metadata\":{", "\"metadata\":[],\"x\":{", "metadata must be an object"},
        {"\"web\"", "7", "metadata: pair 0"},
        {"\"channel\"", "\"\"", "metadata: pair 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct order read, before;
        struct error error = {""};
        memset(&read, 0xa5, sizeof read);
        memcpy(&before, &read, sizeof before);
        enum status status = read_order(changed_sample(cases[i].from, cases[i].to), &read, &error);
        if (status != STATUS_INVALID || strncmp(error.text, cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("%s: %s: %s", cases[i].to, status_name(status), error.text);
        assert_memory_equal(&read, &before, sizeof read);
    }
    struct order read;
    assert_int_equal(order_read_json(NULL, &arena, &read, NULL), STATUS_INVALID);
    assert_int_equal(read_order(BYTES("[]"), &read, NULL), STATUS_INVALID);
}

/* Counts as given, of the text repeated. */
static void text_limits_count_characters(void **state) {
    static const struct {
        const char *from, *before, *repeated, *after, *why;
        int allowed;
    } cases[] = {
        {"\"Ada \U0001F600\"", "\"", "\u00e9", "\"", "customer_name must have 0 to 200", 200},
        {"\"bulb\"", "\"", "\U0001F600", "\"", "items[1]: item must have 1 to 200", 200},
        {"\"channel\"", "\"", "\u20ac", "\"", "metadata: pair 0", 64},
        {"\"web\"", "\"", "\u20ac", "\"", "metadata: pair 0", 500},
        {"[{\"item\"", "[", "{\"item\":\"a\",\"quantity\":1,\"unit_price\":0},", "{\"item\"", "items must be a list",
         98},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int more = 0; more < 2; more++) {
            struct buffer text;
            struct order read;
            struct error error = {""};
            buffer_init(&text, 65536);
            buffer_put_text(&text, cases[i].before);
            for (int n = 0; n < cases[i].allowed + more; n++)
                buffer_put_text(&text, cases[i].repeated);
            buffer_put_text(&text, cases[i].after);
            buffer_put(&text, (struct bytes){"", 1}); /* a NUL */
            enum status status = read_order(changed_sample(cases[i].from, text.data), &read, &error);
            if (status != (more ? STATUS_INVALID : STATUS_OK)) fail_msg("%s + %d: %s", cases[i].why, more, error.text);
            if (more) assert_non_null(strstr(error.text, cases[i].why));
            buffer_free(&text);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_the_exact_text, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_order_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(ignores_what_is_derived_or_new, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_and_names_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(text_limits_count_characters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
