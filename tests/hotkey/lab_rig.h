/* A lab whose runs are a script that stands in for `orderly simulate`, and ways to look at what it shows. */
#ifndef ORDERLY_TESTS_HOTKEY_LAB_RIG_H
#define ORDERLY_TESTS_HOTKEY_LAB_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include "hotkey/lab.h"

#define WAIT_MS 20000

#define WAIT_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        int waited_ms_ = 0;                                                                                            \
        while (!(condition) && waited_ms_++ < WAIT_MS)                                                                 \
            pause_ms(1);                                                                                               \
        assert_true(condition);                                                                                        \
    } while (0)

extern const char *stand_in; /* the script */

struct rig {
    char directory[64], history[96];
    struct lab *lab;
    struct clock_manual clock;
};

void pause_ms(int ms);
/* A lab in a temporary directory, whose runs are the stand-in in this mode. is_manual: its time stands still until it is moved,
 * so that no run is ever too slow. */
struct rig *rig_open(const char *mode, bool is_manual);
void rig_close(struct rig *rig);
struct lab_parameters parameters_of(double duration_s);
struct uuid start(struct rig *rig, double duration_s);
const struct json_value *status_of(struct rig *rig);
const struct json_value *runs_of(struct rig *rig);
/* A member that is a text; NULL if it is none. Valid until the next call, as is all that follows until the next look. */
const char *text_of(const struct json_value *object, const char *name);
bool is_phase(struct rig *rig, const char *phase);
/* Waits until nothing goes on, and returns the error that is shown; NULL: none. */
const char *error_after(struct rig *rig);
/* What the latest process has written about itself. */
const struct json_value *self_of(struct rig *rig);
pid_t child_of(struct rig *rig);
bool is_gone(pid_t pid);
int open_descriptors(void);
/* How many names in the history begin so. */
int entries(struct rig *rig, const char *start_text);

/* What a listener has heard. */
struct heard {
    struct lab_listener listener;
    pthread_mutex_t mutex;
    char events[4096]; /* "ready tick tick end " */
    char last[2048];
    uint64_t number;
    bool is_in_order;
};
void heard_init(struct heard *heard);
bool has_heard(struct heard *heard, const char *wanted);

/* Around all tests: argv[1] is the script. */
void rig_begin(int argc, char **argv);
void rig_end(void);

#endif
