/* A rig on real Kafka, Cassandra and Redis, found by KAFKA_BOOTSTRAP_SERVERS, CASSANDRA_CONTACT_POINTS, REDIS_HOST and
 * REDIS_PORT, in a namespace that nobody has used before (made once by rig_open_on; rig_reopen keeps it). */
#ifndef ORDERLY_TESTS_SUPPORT_RIG_CLUSTER_H
#define ORDERLY_TESTS_SUPPORT_RIG_CLUSTER_H

#include "support/rig.h"

extern const struct rig_adapters rig_cluster;

#endif
