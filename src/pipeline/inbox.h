/* The inbox: completions on their way from the adapters' threads to the pipeline's thread.
 *
 * It is counted, because a completion may come after the pipeline is gone (a service that hangs must not hang our
 * shutdown): everything that can be under way holds the inbox, and a message that finds it closed frees itself. */
#ifndef ORDERLY_PIPELINE_INBOX_H
#define ORDERLY_PIPELINE_INBOX_H

#include "base/queue.h"
#include "event_log/event_log.h"

/* Embedded in what is under way; delivered once for each request. */
struct message {
    struct queue_link link;
    void (*received)(struct message *message); /* on the pipeline's thread */
    void (*orphaned)(struct message *message); /* on the completing thread: the pipeline is gone, free what remains */
};

struct inbox;

/* Opens an inbox with one reference. NULL: no memory. */
struct inbox *inbox_new(void);

/* Names the consumer to wake on a delivery and makes the calling thread the owner. Before the first delivery. */
void inbox_own(struct inbox *inbox, struct event_log_consumer *consumer);

struct inbox *inbox_hold(struct inbox *inbox); /* one more reference; returns inbox. Any thread. */
void inbox_release(struct inbox *inbox);       /* one less; the last one frees. NULL is allowed. Any thread. */

/* Hands the message to the owner and wakes it. Any thread. */
void inbox_deliver(struct inbox *inbox, struct message *message);

/* Wakes the owner without a message. Any thread. */
void inbox_ring(struct inbox *inbox);

/* The owner: everything delivered, in order, without waiting. */
struct queue inbox_take(struct inbox *inbox);

/* The owner: waits without the consumer until something is delivered or the bell is rung, at most timeout_ms. */
void inbox_wait(struct inbox *inbox, int timeout_ms);

/* The owner: from now on messages are orphaned and the consumer is not touched. Returns what was delivered before. */
struct queue inbox_close(struct inbox *inbox);

#endif
