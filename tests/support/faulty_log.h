/* An event log that fails on demand: appends and commits ask the faults; polls can be made to fail, and a test can take
 * a partition away from the consumer and give it back. */
#ifndef ORDERLY_TESTS_SUPPORT_FAULTY_LOG_H
#define ORDERLY_TESTS_SUPPORT_FAULTY_LOG_H

#include "event_log/event_log.h"
#include "support/faults.h"

/* inner and faults are borrowed. Its close settles, and frees the wrapper alone. One consumer at a time. */
struct event_log *faulty_log_new(struct event_log *inner, struct faults *faults);

/* From now on a member of a group is in truth a reader on its own from these positions, one for each partition: it only
 * believes to own them. Its commits are answered with `commit_status` and change nothing. NULL: members are members. */
void faulty_log_be_zombie(struct event_log *log, const int64_t *positions, enum status commit_status);

/* The next polls end with this status. OK: no more. */
void faulty_log_fail_polls(struct event_log *log, enum status status);

/* The next poll of the consumer takes the partition away (POLL_REVOKED or POLL_LOST), or gives one taken away back
 * (POLL_ASSIGNED, from the group's committed position). */
void faulty_log_inject(struct event_log *log, enum event_log_poll_kind kind, int32_t partition);

/* Waits (30 s at most) until the consumer has released the partition that was revoked by injection. */
bool faulty_log_wait_released(struct event_log *log, int32_t partition);

/* Waits (30 s at most) until no append is under way: a pipeline that is closed leaves some behind, as a killed one would. */
void faulty_log_settle(struct event_log *log);

/* How often a trim was asked for, and the last one. */
unsigned faulty_log_trims(struct event_log *log, struct event_log_trim *last_out);

#endif
