/* What the files of `orderly simulate` share. */
#ifndef ORDERLY_APP_SIMULATE_H
#define ORDERLY_APP_SIMULATE_H

#include <stdatomic.h>

#include "app/app.h"
#include "hotkey/run.h"

enum { EXIT_TARGET_LOST = 3 };

#define SIMULATE_FLAGS_MAX 64      /* parameters and own flags together */
#define SIMULATE_LINE_MAX 65536    /* the line of parameters on standard input */
#define SIMULATE_OUTPUT_MAX (64u << 20)
#define SIMULATE_WRITE_MS 500      /* for the parent to take a line; then it is left out */

struct simulate {
    struct app *app;
    struct lab_parameters parameters;
    struct uuid run_id;
    char host[256];
    const char *save; /* directory, NULL for none */
    bool is_json, is_pipe, without_detector;
    int64_t dry_run; /* operations to print, 0 for all; -1: none */

    /* The live line. */
    bool is_terminal;
    bool has_line; /* the terminal's last line is a live one */
    struct buffer line; /* of the pipe */
};

/* The user's wish to end, by signal or by the end of standard input. */
extern atomic_bool simulate_stop;

/* command_simulate_flags.c: the parameters as flags. */
struct simulate_flags {
    struct app_flag flags[SIMULATE_FLAGS_MAX];
    size_t count, own_count;
    char names[SIMULATE_FLAGS_MAX][40];
    char helps[SIMULATE_FLAGS_MAX][512];
    const char *values[SIMULATE_FLAGS_MAX];
    const char *duration; /* --duration, the short name of --duration-s */
};
/* The command's own flags, then one for each parameter. */
void simulate_flags_init(struct simulate_flags *flags, const struct app_flag *own, size_t own_count);
/* The parameters that were given; EXIT_OK, or EXIT_USAGE after printing what is wrong with each. */
int simulate_flags_read(const struct simulate_flags *flags, struct lab_parameters *parameters_out);
int simulate_complain(const struct lab_problems *problems);

/* command_simulate_show.c: what a person sees. */
void simulate_show_ready(void *data, const struct lab_result *so_far);
void simulate_show_tick(void *data, const struct lab_result *so_far, const struct lab_second *second);
int simulate_show_result(struct simulate *simulate, const struct lab_result *result);
int simulate_dry_run(const struct simulate *simulate);
void simulate_list_profiles(void);

/* command_simulate_pipe.c: what the parent process sees. */
int simulate_pipe_open(struct simulate *simulate); /* reads the parameters; then the end of standard input is a stop */
void simulate_pipe_ready(void *data, const struct lab_result *so_far);
void simulate_pipe_tick(void *data, const struct lab_result *so_far, const struct lab_second *second);
int simulate_pipe_end(struct simulate *simulate, const struct lab_result *result);
void simulate_pipe_error(struct simulate *simulate, const char *text);

#endif
