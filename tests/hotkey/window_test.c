/* A second's books: what the detector is scored against, and what the server's own counters say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hotkey/sampler.h"
#include "hotkey/window.h"

#define KEYS 20000

struct scored {
    struct slice *slice;
    struct lab_key_count *ranking;
    struct lab_detection detection;
};

static void setup(struct scored *scored) {
    scored->slice = slice_new(KEYS, 1, true);
    scored->ranking = malloc(2 * WINDOW_LINE_MAX * sizeof *scored->ranking);
    assert_non_null(scored->slice);
    assert_non_null(scored->ranking);
}

static void teardown(struct scored *scored) {
    slice_free(scored->slice);
    free(scored->ranking);
}

static void touch(struct slice *slice, uint32_t key, unsigned times) {
    for (unsigned i = 0; i < times; i++)
        slice_touch(slice, key);
    slice->counts[LAB_NORMAL].completed += times;
}

static void score(struct scored *scored) {
    window_score(scored->slice, scored->ranking, &scored->detection);
}

static void test_exact_where_keys_are_few(void **state) {
    struct scored scored;
    const struct lab_detection *detection = &scored.detection;
    (void)state;
    setup(&scored);
    touch(scored.slice, 7, 500);
    touch(scored.slice, 3, 300);
    touch(scored.slice, 9, 300);
    for (uint32_t key = 100; key < 600; key++)
        touch(scored.slice, key, 1);
    score(&scored);
    assert_int_equal(detection->operations, 1600);
    assert_int_equal(detection->true_count, LAB_TOP);
    assert_int_equal(detection->found_count, LAB_TOP);
    assert_int_equal(detection->truth[0].key, 7);
    assert_int_equal(detection->truth[0].count, 500);
    assert_int_equal(detection->truth[1].key, 3); /* equal counts: by key */
    assert_int_equal(detection->truth[2].key, 9);
    for (size_t i = 0; i < LAB_TOP; i++) {
        assert_int_equal(detection->found[i].key, detection->truth[i].key);
        assert_int_equal(detection->found[i].count, detection->truth[i].count);
        assert_int_equal(detection->found[i].error, 0);
    }
    assert_int_equal(detection->hot_true, 3);
    assert_int_equal(detection->hot_found, 3);
    assert_int_equal(detection->hot_both, 3);
    assert_true(detection->precision == 1 && detection->recall == 1 && detection->rank_error == 0);
    teardown(&scored);
}

/* The detector saw other keys than were really touched: half of what it names is wrong, and one of three is missed. */
static void test_what_is_wrong_is_scored(void **state) {
    struct scored scored;
    const struct lab_detection *detection = &scored.detection;
    (void)state;
    setup(&scored);
    touch(scored.slice, 1, 500);
    touch(scored.slice, 2, 300);
    touch(scored.slice, 3, 200);
    space_saving_reset(scored.slice->summary);
    for (int i = 0; i < 400; i++) {
        space_saving_touch(scored.slice->summary, (struct space_saving_key){0, 2});
        space_saving_touch(scored.slice->summary, (struct space_saving_key){0, 50});
        if (i < 300) space_saving_touch(scored.slice->summary, (struct space_saving_key){0, 1});
        if (i < 20) space_saving_touch(scored.slice->summary, (struct space_saving_key){0, 51});
    }
    score(&scored);
    assert_int_equal(detection->hot_true, 3);
    assert_int_equal(detection->hot_found, 4); /* 2, 50, 1, 51 */
    assert_int_equal(detection->hot_both, 2);
    assert_true(detection->precision == 0.5);
    assert_true(fabs(detection->recall - 2.0 / 3) < 1e-9);
    /* Truth 1 2 3, found 2 50 1 51: key 1 is two ranks off, key 2 one, key 3 comes after the last: two. */
    assert_true(fabs(detection->rank_error - 5.0 / 3) < 1e-9);
    teardown(&scored);
}

static void test_nothing_to_name(void **state) {
    struct scored scored;
    (void)state;
    setup(&scored);
    score(&scored);
    assert_int_equal(scored.detection.found_count, 0);
    assert_int_equal(scored.detection.true_count, 0);
    assert_true(scored.detection.precision == 1 && scored.detection.recall == 1 && scored.detection.rank_error == 0);
    teardown(&scored);
}

