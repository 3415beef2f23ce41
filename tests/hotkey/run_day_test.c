/* Twenty-four hours of a run under a moved clock: memory stays flat, and every operation is accounted for. */
#include <stdio.h>

#include "fake_run.h"

#define LIST_FULL_S (5 * 3600) /* the list of seconds has all its memory by then */
#define MEMORY_GROWTH_MAX (1u << 20)

static size_t rss_when_full, rss_now;

/* Memory of this process that is no file's, in bytes. */
static size_t anonymous_rss(void) {
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %lu kB", &kib) == 1) break;
    fclose(file);
    return kib * 1024;
}

static void look(struct fake_run *run, const struct lab_second *second) {
    (void)run;
    if (second->second % 3600 != 0) return;
    rss_now = anonymous_rss();
    if (second->second == LIST_FULL_S) rss_when_full = rss_now;
}

static void test_a_day(void **state) {
    struct fake_run run;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "86400", "--hot-clients", "5", "--hot-rate", "1", "--normal-clients", "5",
             "--normal-rate", "1", "--normal-arrival", "poisson", "--keys", "100", "--ttl-s", "60");
    run.tick = look;
    fake_run_go(&run);
    struct lab_class_counts all = fake_run_all(&run);
    assert_int_equal(run.ticks, 86400);
    assert_int_equal(run.result.end, LAB_END_DURATION);
    assert_int_equal(run.result.counts[LAB_HOT].completed, 5 * 86400);
    assert_true(all.completed > 850000);
    assert_int_equal(all.completed, all.offered);
    assert_int_equal(run.fake.gets + run.fake.sets, all.sent);
    assert_true(run.result.second_count > RUN_SECONDS_MAX / 2 - 1 && run.result.second_count <= RUN_SECONDS_MAX);
    for (size_t i = 1; i < run.result.second_count; i++) /* evenly, from the first to the last */
        assert_int_equal(run.result.seconds[i].second - run.result.seconds[i - 1].second, 16);
    assert_true(run.result.late->max <= 1000);
    assert_true(rss_when_full > 0);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* whose own memory grows */
    if (rss_now > rss_when_full + MEMORY_GROWTH_MAX)
        fail_msg("%zu bytes after five hours, %zu after a day", rss_when_full, rss_now);
#endif
    lab_result_free(&run.result);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_day)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
