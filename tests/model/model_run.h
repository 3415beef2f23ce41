/* A run of the model test on some adapters, with what may go wrong there. */
#ifndef ORDERLY_TESTS_MODEL_MODEL_RUN_H
#define ORDERLY_TESTS_MODEL_MODEL_RUN_H

#include "model/model_round.h"

struct model_run_options {
    uint64_t sequences, seed;
    const char *sequences_name, *seed_name; /* of the settings, for the line that says how to repeat a round */
    uint64_t rounds_per_installation;       /* then a fresh one: what lies in the log and the store stays small */
    const struct rig_adapters *adapters;
    int backoff_max_ms; /* of the pipeline */
    /* Once in each round, at a random command, while the pipeline works; on return everything answers again. NULL:
     * none. */
    void (*mishap)(void *data, struct random *random);
    void *mishap_data;
};

/* An exit code: 0 if nothing differs from the model. */
int model_run(const struct model_run_options *options);

/* A number from the environment. */
uint64_t model_setting(const char *name, uint64_t otherwise);

#endif
