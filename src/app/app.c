/* The common start of every command: configuration, flags, log, metrics. */
#include "app/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"auto", "text", "json"};

static int name_index(const char *name, const char *const *names, int count, int otherwise) {
    for (int i = 0; i < count; i++)
        if (!strcmp(name, names[i])) return i;
    return otherwise;
}

static void print_usage(const struct app_usage *usage) {
    printf("usage: orderly %s%s%s%s [--setting value ...]\n\n%s\n", usage->name, usage->flag_count ? " [flags]" : "",
           usage->operands[0] ? " " : "", usage->operands, usage->text);
    if (usage->flag_count) putchar('\n');
    for (size_t i = 0; i < usage->flag_count; i++) {
        char left[64];
        const struct app_flag *flag = &usage->flags[i];
        snprintf(left, sizeof left, "%s%s%s", flag->name, flag->value_name ? " " : "",
                 flag->value_name ? flag->value_name : "");
        printf("  %-22s %s\n", left, flag->help);
    }
    puts("\nEvery setting of `orderly config` is a flag too: --data-dir DIR, --ports 8000, ...");
}

/* Takes one of the command's own flags from arguments[*i]; returns EXIT_OK or EXIT_USAGE. */
static int take_flag(const struct app_usage *usage, char **arguments, size_t *i) {
    const char *argument = arguments[*i];
    size_t name_size = strcspn(argument, "=");
    for (size_t f = 0; f < usage->flag_count; f++) {
        const struct app_flag *flag = &usage->flags[f];
        if (strlen(flag->name) != name_size || strncmp(flag->name, argument, name_size) != 0) continue;
        if (!flag->value_name) {
            if (argument[name_size]) break;
            *flag->value_out = "";
            return EXIT_OK;
        }
        if (argument[name_size]) {
            *flag->value_out = argument + name_size + 1;
            return EXIT_OK;
        }
        if (!arguments[*i + 1]) {
            fprintf(stderr, "orderly %s: %s needs a value: %s\n", usage->name, flag->name, flag->value_name);
            return EXIT_USAGE;
        }
        *flag->value_out = arguments[++*i];
        return EXIT_OK;
    }
    fprintf(stderr, "orderly %s: unknown flag \"%s\" (orderly %s --help lists them)\n", usage->name, argument,
            usage->name);
    return EXIT_USAGE;
}

static int take_arguments(const struct app_usage *usage, char **arguments) {
    bool has_operand = false;
    for (size_t i = 0; arguments[i]; i++) {
        if (arguments[i][0] == '-' && arguments[i][1]) {
            int code = take_flag(usage, arguments, &i);
            if (code != EXIT_OK) return code;
        } else if (usage->operands[0] && !has_operand) {
            *usage->operand_out = arguments[i];
            has_operand = true;
        } else {
            fprintf(stderr, "orderly %s: unexpected \"%s\"\n", usage->name, arguments[i]);
            return EXIT_USAGE;
        }
    }
    if (usage->operands[0] && !has_operand) {
        fprintf(stderr, "orderly %s: %s is missing\n", usage->name, usage->operands);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

int app_open(struct app *app, int argc, char **argv, const struct app_usage *usage, bool *done_out) {
    memset(app, 0, sizeof *app);
    *done_out = false;
    app->clock = clock_system();
    app->random = random_system();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        print_usage(usage);
        *done_out = true;
        return EXIT_OK;
    }
    struct error error;
    if (config_load(argc - 1, argv + 1, environ, NULL, &app->config, &app->arguments, &error) != STATUS_OK) {
        fprintf(stderr, "orderly %s: %s\n", usage->name, error.text);
        return EXIT_USAGE;
    }
    int code = take_arguments(usage, app->arguments);
    if (code != EXIT_OK) return code;
    log_init(&app->log, app->clock, STDERR_FILENO,
             (enum log_level)name_index(config_text(app->config, SETTING_LOG_LEVEL), level_names, 4, LOG_INFO),
             (enum log_format)name_index(config_text(app->config, SETTING_LOG_FORMAT), format_names, 3, LOG_AUTO));
    if (!app_renew_metrics(app)) {
        fputs("orderly: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

bool app_renew_metrics(struct app *app) {
    metrics_free(app->metrics);
    app->metrics = metrics_new();
    if (app->metrics) metrics_register_process(app->metrics);
    return app->metrics != NULL;
}

void app_close(struct app *app) {
    metrics_free(app->metrics);
    free(app->arguments);
    config_free(app->config);
    memset(app, 0, sizeof *app);
}

bool app_flag_integer(const char *flag, const char *value, int64_t minimum, int64_t maximum, int64_t *value_out) {
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno || end == value || *end || number < minimum || number > maximum) {
        fprintf(stderr, "orderly: %s must be a whole number from %lld to %lld, not \"%s\"\n", flag, (long long)minimum,
                (long long)maximum, value);
        return false;
    }
    *value_out = number;
    return true;
}

void app_complain(const char *what, const struct error *error) {
    fprintf(stderr, "orderly: %s: %s\n", what, error->text);
}
