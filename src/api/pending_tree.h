/* An intrusive ordered tree (a treap) of pending orders, newest first within a group: no allocation, O(log n). */
#ifndef ORDERLY_API_PENDING_TREE_H
#define ORDERLY_API_PENDING_TREE_H

#include "base/uuid.h"

/* Sorted by group, then creation time, then id. */
struct pending_key {
    uint64_t group;
    int64_t created_at_ms;
    struct uuid order_id;
};

struct pending_node {
    struct pending_key key;
    uint64_t priority; /* random enough: keeps the tree balanced whatever the order of insertion */
    struct pending_node *left, *right;
};

int pending_key_compare(const struct pending_key *a, const struct pending_key *b);

/* Keys must be unique. */
void pending_tree_insert(struct pending_node **root, struct pending_node *node);
void pending_tree_remove(struct pending_node **root, struct pending_node *node);

/* The node with that key; the greatest one below it; the least one above it. NULL: there is none. */
struct pending_node *pending_tree_find(struct pending_node *root, const struct pending_key *key);
struct pending_node *pending_tree_below(struct pending_node *root, const struct pending_key *key);
struct pending_node *pending_tree_above(struct pending_node *root, const struct pending_key *key);

#endif
