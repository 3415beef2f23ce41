/* What only the embedded log does: damage on disk, a full disk, retention by time, and how locks make a group. */
#include <sys/stat.h>

#include "contract/completion.h"
#include "contract/event_log/log_requests.h"
#include "event_log/embedded.h"
#include "support/scratch.h"

#define MIB (1u << 20)
#define HOUR_MS 3600000

static char directory[SCRATCH_PATH_MAX];
static struct lmdb_env *env;
static struct clock_manual hand_clock;
static struct tape *tapes[2];

static void open_all(uint64_t limit_bytes) {
    struct lmdb_env_options env_options = {
        .directory = directory, .create = true, .databases_max = 64, .limit_bytes = limit_bytes, .reserve_bytes = MIB};
    struct error error;
    if (lmdb_env_open(&env_options, &env, &error)) fail_msg("%s", error.text);
    struct event_log_embedded_options options = {.env = env,
                                                 .clock = &hand_clock.base,
                                                 .namespace_prefix = "",
                                                 .partition_count = CONTRACT_PARTITIONS,
                                                 .retention_ms = {[TOPIC_EVENTS] = HOUR_MS}};
    enum status status = event_log_embedded_open(&options, &contract.log, &error);
    if (status == STATUS_NOT_FOUND) status = event_log_setup(contract.log, &error);
    if (status) fail_msg("%s", error.text);
}

static int setup_with_limit(uint64_t limit_bytes) {
    scratch_make(directory);
    clock_manual_init(&hand_clock, 1700000000000);
    for (int i = 0; i < 2; i++)
        tapes[i] = tape_new();
    open_all(limit_bytes);
    return 0;
}

static int setup(void **state) {
    return setup_with_limit(0);
}

static int setup_small(void **state) {
    return setup_with_limit(6 * MIB);
}

static void close_all(void) {
    event_log_close(contract.log);
    lmdb_env_close(env);
}

static int teardown(void **state) {
    close_all();
    for (int i = 0; i < 2; i++)
        tape_free(tapes[i]);
    scratch_remove(directory);
    return 0;
}

/* --- damage --- */

struct overwrite {
    struct lmdb_job job;
    const char *database;
    MDB_val key, value;
};

static enum status overwrite_run(struct lmdb_job *job, MDB_txn *txn) {
    struct overwrite *overwrite = CONTAINER_OF(job, struct overwrite, job);
    MDB_dbi dbi;
    int rc = mdb_dbi_open(txn, overwrite->database, 0, &dbi);
    if (rc == 0) rc = mdb_put(txn, dbi, &overwrite->key, &overwrite->value, 0);
    return lmdb_status(rc, NULL);
}

static void overwrite(const char *database, const void *key, size_t key_size, const void *value, size_t value_size) {
    struct overwrite job = {.job = {.run = overwrite_run, .size_bytes = value_size},
                            .database = database,
                            .key = {key_size, (void *)key},
                            .value = {value_size, (void *)value}};
    assert_int_equal(lmdb_env_run(env, &job.job, NULL), STATUS_OK);
}

/* Turns the last bit of what is stored under the key. */
static void turn_bit(const char *database, const void *key_data, size_t key_size) {
    char copy[256];
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {key_size, (void *)key_data}, value;
    assert_int_equal(lmdb_env_database(env, database, 0, &dbi, NULL), STATUS_OK);
    assert_int_equal(lmdb_env_read_begin(env, &txn), STATUS_OK);
    assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
    size_t size = value.mv_size;
    assert_true(size <= sizeof copy);
    memcpy(copy, value.mv_data, size);
    lmdb_env_read_end(env, txn);
    copy[size - 1] ^= 1;
    overwrite(database, key_data, key_size, copy, size);
}

