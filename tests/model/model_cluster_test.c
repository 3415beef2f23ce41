/* The model test on real Kafka, Cassandra and Redis, one of which is killed and started again in every twentieth
 * sequence. MODEL_CLUSTER_SEQUENCES and MODEL_CLUSTER_SEED come from the environment, and CLUSTER_DIR, which names a
 * cluster that this test may kill. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/model_run.h"
#include "support/rig_cluster.h"

#define DELAY_MS 400 /* the service dies within so many of the pipeline's start */

struct services {
    unsigned killed; /* they take turns */
};

static void launch(const char *command, const char *name) {
    char line[512];
    snprintf(line, sizeof line, "'%s' %s %s >&2", ORDERLY_CLUSTER_LAUNCHER, command, name);
    if (system(line) == 0) return;
    fprintf(stderr, "%s failed\n", line);
    abort();
}

/* Started at once: how long it is away is the service's own affair. */
static void restart_one(void *data, struct random *random) {
    static const char *const names[] = {"kafka", "cassandra", "redis"};
    struct services *services = data;
    const char *name = names[services->killed++ % 3];
    int64_t delay_ms = (int64_t)random_below(random, DELAY_MS);
    nanosleep(&(struct timespec){.tv_nsec = delay_ms * 1000000}, NULL);
    launch("kill", name);
    launch("start", name);
}

int main(void) {
    struct services services = {0};
    if (!getenv("CLUSTER_DIR")) {
        fprintf(stderr, "CLUSTER_DIR is not set; run this by deploy/local/cluster exec --\n");
        return 2;
    }
    const struct model_run_options options = {
        .sequences = model_setting("MODEL_CLUSTER_SEQUENCES", 60),
        .seed = model_setting("MODEL_CLUSTER_SEED", 20261122),
        .sequences_name = "MODEL_CLUSTER_SEQUENCES",
        .seed_name = "MODEL_CLUSTER_SEED",
        .rounds_per_installation = UINT64_MAX, /* topics and a keyspace take seconds to make */
        .adapters = &rig_cluster,
        .backoff_max_ms = 200,
        .mishap = restart_one,
        .mishap_data = &services,
    };
    return model_run(&options);
}
