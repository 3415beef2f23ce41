/* The model test on the embedded adapters. MODEL_SEQUENCES and MODEL_SEED come from the environment. */
#include "model/model_run.h"

#ifndef SEQUENCES_DEFAULT
#define SEQUENCES_DEFAULT 1000 /* fewer under sanitizers */
#endif

int main(void) {
    const struct model_run_options options = {
        .sequences = model_setting("MODEL_SEQUENCES", SEQUENCES_DEFAULT),
        .seed = model_setting("MODEL_SEED", 20261122),
        .sequences_name = "MODEL_SEQUENCES",
        .seed_name = "MODEL_SEED",
        .rounds_per_installation = 20,
        .adapters = &rig_embedded,
        .backoff_max_ms = 2,
    };
    return model_run(&options);
}
