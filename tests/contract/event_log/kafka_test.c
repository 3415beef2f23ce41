/* The event log's contract on the Kafka log. */
#include "contract/event_log/kafka_adapter.h"

int main(int argc, char **argv) {
    return event_log_contract_main(&kafka_adapter, argc, argv);
}
