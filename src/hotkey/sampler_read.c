/* Reads what INFO says and makes figures per second of two such answers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hotkey/sampler.h"

static double info_number(const char *info, const char *name) {
    char line[64];
    int size = snprintf(line, sizeof line, "\n%s:", name);
    const char *at = size < (int)sizeof line ? strstr(info, line) : NULL;
    char *end;
    if (!at) return -1;
    double number = strtod(at + size, &end);
    return end > at + size ? number : -1;
}

/* The keys of all databases: lines "db0:keys=10,expires=0,...". */
static int64_t info_keys(const char *info) {
    int64_t keys = 0;
    const char *at = strstr(info, "# Keyspace");
    if (!at) return -1;
    while ((at = strstr(at, ":keys="))) {
        at += strlen(":keys=");
        keys += strtoll(at, NULL, 10);
    }
    return keys;
}

void sampler_read_info(const char *info, struct sampler_counters *out) {
    *out = (struct sampler_counters){
        .is_known = true,
        .commands = (int64_t)info_number(info, "total_commands_processed"),
        .hits = (int64_t)info_number(info, "keyspace_hits"),
        .misses = (int64_t)info_number(info, "keyspace_misses"),
        .evicted = (int64_t)info_number(info, "evicted_keys"),
        .expired = (int64_t)info_number(info, "expired_keys"),
        .bytes_in = (int64_t)info_number(info, "total_net_input_bytes"),
        .bytes_out = (int64_t)info_number(info, "total_net_output_bytes"),
        .used_memory = (int64_t)info_number(info, "used_memory"),
        .clients = (int64_t)info_number(info, "connected_clients"),
        .keys = info_keys(info),
        .cpu_s = -1,
    };
    double user_s = info_number(info, "used_cpu_user"), system_s = info_number(info, "used_cpu_sys");
    if (user_s >= 0 && system_s >= 0) out->cpu_s = user_s + system_s;
}

/* -1 if one of the two is not known, or the server began to count anew. */
static int64_t grown(int64_t before, int64_t now) {
    return before >= 0 && now >= before ? now - before : -1;
}

static double per_second(int64_t before, int64_t now, double seconds) {
    int64_t difference = grown(before, now);
    return difference >= 0 && seconds > 0 ? (double)difference / seconds : NAN;
}

void sampler_difference(const struct sampler_counters *before, const struct sampler_counters *now,
                        struct lab_server *out) {
    double seconds = (double)(now->at_ns - before->at_ns) / 1e9;
    int64_t hits = grown(before->hits, now->hits), misses = grown(before->misses, now->misses);
    bool has_cpu = before->cpu_s >= 0 && now->cpu_s >= before->cpu_s && seconds > 0;
    *out = (struct lab_server){
        .is_known = true,
        .ops_per_second = per_second(before->commands, now->commands, seconds),
        .cpu_share = has_cpu ? (now->cpu_s - before->cpu_s) / seconds : NAN,
        .used_memory_bytes = now->used_memory,
        .clients = now->clients,
        .keys = now->keys,
        .evicted = grown(before->evicted, now->evicted),
        .expired = grown(before->expired, now->expired),
        .hit_ratio = hits >= 0 && misses >= 0 && hits + misses > 0 ? (double)hits / (double)(hits + misses) : NAN,
        .network_in_bytes = per_second(before->bytes_in, now->bytes_in, seconds),
        .network_out_bytes = per_second(before->bytes_out, now->bytes_out, seconds),
    };
}

void sampler_show_value(const char *value, size_t size, char out[LAB_VALUE_SHOWN + 1]) {
    if (size > LAB_VALUE_SHOWN) size = LAB_VALUE_SHOWN;
    for (size_t i = 0; i < size; i++)
        out[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '.';
    out[size] = '\0';
}
