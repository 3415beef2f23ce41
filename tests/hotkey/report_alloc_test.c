/* Reports without memory: each allocation of each writer fails once; the buffer says so, and nothing leaks or breaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hotkey/sample_result.h"
#include "support/failing_alloc.h"

#define ALLOCATIONS_MAX 500
#define OUTPUT_MAX (64u << 20)

static void summary(const struct lab_result *result, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    lab_result_write_summary(result, &writer);
}

static void every_failed_allocation_is_told(void **state) {
    static void (*const writers[])(const struct lab_result *, struct buffer *) = {
        lab_result_write_json,    lab_result_write_csv, lab_result_write_html, lab_result_write_text, summary,
        lab_result_write_verdict,
    };
    struct lab_result result;
    sample_result(SAMPLE_HOSTILE, &result);
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        struct buffer whole, out;
        buffer_init(&whole, OUTPUT_MAX);
        writers[i](&result, &whole);
        assert_int_equal(whole.status, STATUS_OK);
        long n = 1, told = 0;
        for (bool was_hit = true; was_hit; n++) {
            buffer_init(&out, OUTPUT_MAX);
            failing_alloc_arm(n);
            writers[i](&result, &out);
            was_hit = failing_alloc_disarm();
            told += out.status == STATUS_NO_MEMORY;
            /* Only the defaults that the command is held against may do without; these are the same without memory. */
            if (out.status != STATUS_NO_MEMORY && !bytes_equal(buffer_bytes(&out), buffer_bytes(&whole)))
                fail_msg("writer %zu, allocation %ld: status %s, and not the whole", i, n, status_name(out.status));
            buffer_free(&out);
            assert_true(n < ALLOCATIONS_MAX);
        }
        assert_true(told > 0 && told >= n - 5);
        buffer_free(&whole);
    }
    lab_result_free(&result);
}

static void a_full_buffer_is_told(void **state) {
    struct lab_result result;
    struct buffer out;
    sample_result(SAMPLE_SHORT, &result);
    buffer_init(&out, 2000);
    lab_result_write_html(&result, &out);
    assert_int_equal(out.status, STATUS_TOO_LARGE);
    buffer_free(&out);
    lab_result_free(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_is_told),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
