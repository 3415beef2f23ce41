/* Statuses: every one has a name, retries are told apart, error text is cut and may quote itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/status.h"

static void every_status_has_its_own_name(void **state) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_non_null(status_name(i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(status_name(i), status_name(j));
    }
    assert_string_equal(status_name(STATUS_NOT_FOUND), "not_found");
    assert_string_equal(status_name(STATUS_NO_MEMORY), "no_memory");
    assert_string_equal(status_name(STATUS_COUNT), "no_status");
    assert_string_equal(status_name((enum status) - 1), "no_status");
}

static void a_retry_is_safe_only_where_nothing_was_done(void **state) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        bool expected = i == STATUS_FULL || i == STATUS_BUSY || i == STATUS_UNAVAILABLE || i == STATUS_NO_MEMORY;
        assert_int_equal(status_retry_is_safe(i), expected);
    }
}

static void error_text_may_hold_the_old_text(void **state) {
    struct error error;
    assert_int_equal(error_set(&error, STATUS_CORRUPT, "row %d", 7), STATUS_CORRUPT);
    error_set(&error, STATUS_CORRUPT, "reading %s: %s", "log", error.text);
    assert_string_equal(error.text, "reading log: row 7");
    error_set_errno(&error, STATUS_IO, ENOSPC, "%s", error.text);
    assert_string_equal(error.text, "reading log: row 7: No space left on device");
}

static void error_text_is_cut_at_its_size(void **state) {
    char text[3 * ERROR_TEXT_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct {
        struct error error;
        char guard;
    } box = {.guard = 'g'};
    error_set(&box.error, STATUS_IO, "%s", text);
    assert_int_equal(strlen(box.error.text), ERROR_TEXT_SIZE - 1);
    error_set_errno(&box.error, STATUS_IO, EIO, "%.*s", ERROR_TEXT_SIZE - 5, text);
    assert_int_equal(strlen(box.error.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(box.error.text + ERROR_TEXT_SIZE - 7, "xx: In");
    assert_int_equal(box.guard, 'g');
}

static void a_caller_may_want_no_text(void **state) {
    assert_int_equal(error_set(NULL, STATUS_BUSY, "x"), STATUS_BUSY);
    assert_int_equal(error_set_errno(NULL, STATUS_IO, EIO, "x"), STATUS_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_name),
        cmocka_unit_test(a_retry_is_safe_only_where_nothing_was_done),
        cmocka_unit_test(error_text_may_hold_the_old_text),
        cmocka_unit_test(error_text_is_cut_at_its_size),
        cmocka_unit_test(a_caller_may_want_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
