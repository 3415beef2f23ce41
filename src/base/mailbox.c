/* The mailbox: a queue under a mutex, and an eventfd that is readable exactly while the queue is not empty. */
#include "base/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum status mailbox_init(struct mailbox *mailbox, struct error *error) {
    *mailbox = (struct mailbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (mailbox->fd < 0) return error_set_errno(error, STATUS_IO, errno, "eventfd");
    int failure = pthread_mutex_init(&mailbox->mutex, NULL);
    if (failure) {
        close(mailbox->fd);
        mailbox->fd = -1;
        return error_set_errno(error, STATUS_NO_MEMORY, failure, "pthread_mutex_init");
    }
    return STATUS_OK;
}

void mailbox_close(struct mailbox *mailbox) {
    if (!mailbox || mailbox->fd <= 0) return; /* 0: cleared memory that was never opened */
    close(mailbox->fd);
    mailbox->fd = -1;
    pthread_mutex_destroy(&mailbox->mutex);
}

/* The eventfd changes under the mutex with the queue: outside of it the owner could clear the wake-up of an element
 * that it has not taken, or close the descriptor before it is written. */
bool mailbox_push(struct mailbox *mailbox, struct queue_link *link) {
    pthread_mutex_lock(&mailbox->mutex);
    bool was_empty = mailbox->queue.count == 0;
    queue_push(&mailbox->queue, link);
    if (was_empty) eventfd_write(mailbox->fd, 1);
    pthread_mutex_unlock(&mailbox->mutex);
    return was_empty;
}

struct queue mailbox_take(struct mailbox *mailbox) {
    eventfd_t ignored;
    pthread_mutex_lock(&mailbox->mutex);
    struct queue taken = mailbox->queue;
    if (taken.count > 0) eventfd_read(mailbox->fd, &ignored);
    mailbox->queue = (struct queue){0};
    pthread_mutex_unlock(&mailbox->mutex);
    return taken;
}
