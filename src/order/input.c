/* Checks what a client sends to make an order, by a table of fields; every bad field is named, not only the first.
 *
 * An order without faults costs no allocation beyond its lists: pointers and texts are made when something is wrong. */
#include "order/input.h"

#include <inttypes.h>
#include <stdio.h>

#include "order/currency.h"
#include "order/text.h"

#define NAME_SHOWN_MAX 128 /* bytes of an unknown field's name in an error */
#define DETAIL_SIZE 96

enum field {
    FIELD_ORDER_ID,
    FIELD_CUSTOMER_NAME,
    FIELD_ITEMS,
    FIELD_ITEM, /* the short form: one line at the top */
    FIELD_QUANTITY,
    FIELD_UNIT_PRICE,
    FIELD_CURRENCY,
    FIELD_METADATA,
    FIELD_TOP_COUNT,
    FIELD_LINE_ITEM = FIELD_TOP_COUNT, /* the same in each of items */
    FIELD_LINE_QUANTITY,
    FIELD_LINE_UNIT_PRICE,
    FIELD_LINE_END,
    FIELD_METADATA_KEY = FIELD_LINE_END,
    FIELD_METADATA_VALUE,
    FIELD_COUNT
};
#define LINE_FIELDS (FIELD_LINE_END - FIELD_LINE_ITEM)
#define LINE_PREFIX "/items/0/"

static const struct input_field fields[FIELD_COUNT] = {
    [FIELD_ORDER_ID] = {"/order_id", "string", UUID_TEXT_SIZE - 1, UUID_TEXT_SIZE - 1, false},
    [FIELD_CUSTOMER_NAME] = {"/customer_name", "string", 1, ORDER_CUSTOMER_NAME_MAX, true},
    [FIELD_ITEMS] = {"/items", "array", 1, ORDER_ITEMS_MAX, true},
    [FIELD_ITEM] = {"/item", "string", 1, ORDER_ITEM_NAME_MAX, true},
    [FIELD_QUANTITY] = {"/quantity", "integer", 1, ORDER_QUANTITY_MAX, true},
    [FIELD_UNIT_PRICE] = {"/unit_price", "integer", 0, ORDER_AMOUNT_MAX, false},
    [FIELD_CURRENCY] = {"/currency", "string", 3, 3, false},
    [FIELD_METADATA] = {"/metadata", "object", 0, ORDER_METADATA_MAX, false},
    [FIELD_LINE_ITEM] = {LINE_PREFIX "item", "string", 1, ORDER_ITEM_NAME_MAX, true},
    [FIELD_LINE_QUANTITY] = {LINE_PREFIX "quantity", "integer", 1, ORDER_QUANTITY_MAX, true},
    [FIELD_LINE_UNIT_PRICE] = {LINE_PREFIX "unit_price", "integer", 0, ORDER_AMOUNT_MAX, false},
    [FIELD_METADATA_KEY] = {"/metadata/{key}", "key", 1, ORDER_METADATA_KEY_MAX, false},
    [FIELD_METADATA_VALUE] = {"/metadata/{key}", "string", 0, ORDER_METADATA_VALUE_MAX, false},
};

const struct input_field *input_create_fields(size_t *count_out) {
    *count_out = FIELD_COUNT;
    return fields;
}

static const char *field_name(enum field field) {
    bool is_in_line = field >= FIELD_LINE_ITEM && field < FIELD_LINE_END;
    return fields[field].pointer + (is_in_line ? sizeof LINE_PREFIX - 1 : 1);
}

struct input {
    struct arena *arena;
    struct input_errors *errors;
    bool is_out_of_memory;
};

/* --- errors --- */

/* An object in the body: "" is the body itself, "/items" with an index one line. */
struct place {
    const char *prefix;
    int index; /* -1: none */
};
static const struct place top = {"", -1};

