/* lab_run on private Redis servers, with several threads: results are whole, and run after run leaves no process,
 * thread or descriptor behind. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "hotkey/run.h"

#define RUNS 12

static atomic_bool stop;
static bool stops_at_once;

static void stop_soon(void *data, const struct lab_result *so_far) {
    (void)data, (void)so_far;
    if (stops_at_once) atomic_store(&stop, true);
}

static enum status run(const char *const *flags, const char *server_program, struct lab_result *result,
                       struct error *error) {
    struct lab_parameters parameters;
    struct lab_problems problems = {0};
    assert_int_equal(lab_parameters_read_flags((char *const *)flags, &parameters, &problems), STATUS_OK);
    struct lab_run_options options = {
        .parameters = &parameters,
        .target = {.server_program = server_program},
        .clock = clock_system(),
        .random = random_system(),
        .stop = &stop,
        .ready = stop_soon,
    };
    atomic_store(&stop, false);
    return lab_run(&options, result, error);
}
#define RUN(program, result, error, ...) run((const char *const[]){__VA_ARGS__, NULL}, (program), (result), (error))

static unsigned entries(const char *path) {
    unsigned count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void test_threads_share_the_schedule(void **state) {
    struct lab_result one, four;
    struct error error = {""};
    (void)state;
    stops_at_once = false;
    assert_int_equal(RUN("redis-server", &one, &error, "--duration-s", "1.5", "--profile", "zipf"), STATUS_OK);
    assert_int_equal(RUN("redis-server", &four, &error, "--duration-s", "1.5", "--profile", "zipf", "--threads", "4"),
                     STATUS_OK);
    assert_true(one.counts[LAB_NORMAL].completed > 0);
    assert_memory_equal(one.accesses, four.accesses, (size_t)one.parameters.keys * sizeof *one.accesses);
    for (int class = 0; class < LAB_CLASSES; class ++) {
        assert_int_equal(one.counts[class].completed, one.counts[class].offered);
        assert_int_equal(one.counts[class].reads, four.counts[class].reads);
        assert_int_equal(one.counts[class].writes, four.counts[class].writes);
        assert_int_equal(four.counts[class].failed, 0);
    }
    assert_int_equal(four.second_count, 2);
    assert_int_equal(four.end, LAB_END_DURATION);
    assert_true(four.server_cpu_s > 0);
    lab_result_free(&one);
    lab_result_free(&four);
}

static void test_nothing_is_left_behind(void **state) {
    struct error error = {""};
    (void)state;
    stops_at_once = true;
    for (unsigned i = 0, files = 0, threads = 0; i < RUNS; i++) {
        struct lab_result result;
        assert_int_equal(RUN("redis-server", &result, &error, "--duration-s", "60", "--threads", "2"), STATUS_OK);
        assert_int_equal(result.end, LAB_END_STOPPED);
        lab_result_free(&result);
        if (i == 0) files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
        assert_int_equal(entries("/proc/self/fd"), files);
        assert_int_equal(entries("/proc/self/task"), threads);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child */
    }
}

static void test_a_program_that_is_not_there_or_no_server(void **state) {
    struct lab_result result;
    struct error error = {""};
    (void)state;
    assert_int_equal(RUN("orderly-no-such-program", &result, &error, "--duration-s", "1"), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "orderly-no-such-program"));
    assert_int_equal(RUN("true", &result, &error, "--duration-s", "1"), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "ended at once"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_share_the_schedule),
        cmocka_unit_test(test_nothing_is_left_behind),
        cmocka_unit_test(test_a_program_that_is_not_there_or_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
