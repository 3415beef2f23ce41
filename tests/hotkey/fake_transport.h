/* A transport without a server: it answers after a set time of a clock that it moves itself, and can be told to freeze, to
 * refuse and to lose its connections. */
#ifndef ORDERLY_TESTS_HOTKEY_FAKE_TRANSPORT_H
#define ORDERLY_TESTS_HOTKEY_FAKE_TRANSPORT_H

#include "base/clock.h"
#include "hotkey/transport.h"

#define FAKE_CONNECTIONS_MAX 64
#define FAKE_QUEUE_MAX 65536 /* replies under way */
#define FAKE_KEYS_MAX 4096

struct fake {
    struct clock_manual clock; /* moved by polls */
    int64_t start_ns;          /* of the clock: time 0 of a run that begins now */

    /* What it is told before the run; times from start_ns. */
    int64_t answer_ns;                 /* from a command to its reply */
    int64_t freeze_ns, thaw_ns;        /* in between it answers nothing; 0: never */
    int64_t lost_ns, back_ns;          /* in between there is no connection; 0: never */
    int64_t error_from_ns, error_until_ns; /* commands of that time are refused */
    const char *refusal;               /* with these words */
    bool keeps_values;                 /* a read finds only what was written; else it always finds something */

    /* What it saw. */
    uint64_t gets, sets, refused;
    uint64_t gets_of[FAKE_KEYS_MAX], sets_of[FAKE_KEYS_MAX];
    uint64_t in_pipeline_max; /* commands under way on one connection, at most */
    int64_t expiry_min_ms, expiry_max_ms;
    unsigned opened, closed;
    void (*poll_hook)(struct fake *fake); /* called in each poll; may be NULL */
    void *data;
};

void fake_init(struct fake *fake);

/* For struct run_parts: data is the struct fake. One transport at a time. */
enum status fake_transport_new(void *data, const struct transport_options *options, struct transport **transport_out,
                               struct error *error);

#endif
