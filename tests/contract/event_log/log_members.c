/* Members on threads and in child processes, and the ledger of what they say. */
#include "contract/event_log/log_members.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "contract/completion.h"
#include "support/child.h"

#define GROUP "members"
#define CHILD_WAIT_S 60

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- a member at work: the same on a thread and in a child --- */

struct work {
    struct event_log *log;
    struct event_log_consumer *consumer;
    int events_fd, control_fd;
    bool commits;
    bool owned[CONTRACT_PARTITIONS];
};

/* Smaller than PIPE_BUF: whole or not at all, also when we are killed. */
static void tell(const struct work *work, enum member_event_kind kind, int32_t partition, int64_t offset,
                 uint64_t number) {
    struct member_event event = {now_ns(), kind, partition, offset, number};
    while (write(work->events_fd, &event, sizeof event) < 0 && errno == EINTR) {
    }
}

struct position_commit {
    struct event_log_commit commit;
    struct completion completion;
    enum status status;
};

static void position_done(struct event_log_commit *commit, enum status status, const char *error_text) {
    struct position_commit *position = commit->data;
    position->status = status;
    completion_signal(&position->completion);
}

static void work_commit(struct work *work, int32_t partition, int64_t next_offset) {
    struct position_commit position = {
        .commit = {.partition = partition, .next_offset = next_offset, .done = position_done, .data = &position}};
    completion_init(&position.completion);
    event_log_commit(work->consumer, &position.commit);
    completion_wait(&position.completion);
    if (position.status == STATUS_OK) tell(work, EVENT_COMMITTED, partition, next_offset, 0);
}

static void work_records(struct work *work, struct event_log_batch *batch) {
    const struct event_log_record *last = &batch->records[batch->count - 1];
    for (size_t i = 0; i < batch->count; i++) {
        const struct event_log_record *record = &batch->records[i];
        tell(work, EVENT_RECORD, record->partition, record->offset, bytes_get_u64(record->value.data));
    }
    if (work->commits) work_commit(work, last->partition, last->offset + 1);
    event_log_batch_free(batch);
}

static void work_end(struct work *work, int32_t partition) {
    if (work->owned[partition]) tell(work, EVENT_END, partition, 0, 0);
    work->owned[partition] = false;
}

static void work_take(struct work *work, const struct event_log_poll *poll) {
    switch (poll->kind) {
    case POLL_NOTHING: break;
    case POLL_RECORDS: work_records(work, poll->batch); break;
    case POLL_ASSIGNED:
        work->owned[poll->partition] = true;
        tell(work, EVENT_BEGIN, poll->partition, poll->next_offset, 0);
        break;
    case POLL_REVOKED:
        work_end(work, poll->partition);
        event_log_release(work->consumer, poll->partition);
        break;
    case POLL_LOST: work_end(work, poll->partition); break;
    case POLL_GAP: tell(work, EVENT_GAP, poll->partition, poll->next_offset, 0); break;
    }
}

static bool is_asked_to_leave(int control_fd) {
    struct pollfd fd = {.fd = control_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0; /* the other end was closed */
}

static int work_until_asked(struct work *work) {
    struct event_log_consumer_options options = {.topic = TOPIC_COMMANDS, .group = GROUP, .batch_max = 20};
    struct event_log_poll poll;
    struct error error;
    if (event_log_consumer_open(work->log, &options, &work->consumer, &error)) {
        tell(work, EVENT_FAILED, 0, 0, 0);
        return 1;
    }
    while (!is_asked_to_leave(work->control_fd)) {
        enum status status = event_log_poll(work->consumer, 20, &poll, &error);
        if (status == STATUS_OK) work_take(work, &poll);
        if (status == STATUS_OK || status == STATUS_UNAVAILABLE) continue;
        tell(work, EVENT_FAILED, 0, 0, 0);
        break;
    }
    for (int32_t i = 0; i < CONTRACT_PARTITIONS; i++)
        work_end(work, i);
    event_log_consumer_close(work->consumer);
    return 0;
}

static void *thread_main(void *data) {
    struct member *member = data;
    struct work work = {.log = contract.log,
                        .events_fd = member->thread_events_fd,
                        .control_fd = member->thread_control_fd,
                        .commits = member->commits};
    work_until_asked(&work);
    close(member->thread_events_fd);
    close(member->thread_control_fd);
    return NULL;
}

int member_child_main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct work work = {
        .events_fd = STDOUT_FILENO, .control_fd = STDIN_FILENO, .commits = strcmp(argv[2], "commits") == 0};
    struct error error;
    if (contract.adapter->open(argv[1], "", CONTRACT_PARTITIONS, &work.log, &error)) {
        fprintf(stderr, "a child cannot open the log: %s\n", error.text);
        return 3;
    }
    int code = work_until_asked(&work);
    contract.adapter->close(work.log);
    return code;
}

