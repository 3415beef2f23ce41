/* Tests a client's input: both forms, both dialects, and that every bad field is named by its pointer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "order/input.h"
#include "order/currency.h"

static struct arena arena;
static struct input_create create;
static struct input_errors errors;

static int setup(void **state) {
    arena_init(&arena, 4096, 8 << 20);
    memset(&create, 0xa5, sizeof create);
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    return 0;
}

static enum status read_in(enum input_dialect dialect, struct bytes body) {
    struct json_value *value = NULL;
    struct json_error error = {0};
    if (body.data && json_read(body, &arena, &value, &error))
        fail_msg("%.*s: %s at %zu", (int)body.size, body.data, error.text, error.offset);
    return input_read_create(value, dialect, "USD", &arena, &create, &errors);
}

static enum status read_body(const char *body) {
    return read_in(INPUT_ORDERS, bytes_of(body));
}

static void short_form(void **state) {
    assert_int_equal(read_body("{\"customer_name\":\"Ada\",\"item\":\"lamp\",\"quantity\":2}"), STATUS_OK);
    assert_false(create.has_order_id);
    assert_true(bytes_equal(create.order.customer_name, BYTES("Ada")));
    assert_int_equal(create.order.item_count, 1);
    assert_true(bytes_equal(create.order.items[0].item, BYTES("lamp")));
    assert_int_equal(create.order.items[0].quantity, 2);
    assert_int_equal(create.order.items[0].unit_price, 0);
    assert_string_equal(create.order.currency, "USD");
    assert_int_equal(create.order.total, 0);
    assert_int_equal(create.order.metadata_count, 0);
    assert_int_equal(errors.total, 0);
    assert_int_equal(read_body("{\"customer_name\":\"Ada\",\"item\":\"lamp\",\"quantity\":20e-1,\"unit_price\":5.0}"),
                     STATUS_OK);
    assert_int_equal(create.order.total, 10);
}

static void rich_form(void **state) {
    assert_int_equal(
        read_body("{\"order_id\":\"019A1B2C-3d4e-7f50-8123-456789abcdef\",\"customer_name\":\" Ad\\u00e9 \","
                  "\"items\":[{\"item\":\"lamp\",\"quantity\":2,\"unit_price\":1999},"
                  "{\"quantity\":1000000,\"item\":\"bulb\"}],\"currency\":\"EUR\","
                  "\"metadata\":{\"b\":\"2\",\"a\":\"\",\"ab\":\"x\\ny\"}}"),
        STATUS_OK);
    assert_true(create.has_order_id);
    assert_int_equal(create.order.order_id.bytes[0], 1);
    assert_int_equal(create.order.order_id.bytes[15], 0xef);
    assert_true(bytes_equal(create.order.customer_name, BYTES(" Ad\u00e9 ")));
    assert_int_equal(create.order.item_count, 2);
    assert_int_equal(create.order.total, 3998);
    assert_string_equal(create.order.currency, "EUR");
    /* Metadata in the order of its keys, however the client wrote it. */
    assert_int_equal(create.order.metadata_count, 3);
    assert_true(bytes_equal(create.order.metadata[0].key, BYTES("a")));
    assert_true(bytes_equal(create.order.metadata[1].key, BYTES("ab")));
    assert_true(bytes_equal(create.order.metadata[2].value, BYTES("2")));
}

static void empty_orders_of_the_second_dialect(void **state) {
    static const struct bytes bodies[] = {{NULL, 0}, {"{}", 2}};
    for (int i = 0; i < 2; i++) {
        memset(&create, 0xa5, sizeof create);
        assert_int_equal(read_in(INPUT_API_ORDERS, bodies[i]), STATUS_OK);
        assert_false(create.has_order_id);
        assert_int_equal(create.order.customer_name.size, 0);
        assert_int_equal(create.order.item_count, 0);
        assert_int_equal(create.order.total, 0);
        assert_int_equal(create.order.metadata_count, 0);
        assert_string_equal(create.order.currency, "USD");
    }
    assert_int_equal(read_in(INPUT_ORDERS, bodies[0]), STATUS_INVALID);
    assert_int_equal(read_in(INPUT_ORDERS, bodies[1]), STATUS_INVALID);
    /* Anything inside: the rules of the first dialect. */
    assert_int_equal(read_in(INPUT_API_ORDERS, BYTES("{\"customer_name\":\"Ada\"}")), STATUS_INVALID);
    assert_int_equal(read_in(INPUT_API_ORDERS, BYTES("{\"metadata\":{}}")), STATUS_INVALID);
    assert_int_equal(read_in(INPUT_API_ORDERS, BYTES("[]")), STATUS_INVALID);
    assert_int_equal(read_in(INPUT_API_ORDERS, BYTES("{\"customer_name\":\"Ada\",\"item\":\"x\",\"quantity\":1}")),
                     STATUS_OK);
}