/* Makes the RFC 6901 pointer of a member; a member without data means the place itself. */
static struct bytes make_pointer(struct input *input, struct place place, struct bytes member) {
    char text[16 + 12 + 1 + 2 * NAME_SHOWN_MAX + 4]; /* prefix, index, escaped name, dots */
    size_t shown = member.size;
    if (shown > NAME_SHOWN_MAX)
        for (shown = NAME_SHOWN_MAX; ((uint8_t)member.data[shown] & 0xc0) == 0x80;)
            shown--; /* whole characters */
    int size = place.index >= 0 ? snprintf(text, 28, "%s/%d", place.prefix, place.index)
                                : snprintf(text, 28, "%s", place.prefix);
    char *to = text + size;
    if (member.data) *to++ = '/';
    for (size_t i = 0; i < shown; i++) {
        char c = member.data[i];
        *to++ = c == '/' ? '~' : c;
        if (c == '~') *to++ = '0';
        if (c == '/') *to++ = '1';
    }
    if (shown < member.size) to = memcpy(to, "...", 3), to += 3;
    struct bytes pointer = arena_copy(input->arena, (struct bytes){text, (size_t)(to - text)});
    if (!pointer.data) input->is_out_of_memory = true;
    return pointer;
}

/* Notes an error; detail is static. Returns false, so that a check can end with it. */
static bool add_error(struct input *input, struct place place, struct bytes member, const char *detail) {
    struct input_errors *errors = input->errors;
    errors->total++;
    if (errors->count == INPUT_ERRORS_MAX) return false;
    struct bytes pointer = make_pointer(input, place, member);
    if (pointer.data) errors->list[errors->count++] = (struct input_error){pointer, detail};
    return false;
}

/* The same with a text that is made here, and so must be copied. */
static bool add_error_text(struct input *input, struct place place, struct bytes member, const char *text) {
    if (input->errors->count == INPUT_ERRORS_MAX) return add_error(input, place, member, "");
    struct bytes copy = arena_copy(input->arena, (struct bytes){text, strlen(text) + 1});
    if (!copy.data) {
        input->is_out_of_memory = true;
        return false;
    }
    return add_error(input, place, member, copy.data);
}

/* Says what a field takes. */
static bool add_type_error(struct input *input, struct place place, struct bytes member, enum field field) {
    static const struct {
        const char *type, *before, *after;
    } words[] = {
        {"integer", "must be a whole number from", ""},
        {"string", "must be a string of", " characters"},
        {"array", "must be a list of", " objects"},
        {"object", "must be an object of", " strings"},
    };
    char text[DETAIL_SIZE] = "is of the wrong type";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(fields[field].type, words[i].type) == 0)
            snprintf(text, sizeof text, "%s %" PRId64 " to %" PRId64 "%s", words[i].before, fields[field].minimum,
                     fields[field].maximum, words[i].after);
    return add_error_text(input, place, member, text);
}

/* --- fields: each returns false if the output was not set --- */

static bool check_text(struct input *input, struct place place, struct bytes member, enum field field,
                       enum text_rule rule, struct bytes text) {
    enum text_problem problem = text_check(text, rule, fields[field].minimum, fields[field].maximum);
    if (problem == TEXT_FINE) return true;
    char why[TEXT_PROBLEM_SIZE];
    text_describe(problem, fields[field].minimum, fields[field].maximum, why);
    return add_error_text(input, place, member, why);
}

/* Tells whether there is a value to look at; a required one that is absent is an error. */
static bool is_given(struct input *input, struct place place, enum field field, const struct json_value *value) {
    if (!value && fields[field].required) add_error(input, place, bytes_of(field_name(field)), "is missing");
    return value != NULL;
}

static bool read_name(struct input *input, struct place place, enum field field, const struct json_value *value,
                      struct bytes *out) {
    struct bytes member = bytes_of(field_name(field));
    if (!is_given(input, place, field, value)) return false;
    if (value->kind != JSON_STRING) return add_type_error(input, place, member, field);
    if (!check_text(input, place, member, field, TEXT_NAME, value->string)) return false;
    *out = value->string;
    return true;
}

static bool read_integer(struct input *input, struct place place, enum field field, const struct json_value *value,
                         int64_t *out) {
    if (!is_given(input, place, field, value)) return false;
    bool is_integer = value->kind == JSON_NUMBER && value->is_integer;
    if (!is_integer || value->integer < fields[field].minimum || value->integer > fields[field].maximum)
        return add_type_error(input, place, bytes_of(field_name(field)), field);
    *out = value->integer;
    return true;
}

