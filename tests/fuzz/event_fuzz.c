/* Fuzzes the reader of events: what it takes, written and read again, is the same event, with a type and an id. */
#include "fuzz/fuzz.h"
#include "order/event.h"

static void check_event(const struct event *event, struct arena *arena) {
    struct event again;
    struct buffer buffer;
    char id[EVENT_ID_SIZE], id_again[EVENT_ID_SIZE];
    buffer_init(&buffer, 2 * EVENT_TEXT_MAX);
    event_write(&buffer, event);
    FUZZ_CHECK(buffer.status == STATUS_OK);
    FUZZ_CHECK(event_read(buffer_bytes(&buffer), arena, &again, NULL) == STATUS_OK);
    event_id(event, id);
    event_id(&again, id_again);
    FUZZ_CHECK(strcmp(id, id_again) == 0 && event_type(event) == event_type(&again));
    FUZZ_CHECK(event->has_order == again.has_order);
    FUZZ_CHECK(!event->has_order || order_equal(&event->order, &again.order));
    buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct event event;
    struct error error = {""};
    arena_init(&arena, 4096, FUZZ_ARENA_LIMIT);
    enum status status = event_read((struct bytes){(const char *)data, size}, &arena, &event, &error);
    FUZZ_CHECK(status == STATUS_OK || status == STATUS_INVALID);
    if (status == STATUS_OK) check_event(&event, &arena);
    if (status == STATUS_INVALID) FUZZ_CHECK(error.text[0] && json_utf8_is_valid(bytes_of(error.text)));
    arena_free(&arena);
    return 0;
}
