/* Runs whose process crashes, hangs, writes garbage, floods, or does not end; a system without descriptors or program.
 */
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

static void test_misbehaviour(void **state) {
    static const struct {
        const char *mode, *error;
    } cases[] = {
        {"crash-early", "exit code 1 and without a result: the last .line"},
        {"crash", "ended by signal 11"},
        {"error", "Redis at nowhere:1 does not answer"},
        {"garbage", "no event of a run"},
        {"unknown", "unknown event"},
        {"flood", "more than a run has to say"},
        {"long-line", "more than a run has to say"},
        {"closes-output", "did not end when it was told to"},
        {"stderr-flood", "ended"},
        {"dies-saving", "ended by signal 9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig *rig = rig_open(cases[i].mode, false);
        struct heard heard;
        heard_init(&heard);
        assert_int_equal(lab_listen(rig->lab, &heard.listener), STATUS_OK);
        int before = open_descriptors();
        start(rig, 0.1);
        const char *error = error_after(rig);
        if (!error || !strstr(error, cases[i].error)) fail_msg("%s: \"%s\"", cases[i].mode, error ? error : "none");
        assert_true(has_heard(&heard, "end"));
        assert_non_null(strstr(heard.last, "\"end\":\"failed\""));
        assert_true(is_gone(child_of(rig)));
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(runs_of(rig)->count, 0);
        assert_int_equal(entries(rig, ".saving"), 0);
        struct uuid run_id; /* and the next one is not held up */
        const struct lab_parameters parameters = parameters_of(0.1);
        assert_int_equal(lab_start(rig->lab, &parameters, &run_id, NULL), STATUS_OK);
        lab_unlisten(rig->lab, &heard.listener);
        rig_close(rig);
    }
}

/* Moves the time on until the lab has seen it. */
static void advance_until_over(struct rig *rig, int64_t ms) {
    clock_manual_advance(&rig->clock, ms);
    WAIT_UNTIL(is_phase(rig, "none"));
}

static void test_silence(void **state) {
    struct rig *rig = rig_open("silent", true);
    start(rig, 60);
    WAIT_UNTIL(access(rig->history, F_OK) == 0 && entries(rig, "self.json") == 1);
    pid_t pid = child_of(rig);
    clock_manual_advance(&rig->clock, 14999);
    pause_ms(500);
    assert_true(is_phase(rig, "starting"));
    advance_until_over(rig, 1);
    assert_non_null(strstr(text_of(status_of(rig), "error"), "nothing was heard of the run for 15 s"));
    assert_true(is_gone(pid));
    rig_close(rig);
    rig = rig_open("still", true);
    start(rig, 60);
    WAIT_UNTIL(is_phase(rig, "running") && json_member(status_of(rig), "tick")->kind == JSON_OBJECT);
    clock_manual_advance(&rig->clock, 9999);
    pause_ms(500);
    assert_true(is_phase(rig, "running"));
    advance_until_over(rig, 1);
    assert_non_null(strstr(text_of(status_of(rig), "error"), "nothing was heard of the run for 10 s"));
    rig_close(rig);
}

static void test_deaf(void **state) {
    struct rig *rig = rig_open("deaf", true);
    start(rig, 60);
    WAIT_UNTIL(is_phase(rig, "running") && json_member(status_of(rig), "tick")->kind == JSON_OBJECT);
    pid_t pid = child_of(rig);
    assert_int_equal(lab_stop(rig->lab), STATUS_OK);
    clock_manual_advance(&rig->clock, LAB_STOP_MS - 1);
    pause_ms(500);
    assert_false(is_gone(pid));
    advance_until_over(rig, 1);
    assert_true(is_gone(pid));
    assert_non_null(strstr(text_of(status_of(rig), "error"), "was killed"));
    rig_close(rig);
}

/* It waits for its target, and has nothing to lose: no error, within the same time. */
static void test_stop_before_it_has_begun(void **state) {
    struct rig *rig = rig_open("silent", true);
    start(rig, 60);
    WAIT_UNTIL(access(rig->history, F_OK) == 0 && entries(rig, "self.json") == 1);
    pid_t pid = child_of(rig);
    assert_int_equal(lab_stop(rig->lab), STATUS_OK);
    clock_manual_advance(&rig->clock, LAB_STOP_MS - 1);
    pause_ms(200);
    assert_false(is_gone(pid));
    advance_until_over(rig, 1);
    assert_true(is_gone(pid));
    assert_null(text_of(status_of(rig), "error"));
    rig_close(rig);
}

static void test_killed(void **state) {
    struct rig *rig = rig_open("run", true);
    start(rig, 3600);
    WAIT_UNTIL(is_phase(rig, "running"));
    kill(child_of(rig), SIGKILL);
    const char *error = error_after(rig);
    assert_non_null(error);
    assert_non_null(strstr(error, "signal 9"));
    rig_close(rig);
}

/* What a run has started goes with it, and does not hold up its end by the pipe it has inherited. */
static void test_grandchild(void **state) {
    struct rig *rig = rig_open("grandchild", false);
    start(rig, 3600);
    assert_non_null(error_after(rig));
    char path[128], pid[32] = "";
    snprintf(path, sizeof path, "%s/grandchild", rig->history);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(pid, sizeof pid, file));
    fclose(file);
    snprintf(path, sizeof path, "/proc/%s/exe", pid);
    WAIT_UNTIL(access(path, F_OK) != 0); /* dead; whether somebody reaps it is not ours */
    rig_close(rig);
}

static void test_no_program(void **state) {
    const char *before = stand_in;
    stand_in = "/nowhere/orderly";
    struct rig *rig = rig_open("run", true);
    start(rig, 1);
    const char *error = error_after(rig);
    assert_non_null(error);
    assert_non_null(strstr(error, "No such file"));
    rig_close(rig);
    stand_in = before;
}

static void test_no_descriptors(void **state) {
    struct rig *rig = rig_open("run", true);
    struct rlimit limit, low;
    struct uuid run_id;
    const struct lab_parameters parameters = parameters_of(1);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    enum status status = lab_start(rig->lab, &parameters, &run_id, NULL);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(status, STATUS_FULL);
    assert_true(is_phase(rig, "none"));
    start(rig, 0.1);
    assert_null(error_after(rig));
    rig_close(rig);
}

static void test_many_listeners(void **state) {
    struct rig *rig = rig_open("run", true);
    static struct heard heard[LAB_LISTENERS_MAX + 1];
    for (int i = 0; i <= LAB_LISTENERS_MAX; i++)
        heard_init(&heard[i]);
    for (int i = 0; i < LAB_LISTENERS_MAX; i++)
        assert_int_equal(lab_listen(rig->lab, &heard[i].listener), STATUS_OK);
    assert_int_equal(lab_listen(rig->lab, &heard[LAB_LISTENERS_MAX].listener), STATUS_FULL);
    lab_unlisten(rig->lab, &heard[3].listener);
    assert_int_equal(lab_listen(rig->lab, &heard[LAB_LISTENERS_MAX].listener), STATUS_OK);
    start(rig, 0.1);
    assert_null(error_after(rig));
    for (int i = 0; i <= LAB_LISTENERS_MAX; i++)
        assert_string_equal(heard[i].events, i == 3 ? "" : "ready tick end ");
    rig_close(rig);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misbehaviour),   cmocka_unit_test(test_silence),
        cmocka_unit_test(test_deaf),           cmocka_unit_test(test_stop_before_it_has_begun),
        cmocka_unit_test(test_killed),         cmocka_unit_test(test_grandchild),
        cmocka_unit_test(test_no_program),     cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_many_listeners),
    };
    rig_begin(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