/* --- the ledger --- */

struct ledger *ledger_new(void) {
    struct ledger *ledger = calloc(1, sizeof *ledger);
    assert_non_null(ledger);
    ledger->events = calloc(EVENTS_MAX, sizeof *ledger->events);
    assert_non_null(ledger->events);
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        ledger->owner[i] = -1;
    signal(SIGPIPE, SIG_IGN);
    return ledger;
}

int ledger_start(struct ledger *ledger, bool as_child, bool commits) {
    int events[2], control[2];
    assert_true(ledger->member_count < MEMBERS_MAX);
    assert_int_equal(pipe2(events, O_CLOEXEC), 0);
    assert_int_equal(pipe2(control, O_CLOEXEC), 0);
    struct member *member = &ledger->members[ledger->member_count];
    *member = (struct member){.is_child = as_child,
                              .commits = commits,
                              .is_running = true,
                              .events_fd = events[0],
                              .control_fd = control[1],
                              .thread_events_fd = events[1],
                              .thread_control_fd = control[0]};
    if (as_child) {
        const char *arguments[] = {contract.place, commits ? "commits" : "reads", NULL};
        member->pid = child_start_piped(arguments, control[0], events[1]);
        close(control[0]);
        close(events[1]);
    } else {
        assert_int_equal(pthread_create(&member->thread, NULL, thread_main, member), 0);
    }
    return ledger->member_count++;
}

static void note(struct ledger *ledger, int member, const struct member_event *event) {
    assert_true(ledger->count < EVENTS_MAX);
    assert_int_not_equal(event->kind, EVENT_FAILED);
    ledger->events[ledger->count++] = (struct noted_event){*event, member};
    if (event->kind == EVENT_BEGIN) ledger->owner[event->partition] = member;
    if (event->kind == EVENT_END && ledger->owner[event->partition] == member) ledger->owner[event->partition] = -1;
}

/* Everything that is in the member's pipe, without waiting. False at its end. */
static bool take_from(struct ledger *ledger, int number) {
    struct member *member = &ledger->members[number];
    struct member_event events[64];
    struct pollfd fd = {.fd = member->events_fd, .events = POLLIN};
    while (poll(&fd, 1, 0) > 0) {
        ssize_t size = read(member->events_fd, events, sizeof events);
        if (size <= 0) return false;
        assert_int_equal((size_t)size % sizeof *events, 0);
        for (size_t i = 0; i < (size_t)size / sizeof *events; i++)
            note(ledger, number, &events[i]);
    }
    return true;
}

void ledger_take(struct ledger *ledger, int timeout_ms) {
    struct pollfd fds[MEMBERS_MAX];
    nfds_t count = 0;
    for (int i = 0; i < ledger->member_count; i++)
        if (ledger->members[i].is_running)
            fds[count++] = (struct pollfd){.fd = ledger->members[i].events_fd, .events = POLLIN};
    poll(fds, count, timeout_ms);
    for (int i = 0; i < ledger->member_count; i++)
        if (ledger->members[i].is_running) take_from(ledger, i);
}

/* Its last words, then nothing. */
static void member_ended(struct ledger *ledger, int number) {
    struct member *member = &ledger->members[number];
    while (take_from(ledger, number)) {
    }
    close(member->events_fd);
    member->is_running = false;
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        if (ledger->owner[i] == number) ledger->owner[i] = -1;
}

