/* The table of the lab's parameters: names, ranges, what each is for. The defaults beside it. */
#include "hotkey/parameters_parts.h"

#include <stdio.h>

#define AT(member) offsetof(struct lab_parameters, member)
#define ARRIVAL_HELP                                                                                                   \
    "When its operations come: uniform (evenly, each client from a random moment on), poisson (independent users: "    \
    "exponential gaps), burst (all clients of the class at the same moment, burst_size operations each), closed (the " \
    "next one after the answer to the last: such a client slows down with the server and hides its queue)."

static const char *const arrivals[] = {"poisson", "uniform", "burst", "closed", NULL};
static const char *const distributions[] = {"uniform", "zipf", "hotspot", "latest", NULL};
static const char *const profiles[] = {"default",        "celebrity", "flash_sale", "cache_stampede",
                                       "moving_hotspot", "zipf",      NULL};

static const struct lab_parameter table[LAB_PARAMETERS] = {
    {"profile", LAB_TEXT, AT(profile), 0, 0, profiles, "",
     "A named set of parameters to begin with; those that are given beside it count more.", true},
    {"seed", LAB_INTEGER, AT(seed), 0, JSON_INTEGER_MAX, NULL, "",
     "All traffic is drawn from this number: the same seed and parameters give the same operations at the same times.",
     true},
    {"duration_s", LAB_REAL, AT(duration_s), 0.1, LAB_DURATION_MAX_S, NULL, "s",
     "How long the run is. A minute is long enough for percentiles that keep still, and short enough to try again.",
     true},
    {"hot_clients", LAB_INTEGER, AT(classes[LAB_HOT].clients), 0, LAB_CLIENTS_MAX, NULL, "",
     "Clients that crowd on the hot keys. 50 of them at their default rate touch one key 5,000 times a second.", true},
    {"hot_rate", LAB_REAL, AT(classes[LAB_HOT].rate), 0, 1e6, NULL, "1/s",
     "Operations per second of each hot client; 100 is one every 10 ms. Closed arrival: it pauses 1/rate after an "
     "answer, and not at all if this is 0.",
     true},
    {"hot_arrival", LAB_CHOICE, AT(classes[LAB_HOT].arrival), 0, 0, arrivals, "", ARRIVAL_HELP, false},
    {"hot_read_ratio", LAB_REAL, AT(classes[LAB_HOT].read_ratio), 0, 1, NULL, "",
     "Share of a hot client's operations that read; the others write. 0.9: one write in ten, as a counter or a stock "
     "level has that many look at.",
     false},
    {"normal_clients", LAB_INTEGER, AT(classes[LAB_NORMAL].clients), 0, LAB_CLIENTS_MAX, NULL, "",
     "Clients that go about their business: what they wait is what the hot keys cost everybody else.", true},
    {"normal_rate", LAB_REAL, AT(classes[LAB_NORMAL].rate), 0, 1e6, NULL, "1/s",
     "Operations per second of each normal client; 10 is one every 100 ms. Closed arrival: as with hot_rate.", true},
    {"normal_arrival", LAB_CHOICE, AT(classes[LAB_NORMAL].arrival), 0, 0, arrivals, "",
     "When its operations come; the choices of hot_arrival.", false},
    {"normal_read_ratio", LAB_REAL, AT(classes[LAB_NORMAL].read_ratio), 0, 1, NULL, "",
     "Share of a normal client's operations that read; the others write. 0.95 is the read-mostly mix of YCSB's "
     "workload B.",
     false},
    {"burst_size", LAB_INTEGER, AT(burst_size), 1, 10000, NULL, "",
     "With burst arrival: operations of each client at once. The pauses between grow with it, so the mean rate stays.",
     false},
    {"keys", LAB_INTEGER, AT(keys), 1, LAB_KEYS_MAX, NULL, "",
     "How many keys there are, hot ones included. Ten are few enough to look at each.", true},
    {"hot_keys", LAB_INTEGER, AT(hot_keys), 1, LAB_KEYS_MAX, NULL, "",
     "How many of them are hot at a time. They share the hot operations by Zipf's law with zipf_s: the first is the "
     "hottest; with zipf_s 0 all are equal.",
     true},
    {"hot_share", LAB_REAL, AT(hot_share), 0, 1, NULL, "",
     "Share of a hot client's operations that go to a hot key; the others go to the keys of a normal client.", false},
    {"hot_shift_s", LAB_REAL, AT(hot_shift_s), 0, 86400, NULL, "s",
     "So often other keys become the hot ones: a detector must follow. 0: never.", true},
    {"normal_keys", LAB_CHOICE, AT(normal_keys), 0, 0, distributions, "",
     "Which keys a normal client takes: uniform (any), zipf (by popularity, scattered over the keys), hotspot (a fifth "
     "of the keys gets four fifths of the operations), latest (by Zipf's law from the highest number down, as with ids "
     "that grow).",
     true},
    {"zipf_s", LAB_REAL, AT(zipf_s), 0, 10, NULL, "",
     "Exponent of Zipf's law: the key of rank r is taken in proportion to 1/r^s. 0.99 is YCSB's; 0: all alike.", false},
    {"value_bytes", LAB_INTEGER, AT(value_bytes), 1, LAB_VALUE_MAX, NULL, "B",
     "Size of each value. 100 is a small record; from some KiB on the network becomes the limit, not the server.",
     false},
    {"ttl_s", LAB_REAL, AT(ttl_s), 0, 86400, NULL, "s",
     "Keys expire after this time; the next read misses and pays miss_cost_us. 0: they do not expire.", false},
    {"ttl_jitter", LAB_REAL, AT(ttl_jitter), 0, 1, NULL, "",
     "Each expiry is shortened by a random part of up to this share, so that keys do not expire together.", false},
    {"miss_cost_us", LAB_INTEGER, AT(miss_cost_us), 0, 10000000, NULL, "us",
     "What a miss costs behind the cache, before the value is written back. 1,000 is a quick database; there are no "
     "misses unless keys expire.",
     false},
    {"pipeline", LAB_INTEGER, AT(pipeline), 1, LAB_PIPELINE_MAX, NULL, "",
     "Operations under way on one connection, at most; further ones wait in this program, and their waiting counts. 1 "
     "is "
     "what most clients do: they wait for the answer before they send again. More raises the rate that a machine can "
     "hold.",
     false},
    {"connections", LAB_INTEGER, AT(connections), 0, LAB_CONNECTIONS_MAX, NULL, "",
     "Connections to the server, shared by the clients. 0: one for each client, at most 50, as a service's pool has.",
     false},
    {"threads", LAB_INTEGER, AT(threads), 1, LAB_THREADS_MAX, NULL, "",
     "Threads that generate load. One is enough for some hundred thousand operations a second, and leaves the other "
     "cores to the server.",
     false},
    {"fault_freeze_ms", LAB_INTEGER, AT(fault_freeze_ms), 0, 60000, NULL, "ms",
     "Stops the private server for so long in the middle of the run (SIGSTOP): response times show the wait, service "
     "times hide it. 0: not.",
     false},
};

