/* The Kafka log as the contract suite opens it: a place is the brokers' address and a prefix. */
#ifndef ORDERLY_TESTS_EVENT_LOG_KAFKA_ADAPTER_H
#define ORDERLY_TESTS_EVENT_LOG_KAFKA_ADAPTER_H

#include "contract/event_log/event_log_contract.h"

extern const struct log_adapter kafka_adapter;

/* Deletes the topics whose names begin so; they may be gone already. */
void kafka_remove_topics(const char *bootstrap_servers, const char *prefix);

#endif
