/* Runs the suite on one adapter; each test gets a place of its own. */
#include "contract/event_log/event_log_contract.h"

#include "contract/event_log/log_members.h"

struct contract contract;

static void open_log(void) {
    struct error error;
    enum status status = contract.adapter->open(contract.place, "", CONTRACT_PARTITIONS, &contract.log, &error);
    if (status == STATUS_NOT_FOUND) status = event_log_setup(contract.log, &error);
    if (status) fail_msg("%s", error.text);
    assert_int_equal(contract.log->partition_count, CONTRACT_PARTITIONS);
}

int contract_setup(void **state) {
    contract.adapter->make_place(contract.place);
    open_log();
    return 0;
}

int contract_teardown(void **state) {
    if (contract.log) contract.adapter->close(contract.log);
    contract.log = NULL;
    contract.adapter->remove_place(contract.place);
    return 0;
}

void contract_reopen(void) {
    contract.adapter->close(contract.log);
    contract.log = NULL;
    open_log();
}

int event_log_contract_main(const struct log_adapter *adapter, int argc, char **argv) {
    contract.adapter = adapter;
    if (argc > 1) return member_child_main(argc, argv);
    return test_appends() + test_readers() + test_trims() + test_groups() + test_members();
}
