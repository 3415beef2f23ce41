/* Space-Saving against exact counts: its bounds for every key, after touching, merging and resetting, and its windows
 * on the traffic of the lab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "hotkey/keys.h"
#include "hotkey/schedule.h"
#include "hotkey/space_saving.h"

#define M SPACE_SAVING_COUNTERS
#define SEEDS 100
#define UNIVERSE_MAX 100000
#define TOUCHES 20000
#define WINDOW 10000
#define LINE 0.01 /* of a window's operations: a key with so many is hot */

static uint32_t truth[UNIVERSE_MAX];
static struct space_saving_entry entries[M];

/* Streams of keys: how many there are, and the exponent of their frequencies. */
static const struct {
    uint32_t keys;
    double s;
} streams[] = {{300, 0},     {M, 0},        {M + 1, 0},     {5000, 0},  {100000, 0},
               {2000, 0.99}, {100000, 0.8}, {100000, 0.99}, {50000, 1}, {100000, 1.5}};
enum { STREAMS = sizeof streams / sizeof *streams };

/* Keys as the lab has them (a number) and as orders have them (all 16 bytes). */
static struct space_saving_key key_of(uint32_t number, bool is_wide) {
    if (!is_wide) return (struct space_saving_key){0, number};
    uint64_t wide = number * UINT64_C(0x9e3779b97f4a7c15);
    return (struct space_saving_key){wide ^ wide >> 29, number};
}

static uint32_t number_of(struct space_saving_key key) {
    return (uint32_t)key.low;
}

static void touch_some(struct space_saving *summary, int stream, uint64_t seed, uint32_t touches, bool is_wide) {
    struct rank_sampler sampler;
    struct random_seeded random;
    assert_int_equal(rank_sampler_init(&sampler, streams[stream].keys, streams[stream].s), STATUS_OK);
    random_seeded_init(&random, seed * STREAMS + (uint64_t)stream);
    for (uint32_t i = 0; i < touches; i++) {
        uint32_t number = rank_sampler_draw(&sampler, random_seeded_next(&random));
        space_saving_touch(summary, key_of(number, is_wide));
        truth[number]++;
    }
    rank_sampler_free(&sampler);
}

/* Each bound that the header names, for every key that there is. */
static void assert_bounds(const struct space_saving *summary, uint64_t n, bool is_wide) {
    static bool is_counted[UNIVERSE_MAX];
    memset(is_counted, 0, sizeof is_counted);
    assert_int_equal(space_saving_total(summary), n);
    size_t count = space_saving_top(summary, entries, M);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = number_of(entries[i].key);
        assert_true(entries[i].key.high == key_of(number, is_wide).high);
        assert_false(is_counted[number]); /* no key twice */
        is_counted[number] = true;
        assert_true(truth[number] <= entries[i].count);
        assert_true(entries[i].count - entries[i].error <= truth[number]);
        assert_true((uint64_t)entries[i].error * M <= n);
        if (i > 0) assert_true(entries[i - 1].count >= entries[i].count);
        sum += entries[i].count;
    }
    assert_true(sum <= n);
    for (uint32_t number = 0; number < UNIVERSE_MAX; number++)
        if (!is_counted[number]) assert_true((uint64_t)truth[number] * M <= n);
}

static void bounds_hold_for_every_key(void **state) {
    struct space_saving *summary = space_saving_new(7);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int stream = (int)(seed % STREAMS);
        space_saving_reset(summary);
        memset(truth, 0, sizeof truth);
        touch_some(summary, stream, seed, TOUCHES, seed % 2);
        assert_bounds(summary, TOUCHES, seed % 2);
        uint64_t sum = 0;
        for (size_t i = 0, count = space_saving_top(summary, entries, M); i < count; i++)
            sum += entries[i].count;
        assert_int_equal(sum, TOUCHES); /* each touch is in exactly one count */
    }
    space_saving_free(summary);
}

static void few_keys_are_counted_exactly(void **state) {
    struct space_saving *summary = space_saving_new(1);
    for (int stream = 0; stream < 2; stream++) { /* no more keys than counters */
        space_saving_reset(summary);
        memset(truth, 0, sizeof truth);
        touch_some(summary, stream, 1, TOUCHES, true);
        size_t count = space_saving_top(summary, entries, M);
        assert_int_equal(count, streams[stream].keys);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(entries[i].count, truth[number_of(entries[i].key)]);
            assert_int_equal(entries[i].error, 0);
        }
    }
    space_saving_free(summary);
}

