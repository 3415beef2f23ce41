/* The history of runs: saved whole or not at all, listed newest first, bounded. */
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
#include "hotkey/sample_result.h"

static void test_save(void **state) {
    struct rig *rig = rig_open("run", true);
    struct lab_result result;
    struct error error = {""};
    struct buffer file;
    sample_result(SAMPLE_PLAIN, &result);
    result.run_id = uuid_make_v7(1800000000000, random_system());
    if (lab_save(rig->history, &result, &error)) fail_msg("%s", error.text);
    assert_int_equal(entries(rig, ".saving"), 0);
    char id[UUID_TEXT_SIZE];
    uuid_format(&result.run_id, id);
    const struct json_value *runs = runs_of(rig);
    assert_int_equal(runs->count, 1);
    assert_string_equal(text_of(runs->first, "run_id"), id);
    static const struct {
        enum lab_file file;
        const char *start;
    } files[] = {{LAB_FILE_RESULT, "{"}, {LAB_FILE_HTML, "<!"}, {LAB_FILE_CSV, "second"}, {LAB_FILE_HGRM, ""}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        buffer_init(&file, 64 << 20);
        assert_int_equal(lab_read_file(rig->lab, &result.run_id, files[i].file, LAB_NORMAL, LAB_SERVICE, &file),
                         STATUS_OK);
        assert_true(file.size > 100);
        assert_memory_equal(file.data, files[i].start, strlen(files[i].start));
        buffer_free(&file);
    }
    buffer_init(&file, 10);
    assert_int_equal(lab_read_file(rig->lab, &result.run_id, LAB_FILE_HTML, 0, 0, &file), STATUS_TOO_LARGE);
    buffer_free(&file);
    struct uuid other = uuid_make_v7(1800000000001, random_system());
    assert_int_equal(lab_read_file(rig->lab, &other, LAB_FILE_HTML, 0, 0, &file), STATUS_NOT_FOUND);
    /* The directory is a file, or full: nothing is left behind. */
    char path[256];
    snprintf(path, sizeof path, "%s/data/file", rig->directory);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(lab_save(path, &result, &error), STATUS_IO);
    struct rlimit limit, low;
    getrlimit(RLIMIT_FSIZE, &limit);
    low = (struct rlimit){.rlim_cur = 100, .rlim_max = limit.rlim_max};
    struct sigaction ignored = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGXFSZ, &ignored, &before);
    setrlimit(RLIMIT_FSIZE, &low);
    result.run_id = other;
    enum status status = lab_save(rig->history, &result, &error);
    setrlimit(RLIMIT_FSIZE, &limit);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(status, STATUS_IO);
    assert_int_equal(entries(rig, "."), 0);
    assert_int_equal(runs_of(rig)->count, 1);
    lab_result_free(&result);
    rig_close(rig);
}

static void make_run(struct rig *rig, const char *id, const char *summary) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", rig->history, id);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/summary.json", rig->history, id);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(summary, file);
    fclose(file);
}

static void test_history(void **state) {
    struct rig *rig = rig_open("run", true);
    char id[UUID_TEXT_SIZE], summary[128], newest[UUID_TEXT_SIZE] = "";
    for (int i = 0; i < LAB_HISTORY_MAX + 5; i++) {
        struct uuid run_id = uuid_make_v7(1800000000000 + i * 1000, random_system());
        uuid_format(&run_id, id);
        snprintf(summary, sizeof summary, "{\"run_id\":\"%s\",\"number\":%d}\n", id, i);
        make_run(rig, id, summary);
        memcpy(newest, id, sizeof id);
    }
    make_run(rig, "not-a-run", "{}");
    lab_prune(rig->history);
    const struct json_value *runs = runs_of(rig);
    assert_int_equal(runs->count, LAB_HISTORY_MAX);
    assert_string_equal(text_of(runs->first, "run_id"), newest);
    int64_t number = -1, expected = LAB_HISTORY_MAX + 4;
    for (const struct json_value *at = runs->first; at; at = at->next) {
        assert_int_equal(json_member_integer(at, "number", &number), STATUS_OK);
        assert_int_equal(number, expected--);
    }
    assert_int_equal(entries(rig, "not-a-run"), 1); /* not ours to remove */
    assert_int_equal(entries(rig, "."), 0);
    /* Damaged summaries are not shown, and do no harm. */
    make_run(rig, "ffffffff-0000-7000-8000-000000000001", "{\"run_id\":");
    make_run(rig, "ffffffff-0000-7000-8000-000000000002", "");
    make_run(rig, "ffffffff-0000-7000-8000-000000000003", "[]");
    assert_string_equal(text_of(runs_of(rig)->first, "run_id"), newest);
    rig_close(rig);
}

/* A directory that somebody was still writing stays; one of long ago is removed. */
static void test_leftovers(void **state) {
    struct rig *rig = rig_open("run", true);
    make_run(rig, ".saving-ffffffff-0000-7000-8000-000000000001", "{}");
    make_run(rig, ".dropping-ffffffff-0000-7000-8000-000000000002", "{}");
    lab_prune(rig->history);
    assert_int_equal(entries(rig, "."), 2);
    char command[256];
    snprintf(command, sizeof command, "touch -d '1 hour ago' %s/.saving-* %s/.dropping-*", rig->history, rig->history);
    assert_int_equal(system(command), 0);
    lab_prune(rig->history);
    assert_int_equal(entries(rig, "."), 0);
    rig_close(rig);
}

static void test_no_directory(void **state) {
    struct lab *lab = NULL;
    struct error error = {""};
    const struct lab_options options = {
        .program = stand_in, .directory = "/proc/nowhere/lab", .clock = clock_system(), .random = random_system()};
    assert_int_equal(lab_open(&options, &lab, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "/proc/nowhere"));
    assert_null(lab);
    lab_close(NULL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_no_directory),
    };
    rig_begin(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
