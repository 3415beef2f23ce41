/* Members that freeze or die: what they had is taken over in the time of a session, and a late commit changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka/kafka_fixture.h"
#include "support/child.h"

#define GROUP "g"
#define FROZEN_MS 2000 /* between two polls: we were stopped */

static struct fixture fixture;

static int setup(void **state) {
    fixture_init(&fixture, NULL);
    fixture_open(&fixture);
    return 0;
}

static int teardown(void **state) {
    fixture_close(&fixture);
    return 0;
}

/* --- the child: tells by single letters what it has seen --- */

static void tell(char letter) {
    if (write(STDOUT_FILENO, &letter, 1) != 1) exit(3);
}

static void tell_poll(enum event_log_poll_kind kind) {
    if (kind == POLL_ASSIGNED) tell('a');
    if (kind == POLL_LOST) tell('l');
}

/* The first thing after the thaw is a commit, as of a batch that was under way. */
static void commit_late(struct event_log_consumer *member) {
    enum status status = fixture_commit(member, 0, 1);
    tell(status == STATUS_CONFLICT ? 'c' : status == STATUS_OK ? 'k' : 'u');
}

static int child_main(const char *servers, const char *prefix) {
    struct event_log_poll told;
    struct error error;
    fixture_init(&fixture, servers);
    snprintf(fixture.prefix, sizeof fixture.prefix, "%s", prefix);
    if (event_log_kafka_open(&fixture.options, &fixture.log, &error)) return 4;
    struct event_log_consumer *member = fixture_member(&fixture, GROUP);
    int64_t last_ms = now_ms();
    for (;;) {
        if (now_ms() - last_ms > FROZEN_MS) commit_late(member);
        last_ms = now_ms();
        if (event_log_poll(member, 20, &told, &error)) continue;
        tell_poll(told.kind);
        if (told.kind == POLL_RECORDS) event_log_batch_free(told.batch);
    }
}

/* --- the parent --- */

struct child {
    pid_t pid;
    int fd;
    int seen[256];
};

static void child_begin(struct child *child) {
    int out[2], in[2];
    const char *arguments[] = {fixture.servers, fixture.prefix, NULL};
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    *child = (struct child){.pid = child_start_piped(arguments, in[0], out[1]), .fd = out[0]};
    close(in[0]);
    close(in[1]);
    close(out[1]);
}

static void child_listen(struct child *child, int timeout_ms) {
    struct pollfd fd = {.fd = child->fd, .events = POLLIN};
    char got;
    if (poll(&fd, 1, timeout_ms) > 0 && read(child->fd, &got, 1) == 1) child->seen[(unsigned char)got]++;
}

static void child_await(struct child *child, char letter, int times) {
    int64_t until_ms = now_ms() + FIXTURE_WAIT_MS;
    while (child->seen[(unsigned char)letter] < times) {
        if (now_ms() > until_ms) fail_msg("the child did not say '%c' %d times", letter, times);
        child_listen(child, 100);
    }
}

static void child_kill(struct child *child) {
    kill(child->pid, SIGKILL);
    assert_int_equal(child_wait(child->pid, 30), 128 + SIGKILL);
    close(child->fd);
}

static void take_part(struct event_log_consumer *member) {
    struct event_log_poll told;
    if (event_log_poll(member, 20, &told, NULL)) return;
    if (told.kind == POLL_RECORDS) event_log_batch_free(told.batch);
    if (told.kind == POLL_REVOKED) event_log_release(member, told.partition);
}

