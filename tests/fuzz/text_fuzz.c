/* Fuzzes the readers of UUIDs, times and UTF-8: what they take, formatted and read again, is the same. */
#include "base/clock.h"
#include "base/json.h"
#include "base/uuid.h"
#include "fuzz/fuzz.h"

#define TIME_MS_MIN (-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define TIME_MS_MAX 253402300799999   /* 9999-12-31T23:59:59.999Z */

static void check_uuid(struct bytes text) {
    struct uuid uuid, again;
    char formatted[UUID_TEXT_SIZE];
    if (uuid_parse(text, &uuid) != STATUS_OK) return;
    FUZZ_CHECK(text.size == UUID_TEXT_SIZE - 1);
    uuid_format(&uuid, formatted);
    FUZZ_CHECK(uuid_parse(bytes_of(formatted), &again) == STATUS_OK);
    FUZZ_CHECK(uuid_equal(&uuid, &again));
}

static void check_time(struct bytes text) {
    int64_t time_ms, again_ms;
    char formatted[CLOCK_RFC3339_SIZE];
    if (clock_parse_rfc3339(text, &time_ms) != STATUS_OK) return;
    clock_format_rfc3339(time_ms, formatted);
    FUZZ_CHECK(clock_parse_rfc3339(bytes_of(formatted), &again_ms) == STATUS_OK);
    /* An offset can reach beyond the years that can be written: those times are clamped. */
    int64_t expected_ms = time_ms < TIME_MS_MIN ? TIME_MS_MIN : time_ms > TIME_MS_MAX ? TIME_MS_MAX : time_ms;
    FUZZ_CHECK(again_ms == expected_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes text = {(const char *)data, size};
    check_uuid(text);
    check_time(text);
    if (json_utf8_is_valid(text)) FUZZ_CHECK(json_utf8_length(text) <= size);
    return 0;
}
