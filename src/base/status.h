/* Status codes and error text: what every fallible function in Orderly returns.
 *
 * A status says whether a retry can help and whether something may have happened:
 *
 *   status              nothing was done?   does a retry help?
 *   INVALID..CORRUPT    yes                 no: the input or the stored data is wrong
 *   FULL, BUSY          yes                 later, when there is room
 *   UNAVAILABLE         yes                 yes, safely
 *   UNKNOWN             perhaps done        only if the operation may be repeated
 *   CLOSED              yes                 not here: this part is shutting down
 */
#ifndef ORDERLY_BASE_STATUS_H
#define ORDERLY_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,     /* an argument or an input breaks a rule */
    STATUS_NOT_FOUND,   /* there is no such thing */
    STATUS_CONFLICT,    /* it exists with other content, or belongs to somebody else now */
    STATUS_TOO_LARGE,   /* above a named limit */
    STATUS_UNSUPPORTED, /* made by a newer version or by another program */
    STATUS_CORRUPT,     /* stored bytes do not match their checksum or format */
    STATUS_FULL,        /* no room: disk, or a bounded queue; nothing was done */
    STATUS_BUSY,        /* held by another process or still at work; nothing was done */
    STATUS_UNAVAILABLE, /* a service does not answer; nothing was done, a retry is safe */
    STATUS_UNKNOWN,     /* no answer: it may have been done or not */
    STATUS_NO_MEMORY,   /* an allocation failed; nothing was done */
    STATUS_CLOSED,      /* shutting down; nothing was done */
    STATUS_IO,          /* the operating system refused; see the error text */
    STATUS_COUNT
};

/* Room for one line of error text. The caller provides it; it may be NULL everywhere. */
#define ERROR_TEXT_SIZE 512
struct error {
    char text[ERROR_TEXT_SIZE];
};

/* The name of a status in lower case ("not_found"), never NULL. */
const char *status_name(enum status status);

/* True if repeating the call may succeed and cannot do a thing twice (FULL, BUSY, UNAVAILABLE, NO_MEMORY). */
bool status_retry_is_safe(enum status status);

/* Writes the formatted text into error (if not NULL), cut at its size, and returns status. */
enum status error_set(struct error *error, enum status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Like error_set, with ": " and the text of the errno value behind it. */
enum status error_set_errno(struct error *error, enum status status, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
