/* The parameters of a run as flags of the command: made from their table, read by it. */
#include <stdio.h>
#include <string.h>

#include "app/simulate.h"

static const char *const value_names[] = {
    [LAB_INTEGER] = "N", [LAB_REAL] = "X", [LAB_CHOICE] = "NAME", [LAB_TEXT] = "NAME"};

/* A line of --help: choices or range, then the first sentence of the explanation. */
static void write_help(const struct lab_parameter *parameter, char *out, size_t size) {
    const char *end = strstr(parameter->help, ". ");
    int help_size = end ? (int)(end - parameter->help) : (int)strcspn(parameter->help, "\n");
    size_t used = (size_t)snprintf(out, size, "%.*s", help_size, parameter->help);
    if (used > 0 && used < size && out[used - 1] == '.') out[--used] = '\0';
    if (!parameter->choices) {
        snprintf(out + used, size - used, " (%.16g to %.16g%s%s)", parameter->minimum, parameter->maximum,
                 parameter->unit[0] ? " " : "", parameter->unit);
        return;
    }
    for (size_t i = 0; parameter->choices[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : " (", parameter->choices[i]);
    if (used < size) snprintf(out + used, size - used, ")");
}

void simulate_flags_init(struct simulate_flags *flags, const struct app_flag *own, size_t own_count) {
    size_t parameter_count;
    const struct lab_parameter *parameters = lab_parameter_table(&parameter_count);
    memcpy(flags->flags, own, own_count * sizeof *own);
    flags->own_count = own_count;
    flags->count = own_count;
    for (size_t i = 0; i < parameter_count && flags->count < SIMULATE_FLAGS_MAX - 1; i++) {
        size_t at = flags->count++;
        snprintf(flags->names[at], sizeof flags->names[at], "--%s", parameters[i].name);
        for (char *c = flags->names[at]; *c; c++)
            if (*c == '_') *c = '-';
        write_help(&parameters[i], flags->helps[at], sizeof flags->helps[at]);
        flags->flags[at] =
            (struct app_flag){flags->names[at], value_names[parameters[i].type], flags->helps[at], &flags->values[at]};
    }
    flags->flags[flags->count++] = (struct app_flag){"--duration", "S", "the same as --duration-s", &flags->duration};
}

int simulate_complain(const struct lab_problems *problems) {
    for (size_t i = 0; i < problems->count; i++)
        fprintf(stderr, "orderly simulate: %s %s\n", problems->items[i].name, problems->items[i].detail);
    return EXIT_USAGE;
}

int simulate_flags_read(const struct simulate_flags *flags, struct lab_parameters *parameters_out) {
    const char *given[2 * SIMULATE_FLAGS_MAX + 3];
    struct lab_problems problems = {0};
    size_t count = 0;
    for (size_t i = flags->own_count; i < flags->count; i++) {
        if (!flags->values[i]) continue;
        given[count++] = flags->names[i];
        given[count++] = flags->values[i];
    }
    if (flags->duration) {
        given[count++] = "--duration-s";
        given[count++] = flags->duration;
    }
    given[count] = NULL;
    enum status status = lab_parameters_read_flags((char *const *)given, parameters_out, &problems);
    return status == STATUS_OK ? EXIT_OK : simulate_complain(&problems);
}
