/* The route table, compiled into paths sorted so that the first match is the most specific one. */
#include "http/router.h"

#include <stdio.h>
#include <stdlib.h>

/* Splits "/orders/{order_id}" into segments. */
static enum status path_compile(struct router_path *path, const char *text, struct error *error) {
    *path = (struct router_path){0};
    if (text[0] != '/') return error_set(error, STATUS_INVALID, "route \"%s\" must begin with a slash", text);
    for (const char *at = text + 1; *at;) {
        size_t size = strcspn(at, "/");
        if (path->segment_count == TARGET_SEGMENTS_MAX)
            return error_set(error, STATUS_INVALID, "route \"%s\" has more than %d segments", text,
                             TARGET_SEGMENTS_MAX);
        bool is_parameter = size > 2 && at[0] == '{' && at[size - 1] == '}';
        path->segments[path->segment_count] = (struct router_segment){
            .text = is_parameter ? (struct bytes){at + 1, size - 2} : (struct bytes){at, size},
            .is_parameter = is_parameter,
        };
        if (is_parameter) path->rank |= 1u << (TARGET_SEGMENTS_MAX - 1 - path->segment_count);
        path->segment_count++;
        at += at[size] ? size + 1 : size;
    }
    return STATUS_OK;
}

static bool path_equals(const struct router_path *a, const struct router_path *b) {
    if (a->segment_count != b->segment_count || a->rank != b->rank) return false;
    for (size_t i = 0; i < a->segment_count; i++)
        if (!bytes_equal(a->segments[i].text, b->segments[i].text)) return false;
    return true;
}

static struct router_path *router_find(struct router *router, const struct router_path *path) {
    for (size_t i = 0; i < router->path_count; i++)
        if (path_equals(&router->paths[i], path)) return &router->paths[i];
    return NULL;
}

static enum status router_add(struct router *router, const struct http_route *route, struct error *error) {
    struct router_path compiled;
    enum status status = path_compile(&compiled, route->path, error);
    if (status) return status;
    enum method method = method_of(route->method);
    if (method == METHOD_OTHER || method == METHOD_OPTIONS || !route->handle)
        return error_set(error, STATUS_INVALID, "route %s %s cannot be served", route->method, route->path);
    struct router_path *path = router_find(router, &compiled);
    if (!path) {
        path = &router->paths[router->path_count++];
        *path = compiled;
    }
    if (path->routes[method])
        return error_set(error, STATUS_INVALID, "route %s %s is there twice", route->method, route->path);
    path->routes[method] = route;
    return STATUS_OK;
}

static int compare_rank(const void *a, const void *b) {
    unsigned left = ((const struct router_path *)a)->rank, right = ((const struct router_path *)b)->rank;
    return (left > right) - (left < right);
}

/* HEAD wherever GET is, and the list of methods for Allow. */
static void path_finish(struct router_path *path) {
    if (!path->routes[METHOD_HEAD]) path->routes[METHOD_HEAD] = path->routes[METHOD_GET];
    size_t size = 0;
    for (enum method method = 0; method < METHOD_OPTIONS; method++)
        if (path->routes[method])
            size += (size_t)snprintf(path->allow + size, sizeof path->allow - size, "%s, ", method_name(method));
    snprintf(path->allow + size, sizeof path->allow - size, "OPTIONS");
}

enum status router_open(struct router *router, const struct http_route *routes, size_t count, struct error *error) {
    struct router built = {.paths = calloc(count ? count : 1, sizeof *built.paths)};
    if (!built.paths) return error_set(error, STATUS_NO_MEMORY, "no memory for the routes");
    for (size_t i = 0; i < count; i++) {
        enum status status = router_add(&built, &routes[i], error);
        if (status) {
            router_close(&built);
            return status;
        }
    }
    for (size_t i = 0; i < built.path_count; i++)
        path_finish(&built.paths[i]);
    qsort(built.paths, built.path_count, sizeof *built.paths, compare_rank);
    *router = built;
    return STATUS_OK;
}

void router_close(struct router *router) {
    free(router->paths);
    *router = (struct router){0};
}

static bool path_matches(const struct router_path *path, const struct target *target) {
    if (path->segment_count != target->segment_count) return false;
    for (size_t i = 0; i < path->segment_count; i++) {
        const struct router_segment *segment = &path->segments[i];
        bool matches =
            segment->is_parameter ? target->segments[i].size > 0 : bytes_equal(segment->text, target->segments[i]);
        if (!matches) return false;
    }
    return true;
}

const struct router_path *router_match(const struct router *router, const struct target *target) {
    for (size_t i = 0; i < router->path_count; i++)
        if (path_matches(&router->paths[i], target)) return &router->paths[i];
    return NULL;
}
