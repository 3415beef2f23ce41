/* The lab as the service runs it: one run at a time in a child process, its live state, and the history in files.
 *
 * A run is `orderly simulate --pipe ...` with a pipe on its standard output and one on its standard input: a line of JSON for
 * each event ("ready", "tick", "end"), and nothing of it can slow, crash or leak into this process. The child dies with this
 * process; end of file on its standard input is its signal to end the run. Any thread may call. */
#ifndef ORDERLY_HOTKEY_LAB_H
#define ORDERLY_HOTKEY_LAB_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/uuid.h"
#include "hotkey/parameters.h"

#define LAB_HISTORY_MAX 50 /* runs kept; the oldest go */
#define LAB_STOP_MS 900    /* then the child is killed */

struct lab;

struct lab_options {
    const char *program;          /* this program's file: /proc/self/exe */
    const char *const *arguments; /* settings for the child, NULL-terminated: {"--redis-host", "..", NULL}; no secrets */
    const char *const *environment; /* the child's, NULL-terminated, secrets among it: "ORDERLY_REDIS_PASSWORD=.." */
    const char *directory;        /* of the history: <data_dir>/lab; made if absent */
    const struct clock *clock;
    struct random *random;
    const struct log *logger; /* may be NULL */
};

/* All strings are copied. Starts one thread (the parent of the children). IO, NO_MEMORY. */
enum status lab_open(const struct lab_options *options, struct lab **lab_out, struct error *error);

/* Ends a run that goes on (its result is kept), then the thread. NULL is allowed. */
void lab_close(struct lab *lab);

/* Starts a run, at once: what goes wrong later shows in the state. CONFLICT: one runs. FULL: no process or descriptor. */
enum status lab_start(struct lab *lab, const struct lab_parameters *parameters, struct uuid *run_id_out, struct error *error);

/* Asks the run to end, and returns at once; it is over within a second. NOT_FOUND: none runs. */
enum status lab_stop(struct lab *lab);

/* {"status":"running"|"stopped", "hot_key":..., "hot_key_memory":..., "hot_key_value":..., "run_id", "profile", "config",
 * "started_at", "elapsed_s", "phase":"starting"|"running"|"ending"|"none", "tick":{the latest}, "last_run":{summary},
 * "error"}: members without a value are null. One JSON object; the caller may add members (it is left open for that). */
void lab_write_status(struct lab *lab, struct json_writer *writer);

/* The history, newest first: [{summary}...]. */
void lab_write_runs(struct lab *lab, struct json_writer *writer);

enum lab_file { LAB_FILE_RESULT, LAB_FILE_HTML, LAB_FILE_CSV, LAB_FILE_HGRM, LAB_FILES };

/* A file of a finished run, read whole (at most 64 MiB). HGRM: class and time say which. NOT_FOUND. */
enum status lab_read_file(struct lab *lab, const struct uuid *run_id, enum lab_file file, enum lab_class class, int time,
                          struct buffer *out);

/* Live events: event is "ready", "tick" or "end", json one object on one line, number counts the events since lab_open; called
 * one at a time, must neither block nor call the lab. Those of the latest run so far (ready, the newest tick, end) are sent
 * again within lab_listen, so that a page that joins sees them. Up to 64 listeners: FULL. */
#define LAB_LISTENERS_MAX 64
struct lab_listener {
    void (*event)(struct lab_listener *listener, uint64_t number, const char *event, struct bytes json);
    void *data;
    struct lab_listener *next; /* the lab's */
};
enum status lab_listen(struct lab *lab, struct lab_listener *listener);
void lab_unlisten(struct lab *lab, struct lab_listener *listener); /* no call is under way when it returns */

/* Writes a run's files: result.json, summary.json, report.html, seconds.csv, and <class>-<time>.hgrm for each; each by rename,
 * the directory last, so that a run is there whole or not at all. For `orderly simulate`. */
struct lab_result;
enum status lab_save(const char *directory, const struct lab_result *result, struct error *error);

/* Removes the oldest runs above LAB_HISTORY_MAX. */
void lab_prune(const char *directory);

#endif
