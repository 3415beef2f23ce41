/* One run: traffic, measurement, detection on a target, from start to end, in this process.
 *
 * Threads: lab_run blocks the calling thread until the run is over; workers, and one that asks the server, are its own.
 * A later mitigation goes between the workers and the transport (transport.h). */
#ifndef ORDERLY_HOTKEY_RUN_H
#define ORDERLY_HOTKEY_RUN_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/random.h"
#include "hotkey/result.h"

struct lab_target_options {
    const char *host;    /* NULL or "": a private redis-server */
    uint16_t port;
    const char *user, *password; /* ACL; "" for none */
    const char *server_program;  /* "redis-server", looked up in PATH */
};

struct lab_run_options {
    const struct lab_parameters *parameters; /* checked */
    struct lab_target_options target;
    struct uuid run_id;
    const struct clock *clock;
    struct random *random;
    atomic_bool *stop; /* set by anybody: the run ends within a second, and the result is complete */
    /* Called on lab_run's thread once a second; the second is valid until it returns. May be NULL. */
    void (*tick)(void *data, const struct lab_result *so_far, const struct lab_second *second);
    void (*ready)(void *data, const struct lab_result *so_far); /* the target answers, the run begins; may be NULL */
    void *data;
    bool without_detector; /* to measure its cost */
};

/* Runs. OK: result_out is complete, also after a stop and after the loss of the target in mid-run (see result_out->end).
 * Else nothing ran and nothing is left behind: UNAVAILABLE (the target does not answer, refuses the password, is loading…:
 * error names address, reason and remedy), NOT_FOUND (no server_program for a private target), INVALID (fault_freeze_ms on a
 * user's server), NO_MEMORY, IO. */
enum status lab_run(const struct lab_run_options *options, struct lab_result *result_out, struct error *error);

#endif
