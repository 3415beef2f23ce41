/* Allocations that fail in what a run is made of: NO_MEMORY, nothing is written, nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hotkey/schedule.h"
#include "hotkey/space_saving.h"
#include "support/failing_alloc.h"

#define ALLOCATIONS_MAX 20

static struct lab_parameters zipf(void) {
    struct lab_parameters parameters;
    assert_int_equal(lab_parameters_default("zipf", &parameters), STATUS_OK);
    parameters.keys = 1000;
    parameters.hot_keys = 10;
    parameters.classes[LAB_HOT].clients = 10;
    return parameters;
}

static void a_schedule_needs_memory(void **state) {
    struct lab_parameters parameters = zipf();
    struct lab_schedule *schedule = NULL;
    long failures = 0;
    enum status status = STATUS_NO_MEMORY;
    for (; status != STATUS_OK && failures < ALLOCATIONS_MAX; failures++) {
        failing_alloc_arm(failures + 1);
        status = lab_schedule_new(&parameters, &schedule);
        assert_int_equal(status, failing_alloc_disarm() ? STATUS_NO_MEMORY : STATUS_OK);
        assert_true((schedule != NULL) == (status == STATUS_OK));
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(failures > 8); /* the schedule, two shuffles, three for each of two tables; then none */

    struct lab_timeline *timeline = NULL;
    for (status = STATUS_NO_MEMORY, failures = 0; status != STATUS_OK && failures < ALLOCATIONS_MAX; failures++) {
        failing_alloc_arm(failures + 1);
        status = lab_timeline_new(schedule, 0, 1, true, &timeline);
        assert_int_equal(status, failing_alloc_disarm() ? STATUS_NO_MEMORY : STATUS_OK);
        assert_true((timeline != NULL) == (status == STATUS_OK));
    }
    assert_int_equal(failures, 4);

    struct lab_operation operation; /* and drawing needs none */
    failing_alloc_arm(1);
    for (int i = 0; i < 10000; i++)
        assert_true(lab_timeline_pop(timeline, &operation));
    assert_false(failing_alloc_disarm());
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

static void a_summary_is_one_allocation(void **state) {
    failing_alloc_arm(1);
    assert_null(space_saving_new(1));
    assert_true(failing_alloc_disarm());
    failing_alloc_arm(2);
    struct space_saving *summary = space_saving_new(1), *other;
    assert_false(failing_alloc_disarm());
    assert_non_null(summary);
    other = space_saving_new(2);
    struct space_saving_entry entry;
    failing_alloc_arm(1);
    for (uint64_t key = 0; key < 5000; key++)
        space_saving_touch(summary, (struct space_saving_key){key, key});
    space_saving_merge(other, summary);
    assert_int_equal(space_saving_top(other, &entry, 1), 1);
    space_saving_reset(other);
    assert_false(failing_alloc_disarm());
    space_saving_free(summary);
    space_saving_free(other);
    space_saving_free(NULL);
}

static void parameters_need_memory(void **state) {
    struct lab_parameters parameters, before;
    struct lab_problems problems;
    char *flags[] = {"--profile", "zipf", NULL};
    memset(&parameters, 0x5a, sizeof parameters);
    before = parameters;
    failing_alloc_arm(1);
    assert_int_equal(lab_parameters_default("zipf", &parameters), STATUS_NO_MEMORY);
    assert_true(failing_alloc_disarm());
    failing_alloc_arm(1);
    assert_int_equal(lab_parameters_read(NULL, &parameters, &problems), STATUS_NO_MEMORY);
    assert_true(failing_alloc_disarm());
    failing_alloc_arm(1);
    assert_int_equal(lab_parameters_read_flags(flags, &parameters, &problems), STATUS_NO_MEMORY);
    assert_true(failing_alloc_disarm());
    assert_memory_equal(&before, &parameters, sizeof before);

    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 1 << 20);
    json_writer_init(&writer, &out);
    failing_alloc_arm(3);
    lab_parameters_write_schema(&writer);
    assert_true(failing_alloc_disarm());
    assert_int_equal(out.status, STATUS_NO_MEMORY);
    buffer_free(&out);
}

/* Without memory for the profile's defaults the flags are those that differ from "default": longer, and still right. */
static void flags_repeat_the_run_without_memory_too(void **state) {
    struct lab_parameters parameters = zipf(), read;
    struct lab_problems problems;
    struct buffer out;
    buffer_init(&out, 4096);
    buffer_reserve(&out, 2048);
    failing_alloc_arm(1);
    lab_parameters_write_flags(&parameters, &out);
    assert_true(failing_alloc_disarm());
    buffer_put_char(&out, '\0');
    char *flags[64], *rest = out.data;
    size_t count = 0;
    for (char *flag; (flag = strsep(&rest, " "));)
        if (*flag) flags[count++] = flag;
    flags[count] = NULL;
    assert_int_equal(lab_parameters_read_flags(flags, &read, &problems), STATUS_OK);
    memcpy(read.profile, parameters.profile, sizeof read.profile);
    assert_memory_equal(&read, &parameters, sizeof read);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_needs_memory),
        cmocka_unit_test(a_summary_is_one_allocation),
        cmocka_unit_test(parameters_need_memory),
        cmocka_unit_test(flags_repeat_the_run_without_memory_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
