/* An intrusive singly linked FIFO: the elements carry the link, so pushing never allocates. Not thread-safe. */
#ifndef ORDERLY_BASE_QUEUE_H
#define ORDERLY_BASE_QUEUE_H

#include <stddef.h>

struct queue_link {
    struct queue_link *next;
};

struct queue {
    struct queue_link *head;
    struct queue_link *tail;
    size_t count;
};

static inline void queue_push(struct queue *queue, struct queue_link *link) {
    link->next = NULL;
    if (queue->tail)
        queue->tail->next = link;
    else
        queue->head = link;
    queue->tail = link;
    queue->count++;
}

static inline struct queue_link *queue_pop(struct queue *queue) {
    struct queue_link *link = queue->head;
    if (!link) return NULL;
    queue->head = link->next;
    if (!queue->head) queue->tail = NULL;
    queue->count--;
    return link;
}

/* The element that holds the link. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
