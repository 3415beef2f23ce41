/* Opens the service's hot-key lab: what a run's process is told of the settings, by arguments, and secrets by the
 * environment. */
#include "app/service_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_SIZE 4352
#define VALUE_SIZE 8192 /* a longer one is left out */
#define ARGUMENTS_MAX 16
#define VARIABLES_MAX 16

/* A list of texts of our own, NULL-terminated. */
struct texts {
    const char *items[ARGUMENTS_MAX];
    char values[VARIABLES_MAX][VALUE_SIZE];
    size_t count;
};

/* The settings that a run reads, and how it is told. The environment is not visible to other users; arguments are. */
static const struct {
    enum setting_id id;
    const char *flag;
} arguments[] = {
    {SETTING_LAB_REDIS, "--lab-redis"},
    {SETTING_REDIS_HOST, "--redis-host"},
    {SETTING_REDIS_PORT, "--redis-port"},
    {SETTING_REDIS_TLS, "--redis-tls"},
};
static const enum setting_id variables[] = {SETTING_REDIS_USER, SETTING_REDIS_PASSWORD};
static const char *const inherited[] = {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL"};

static void put(struct texts *texts, const char *name, const char *separator, const char *value) {
    int size = snprintf(texts->values[texts->count], VALUE_SIZE, "%s%s%s", name, separator, value);
    if (size < 0 || size >= VALUE_SIZE) return;
    texts->items[texts->count] = texts->values[texts->count];
    texts->count++;
}

static void fill_arguments(const struct config *config, const char *data_directory, struct texts *texts) {
    put(texts, "--data-dir", "=", data_directory);
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        if (config_source(config, arguments[i].id) != SOURCE_DEFAULT)
            put(texts, arguments[i].flag, "=", config_text(config, arguments[i].id));
}

/* Not our own environment: it may hold settings that only go together with flags of ours. */
static void fill_environment(const struct config *config, struct texts *texts) {
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        if (getenv(inherited[i])) put(texts, inherited[i], "=", getenv(inherited[i]));
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (config_text(config, variables[i])[0])
            put(texts, config_settings()[variables[i]].name, "=", config_text(config, variables[i]));
}

/* A run's working directory is another one. */
static bool absolute_path(const char *path, char out[PATH_SIZE]) {
    char current[PATH_SIZE / 2] = "";
    if (path[0] != '/' && !getcwd(current, sizeof current)) return false;
    return snprintf(out, PATH_SIZE, "%s%s%s", current, current[0] ? "/" : "", path) < PATH_SIZE - (int)sizeof "/lab";
}

struct lab *service_lab_open(struct app *app) {
    char path[PATH_SIZE];
    struct lab *lab = NULL;
    struct error error = {"the name of the data directory is too long"};
    struct texts *texts = calloc(2, sizeof *texts);
    if (texts && absolute_path(config_text(app->config, SETTING_DATA_DIR), path)) {
        fill_arguments(app->config, path, &texts[0]);
        fill_environment(app->config, &texts[1]);
        snprintf(path + strlen(path), sizeof path - strlen(path), "/lab");
        const struct lab_options options = {.program = "/proc/self/exe",
                                            .arguments = texts[0].items,
                                            .environment = texts[1].items,
                                            .directory = path,
                                            .clock = app->clock,
                                            .random = app->random,
                                            .logger = &app->log};
        lab_open(&options, &lab, &error);
    }
    free(texts);
    if (!lab)
        log_event(&app->log, LOG_WARN, "the hot-key lab cannot be used: /simulation answers 503",
                  LOG_S("error", error.text));
    return lab;
}
