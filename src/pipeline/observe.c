/* What the pipeline shows of itself: metrics and the lag of its partitions. */
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/internal.h"

#define LAG_EVERY_MS 500

const char *batch_step_name(enum batch_step step) {
    static const char *const names[STEP_COUNT] = {
        [STEP_PARSE] = "parse",     [STEP_READ] = "read",     [STEP_STORE] = "store",   [STEP_CACHE] = "cache",
        [STEP_LETTERS] = "letters", [STEP_EVENTS] = "events", [STEP_COMMIT] = "commit",
    };
    return names[step];
}

static const char *label(char out[64], const char *name, const char *value) {
    snprintf(out, 64, "%s=\"%s\"", name, value);
    return out;
}

static void register_steps(struct pipeline *pipeline) {
    struct metrics *metrics = pipeline->options.metrics;
    for (int step = 0; step < STEP_COUNT; step++) {
        char text[64];
        label(text, "step", batch_step_name((enum batch_step)step));
        pipeline->metrics.steps[step] =
            metrics_histogram(metrics, "orderly_pipeline_step_seconds", "Time of one step of a batch.", text);
        pipeline->metrics.retries[step] =
            metrics_counter(metrics, "orderly_pipeline_retries_total", "Failed tries of a step.", text);
    }
}

void pipeline_register_metrics(struct pipeline *pipeline) {
    struct metrics *metrics = pipeline->options.metrics;
    struct pipeline_metrics *own = &pipeline->metrics;
    char text[64];
    register_steps(pipeline);
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        own->commands[verdict] =
            metrics_counter(metrics, "orderly_pipeline_commands_total", "Commands processed and committed.",
                            label(text, "verdict", verdict_name((enum verdict)verdict)));
    for (int reason = 0; reason < DEAD_REASON_COUNT; reason++)
        own->dead[reason] = metrics_counter(metrics, "orderly_dead_letters_total", "Messages sent to order-dlq.",
                                            label(text, "reason", dead_reason_name((enum dead_reason)reason)));
    own->batch_size = metrics_sizes(metrics, "orderly_pipeline_batch_size", "Messages in one batch.", "");
    own->cache_skipped = metrics_counter(metrics, "orderly_pipeline_cache_skipped_total",
                                         "Batches that did not wait for a slow cache.", "");
    own->paused = metrics_gauge(metrics, "orderly_pipeline_paused",
                                "Partitions paused at a command of a newer schema version.", "");
    for (int32_t i = 0; i < pipeline->partition_count; i++) {
        snprintf(text, sizeof text, "partition=\"%" PRId32 "\"", i);
        pipeline->partitions[i].lag_metric =
            metrics_gauge(metrics, "orderly_pipeline_lag", "Commands not yet processed; -1: not known here.", text);
        metric_set(pipeline->partitions[i].lag_metric, -1);
    }
}

void pipeline_show_lag(struct pipeline *pipeline, int64_t now_ns) {
    if (now_ns < pipeline->lag_at_ns) return;
    pipeline->lag_at_ns = now_ns + (int64_t)LAG_EVERY_MS * 1000000;
    int64_t paused = 0;
    for (int32_t i = 0; i < pipeline->partition_count; i++) {
        struct partition *partition = &pipeline->partitions[i];
        struct pipeline_partition_state state;
        pipeline_state(pipeline, i, &state);
        metric_set(partition->lag_metric, state.assigned && state.lag >= 0 ? state.lag : -1);
        paused += state.needs_schema != 0;
    }
    metric_set(pipeline->metrics.paused, paused);
}

void batch_count_commands(const struct batch *batch) {
    const struct pipeline_metrics *metrics = &batch->pipeline->metrics;
    metric_observe_size(metrics->batch_size, batch->item_count);
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];
        if (item->is_dead)
            metric_add(metrics->dead[item->dead_reason], 1);
        else
            metric_add(metrics->commands[item->decision.verdict], 1);
    }
    if (batch->dead_count > 0)
        log_event(batch->pipeline->options.logger, LOG_WARN, "dead letters",
                  LOG_N("partition", batch->partition->number), LOG_N("count", batch->dead_count));
}