#define N "\"customer_name\":\"Ada\""
#define S N ",\"item\":\"lamp\",\"quantity\":1"

/* Every error as "pointer detail", one a line, in the order in which they come. The details are cut where said. */
static const struct {
    const char *body, *expected;
} refused[] = {
    {"[]", " must be a JSON object\n"},
    {"\"text\"", " must be a JSON object\n"},
    {"7", " must be a JSON object\n"},
    {"null", " must be a JSON object\n"},
    {"{}", "/customer_name is missing\n/items is missing: give items, or item and quantity\n"},
    {"{" N "}", "/items is missing: give items, or item and quantity\n"},
    {"{\"item\":\"lamp\",\"quantity\":1}", "/customer_name is missing\n"},
    {"{" N ",\"item\":\"lamp\"}", "/quantity is missing\n"},
    {"{" N ",\"quantity\":1}", "/item is missing\n"},
    {"{" N ",\"unit_price\":1}", "/item is missing\n/quantity is missing\n"},
    /* quantities */
    {"{" N ",\"item\":\"lamp\",\"quantity\":\"2\"}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":0}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":-1}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":1.5}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":1000001}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":9223372036854775808}",
     "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":1e300}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":null}", "/quantity must be a whole number from 1 to 1000000\n"},
    {"{" N ",\"item\":\"lamp\",\"quantity\":true}", "/quantity must be a whole number from 1 to 1000000\n"},
    /* names */
    {"{\"customer_name\":\"\",\"item\":\" \\t\",\"quantity\":1}",
     "/customer_name must have 1 to 200 characters\n/item must not contain control characters (U+0000 to U+001F, "
     "U+007F)\n"},
    {"{\"customer_name\":\" \\u2003\\u0085\",\"item\":\"a\\u007f\",\"quantity\":1}",
     "/customer_name must not be only white space\n"
     "/item must not contain control characters (U+0000 to U+001F, U+007F)\n"},
    {"{\"customer_name\":7,\"item\":[],\"quantity\":1}",
     "/customer_name must be a string of 1 to 200 characters\n/item must be a string of 1 to 200 characters\n"},
    {"{\"customer_name\":null,\"item\":{},\"quantity\":1}",
     "/customer_name must be a string of 1 to 200 characters\n/item must be a string of 1 to 200 characters\n"},
    /* prices and totals */
    {"{" S ",\"unit_price\":-1}", "/unit_price must be a whole number from 0 to 9007199254740991\n"},
    {"{" S ",\"unit_price\":9007199254740992}", "/unit_price must be a whole number from 0 to 9007199254740991\n"},
    {"{" S ",\"unit_price\":null}", "/unit_price must be a whole number from 0 to 9007199254740991\n"},
    {"{" N ",\"item\":\"a\",\"quantity\":2,\"unit_price\":9007199254740991}",
     " the total of quantity times unit_price must not be above 9007199254740991\n"},
    {"{" N ",\"items\":[{\"item\":\"a\",\"quantity\":1,\"unit_price\":9007199254740991},"
     "{\"item\":\"b\",\"quantity\":1,\"unit_price\":1}]}",
     "/items the total of quantity times unit_price must not be above 9007199254740991\n"},
    /* unknown fields, with what RFC 6901 escapes */
    {"{" S ",\"quantitiy\":1,\"a/b~c\":2,\"\":3,\"total\":4}",
     "/quantitiy is not a known field\n/a~1b~0c is not a known field\n/ is not a known field\n"
     "/total is not a known field\n"},
    /* both forms */
    {"{" S ",\"items\":[]}", "/items give either items, or item and quantity, not both\n"
                             "/item give either items, or item and quantity, not both\n"
                             "/quantity give either items, or item and quantity, not both\n"},
    {"{" N ",\"unit_price\":1,\"items\":[{\"item\":\"a\",\"quantity\":1}]}",
     "/items give either items, or item and quantity, not both\n"
     "/unit_price give either items, or item and quantity, not both\n"},
    /* items */
    {"{" N ",\"items\":[]}", "/items must be a list of 1 to 100 objects\n"},
    {"{" N ",\"items\":{}}", "/items must be a list of 1 to 100 objects\n"},
    {"{" N ",\"items\":\"lamp\"}", "/items must be a list of 1 to 100 objects\n"},
    {"{" N ",\"items\":[{\"item\":\"a\",\"quantity\":1},7,{\"item\":\"\",\"quantity\":\"1\",\"price\":1},{}]}",
     "/items/1 must be an object\n/items/2/price is not a known field\n/items/2/item must have 1 to 200 characters\n"
     "/items/2/quantity must be a whole number from 1 to 1000000\n/items/3/item is missing\n"
     "/items/3/quantity is missing\n"},
    /* the rest */
    {"{" S ",\"order_id\":\"7\"}", "/order_id must be a UUID, like 019a1b2c-3d4e-7f50-8123-456789abcdef\n"},
    {"{" S ",\"order_id\":7}", "/order_id must be a UUID, like 019a1b2c-3d4e-7f50-8123-456789abcdef\n"},
    {"{" S ",\"order_id\":\"{019a1b2c-3d4e-7f50-8123-456789abcdef}\"}",
     "/order_id must be a UUID, like 019a1b2c-3d4e-7f50-8123-456789abcdef\n"},
    {"{" S ",\"currency\":\"eur\"}", "/currency must be an active ISO 4217 code in capital letters, like EUR\n"},
    {"{" S ",\"currency\":\"ZZZ\"}", "/currency must be an active ISO 4217 code in capital letters, like EUR\n"},
    {"{" S ",\"currency\":null}", "/currency must be an active ISO 4217 code in capital letters, like EUR\n"},
    {"{" S ",\"metadata\":[]}", "/metadata must be an object of 0 to 16 strings\n"},
    {"{" S ",\"metadata\":null}", "/metadata must be an object of 0 to 16 strings\n"},
    {"{" S ",\"metadata\":{\"a/b\":1,\"\":\"x\",\"\\n\":\"\",\"ok\":\"\"}}",
     "/metadata/a~1b must be a string of 0 to 500 characters\n/metadata/ must have 1 to 64 characters\n"
     "/metadata/\n must not contain control characters (U+0000 to U+001F, U+007F)\n"},
    /* everything at once */
    {"{\"x\":1,\"customer_name\":\"\",\"items\":[{\"item\":\"a\",\"quantity\":0}],\"currency\":7,\"order_id\":\"\","
     "\"metadata\":{\"k\":null}}",
     "/x is not a known field\n/order_id must be a UUID, like 019a1b2c-3d4e-7f50-8123-456789abcdef\n"
     "/customer_name must have 1 to 200 characters\n/items/0/quantity must be a whole number from 1 to 1000000\n"
     "/currency must be an active ISO 4217 code in capital letters, like EUR\n"
     "/metadata/k must be a string of 0 to 500 characters\n"},
};

