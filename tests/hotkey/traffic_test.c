/* What is drawn follows the distributions that it names: chi-square for keys and shares, Kolmogorov-Smirnov for times.
 * The seeds are fixed, so nothing here depends on luck; the thresholds are such that a right generator passes nearly
 * all seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "hotkey/keys.h"
#include "hotkey/schedule.h"

#define DRAWS 200000
#define KEYS_MAX 1000
#define DEVIATIONS_MAX 3.5 /* of a normal variable: one in 2,000 is beyond */
#define KS_MAX 1.95        /* of sqrt(n) D: one in 1,000 is above */
#define EXPECTED_MIN 5     /* smaller cells are taken together */

static struct lab_parameters base;
static double counts[KEYS_MAX], expected[KEYS_MAX];

static int set_base(void **state) {
    assert_int_equal(lab_parameters_default("default", &base), STATUS_OK);
    base.keys = KEYS_MAX;
    base.duration_s = 86400;
    memset(counts, 0, sizeof counts);
    return 0;
}

static struct lab_schedule *new_schedule(void) {
    struct lab_schedule *schedule;
    assert_int_equal(lab_schedule_new(&base, &schedule), STATUS_OK);
    return schedule;
}

/* Chi-square of counts against expected (both are scaled to the same sum), as deviations of a normal variable (Wilson
 * and Hilferty). */
static double chi_square_deviations(size_t cells) {
    double total = 0, sum = 0, chi = 0, count = 0, wanted = 0;
    size_t freedom = 0;
    for (size_t i = 0; i < cells; i++)
        total += counts[i], sum += expected[i];
    for (size_t i = 0; i < cells; i++) {
        count += counts[i];
        wanted += expected[i] * total / sum;
        if (wanted < EXPECTED_MIN && i + 1 < cells) continue;
        chi += (count - wanted) * (count - wanted) / wanted;
        freedom++;
        count = wanted = 0;
    }
    double k = (double)(freedom - 1);
    return (cbrt(chi / k) - (1 - 2 / (9 * k))) / sqrt(2 / (9 * k));
}

static void assert_fits(size_t cells) {
    double deviations = chi_square_deviations(cells);
    if (fabs(deviations) > DEVIATIONS_MAX) fail_msg("%.2f deviations", deviations); /* too good is wrong too */
}

static void set_zipf(double s, size_t cells) {
    for (size_t rank = 0; rank < cells; rank++)
        expected[rank] = pow((double)rank + 1, -s);
}

/* --- keys --- */

/* Counts what one normal client takes; each key by its number, or by its place in the shuffle. */
static void count_keys(bool by_place) {
    base.classes[LAB_HOT].clients = 0;
    base.hot_keys = base.keys; /* so that the rank among the hot keys is the place in the shuffle */
    struct lab_schedule *schedule = new_schedule();
    struct lab_operation operation;
    struct lab_client client;
    lab_client_init(schedule, 3, &client);
    for (int i = 0; i < DRAWS; i++) {
        assert_true(lab_client_next(schedule, &client, &operation));
        counts[by_place ? (uint32_t)lab_schedule_hot_rank(schedule, operation.key, 0) : operation.key]++;
    }
    lab_schedule_free(schedule);
}

static void uniform_keys_are_uniform(void **state) {
    base.normal_keys = LAB_KEYS_UNIFORM;
    count_keys(false);
    set_zipf(0, KEYS_MAX);
    assert_fits(KEYS_MAX);
}

static void zipf_keys_follow_zipfs_law(void **state) {
    static const double exponents[] = {0.01, 0.5, 0.99, 1, 1.01, 1.5, 2, 3};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        set_base(NULL);
        base.normal_keys = LAB_KEYS_ZIPF;
        base.zipf_s = exponents[i];
        base.seed = (int64_t)i;
        count_keys(true);
        set_zipf(exponents[i], KEYS_MAX);
        assert_fits(KEYS_MAX);
        set_zipf(exponents[i] + 0.05, KEYS_MAX); /* and the test can tell */
        assert_true(chi_square_deviations(KEYS_MAX) > 5);
    }
}