static void a_frozen_member_has_lost_its_partitions(void **state) {
    struct child child;
    int64_t offset, position = -1;
    child_begin(&child);
    child_await(&child, 'a', FIXTURE_PARTITIONS);
    kill(child.pid, SIGSTOP);
    struct event_log_consumer *member = fixture_member(&fixture, GROUP);
    fixture_assign(member);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture_append(&fixture, 0, 1, &offset), STATUS_OK);
    assert_int_equal(fixture_commit(member, 0, offset + 1), STATUS_OK);
    kill(child.pid, SIGCONT);
    child_await(&child, 'c', 1); /* CONFLICT */
    assert_int_equal(child.seen['k'], 0);
    for (int i = 0; child.seen['l'] < FIXTURE_PARTITIONS && i < FIXTURE_WAIT_MS / 20; i++) {
        take_part(member); /* the child joins again */
        child_listen(&child, 0);
    }
    assert_int_equal(child.seen['l'], FIXTURE_PARTITIONS);
    assert_int_equal(event_log_committed(fixture.log, GROUP, TOPIC_COMMANDS, 0, FIXTURE_WAIT_MS, &position, NULL),
                     STATUS_OK);
    assert_int_equal(position, offset + 1);
    event_log_consumer_close(member);
    child_kill(&child);
}

static void a_killed_members_partitions_are_taken_over_in_time(void **state) {
    struct child child;
    child_begin(&child);
    child_await(&child, 'a', FIXTURE_PARTITIONS);
    child_kill(&child);
    int64_t killed_ms = now_ms();
    struct event_log_consumer *member = fixture_member(&fixture, GROUP);
    fixture_assign(member);
    int64_t took_ms = now_ms() - killed_ms;
    print_message("taken over after %lld ms\n", (long long)took_ms);
    assert_true(took_ms < 15000); /* a session of 6 s, and what a busy machine adds */
    event_log_consumer_close(member);
}

/* --- who waits is not cut off --- */

#define WAIT_MS 7000 /* longer than the silence that counts as an outage */

static void expect_contact(struct event_log_consumer *consumer) {
    struct event_log_poll told = {.kind = POLL_NOTHING};
    struct error error;
    if (event_log_poll(consumer, 20, &told, &error)) fail_msg("%s", error.text);
    assert_int_not_equal(told.kind, POLL_RECORDS);
}

/* The first member does not let go for a while; the second waits for its share and hears of no partition. */
static void who_waits_for_a_share_is_in_contact(void **state) {
    struct event_log_consumer *first = fixture_member(&fixture, GROUP);
    fixture_assign(first);
    struct event_log_consumer *second = fixture_member(&fixture, GROUP);
    for (int i = 0; i < FIXTURE_PARTITIONS; i++)
        fixture_poll_until(first, POLL_REVOKED);
    for (int64_t until_ms = now_ms() + WAIT_MS; now_ms() < until_ms;) {
        expect_contact(first);
        expect_contact(second);
    }
    for (int i = 0; i < FIXTURE_PARTITIONS; i++)
        event_log_release(first, i);
    fixture_poll_until(first, POLL_ASSIGNED);
    fixture_poll_until(second, POLL_ASSIGNED);
    event_log_consumer_close(second);
    event_log_consumer_close(first);
}

/* All queues are full, so nothing is fetched. */
static void a_paused_reader_is_in_contact(void **state) {
    enum { RECORDS = 40, SIZE = 100000 };
    struct event_log_consumer *reader = fixture_reader(&fixture, TOPIC_COMMANDS, false);
    fixture_assign(reader);
    for (int i = 0; i < FIXTURE_PARTITIONS; i++) {
        event_log_pause(reader, i, true);
        for (int j = 0; j < RECORDS; j++)
            fixture_append_sized(&fixture, i, SIZE);
    }
    for (int64_t until_ms = now_ms() + WAIT_MS; now_ms() < until_ms;)
        expect_contact(reader);
    assert_int_equal(fixture_replaced(&fixture, KAFKA_READER), 0);
    event_log_consumer_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    if (argc == 3) return child_main(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        TEST(a_frozen_member_has_lost_its_partitions),
        TEST(a_killed_members_partitions_are_taken_over_in_time),
        TEST(who_waits_for_a_share_is_in_contact),
        TEST(a_paused_reader_is_in_contact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
