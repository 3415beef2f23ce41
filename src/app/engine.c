/* Builds the ports from the configuration. */
#include "app/engine.h"

#include "app/engine_parts.h"
#include "order_cache/memory.h"
#include "order_cache/redis.h"

enum status engine_open_log(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error) {
    return (config_is_cluster(app->config) ? engine_cluster_open_log : engine_embedded_open_log)(app, mode, engine,
                                                                                                 error);
}

enum status engine_open_store(struct app *app, enum engine_mode mode, struct engine *engine, struct error *error) {
    return (config_is_cluster(app->config) ? engine_cluster_open_store : engine_embedded_open_store)(app, mode, engine,
                                                                                                     error);
}

enum status engine_open_caches(struct app *app, struct engine *engine, struct error *error) {
    const struct config *config = app->config;
    engine->own_cache = order_cache_memory_new(app->clock, (size_t)config_integer(config, SETTING_CACHE_SIZE));
    if (!engine->own_cache) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (!config_text(config, SETTING_REDIS_HOST)[0]) return STATUS_OK;
    const struct order_cache_redis_options options = {
        .host = config_text(config, SETTING_REDIS_HOST),
        .port = (uint16_t)config_integer(config, SETTING_REDIS_PORT),
        .namespace_prefix = config_text(config, SETTING_NAMESPACE),
        .user = config_text(config, SETTING_REDIS_USER),
        .password = config_text(config, SETTING_REDIS_PASSWORD),
        .tls = config_integer(config, SETTING_REDIS_TLS) != 0,
        .tls_ca_file = config_text(config, SETTING_REDIS_TLS_CA_FILE),
        .clock = app->clock,
        .random = app->random,
        .logger = &app->log,
        .metrics = app->metrics,
    };
    return order_cache_redis_open(&options, &engine->shared_cache, error);
}

enum status engine_open(struct app *app, enum engine_mode mode, struct engine *engine_out, struct error *error) {
    struct engine engine = {0};
    /* The store first: a build without Cassandra says so, whether or not there is a Kafka. */
    bool is_cluster = config_is_cluster(app->config);
    enum status status = is_cluster ? engine_open_store(app, mode, &engine, error) : STATUS_OK;
    if (status == STATUS_OK) status = engine_open_log(app, mode, &engine, error);
    if (status == STATUS_OK && !is_cluster) status = engine_open_store(app, mode, &engine, error);
    if (status == STATUS_OK) status = engine_open_caches(app, &engine, error);
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
    *engine = (struct engine){0};
}