static void zipf_keys_are_scattered(void **state) {
    int neighbours = 0;
    base.hot_keys = KEYS_MAX;
    for (base.seed = 0; base.seed < 200; base.seed++) {
        struct lab_schedule *schedule = new_schedule();
        uint32_t top[2] = {0, 0};
        for (uint32_t key = 0; key < KEYS_MAX; key++) {
            int rank = lab_schedule_hot_rank(schedule, key, 0);
            if (rank < 2) top[rank] = key;
        }
        counts[top[0] / (KEYS_MAX / 10)]++; /* where the most popular one lies, over all seeds */
        neighbours += llabs((long long)top[0] - top[1]) == 1;
        lab_schedule_free(schedule);
    }
    set_zipf(0, 10);
    assert_fits(10);
    assert_true(neighbours < 5);
}

static void hotspot_keys_are_a_fifth_with_four_fifths(void **state) {
    base.normal_keys = LAB_KEYS_HOTSPOT;
    count_keys(false);
    for (size_t key = 0; key < KEYS_MAX; key++)
        expected[key] = key < KEYS_MAX / 5 ? 4 : 0.25;
    assert_fits(KEYS_MAX);
}

static void latest_keys_are_those_with_the_highest_numbers(void **state) {
    base.normal_keys = LAB_KEYS_LATEST;
    count_keys(false);
    for (size_t key = 0; key < KEYS_MAX; key++)
        expected[key] = pow((double)(KEYS_MAX - key), -0.99);
    assert_fits(KEYS_MAX);
}

static void one_key_is_enough_for_all_distributions(void **state) {
    base.keys = 1;
    for (base.normal_keys = 0; base.normal_keys < LAB_DISTRIBUTIONS; base.normal_keys++)
        count_keys(false);
    assert_true(counts[0] == LAB_DISTRIBUTIONS * DRAWS);
    assert_int_equal(hotspot_draw(2, UINT64_MAX), 1);
    assert_int_equal(hotspot_draw(5, 0), 0);
    assert_int_equal(hotspot_draw(1000000, UINT64_MAX), 999999);
}

/* A million keys: exact where it can be seen, for the first ranks and the sum of the last. */
static void large_tables_are_right_at_both_ends(void **state) {
    enum { COUNT = 1000000 };
    struct rank_sampler sampler;
    struct random_seeded random;
    random_seeded_init(&random, 5);
    assert_int_equal(rank_sampler_init(&sampler, COUNT, 1), STATUS_OK);
    for (int i = 0; i < 10 * DRAWS; i++) {
        uint32_t rank = rank_sampler_draw(&sampler, random_seeded_next(&random));
        assert_true(rank < COUNT);
        counts[rank < 100 ? rank : rank < COUNT / 2 ? 100 : 101]++;
    }
    set_zipf(1, 100);
    expected[100] = expected[101] = 0;
    for (uint32_t rank = 100; rank < COUNT; rank++)
        expected[rank < COUNT / 2 ? 100 : 101] += 1.0 / (rank + 1);
    assert_fits(102);
    rank_sampler_free(&sampler);
}

/* --- shares --- */

static void assert_share(double seen, double n, double share) {
    assert_true(fabs(seen - n * share) < DEVIATIONS_MAX * sqrt(n * share * (1 - share)));
}

static void shares_are_as_asked(void **state) {
    static const double shares[] = {0.001, 0.1, 0.5, 0.95};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        base.hot_share = shares[i];
        base.classes[LAB_HOT].read_ratio = shares[3 - i];
        struct lab_schedule *schedule = new_schedule();
        struct lab_operation operation;
        struct lab_client client;
        double hot = 0, reads = 0, both = 0;
        lab_client_init(schedule, 7, &client);
        for (int k = 0; k < DRAWS; k++) {
            assert_true(lab_client_next(schedule, &client, &operation));
            bool is_hot = lab_schedule_hot_rank(schedule, operation.key, 0) == 0;
            hot += is_hot;
            reads += operation.kind == LAB_READ;
            both += is_hot && operation.kind == LAB_READ;
        }
        double hot_share = shares[i] + (1 - shares[i]) / KEYS_MAX; /* a normal key may be the hot one */
        assert_share(hot, DRAWS, hot_share);
        assert_share(reads, DRAWS, shares[3 - i]);
        assert_share(both, DRAWS, hot_share * shares[3 - i]); /* one says nothing of the other */
        lab_schedule_free(schedule);
    }
}

