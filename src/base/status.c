/* Names of statuses, and the making of one line of error text. */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retry_is_safe;
} statuses[STATUS_COUNT] = {
    [STATUS_OK] = {"ok", false},
    [STATUS_INVALID] = {"invalid", false},
    [STATUS_NOT_FOUND] = {"not_found", false},
    [STATUS_CONFLICT] = {"conflict", false},
    [STATUS_TOO_LARGE] = {"too_large", false},
    [STATUS_UNSUPPORTED] = {"unsupported", false},
    [STATUS_CORRUPT] = {"corrupt", false},
    [STATUS_FULL] = {"full", true},
    [STATUS_BUSY] = {"busy", true},
    [STATUS_UNAVAILABLE] = {"unavailable", true},
    [STATUS_UNKNOWN] = {"unknown", false},
    [STATUS_NO_MEMORY] = {"no_memory", true},
    [STATUS_CLOSED] = {"closed", false},
    [STATUS_IO] = {"io", false},
};

const char *status_name(enum status status) {
    return (unsigned)status < STATUS_COUNT ? statuses[status].name : "no_status";
}

bool status_retry_is_safe(enum status status) {
    return (unsigned)status < STATUS_COUNT && statuses[status].retry_is_safe;
}

/* Formats beside the error, because its old text may be among the arguments ("loading %s: %s", path, error->text). */
static void error_format(struct error *error, const char *suffix, const char *format, va_list arguments) {
    char text[ERROR_TEXT_SIZE];
    int size = vsnprintf(text, sizeof text, format, arguments);
    if (size < 0) size = 0, text[0] = '\0';
    if (suffix && (size_t)size < sizeof text) snprintf(text + size, sizeof text - (size_t)size, ": %s", suffix);
    memcpy(error->text, text, strlen(text) + 1);
}

enum status error_set(struct error *error, enum status status, const char *format, ...) {
    if (!error) return status;
    va_list arguments;
    va_start(arguments, format);
    error_format(error, NULL, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_errno(struct error *error, enum status status, int errno_value, const char *format, ...) {
    if (!error) return status;
    char reason[128];
    va_list arguments;
    va_start(arguments, format);
    error_format(error, strerror_r(errno_value, reason, sizeof reason), format, arguments);
    va_end(arguments);
    return status;
}
