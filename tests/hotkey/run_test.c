/* A run on a transport without a server: what was sent is the schedule, times are honest, faults are shown and bounded.
 */
#include "fake_run.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

static void assert_near(double value, double wanted, double share) {
    if (value < wanted * (1 - share) || value > wanted * (1 + share)) fail_msg("%g is not near %g", value, wanted);
}

/* Nothing appears or vanishes: all that was due was sent or dropped, all that was sent has an answer or failed. */
static void assert_books_balance(const struct fake_run *run) {
    for (int class = 0; class < LAB_CLASSES; class ++) {
        const struct lab_class_counts *counts = &run->result.counts[class];
        assert_int_equal(counts->offered, counts->sent + counts->dropped);
        assert_int_equal(counts->sent, counts->completed + counts->failed);
        assert_int_equal(counts->reads, counts->hits + counts->misses);
        assert_int_equal(run->result.times[class][LAB_RESPONSE]->count, counts->completed);
        assert_int_equal(run->result.times[class][LAB_SERVICE]->count, counts->completed);
    }
}

/* --- the schedule --- */

static void check_against_schedule(struct fake_run *run) {
    static uint64_t keys[FAKE_KEYS_MAX], reads[FAKE_KEYS_MAX];
    uint64_t counts[LAB_CLASSES][LAB_KINDS] = {{0}};
    struct lab_schedule *schedule;
    struct lab_timeline *timeline;
    struct lab_operation operation;
    memset(keys, 0, sizeof keys);
    memset(reads, 0, sizeof reads);
    assert_int_equal(lab_schedule_new(&run->parameters, &schedule), STATUS_OK);
    assert_int_equal(lab_timeline_new(schedule, 0, 1, true, &timeline), STATUS_OK);
    while (lab_timeline_pop(timeline, &operation)) {
        counts[operation.class][operation.kind]++;
        keys[operation.key]++;
        reads[operation.key] += operation.kind == LAB_READ;
    }
    for (int class = 0; class < LAB_CLASSES; class ++) {
        assert_int_equal(run->result.counts[class].offered, counts[class][LAB_READ] + counts[class][LAB_WRITE]);
        assert_int_equal(run->result.counts[class].reads, counts[class][LAB_READ]);
        assert_int_equal(run->result.counts[class].writes, counts[class][LAB_WRITE]);
    }
    for (int64_t key = 0; key < run->parameters.keys; key++) {
        assert_int_equal(run->result.accesses[key], keys[key]);
        assert_int_equal(run->fake.gets_of[key], reads[key]);
        assert_int_equal(run->fake.sets_of[key], keys[key] - reads[key]);
    }
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
}

static void test_what_is_sent_is_the_schedule(void **state) {
    static const char *const arrivals[] = {"uniform", "poisson", "burst"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake_run run;
        FAKE_RUN(&run, "--duration-s", "3.5", "--hot-arrival", arrivals[i], "--normal-arrival", arrivals[i], "--keys",
                 "40", "--normal-rate", "200", "--normal-keys", "zipf", "--seed", "7");
        fake_run_go(&run);
        check_against_schedule(&run);
        assert_books_balance(&run);
        assert_int_equal(run.result.end, LAB_END_DURATION);
        assert_true(run.result.schedule_kept == 1);
        assert_int_equal(run.result.second_count, 4);
        assert_near(run.result.seconds[3].length_s, 0.5, 1e-6);
        assert_true(run.result.late->max <= 1000); /* a clock that only moves in polls: nothing can be late */
        assert_true(clock_monotonic_ns(&run.fake.clock.base) - run.fake.start_ns <
                    3510 * MS); /* no waiting at the end */
        lab_result_free(&run.result);
    }
}

static void test_seconds_add_up_to_the_totals(void **state) {
    struct fake_run run;
    struct lab_class_counts sums[LAB_CLASSES] = {{0}};
    (void)state;
    FAKE_RUN(&run, "--duration-s", "5", "--hot-arrival", "poisson");
    fake_run_go(&run);
    for (size_t i = 0; i < run.result.second_count; i++) {
        assert_int_equal(run.result.seconds[i].second, i);
        for (int class = 0; class < LAB_CLASSES; class ++)
            slice_add_counts(&sums[class], &run.result.seconds[i].counts[class]);
    }
    assert_memory_equal(sums, run.result.counts, sizeof sums);
    assert_int_equal(run.ticks, 5);
    lab_result_free(&run.result);
}

/* --- time --- */

