/* Before and after a run: target, connections, keys, memory. Nothing is allocated while it runs but its list of
 * seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotkey/run_parts.h"

#define NS_PER_MS INT64_C(1000000)

static enum status no_memory(struct error *error) {
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status prepare_result(struct run *run, struct error *error) {
    struct lab_result *result = run->result;
    char uuid[UUID_TEXT_SIZE];
    result->run_id = run->options->run_id;
    result->parameters = *run->parameters;
    result->version = ORDERLY_VERSION;
    result->server_cpu_s = -1;
    uuid_format(&result->run_id, uuid);
    snprintf(result->key_prefix, sizeof result->key_prefix, "orderly:lab:%s:", uuid);
    for (int class = 0; class < LAB_CLASSES; class ++)
        for (int time = 0; time < LAB_TIMES; time++) {
            struct histogram *histogram = malloc(sizeof *histogram);
            if (!histogram) return no_memory(error);
            histogram_init(histogram);
            result->times[class][time] = histogram;
        }
    result->late = malloc(sizeof *result->late);
    result->accesses = calloc((size_t)run->parameters->keys, sizeof *result->accesses);
    if (!result->late || !result->accesses) return no_memory(error);
    histogram_init(result->late);
    return STATUS_OK;
}

static enum status prepare_target(struct run *run, struct error *error) {
    const struct lab_target_options *options = &run->options->target;
    struct lab_result *result = run->result;
    bool is_private = !options->host || !options->host[0];
    if (run->parameters->fault_freeze_ms > 0 && !is_private)
        return error_set(error, STATUS_INVALID,
                         "fault_freeze_ms freezes a server, and so only one that is started for the run: unset "
                         "ORDERLY_LAB_REDIS and REDIS_HOST, or leave the fault out");
    enum status status = target_open(&run->target, options, run->options->clock, error);
    if (status != STATUS_OK) return status;
    run->has_target = true;
    result->target_is_private = is_private;
    snprintf(result->target_policy, sizeof result->target_policy, "%s", run->target.policy);
    target_describe(&run->target, result->target, sizeof result->target);
    return STATUS_OK;
}

static enum status prepare_shared(struct run *run, struct error *error) {
    struct worker_shared *shared = &run->shared;
    pthread_condattr_t monotonic;
    enum status status = lab_schedule_new(run->parameters, &run->schedule);
    if (status != STATUS_OK) return no_memory(error);
    *shared = (struct worker_shared){
        .schedule = run->schedule,
        .parameters = run->parameters,
        .clock = run->options->clock,
        .duration_ns = (int64_t)(run->parameters->duration_s * 1e9),
        .keys_must_expire = run->has_target && !run->target.is_private,
        .waits_for_coordinator = run->parts && run->parts->waits_for_coordinator,
        .stop = run->options->stop,
    };
    pthread_mutex_init(&shared->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&shared->handed_over, &monotonic);
    pthread_cond_init(&shared->given_back, NULL);
    pthread_condattr_destroy(&monotonic);
    run->is_shared_ready = true;
    return STATUS_OK;
}

static enum status make_transport(struct run *run, uint32_t connections, struct transport **out, struct error *error) {
    const struct lab_target_options *target = &run->target.options;
    struct transport_options options = {
        .clock = run->options->clock,
        .address = run->target.address,
        .address_size = run->target.address_size,
        .user = target->user ? target->user : "",
        .password = target->password ? target->password : "",
        .key_prefix = run->result->key_prefix,
        .connections = connections,
        .pipeline = (uint32_t)run->parameters->pipeline,
        .value_bytes = (uint32_t)run->parameters->value_bytes,
    };
    if (run->parts) return run->parts->transport_new(run->parts->data, &options, out, error);
    return redis_transport_new(&options, out, error);
}

/* How many connections there are in all: what was asked for, but one for each thread at least. */
static uint32_t connection_count(const struct lab_parameters *parameters) {
    int64_t count = parameters->connections;
    if (count == 0) {
        count = parameters->classes[LAB_HOT].clients + parameters->classes[LAB_NORMAL].clients;
        if (count > RUN_CONNECTIONS_DEFAULT) count = RUN_CONNECTIONS_DEFAULT;
    }
    return (uint32_t)(count > parameters->threads ? count : parameters->threads);
}

