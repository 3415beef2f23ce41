/* `orderly check`: whether each configured service answers, what to do if not, and which of its settings are weak. */
#include <stdio.h>
#include <stdlib.h>

#include "app/engine.h"

#define CHECK_TIMEOUT_MS 5000

/* Prints one line of the check; true if all is well. remedy: NULL if the error says it. */
static bool report(const char *part, const char *engine, enum status status, const struct error *error,
                   const char *remedy) {
    if (status == STATUS_OK) {
        printf("ok      %-12s %s\n", part, engine);
        return true;
    }
    printf("FAILED  %-12s %s: %s\n", part, engine, error->text[0] ? error->text : status_name(status));
    if (remedy) printf("        remedy: %s\n", remedy);
    return false;
}

static void report_advice(const char *part, const struct advice *advice) {
    for (size_t i = 0; i < advice->count; i++)
        printf("weak    %-12s %s\n", part, advice->lines[i].text);
}

/* --- embedded: one directory --- */

static bool check_embedded(struct app *app) {
    struct engine engine = {0};
    struct error error = {""};
    enum status status = engine_open(app, ENGINE_EXISTING, &engine, &error);
    if (status != STATUS_OK) {
        return report("data", config_text(app->config, SETTING_DATA_DIR), status, &error,
                      status == STATUS_NOT_FOUND     ? "`orderly setup` or `orderly serve` creates it"
                      : status == STATUS_UNSUPPORTED ? "use the version of orderly that wrote it, or another --data-dir"
                      : status == STATUS_CORRUPT     ? "restore a backup (see README, Back up and restore)"
                                                     : "see the error; `orderly config` shows the settings in use");
    }
    bool good = report("event log", engine.log->ops->name, event_log_check(engine.log, CHECK_TIMEOUT_MS, &error),
                       &error, "make room on the disk of the data directory, or raise ORDERLY_DATA_LIMIT");
    good &= report("order store", engine.store->ops->name, order_store_check(engine.store, CHECK_TIMEOUT_MS, &error),
                   &error, "restore a backup (see README, Back up and restore)");
    good &= report("order cache", engine.own_cache->ops->name,
                   order_cache_check(engine.own_cache, CHECK_TIMEOUT_MS, &error), &error, "raise ORDERLY_CACHE_SIZE");
    engine_close(&engine);
    return good;
}

/* --- cluster: each service for itself, so that one that is away hides nothing of the others --- */

static bool check_log(struct app *app, struct engine *engine, struct advice *advice) {
    struct error error = {""};
    enum status status = engine_open_log(app, ENGINE_EXISTING, engine, &error);
    if (status == STATUS_OK) status = event_log_check(engine->log, CHECK_TIMEOUT_MS, &error);
    if (status == STATUS_OK) event_log_advise(engine->log, CHECK_TIMEOUT_MS, advice);
    return report("event log", "kafka", status, &error, NULL);
}

static bool check_store(struct app *app, struct engine *engine, struct advice *advice) {
    struct error error = {""};
    enum status status = engine_open_store(app, ENGINE_EXISTING, engine, &error);
    if (status == STATUS_OK) status = order_store_check(engine->store, CHECK_TIMEOUT_MS, &error);
    if (status == STATUS_OK) order_store_advise(engine->store, CHECK_TIMEOUT_MS, advice);
    return report("order store", "cassandra", status, &error, NULL);
}

static bool check_cluster(struct app *app) {
    struct engine engine = {0};
    struct advice log_advice = {0}, store_advice = {0};
    bool good = check_log(app, &engine, &log_advice);
    report_advice("event log", &log_advice);
    good &= check_store(app, &engine, &store_advice);
    report_advice("order store", &store_advice);
    engine_close(&engine);
    return good;
}

static bool check_redis(struct app *app) {
    struct engine engine = {0};
    struct advice advice = {0};
    struct error error = {""};
    enum status status = engine_open_caches(app, &engine, &error);
    if (status == STATUS_OK) status = order_cache_check(engine.shared_cache, CHECK_TIMEOUT_MS, &error);
    if (status == STATUS_OK) order_cache_advise(engine.shared_cache, CHECK_TIMEOUT_MS, &advice);
    bool good = report("order cache", "redis", status, &error, NULL);
    report_advice("order cache", &advice);
    engine_close(&engine);
    return good;
}

int command_check(int argc, char **argv) {
    const struct app_usage usage = {
        .name = "check",
        .operands = "",
        .text = "Says of each configured service whether it answers and what to do if not, and which of its settings\n"
                "are weak. Exit code 0: all answer.",
    };
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        bool good = config_is_cluster(app.config) ? check_cluster(&app) : check_embedded(&app);
        if (config_text(app.config, SETTING_REDIS_HOST)[0]) good &= check_redis(&app);
        code = good ? EXIT_OK : EXIT_FAILED;
    }
    app_close(&app);
    return code;
}
