/* `orderly setup`, `check`, `config` and `version`: the small commands of the operator. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/engine.h"

int command_version(int argc, char **argv) {
    (void)argc, (void)argv;
    puts("orderly " ORDERLY_VERSION);
    return EXIT_OK;
}

int command_config(int argc, char **argv) {
    const char *json = NULL;
    const struct app_flag flags[] = {{"--json", NULL, "as JSON", &json}};
    const struct app_usage usage = {
        .name = "config",
        .operands = "",
        .text = "Prints every setting: its value, where it came from, what it means. Secrets are hidden.",
        .flags = flags,
        .flag_count = 1,
    };
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        struct buffer out;
        buffer_init(&out, 1 << 20);
        config_write(app.config, json != NULL, &out);
        if (out.status != STATUS_OK || fwrite(out.data, 1, out.size, stdout) != out.size) code = EXIT_FAILED;
        buffer_free(&out);
    }
    app_close(&app);
    return code;
}

int command_setup(int argc, char **argv) {
    const struct app_usage usage = {
        .name = "setup",
        .operands = "",
        .text = "Creates what the configured engines need: the data directory with its log and tables. Running it\n"
                "again changes nothing.",
    };
    struct app app;
    struct engine engine = {0};
    struct error error = {""};
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        if (engine_open(&app, ENGINE_SETUP, &engine, &error) == STATUS_OK) {
            printf("ready: %s log and %s store, %d partitions, data in %s\n", engine.log->ops->name,
                   engine.store->ops->name, (int)engine.log->partition_count,
                   config_text(app.config, SETTING_DATA_DIR));
        } else {
            app_complain("setup", &error);
            code = EXIT_FAILED;
        }
    }
    engine_close(&engine);
    app_close(&app);
    return code;
}

#define CHECK_TIMEOUT_MS 5000

/* Prints one line of the check; true if all is well. */
static bool report(const char *part, const char *engine, enum status status, const struct error *error,
                   const char *remedy) {
    if (status == STATUS_OK) {
        printf("ok      %-12s %s\n", part, engine);
        return true;
    }
    printf("FAILED  %-12s %s: %s\n        remedy: %s\n", part, engine, error->text, remedy);
    return false;
}

static bool check_engine(struct app *app) {
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

int command_check(int argc, char **argv) {
    const struct app_usage usage = {
        .name = "check",
        .operands = "",
        .text = "Says of each configured service whether it answers and what to do if not. Exit code 0: all do.",
    };
    struct app app;
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) code = check_engine(&app) ? EXIT_OK : EXIT_FAILED;
    app_close(&app);
    return code;
}