static void test_freeze_shows_in_response_time_alone(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "10", "--hot-clients", "50", "--hot-rate", "20", "--normal-clients", "0",
             "--pipeline", "1", "--connections", "5");
    run.fake.freeze_ns = 4 * S;
    run.fake.thaw_ns = 5 * S + 50 * MS; /* not just when a second ends */
    fake_run_go(&run);
    const struct histogram *response = run.result.times[LAB_HOT][LAB_RESPONSE];
    const struct histogram *service = run.result.times[LAB_HOT][LAB_SERVICE];
    assert_books_balance(&run);
    assert_int_equal(response->count, 10000);
    assert_near((double)histogram_percentile(response, 99), 950e6, 0.05);
    assert_near((double)histogram_percentile(service, 99), 0.1e6, 0.05);
    assert_near((double)service->max, 1050e6, 0.01);
    assert_int_equal(run.result.seconds[4].target, LAB_TARGET_FROZEN);
    assert_non_null(strstr(run.result.seconds[4].target_error, "no answer for 1.0 s"));
    assert_int_equal(run.result.seconds[4].behind, 995); /* 1,000 due, one under way on each connection */
    assert_int_equal(run.result.seconds[7].target, LAB_TARGET_UP);
    assert_string_equal(run.result.seconds[7].target_error, "");
    assert_int_equal(run.fake.in_pipeline_max, 1);
    assert_true(run.result.late->max <= 1000); /* the server's fault, not this program's */
    lab_result_free(&run.result);
}

static void hold_up(struct fake *fake) {
    int64_t now_ns = clock_monotonic_ns(&fake->clock.base) - fake->start_ns;
    if (now_ns > 1900 * MS && now_ns < 2000 * MS) clock_manual_advance(&fake->clock, 400);
}

/* This program itself stood still from 1.9 s on: it says so, and each second has the operations that were due in it. */
static void test_own_lateness_is_shown(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "4");
    run.fake.poll_hook = hold_up;
    fake_run_go(&run);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(run.result.seconds[i].counts[LAB_HOT].offered, 5000);
    assert_near((double)run.result.late->max, 400e6, 0.01);
    assert_near((double)run.result.seconds[2].late_max_ns, 400e6, 0.01);
    assert_true(run.result.seconds[3].late_max_ns <= 1000);
    assert_near((double)run.result.times[LAB_HOT][LAB_RESPONSE]->max, 400e6, 0.01);
    assert_books_balance(&run);
    lab_result_free(&run.result);
}

static void test_pipeline_is_kept_to(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "4", "--connections", "3", "--pipeline", "7");
    run.fake.freeze_ns = S;
    run.fake.thaw_ns = 2 * S;
    fake_run_go(&run);
    assert_int_equal(run.fake.in_pipeline_max, 7);
    assert_books_balance(&run);
    assert_int_equal(fake_run_all(&run).completed, fake_run_all(&run).offered);
    lab_result_free(&run.result);
}

/* More than the backlog has room for: the schedule itself waits, and all of it is sent in the end. */
static void test_backlog_is_bounded_and_loses_nothing(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "6", "--hot-rate", "3000", "--connections", "8", "--pipeline", "200");
    run.fake.freeze_ns = S;
    run.fake.thaw_ns = 4 * S + 50 * MS;
    fake_run_go(&run);
    assert_near((double)run.result.seconds[3].behind, 3 * 150100 - 1600, 0.01); /* less what is under way */
    assert_true(run.result.seconds[3].behind > WORKER_BACKLOG_MAX + 100000);    /* there is no room for these */
    assert_books_balance(&run);
    check_against_schedule(&run);
    lab_result_free(&run.result);
}

static void test_closed_clients_wait_for_their_answer(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "2", "--hot-clients", "4", "--hot-arrival", "closed", "--hot-rate", "0",
             "--normal-clients", "5", "--normal-arrival", "closed", "--normal-rate", "100");
    run.fake.answer_ns = MS;
    fake_run_go(&run);
    assert_near((double)run.result.counts[LAB_HOT].completed, 4 * 2000, 0.01);
    assert_near((double)run.result.counts[LAB_NORMAL].completed, 5 * 2000 / 11.0, 0.02); /* 10 ms pause, 1 ms answer */
    assert_near((double)histogram_percentile(run.result.times[LAB_HOT][LAB_RESPONSE], 100), 1e6, 0.01);
    assert_books_balance(&run);
    lab_result_free(&run.result);
}

/* --- misses --- */

