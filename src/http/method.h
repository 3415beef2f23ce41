/* The methods that routes may have, and the others. */
#ifndef ORDERLY_HTTP_METHOD_H
#define ORDERLY_HTTP_METHOD_H

#include "base/bytes.h"

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER,
    METHOD_COUNT
};

/* METHOD_OTHER for every name that is not in the list; names are case-sensitive. */
enum method method_of(const char *name);

/* "GET"; "OTHER" for METHOD_OTHER. */
const char *method_name(enum method method);

/* True for the methods that may change something. */
static inline bool method_changes_state(enum method method) {
    return method != METHOD_GET && method != METHOD_HEAD && method != METHOD_OPTIONS;
}

#endif
