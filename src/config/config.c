/* Loading the configuration: the winning source of each setting, its value, and what must hold between settings. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/internal.h"

#define ARENA_BLOCK_SIZE 8192
#define ARENA_LIMIT_SIZE (4u << 20)
#define SHOWN_VALUE_SIZE 64 /* of a bad value in an error */

/* A value as it may be shown in an error: never a secret, never what would break the line. */
static void show_value(const struct setting *setting, const char *raw, char out[SHOWN_VALUE_SIZE + 4]) {
    if (setting->secret) {
        strcpy(out, "***");
        return;
    }
    size_t size = 0;
    for (; size < SHOWN_VALUE_SIZE && raw[size]; size++) {
        unsigned char c = (unsigned char)raw[size];
        out[size] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    strcpy(out + size, raw[size] ? "..." : "");
}

static const char *environment_value(char *const *environment, const char *name) {
    size_t size = strlen(name);
    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') return *environment + size + 1;
    }
    return "";
}

/* The data directory by the XDG Base Directory Specification, which ignores relative paths; "" if there is no home. */
static enum status default_data_dir(char *const *environment, struct arena *arena, const char **path_out) {
    const char *data_home = environment_value(environment, "XDG_DATA_HOME");
    const char *home = environment_value(environment, "HOME");
    const char *base = data_home[0] == '/' ? data_home : home, *tail = "";
    if (base[0] == '/') tail = base == home ? "/.local/share/orderly" : "/orderly";
    if (tail[0] == '\0') base = "";
    char *path = arena_calloc(arena, strlen(base) + strlen(tail) + 1, 1);
    if (!path) return STATUS_NO_MEMORY;
    strcpy(stpcpy(path, base), tail);
    *path_out = path;
    return STATUS_OK;
}

/* Turns the assignments into values. NO_MEMORY, else OK: bad values are among the problems. */
static enum status evaluate(struct config *config, const struct assignment *assignments, struct problems *problems) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &config->settings[i];
        const char *raw = assignments[i].raw;
        config->origins[i] = assignments[i].origin;
        config->values[i] = (struct value){.text = ""};
        if (!raw) continue; /* the data directory without a home: see check_together */
        enum status status = value_parse(setting, raw, &config->arena, &config->values[i]);
        if (status == STATUS_OK) continue;
        if (status == STATUS_NO_MEMORY) return status;
        char shown[SHOWN_VALUE_SIZE + 4], where[ORIGIN_TEXT_SIZE], rule[256];
        show_value(setting, raw, shown);
        origin_format(&assignments[i].origin, where);
        value_rule(setting, rule, sizeof rule);
        problem_add(problems, "%s=%s (%s) %s", setting->name, shown, where, rule);
    }
    return STATUS_OK;
}

static void keep_properties(struct config *config, const struct properties *properties) {
    config->properties = *properties;
    for (size_t i = 0; i < properties->count; i++)
        config->kafka_properties[i] = properties->items[i].shown;
}

/* What must hold between settings that are each right. */
static void check_together(const struct config *config, struct problems *problems) {
    bool has_kafka = config_list(config, SETTING_KAFKA_BOOTSTRAP_SERVERS, NULL) > 0;
    bool has_cassandra = config_list(config, SETTING_CASSANDRA_CONTACT_POINTS, NULL) > 0;
    if (has_kafka != has_cassandra) {
        enum setting_id set = has_kafka ? SETTING_KAFKA_BOOTSTRAP_SERVERS : SETTING_CASSANDRA_CONTACT_POINTS;
        enum setting_id unset = has_kafka ? SETTING_CASSANDRA_CONTACT_POINTS : SETTING_KAFKA_BOOTSTRAP_SERVERS;
        char where[ORIGIN_TEXT_SIZE];
        origin_format(&config->origins[set], where);
        problem_add(problems,
                    "%s (%s) is set and %s is not: they go together, because a shared log with a private store, or the "
                    "other way round, would be silently wrong; set both or neither",
                    config->settings[set].name, where, config->settings[unset].name);
    }
    if (!has_kafka && config->properties.count > 0)
        problem_add(problems, "%s is set and KAFKA_BOOTSTRAP_SERVERS is not: nothing would use it",
                    config->properties.items[0].shown.setting);
    if (!has_kafka && !has_cassandra && config_text(config, SETTING_DATA_DIR)[0] == '\0')
        problem_add(problems, "ORDERLY_DATA_DIR must be set: neither XDG_DATA_HOME nor HOME says where data belongs");
    int64_t limit_bytes = config_integer(config, SETTING_DATA_LIMIT);
    if (limit_bytes > 0 && config_integer(config, SETTING_DATA_RESERVE) >= limit_bytes)
        problem_add(problems, "ORDERLY_DATA_RESERVE=%s must be less than ORDERLY_DATA_LIMIT=%s",
                    config_text(config, SETTING_DATA_RESERVE), config_text(config, SETTING_DATA_LIMIT));
}