const struct lab_parameter *lab_parameter_table(size_t *count_out) {
    *count_out = LAB_PARAMETERS;
    return table;
}

int lab_parameter_find(struct bytes name) {
    for (int row = 0; row < LAB_PARAMETERS; row++)
        if (bytes_equal(name, bytes_of(table[row].name))) return row;
    return -1;
}

void lab_parameters_init(struct lab_parameters *parameters) {
    *parameters = (struct lab_parameters){
        .profile = "default",
        .seed = 1,
        .duration_s = 60,
        .classes = {[LAB_HOT] = {.clients = 50, .rate = 100, .arrival = LAB_UNIFORM, .read_ratio = 0.9},
                    [LAB_NORMAL] = {.clients = 10, .rate = 10, .arrival = LAB_UNIFORM, .read_ratio = 0.95}},
        .burst_size = 10,
        .keys = 10,
        .hot_keys = 1,
        .hot_share = 1,
        .normal_keys = LAB_KEYS_UNIFORM,
        .zipf_s = 0.99,
        .value_bytes = 100,
        .miss_cost_us = 1000,
        .pipeline = 1,
        .threads = 1,
    };
}

/* --- one value --- */

static bool set_integer(const struct lab_parameter *row, const struct json_value *value,
                        struct lab_parameters *parameters) {
    if (value->kind != JSON_NUMBER || !value->is_integer) return false;
    if ((double)value->integer < row->minimum || (double)value->integer > row->maximum) return false;
    *lab_member_integer(row, parameters) = value->integer;
    return true;
}

static bool set_real(const struct lab_parameter *row, const struct json_value *value,
                     struct lab_parameters *parameters) {
    if (value->kind != JSON_NUMBER) return false;
    double number = value->is_integer ? (double)value->integer : value->number;
    if (!(number >= row->minimum && number <= row->maximum)) return false;
    *lab_member_real(row, parameters) = number + 0.0; /* -0 is 0 */
    return true;
}

static int choice_of(const struct lab_parameter *row, const struct json_value *value) {
    if (value->kind != JSON_STRING) return -1;
    for (int choice = 0; row->choices[choice]; choice++)
        if (bytes_equal(value->string, bytes_of(row->choices[choice]))) return choice;
    return -1;
}

static bool set_choice(const struct lab_parameter *row, const struct json_value *value,
                       struct lab_parameters *parameters) {
    int choice = choice_of(row, value);
    if (choice < 0) return false;
    *lab_member_integer(row, parameters) = choice;
    return true;
}

/* The only text is the profile's name. */
static bool set_text(const struct lab_parameter *row, const struct json_value *value,
                     struct lab_parameters *parameters) {
    int choice = choice_of(row, value);
    if (choice < 0) return false;
    snprintf(parameters->profile, sizeof parameters->profile, "%s", row->choices[choice]);
    return true;
}

bool lab_parameter_set(const struct lab_parameter *row, const struct json_value *value,
                       struct lab_parameters *parameters) {
    static bool (*const set[])(const struct lab_parameter *, const struct json_value *, struct lab_parameters *) = {
        [LAB_INTEGER] = set_integer, [LAB_REAL] = set_real, [LAB_CHOICE] = set_choice, [LAB_TEXT] = set_text};
    return set[row->type](row, value, parameters);
}

void lab_parameter_rule(const struct lab_parameter *row, char *out, size_t size) {
    if (!row->choices) {
        snprintf(out, size, "must be a %s from %.16g to %.16g", row->type == LAB_INTEGER ? "whole number" : "number",
                 row->minimum, row->maximum);
        return;
    }
    int used = snprintf(out, size, "must be one of ");
    for (int i = 0; row->choices[i] && used > 0 && (size_t)used < size; i++)
        used += snprintf(out + used, size - (size_t)used, "%s%s", i > 0 ? ", " : "", row->choices[i]);
}