static void test_miss_costs_and_is_written_back(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "2", "--hot-clients", "20", "--hot-arrival", "burst", "--burst-size", "1",
             "--hot-rate", "10", "--hot-read-ratio", "1", "--normal-clients", "0", "--miss-cost-us", "30000");
    run.fake.keeps_values = true;
    fake_run_go(&run);
    const struct lab_class_counts *counts = &run.result.counts[LAB_HOT];
    assert_int_equal(counts->misses, 20); /* all of the first burst, then it is there */
    assert_int_equal(counts->hits, counts->reads - 20);
    assert_int_equal(run.result.backend_calls, 20);
    assert_int_equal(run.result.backend_at_once, 20);
    assert_int_equal(run.result.fills, 20);
    assert_int_equal(run.fake.sets, 20); /* the fills: no write of the schedule */
    assert_int_equal(counts->writes, 0);
    assert_near((double)run.result.times[LAB_HOT][LAB_RESPONSE]->max, 30.1e6, 0.001);
    assert_near((double)histogram_percentile(run.result.times[LAB_HOT][LAB_RESPONSE], 50), 0.1e6, 0.01);
    assert_books_balance(&run);
    lab_result_free(&run.result);
}

static void test_expiry_is_spread_by_jitter(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "4", "--ttl-s", "10", "--ttl-jitter", "0.5", "--hot-read-ratio", "0");
    fake_run_go(&run);
    assert_true(run.fake.expiry_max_ms <= 10000 && run.fake.expiry_max_ms > 9950);
    assert_true(run.fake.expiry_min_ms >= 5000 && run.fake.expiry_min_ms < 5050);
    lab_result_free(&run.result);
    FAKE_RUN(&run, "--duration-s", "1", "--hot-read-ratio", "0");
    fake_run_go(&run);
    assert_int_equal(run.fake.expiry_max_ms, 0);
    lab_result_free(&run.result);
}

/* --- faults --- */

static void test_refusals_are_counted_and_shown(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "4");
    run.fake.error_from_ns = S;
    run.fake.error_until_ns = 2 * S;
    run.fake.refusal = "OOM command not allowed when used memory > 'maxmemory'.";
    fake_run_go(&run);
    assert_books_balance(&run);
    assert_int_equal(fake_run_all(&run).failed, run.fake.refused);
    assert_near((double)run.fake.refused, 5100, 0.01);
    assert_non_null(strstr(run.result.seconds[1].target_error, "OOM command not allowed"));
    assert_int_equal(run.result.seconds[1].target, LAB_TARGET_UP);
    assert_string_equal(run.result.seconds[3].target_error, "");
    assert_int_equal(run.result.end, LAB_END_DURATION);
    lab_result_free(&run.result);
}

static void test_goes_on_when_the_target_is_back(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "8", "--normal-arrival", "closed", "--normal-rate", "10");
    run.fake.lost_ns = 2 * S + 500 * MS;
    run.fake.back_ns = 5 * S + 500 * MS;
    run.fake.refusal = "Connection refused";
    fake_run_go(&run);
    assert_books_balance(&run);
    assert_int_equal(run.result.end, LAB_END_DURATION);
    assert_int_equal(run.result.seconds[3].target, LAB_TARGET_DOWN);
    assert_string_equal(run.result.seconds[4].target_error, "Connection refused");
    assert_int_equal(run.result.seconds[4].counts[LAB_HOT].dropped, 5000);
    assert_int_equal(run.result.seconds[4].counts[LAB_HOT].sent, 0);
    assert_int_equal(run.result.seconds[7].target, LAB_TARGET_UP);
    assert_int_equal(run.result.seconds[7].counts[LAB_HOT].completed, 5000);
    assert_int_equal(run.result.counts[LAB_NORMAL].dropped, 0); /* those clients waited for it */
    assert_near((double)run.result.times[LAB_NORMAL][LAB_RESPONSE]->max, 3e9, 0.05);
    lab_result_free(&run.result);
}

static void check_lost(struct fake_run *run, enum lab_target_state shown) {
    fake_run_go(run);
    assert_books_balance(run);
    assert_int_equal(run->result.end, LAB_END_TARGET_LOST);
    assert_int_equal(run->worst.target, shown);
    if (run->result.elapsed_s < 12.9 || run->result.elapsed_s > 16) fail_msg("ended after %g s", run->result.elapsed_s);
    lab_result_free(&run->result);
}

static void test_ends_when_the_target_is_lost(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "600");
    run.fake.lost_ns = 3 * S;
    run.fake.back_ns = 900 * S;
    check_lost(&run, LAB_TARGET_DOWN);
    FAKE_RUN(&run, "--duration-s", "600", "--hot-clients", "2", "--hot-rate", "5");
    run.fake.freeze_ns = 3 * S;
    run.fake.thaw_ns = 900 * S;
    check_lost(&run, LAB_TARGET_FROZEN);
}

