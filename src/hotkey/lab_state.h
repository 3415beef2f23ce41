/* What the files of the lab share: its state, which any thread may ask for, and its thread's. Private to src/hotkey. */
#ifndef ORDERLY_HOTKEY_LAB_STATE_H
#define ORDERLY_HOTKEY_LAB_STATE_H

#include <pthread.h>

#include "hotkey/lab.h"
#include "hotkey/lab_child.h"
#include "hotkey/result.h"

#define LAB_POLL_MS 200         /* between two looks at a run's time */
#define LAB_POLL_ENDING_MS 10   /* ... once it is ending */
#define LAB_READY_MS 15000      /* for the target to be ready */
#define LAB_SILENCE_MS 10000    /* between two ticks */
#define LAB_OVERTIME_MS 30000   /* after the run should have ended by itself */
#define LAB_EXIT_MS 5000        /* for the process to be over after its last event */
#define LAB_SUMMARY_MAX 65536   /* bytes of summary.json */
#define LAB_FILE_MAX (64u << 20)

enum lab_phase { LAB_NONE, LAB_STARTING, LAB_RUNNING, LAB_ENDING };
enum lab_event { LAB_EVENT_READY, LAB_EVENT_TICK, LAB_EVENT_END, LAB_EVENTS };

/* The latest event of a kind. */
struct lab_shown {
    uint64_t number; /* 0: none */
    struct buffer json;
};

/* The latest run, whether it goes on or not. */
struct lab_now {
    bool is_known;
    enum lab_phase phase;
    struct uuid run_id;
    struct lab_parameters parameters;
    int64_t started_at_ms;
    int64_t running_since_ns, elapsed_ns; /* 0: it has not begun; elapsed: once it is over */
    struct lab_shown events[LAB_EVENTS];
    bool has_hot_key, has_hot_value;
    int64_t hot_memory_bytes; /* -1: not known */
    char hot_key[LAB_KEY_NAME_SIZE];
    char hot_value[LAB_VALUE_SHOWN + 1];
    char error[ERROR_TEXT_SIZE]; /* "" */
};

struct lab {
    /* Constant. */
    char *program, *directory;
    char **arguments, **environment; /* NULL-terminated */
    const struct clock *clock;
    struct random *random;
    const struct log *logger;
    int wake_fd;
    pthread_t thread;
    bool is_running;

    pthread_mutex_t mutex; /* of this block */
    struct lab_now now;
    bool has_waiting;         /* a run that is to start once the one before is over: now.run_id */
    struct lab_pipes waiting; /* its pipes */
    bool closing;
    int64_t stop_asked_ns; /* 0: not */
    uint64_t event_number;
    struct lab_listener *listeners;
    size_t listener_count;
    struct buffer last_run; /* the newest summary, or empty */

    /* The thread's own. */
    struct lab_child child;
    struct uuid child_id;
    struct arena arena;
    int64_t late_at_ns;  /* then it is too late for the next sign of life */
    int64_t over_at_ns;  /* then the run should have been over by itself */
    int64_t kill_at_ns;  /* once it was told to end; 0: not */
    bool has_end;        /* its "end" has come */
    bool was_killed;     /* by us */
    char failure[ERROR_TEXT_SIZE]; /* what it did wrong; "" */
};

/* lab_events.c: what a run says. On the thread, without the mutex. */
void lab_take_line(void *lab, struct bytes line);
/* Under the mutex: publishes an "end" of our own ("failed", "stopped") for a run that gave none. */
void lab_publish_end(struct lab *lab, const char *end, const char *text);
/* Copies UTF-8 that may have to be cut, not within a character. */
void lab_copy_text(struct bytes text, char *out, size_t size);
void lab_now_free(struct lab_now *now);
/* Under the mutex: all of a new run is unknown. */
void lab_now_begin(struct lab_now *now, const struct uuid *run_id, const struct lab_parameters *parameters,
                   int64_t started_at_ms);

/* lab_thread.c */
void *lab_run_thread(void *lab);
void lab_fail(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* lab_history.c */
enum status lab_history_open(const char *directory, struct error *error);
/* The newest run's summary into an empty buffer; empty if there is none. */
void lab_history_newest(const char *directory, struct buffer *out);
/* Removes what a run that did not end well has left. */
void lab_history_clean(const char *directory, const struct uuid *run_id);

void lab_history_write(const char *directory, struct json_writer *writer);
enum status lab_history_read(const char *directory, const struct uuid *run_id, enum lab_file file, enum lab_class class,
                             int time, struct buffer *out);

#endif
