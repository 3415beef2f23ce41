/* Finds the route for a path: compiled once from the route table, then only read. */
#ifndef ORDERLY_HTTP_ROUTER_H
#define ORDERLY_HTTP_ROUTER_H

#include "http/http.h"
#include "http/method.h"
#include "http/target.h"

#define ROUTER_ALLOW_SIZE 64

struct router_segment {
    struct bytes text; /* a literal, or the name of a parameter */
    bool is_parameter;
};

/* One path of the table with the routes of all its methods. */
struct router_path {
    struct router_segment segments[TARGET_SEGMENTS_MAX];
    size_t segment_count;
    unsigned rank; /* a bit for each parameter, the first segment's highest: literals win, from left to right */
    const struct http_route *routes[METHOD_COUNT]; /* HEAD is GET's where it has none */
    char allow[ROUTER_ALLOW_SIZE];                 /* "GET, HEAD, POST, OPTIONS" */
};

struct router {
    struct router_path *paths; /* by rank */
    size_t path_count;
};

/* INVALID: two routes for one method and path, a method we do not know, too many segments. */
enum status router_open(struct router *router, const struct http_route *routes, size_t count, struct error *error);
void router_close(struct router *router);

/* The path that matches, or NULL. Parameters match any segment but an empty one. */
const struct router_path *router_match(const struct router *router, const struct target *target);

#endif
