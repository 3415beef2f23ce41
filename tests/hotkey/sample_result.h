/* Results for tests of the reports, made by a small model of a run instead of a run: repeatable, and quick even for a day. */
#ifndef ORDERLY_TESTS_HOTKEY_SAMPLE_RESULT_H
#define ORDERLY_TESTS_HOTKEY_SAMPLE_RESULT_H

#include "hotkey/result.h"

enum sample {
    SAMPLE_PLAIN,    /* one hot key, all is well: 30 s */
    SAMPLE_FROZEN,   /* the server stands still for 1 s in a run of 10 s */
    SAMPLE_MOVED,    /* the hot key moves every 5 s; the detector is a second late: 30 s */
    SAMPLE_LOST,     /* the target dies in the seventh second of 30 and does not come back */
    SAMPLE_STAMPEDE, /* the hot key expires every 5 s: 30 s */
    SAMPLE_LATE,     /* the generator cannot hold its schedule: 20 s */
    SAMPLE_UNIFORM,  /* no hot keys, 1,000 keys, no detector: 20 s */
    SAMPLE_HOSTILE,  /* as PLAIN, with texts from outside that try to break out */
    SAMPLE_EMPTY,    /* stopped at once: no seconds */
    SAMPLE_SHORT,    /* one second of 0.4 s */
    SAMPLE_DAY,      /* 86,400 seconds, a freeze in the middle */
    SAMPLES
};

extern const char *const sample_names[SAMPLES];

/* To be freed by lab_result_free. Aborts without memory. */
void sample_result(enum sample sample, struct lab_result *result_out);

#endif
