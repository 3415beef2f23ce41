/* The embedded log for the contract suite. A process opens a directory once, so logs of one place share an environment.
 */
#include "contract/event_log/embedded_adapter.h"

#include "event_log/embedded.h"
#include "support/scratch.h"

#define LOGS_MAX 4
#define RESERVE (4u << 20)

static struct {
    char place[CONTRACT_PLACE_MAX];
    struct lmdb_env *env;
    struct event_log *logs[LOGS_MAX];
    int count;
} shared;

static void make_place(char place[CONTRACT_PLACE_MAX]) {
    scratch_make(place);
}

static enum status share_env(const char *place, struct error *error) {
    if (shared.env) {
        assert_string_equal(shared.place, place);
        return STATUS_OK;
    }
    struct lmdb_env_options options = {
        .directory = place, .create = true, .reserve_bytes = RESERVE, .databases_max = 128};
    snprintf(shared.place, sizeof shared.place, "%s", place);
    return lmdb_env_open(&options, &shared.env, error);
}

static enum status open_log(const char *place, const char *namespace_prefix, int32_t partition_count,
                            struct event_log **log_out, struct error *error) {
    enum status status = share_env(place, error);
    if (status) return status;
    struct event_log_embedded_options options = {.env = shared.env,
                                                 .clock = clock_system(),
                                                 .namespace_prefix = namespace_prefix,
                                                 .partition_count = partition_count};
    status = event_log_embedded_open(&options, log_out, error);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) shared.logs[shared.count++] = *log_out;
    return status;
}

static void close_log(struct event_log *log) {
    event_log_close(log);
    if (--shared.count > 0) return;
    lmdb_env_close(shared.env);
    shared.env = NULL;
}

static void remove_place(const char *place) {
    scratch_remove(place);
}

const struct log_adapter embedded_adapter = {
    .make_place = make_place, .remove_place = remove_place, .open = open_log, .close = close_log};
