/* The embedded log as the contract suite opens it: a place is a directory. */
#ifndef ORDERLY_TESTS_EVENT_LOG_EMBEDDED_ADAPTER_H
#define ORDERLY_TESTS_EVENT_LOG_EMBEDDED_ADAPTER_H

#include "contract/event_log/event_log_contract.h"

extern const struct log_adapter embedded_adapter;

#endif
