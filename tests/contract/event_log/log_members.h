/* Members of a group that work on their own, on threads of this process or as child processes, and the ledger of all
 * that they say: who had which partition when, who was given which record. */
#ifndef ORDERLY_TESTS_LOG_MEMBERS_H
#define ORDERLY_TESTS_LOG_MEMBERS_H

#include <pthread.h>
#include <sys/types.h>

#include "contract/event_log/event_log_contract.h"

#define MEMBERS_MAX 24 /* over the course of one test */
#define EVENTS_MAX 200000

enum member_event_kind { EVENT_BEGIN, EVENT_END, EVENT_RECORD, EVENT_COMMITTED, EVENT_GAP, EVENT_FAILED };

/* What a member writes into its pipe. Begin is noted after POLL_ASSIGNED, end before the release: what they enclose was
 * surely its own. */
struct member_event {
    int64_t at_ns; /* CLOCK_MONOTONIC, the same for all processes */
    int32_t kind, partition;
    int64_t offset; /* begin, committed: the next one */
    uint64_t number;
};

struct member {
    bool is_child, commits, is_running;
    pid_t pid;
    pthread_t thread;
    int events_fd, control_fd;               /* of the test: reads events; closing control asks the member to leave */
    int thread_events_fd, thread_control_fd; /* of a thread */
    int64_t ended_ns;                        /* killed, or known to have left */
};

struct noted_event {
    struct member_event event;
    int member;
};

struct ledger {
    struct member members[MEMBERS_MAX];
    int member_count;
    struct noted_event *events;
    size_t count;
    int owner[CONTRACT_PARTITIONS]; /* as the events so far say; -1: nobody */
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger); /* ends what still runs */

/* Starts a member of the group "members"; returns its number. */
int ledger_start(struct ledger *ledger, bool as_child, bool commits);
void ledger_stop(struct ledger *ledger, int member); /* in good order */
void ledger_kill(struct ledger *ledger, int member); /* a child, with SIGKILL */

/* Takes in events until the condition holds; fails after CONTRACT_WAIT_MS. */
void ledger_wait(struct ledger *ledger, bool (*holds)(struct ledger *ledger, void *data), void *data, const char *what);
void ledger_take(struct ledger *ledger, int timeout_ms);

int ledger_owned_by(const struct ledger *ledger, int member);

/* Fails if two members had one partition at the same time. */
void ledger_check_exclusive(const struct ledger *ledger);

/* Fails if a member was given records of a partition out of order, or not from where its reading began. */
void ledger_check_order(const struct ledger *ledger);

/* How many members' events name the record, by its number. */
size_t ledger_times_seen(const struct ledger *ledger, uint64_t number);

/* The main of a child. */
int member_child_main(int argc, char **argv);

#endif
