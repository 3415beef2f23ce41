/* The event log's contract on the embedded log. */
#include "contract/event_log/embedded_adapter.h"

int main(int argc, char **argv) {
    return event_log_contract_main(&embedded_adapter, argc, argv);
}
