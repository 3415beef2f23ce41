/* Fuzzes the reader of commands: what it takes, written and read again, is the same command, and can be decided. */
#include "fuzz/fuzz.h"
#include "order/decide.h"

static void check_command(const struct command *command, struct arena *arena) {
    struct command again;
    struct decision decision, repeated;
    struct buffer buffer;
    buffer_init(&buffer, COMMAND_TEXT_MAX);
    command_write(&buffer, command);
    FUZZ_CHECK(buffer.status == STATUS_OK);
    FUZZ_CHECK(command_read(buffer_bytes(&buffer), arena, &again, NULL, NULL) == STATUS_OK);
    FUZZ_CHECK(order_equal(&command->order, &again.order));
    FUZZ_CHECK(command->kind == again.kind && command->target == again.target);
    FUZZ_CHECK(command->amend_set == again.amend_set && command->time_ms == again.time_ms);
    FUZZ_CHECK(memcmp(command->fingerprint, again.fingerprint, COMMAND_FINGERPRINT_SIZE) == 0);
    decide(command, 7, NULL, NULL, &decision);
    FUZZ_CHECK(decision.write == (command->kind == COMMAND_CREATE));
    if (decision.write) {
        decide(&again, 7, NULL, &decision.row, &repeated);
        FUZZ_CHECK(repeated.verdict == VERDICT_CREATED && repeated.repeat);
    }
    buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct command command;
    struct error error = {""};
    uint32_t schema = 0;
    arena_init(&arena, 4096, FUZZ_ARENA_LIMIT);
    switch (command_read((struct bytes){(const char *)data, size}, &arena, &command, &schema, &error)) {
    case STATUS_OK: check_command(&command, &arena); break;
    case STATUS_UNSUPPORTED: FUZZ_CHECK(schema >= COMMAND_SCHEMA); break;
    case STATUS_INVALID: FUZZ_CHECK(error.text[0] && json_utf8_is_valid(bytes_of(error.text))); break;
    default: FUZZ_CHECK(!"another status");
    }
    arena_free(&arena);
    return 0;
}
