/* A queue from many threads to one, with an eventfd to wait on: completions go through it to the thread that owns
 * the state they belong to. Pushing never allocates and writes the eventfd only when the mailbox was empty. */
#ifndef ORDERLY_BASE_MAILBOX_H
#define ORDERLY_BASE_MAILBOX_H

#include <pthread.h>

#include "base/queue.h"
#include "base/status.h"

struct mailbox {
    pthread_mutex_t mutex;
    struct queue queue;
    int fd; /* readable while something may be in it */
};

enum status mailbox_init(struct mailbox *mailbox, struct error *error);
void mailbox_close(struct mailbox *mailbox); /* must be empty, or its elements be owned elsewhere */

/* Any thread. The element belongs to the mailbox until taken. Returns true if the mailbox was empty before. */
bool mailbox_push(struct mailbox *mailbox, struct queue_link *link);

/* The owner's thread: takes everything there is, in order, without waiting, and clears the eventfd. */
struct queue mailbox_take(struct mailbox *mailbox);

#endif
