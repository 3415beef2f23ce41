/* The lab as the service runs it: starting, stopping, what it shows, what a run's process is given. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hotkey/lab_rig.h"

static void test_nothing_yet(void **state) {
    struct rig *rig = rig_open("run", true);
    const struct json_value *status = status_of(rig);
    assert_string_equal(text_of(status, "status"), "stopped");
    assert_string_equal(text_of(status, "phase"), "none");
    static const char *const nulls[] = {"hot_key", "hot_key_memory", "hot_key_value", "run_id",   "profile",
                                        "config",  "started_at",     "tick",          "last_run", "error"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        assert_non_null(json_member(status, nulls[i]));
        assert_int_equal(json_member(status, nulls[i])->kind, JSON_NULL);
    }
    assert_int_equal(json_member(status, "more")->kind, JSON_TRUE);
    assert_int_equal(runs_of(rig)->count, 0);
    assert_int_equal(lab_stop(rig->lab), STATUS_NOT_FOUND);
    rig_close(rig);
}

static void test_a_run(void **state) {
    struct rig *rig = rig_open("run", true);
    struct heard heard;
    heard_init(&heard);
    assert_int_equal(lab_listen(rig->lab, &heard.listener), STATUS_OK);
    assert_string_equal(heard.events, "");
    struct uuid run_id = start(rig, 1.2), other;
    char id[UUID_TEXT_SIZE];
    uuid_format(&run_id, id);
    const struct lab_parameters parameters = parameters_of(1);
    assert_int_equal(lab_start(rig->lab, &parameters, &other, NULL), STATUS_CONFLICT);
    assert_string_equal(text_of(status_of(rig), "status"), "running");
    WAIT_UNTIL(has_heard(&heard, "tick tick"));
    const struct json_value *status = status_of(rig);
    char name[128];
    snprintf(name, sizeof name, "orderly:lab:%s:7", id);
    assert_string_equal(text_of(status, "hot_key"), name);
    assert_string_equal(text_of(status, "hot_key_value"), "v\xc3\xa9rit\xc3\xa9");
    int64_t memory_bytes = 0, second = -1;
    assert_int_equal(json_member_integer(status, "hot_key_memory", &memory_bytes), STATUS_OK);
    assert_int_equal(memory_bytes, 153);
    assert_string_equal(text_of(status, "run_id"), id);
    assert_string_equal(text_of(json_member(status, "config"), "profile"), "default");
    assert_int_equal(json_member_integer(json_member(status, "tick"), "second", &second), STATUS_OK);
    assert_int_equal(second, 1);
    assert_null(error_after(rig));
    assert_string_equal(heard.events, "ready tick tick end ");
    assert_true(heard.is_in_order);
    status = status_of(rig);
    assert_string_equal(text_of(status, "status"), "stopped");
    assert_string_equal(text_of(json_member(status, "last_run"), "run_id"), id);
    assert_string_equal(text_of(status, "hot_key"), name); /* stays until the next run */
    const struct json_value *runs = runs_of(rig);
    assert_int_equal(runs->count, 1);
    assert_string_equal(text_of(runs->first, "run_id"), id);
    /* Who joins now is told what happened. */
    struct heard late;
    heard_init(&late);
    assert_int_equal(lab_listen(rig->lab, &late.listener), STATUS_OK);
    assert_string_equal(late.events, "ready tick end ");
    lab_unlisten(rig->lab, &late.listener);
    lab_unlisten(rig->lab, &heard.listener);
    rig_close(rig);
}

static bool has_item(const struct json_value *array, const char *wanted) {
    for (const struct json_value *at = array->first; at; at = at->next)
        if (at->kind == JSON_STRING && bytes_equal(at->string, bytes_of(wanted))) return true;
    return false;
}

/* What the process is given: its standard descriptors and no other, no signal blocked or ignored, its own environment.
 */
