/* Faults on demand: which call of a port fails, is lost, is held back, or is the last one before a "crash".
 *
 * The faulty_* wrappers stand between the code under test and a real adapter and ask here before each call. A crash
 * does not end the process: from that call on nothing reaches the adapters any more, and the test abandons what it
 * tests. */
#ifndef ORDERLY_TESTS_SUPPORT_FAULTS_H
#define ORDERLY_TESTS_SUPPORT_FAULTS_H

#include <pthread.h>

#include "base/queue.h"
#include "base/status.h"

enum fault_point { FAULT_ROWS, FAULT_APPLY, FAULT_PUT, FAULT_LETTERS, FAULT_EVENTS, FAULT_COMMIT, FAULT_POINT_COUNT };
#define FAULT_ANY FAULT_POINT_COUNT

enum fault_effect {
    FAULT_NONE,
    FAULT_REFUSED,      /* not carried out; the answer is `status` */
    FAULT_MISREPORTED,  /* carried out; the answer is `status` all the same */
    FAULT_HELD,         /* waits for faults_release, then is carried out */
    FAULT_CRASH_BEFORE, /* the crash comes before it is carried out */
    FAULT_CRASH_AFTER,  /* the crash comes after it, before its answer is seen */
};

struct fault_rule {
    enum fault_point point; /* or FAULT_ANY */
    unsigned first;         /* the first call of that point that it holds for, from 1 */
    unsigned count;         /* for how many calls; 0: for all after it */
    enum fault_effect effect;
    enum status status;
};

#define FAULT_RULES_MAX 8

/* A call held back; embedded in the wrapper's own struct. */
struct fault_held {
    struct queue_link link;
    void (*go_on)(struct fault_held *held);
};

struct faults {
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    struct fault_rule rules[FAULT_RULES_MAX];
    size_t rule_count;
    unsigned begun[FAULT_POINT_COUNT + 1]; /* calls that have come; the last one: of all points together */
    unsigned calls[FAULT_POINT_COUNT + 1]; /* ... and of which it is settled what becomes of them */
    bool is_crashed;
    struct queue held;
};

void faults_init(struct faults *faults);
void faults_free(struct faults *faults);

/* Back to no rules, no crash, counts from 0. Nothing may be held. */
void faults_reset(struct faults *faults);
void faults_add(struct faults *faults, struct fault_rule rule);

/* For the wrappers: counts a call and says what shall happen to it (status only where it means something). */
enum fault_effect faults_next(struct faults *faults, enum fault_point point, enum status *status_out);
void faults_hold(struct faults *faults, enum fault_point point, struct fault_held *held); /* if the effect is HELD */

bool faults_have_crashed(struct faults *faults);
unsigned faults_calls(struct faults *faults, enum fault_point point);

/* Waits (30 s at most) until the point has been called that often (and held calls are held). False: it was not. */
bool faults_wait_calls(struct faults *faults, enum fault_point point, unsigned calls);

/* Lets all calls held back go on, on this thread. */
void faults_release(struct faults *faults);

#endif
