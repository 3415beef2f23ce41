/* The program's entry: finds the command by its name and runs it. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"

static const struct command_entry commands[] = {
    {"serve", "API and consumer in one process", command_serve},
    {"api", "the API alone", command_api},
    {"consumer", "the consumer alone; as many as wanted", command_consumer},
    {"setup", "create what the engines need; running it again changes nothing", command_setup},
    {"check", "does each configured service answer, and if not, what to do", command_check},
    {"config", "every setting, its value, its source, its meaning", command_config},
    {"import", "orders from NDJSON through the log, or a backup back into the store", command_import},
    {"export", "all orders with their history as NDJSON", command_export},
    {"demo", "a bounded stream of believable orders through the API", command_demo},
    {"simulate", "the hot-key lab: traffic on a Redis, honest times, the hot keys found", command_simulate},
    {"version", "the program's version", command_version},
};

static int usage(FILE *out) {
    fputs("usage: orderly COMMAND [--setting value ...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nEvery setting is a flag (--data-dir), an environment variable (ORDERLY_DATA_DIR) or a line in .env;\n"
          "`orderly config` lists them. `orderly COMMAND --help` says more about one command.\n",
          out);
    return out == stdout ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char **argv) {
    if (argc < 2) return usage(stderr);
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return usage(stdout);
    if (!strcmp(argv[1], "--version")) return command_version(argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "orderly: there is no command \"%s\"\n\n", argv[1]);
    return usage(stderr);
}