/* Sorts the members of an object into found[], by field; names those it does not know. */
static void collect(struct input *input, struct place place, const struct json_value *object, enum field first,
                    size_t count, const struct json_value **found) {
    for (const struct json_value *member = object->first; member; member = member->next) {
        size_t i = 0;
        while (i < count && !bytes_equal(member->key, bytes_of(field_name((enum field)(first + i)))))
            i++;
        if (i < count)
            found[i] = member;
        else
            add_error(input, place, member->key, "is not a known field");
    }
}

/* Reads item, quantity and unit_price, whose fields stand in this order from `first`. */
static bool read_line(struct input *input, struct place place, enum field first, const struct json_value *const *found,
                      struct order_item *line) {
    line->unit_price = 0;
    bool has_item = read_name(input, place, first, found[0], &line->item);
    bool has_quantity = read_integer(input, place, (enum field)(first + 1), found[1], &line->quantity);
    bool has_price = !found[2] || read_integer(input, place, (enum field)(first + 2), found[2], &line->unit_price);
    return has_item && has_quantity && has_price;
}

static bool read_items(struct input *input, const struct json_value *list, struct order *order) {
    struct bytes name = BYTES("items");
    const struct input_field *limits = &fields[FIELD_ITEMS];
    bool is_fine = true;
    if (list->kind != JSON_ARRAY || (int64_t)list->count < limits->minimum || (int64_t)list->count > limits->maximum)
        return add_type_error(input, top, name, FIELD_ITEMS);
    struct order_item *items = arena_alloc(input->arena, list->count * sizeof *items);
    if (!items) {
        input->is_out_of_memory = true;
        return false;
    }
    struct place place = {"/items", 0};
    for (const struct json_value *value = list->first; value; value = value->next, place.index++) {
        const struct json_value *found[LINE_FIELDS] = {NULL};
        if (value->kind != JSON_OBJECT) {
            is_fine = add_error(input, place, (struct bytes){0}, "must be an object");
            continue;
        }
        collect(input, place, value, FIELD_LINE_ITEM, LINE_FIELDS, found);
        if (!read_line(input, place, FIELD_LINE_ITEM, found, &items[place.index])) is_fine = false;
    }
    order->items = items;
    order->item_count = list->count;
    return is_fine;
}

static bool read_short_form(struct input *input, const struct json_value *const *found, struct order *order) {
    struct order_item *line = arena_alloc(input->arena, sizeof *line);
    if (!line) {
        input->is_out_of_memory = true;
        return false;
    }
    order->items = line;
    order->item_count = 1;
    return read_line(input, top, FIELD_ITEM, &found[FIELD_ITEM], line);
}

/* Reads the lines in whichever form, and their total. */
static void read_lines(struct input *input, const struct json_value *const *found, struct order *order) {
    static const char mixed[] = "give either items, or item and quantity, not both";
    const struct json_value *list = found[FIELD_ITEMS];
    bool is_short = found[FIELD_ITEM] || found[FIELD_QUANTITY] || found[FIELD_UNIT_PRICE], is_fine;
    if (list && is_short) {
        for (enum field field = FIELD_ITEMS; field <= FIELD_UNIT_PRICE; field++)
            if (found[field]) add_error(input, top, bytes_of(field_name(field)), mixed);
        return;
    }
    if (!list && !is_short) {
        add_error(input, top, BYTES("items"), "is missing: give items, or item and quantity");
        return;
    }
    is_fine = list ? read_items(input, list, order) : read_short_form(input, found, order);
    if (!is_fine || order_total(order->items, order->item_count, &order->total) == STATUS_OK) return;
    char text[DETAIL_SIZE];
    snprintf(text, sizeof text, "the total of quantity times unit_price must not be above %" PRId64, ORDER_AMOUNT_MAX);
    add_error_text(input, top, list ? BYTES("items") : (struct bytes){0}, text);
}

