/* The embedded engines: one LMDB environment with the log and the store in it. */
#include <unistd.h>

#include "app/engine_parts.h"
#include "event_log/embedded.h"
#include "order_store/embedded.h"
#include "pipeline/pipeline.h"

/* Named databases: one for each topic and partition, and the store's, positions and settings. */
#define ENGINE_DATABASES (TOPIC_COUNT * EVENT_LOG_PARTITIONS_MAX + 32)

/* A failed sync: the kernel may have dropped what was written and will not say so again, so nothing that this process
 * believes about the disk is sure any more. Ends at once; what was acknowledged is on disk from earlier commits. */
static void sync_failed(void *data, const char *text) {
    const struct app *app = data;
    log_event(
        &app->log, LOG_ERROR,
        "the disk failed to sync; ending without acknowledging what was under way: check the disk, then start again",
        LOG_S("error", text), LOG_S("data_dir", config_text(app->config, SETTING_DATA_DIR)));
    _exit(EXIT_SYNC);
}

/* Alone on its machine, Orderly needs no setup by hand. */
static bool creates(enum engine_mode mode) {
    return mode != ENGINE_EXISTING;
}

static enum status open_environment(struct app *app, enum engine_mode mode, struct lmdb_env **env_out,
                                    struct error *error) {
    const struct lmdb_env_options options = {
        .directory = config_text(app->config, SETTING_DATA_DIR),
        .create = creates(mode),
        .limit_bytes = (uint64_t)config_integer(app->config, SETTING_DATA_LIMIT),
        .reserve_bytes = (uint64_t)config_integer(app->config, SETTING_DATA_RESERVE),
        .databases_max = ENGINE_DATABASES,
        .metrics = app->metrics,
        .fatal = sync_failed,
        .fatal_data = app,
    };
    return lmdb_env_open(&options, env_out, error);
}

enum status engine_embedded_open_log(struct app *app, enum engine_mode mode, struct engine *engine,
                                     struct error *error) {
    enum status status = open_environment(app, mode, &engine->env, error);
    if (status != STATUS_OK) return status;
    const int64_t by_time_ms = config_integer(app->config, SETTING_EVENTS_RETENTION);
    const struct event_log_embedded_options options = {
        .env = engine->env,
        .clock = app->clock,
        .namespace_prefix = config_text(app->config, SETTING_NAMESPACE),
        .partition_count = (int32_t)config_integer(app->config, SETTING_PARTITIONS),
        .retention_ms = {[TOPIC_EVENTS] = by_time_ms, [TOPIC_INVOICES] = by_time_ms, [TOPIC_DLQ] = 4 * by_time_ms},
        .metrics = app->metrics,
    };
    status = event_log_embedded_open(&options, &engine->log, error);
    if (status == STATUS_NOT_FOUND && creates(mode)) status = STATUS_OK;
    if (status == STATUS_OK && creates(mode)) status = event_log_setup(engine->log, error);
    if (status == STATUS_OK && creates(mode))
        status = lmdb_env_record(engine->env, "uncommitted_max", PIPELINE_UNCOMMITTED_MAX, error);
    return status;
}

enum status engine_embedded_open_store(struct app *app, enum engine_mode mode, struct engine *engine,
                                       struct error *error) {
    enum status status = order_store_embedded_open(engine->env, app->clock, config_text(app->config, SETTING_NAMESPACE),
                                                   app->metrics, &engine->store, error);
    if (status == STATUS_OK && creates(mode)) status = order_store_setup(engine->store, error);
    return status;
}