static void names_every_bad_field(void **state) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char found[2048] = "";
        size_t size = 0;
        struct input_create before;
        memcpy(&before, &create, sizeof before);
        enum status status = read_body(refused[i].body);
        for (size_t j = 0; j < errors.count; j++)
            size += (size_t)snprintf(found + size, sizeof found - size, "%.*s %s\n", (int)errors.list[j].pointer.size,
                                     errors.list[j].pointer.data, errors.list[j].detail);
        if (status != STATUS_INVALID || strcmp(found, refused[i].expected) != 0)
            fail_msg("%s: %s, expected:\n%sfound:\n%s", refused[i].body, status_name(status), refused[i].expected,
                     found);
        assert_int_equal(errors.total, errors.count);
        assert_memory_equal(&create, &before, sizeof create); /* untouched */
    }
}

static void an_empty_body_says_so(void **state) {
    assert_int_equal(read_in(INPUT_ORDERS, (struct bytes){NULL, 0}), STATUS_INVALID);
    assert_int_equal(errors.count, 1);
    assert_int_equal(errors.list[0].pointer.size, 0);
    assert_string_equal(errors.list[0].detail, "is empty: send a JSON object");
}

/* Puts `count` times `text` between before and after, and tells whether that is an order. */
static enum status read_repeated(const char *before, const char *text, int count, const char *after) {
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    buffer_put_text(&buffer, before);
    for (int i = 0; i < count; i++)
        buffer_put_text(&buffer, text);
    buffer_put_text(&buffer, after);
    enum status status = read_in(INPUT_ORDERS, arena_copy(&arena, buffer_bytes(&buffer)));
    buffer_free(&buffer);
    return status;
}

