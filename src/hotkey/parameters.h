/* What a run of the lab is told: the table of parameters, the profiles, reading and checking.
 *
 * One table gives each parameter its name (JSON member "hot_clients", flag --hot-clients), type, range, default and an
 * explanation: the API, the command line, the page and the report are all made from it. */
#ifndef ORDERLY_HOTKEY_PARAMETERS_H
#define ORDERLY_HOTKEY_PARAMETERS_H

#include "base/json.h"
#include "base/status.h"

enum lab_class { LAB_HOT, LAB_NORMAL, LAB_CLASSES };
enum lab_arrival { LAB_POISSON, LAB_UNIFORM, LAB_BURST, LAB_CLOSED, LAB_ARRIVALS };
enum lab_distribution { LAB_KEYS_UNIFORM, LAB_KEYS_ZIPF, LAB_KEYS_HOTSPOT, LAB_KEYS_LATEST, LAB_DISTRIBUTIONS };

#define LAB_CLIENTS_MAX 10000 /* of one class */
#define LAB_KEYS_MAX 1000000
#define LAB_THREADS_MAX 16
#define LAB_CONNECTIONS_MAX 1000
#define LAB_PIPELINE_MAX 256
#define LAB_VALUE_MAX 65536
#define LAB_RATE_MAX 5e6 /* of all clients together, operations per second */

struct lab_class_parameters {
    int64_t clients;
    double rate;   /* operations per second of one client. CLOSED: 1/rate is its pause after each answer; 0: no pause */
    int64_t arrival; /* enum lab_arrival */
    double read_ratio; /* 0 to 1 */
};

struct lab_parameters {
    char profile[24];
    int64_t seed;       /* 0 to 2^53 - 1 */
    double duration_s;
    struct lab_class_parameters classes[LAB_CLASSES];
    int64_t burst_size; /* BURST: operations at once; the mean rate stays */
    int64_t keys;       /* there are so many, numbered from 0 */
    int64_t hot_keys;   /* of them are hot at a time */
    double hot_share;   /* of a hot client's operations go to a hot key; the others as a normal client's */
    double hot_shift_s; /* the hot keys move so often; 0: never */
    int64_t normal_keys; /* enum lab_distribution */
    double zipf_s;
    int64_t value_bytes;
    double ttl_s;       /* 0: keys do not expire */
    double ttl_jitter;  /* 0 to 1: each TTL is shortened by up to this share of it */
    int64_t miss_cost_us; /* what a miss costs behind the cache; then the value is written back */
    int64_t pipeline;   /* operations under way on one connection, at most */
    int64_t connections; /* 0: one per client, at most 50 */
    int64_t threads;
    int64_t fault_freeze_ms; /* freezes the private server for so long in the middle of the run; 0: not */
};

enum lab_parameter_type { LAB_INTEGER, LAB_REAL, LAB_CHOICE, LAB_TEXT };

struct lab_parameter {
    const char *name;  /* "hot_clients" */
    enum lab_parameter_type type;
    size_t offset;     /* in struct lab_parameters */
    double minimum, maximum; /* LAB_INTEGER, LAB_REAL */
    const char *const *choices; /* LAB_CHOICE: NULL-terminated; the member is the index (int64_t). LAB_TEXT: what it may be */
    const char *unit;  /* "ms", "" */
    const char *help;  /* one or two plain sentences */
    bool is_basic;     /* shown first; the others are folded away */
};

/* All of them, in the order to show them in. */
const struct lab_parameter *lab_parameter_table(size_t *count_out);

struct lab_profile {
    const char *name;    /* "celebrity" */
    const char *title;   /* "A celebrity's page" */
    const char *text;    /* a paragraph: what one should see, and why */
    const char *overrides; /* a JSON object: what differs from the defaults */
};
const struct lab_profile *lab_profile_table(size_t *count_out);

/* The profile's parameters. NOT_FOUND: there is none of that name (nothing is written). NO_MEMORY. */
enum status lab_parameters_default(const char *profile, struct lab_parameters *parameters_out);

/* What is wrong with one parameter. */
struct lab_problem {
    char name[32];    /* of the parameter, as it was given (cut) */
    char detail[160]; /* "must be a whole number from 1 to 10000" */
};
#define LAB_PROBLEMS_MAX 32
struct lab_problems {
    struct lab_problem items[LAB_PROBLEMS_MAX];
    size_t count; /* at most LAB_PROBLEMS_MAX are kept */
};

/* Reads a JSON object over the defaults of its "profile" (else "default"); NULL or {}: the defaults. INVALID: all bad and
 * unknown members are in problems_out, parameters that fit each other badly too (named by the one to change). NO_MEMORY. */
enum status lab_parameters_read(const struct json_value *object, struct lab_parameters *parameters_out,
                                struct lab_problems *problems_out);

/* The same from flags, {"--hot-clients", "50", "--profile=zipf", NULL}: names with dashes for underscores. */
enum status lab_parameters_read_flags(char *const *flags, struct lab_parameters *parameters_out,
                                      struct lab_problems *problems_out);

/* Writes one JSON object with every parameter. Reading it back gives the same parameters. */
void lab_parameters_write(const struct lab_parameters *parameters, struct json_writer *writer);

/* The flags that differ from the profile's defaults: " --profile zipf --seed 7 --keys 100": the command that repeats it. */
void lab_parameters_write_flags(const struct lab_parameters *parameters, struct buffer *out);

/* The tables as JSON, for a page: {"parameters":[{name,type,minimum,maximum,choices,unit,default,help,basic}],
 * "profiles":[{name,title,text,parameters:{...all...}}]}. */
void lab_parameters_write_schema(struct json_writer *writer);

#endif
