/* What every command starts with: configuration, clock, log, metrics, and the command's own flags. */
#ifndef ORDERLY_APP_APP_H
#define ORDERLY_APP_APP_H

#include "app/command.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "config/config.h"

struct app {
    struct config *config;
    const struct clock *clock;
    struct random *random;
    struct log log;
    struct metrics *metrics;
    char **arguments; /* what is no setting: the command's own flags and operands, NULL-terminated */
};

/* A flag of a command beside the settings. value_name NULL: it takes no value. */
struct app_flag {
    const char *name; /* "--replay" */
    const char *value_name;
    const char *help;
    const char **value_out; /* the value, or "" for a flag without one; untouched if not given */
};

/* What a command takes, for parsing and for --help. */
struct app_usage {
    const char *name;
    const char *operands; /* "FILE", or "" */
    const char *text;     /* what it does: a few lines */
    const struct app_flag *flags;
    size_t flag_count;
    const char **operand_out; /* the one operand, if operands is not "" */
};

/* Reads configuration and flags. Returns EXIT_OK, or the code to exit with: after --help (then *done_out is true) or
 * after printing what is wrong. Close with app_close in every case. */
int app_open(struct app *app, int argc, char **argv, const struct app_usage *usage, bool *done_out);
void app_close(struct app *app);

/* Drops all metrics, whose owners are closed, and begins anew. False: no memory. */
bool app_renew_metrics(struct app *app);

/* A whole number from a flag's value; false (and a message) if it is none within the range. */
bool app_flag_integer(const char *flag, const char *value, int64_t minimum, int64_t maximum, int64_t *value_out);

/* Prints one line "orderly: <what>: <error>" to stderr. */
void app_complain(const char *what, const struct error *error);

#endif
