/* Method names. */
#include "http/method.h"

static const char *const names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",       [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
};

enum method method_of(const char *name) {
    for (enum method method = 0; method < METHOD_OTHER; method++)
        if (strcmp(name, names[method]) == 0) return method;
    return METHOD_OTHER;
}

const char *method_name(enum method method) {
    return names[method];
}