/* Two workers' slices are as one; a reset forgets all. */
static void test_slices_add_up(void **state) {
    struct window *window = window_new(KEYS, 1, true);
    struct slice *slices[2] = {slice_new(KEYS, 2, true), slice_new(KEYS, 3, true)};
    struct lab_result result = {.accesses = calloc(KEYS, sizeof(uint64_t)), .late = malloc(sizeof(struct histogram))};
    struct lab_second second;
    (void)state;
    histogram_init(result.late);
    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int time = 0; time < LAB_TIMES; time++)
            histogram_init(result.times[class][time] = malloc(sizeof(struct histogram)));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            touch(slices[i], 5, 100);
            touch(slices[i], 10 + (uint32_t)i, 50);
            histogram_record(&slices[i]->times[LAB_HOT][LAB_RESPONSE], 1000 * (i + 1));
            slices[i]->backend_at_once = (uint64_t)i + 3;
            slices[i]->lanes = slices[i]->lanes_up = 2;
            window_add(window, slices[i]);
            slice_reset(slices[i]);
        }
        memset(&second, 0, sizeof second);
        window_close(window, &result, &second);
        assert_int_equal(second.counts[LAB_NORMAL].completed, 300);
        assert_int_equal(second.detection.operations, 300);
        assert_int_equal(second.detection.found[0].key, 5);
        assert_int_equal(second.detection.found[0].count, 200);
        assert_int_equal(second.detection.true_count, 3);
        assert_int_equal(second.times[LAB_HOT][LAB_RESPONSE].count, 2);
        assert_int_equal(second.all[LAB_RESPONSE].max_ns, 2000);
        assert_int_equal(second.backend_at_once, 4);
        assert_int_equal(second.target, LAB_TARGET_UP);
        assert_int_equal(result.accesses[5], 200 * (round + 1));
    }
    assert_int_equal(result.times[LAB_HOT][LAB_RESPONSE]->count, 4);
    window_free(window);
    slice_free(slices[0]);
    slice_free(slices[1]);
    lab_result_free(&result);
}

/* --- the server's counters --- */

static const char info[] =
    "# Server\r\nredis_version:7.0.15\r\n# Clients\r\nconnected_clients:51\r\n# Memory\r\nused_memory:1000000\r\n"
    "# Stats\r\ntotal_commands_processed:1000\r\ntotal_net_input_bytes:5000\r\ntotal_net_output_bytes:7000\r\n"
    "expired_keys:3\r\nevicted_keys:0\r\nkeyspace_hits:90\r\nkeyspace_misses:10\r\n# CPU\r\nused_cpu_sys:1.5\r\n"
    "used_cpu_user:2.25\r\n# Keyspace\r\ndb0:keys=10,expires=0,avg_ttl=0\r\ndb3:keys=4,expires=0,avg_ttl=0\r\n";

static void test_info_is_read(void **state) {
    struct sampler_counters counters, later;
    struct lab_server server;
    (void)state;
    sampler_read_info(info, &counters);
    assert_int_equal(counters.commands, 1000);
    assert_int_equal(counters.clients, 51);
    assert_int_equal(counters.used_memory, 1000000);
    assert_int_equal(counters.keys, 14);
    assert_true(counters.cpu_s == 3.75);
    later = counters;
    later.at_ns += INT64_C(2000000000);
    later.commands += 500;
    later.hits += 30, later.misses += 10;
    later.cpu_s += 1;
    later.bytes_in += 1024;
    sampler_difference(&counters, &later, &server);
    assert_true(server.ops_per_second == 250);
    assert_true(server.hit_ratio == 0.75);
    assert_true(server.cpu_share == 0.5);
    assert_true(server.network_in_bytes == 512);
    assert_int_equal(server.evicted, 0);
    sampler_difference(&later, &counters, &server); /* it began anew in between */
    assert_true(isnan(server.ops_per_second));
    assert_true(isnan(server.cpu_share));
    assert_true(isnan(server.hit_ratio));
}

static void test_info_without_figures(void **state) {
    struct sampler_counters counters;
    struct lab_server server;
    (void)state;
    sampler_read_info("# Server\r\nredis_version:7\r\n", &counters);
    assert_int_equal(counters.commands, -1);
    assert_int_equal(counters.keys, -1);
    sampler_difference(&counters, &counters, &server);
    assert_true(isnan(server.ops_per_second));
    assert_true(isnan(server.cpu_share));
    assert_int_equal(server.evicted, -1);
}

static void test_value_is_shown_safely(void **state) {
    char out[LAB_VALUE_SHOWN + 1], value[200];
    (void)state;
    sampler_show_value("a\0b\x1b[31m\xc3\xa9 z", 12, out);
    assert_string_equal(out, "a.b.[31m.. z");
    memset(value, 'x', sizeof value);
    sampler_show_value(value, sizeof value, out);
    assert_int_equal(strlen(out), LAB_VALUE_SHOWN);
    sampler_show_value("", 0, out);
    assert_string_equal(out, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_where_keys_are_few),
        cmocka_unit_test(test_what_is_wrong_is_scored),
        cmocka_unit_test(test_nothing_to_name),
        cmocka_unit_test(test_slices_add_up),
        cmocka_unit_test(test_info_is_read),
        cmocka_unit_test(test_info_without_figures),
        cmocka_unit_test(test_value_is_shown_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
