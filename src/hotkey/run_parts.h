/* The inside of a run: what its files share, and what a test puts in place of the real parts. */
#ifndef ORDERLY_HOTKEY_RUN_PARTS_H
#define ORDERLY_HOTKEY_RUN_PARTS_H

#include "hotkey/run.h"
#include "hotkey/sampler.h"
#include "hotkey/target.h"
#include "hotkey/window.h"
#include "hotkey/worker.h"

#define RUN_CONNECTIONS_DEFAULT 50 /* at most, where one per client is wanted */
#define RUN_CONNECT_MS 5000        /* for all connections together */
#define RUN_START_MS 5             /* from the first thread's start to time 0 of the schedule */
#define RUN_LOST_MS 10000          /* a target that was silent for so long is lost */
#define RUN_LOOK_MS 20             /* so often the coordinator looks at the target and the fault */
#define RUN_SECONDS_ROOM 64        /* in the list of seconds at first; doubled when it is full */
#define RUN_SECONDS_MAX 8192       /* 64 times 2^n: kept; longer runs keep every second, fourth, ... one */
#define RUN_CLEAN_MS 5000          /* for removing the keys */
#define RUN_STOP_CLEAN_MS 250      /* the same after a stop, which is promised within a second */

/* What a test replaces; NULL in the program. */
struct run_parts {
    enum status (*transport_new)(void *data, const struct transport_options *options, struct transport **transport_out,
                                 struct error *error);
    void *data;
    bool waits_for_coordinator; /* the clock is moved by the transport */
};

struct run {
    const struct lab_run_options *options;
    const struct lab_parameters *parameters;
    const struct run_parts *parts;
    struct lab_result *result;
    struct target target;
    bool has_target; /* a test's transport has none */
    struct lab_schedule *schedule;
    struct worker_shared shared;
    bool is_shared_ready; /* its mutex and conditions are made */
    struct worker *workers;
    uint32_t worker_count, thread_count;
    struct window *window;
    struct sampler *sampler;
    struct lab_second second; /* the one that is being closed */
    size_t second_room;  /* of result->seconds */
    uint32_t keep_each;  /* so many seconds are one in result->seconds */
    double precision_sum, recall_sum, rank_error_sum;
    uint64_t scored_seconds;
    int64_t ended_ns;    /* the last second's end, of the schedule */
    int64_t cpu_ns;      /* of this process, when the last second ended */
    int64_t freeze_ns, frozen_since_ns; /* when the fault comes; INT64_MAX: not, or no longer */
    bool is_lost;
    char last_error[160]; /* of the target */
};

enum status run_with(const struct lab_run_options *options, const struct run_parts *parts, struct lab_result *result_out,
                     struct error *error);

/* run_prepare.c: everything before the first thread starts, and the end of it all. */
enum status run_prepare(struct run *run, struct error *error);
void run_release(struct run *run);
void run_clean_keys(struct run *run);

/* run_coordinate.c: from the start of the threads' work until all have ended. */
enum status run_coordinate(struct run *run);

int64_t run_process_cpu_ns(void);

#endif
