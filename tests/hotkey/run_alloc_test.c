/* Allocations that fail while a run is prepared: NO_MEMORY and nothing left. And none is made per operation. */
#include "fake_run.h"
#include "support/failing_alloc.h"

#define ALLOCATIONS_MAX 200

/* As fake_run_go, but it may fail. */
static enum status go(struct fake_run *run, void (*ready)(void *data, const struct lab_result *so_far),
                      struct error *error) {
    struct random_seeded random;
    random_seeded_init(&random, 1);
    struct run_parts parts = {.transport_new = fake_transport_new, .data = &run->fake, .waits_for_coordinator = true};
    struct lab_run_options options = {.parameters = &run->parameters,
                                      .clock = &run->fake.clock.base,
                                      .random = &random.base,
                                      .stop = &run->stop,
                                      .ready = ready};
    return run_with(&options, &parts, &run->result, error);
}

static void test_each_allocation_may_fail(void **state) {
    struct error error = {""};
    enum status status = STATUS_NO_MEMORY;
    long failures = 0;
    (void)state;
    for (; status != STATUS_OK && failures < ALLOCATIONS_MAX; failures++) {
        struct fake_run run;
        FAKE_RUN(&run, "--duration-s", "0.2", "--profile", "zipf", "--threads", "1");
        failing_alloc_arm(failures + 1);
        status = go(&run, NULL, &error);
        assert_int_equal(status, failing_alloc_disarm() ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(run.fake.opened, run.fake.closed);
        if (status != STATUS_OK) assert_string_equal(error.text, "out of memory");
        if (status == STATUS_OK) lab_result_free(&run.result);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(failures > 30);
}

static void arm(void *data, const struct lab_result *so_far) {
    (void)data, (void)so_far;
    failing_alloc_arm(2); /* the list of seconds is the first */
}

static void test_none_per_operation(void **state) {
    struct fake_run run;
    struct error error;
    (void)state;
    FAKE_RUN(&run, "--duration-s", "60", "--ttl-s", "1", "--normal-arrival", "closed");
    run.fake.freeze_ns = INT64_C(10000000000);
    run.fake.thaw_ns = INT64_C(15000000000);
    run.fake.lost_ns = INT64_C(20000000000);
    run.fake.back_ns = INT64_C(22000000000);
    assert_int_equal(go(&run, arm, &error), STATUS_OK);
    assert_false(failing_alloc_disarm());
    assert_true(fake_run_all(&run).completed > 250000);
    lab_result_free(&run.result);
}

static void test_a_transport_needs_memory(void **state) {
    struct transport_options options = {.clock = clock_system(),
                                        .user = "",
                                        .password = "",
                                        .key_prefix = "orderly:lab:x:",
                                        .connections = 10,
                                        .pipeline = 16,
                                        .value_bytes = 1000};
    struct transport *transport = NULL;
    enum status status = STATUS_NO_MEMORY;
    long failures = 0;
    (void)state;
    for (; status != STATUS_OK && failures < ALLOCATIONS_MAX; failures++) {
        failing_alloc_arm(failures + 1);
        status = redis_transport_new(&options, &transport, NULL);
        assert_int_equal(status, failing_alloc_disarm() ? STATUS_NO_MEMORY : STATUS_OK);
    }
    assert_int_equal(failures, 5);
    transport_close(transport);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_none_per_operation),
        cmocka_unit_test(test_a_transport_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