static void a_damaged_record_is_not_handed_out(void **state) {
    int64_t offsets[3];
    append_numbers(0, 0, 3, offsets);
    turn_bit("order-commands/0", &offsets[1], sizeof offsets[1]);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tapes[0], reader, 1); /* what is before it is good */
    assert_int_equal(tapes[0]->count, 1);
    struct event_log_poll poll;
    struct error error;
    assert_int_equal(event_log_poll(reader, 1000, &poll, &error), STATUS_CORRUPT);
    assert_non_null(strstr(error.text, "order-commands, partition 0, at offset 1"));
    event_log_consumer_close(reader);
}

static void expect_restart_from_first(const void *position, size_t size) {
    overwrite("positions", "g/order-commands/0", 18, position, size);
    struct event_log_consumer *member = open_member("g");
    tape_read(tapes[0], member, 3);
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    assert_int_equal(tapes[0]->gaps, 1); /* and it says so */
    assert_int_equal(tapes[0]->gap_to, 0);
    assert_int_equal(tapes[0]->assigned_at[0], 0);
    event_log_consumer_close(member);
}

static void a_position_beyond_the_end_is_lost(void **state) {
    char sealed[LMDB_SEAL_SIZE + 8];
    append_numbers(0, 0, 3, NULL);
    bytes_put_u64(sealed + LMDB_SEAL_SIZE, 4);
    lmdb_seal(BYTES("g/order-commands/0"), sealed, sizeof sealed);
    expect_restart_from_first(sealed, sizeof sealed);
}

static void a_damaged_position_is_lost(void **state) {
    append_numbers(0, 0, 3, NULL);
    expect_restart_from_first("0123456789abcdef", 16);
}

/* --- a full disk --- */

static enum status append_filler(bool uses_reserve) {
    static char filler[50000];
    struct event_log_record record = record_of(0, BYTES("k"), (struct bytes){filler, sizeof filler});
    struct append_call call;
    append_begin(&call, contract.log, TOPIC_COMMANDS, &record, 1, uses_reserve);
    return append_end(&call);
}

static void a_full_disk_refuses_new_work_only(void **state) {
    struct error error;
    int count = 0;
    struct event_log_consumer *member = open_member("g");
    tape_assign(tapes[0], member, CONTRACT_PARTITIONS);
    assert_int_equal(event_log_check(contract.log, CONTRACT_WAIT_MS, &error), STATUS_OK);
    while (count < 1000 && append_filler(false) == STATUS_OK)
        count++;
    assert_true(count > 20 && count < 1000);
    assert_int_equal(append_filler(false), STATUS_FULL);
    assert_int_equal(append_filler(true), STATUS_OK); /* verdicts of what was promised go on */
    assert_int_equal(commit_now(member, 0, count), STATUS_OK);
    tape_read(tapes[0], member, (size_t)count + 1);
    trim_up_to(TOPIC_COMMANDS, 0, count - 2);
    enum status status = STATUS_FULL;
    for (int i = 0; i < 500 && status != STATUS_OK; i++) {
        status = append_filler(false);
        if (status) usleep(20000);
    }
    assert_int_equal(status, STATUS_OK);
    event_log_consumer_close(member);
}

/* A job that keeps the committer in its run until it is opened. */
struct gate {
    struct lmdb_job job;
    struct completion entered, opened, done;
};

static enum status wait_run(struct lmdb_job *job, MDB_txn *txn) {
    struct gate *gate = CONTAINER_OF(job, struct gate, job);
    completion_signal(&gate->entered);
    completion_wait(&gate->opened);
    return STATUS_OK;
}

static void wait_done(struct lmdb_job *job, enum status status, const char *error_text) {
    completion_signal(&CONTAINER_OF(job, struct gate, job)->done);
}

static void gate_close(struct gate *gate) {
    *gate = (struct gate){.job = {.run = wait_run, .done = wait_done}};
    completion_init(&gate->entered);
    completion_init(&gate->opened);
    completion_init(&gate->done);
    lmdb_env_submit(env, &gate->job);
    completion_wait(&gate->entered);
}

static void gate_open(struct gate *gate) {
    completion_signal(&gate->opened);
    completion_wait(&gate->done);
}