/* Collects what each source says, from the weakest to the strongest. */
static enum status collect(struct config *config, int argc, char *const *argv, char *const *environment,
                           const char *dotenv_path, struct collected *collected, char **rest,
                           struct problems *problems) {
    for (size_t i = 0; i < SETTING_COUNT; i++)
        collected->settings[i] = (struct assignment){config->settings[i].default_value, {SOURCE_DEFAULT}};
    const char *data_dir;
    enum status status = default_data_dir(environment, &config->arena, &data_dir);
    if (status != STATUS_OK) return status;
    collected->settings[SETTING_DATA_DIR].raw = data_dir[0] ? data_dir : NULL;
    struct arena *arena = &config->arena;
    status = sources_read_dotenv(config->settings, dotenv_path ? dotenv_path : ".env", arena, collected, problems);
    if (status != STATUS_OK) return status;
    sources_read_environment(config->settings, environment, arena, collected, problems);
    sources_read_flags(config->settings, argc, argv, arena, collected, rest, problems);
    return collected->properties.lacks_memory ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status config_load_table(const struct setting *settings, int argc, char *const *argv, char *const *environment,
                              const char *dotenv_path, struct config **config_out, char ***rest_out,
                              struct error *error) {
    struct collected collected = {.properties.count = 0};
    struct problems problems = {.size = 0};
    enum status status = STATUS_NO_MEMORY;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    struct config *config = calloc(1, sizeof *config);
    if (!rest || !config) goto cleanup;
    config->settings = settings;
    arena_init(&config->arena, ARENA_BLOCK_SIZE, ARENA_LIMIT_SIZE);
    status = collect(config, argc, argv, environment, dotenv_path, &collected, rest, &problems);
    if (status != STATUS_OK) goto cleanup;
    status = evaluate(config, collected.settings, &problems);
    if (status != STATUS_OK) goto cleanup;
    keep_properties(config, &collected.properties);
    /* A bad value counts as not set, and complaints about that would only distract from it. */
    if (problems.size == 0) check_together(config, &problems);
    status = problems_status(&problems, error);
    if (status != STATUS_OK) goto cleanup;
    *config_out = config;
    *rest_out = rest;
    return STATUS_OK;

cleanup:
    if (status == STATUS_NO_MEMORY) error_set(error, status, "out of memory while reading the configuration");
    free(rest);
    config_free(config);
    return status;
}

enum status config_load(int argc, char *const *argv, char *const *environment, const char *dotenv_path,
                        struct config **config_out, char ***rest_out, struct error *error) {
    return config_load_table(config_settings(), argc, argv, environment, dotenv_path, config_out, rest_out, error);
}

void config_free(struct config *config) {
    if (!config) return;
    arena_free(&config->arena);
    free(config);
}

int64_t config_integer(const struct config *config, enum setting_id id) {
    return config->values[id].integer;
}

const char *config_text(const struct config *config, enum setting_id id) {
    return config->values[id].text;
}

size_t config_list(const struct config *config, enum setting_id id, const char *const **items_out) {
    if (items_out) *items_out = config->values[id].items;
    return config->values[id].count;
}

enum setting_source config_source(const struct config *config, enum setting_id id) {
    return config->origins[id].source;
}

size_t config_kafka_properties(const struct config *config, const struct config_property **properties_out) {
    *properties_out = config->kafka_properties;
    return config->properties.count;
}

bool config_is_cluster(const struct config *config) {
    return config_list(config, SETTING_KAFKA_BOOTSTRAP_SERVERS, NULL) > 0;
}