void ledger_stop(struct ledger *ledger, int number) {
    struct member *member = &ledger->members[number];
    close(member->control_fd);
    while (take_from(ledger, number))
        usleep(1000); /* it may have to write much before it can leave */
    if (member->is_child)
        assert_int_equal(child_wait(member->pid, CHILD_WAIT_S), 0);
    else
        pthread_join(member->thread, NULL);
    member->ended_ns = now_ns();
    member_ended(ledger, number);
}

void ledger_kill(struct ledger *ledger, int number) {
    struct member *member = &ledger->members[number];
    assert_true(member->is_child);
    member->ended_ns = now_ns();
    kill(member->pid, SIGKILL);
    assert_int_equal(child_wait(member->pid, CHILD_WAIT_S), 128 + SIGKILL);
    close(member->control_fd);
    member_ended(ledger, number);
}

void ledger_free(struct ledger *ledger) {
    for (int i = 0; i < ledger->member_count; i++)
        if (ledger->members[i].is_running) ledger_stop(ledger, i);
    free(ledger->events);
    free(ledger);
}

void ledger_wait(struct ledger *ledger, bool (*holds)(struct ledger *ledger, void *data), void *data,
                 const char *what) {
    int64_t until = now_ns() + (int64_t)CONTRACT_WAIT_MS * 1000000;
    ledger_take(ledger, 0);
    while (!holds(ledger, data)) {
        if (now_ns() > until) fail_msg("%s did not come", what);
        ledger_take(ledger, 50);
    }
}

int ledger_owned_by(const struct ledger *ledger, int member) {
    int count = 0;
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        count += ledger->owner[i] == member;
    return count;
}

/* --- what must hold for all that was said --- */

/* Where the ownership that begins with this event ends. */
static int64_t ownership_end_ns(const struct ledger *ledger, size_t begin) {
    const struct noted_event *from = &ledger->events[begin];
    for (size_t i = begin + 1; i < ledger->count; i++) {
        const struct noted_event *noted = &ledger->events[i];
        if (noted->member == from->member && noted->event.partition == from->event.partition &&
            noted->event.kind == EVENT_END)
            return noted->event.at_ns;
    }
    int64_t ended_ns = ledger->members[from->member].ended_ns;
    return ended_ns ? ended_ns : INT64_MAX;
}

void ledger_check_exclusive(const struct ledger *ledger) {
    for (size_t i = 0; i < ledger->count; i++) {
        const struct noted_event *a = &ledger->events[i];
        if (a->event.kind != EVENT_BEGIN) continue;
        int64_t a_end_ns = ownership_end_ns(ledger, i);
        for (size_t j = 0; j < ledger->count; j++) {
            const struct noted_event *b = &ledger->events[j];
            if (j == i || b->event.kind != EVENT_BEGIN || b->event.partition != a->event.partition) continue;
            if (b->event.at_ns >= a->event.at_ns && b->event.at_ns < a_end_ns)
                fail_msg("partition %d was member %d's and member %d's at the same time", a->event.partition, a->member,
                         b->member);
        }
    }
}

void ledger_check_order(const struct ledger *ledger) {
    static int64_t next[MEMBERS_MAX][CONTRACT_PARTITIONS];
    memset(next, 0, sizeof next);
    for (size_t i = 0; i < ledger->count; i++) {
        const struct member_event *event = &ledger->events[i].event;
        int64_t *expected = &next[ledger->events[i].member][event->partition];
        if (event->kind == EVENT_BEGIN) *expected = event->offset;
        if (event->kind != EVENT_RECORD) continue;
        if (event->offset < *expected)
            fail_msg("offset %lld came after %lld", (long long)event->offset, (long long)*expected - 1);
        *expected = event->offset + 1;
    }
}

size_t ledger_times_seen(const struct ledger *ledger, uint64_t number) {
    size_t times = 0;
    for (size_t i = 0; i < ledger->count; i++)
        times += ledger->events[i].event.kind == EVENT_RECORD && ledger->events[i].event.number == number;
    return times;
}
