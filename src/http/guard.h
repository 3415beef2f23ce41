/* Who may ask: foreign Host headers (DNS rebinding) and foreign Origins (other websites). */
#ifndef ORDERLY_HTTP_GUARD_H
#define ORDERLY_HTTP_GUARD_H

#include "base/bytes.h"

struct guard {
    bool loopback_only;                 /* the server listens on loopback addresses alone */
    const char *host;                   /* the configured name or address; it is ours too */
    const char *const *allowed_origins; /* NULL-terminated; may be NULL */
};

/* The value of a Host header. Always true when we listen beyond loopback: then any name may be ours. */
bool guard_host_is_ours(const struct guard *guard, struct bytes host);

/* "http://" and our own Host. */
bool guard_origin_is_own(struct bytes origin, struct bytes host);

/* In the list of allowed origins. */
bool guard_origin_is_allowed(const struct guard *guard, struct bytes origin);

#endif