static bool read_order_id(struct input *input, const struct json_value *value, struct uuid *out) {
    if (!value) return false;
    if (value->kind == JSON_STRING && uuid_parse(value->string, out) == STATUS_OK) return true;
    return add_error(input, top, BYTES("order_id"), "must be a UUID, like 019a1b2c-3d4e-7f50-8123-456789abcdef");
}

static void read_currency(struct input *input, const struct json_value *value, char out[4]) {
    if (!value) return;
    if (value->kind != JSON_STRING || !currency_is_active(value->string)) {
        add_error(input, top, BYTES("currency"), "must be an active ISO 4217 code in capital letters, like EUR");
        return;
    }
    memcpy(out, value->string.data, 3);
}

static bool read_pair(struct input *input, const struct json_value *value, struct order_pair *pair) {
    struct place place = {"/metadata", -1};
    bool is_fine = check_text(input, place, value->key, FIELD_METADATA_KEY, TEXT_NAME, value->key);
    if (value->kind != JSON_STRING) return add_type_error(input, place, value->key, FIELD_METADATA_VALUE);
    *pair = (struct order_pair){value->key, value->string};
    return check_text(input, place, value->key, FIELD_METADATA_VALUE, TEXT_FREE, value->string) && is_fine;
}

static int compare_bytes(struct bytes a, struct bytes b) {
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Pairs are sorted by key: an object is the same in whatever order it is written, and so is its fingerprint. */
static void read_metadata(struct input *input, const struct json_value *object, struct order *order) {
    if (!object) return;
    if (object->kind != JSON_OBJECT || (int64_t)object->count > fields[FIELD_METADATA].maximum) {
        add_type_error(input, top, BYTES("metadata"), FIELD_METADATA);
        return;
    }
    if (object->count == 0) return;
    struct order_pair *pairs = arena_alloc(input->arena, object->count * sizeof *pairs);
    if (!pairs) {
        input->is_out_of_memory = true;
        return;
    }
    size_t count = 0;
    for (const struct json_value *value = object->first; value; value = value->next) {
        struct order_pair pair;
        if (!read_pair(input, value, &pair)) continue;
        size_t i = count++;
        for (; i > 0 && compare_bytes(pairs[i - 1].key, pair.key) > 0; i--)
            pairs[i] = pairs[i - 1];
        pairs[i] = pair;
    }
    order->metadata = pairs;
    order->metadata_count = count;
}

static void read_body(struct input *input, const struct json_value *body, struct input_create *create) {
    const struct json_value *found[FIELD_TOP_COUNT] = {NULL};
    collect(input, top, body, (enum field)0, FIELD_TOP_COUNT, found);
    create->has_order_id = read_order_id(input, found[FIELD_ORDER_ID], &create->order.order_id);
    read_name(input, top, FIELD_CUSTOMER_NAME, found[FIELD_CUSTOMER_NAME], &create->order.customer_name);
    read_lines(input, found, &create->order);
    read_currency(input, found[FIELD_CURRENCY], create->order.currency);
    read_metadata(input, found[FIELD_METADATA], &create->order);
}

enum status input_read_create(const struct json_value *body_value, enum input_dialect dialect,
                              const char *default_currency, struct arena *arena, struct input_create *create_out,
                              struct input_errors *errors_out) {
    struct input input = {.arena = arena, .errors = errors_out};
    struct input_create create = {.order.customer_name = BYTES("")};
    errors_out->count = errors_out->total = 0;
    snprintf(create.order.currency, sizeof create.order.currency, "%s", default_currency);
    bool is_object = body_value && body_value->kind == JSON_OBJECT;
    bool is_empty = !body_value || (is_object && body_value->count == 0);
    if (is_empty && dialect == INPUT_API_ORDERS) {
        *create_out = create;
        return STATUS_OK;
    }
    if (is_object)
        read_body(&input, body_value, &create);
    else
        add_error(&input, top, (struct bytes){0},
                  body_value ? "must be a JSON object" : "is empty: send a JSON object");
    if (input.is_out_of_memory) return STATUS_NO_MEMORY;
    if (errors_out->total > 0) return STATUS_INVALID;
    *create_out = create;
    return STATUS_OK;
}
