/* lab_run: the order of a run's parts, and what its totals are. */
#include "hotkey/run.h"

#include <stdio.h>
#include <string.h>

#include "hotkey/run_parts.h"

#define NS_PER_MS INT64_C(1000000)

static void *worker_main(void *data) {
    lab_worker_run(data);
    return NULL;
}

static enum status start_threads(struct run *run, struct error *error) {
    run->shared.start_ns = clock_monotonic_ns(run->shared.clock) + RUN_START_MS * NS_PER_MS;
    run->cpu_ns = run_process_cpu_ns();
    run->frozen_since_ns = INT64_MAX;
    run->freeze_ns = run->parameters->fault_freeze_ms > 0 ? run->shared.duration_ns / 2 : INT64_MAX;
    for (uint32_t i = 0; i < run->worker_count; i++) {
        int code = pthread_create(&run->workers[i].thread, NULL, worker_main, &run->workers[i]);
        if (code) return error_set_errno(error, STATUS_IO, code, "starting a thread");
        run->thread_count++;
    }
    return STATUS_OK;
}

/* Also after a failure to start all: those that run see is_over. */
static void join_threads(struct run *run) {
    for (uint32_t i = 0; i < run->thread_count; i++)
        pthread_join(run->workers[i].thread, NULL);
}

static void take_means(struct run *run) {
    struct lab_result *result = run->result;
    double count = (double)run->scored_seconds;
    result->detector_precision = run->scored_seconds ? run->precision_sum / count : 1;
    result->detector_recall = run->scored_seconds ? run->recall_sum / count : 1;
    result->detector_rank_error = run->scored_seconds ? run->rank_error_sum / count : 0;
}

static void take_end(struct run *run) {
    struct lab_result *result = run->result;
    const size_t size = sizeof result->end_text;
    if (run->is_lost) {
        result->end = LAB_END_TARGET_LOST;
        snprintf(result->end_text, size, "ended after %.1f s: the target did not answer for %d s%s%s",
                 result->elapsed_s, RUN_LOST_MS / 1000, run->last_error[0] ? ": " : "", run->last_error);
    } else if (atomic_load(run->options->stop) && result->elapsed_s < run->parameters->duration_s) {
        result->end = LAB_END_STOPPED;
        snprintf(result->end_text, size, "stopped after %.1f of %.1f s", result->elapsed_s,
                 run->parameters->duration_s);
    } else {
        result->end = LAB_END_DURATION;
        snprintf(result->end_text, size, "ran its %.1f s", result->elapsed_s);
    }
}

static void take_totals(struct run *run, int64_t cpu_before_ns) {
    struct lab_result *result = run->result;
    uint64_t offered = 0, sent = 0;
    for (int class = 0; class < LAB_CLASSES; class ++) {
        offered += result->counts[class].offered;
        sent += result->counts[class].sent;
    }
    result->schedule_kept = offered ? (double)sent / (double)offered : 1;
    result->client_cpu_s = (double)(run_process_cpu_ns() - cpu_before_ns) / 1e9;
    result->server_cpu_s = run->sampler ? sampler_server_cpu_s(run->sampler) : -1;
    result->ended_at_ms = clock_wall_ms(run->options->clock);
    take_means(run);
    take_end(run);
}

static enum status go(struct run *run, struct error *error) {
    int64_t cpu_before_ns = run_process_cpu_ns();
    enum status status = start_threads(run, error);
    if (status == STATUS_OK) {
        status = run_coordinate(run);
        if (status != STATUS_OK) error_set(error, status, "out of memory");
    } else {
        atomic_store(&run->shared.is_over, true);
    }
    join_threads(run);
    if (status == STATUS_OK) take_totals(run, cpu_before_ns);
    return status;
}

enum status run_with(const struct lab_run_options *options, const struct run_parts *parts,
                     struct lab_result *result_out, struct error *error) {
    struct lab_result result = {0};
    struct run run = {.options = options, .parameters = options->parameters, .parts = parts, .result = &result};
    enum status status = run_prepare(&run, error);
    if (status == STATUS_OK) {
        result.started_at_ms = clock_wall_ms(options->clock);
        if (options->ready) options->ready(options->data, &result);
        status = go(&run, error);
    }
    run_clean_keys(&run);
    run_release(&run);
    if (status == STATUS_OK)
        *result_out = result;
    else
        lab_result_free(&result);
    return status;
}

enum status lab_run(const struct lab_run_options *options, struct lab_result *result_out, struct error *error) {
    return run_with(options, NULL, result_out, error);
}
