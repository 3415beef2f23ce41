/* The schedule: one seed is one sequence however it is shared out, its times are exact, its hot keys move when they
 * should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "hotkey/schedule.h"

#define SECOND INT64_C(1000000000)
#define OPERATIONS_MAX 400000
#define STEP_MAX 7

static struct lab_operation operations[OPERATIONS_MAX], others[OPERATIONS_MAX];
static struct lab_parameters base; /* small: 20 clients, 3 seconds */

static int set_base(void **state) {
    assert_int_equal(lab_parameters_default("default", &base), STATUS_OK);
    base.duration_s = 3;
    base.keys = 100;
    base.classes[LAB_HOT].clients = 13;
    base.classes[LAB_NORMAL].clients = 7;
    base.classes[LAB_NORMAL].rate = 40;
    return 0;
}

static struct lab_schedule *schedule_of(const struct lab_parameters *parameters) {
    struct lab_schedule *schedule;
    assert_int_equal(lab_schedule_new(parameters, &schedule), STATUS_OK);
    return schedule;
}

static struct lab_timeline *timeline_of(const struct lab_schedule *schedule, uint32_t first, uint32_t step) {
    struct lab_timeline *timeline;
    assert_int_equal(lab_timeline_new(schedule, first, step, true, &timeline), STATUS_OK);
    return timeline;
}

static bool is_before(const struct lab_operation *a, const struct lab_operation *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->client < b->client;
}

/* All operations in order, drawn by `step` timelines as if each were a thread's; returns how many. */
static size_t draw(const struct lab_parameters *parameters, uint32_t step, struct lab_operation *out) {
    struct lab_schedule *schedule = schedule_of(parameters);
    struct lab_timeline *timelines[STEP_MAX];
    struct lab_operation heads[STEP_MAX];
    bool has_head[STEP_MAX];
    for (uint32_t i = 0; i < step; i++) {
        timelines[i] = timeline_of(schedule, i, step);
        has_head[i] = lab_timeline_pop(timelines[i], &heads[i]);
    }
    size_t count = 0;
    for (;;) {
        int best = -1;
        for (uint32_t i = 0; i < step; i++)
            if (has_head[i] && (best < 0 || is_before(&heads[i], &heads[best]))) best = (int)i;
        if (best < 0) break;
        assert_true(count < OPERATIONS_MAX);
        out[count++] = heads[best];
        has_head[best] = lab_timeline_pop(timelines[best], &heads[best]);
    }
    for (uint32_t i = 0; i < step; i++) {
        assert_true(lab_timeline_is_over(timelines[i]));
        lab_timeline_free(timelines[i]);
    }
    lab_schedule_free(schedule);
    return count;
}

static void assert_equal_operations(const struct lab_operation *a, const struct lab_operation *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].at_ns, b[i].at_ns);
        assert_int_equal(a[i].client, b[i].client);
        assert_int_equal(a[i].number, b[i].number);
        assert_int_equal(a[i].key, b[i].key);
        assert_int_equal(a[i].class, b[i].class);
        assert_int_equal(a[i].kind, b[i].kind);
    }
}

/* Parameters of all kinds, numbered. */
static struct lab_parameters variant(int number) {
    struct lab_parameters parameters = base;
    parameters.seed = number * 1000003;
    parameters.classes[LAB_HOT].arrival = number % LAB_ARRIVALS;
    parameters.classes[LAB_NORMAL].arrival = number / LAB_ARRIVALS % LAB_ARRIVALS;
    parameters.normal_keys = number / 2 % LAB_DISTRIBUTIONS;
    parameters.hot_keys = 1 + number % 5;
    parameters.hot_share = number % 3 / 2.0;
    parameters.hot_shift_s = number % 2 * 0.7;
    return parameters;
}
enum { VARIANTS = 32 };

/* --- sequences --- */

static void threads_do_not_change_the_sequence(void **state) {
    for (int number = 0; number < VARIANTS; number++) {
        struct lab_parameters parameters = variant(number);
        size_t count = draw(&parameters, 1, operations);
        assert_true(count > 1000);
        static const uint32_t steps[] = {1, 2, 3, 7};
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            assert_int_equal(draw(&parameters, steps[i], others), count);
            assert_equal_operations(operations, others, count);
        }
    }
}

