/* `orderly simulate`: one run of the hot-key lab, for a person at a terminal or for the service that started it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/simulate.h"
#include "hotkey/lab.h"

/* A signal handler can reach nothing else. */
atomic_bool simulate_stop;

static void stop_run(int number) {
    (void)number;
    atomic_store(&simulate_stop, true);
}

/* The first signal ends the run in order, a second one the process. */
static void take_signals(void) {
    struct sigaction action = {.sa_handler = stop_run, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* "host", "host:6379", "[::1]:6379" or "::1". */
static bool read_address(const char *text, char *host_out, size_t size, uint16_t *port_out) {
    const char *host = text, *end = text + strlen(text), *port = NULL;
    if (*host == '[') {
        end = strchr(++host, ']');
        if (!end || (end[1] && end[1] != ':')) return false;
        if (end[1]) port = end + 2;
    } else if (strchr(host, ':') && strchr(host, ':') == strrchr(host, ':')) {
        end = strchr(host, ':');
        port = end + 1;
    }
    if (end == host || (size_t)(end - host) >= size) return false;
    if (port && (!*port || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port))) return false;
    long number = port ? strtol(port, NULL, 10) : 6379;
    if (number < 1 || number > 65535) return false;
    memcpy(host_out, host, (size_t)(end - host));
    host_out[end - host] = '\0';
    *port_out = (uint16_t)number;
    return true;
}

/* ORDERLY_LAB_REDIS, else REDIS_HOST with its user and password, else none: a private server. */
static int read_target(struct simulate *simulate, struct lab_target_options *target) {
    const struct config *config = simulate->app->config;
    const char *lab = config_text(config, SETTING_LAB_REDIS);
    *target = (struct lab_target_options){.host = "", .user = "", .password = "", .server_program = "redis-server"};
    if (lab[0]) {
        if (!read_address(lab, simulate->host, sizeof simulate->host, &target->port)) {
            fprintf(stderr, "orderly simulate: ORDERLY_LAB_REDIS must be host:port, not \"%s\"\n", lab);
            return EXIT_USAGE;
        }
    } else if (config_text(config, SETTING_REDIS_HOST)[0]) {
        if (config_integer(config, SETTING_REDIS_TLS)) {
            fputs("orderly simulate: the lab does not speak TLS: name another Redis in ORDERLY_LAB_REDIS=host:port\n",
                  stderr);
            return EXIT_USAGE;
        }
        snprintf(simulate->host, sizeof simulate->host, "%s", config_text(config, SETTING_REDIS_HOST));
        target->port = (uint16_t)config_integer(config, SETTING_REDIS_PORT);
        target->user = config_text(config, SETTING_REDIS_USER);
        target->password = config_text(config, SETTING_REDIS_PASSWORD);
    }
    target->host = simulate->host;
    return EXIT_OK;
}

/* Keeps the run as the API keeps its runs; a failure is told, and does not spoil the run. */
static void save(struct simulate *simulate, const struct lab_result *result) {
    struct error error = {""};
    if (!simulate->save) return;
    if (lab_save(simulate->save, result, &error) != STATUS_OK)
        app_complain("simulate: saving the run", &error);
    else
        lab_prune(simulate->save);
}

static int run(struct simulate *simulate) {
    struct error error = {""};
    struct lab_result result;
    struct lab_run_options options = {
        .parameters = &simulate->parameters,
        .run_id = simulate->run_id,
        .clock = simulate->app->clock,
        .random = simulate->app->random,
        .stop = &simulate_stop,
        .tick = simulate->is_pipe ? simulate_pipe_tick : simulate_show_tick,
        .ready = simulate->is_pipe ? simulate_pipe_ready : simulate_show_ready,
        .data = simulate,
        .without_detector = simulate->without_detector,
    };
    int code = read_target(simulate, &options.target);
    if (code != EXIT_OK) return code;
    take_signals();
    enum status status = lab_run(&options, &result, &error);
    if (status != STATUS_OK) {
        if (simulate->is_pipe) simulate_pipe_error(simulate, error.text);
        app_complain("simulate", &error);
        return status == STATUS_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    save(simulate, &result);
    code = simulate->is_pipe ? simulate_pipe_end(simulate, &result) : simulate_show_result(simulate, &result);
    if (result.end == LAB_END_TARGET_LOST && code == EXIT_OK) code = EXIT_TARGET_LOST;
    lab_result_free(&result);
    return code;
}

/* --dry-run may stand alone: then it prints everything. Returns the arguments with its number in place. */
static char **with_dry_run_number(int argc, char **argv) {
    char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    for (int i = 0; arguments && i < argc; i++) {
        bool has_number = i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9';
        arguments[i] = strcmp(argv[i], "--dry-run") == 0 && !has_number ? "--dry-run=0" : argv[i];
    }
    return arguments;
}

struct own_flags {
    const char *json, *save, *no_save, *dry_run, *list, *pipe, *run_id, *without_detector;
    char save_path[4096];
};

static int read_own(struct simulate *simulate, struct own_flags *own) {
    simulate->is_json = own->json != NULL;
    simulate->is_pipe = own->pipe != NULL;
    simulate->without_detector = own->without_detector != NULL;
    simulate->dry_run = -1;
    if (own->dry_run && !app_flag_integer("--dry-run", own->dry_run, 0, INT64_MAX, &simulate->dry_run))
        return EXIT_USAGE;
    simulate->run_id = uuid_make_v7(clock_wall_ms(simulate->app->clock), simulate->app->random);
    if (own->run_id && uuid_parse(bytes_of(own->run_id), &simulate->run_id) != STATUS_OK) {
        fprintf(stderr, "orderly simulate: --run-id must be a UUID, not \"%s\"\n", own->run_id);
        return EXIT_USAGE;
    }
    snprintf(own->save_path, sizeof own->save_path, "%s/lab", config_text(simulate->app->config, SETTING_DATA_DIR));
    simulate->save = own->no_save ? NULL : own->save ? own->save : own->save_path;
    return EXIT_OK;
}

static const char text[] =
    "Puts the traffic of a profile on a Redis, measures it from the intended time of each operation, finds the hot "
    "keys,\n"
    "and reports. The Redis is ORDERLY_LAB_REDIS=host:port, else REDIS_HOST, else a private redis-server for the run.\n"
    "Ctrl-C ends the run and still reports. Exit code: 0 done or stopped, 1 failed, 2 wrong usage, 3 the target was "
    "lost.";

static int simulate_main(struct app *app, int argc, char **argv, struct simulate_flags *flags) {
    struct simulate simulate = {.app = app};
    struct own_flags own = {0};
    const struct app_flag own_table[] = {
        {"--json", NULL, "the result as one JSON object on standard output", &own.json},
        {"--save", "DIR", "keep the run's files there (default: lab in the data directory)", &own.save},
        {"--no-save", NULL, "keep no files", &own.no_save},
        {"--dry-run", "[N]", "print the schedule (time_ms class client key operation), N lines of it, and do nothing",
         &own.dry_run},
        {"--list-profiles", NULL, "what profiles there are, and what one sees in each", &own.list},
        {"--run-id", "UUID", "the run's id (default: a new one)", &own.run_id},
        {"--without-detector", NULL, "name no hot keys: to measure what that costs", &own.without_detector},
        {"--pipe", NULL, "for the service: parameters as JSON on standard input, events as JSON lines", &own.pipe},
    };
    simulate_flags_init(flags, own_table, sizeof own_table / sizeof *own_table);
    const struct app_usage usage = {
        .name = "simulate", .operands = "", .text = text, .flags = flags->flags, .flag_count = flags->count};
    bool done;
    int code = app_open(app, argc, argv, &usage, &done);
    if (code != EXIT_OK || done) return code;
    code = read_own(&simulate, &own);
    if (code == EXIT_OK && own.list) {
        simulate_list_profiles();
        return EXIT_OK;
    }
    if (code == EXIT_OK)
        code = simulate.is_pipe ? simulate_pipe_open(&simulate) : simulate_flags_read(flags, &simulate.parameters);
    if (code != EXIT_OK) return code;
    simulate.is_terminal = isatty(STDERR_FILENO);
    return simulate.dry_run >= 0 ? simulate_dry_run(&simulate) : run(&simulate);
}

int command_simulate(int argc, char **argv) {
    struct app app = {0};
    char **arguments = with_dry_run_number(argc, argv);
    struct simulate_flags *flags = calloc(1, sizeof *flags);
    int code = EXIT_FAILED;
    if (arguments && flags)
        code = simulate_main(&app, argc, arguments, flags);
    else
        fputs("orderly simulate: out of memory\n", stderr);
    app_close(&app);
    free(flags);
    free(arguments);
    return code;
}