static void limits_are_exact(void **state) {
    static const struct {
        const char *before, *text, *after;
        int allowed;
    } cases[] = {
        {"{\"item\":\"x\",\"quantity\":1,\"customer_name\":\"", "\u00e9", "\"}", 200},
        {"{\"item\":\"x\",\"quantity\":1,\"customer_name\":\"", "\\ud83d\\ude00", "\"}", 200},
        {"{" N ",\"quantity\":1,\"item\":\"", "\U0001F600", "\"}", 200},
        {"{" N ",\"items\":[{\"quantity\":1,\"item\":\"", "x", "\"}]}", 200},
        {"{" N ",\"items\":[{\"quantity\":1,\"item\":\"a\"}", ",{\"quantity\":1,\"item\":\"a\"}", "]}", 99},
        {"{" S ",\"metadata\":{\"", "\u20ac", "\":\"\"}}", 64},
        {"{" S ",\"metadata\":{\"k\":\"", "\u20ac", "\"}}", 500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_repeated(cases[i].before, cases[i].text, cases[i].allowed, cases[i].after), STATUS_OK);
        assert_int_equal(read_repeated(cases[i].before, cases[i].text, cases[i].allowed + 1, cases[i].after),
                         STATUS_INVALID);
        assert_int_equal(errors.total, 1);
    }
}

static void metadata_pairs_are_limited(void **state) {
    for (int count = ORDER_METADATA_MAX; count <= ORDER_METADATA_MAX + 1; count++) {
        char body[1024] = "{" S ",\"metadata\":{";
        for (int i = 0; i < count; i++)
            snprintf(body + strlen(body), 32, "%s\"k%d\":\"v\"", i ? "," : "", i);
        strcat(body, "}}");
        assert_int_equal(read_body(body), count == ORDER_METADATA_MAX ? STATUS_OK : STATUS_INVALID);
    }
    assert_int_equal(errors.count, 1);
    assert_true(bytes_equal(errors.list[0].pointer, BYTES("/metadata")));
}

static void errors_above_the_limit_are_counted(void **state) {
    char body[8192] = "{" S;
    for (int i = 0; i < 2 * INPUT_ERRORS_MAX; i++)
        snprintf(body + strlen(body), 32, ",\"x%d\":0", i);
    strcat(body, "}");
    assert_int_equal(read_body(body), STATUS_INVALID);
    assert_int_equal(errors.count, INPUT_ERRORS_MAX);
    assert_int_equal(errors.total, 2 * INPUT_ERRORS_MAX);
}

static void a_long_unknown_name_is_cut_between_characters(void **state) {
    assert_int_equal(read_repeated("{" S ",\"a", "\u20ac", 1000, "\":1}"), STATUS_INVALID);
    assert_true(errors.list[0].pointer.size < 140);
    assert_true(json_utf8_is_valid(errors.list[0].pointer));
    assert_memory_equal(errors.list[0].pointer.data + errors.list[0].pointer.size - 6, "\u20ac...", 6);
    assert_int_equal(read_repeated("{" S ",\"", "~", 1000, "\":1}"), STATUS_INVALID);
    assert_true(errors.list[0].pointer.size > 256);
}

static void currencies(void **state) {
    static const char *const active[] = {"AED", "CHF", "EUR", "JPY", "USD", "XCG", "ZMW", "ZWG", "SLE", "VES"};
    static const char *const others[] = {"DEM", "HRK", "FRF", "ZWL", "AAA", "ZZZ", "EU", "EURO", "", "DAF", "eur"};
    for (int i = 0; i < 10; i++)
        assert_true(currency_is_active(bytes_of(active[i])));
    for (int i = 0; i < 11; i++)
        assert_false(currency_is_active(bytes_of(others[i])));
    int count = 0;
    for (char code[4] = "AAA"; code[0] <= 'Z'; code[0]++)
        for (code[1] = 'A'; code[1] <= 'Z'; code[1]++)
            for (code[2] = 'A'; code[2] <= 'Z'; code[2]++)
                count += currency_is_active(bytes_of(code));
    assert_int_equal(count, 178); /* every code of the table is found: it is sorted, and none is there twice */
}

/* --- the table of fields, held against what is taken --- */

static void put_times(struct buffer *body, const char *before, const char *text, int64_t count, const char *after) {
    buffer_put_text(body, before);
    for (int64_t i = 0; i < count; i++)
        buffer_put_text(body, text);
    buffer_put_text(body, after);
}

