/* Contract: members in several threads and processes share the partitions, come and go and are killed; no partition has
 * two owners, and no record is missed. */
#include "contract/event_log/log_members.h"
#include "contract/event_log/log_requests.h"

static struct ledger *ledger;

static int setup(void **state) {
    if (contract_setup(state)) return -1;
    ledger = ledger_new();
    return 0;
}

static int teardown(void **state) {
    ledger_free(ledger);
    return contract_teardown(state);
}

/* data: how many partitions each member shall have, by its number; -1 ends the list. */
static bool has_shares(struct ledger *now, void *data) {
    const int *shares = data;
    for (int i = 0; shares[i] >= 0; i++)
        if (ledger_owned_by(now, i) != shares[i]) return false;
    return true;
}

static void wait_for_shares(const int *shares) {
    ledger_wait(ledger, has_shares, (void *)shares, "a fair share for each");
}

struct numbers {
    uint64_t first, end;
};

static bool has_all(struct ledger *now, void *data) {
    const struct numbers *numbers = data;
    bool *seen = calloc(numbers->end, sizeof *seen);
    bool all = true;
    for (size_t i = 0; i < now->count; i++)
        if (now->events[i].event.kind == EVENT_RECORD && now->events[i].event.number < numbers->end)
            seen[now->events[i].event.number] = true;
    for (uint64_t i = numbers->first; i < numbers->end; i++)
        all = all && seen[i];
    free(seen);
    return all;
}

static void wait_for_numbers(uint64_t first, uint64_t end) {
    struct numbers numbers = {first, end};
    ledger_wait(ledger, has_all, &numbers, "every record");
}

/* One record for each number, over all partitions, in one append. */
static void append_range(uint64_t first, uint64_t end) {
    enum { AT_ONCE = 100 };
    struct event_log_record records[AT_ONCE];
    struct number_value values[AT_ONCE];
    while (first < end) {
        size_t count = end - first < AT_ONCE ? (size_t)(end - first) : AT_ONCE;
        for (size_t i = 0; i < count; i++)
            records[i] = record_of((int32_t)((first + i) % CONTRACT_PARTITIONS), BYTES("k"),
                                   number_value_set(&values[i], first + i));
        assert_int_equal(append_now(TOPIC_COMMANDS, records, count), STATUS_OK);
        first += count;
    }
}

static void check_ledger(void) {
    ledger_check_exclusive(ledger);
    ledger_check_order(ledger);
}

static void threads_and_children_share(void **state) {
    append_range(0, 300);
    ledger_start(ledger, false, true);
    wait_for_shares((const int[]){6, -1});
    ledger_start(ledger, false, true);
    wait_for_shares((const int[]){3, 3, -1});
    ledger_start(ledger, true, true);
    wait_for_shares((const int[]){2, 2, 2, -1});
    ledger_start(ledger, true, true);
    append_range(300, 600);
    wait_for_numbers(0, 600);
    ledger_stop(ledger, 0);
    wait_for_shares((const int[]){0, 2, 2, 2, -1});
    ledger_stop(ledger, 2);
    wait_for_shares((const int[]){0, 3, 0, 3, -1});
    append_range(600, 700);
    wait_for_numbers(600, 700);
    ledger_stop(ledger, 1);
    wait_for_shares((const int[]){0, 0, 0, 6, -1});
    check_ledger();
    for (uint64_t i = 0; i < 700; i++) /* nobody was killed and all committed: no record came twice */
        assert_int_equal(ledger_times_seen(ledger, i), 1);
}

static void a_killed_childs_partitions_are_taken_over(void **state) {
    append_range(0, 60);
    int child = ledger_start(ledger, true, false); /* commits nothing */
    wait_for_numbers(0, 60);
    int other = ledger_start(ledger, true, true);
    wait_for_shares((const int[]){3, 3, -1});
    ledger_kill(ledger, child);
    int64_t killed_ns = ledger->members[child].ended_ns;
    wait_for_shares((const int[]){0, 6, -1});
    int64_t last_begin_ns = 0;
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->events[i].member == other && ledger->events[i].event.kind == EVENT_BEGIN)
            last_begin_ns = ledger->events[i].event.at_ns;
    assert_true(last_begin_ns > killed_ns);
    append_range(60, 120);
    wait_for_numbers(60, 120);
    for (int i = 0; i < 20; i++)
        ledger_take(ledger, 10);
    check_ledger();
    for (uint64_t i = 0; i < 60; i++) /* again, for nobody committed; once more if the child kept it through a change */
        assert_in_range(ledger_times_seen(ledger, i), 2, 3);
    for (uint64_t i = 60; i < 120; i++)
        assert_int_equal(ledger_times_seen(ledger, i), 1);
}

static void what_a_killed_child_committed_does_not_come_again(void **state) {
    append_range(0, 120);
    int child = ledger_start(ledger, true, true);
    wait_for_numbers(0, 120);
    size_t before = 0; /* wait until the last commits are known */
    do {
        before = ledger->count;
        ledger_take(ledger, 500);
    } while (ledger->count > before);
    ledger_kill(ledger, child);
    ledger_start(ledger, false, true);
    wait_for_shares((const int[]){0, 6, -1});
    append_range(120, 180);
    wait_for_numbers(120, 180);
    check_ledger();
    for (uint64_t i = 0; i < 180; i++)
        assert_int_equal(ledger_times_seen(ledger, i), 1);
}

/* After a kill, what was committed is not given out before it: the next owner begins at the last commit or above. */
static void check_positions(void) {
    int64_t committed[CONTRACT_PARTITIONS] = {0};
    for (size_t i = 0; i < ledger->count; i++) {
        const struct noted_event *noted = &ledger->events[i];
        if (noted->event.kind != EVENT_BEGIN) continue;
        int64_t *position = &committed[noted->event.partition];
        for (size_t j = 0; j < ledger->count; j++) {
            const struct member_event *other = &ledger->events[j].event;
            if (other->kind == EVENT_COMMITTED && other->partition == noted->event.partition &&
                other->at_ns < noted->event.at_ns && other->offset > *position)
                *position = other->offset;
        }
        assert_true(noted->event.offset >= *position);
    }
}

/* Members come, leave and are killed while records are appended. */
static void churn_misses_nothing(void **state) {
    enum { ROUNDS = 8, EACH = 150 };
    int newest[2] = {ledger_start(ledger, true, true), ledger_start(ledger, false, true)};
    uint64_t appended = 0;
    for (int round = 0; round < ROUNDS; round++) {
        append_range(appended, appended + EACH);
        appended += EACH;
        ledger_take(ledger, 20);
        int which = round % 2; /* a child is killed, a thread leaves */
        if (which == 0)
            ledger_kill(ledger, newest[0]);
        else
            ledger_stop(ledger, newest[1]);
        newest[which] = ledger_start(ledger, which == 0, true);
        ledger_take(ledger, 30);
    }
    wait_for_numbers(0, appended);
    check_ledger();
    check_positions();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int test_members(void) {
    const struct CMUnitTest tests[] = {
        TEST(threads_and_children_share),
        TEST(a_killed_childs_partitions_are_taken_over),
        TEST(what_a_killed_child_committed_does_not_come_again),
        TEST(churn_misses_nothing),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