static void a_check_does_not_wait_for_ever(void **state) {
    struct gate gate;
    struct error error;
    gate_close(&gate);
    assert_int_equal(event_log_check(contract.log, 50, &error), STATUS_UNAVAILABLE);
    gate_open(&gate);
    assert_int_equal(event_log_check(contract.log, CONTRACT_WAIT_MS, &error), STATUS_OK);
}

/* --- bounds --- */

static void a_batch_is_bounded_in_bytes(void **state) {
    static char filler[900000];
    struct event_log_record records[9];
    for (int i = 0; i < 9; i++)
        records[i] = record_of(0, BYTES("k"), (struct bytes){filler, sizeof filler});
    assert_int_equal(append_now(TOPIC_COMMANDS, records, 9), STATUS_OK);
    struct event_log_consumer *reader = open_first(TOPIC_COMMANDS);
    tape_read(tapes[0], reader, 9);
    assert_int_equal(tapes[0]->batch_count, 3); /* four of them fit into 4 MiB */
    event_log_consumer_close(reader);
}

static void one_append_is_bounded_in_bytes(void **state) {
    static char filler[900000];
    struct event_log_record records[20];
    for (int i = 0; i < 20; i++)
        records[i] = record_of(0, BYTES("k"), (struct bytes){filler, sizeof filler});
    assert_int_equal(append_now(TOPIC_COMMANDS, records, 20), STATUS_TOO_LARGE);
    int64_t first, end;
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 0, 0, &first, &end, NULL), STATUS_OK);
    assert_int_equal(end, 0);
}

/* --- time --- */

static bool first_becomes(enum event_log_topic topic, int64_t expected) {
    int64_t first, end;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(event_log_range(contract.log, topic, 0, 0, &first, &end, NULL), STATUS_OK);
        if (first == expected) return true;
        usleep(20000);
    }
    return false;
}

static void append_many(enum event_log_topic topic, size_t count) {
    struct event_log_record *records = calloc(count, sizeof *records);
    assert_non_null(records);
    for (size_t i = 0; i < count; i++)
        records[i] = record_of(0, BYTES("k"), BYTES("v"));
    assert_int_equal(append_now(topic, records, count), STATUS_OK);
    free(records);
}

static void old_events_go_and_commands_stay(void **state) {
    append_many(TOPIC_EVENTS, 2500); /* more than one piece */
    append_many(TOPIC_COMMANDS, 10);
    clock_manual_advance(&hand_clock, HOUR_MS / 2);
    append_many(TOPIC_EVENTS, 5);
    clock_manual_advance(&hand_clock, HOUR_MS / 2 + 1);
    assert_true(first_becomes(TOPIC_EVENTS, 2500));
    int64_t first, end;
    assert_int_equal(event_log_range(contract.log, TOPIC_COMMANDS, 0, 0, &first, &end, NULL), STATUS_OK);
    assert_int_equal(first, 0);
    clock_manual_advance(&hand_clock, HOUR_MS);
    assert_true(first_becomes(TOPIC_EVENTS, 2505));
    close_all();
    open_all(0);
    assert_int_equal(event_log_range(contract.log, TOPIC_EVENTS, 0, 0, &first, &end, NULL), STATUS_OK);
    assert_int_equal(first, 2505);
    assert_int_equal(end, 2505);
}

/* --- groups --- */

/* A partition that is let go of while a commit is under way stays locked until the commit is durable: the next owner
 * reads the position after it. */
