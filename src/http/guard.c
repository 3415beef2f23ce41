/* Compares Host and Origin headers with what is ours. */
#include "http/guard.h"

#include <strings.h>

static bool equals_text(struct bytes a, const char *text) {
    return a.size == strlen(text) && strncasecmp(a.data, text, a.size) == 0;
}

/* The name in "name", "name:port" or "[address]:port"; size 0 if it is none of these. */
static struct bytes host_name(struct bytes host) {
    static const struct bytes none = {"", 0};
    size_t size = 0;
    if (host.size > 0 && host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.size);
        if (!end) return none;
        size = (size_t)(end - host.data) + 1;
    } else {
        while (size < host.size && host.data[size] != ':')
            size++;
    }
    if (size < host.size) {
        if (host.data[size] != ':') return none;
        for (size_t i = size + 1; i < host.size; i++)
            if (host.data[i] < '0' || host.data[i] > '9') return none;
    }
    return (struct bytes){host.data, size};
}

bool guard_host_is_ours(const struct guard *guard, struct bytes host) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    if (!guard->loopback_only) return true;
    struct bytes name = host_name(host);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (equals_text(name, names[i])) return true;
    return name.size > 0 && guard->host && equals_text(name, guard->host);
}

bool guard_origin_is_own(struct bytes origin, struct bytes host) {
    static const struct bytes scheme = BYTES("http://");
    if (host.size == 0 || origin.size != scheme.size + host.size) return false;
    return strncasecmp(origin.data, scheme.data, scheme.size) == 0 &&
           strncasecmp(origin.data + scheme.size, host.data, host.size) == 0;
}

bool guard_origin_is_allowed(const struct guard *guard, struct bytes origin) {
    for (const char *const *allowed = guard->allowed_origins; allowed && *allowed; allowed++)
        if (equals_text(origin, *allowed)) return true;
    return false;
}