static void operations_come_in_order(void **state) {
    for (int number = 0; number < VARIANTS; number++) {
        struct lab_parameters parameters = variant(number);
        uint32_t numbers[20] = {0};
        size_t count = draw(&parameters, 1, operations);
        for (size_t i = 0; i < count; i++) {
            const struct lab_operation *operation = &operations[i];
            assert_in_range(operation->at_ns, 0, 3 * SECOND - 1);
            assert_true(operation->client < 20 && operation->key < 100 && operation->kind < LAB_KINDS);
            assert_int_equal(operation->number, numbers[operation->client]++);
            assert_int_equal(operation->class, operation->client < 13 ? LAB_HOT : LAB_NORMAL);
            if (i > 0) assert_false(is_before(operation, &operations[i - 1]));
        }
    }
}

static void a_client_alone_draws_the_same(void **state) {
    struct lab_parameters parameters = variant(8);
    struct lab_schedule *schedule = schedule_of(&parameters);
    size_t count = draw(&parameters, 1, operations), seen = 0;
    for (uint32_t number = 0; number < lab_schedule_clients(schedule); number++) {
        struct lab_client client;
        struct lab_operation operation;
        lab_client_init(schedule, number, &client);
        for (size_t i = 0; i < count; i++) {
            if (operations[i].client != number) continue;
            assert_true(lab_client_next(schedule, &client, &operation));
            assert_equal_operations(&operations[i], &operation, 1);
            seen++;
        }
        assert_false(lab_client_next(schedule, &client, &operation));
        assert_false(lab_client_next(schedule, &client, &operation));
    }
    assert_int_equal(seen, count);
    lab_schedule_free(schedule);
}

static void other_seeds_are_other_sequences(void **state) {
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    base.hot_share = 0;
    for (int64_t seed = 0; seed < 20; seed++) {
        base.seed = seed;
        size_t count = draw(&base, 1, operations), same_key = 0, same_time = 0;
        base.seed = seed + 1;
        size_t other_count = draw(&base, 1, others);
        if (other_count < count) count = other_count;
        for (size_t i = 0; i < count; i++) {
            same_key += operations[i].key == others[i].key;
            same_time += operations[i].at_ns == others[i].at_ns;
        }
        assert_true(same_key < count / 50); /* one in a hundred is chance */
        assert_true(same_time < 5);
    }
}

static void clients_do_not_repeat_each_other(void **state) {
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    base.hot_share = 0;
    struct lab_schedule *schedule = schedule_of(&base);
    struct lab_client one, other;
    struct lab_operation first, second;
    for (uint32_t number = 0; number + 1 < 13; number++) {
        int same = 0;
        lab_client_init(schedule, number, &one);
        lab_client_init(schedule, number + 1, &other);
        for (int i = 0; i < 200; i++) {
            assert_true(lab_client_next(schedule, &one, &first) && lab_client_next(schedule, &other, &second));
            same += first.key == second.key;
        }
        assert_true(same < 12); /* two are to be expected */
    }
    lab_schedule_free(schedule);
}

