/* A node on a port of its own that stands in front of a real one and can be frozen, cut off and brought back; or,
 * without a real one behind it, takes connections and says what the test wants. One thread; at most NODE_CONNECTIONS at
 * a time. */
#ifndef TESTS_CQL_NODE_H
#define TESTS_CQL_NODE_H

#include <stdint.h>

enum node_mode {
    NODE_FORWARDS,
    NODE_FROZEN, /* takes connections and bytes, passes nothing on */
    NODE_DOWN,   /* connections broken, port closed */
    NODE_SILENT, /* no real node behind it: never answers */
    NODE_REFUSES_CREDENTIALS,
};

struct node;

/* upstream: "host:port" of the real node, or NULL. Returns once it listens. */
struct node *node_start(const char *upstream, enum node_mode mode);
void node_set(struct node *node, enum node_mode mode); /* returns once it is so */
const char *node_address(const struct node *node);     /* "127.0.0.1:port" */
void node_stop(struct node *node);

#endif