static void test_what_the_process_gets(void **state) {
    struct sigaction ignored = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignored, &before);
    int leaky = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library might */
    struct rig *rig = rig_open("run", true);
    struct uuid run_id = start(rig, 0.2);
    char id[UUID_TEXT_SIZE], real[4096];
    uuid_format(&run_id, id);
    assert_null(error_after(rig));
    const struct json_value *self = self_of(rig), *fds = json_member(self, "fds");
    int expected = 0;
    for (const struct json_value *at = fds->first; at; at = at->next)
        if (at->integer <= 2) expected++;
    assert_int_equal(expected, 3);
    assert_true(fds->count <= 4); /* and the file it writes this to */
    assert_string_equal(text_of(self, "blocked"), "0000000000000000");
    /* Python itself ignores SIGPIPE (13) and SIGXFSZ (25); 32 and 33 are glibc's own, which it lets nobody set. */
    assert_int_equal(strtoull(text_of(self, "ignored"), NULL, 16) & ~(1ull << 12 | 1ull << 24 | 3ull << 31), 0);
    const struct json_value *arguments = json_member(self, "arguments"),
                            *environment = json_member(self, "environment");
    static const char *const wanted[] = {"simulate", "--pipe", "--run-id", "--save", "--data-dir"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(has_item(arguments, wanted[i]));
    assert_true(has_item(arguments, id));
    assert_false(has_item(arguments, "secret"));
    assert_string_equal(text_of(environment, "ORDERLY_REDIS_PASSWORD"), "secret");
    assert_null(json_member(environment, "HOME")); /* nothing of ours */
    assert_non_null(realpath(rig->history, real));
    assert_string_equal(text_of(self, "cwd"), real);
    int64_t keys = 0;
    assert_int_equal(json_member_integer(json_member(self, "parameters"), "keys", &keys), STATUS_OK);
    assert_int_equal(keys, 10);
    rig_close(rig);
    close(leaky);
    sigaction(SIGPIPE, &before, NULL);
}

static void test_stop(void **state) {
    struct rig *rig = rig_open("run", true);
    struct uuid run_id = start(rig, 3600);
    WAIT_UNTIL(is_phase(rig, "running"));
    pid_t pid = child_of(rig);
    assert_int_equal(lab_stop(rig->lab), STATUS_OK);
    assert_string_equal(text_of(status_of(rig), "status"), "stopped"); /* at once */
    assert_int_equal(lab_stop(rig->lab), STATUS_NOT_FOUND);
    assert_null(error_after(rig));
    assert_true(is_gone(pid));
    struct buffer file;
    buffer_init(&file, 1 << 20);
    assert_int_equal(lab_read_file(rig->lab, &run_id, LAB_FILE_HTML, LAB_HOT, 0, &file), STATUS_OK);
    assert_int_equal(file.size, strlen("<p>report</p>"));
    buffer_free(&file);
    rig_close(rig);
}

/* The next run may be started while the one before still ends; a stop in between takes it back. */
static void test_start_while_ending(void **state) {
    struct rig *rig = rig_open("run", true);
    start(rig, 3600);
    WAIT_UNTIL(is_phase(rig, "running"));
    assert_int_equal(lab_stop(rig->lab), STATUS_OK);
    struct uuid second = start(rig, 3600);
    char id[UUID_TEXT_SIZE];
    uuid_format(&second, id);
    assert_string_equal(text_of(status_of(rig), "status"), "running");
    assert_string_equal(text_of(status_of(rig), "run_id"), id);
    WAIT_UNTIL(is_phase(rig, "running"));
    assert_int_equal(runs_of(rig)->count, 1);
    assert_int_equal(lab_stop(rig->lab), STATUS_OK);
    start(rig, 3600);
    assert_int_equal(lab_stop(rig->lab), STATUS_OK); /* it has not begun, or just so */
    assert_null(error_after(rig));
    WAIT_UNTIL(runs_of(rig)->count >= 2);
    rig_close(rig);
}

static void test_start_and_stop_often(void **state) {
    struct rig *rig = rig_open("run", true);
    start(rig, 0.1);
    assert_null(error_after(rig));
    int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        start(rig, 3600);
        if (i % 2) WAIT_UNTIL(is_phase(rig, "running"));
        assert_int_equal(lab_stop(rig->lab), STATUS_OK);
        if (i % 3) assert_null(error_after(rig));
    }
    assert_null(error_after(rig));
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, dead or alive */
    assert_int_equal(errno, ECHILD);
    assert_int_equal(entries(rig, ".saving"), 0);
    rig_close(rig);
}

static void test_close_ends_the_run(void **state) {
    struct rig *rig = rig_open("run", true);
    start(rig, 3600);
    WAIT_UNTIL(is_phase(rig, "running"));
    pid_t pid = child_of(rig);
    char command[160];
    lab_close(rig->lab);
    rig->lab = NULL;
    assert_true(is_gone(pid));
    int runs = 0;
    DIR *directory = opendir(rig->history);
    for (struct dirent *entry; (entry = readdir(directory));)
        runs += strlen(entry->d_name) == 36;
    closedir(directory);
    assert_int_equal(runs, 1); /* its result is kept */
    snprintf(command, sizeof command, "rm -rf %s", rig->directory);
    assert_int_equal(system(command), 0);
    free(rig);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),           cmocka_unit_test(test_a_run),
        cmocka_unit_test(test_what_the_process_gets), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_start_while_ending),    cmocka_unit_test(test_start_and_stop_often),
        cmocka_unit_test(test_close_ends_the_run),
    };
    rig_begin(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
