/* Rules between parameters: each may be in its range, and still they may not fit each other. */
#include "hotkey/parameters_parts.h"

#include <stdio.h>

#define INVOLVED_MAX 4
#define DATA_BYTES_MAX (INT64_C(1) << 30) /* of all values together: a server on a small machine holds them */
#define OPERATIONS_MAX 4e9                /* of one client: their numbers have 32 bits */

struct rule {
    const char *name;                 /* of the parameter to change */
    const char *others[INVOLVED_MAX]; /* those that it must fit */
    bool (*fits)(const struct lab_parameters *p);
    const char *detail;
};

static bool is_open(const struct lab_class_parameters *class) {
    return class->clients > 0 && class->arrival != LAB_CLOSED;
}

/* Operations per second of the clients that do not wait for answers. */
static double class_rate(const struct lab_class_parameters *class) {
    return is_open(class) ? (double)class->clients * class->rate : 0;
}

static bool total_fits(const struct lab_parameters *p) {
    return class_rate(&p->classes[LAB_HOT]) + class_rate(&p->classes[LAB_NORMAL]) <= LAB_RATE_MAX;
}

/* Which of the two to blame: the class with the larger part. */
static bool hot_total_fits(const struct lab_parameters *p) {
    return total_fits(p) || class_rate(&p->classes[LAB_HOT]) < class_rate(&p->classes[LAB_NORMAL]);
}
static bool normal_total_fits(const struct lab_parameters *p) {
    return total_fits(p) || class_rate(&p->classes[LAB_HOT]) >= class_rate(&p->classes[LAB_NORMAL]);
}

static bool rate_fits(const struct lab_class_parameters *class) {
    if (class->rate == 0) return !is_open(class);
    return class->rate >= LAB_RATE_MIN;
}
static bool hot_rate_fits(const struct lab_parameters *p) {
    return rate_fits(&p->classes[LAB_HOT]);
}
static bool normal_rate_fits(const struct lab_parameters *p) {
    return rate_fits(&p->classes[LAB_NORMAL]);
}

static bool numbers_fit(const struct lab_parameters *p) {
    for (int class = 0; class < LAB_CLASSES; class ++)
        if (is_open(&p->classes[class]) && p->classes[class].rate * p->duration_s > OPERATIONS_MAX) return false;
    return true;
}

static bool somebody_comes(const struct lab_parameters *p) {
    return p->classes[LAB_HOT].clients + p->classes[LAB_NORMAL].clients > 0;
}
static bool hot_keys_fit(const struct lab_parameters *p) {
    return p->hot_keys <= p->keys;
}
static bool shift_fits(const struct lab_parameters *p) {
    return p->hot_shift_s == 0 || p->hot_shift_s >= LAB_SHIFT_MIN_S;
}
static bool ttl_fits(const struct lab_parameters *p) {
    return p->ttl_s == 0 || p->ttl_s >= LAB_TTL_MIN_S;
}
static bool data_fits(const struct lab_parameters *p) {
    return p->keys * p->value_bytes <= DATA_BYTES_MAX;
}
static bool connections_fit(const struct lab_parameters *p) {
    return p->connections == 0 || p->connections >= p->threads;
}
static bool freeze_fits(const struct lab_parameters *p) {
    return (double)p->fault_freeze_ms <= p->duration_s * 1000 / 2;
}

static const struct rule rules[] = {
    {"hot_clients", {"normal_clients"}, somebody_comes, "must be at least 1, or normal_clients must be"},
    {"hot_rate", {"hot_clients", "hot_arrival"}, hot_rate_fits, "must be at least 0.001; 0 only with closed arrival"},
    {"normal_rate",
     {"normal_clients", "normal_arrival"},
     normal_rate_fits,
     "must be at least 0.001; 0 only with closed arrival"},
    {"hot_rate",
     {"hot_clients", "normal_clients", "normal_rate"},
     hot_total_fits,
     "must be less: all clients together may do 5000000 operations per second"},
    {"normal_rate",
     {"normal_clients", "hot_clients", "hot_rate"},
     normal_total_fits,
     "must be less: all clients together may do 5000000 operations per second"},
    {"duration_s",
     {"hot_rate", "normal_rate"},
     numbers_fit,
     "must be shorter: one client may do 4000000000 operations (its rate times the duration)"},
    {"hot_keys", {"keys"}, hot_keys_fit, "must be at most keys"},
    {"hot_shift_s", {0}, shift_fits, "must be 0 or at least 0.1"},
    {"ttl_s", {0}, ttl_fits, "must be 0 or at least 0.001"},
    {"value_bytes", {"keys"}, data_fits, "must be less: keys times value_bytes may be 1 GiB (1073741824)"},
    {"connections", {"threads"}, connections_fit, "must be 0 or at least threads"},
    {"fault_freeze_ms", {"duration_s"}, freeze_fits, "must be at most half of the duration"},
};

static bool involves_bad(const struct rule *rule, const bool is_bad[LAB_PARAMETERS]) {
    if (is_bad[lab_parameter_find(bytes_of(rule->name))]) return true;
    for (int i = 0; i < INVOLVED_MAX && rule->others[i]; i++)
        if (is_bad[lab_parameter_find(bytes_of(rule->others[i]))]) return true;
    return false;
}

void lab_parameters_check(const struct lab_parameters *parameters, const bool is_bad[LAB_PARAMETERS],
                          void (*problem)(void *data, const char *name, const char *detail), void *data) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!involves_bad(&rules[i], is_bad) && !rules[i].fits(parameters))
            problem(data, rules[i].name, rules[i].detail);
}
