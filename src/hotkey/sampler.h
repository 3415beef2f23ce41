/* Asks the server once a second what it says of itself and of the hot key, on a thread and a connection of its own: a server
 * that does not answer holds up neither the traffic nor the seconds. */
#ifndef ORDERLY_HOTKEY_SAMPLER_H
#define ORDERLY_HOTKEY_SAMPLER_H

#include "hotkey/target.h"

#define SAMPLER_WAIT_MS 100 /* for the answers, before a second goes out without them */

struct sampler;

/* Starts the thread. target must outlive it. NO_MEMORY, IO. */
enum status sampler_new(const struct target *target, const char *key_prefix, struct sampler **sampler_out,
                        struct error *error);
void sampler_free(struct sampler *sampler); /* NULL is allowed; waits for the thread, at most 2 * TARGET_ASK_MS */

/* Asks now; has_key: also for that key. Waits for the answers up to SAMPLER_WAIT_MS, unless an earlier question is still
 * without one. What is not known is marked so. */
void sampler_ask(struct sampler *sampler, bool has_key, uint32_t key, struct lab_server *server_out,
                 struct lab_hot_key *hot_key_out);

/* CPU seconds of the server since the first answer, or -1. */
double sampler_server_cpu_s(struct sampler *sampler);

/* --- sampler_read.c: answers into figures --- */

/* The server's own counters at one moment; -1: not there. */
struct sampler_counters {
    bool is_known;
    int64_t at_ns;
    int64_t commands, hits, misses, evicted, expired, bytes_in, bytes_out;
    int64_t used_memory, clients, keys;
    double cpu_s;
};
void sampler_read_info(const char *info, struct sampler_counters *counters_out);
void sampler_difference(const struct sampler_counters *before, const struct sampler_counters *now,
                        struct lab_server *server_out);
void sampler_show_value(const char *value, size_t size, char out[LAB_VALUE_SHOWN + 1]);

#endif
