/* A treap (Seidel and Aragon 1996): a search tree by key and a heap by a pseudo-random priority, so its depth stays
 * logarithmic in expectation although orders arrive almost sorted. Loops, no recursion: the stack stays bounded. */
#include "api/pending_tree.h"

#include <xxhash.h>

int pending_key_compare(const struct pending_key *a, const struct pending_key *b) {
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    if (a->created_at_ms != b->created_at_ms) return a->created_at_ms < b->created_at_ms ? -1 : 1;
    return uuid_compare(&a->order_id, &b->order_id);
}

static void split(struct pending_node *tree, const struct pending_key *key, struct pending_node **less_out,
                  struct pending_node **more_out) {
    while (tree) {
        if (pending_key_compare(&tree->key, key) < 0) {
            *less_out = tree;
            less_out = &tree->right;
            tree = tree->right;
        } else {
            *more_out = tree;
            more_out = &tree->left;
            tree = tree->left;
        }
    }
    *less_out = NULL;
    *more_out = NULL;
}

/* All of left sorts before all of right. */
static struct pending_node *merge(struct pending_node *left, struct pending_node *right) {
    struct pending_node *root, **link = &root;
    while (left && right) {
        if (left->priority >= right->priority) {
            *link = left;
            link = &left->right;
            left = left->right;
        } else {
            *link = right;
            link = &right->left;
            right = right->left;
        }
    }
    *link = left ? left : right;
    return root;
}

/* Where the key is, or where the search for it ends. */
static struct pending_node **find_link(struct pending_node **link, const struct pending_key *key) {
    while (*link) {
        int order = pending_key_compare(key, &(*link)->key);
        if (order == 0) break;
        link = order < 0 ? &(*link)->left : &(*link)->right;
    }
    return link;
}

void pending_tree_insert(struct pending_node **root, struct pending_node *node) {
    node->priority = XXH3_64bits(&node->key.order_id, sizeof node->key.order_id) ^ node->key.group;
    struct pending_node **link = root;
    while (*link && (*link)->priority >= node->priority)
        link = pending_key_compare(&node->key, &(*link)->key) < 0 ? &(*link)->left : &(*link)->right;
    split(*link, &node->key, &node->left, &node->right);
    *link = node;
}

void pending_tree_remove(struct pending_node **root, struct pending_node *node) {
    struct pending_node **link = find_link(root, &node->key);
    if (*link == node) *link = merge(node->left, node->right);
}

struct pending_node *pending_tree_find(struct pending_node *root, const struct pending_key *key) {
    return *find_link(&root, key);
}

struct pending_node *pending_tree_below(struct pending_node *root, const struct pending_key *key) {
    struct pending_node *best = NULL;
    while (root) {
        if (pending_key_compare(&root->key, key) < 0) {
            best = root;
            root = root->right;
        } else {
            root = root->left;
        }
    }
    return best;
}

struct pending_node *pending_tree_above(struct pending_node *root, const struct pending_key *key) {
    struct pending_node *best = NULL;
    while (root) {
        if (pending_key_compare(&root->key, key) > 0) {
            best = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}
