/* Builds the ports from the configuration. */
#include "app/engine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event_log/embedded.h"
#include "order_cache/memory.h"
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

static enum status open_environment(struct app *app, enum engine_mode mode, struct lmdb_env **env_out,
                                    struct error *error) {
    const struct lmdb_env_options options = {
        .directory = config_text(app->config, SETTING_DATA_DIR),
        .create = mode == ENGINE_SETUP,
        .limit_bytes = (uint64_t)config_integer(app->config, SETTING_DATA_LIMIT),
        .reserve_bytes = (uint64_t)config_integer(app->config, SETTING_DATA_RESERVE),
        .databases_max = ENGINE_DATABASES,
        .metrics = app->metrics,
        .fatal = sync_failed,
        .fatal_data = app,
    };
    return lmdb_env_open(&options, env_out, error);
}

static enum status open_embedded_log(struct app *app, enum engine_mode mode, struct engine *engine,
                                     struct error *error) {
    const int64_t by_time_ms = config_integer(app->config, SETTING_EVENTS_RETENTION);
    const struct event_log_embedded_options options = {
        .env = engine->env,
        .clock = app->clock,
        .namespace_prefix = config_text(app->config, SETTING_NAMESPACE),
        .partition_count = (int32_t)config_integer(app->config, SETTING_PARTITIONS),
        .retention_ms = {[TOPIC_EVENTS] = by_time_ms, [TOPIC_INVOICES] = by_time_ms, [TOPIC_DLQ] = 4 * by_time_ms},
        .metrics = app->metrics,
    };
    enum status status = event_log_embedded_open(&options, &engine->log, error);
    if (status == STATUS_NOT_FOUND && mode == ENGINE_SETUP) status = STATUS_OK;
    if (status == STATUS_OK && mode == ENGINE_SETUP) status = event_log_setup(engine->log, error);
    if (status == STATUS_OK && mode == ENGINE_SETUP)
        status = lmdb_env_record(engine->env, "uncommitted_max", PIPELINE_UNCOMMITTED_MAX, error);
    return status;
}

static enum status open_embedded(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error) {
    enum status status = open_environment(app, mode, &engine->env, error);
    if (status == STATUS_OK) status = open_embedded_log(app, mode, engine, error);
    if (status == STATUS_OK)
        status = order_store_embedded_open(engine->env, app->clock, config_text(app->config, SETTING_NAMESPACE),
                                           app->metrics, &engine->store, error);
    if (status == STATUS_OK && mode == ENGINE_SETUP) status = order_store_setup(engine->store, error);
    return status;
}

enum status engine_open(struct app *app, enum engine_mode mode, struct engine *engine_out, struct error *error) {
    if (config_is_cluster(app->config))
        return error_set(error, STATUS_UNSUPPORTED,
                         "KAFKA_BOOTSTRAP_SERVERS and CASSANDRA_CONTACT_POINTS are set, but this build has no adapters "
                         "for Kafka and Cassandra: unset both to run on the embedded engines");
    if (config_text(app->config, SETTING_REDIS_HOST)[0])
        log_event(&app->log, LOG_WARN, "REDIS_HOST is set, but this build has no Redis cache: going on without it");
    struct engine engine = {0};
    enum status status = open_embedded(app, mode, &engine, error);
    if (status == STATUS_OK) {
        engine.own_cache = order_cache_memory_new(app->clock, (size_t)config_integer(app->config, SETTING_CACHE_SIZE));
        if (!engine.own_cache) status = error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    if (status != STATUS_OK) {
        engine_close(&engine);
        return status;
    }
    *engine_out = engine;
    return STATUS_OK;
}

void engine_close(struct engine *engine) {
    order_cache_close(engine->own_cache);
    order_cache_close(engine->shared_cache);
    order_store_close(engine->store);
    event_log_close(engine->log);
    lmdb_env_close(engine->env);
    memset(engine, 0, sizeof *engine);
}
