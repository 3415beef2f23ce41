/* The event log of the installation under test, opened beside orderly by the same environment variables. */
#ifndef ORDERLY_TESTS_FAULTS_LOG_OPEN_H
#define ORDERLY_TESTS_FAULTS_LOG_OPEN_H

#include "event_log/event_log.h"
#include "lmdb/lmdb_env.h"

struct opened_log {
    struct lmdb_env *env; /* embedded; NULL on Kafka */
    struct event_log *log;
};

/* KAFKA_BOOTSTRAP_SERVERS and ORDERLY_NAMESPACE if the first is set, else the data directory ORDERLY_DATA_DIR. */
enum status log_open(struct opened_log *opened_out, struct error *error);

/* A zeroed one is fine. */
void log_close(struct opened_log *opened);

#endif
