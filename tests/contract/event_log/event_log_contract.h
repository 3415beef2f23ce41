/* What every event log must do, as tests against its port; and what a log needs to be tested.
 *
 * Nothing of one adapter may show here: offsets may have holes, a done may come at once or later, a takeover may take
 * seconds. All waits are bounded by CONTRACT_WAIT_MS. */
#ifndef ORDERLY_TESTS_EVENT_LOG_CONTRACT_H
#define ORDERLY_TESTS_EVENT_LOG_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_log/event_log.h"

#define CONTRACT_WAIT_MS 60000
#define CONTRACT_PARTITIONS 6
#define CONTRACT_PLACE_MAX 512

/* How the suite gets at an adapter. A place is where logs are: a broker and a prefix, or a directory; its text goes to
 * child processes. */
struct log_adapter {
    void (*make_place)(char place[CONTRACT_PLACE_MAX]); /* a new, empty one */
    void (*remove_place)(const char *place);
    /* One log of the place. Several may be open at once, also of several names. Statuses as the constructor's. */
    enum status (*open)(const char *place, const char *namespace_prefix, int32_t partition_count,
                        struct event_log **log_out, struct error *error);
    /* Closes the log and whatever only it used. */
    void (*close)(struct event_log *log);
};

/* The main of a test program: runs the suite; or is a child of it. Returns the exit code. */
int event_log_contract_main(const struct log_adapter *adapter, int argc, char **argv);

/* --- for the suite's own files --- */

struct contract {
    const struct log_adapter *adapter;
    char place[CONTRACT_PLACE_MAX];
    struct event_log *log; /* set up, CONTRACT_PARTITIONS partitions */
};
extern struct contract contract;

int contract_setup(void **state);
int contract_teardown(void **state);
void contract_reopen(void); /* closes the log, as the end of a process would, and opens it again */

#define CONTRACT_TEST(name) cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)

int test_appends(void);
int test_readers(void);
int test_trims(void);
int test_groups(void);
int test_members(void);

#endif