static void a_release_waits_for_commits_under_way(void **state) {
    int64_t offset;
    const int32_t revoked = CONTRACT_PARTITIONS - 1; /* the surplus is given up from the top */
    struct gate gate;
    append_numbers(revoked, 0, 1, &offset);
    struct event_log_consumer *first = open_member("g"), *second = open_member("g");
    tape_assign(tapes[0], first, CONTRACT_PARTITIONS);
    for (int i = 0; i < 1000 && !tapes[0]->revoked[revoked]; i++) {
        tape_poll(tapes[1], second, 10);
        tape_poll(tapes[0], first, 10);
    }
    assert_true(tapes[0]->revoked[revoked]);
    gate_close(&gate);
    struct commit_call call;
    commit_begin(&call, first, revoked, offset + 1);
    event_log_release(first, revoked);
    for (int i = 0; i < 20; i++) {
        tape_poll(tapes[0], first, 5);
        tape_poll(tapes[1], second, 5);
        assert_false(tapes[1]->assigned[revoked]);
    }
    gate_open(&gate);
    assert_int_equal(commit_end(&call), STATUS_OK);
    for (int i = 0; i < 1000 && !tapes[1]->assigned[revoked]; i++) {
        tape_poll(tapes[0], first, 5);
        tape_poll(tapes[1], second, 5);
    }
    assert_true(tapes[1]->assigned[revoked]);
    assert_int_equal(tapes[1]->assigned_at[revoked], offset + 1);
    event_log_consumer_close(second);
    event_log_consumer_close(first);
}

/* More members than partitions, and more than there are slots. */
static void every_partition_has_an_owner_however_many_members(void **state) {
    enum { MEMBERS = EVENT_LOG_GROUP_MEMBERS_MAX };
    struct event_log_consumer *members[MEMBERS + 1];
    struct event_log_poll poll;
    int owner[CONTRACT_PARTITIONS], owned = 0;
    for (int i = 0; i < CONTRACT_PARTITIONS; i++)
        owner[i] = -1;
    for (int m = 0; m <= MEMBERS; m++)
        members[m] = open_member("g");
    for (int round = 0; round < 200 && owned < CONTRACT_PARTITIONS; round++)
        for (int m = 0; m < MEMBERS; m++) {
            assert_int_equal(event_log_poll(members[m], 0, &poll, NULL), STATUS_OK);
            if (poll.kind == POLL_REVOKED) {
                assert_int_equal(owner[poll.partition], m);
                owner[poll.partition] = -1;
                event_log_release(members[m], poll.partition);
            } else if (poll.kind == POLL_ASSIGNED) {
                assert_int_equal(owner[poll.partition], -1);
                owner[poll.partition] = m;
            }
            owned = 0;
            for (int i = 0; i < CONTRACT_PARTITIONS; i++)
                owned += owner[i] >= 0;
        }
    assert_int_equal(owned, CONTRACT_PARTITIONS);
    assert_int_equal(event_log_poll(members[MEMBERS], 0, &poll, NULL), STATUS_UNAVAILABLE);
    event_log_consumer_close(members[MEMBERS - 1]);
    usleep(10000); /* it looks again after EMBEDDED_GROUP_LOOK_NS */
    assert_int_equal(event_log_poll(members[MEMBERS], 20, &poll, NULL), STATUS_OK);
    for (int m = 0; m <= MEMBERS; m++)
        if (m != MEMBERS - 1) event_log_consumer_close(members[m]);
}

static void lock_files_are_private(void **state) {
    char path[SCRATCH_PATH_MAX + 64];
    struct stat st;
    event_log_consumer_close(open_member("g"));
    snprintf(path, sizeof path, "%s/groups/g.order-commands", directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_bad_namespace_is_refused(void **state) {
    struct event_log *log = NULL;
    struct event_log_embedded_options options = {
        .env = env, .clock = &hand_clock.base, .namespace_prefix = "../", .partition_count = 1};
    assert_int_equal(event_log_embedded_open(&options, &log, NULL), STATUS_INVALID);
    assert_null(log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_record_is_not_handed_out),
        TEST(a_position_beyond_the_end_is_lost),
        TEST(a_damaged_position_is_lost),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_new_work_only, setup_small, teardown),
        TEST(a_check_does_not_wait_for_ever),
        TEST(a_batch_is_bounded_in_bytes),
        TEST(one_append_is_bounded_in_bytes),
        TEST(old_events_go_and_commands_stay),
        TEST(a_release_waits_for_commits_under_way),
        TEST(every_partition_has_an_owner_however_many_members),
        TEST(lock_files_are_private),
        TEST(a_bad_namespace_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