/* A key that comes more often than 1/m gets in however adverse the order is: here after all others. */
static void a_frequent_key_gets_in_late(void **state) {
    struct space_saving *summary = space_saving_new(3);
    for (uint32_t i = 0; i < 50 * M; i++)
        space_saving_touch(summary, key_of(i % (2 * M), true));
    for (uint32_t i = 0; i < 60; i++)
        space_saving_touch(summary, key_of(UNIVERSE_MAX, true));
    assert_int_equal(space_saving_top(summary, entries, 1), 1);
    assert_int_equal(number_of(entries[0].key), UNIVERSE_MAX);
    assert_int_equal(entries[0].count, 50 + 60);
    assert_int_equal(entries[0].error, 50);
    space_saving_free(summary);
}

static void the_top_is_in_order(void **state) {
    struct space_saving *summary = space_saving_new(5);
    assert_int_equal(space_saving_top(summary, entries, M), 0);
    for (uint32_t number = 9; number > 0; number--)
        for (uint32_t i = 0; i < (number + 2) / 3; i++) /* 3 3 3 2 2 2 1 1 1 */
            space_saving_touch(summary, (struct space_saving_key){number % 2, number});
    static const uint32_t order[] = {8, 7, 9, 4, 6, 5, 2, 1, 3}; /* by count, then high, then low */
    assert_int_equal(space_saving_top(summary, entries, M), 9);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(entries[i].key.low, order[i]);
        assert_int_equal(entries[i].count, 3 - i / 3);
    }
    assert_int_equal(space_saving_top(summary, entries, 2), 2);
    assert_int_equal(entries[1].key.low, 7);
    assert_int_equal(space_saving_top(summary, entries, 0), 0);
    space_saving_free(summary);
}

/* The hash's seed decides on chains only, never on what is counted. */
static void seed_and_history_change_nothing(void **state) {
    struct space_saving *fresh = space_saving_new(11), *used = space_saving_new(12);
    static struct space_saving_entry others[M];
    touch_some(used, 4, 99, TOUCHES, true);
    space_saving_reset(used);
    assert_int_equal(space_saving_total(used), 0);
    assert_int_equal(space_saving_top(used, entries, M), 0);
    touch_some(fresh, 7, 1, TOUCHES, true);
    touch_some(used, 7, 1, TOUCHES, true);
    size_t count = space_saving_top(fresh, entries, M);
    assert_int_equal(space_saving_top(used, others, M), count);
    assert_memory_equal(entries, others, count * sizeof *entries);
    space_saving_free(fresh);
    space_saving_free(used);
}

static void memory_is_bounded(void **state) {
    assert_in_range(space_saving_size_bytes(), M * sizeof(struct space_saving_entry), SPACE_SAVING_SIZE_MAX);
}

/* --- merging --- */

static void merged_ones_keep_the_bounds(void **state) {
    struct space_saving *sum = space_saving_new(1), *part = space_saving_new(2);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t n = 0;
        space_saving_reset(sum);
        memset(truth, 0, sizeof truth);
        for (uint64_t round = 0; round < 4; round++) { /* merge, touch on, merge again */
            uint32_t touches = 500 + (uint32_t)(seed * 97 + round * 3001) % 9000;
            space_saving_reset(part);
            touch_some(part, (int)((seed + round) % STREAMS), seed * 8 + round, touches, true);
            space_saving_merge(sum, part);
            n += touches;
            assert_bounds(sum, n, true);
            touch_some(sum, (int)((seed * 3 + round) % STREAMS), seed * 8 + 4 + round, touches / 2, true);
            n += touches / 2;
            assert_bounds(sum, n, true);
        }
    }
    space_saving_free(sum);
    space_saving_free(part);
}

static void merging_with_an_empty_one_changes_nothing(void **state) {
    static struct space_saving_entry before[M];
    struct space_saving *full = space_saving_new(1), *empty = space_saving_new(2);
    touch_some(full, 7, 5, TOUCHES, true);
    size_t count = space_saving_top(full, before, M);
    space_saving_merge(full, empty);
    assert_int_equal(space_saving_top(full, entries, M), count);
    assert_memory_equal(entries, before, count * sizeof *before);
    space_saving_merge(empty, full);
    assert_int_equal(space_saving_top(empty, entries, M), count);
    assert_memory_equal(entries, before, count * sizeof *before);
    assert_int_equal(space_saving_total(empty), TOUCHES);
    space_saving_free(full);
    space_saving_free(empty);
}

static void totals_end_at_their_limit(void **state) {
    struct space_saving *summary = space_saving_new(1), *same = space_saving_new(2);
    space_saving_touch(summary, key_of(1, true));
    for (int i = 0; i < 40; i++) { /* doubles each time */
        space_saving_reset(same);
        space_saving_merge(same, summary);
        space_saving_merge(summary, same);
    }
    assert_int_equal(space_saving_total(summary), SPACE_SAVING_TOUCHES_MAX);
    space_saving_touch(summary, key_of(1, true));
    space_saving_touch(summary, key_of(2, true));
    assert_int_equal(space_saving_total(summary), SPACE_SAVING_TOUCHES_MAX);
    assert_int_equal(space_saving_top(summary, entries, M), 1);
    assert_int_equal(entries[0].count, UINT32_MAX);
    space_saving_free(summary);
    space_saving_free(same);
}

