/* Fuzzes the JSON reader: whatever it takes, written and read again, is the same; whatever it refuses has its error
 * inside the text. */
#include "base/json.h"
#include "fuzz/fuzz.h"

static void write_value(struct json_writer *to, const struct json_value *value) {
    bool is_object = value->kind == JSON_OBJECT;
    switch (value->kind) {
    case JSON_NULL: json_null(to); return;
    case JSON_FALSE:
    case JSON_TRUE: json_bool(to, value->kind == JSON_TRUE); return;
    case JSON_STRING: json_string(to, value->string); return;
    case JSON_NUMBER:
        if (value->is_integer)
            json_integer(to, value->integer);
        else
            json_double(to, value->number);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    is_object ? json_begin_object(to) : json_begin_array(to);
    for (const struct json_value *each = value->first; each; each = each->next) {
        if (is_object) json_key_bytes(to, each->key);
        write_value(to, each);
    }
    is_object ? json_end_object(to) : json_end_array(to);
}

static bool is_equal(const struct json_value *a, const struct json_value *b) {
    if (a->kind != b->kind || !bytes_equal(a->key, b->key)) return false;
    if (a->kind == JSON_STRING) return json_utf8_is_valid(a->string) && bytes_equal(a->string, b->string);
    if (a->kind == JSON_NUMBER) {
        /* A double that rounds to -0 or to a whole number may come back as the integer. */
        double x = a->is_integer ? (double)a->integer : a->number, y = b->is_integer ? (double)b->integer : b->number;
        return x == y;
    }
    if (a->kind != JSON_ARRAY && a->kind != JSON_OBJECT) return true;
    size_t count = 0;
    const struct json_value *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next, count++)
        if (!is_equal(x, y)) return false;
    return !x && !y && count == a->count && count == b->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes text = {(const char *)data, size};
    struct json_value *value, *again;
    struct json_error error;
    struct arena arena;
    struct buffer buffer;
    struct json_writer writer;
    arena_init(&arena, 4096, FUZZ_ARENA_LIMIT);
    buffer_init(&buffer, 64 << 20);
    enum status status = json_read(text, &arena, &value, &error);
    if (status == STATUS_OK) {
        json_writer_init(&writer, &buffer);
        write_value(&writer, value);
        FUZZ_CHECK(buffer.status == STATUS_OK);
        FUZZ_CHECK(json_utf8_is_valid(buffer_bytes(&buffer)));
        FUZZ_CHECK(json_read(buffer_bytes(&buffer), &arena, &again, &error) == STATUS_OK);
        FUZZ_CHECK(is_equal(value, again));
    } else {
        FUZZ_CHECK(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
        FUZZ_CHECK(error.offset <= size && error.line >= 1 && error.column >= 1);
        FUZZ_CHECK(json_utf8_is_valid(bytes_of(error.text)));
    }
    buffer_free(&buffer);
    arena_free(&arena);
    return 0;
}
