/* `orderly setup`, `config` and `version`: the small commands of the operator. */
#include <stdio.h>

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
        .text = "Creates what the configured engines need: the data directory with its log and tables, or the topics,\n"
                "keyspace and tables of a cluster. Running it again changes nothing.",
    };
    struct app app;
    struct engine engine = {0};
    struct error error = {""};
    bool done;
    int code = app_open(&app, argc, argv, &usage, &done);
    if (code == EXIT_OK && !done) {
        if (engine_open(&app, ENGINE_SETUP, &engine, &error) == STATUS_OK) {
            printf("ready: %s log and %s store, %d partitions", engine.log->ops->name, engine.store->ops->name,
                   (int)engine.log->partition_count);
            if (!config_is_cluster(app.config)) printf(", data in %s", config_text(app.config, SETTING_DATA_DIR));
            putchar('\n');
        } else {
            app_complain("setup", &error);
            code = EXIT_FAILED;
        }
    }
    engine_close(&engine);
    app_close(&app);
    return code;
}
