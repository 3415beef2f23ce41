/* Members of a group share partitions by file locks: who holds the lock owns the partition, and a killed process holds
 * none. Knows neither records nor positions.
 *
 * One file for each group and topic. Each live member holds the lock on one byte, its slot; each owner that on the byte
 * of its partition. The locks belong to open file descriptions (F_OFD_SETLK), so two members in one process exclude
 * each other like two processes do, and all end with the descriptor: no clock, no heartbeat, no zombie.
 *
 * The rule by which shares converge: the P partitions are divided among the M live slots; the first P mod M members, by
 * slot, get one more. A member takes free partitions up to its share and gives up what it has above it; nobody takes
 * more than its share. As the shares add up to P, a free partition means that some live member has less than its share,
 * and it takes it when it looks next (at most every EMBEDDED_GROUP_LOOK_NS). Members that see different M for a moment
 * (somebody has just come or gone) correct that at their next look. A process that is stopped, not killed, keeps its
 * share as it keeps its partitions. */
#ifndef ORDERLY_EVENT_LOG_EMBEDDED_GROUP_H
#define ORDERLY_EVENT_LOG_EMBEDDED_GROUP_H

#include "event_log/event_log.h"
#include "lmdb/lmdb_env.h"

#define EMBEDDED_GROUP_LOOK_NS 5000000

struct embedded_group {
    int fd;   /* -1: not open */
    int slot; /* -1: not a member yet */
};

/* Opens the file <directory>/groups/<name>; made if absent. */
enum status embedded_group_open(struct embedded_group *group, const char *directory, const char *name,
                                struct error *error);

/* Takes a free slot. FULL: there are EVENT_LOG_GROUP_MEMBERS_MAX members. */
enum status embedded_group_join(struct embedded_group *group, struct error *error);

/* How many partitions are this member's now; -1: the locks cannot be read. */
int32_t embedded_group_share(const struct embedded_group *group, int32_t partition_count);

/* True if the partition was free and is this member's now. */
bool embedded_group_take(const struct embedded_group *group, int32_t partition);
void embedded_group_give(const struct embedded_group *group, int32_t partition);

/* Leaves: all locks end at once. */
void embedded_group_close(struct embedded_group *group);

#endif
