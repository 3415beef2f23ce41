/* What the files of the parameters share: rows by name, setting one member, and the rules between members. */
#ifndef ORDERLY_HOTKEY_PARAMETERS_PARTS_H
#define ORDERLY_HOTKEY_PARAMETERS_PARTS_H

#include "hotkey/parameters.h"

#define LAB_PARAMETERS 26 /* rows of the table */
#define LAB_DURATION_MAX_S 86400

/* Shorter waits than this are none: the least time that is not 0, in seconds. */
#define LAB_SHIFT_MIN_S 0.1
#define LAB_TTL_MIN_S 0.001
#define LAB_RATE_MIN 0.001

/* The row's number in the table, or -1. */
int lab_parameter_find(struct bytes name);

/* The defaults of the profile "default"; allocates nothing. */
void lab_parameters_init(struct lab_parameters *parameters);

const struct lab_profile *lab_profile_find(struct bytes name);

/* The members, typed as the row says. */
static inline int64_t *lab_member_integer(const struct lab_parameter *row, struct lab_parameters *parameters) {
    return (int64_t *)(void *)((char *)parameters + row->offset);
}
static inline double *lab_member_real(const struct lab_parameter *row, struct lab_parameters *parameters) {
    return (double *)(void *)((char *)parameters + row->offset);
}
static inline const char *lab_member_at(const struct lab_parameter *row, const struct lab_parameters *parameters) {
    return (const char *)parameters + row->offset;
}

/* True and written if the value is one that the row allows. */
bool lab_parameter_set(const struct lab_parameter *row, const struct json_value *value, struct lab_parameters *parameters);

/* "must be a whole number from 1 to 10000" */
void lab_parameter_rule(const struct lab_parameter *row, char *out, size_t size);

/* Rules between members. Calls problem for each that is broken; is_bad tells which rows were refused already: rules that
 * involve one of these are left out. */
void lab_parameters_check(const struct lab_parameters *parameters, const bool is_bad[LAB_PARAMETERS],
                          void (*problem)(void *data, const char *name, const char *detail), void *data);

#endif
