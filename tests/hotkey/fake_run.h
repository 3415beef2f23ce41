/* A run of the lab on a transport without a server, under a clock that moves as fast as the program can. */
#ifndef ORDERLY_TESTS_HOTKEY_FAKE_RUN_H
#define ORDERLY_TESTS_HOTKEY_FAKE_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_transport.h"
#include "hotkey/run_parts.h"

struct fake_run {
    struct fake fake;
    struct lab_parameters parameters;
    struct lab_result result;
    atomic_bool stop;
    void (*tick)(struct fake_run *run, const struct lab_second *second); /* may be NULL */
    bool without_detector;
    uint64_t ticks;
    struct lab_second worst; /* the last second whose target was not well */
};

/* Reads the flags (NULL-terminated) and prepares a fake that answers. */
static inline void fake_run_init(struct fake_run *run, const char *const *flags) {
    static struct lab_problems problems;
    memset(run, 0, sizeof *run);
    fake_init(&run->fake);
    assert_int_equal(lab_parameters_read_flags((char *const *)flags, &run->parameters, &problems), STATUS_OK);
}
#define FAKE_RUN(run, ...) fake_run_init((run), (const char *const[]){__VA_ARGS__, NULL})

static inline void fake_run_tick(void *data, const struct lab_result *so_far, const struct lab_second *second) {
    struct fake_run *run = data;
    run->ticks++;
    if (second->target != LAB_TARGET_UP) run->worst = *second;
    if (run->tick) run->tick(run, second);
}

static inline void fake_run_go(struct fake_run *run) {
    struct random_seeded random;
    struct error error = {""};
    random_seeded_init(&random, 1);
    struct run_parts parts = {.transport_new = fake_transport_new, .data = &run->fake, .waits_for_coordinator = true};
    struct lab_run_options options = {
        .parameters = &run->parameters,
        .clock = &run->fake.clock.base,
        .random = &random.base,
        .stop = &run->stop,
        .tick = fake_run_tick,
        .data = run,
        .without_detector = run->without_detector,
    };
    assert_int_equal(run_with(&options, &parts, &run->result, &error), STATUS_OK);
    assert_int_equal(run->fake.opened, run->fake.closed);
}

static inline struct lab_class_counts fake_run_all(const struct fake_run *run) {
    struct lab_class_counts all = run->result.counts[LAB_HOT];
    slice_add_counts(&all, &run->result.counts[LAB_NORMAL]);
    return all;
}

#endif