/* --- the lab's traffic --- */

/* Precision and recall of one window, keys within 1/m of the line left out of both. */
static void assert_window(struct space_saving *summary, uint32_t operations) {
    static bool is_found[UNIVERSE_MAX];
    memset(is_found, 0, sizeof is_found);
    double line = LINE * operations, band = (double)operations / M;
    size_t count = space_saving_top(summary, entries, M), hot_keys = 0;
    for (size_t i = 0; i < count && entries[i].count >= line; i++)
        is_found[number_of(entries[i].key)] = true;
    for (uint32_t key = 0; key < UNIVERSE_MAX; key++) {
        if (truth[key] > line + band) {
            assert_true(is_found[key]); /* recall */
            hot_keys++;
        } else if (truth[key] < line - band) {
            assert_false(is_found[key]); /* precision */
        }
    }
    assert_true(hot_keys > 0);
}

/* Two windows of the profile's traffic. */
static void assert_windows(const char *profile, uint64_t seed) {
    struct lab_parameters parameters;
    struct lab_schedule *schedule;
    struct lab_timeline *timeline;
    struct lab_operation operation;
    assert_int_equal(lab_parameters_default(profile, &parameters), STATUS_OK);
    parameters.seed = (int64_t)seed;
    assert_true(parameters.keys <= UNIVERSE_MAX);
    assert_int_equal(lab_schedule_new(&parameters, &schedule), STATUS_OK);
    assert_int_equal(lab_timeline_new(schedule, 0, 1, true, &timeline), STATUS_OK);
    struct space_saving *summary = space_saving_new(seed);
    for (int window = 0; window < 2; window++) {
        space_saving_reset(summary);
        memset(truth, 0, sizeof truth);
        for (int i = 0; i < WINDOW; i++) {
            assert_true(lab_timeline_pop(timeline, &operation));
            space_saving_touch(summary, key_of(operation.key, false));
            truth[operation.key]++;
        }
        assert_window(summary, WINDOW);
    }
    space_saving_free(summary);
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

static void windows_of_all_profiles_are_right(void **state) {
    size_t profiles;
    const struct lab_profile *profile = lab_profile_table(&profiles);
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (size_t i = 0; i < profiles; i++)
            if (strcmp(profile[i].name, "zipf") == 0 || seed % 4 == 0) assert_windows(profile[i].name, seed);
}

/* A hot spot that moves in the middle of a window of a second is named in the next one at the latest. */
static void a_moved_hot_spot_is_named_within_two_windows(void **state) {
    struct lab_parameters parameters;
    struct space_saving *summary = space_saving_new(1);
    assert_int_equal(lab_parameters_default("moving_hotspot", &parameters), STATUS_OK);
    parameters.hot_shift_s = 2.5;
    parameters.duration_s = 8;
    for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
        struct lab_schedule *schedule;
        struct lab_timeline *timeline;
        struct lab_operation operation;
        parameters.seed = (int64_t)seed;
        assert_int_equal(lab_schedule_new(&parameters, &schedule), STATUS_OK);
        assert_int_equal(lab_timeline_new(schedule, 0, 1, true, &timeline), STATUS_OK);
        for (int64_t second = 0; second < 8; second++) {
            space_saving_reset(summary);
            while (lab_timeline_next_ns(timeline) < (second + 1) * 1000000000) {
                assert_true(lab_timeline_pop(timeline, &operation));
                space_saving_touch(summary, key_of(operation.key, false));
            }
            assert_int_equal(space_saving_top(summary, entries, 4), 4);
            for (int i = 0; i < 2; i++) { /* at 2.5 s they move: in second 3 both are named, in their order */
                int rank = lab_schedule_hot_rank(schedule, number_of(entries[i].key), second * 1000000000);
                if (second % 5 != 2) assert_int_equal(rank, i);
            }
        }
        lab_timeline_free(timeline);
        lab_schedule_free(schedule);
    }
    space_saving_free(summary);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_hold_for_every_key),
        cmocka_unit_test(few_keys_are_counted_exactly),
        cmocka_unit_test(a_frequent_key_gets_in_late),
        cmocka_unit_test(the_top_is_in_order),
        cmocka_unit_test(seed_and_history_change_nothing),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(merged_ones_keep_the_bounds),
        cmocka_unit_test(merging_with_an_empty_one_changes_nothing),
        cmocka_unit_test(totals_end_at_their_limit),
        cmocka_unit_test(windows_of_all_profiles_are_right),
        cmocka_unit_test(a_moved_hot_spot_is_named_within_two_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