/* Clients that wait for their answer wait for the connection too, also those that had no place in its pipeline. */
static void test_closed_clients_survive_a_lost_connection(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "4", "--hot-clients", "20", "--hot-arrival", "closed", "--hot-rate", "0",
             "--normal-clients", "0", "--connections", "1", "--pipeline", "2");
    run.fake.lost_ns = S;
    run.fake.back_ns = 2 * S;
    fake_run_go(&run);
    assert_books_balance(&run);
    assert_int_equal(run.result.counts[LAB_HOT].failed, 2);
    assert_int_equal(run.result.counts[LAB_HOT].dropped, 0);
    assert_near((double)run.result.seconds[3].counts[LAB_HOT].completed, 20000, 0.01);
    assert_near((double)histogram_percentile(run.result.times[LAB_HOT][LAB_RESPONSE], 50), 1e6,
                0.01); /* ten rounds of 0.1 ms */
    lab_result_free(&run.result);
}

/* Little traffic is no silence: a client that asks every twenty seconds and waits three has not lost its target. */
static void test_quiet_is_not_lost(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "100", "--hot-clients", "1", "--hot-rate", "0.05", "--normal-clients", "0");
    run.fake.answer_ns = 3 * S;
    fake_run_go(&run);
    assert_int_equal(run.result.end, LAB_END_DURATION);
    assert_int_equal(run.worst.target, LAB_TARGET_FROZEN);
    assert_int_equal(fake_run_all(&run).completed, 5);
    lab_result_free(&run.result);
}

static void stop_at_three(struct fake_run *run, const struct lab_second *second) {
    if (second->second == 3) atomic_store(&run->stop, true);
}

static void test_stop_ends_it_with_a_result(void **state) {
    static const struct { int64_t freeze_ns, lost_ns; } states[] = {{0, 0}, {2 * S, 0}, {0, 2 * S}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake_run run;
        FAKE_RUN(&run, "--duration-s", "600");
        run.tick = stop_at_three;
        run.fake.freeze_ns = states[i].freeze_ns;
        run.fake.lost_ns = states[i].lost_ns;
        run.fake.thaw_ns = states[i].freeze_ns ? 900 * S : 0;
        run.fake.back_ns = states[i].lost_ns ? 900 * S : 0;
        fake_run_go(&run);
        assert_int_equal(run.result.end, LAB_END_STOPPED);
        assert_books_balance(&run);
        if (run.result.elapsed_s > 8) fail_msg("stopped after %g s", run.result.elapsed_s); /* its clock is quick */
        lab_result_free(&run.result);
    }
}

/* --- detection --- */

static void test_detector_names_what_was_hot(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "6", "--profile", "moving_hotspot", "--hot-shift-s", "2");
    fake_run_go(&run);
    for (size_t i = 0; i < run.result.second_count; i++) {
        const struct lab_detection *detection = &run.result.seconds[i].detection;
        const struct lab_class_counts *counts = run.result.seconds[i].counts;
        assert_int_equal(detection->operations, counts[LAB_HOT].completed + counts[LAB_NORMAL].completed);
        assert_true(detection->true_count > 0);
        assert_int_equal(detection->found[0].key, detection->truth[0].key);
        assert_true(detection->recall == 1);
    }
    assert_int_not_equal(run.result.seconds[0].detection.truth[0].key, run.result.seconds[5].detection.truth[0].key);
    assert_true(run.result.detector_recall == 1);
    lab_result_free(&run.result);
    run.without_detector = true;
    fake_init(&run.fake);
    fake_run_go(&run);
    assert_int_equal(run.result.seconds[0].detection.found_count, 0);
    assert_true(run.result.seconds[0].detection.true_count > 0);
    assert_true(run.result.detector_recall == 0);
    lab_result_free(&run.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent_is_the_schedule),
        cmocka_unit_test(test_seconds_add_up_to_the_totals),
        cmocka_unit_test(test_freeze_shows_in_response_time_alone),
        cmocka_unit_test(test_own_lateness_is_shown),
        cmocka_unit_test(test_pipeline_is_kept_to),
        cmocka_unit_test(test_backlog_is_bounded_and_loses_nothing),
        cmocka_unit_test(test_closed_clients_wait_for_their_answer),
        cmocka_unit_test(test_miss_costs_and_is_written_back),
        cmocka_unit_test(test_expiry_is_spread_by_jitter),
        cmocka_unit_test(test_refusals_are_counted_and_shown),
        cmocka_unit_test(test_goes_on_when_the_target_is_back),
        cmocka_unit_test(test_ends_when_the_target_is_lost),
        cmocka_unit_test(test_closed_clients_survive_a_lost_connection),
        cmocka_unit_test(test_quiet_is_not_lost),
        cmocka_unit_test(test_stop_ends_it_with_a_result),
        cmocka_unit_test(test_detector_names_what_was_hot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
