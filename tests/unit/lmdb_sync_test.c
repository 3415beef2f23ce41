/* Syncs that are slow or fail: no write is answered before it is durable, and a failed sync ends the process. The child
 * runs with tests/support/sync_shim.c before the C library. */
#include <fcntl.h>
#include <sys/stat.h>

#include "support/child.h"
#include "unit/lmdb_fixture.h"

#define EXIT_FATAL 42
#define EXIT_ANSWERED 43 /* what must not happen */
#define WAIT_S 20

static void marker(const char *name, char path[SCRATCH_PATH_MAX + 32]) {
    snprintf(path, SCRATCH_PATH_MAX + 32, "%s/%s", getenv("SYNC_SHIM_DIR"), name);
}

static void set_marker(const char *name, bool present) {
    char path[SCRATCH_PATH_MAX + 32];
    marker(name, path);
    if (!present) {
        unlink(path);
        return;
    }
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static bool marker_comes(const char *name) {
    char path[SCRATCH_PATH_MAX + 32];
    marker(name, path);
    for (int i = 0; i < WAIT_S * 1000; i++) {
        if (access(path, F_OK) == 0) return true;
        usleep(1000);
    }
    return false;
}

/* --- the child's parts --- */

static void child_fatal(void *data, const char *text) {
    _exit(text && strstr(text, "sync") ? EXIT_FATAL : 1);
}

static void child_answered(struct lmdb_job *job, enum status status, const char *error_text) {
    _exit(EXIT_ANSWERED);
}

static void child_open(struct fixture *fixture, const char *directory) {
    snprintf(fixture->directory, sizeof fixture->directory, "%s/data", directory);
    struct lmdb_env_options options = {
        .directory = fixture->directory, .create = true, .databases_max = 8, .fatal = child_fatal};
    if (lmdb_env_open(&options, &fixture->env, NULL)) _exit(2);
    if (lmdb_env_database(fixture->env, "rows", MDB_INTEGERKEY, &fixture->rows, NULL)) _exit(3);
    if (put_now(fixture, 0, 10, false)) _exit(4);
}

static int child_with_failing_sync(const char *directory) {
    struct fixture fixture = {.env = NULL};
    struct put put;
    child_open(&fixture, directory);
    put_init(&put, &fixture, 1, 10);
    put.job.done = child_answered;
    set_marker("fail-data", true);
    put_submit(&put);
    sleep(WAIT_S);
    return 5;
}

/* held: which half of the commit stands still. */
static int child_with_held_sync(const char *directory, const char *hold, const char *held) {
    struct fixture fixture = {.env = NULL};
    struct put put;
    child_open(&fixture, directory);
    uint64_t before = lmdb_env_last_commit(fixture.env);
    set_marker(hold, true);
    put_init(&put, &fixture, 1, 10);
    put_submit(&put);
    if (!marker_comes(held)) return 6;
    for (int i = 0; i < 50; i++) { /* nobody may see or hear of it yet */
        pthread_mutex_lock(&put.completion.mutex);
        bool answered = put.completion.is_done;
        pthread_mutex_unlock(&put.completion.mutex);
        if (answered) return EXIT_ANSWERED;
        if (lmdb_env_last_commit(fixture.env) != before || row_size(&fixture, 1) != -1) return 7;
        usleep(1000);
    }
    set_marker(hold, false);
    if (put_wait(&put) || row_size(&fixture, 1) != 10) return 8;
    lmdb_env_close(fixture.env);
    return 0;
}

static int child_main(const char *part, const char *directory) {
    if (strcmp(part, "failing") == 0) return child_with_failing_sync(directory);
    if (strcmp(part, "held-data") == 0) return child_with_held_sync(directory, "hold-data", "data-held");
    if (strcmp(part, "held-meta") == 0) return child_with_held_sync(directory, "hold-meta", "meta-held");
    return child_with_held_sync(directory, "hold-end", "end-held");
}

/* --- the tests --- */

static int run_child(const char *part, struct fixture *fixture) {
    fixture_make(fixture);
    setenv("SYNC_SHIM_DIR", fixture->scratch, 1);
    const char *arguments[] = {part, fixture->scratch, NULL};
    return child_wait(child_start(arguments, SYNC_SHIM), 60);
}

static void a_failed_sync_is_fatal_and_answers_nobody(void **state) {
    struct fixture fixture;
    assert_int_equal(run_child("failing", &fixture), EXIT_FATAL);
    fixture_open(&fixture, 0, 0); /* what was answered before is there */
    assert_int_equal(row_size(&fixture, 0), 10);
    fixture_remove(&fixture);
}

static void nothing_is_answered_before_the_data_is_synced(void **state) {
    struct fixture fixture;
    assert_int_equal(run_child("held-data", &fixture), 0);
    fixture_remove(&fixture);
}

static void nothing_is_answered_or_seen_before_the_meta_page_is_synced(void **state) {
    struct fixture fixture;
    assert_int_equal(run_child("held-meta", &fixture), 0);
    fixture_remove(&fixture);
}

/* The new meta page can be read already, but whether it is on disk is not known before the write has returned. */
static void nothing_is_answered_or_seen_before_the_write_has_returned(void **state) {
    struct fixture fixture;
    assert_int_equal(run_child("held-end", &fixture), 0);
    fixture_remove(&fixture);
}

int main(int argc, char **argv) {
    if (argc == 3) return child_main(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_is_fatal_and_answers_nobody),
        cmocka_unit_test(nothing_is_answered_before_the_data_is_synced),
        cmocka_unit_test(nothing_is_answered_or_seen_before_the_meta_page_is_synced),
        cmocka_unit_test(nothing_is_answered_or_seen_before_the_write_has_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