/* A value of the type with that length, count or value. */
static void put_value(struct buffer *body, const char *type, int64_t amount) {
    if (strcmp(type, "integer") == 0) {
        buffer_put_int(body, amount);
    } else if (strcmp(type, "string") == 0) {
        put_times(body, "\"", "x", amount, "\"");
    } else if (strcmp(type, "array") == 0) {
        put_times(body, "[", "{\"item\":\"a\",\"quantity\":1},", amount - 1,
                  amount ? "{\"item\":\"a\",\"quantity\":1}]" : "]");
    } else {
        buffer_put_char(body, '{');
        for (int64_t i = 0; i < amount; i++)
            buffer_printf(body, "%s\"k%d\":\"\"", i ? "," : "", (int)i);
        buffer_put_char(body, '}');
    }
}

static void put_member(struct buffer *body, const struct input_field *field, const char *pointer, const char *otherwise,
                       int64_t amount) {
    buffer_printf(body, "\"%s\":", strrchr(pointer, '/') + 1);
    if (strcmp(field->pointer, pointer) == 0)
        put_value(body, field->type, amount);
    else
        buffer_put_text(body, otherwise);
}

/* A whole body in which the one field has that amount. */
static void put_body(struct buffer *body, const struct input_field *field, int64_t amount) {
    bool is_line = strncmp(field->pointer, "/items", 6) == 0, is_list = strcmp(field->pointer, "/items") == 0;
    const char *prefix = is_line && !is_list ? "/items/0" : "";
    static const char *const lines[][2] = {{"item", "\"a\""}, {"quantity", "1"}, {"unit_price", "0"}};
    buffer_put_char(body, '{');
    put_member(body, field, "/customer_name", "\"Ada\"", amount);
    buffer_put_text(body, is_line && !is_list ? ",\"items\":[{\"quantity\":1,\"item\":\"a\"},{" : ",");
    if (is_list) put_member(body, field, "/items", "", amount);
    for (int i = 0; !is_list && i < 3; i++) {
        char pointer[32];
        snprintf(pointer, sizeof pointer, "%s/%s", prefix, lines[i][0]);
        if (i) buffer_put_char(body, ',');
        put_member(body, field, pointer, lines[i][1], amount);
    }
    if (is_line && !is_list) buffer_put_text(body, "}]");
    buffer_put_text(body, ",");
    if (strcmp(field->pointer, "/metadata/{key}") != 0)
        put_member(body, field, "/metadata", "{}", amount);
    else if (strcmp(field->type, "key") == 0)
        put_times(body, "\"metadata\":{\"", "x", amount, "\":\"\"}");
    else
        put_times(body, "\"metadata\":{\"k\":\"", "x", amount, "\"}");
    buffer_put_char(body, '}');
}

static enum status read_amount(const struct input_field *field, int64_t amount) {
    struct buffer body;
    buffer_init(&body, 1 << 20);
    put_body(&body, field, amount);
    enum status status = read_in(INPUT_ORDERS, arena_copy(&arena, buffer_bytes(&body)));
    buffer_free(&body);
    return status;
}

/* Each field takes its limits, and nothing beyond, and is the one that is named. */
static void the_table_of_fields_is_what_is_checked(void **state) {
    size_t count;
    const struct input_field *fields = input_create_fields(&count);
    assert_int_equal(count, 13);
    for (size_t i = 0; i < count; i++) {
        const struct input_field *field = &fields[i];
        if (strcmp(field->pointer, "/order_id") == 0 || strcmp(field->pointer, "/currency") == 0)
            continue; /* formats */
        assert_int_equal(read_amount(field, field->minimum), STATUS_OK);
        assert_int_equal(read_amount(field, field->maximum), STATUS_OK);
        assert_int_equal(read_amount(field, field->maximum + 1), STATUS_INVALID);
        assert_int_equal(errors.total, 1);
        if (strcmp(field->pointer, "/metadata/{key}") != 0)
            assert_memory_equal(errors.list[0].pointer.data, field->pointer, 5); /* the same, or with index 1 */
        bool can_be_less = field->minimum > 0 || strcmp(field->type, "integer") == 0;
        if (can_be_less) assert_int_equal(read_amount(field, field->minimum - 1), STATUS_INVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(short_form, setup, teardown),
        cmocka_unit_test_setup_teardown(rich_form, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_orders_of_the_second_dialect, setup, teardown),
        cmocka_unit_test_setup_teardown(names_every_bad_field, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_body_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(metadata_pairs_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_above_the_limit_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_unknown_name_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(currencies, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_of_fields_is_what_is_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
