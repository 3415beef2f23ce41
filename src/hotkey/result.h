/* What a run measures, second by second and in all: filled by the run, written by the reports.
 *
 * Times are ns. "Response time" is from the intended send to the answer, "service time" from the send to the answer: with a
 * server that stands still, only the first shows what users would have waited. */
#ifndef ORDERLY_HOTKEY_RESULT_H
#define ORDERLY_HOTKEY_RESULT_H

#include "base/histogram.h"
#include "base/uuid.h"
#include "hotkey/parameters.h"

#define LAB_TOP 10            /* keys in a list */
#define LAB_VALUE_SHOWN 64    /* bytes of the hot key's value that are shown */
#define LAB_KEY_NAME_SIZE 80  /* "orderly:lab:<run>:1234567" */
#define LAB_ACCESSES_MAX 10000 /* keys whose accesses are listed in a result: all, if there are no more keys */

enum lab_time { LAB_RESPONSE, LAB_SERVICE, LAB_TIMES };

struct lab_times {
    uint64_t count;
    int64_t p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns;
    double mean_ns;
};
void lab_times_of(const struct histogram *histogram, struct lab_times *times_out);

struct lab_class_counts {
    uint64_t offered;   /* intended in this second by the schedule */
    uint64_t sent, completed, failed; /* failed: answered by an error, or lost with its connection */
    uint64_t dropped;   /* intended, and never sent: the run ended first, or the target was down */
    uint64_t reads, writes; /* of the completed ones */
    uint64_t hits, misses;  /* of the reads */
};

/* What the server says of itself; -1 (NAN for real numbers): not known. */
struct lab_server {
    bool is_known;
    double ops_per_second; /* all its clients together */
    double cpu_share;      /* of one core, in this second; from /proc where it is local, else from INFO */
    int64_t used_memory_bytes, clients, keys, evicted, expired; /* the last two: in this second */
    double hit_ratio;      /* of the server's own counters, in this second */
    double network_in_bytes, network_out_bytes; /* per second */
};

/* The key that the detector names first in this second. */
struct lab_hot_key {
    bool is_known;
    char name[LAB_KEY_NAME_SIZE];
    uint32_t key;
    int64_t memory_bytes; /* MEMORY USAGE; -1: not known */
    int64_t frequency;    /* OBJECT FREQ; -1: the policy does not count */
    int64_t value_bytes;  /* -1: not known or absent */
    char value[LAB_VALUE_SHOWN + 1]; /* its beginning, printable ASCII; others as '.' */
};

struct lab_key_count {
    uint32_t key;
    uint64_t count; /* found: at least the true one */
    uint64_t error; /* found: count - error is at most the true one; true: 0 */
};

/* The detector's answer for a second beside the truth: keys with at least LAB_TRUE_SHARE of the second's operations. */
#define LAB_TRUE_SHARE 0.01
struct lab_detection {
    uint64_t operations; /* in the window */
    struct lab_key_count found[LAB_TOP], truth[LAB_TOP];
    size_t found_count, true_count;    /* in the lists */
    size_t hot_found, hot_true, hot_both; /* keys above the line: named, really, and both */
    double precision, recall; /* 1 if nothing was to be named and nothing was */
    double rank_error;        /* mean distance of the ranks of the true top keys in the found list; 0 is perfect */
};

enum lab_target_state { LAB_TARGET_UP, LAB_TARGET_SLOW, LAB_TARGET_DOWN, LAB_TARGET_FROZEN };

struct lab_second {
    uint32_t second;  /* from 0 */
    double length_s;  /* 1, less for the last */
    struct lab_class_counts counts[LAB_CLASSES];
    struct lab_times times[LAB_CLASSES][LAB_TIMES];
    struct lab_times all[LAB_TIMES];
    uint64_t backend_calls;     /* misses that went behind the cache */
    uint64_t backend_at_once;   /* of them, at most at one time */
    uint64_t fills;             /* values written back after a miss; not part of the schedule */
    int64_t late_p99_ns, late_max_ns; /* by how much this program itself sent late */
    uint64_t behind;            /* operations due and not sent at the end of the second */
    double client_cpu_share;    /* of one core */
    struct lab_server server;
    struct lab_hot_key hot_key;
    struct lab_detection detection;
    enum lab_target_state target;
    char target_error[160];     /* "" if all is well */
};

enum lab_end { LAB_END_DURATION, LAB_END_STOPPED, LAB_END_TARGET_LOST, LAB_END_FAILED };

struct lab_result {
    struct uuid run_id;
    int64_t started_at_ms, ended_at_ms; /* wall time */
    struct lab_parameters parameters;
    const char *version; /* of orderly */
    char target[300];        /* "redis 7.0.15 at 127.0.0.1:31234, started for this run"; never a password */
    char target_policy[40];  /* maxmemory-policy */
    bool target_is_private;
    enum lab_end end;
    char end_text[300]; /* in plain words */
    char key_prefix[LAB_KEY_NAME_SIZE];

    struct lab_second *seconds; /* owned; of a run of more than 8,192 s every second, fourth, ... one (see their numbers) */
    size_t second_count;

    /* Totals. */
    struct lab_class_counts counts[LAB_CLASSES];
    struct histogram *times[LAB_CLASSES][LAB_TIMES]; /* owned, never NULL */
    struct histogram *late; /* owned */
    uint64_t backend_calls, backend_at_once, fills;
    double elapsed_s, client_cpu_s, server_cpu_s; /* server: -1 if not known */
    uint64_t *accesses; /* owned: by key, parameters.keys of them; of the completed operations */
    double detector_precision, detector_recall, detector_rank_error; /* means of the seconds with operations */
    int64_t frozen_ns; /* as measured; 0 if it was not frozen */
    double schedule_kept; /* sent / offered */
};

/* Everything that is owned; the struct itself is the caller's. */
void lab_result_free(struct lab_result *result);

/* --- writing --- */

/* One tick: {"type":"tick", ...}: the line that the run prints, the event that the API sends, an element of the result's
 * "seconds". docs: openapi.yaml, schema SimulationTick. */
void lab_second_write(const struct lab_second *second, struct json_writer *writer);

/* The whole result as one JSON object (schema SimulationResult). */
void lab_result_write_json(const struct lab_result *result, struct buffer *out);
void lab_result_write_csv(const struct lab_result *result, struct buffer *out); /* RFC 4180; a line per second */
/* The distribution of one class and time, in ms. */
void lab_result_write_hgrm(const struct lab_result *result, enum lab_class class, enum lab_time time, struct buffer *out);
void lab_result_write_html(const struct lab_result *result, struct buffer *out);
void lab_result_write_text(const struct lab_result *result, struct buffer *out); /* the final table */

/* The summary for a list of runs: id, profile, started_at, ended_at, end, seed, rates, p99s (schema SimulationRun). */
void lab_result_write_summary(const struct lab_result *result, struct json_writer *writer);

/* A sentence or two of what happened, for people: what was slow and why it looks so. Plain text. */
void lab_result_write_verdict(const struct lab_result *result, struct buffer *out);

#endif