static enum status prepare_workers(struct run *run, struct error *error) {
    const uint32_t count = (uint32_t)run->parameters->threads, connections = connection_count(run->parameters);
    const int64_t until_ns = clock_monotonic_ns(run->options->clock) + RUN_CONNECT_MS * NS_PER_MS;
    run->workers = calloc(count, sizeof *run->workers);
    if (!run->workers) return no_memory(error);
    for (uint32_t i = 0; i < count; i++) {
        struct transport *transport = NULL;
        struct error reason = {""};
        uint64_t hash_seed;
        uint32_t own = connections / count + (i < connections % count);
        random_fill(run->options->random, &hash_seed, sizeof hash_seed);
        enum status status = make_transport(run, own, &transport, error);
        if (status != STATUS_OK) return status;
        run->worker_count++;
        status = lab_worker_init(&run->workers[i], &run->shared, i, count, transport, own, hash_seed,
                                 !run->options->without_detector);
        if (status != STATUS_OK) return no_memory(error);
        status = lab_worker_connect(&run->workers[i], until_ns, &reason);
        if (status != STATUS_OK) return target_error(&run->target, error, reason.text);
    }
    return STATUS_OK;
}

/* --- keys --- */

static int64_t load_expiry(void *data, uint32_t key) {
    const struct worker *worker = data;
    struct flight flight = {.client = UINT32_MAX, .number = key, .key = key};
    return worker_expiry_ms(worker, &flight);
}

/* A warm cache to begin with; all that may have been written is removed at the end. */
static enum status load_keys(struct run *run, struct error *error) {
    struct worker *worker = &run->workers[0];
    struct target_load load = {
        .key_prefix = run->result->key_prefix,
        .keys = (uint32_t)run->parameters->keys,
        .value_bytes = (uint32_t)run->parameters->value_bytes,
        .expiry_ms = load_expiry,
        .data = worker,
        .stop = run->options->stop,
    };
    if (!run->has_target) return STATUS_OK;
    enum status status = target_load(&run->target, &load, error);
    for (uint32_t key = 0; key < load.asked_out; key++)
        worker->written[key >> 3] |= (uint8_t)(1u << (key & 7));
    return status;
}

void run_clean_keys(struct run *run) {
    const uint32_t keys = (uint32_t)run->parameters->keys;
    if (!run->has_target || run->target.is_private || run->worker_count == 0 || !run->workers[0].written) return;
    for (uint32_t i = 1; i < run->worker_count; i++)
        for (uint32_t j = 0; run->workers[i].written && j < keys / 8 + 1; j++)
            run->workers[0].written[j] |= run->workers[i].written[j];
    bool is_slow = !atomic_load(run->options->stop) && !run->is_lost;
    uint64_t left = target_unlink(&run->target, run->result->key_prefix, run->workers[0].written, keys,
                                  is_slow ? RUN_CLEAN_MS : RUN_STOP_CLEAN_MS);
    size_t used = strlen(run->result->end_text);
    if (left > 0)
        snprintf(run->result->end_text + used, sizeof run->result->end_text - used,
                 "; up to %" PRIu64 " of its keys are still on the server and expire by themselves", left);
}

enum status run_prepare(struct run *run, struct error *error) {
    enum status status = prepare_result(run, error);
    if (status == STATUS_OK && !run->parts) status = prepare_target(run, error);
    if (status == STATUS_OK) status = prepare_shared(run, error);
    if (status == STATUS_OK) status = prepare_workers(run, error);
    if (status == STATUS_OK) status = load_keys(run, error);
    if (status != STATUS_OK) return status;
    uint64_t hash_seed;
    random_fill(run->options->random, &hash_seed, sizeof hash_seed);
    run->window = window_new((uint32_t)run->parameters->keys, hash_seed, !run->options->without_detector);
    if (!run->window) return no_memory(error);
    return run->has_target ? sampler_new(&run->target, run->result->key_prefix, &run->sampler, error) : STATUS_OK;
}

void run_release(struct run *run) {
    sampler_free(run->sampler);
    window_free(run->window);
    for (uint32_t i = 0; i < run->worker_count; i++)
        lab_worker_free(&run->workers[i]);
    free(run->workers);
    if (run->is_shared_ready) {
        pthread_cond_destroy(&run->shared.handed_over);
        pthread_cond_destroy(&run->shared.given_back);
        pthread_mutex_destroy(&run->shared.mutex);
    }
    lab_schedule_free(run->schedule);
    target_close(&run->target);
}