static int compare_times(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* No client of any seed has the sequence of another one: their first times are 650 different ones. */
static void no_two_clients_of_any_seeds_are_the_same(void **state) {
    enum { SEEDS = 50, CLIENTS = 13 };
    static int64_t times[SEEDS * CLIENTS];
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    for (base.seed = 0; base.seed < SEEDS; base.seed++) {
        struct lab_schedule *schedule = schedule_of(&base);
        for (uint32_t number = 0; number < CLIENTS; number++) {
            struct lab_client client;
            lab_client_init(schedule, number, &client);
            times[base.seed * CLIENTS + number] = client.next_ns;
        }
        lab_schedule_free(schedule);
    }
    qsort(times, SEEDS * CLIENTS, sizeof *times, compare_times);
    for (int i = 1; i < SEEDS * CLIENTS; i++)
        assert_true(times[i] > times[i - 1]);
}

static void a_longer_run_begins_with_the_shorter(void **state) {
    for (int number = 0; number < VARIANTS; number++) {
        struct lab_parameters parameters = variant(number);
        size_t count = draw(&parameters, 1, operations);
        parameters.duration_s *= 1.7;
        assert_true(draw(&parameters, 1, others) > count);
        assert_equal_operations(operations, others, count);
        assert_true(others[count].at_ns >= 3 * SECOND);
    }
}

/* Runs that differ in one parameter share all else: what differs in their figures is the doing of that parameter. */
static void keys_and_kinds_do_not_depend_on_times(void **state) {
    struct lab_operation first, second;
    for (int arrival = 0; arrival < LAB_ARRIVALS; arrival++) {
        struct lab_parameters parameters = base;
        parameters.hot_share = 0.5;
        struct lab_schedule *uniform = schedule_of(&parameters);
        parameters.classes[LAB_HOT].arrival = arrival;
        parameters.classes[LAB_HOT].rate = 77;
        struct lab_schedule *schedule = schedule_of(&parameters);
        struct lab_client one, other;
        lab_client_init(uniform, 5, &one);
        lab_client_init(schedule, 5, &other);
        for (int i = 0; i < 200; i++) {
            assert_true(lab_client_next(uniform, &one, &first) && lab_client_next(schedule, &other, &second));
            assert_int_equal(first.key, second.key);
            assert_int_equal(first.kind, second.kind);
            lab_client_answered(schedule, &other, second.at_ns + 12345);
        }
        lab_schedule_free(uniform);
        lab_schedule_free(schedule);
    }
}

/* --- times --- */

static void uniform_and_burst_counts_are_exact(void **state) {
    for (int arrival = LAB_UNIFORM; arrival <= LAB_BURST; arrival++) {
        base.classes[LAB_HOT].arrival = base.classes[LAB_NORMAL].arrival = arrival;
        for (base.seed = 0; base.seed < 20; base.seed++) {
            uint32_t counts[20] = {0};
            size_t count = draw(&base, 1, operations);
            for (size_t i = 0; i < count; i++)
                counts[operations[i].client]++;
            for (uint32_t client = 0; client < 20; client++)
                assert_int_equal(counts[client], client < 13 ? 300 : 120);
        }
    }
}

/* Each gap within one ns of the period, and no drift after a day: 1/3 s is no whole number of ns. */
static void uniform_gaps_are_exact(void **state) {
    base.classes[LAB_HOT].rate = 3;
    base.duration_s = 86400;
    struct lab_schedule *schedule = schedule_of(&base);
    struct lab_operation operation;
    struct lab_client client;
    lab_client_init(schedule, 4, &client);
    assert_true(lab_client_next(schedule, &client, &operation));
    int64_t start = operation.at_ns, before = start;
    assert_in_range(start, 0, SECOND / 3);
    for (int64_t i = 1; i < 3 * 86400; i++) {
        assert_true(lab_client_next(schedule, &client, &operation));
        assert_in_range(operation.at_ns - before, SECOND / 3, SECOND / 3 + 1);
        assert_in_range(operation.at_ns - start, i * SECOND / 3 - 1, i * SECOND / 3 + 1);
        before = operation.at_ns;
    }
    assert_false(lab_client_next(schedule, &client, &operation));
    lab_schedule_free(schedule);
}

static void phases_spread_over_the_period(void **state) {
    base.classes[LAB_HOT].clients = 10000;
    base.classes[LAB_HOT].rate = 1;
    struct lab_schedule *schedule = schedule_of(&base);
    int tenths[10] = {0};
    for (uint32_t number = 0; number < 10000; number++) {
        struct lab_client client;
        lab_client_init(schedule, number, &client);
        tenths[client.next_ns / (SECOND / 10)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 880, 1120); /* four deviations of 30 */
    lab_schedule_free(schedule);
}

/* All clients of a class at the same moments, each with a whole burst, and burst_size / rate apart. */
static void bursts_keep_the_mean_rate(void **state) {
    base.classes[LAB_HOT].arrival = LAB_BURST;
    base.classes[LAB_NORMAL].clients = 0;
    base.burst_size = 25;
    for (base.seed = 1; base.seed < 10; base.seed++) {
        size_t count = draw(&base, 1, operations), burst = 13 * 25;
        assert_int_equal(count, 13 * 300);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(operations[i].at_ns, operations[i / burst * burst].at_ns);
            assert_int_equal(operations[i].client, i % burst / 25);
            if (i >= burst)
                assert_in_range(operations[i].at_ns - operations[i - burst].at_ns, SECOND / 4 - 1, SECOND / 4 + 1);
        }
        assert_in_range(operations[0].at_ns, 0, SECOND / 4);
    }
}

/* --- shares --- */

static void shares_of_none_and_all_are_exact(void **state) {
    struct lab_schedule *schedule = schedule_of(&base);
    for (int all = 0; all < 2; all++) {
        base.hot_share = all;
        base.classes[LAB_HOT].read_ratio = all;
        base.classes[LAB_NORMAL].read_ratio = 1 - all;
        size_t count = draw(&base, 1, operations), on_hot_key = 0, hot = 0;
        for (size_t i = 0; i < count; i++) {
            bool is_hot = operations[i].class == LAB_HOT;
            assert_int_equal(operations[i].kind == LAB_READ, is_hot == all);
            on_hot_key += is_hot && lab_schedule_hot_rank(schedule, operations[i].key, 0) == 0;
            hot += is_hot;
        }
        assert_true(all ? on_hot_key == hot : on_hot_key < hot / 20);
    }
    lab_schedule_free(schedule);
}

/* --- the hot keys --- */

static void hot_keys_move_at_their_time(void **state) {
    base.hot_shift_s = 0.5;
    base.hot_keys = 3;
    base.zipf_s = 1;
    base.classes[LAB_NORMAL].clients = 0;
    struct lab_schedule *schedule = schedule_of(&base);
    size_t count = draw(&base, 1, operations);
    int uses[6][3] = {{0}};
    for (size_t i = 0; i < count; i++) {
        int rank = lab_schedule_hot_rank(schedule, operations[i].key, operations[i].at_ns);
        assert_in_range(rank, 0, 2); /* each operation on a key that is hot at its time */
        uses[operations[i].at_ns / (SECOND / 2)][rank]++;
    }
    for (int period = 0; period < 6; period++) { /* 13 x 50 operations, by Zipf's law 355, 177, 118 */
        assert_in_range(uses[period][0], 305, 405);
        assert_in_range(uses[period][1], 130, 225);
        assert_in_range(uses[period][2], 75, 160);
    }
    int hot_before = 0;
    for (uint32_t key = 0; key < 100; key++) {
        for (int64_t period = 0; period < 40; period++) {
            int64_t begin = period * SECOND / 2, end = begin + SECOND / 2 - 1;
            int rank = lab_schedule_hot_rank(schedule, key, begin);
            assert_int_equal(lab_schedule_hot_rank(schedule, key, end), rank);
            /* Not hot twice in a row, and again after all others had their turn: 100 periods of 3 keys. */
            if (rank >= 0) assert_int_equal(lab_schedule_hot_rank(schedule, key, end + 1), -1);
            assert_int_equal(lab_schedule_hot_rank(schedule, key, begin + 100 * SECOND / 2), rank);
            hot_before += period == 0 && rank >= 0;
        }
    }
    assert_int_equal(hot_before, 3);
    assert_int_equal(lab_schedule_hot_rank(schedule, 100, 0), -1);
    assert_int_equal(lab_schedule_hot_rank(schedule, UINT32_MAX, 0), -1);
    lab_schedule_free(schedule);
}

static void hot_keys_stay_without_a_shift(void **state) {
    for (base.seed = 0; base.seed < 50; base.seed++) {
        struct lab_schedule *schedule = schedule_of(&base);
        int hot = 0;
        for (uint32_t key = 0; key < 100; key++) {
            hot += lab_schedule_hot_rank(schedule, key, 0) == 0;
            assert_int_equal(lab_schedule_hot_rank(schedule, key, INT64_C(86400) * SECOND),
                             lab_schedule_hot_rank(schedule, key, 0));
        }
        assert_int_equal(hot, 1);
        lab_schedule_free(schedule);
    }
}

static void all_keys_may_be_hot(void **state) {
    static const int64_t keys[] = {1, 2, 100};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool is_taken[100] = {false};
        base.keys = base.hot_keys = keys[i];
        base.hot_shift_s = 0.1;
        struct lab_schedule *schedule = schedule_of(&base);
        for (uint32_t key = 0; key < keys[i]; key++) {
            int rank = lab_schedule_hot_rank(schedule, key, SECOND);
            assert_in_range(rank, 0, keys[i] - 1);
            assert_false(is_taken[rank]);
            is_taken[rank] = true;
        }
        assert_true(draw(&base, 3, operations) > 1000);
        lab_schedule_free(schedule);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(threads_do_not_change_the_sequence, set_base),
        cmocka_unit_test_setup(operations_come_in_order, set_base),
        cmocka_unit_test_setup(a_client_alone_draws_the_same, set_base),
        cmocka_unit_test_setup(other_seeds_are_other_sequences, set_base),
        cmocka_unit_test_setup(clients_do_not_repeat_each_other, set_base),
        cmocka_unit_test_setup(no_two_clients_of_any_seeds_are_the_same, set_base),
        cmocka_unit_test_setup(a_longer_run_begins_with_the_shorter, set_base),
        cmocka_unit_test_setup(keys_and_kinds_do_not_depend_on_times, set_base),
        cmocka_unit_test_setup(uniform_and_burst_counts_are_exact, set_base),
        cmocka_unit_test_setup(uniform_gaps_are_exact, set_base),
        cmocka_unit_test_setup(phases_spread_over_the_period, set_base),
        cmocka_unit_test_setup(bursts_keep_the_mean_rate, set_base),
        cmocka_unit_test_setup(shares_of_none_and_all_are_exact, set_base),
        cmocka_unit_test_setup(hot_keys_move_at_their_time, set_base),
        cmocka_unit_test_setup(hot_keys_stay_without_a_shift, set_base),
        cmocka_unit_test_setup(all_keys_may_be_hot, set_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