static void hot_keys_share_by_zipfs_law(void **state) {
    base.hot_keys = 20;
    struct lab_schedule *schedule = new_schedule();
    struct lab_operation operation;
    struct lab_client client;
    lab_client_init(schedule, 0, &client);
    for (int i = 0; i < DRAWS; i++) {
        assert_true(lab_client_next(schedule, &client, &operation));
        counts[lab_schedule_hot_rank(schedule, operation.key, 0)]++;
    }
    set_zipf(base.zipf_s, 20);
    assert_fits(20);
    lab_schedule_free(schedule);
}

/* --- times --- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Values that should be uniform from 0 to 1. */
static void assert_uniform(double *values, size_t count) {
    double distance = 0;
    qsort(values, count, sizeof *values, compare);
    for (size_t i = 0; i < count; i++) {
        distance = fmax(distance, values[i] - (double)i / (double)count);
        distance = fmax(distance, (double)(i + 1) / (double)count - values[i]);
    }
    double statistic = distance * sqrt((double)count);
    if (statistic > KS_MAX || statistic < 0.3) fail_msg("sqrt(n) D is %.3f", statistic);
}

/* The gaps of a Poisson process, put through their distribution function, are uniform. */
static void poisson_gaps_are_exponential(void **state) {
    static double values[DRAWS / 4];
    const size_t count = sizeof values / sizeof *values;
    static const double rates[] = {0.9, 100, 20000, 1e6};
    struct lab_operation operation;
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        base.classes[LAB_HOT].rate = rates[i];
        struct lab_schedule *schedule = new_schedule();
        struct lab_client client;
        int64_t before = 0;
        lab_client_init(schedule, (uint32_t)i, &client);
        for (size_t k = 0; k < count; k++) {
            assert_true(lab_client_next(schedule, &client, &operation));
            values[k] = 1 - exp(((double)before - (double)operation.at_ns) * rates[i] / 1e9);
            before = operation.at_ns;
        }
        assert_true(fabs((double)before * rates[i] / 1e9 - (double)count) < DEVIATIONS_MAX * sqrt((double)count));
        assert_uniform(values, count);
        lab_schedule_free(schedule);
    }
}

/* Many Poisson clients together are one, of all their rates: independent of each other. */
static void poisson_clients_are_independent(void **state) {
    static double values[DRAWS / 4];
    size_t count = 0;
    struct lab_timeline *timeline;
    struct lab_operation operation;
    base.classes[LAB_HOT].arrival = LAB_POISSON;
    base.classes[LAB_NORMAL].clients = 0;
    struct lab_schedule *schedule = new_schedule();
    assert_int_equal(lab_timeline_new(schedule, 0, 1, true, &timeline), STATUS_OK);
    for (int64_t before = 0; count < sizeof values / sizeof *values; before = operation.at_ns) {
        assert_true(lab_timeline_pop(timeline, &operation));
        values[count++] = 1 - exp((double)(before - operation.at_ns) * 50 * 100 / 1e9);
    }
    assert_uniform(values, count);
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

/* Where bursts lie differs from seed to seed, evenly. */
static void burst_phases_are_uniform_over_seeds(void **state) {
    static double values[2000];
    base.classes[LAB_HOT].arrival = LAB_BURST;
    base.keys = 1;
    for (base.seed = 0; base.seed < 2000; base.seed++) {
        struct lab_schedule *schedule = new_schedule();
        struct lab_client client;
        lab_client_init(schedule, 0, &client);
        values[base.seed] = (double)client.next_ns / (10 * 1e7); /* bursts of 10, 10 ms for each */
        lab_schedule_free(schedule);
    }
    assert_uniform(values, 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(uniform_keys_are_uniform, set_base),
        cmocka_unit_test_setup(zipf_keys_follow_zipfs_law, set_base),
        cmocka_unit_test_setup(zipf_keys_are_scattered, set_base),
        cmocka_unit_test_setup(hotspot_keys_are_a_fifth_with_four_fifths, set_base),
        cmocka_unit_test_setup(latest_keys_are_those_with_the_highest_numbers, set_base),
        cmocka_unit_test_setup(one_key_is_enough_for_all_distributions, set_base),
        cmocka_unit_test_setup(large_tables_are_right_at_both_ends, set_base),
        cmocka_unit_test_setup(shares_are_as_asked, set_base),
        cmocka_unit_test_setup(hot_keys_share_by_zipfs_law, set_base),
        cmocka_unit_test_setup(poisson_gaps_are_exponential, set_base),
        cmocka_unit_test_setup(poisson_clients_are_independent, set_base),
        cmocka_unit_test_setup(burst_phases_are_uniform_over_seeds, set_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
