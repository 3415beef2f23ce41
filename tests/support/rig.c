/* The test installation: opening, starting, crashing, sending, waiting. */
#include "support/rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "contract/completion.h"

#define RIG_ARENA_LIMIT_SIZE (1u << 30)
#define RIG_CALL_MS 10000 /* of one question to the log */

static void must(enum status status, const char *what, const struct error *error) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), error ? error->text : "");
    abort();
}

static void sync_failed(void *data, const char *text) {
    fprintf(stderr, "%s\n", text);
    abort();
}

/* --- open, close --- */

static void open_embedded(struct rig *rig) {
    struct error error = {.text = ""};
    const struct lmdb_env_options env = {
        .directory = rig->directory, .create = true, .databases_max = 256, .fatal = sync_failed};
    must(lmdb_env_open(&env, &rig->env, &error), "environment", &error);
    const struct event_log_embedded_options log = {
        .env = rig->env, .clock = rig->clock, .namespace_prefix = "", .partition_count = rig->partition_count};
    enum status status = event_log_embedded_open(&log, &rig->log, &error);
    if (status != STATUS_NOT_FOUND) must(status, "log", &error);
    must(event_log_setup(rig->log, &error), "setup of the log", &error);
    must(order_store_embedded_open(rig->env, rig->clock, "", NULL, &rig->store, &error), "store", &error);
    must(order_store_setup(rig->store, &error), "setup of the store", &error);
    rig->cache = order_cache_memory_new(rig->clock, 16u << 20);
    if (!rig->cache) abort();
}

static void close_embedded(struct rig *rig) {
    order_store_close(rig->store);
    order_cache_close(rig->cache);
    event_log_close(rig->log);
    lmdb_env_close(rig->env);
}

const struct rig_adapters rig_embedded = {
    .open = open_embedded, .close = close_embedded, .wait_s = RIG_WAIT_S, .pause_us = 200, .backoff_max_ms = 5};

static void open_adapters(struct rig *rig) {
    rig->adapters->open(rig);
    rig->faulty_log = faulty_log_new(rig->log, &rig->faults);
    rig->faulty_store = faulty_store_new(rig->store, &rig->faults);
    rig->faulty_cache = faulty_cache_new(rig->cache, &rig->faults);
}

static void close_adapters(struct rig *rig) {
    event_log_close(rig->faulty_log);
    order_store_close(rig->faulty_store);
    order_cache_close(rig->faulty_cache);
    rig->adapters->close(rig);
}

/* Memory instead of a disk, where there is one: these tests sync thousands of times, and prove nothing about disks. */
static void make_directory(struct rig *rig) {
    static const char *const parents[] = {"/dev/shm", "/tmp"};
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
        snprintf(rig->directory, sizeof rig->directory, "%s/orderly-test-XXXXXX", parents[i]);
        if (mkdtemp(rig->directory)) return;
    }
    abort();
}

void rig_open(struct rig *rig, int32_t partition_count, const struct clock *clock, uint64_t seed) {
    rig_open_on(rig, &rig_embedded, partition_count, clock, seed);
}

void rig_open_on(struct rig *rig, const struct rig_adapters *adapters, int32_t partition_count,
                 const struct clock *clock, uint64_t seed) {
    *rig =
        (struct rig){.adapters = adapters, .partition_count = partition_count, .clock = clock ? clock : clock_system()};
    make_directory(rig);
    faults_init(&rig->faults);
    arena_init(&rig->arena, 1u << 20, RIG_ARENA_LIMIT_SIZE);
    random_seeded_init(&rig->random, seed);
    rig->metrics = metrics_new();
    open_adapters(rig);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk) {
    return remove(path);
}

void rig_close(struct rig *rig) {
    if (rig->pipeline) rig_crash(rig);
    close_adapters(rig);
    metrics_free(rig->metrics);
    faults_free(&rig->faults);
    arena_free(&rig->arena);
    nftw(rig->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void rig_reopen(struct rig *rig) {
    close_adapters(rig);
    open_adapters(rig);
}

/* --- the pipeline --- */

void rig_start(struct rig *rig, const struct pipeline_options *changes) {
    struct pipeline_options options = {0};
    struct error error = {.text = ""};
    if (changes) options = *changes;
    if (!options.log) options.log = rig->faulty_log;
    if (!options.store) options.store = rig->faulty_store;
    if (!options.cache) options.cache = rig->faulty_cache;
    if (!options.clock) options.clock = rig->clock;
    if (!options.random) options.random = random_system();
    if (!options.metrics) options.metrics = rig->metrics;
    if (!options.backoff_min_ms) options.backoff_min_ms = 1;
    if (!options.backoff_max_ms) options.backoff_max_ms = rig->adapters->backoff_max_ms;
    must(pipeline_open(&options, &rig->pipeline, &error), "pipeline", &error);
}

void rig_stop(struct rig *rig) {
    if (pipeline_drain(rig->pipeline, rig->adapters->wait_s * 1000) != STATUS_OK) {
        char text[ERROR_TEXT_SIZE];
        pipeline_last_error(rig->pipeline, text, sizeof text);
        fprintf(stderr, "the pipeline does not drain: %s\n", text);
        abort();
    }
    rig_crash(rig);
}

void rig_crash(struct rig *rig) {
    pipeline_close(rig->pipeline);
    rig->pipeline = NULL;
}

/* --- commands --- */

struct uuid rig_uuid(struct rig *rig) {
    return uuid_make_v4(&rig->random.base);
}

static struct command new_command(struct rig *rig, enum command_kind kind, struct uuid order_id, uint32_t expected) {
    return (struct command){
        .kind = kind,
        .rules = ORDER_RULES_CURRENT,
        .order_id = order_id,
        .command_id = rig_uuid(rig),
        .attempt_id = rig_uuid(rig),
        .expected_version = expected,
        .time_ms = clock_wall_ms(rig->clock),
    };
}

struct command rig_create(struct rig *rig, struct uuid order_id, bool minted) {
    static const struct order_item items[] = {{{"lamp", 4}, 2, 1250}, {{"bulb", 4}, 1, 300}};
    struct command command = new_command(rig, COMMAND_CREATE, order_id, 0);
    command.minted = minted;
    command.order = (struct order){
        .customer_name = BYTES("Ada"), .items = items, .item_count = 2, .currency = "EUR", .total = 2 * 1250 + 300};
    return command;
}

struct command rig_transition(struct rig *rig, struct uuid order_id, uint32_t expected_version,
                              enum order_status target) {
    struct command command = new_command(rig, COMMAND_TRANSITION, order_id, expected_version);
    command.target = target;
    return command;
}

struct command rig_amend(struct rig *rig, struct uuid order_id, uint32_t expected_version, const char *customer_name) {
    struct command command = new_command(rig, COMMAND_AMEND, order_id, expected_version);
    command.amend_set = AMEND_CUSTOMER_NAME;
    command.order.customer_name = arena_copy(&rig->arena, bytes_of(customer_name));
    return command;
}

int32_t rig_partition(const struct rig *rig, const struct uuid *order_id) {
    char key[UUID_TEXT_SIZE];
    uuid_format(order_id, key);
    return event_log_partition_of(bytes_of(key), rig->partition_count);
}

static struct event_log_record record_of(struct rig *rig, struct command *command) {
    struct buffer buffer;
    char *key = arena_alloc(&rig->arena, UUID_TEXT_SIZE);
    buffer_init(&buffer, EVENT_LOG_RECORD_MAX);
    uuid_format(&command->order_id, key);
    command_fingerprint(command, command->fingerprint);
    command_write(&buffer, command);
    must(buffer.status, "command", NULL);
    struct bytes value = arena_copy(&rig->arena, buffer_bytes(&buffer));
    buffer_free(&buffer);
    return (struct event_log_record){.partition = -1, .key = bytes_of(key), .value = value};
}

struct append_wait {
    struct completion completion;
    enum status status;
};

static void append_done(struct event_log_append *append, enum status status, const char *error_text) {
    struct append_wait *wait = append->data;
    wait->status = status;
    if (status != STATUS_OK) fprintf(stderr, "append: %s\n", error_text);
    completion_signal(&wait->completion);
}

static void append_all(struct rig *rig, enum event_log_topic topic, struct event_log_record *records, size_t count) {
    struct append_wait wait;
    time_t until = 0;
    do { /* UNAVAILABLE: nothing was written */
        completion_init(&wait.completion);
        struct event_log_append append = {
            .topic = topic, .records = records, .count = count, .done = append_done, .data = &wait};
        event_log_append(rig->log, &append);
        completion_wait(&wait.completion);
    } while (wait.status == STATUS_UNAVAILABLE && rig_wait_more(rig, &until));
    must(wait.status, "append", NULL);
}

int64_t rig_append(struct rig *rig, enum event_log_topic topic, const struct event_log_record *record) {
    struct event_log_record copy = *record;
    append_all(rig, topic, &copy, 1);
    return copy.offset;
}

int64_t rig_send(struct rig *rig, struct command *command) {
    struct event_log_record record = record_of(rig, command);
    append_all(rig, TOPIC_COMMANDS, &record, 1);
    return record.offset;
}

void rig_send_all(struct rig *rig, struct command *commands, size_t count, int64_t *offsets_out) {
    struct event_log_record *records = arena_calloc(&rig->arena, count, sizeof *records);
    for (size_t i = 0; i < count; i++)
        records[i] = record_of(rig, &commands[i]);
    append_all(rig, TOPIC_COMMANDS, records, count);
    for (size_t i = 0; offsets_out && i < count; i++)
        offsets_out[i] = records[i].offset;
}

/* --- waiting --- */

/* A real service may be away for a moment; the embedded ones never are. */
bool rig_again(const struct rig *rig, enum status status, time_t *until) {
    bool may_pass = status == STATUS_UNAVAILABLE || status == STATUS_UNKNOWN;
    return may_pass && rig_wait_more(rig, until);
}

int64_t rig_end(struct rig *rig, enum event_log_topic topic, int32_t partition) {
    int64_t first, end;
    struct error error = {.text = ""};
    enum status status;
    time_t until = 0;
    do
        status = event_log_range(rig->log, topic, partition, RIG_CALL_MS, &first, &end, &error);
    while (rig_again(rig, status, &until));
    must(status, "range", &error);
    return end;
}

int64_t rig_committed(struct rig *rig, int32_t partition) {
    int64_t next_offset = 0;
    struct error error = {.text = ""};
    enum status status;
    time_t until = 0;
    do
        status =
            event_log_committed(rig->log, PIPELINE_GROUP, TOPIC_COMMANDS, partition, RIG_CALL_MS, &next_offset, &error);
    while (rig_again(rig, status, &until));
    if (status != STATUS_NOT_FOUND) must(status, "committed", &error);
    return next_offset;
}

static bool wait_more(const struct rig_adapters *adapters, time_t *until) {
    struct timespec now, pause = {0, adapters->pause_us * 1000L};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (*until == 0) *until = now.tv_sec + adapters->wait_s;
    nanosleep(&pause, NULL);
    return now.tv_sec <= *until;
}

bool rig_wait_more(const struct rig *rig, time_t *until) {
    return wait_more(rig->adapters, until);
}

bool rig_wait(bool (*condition)(struct rig *rig), struct rig *rig) {
    time_t until = 0;
    while (!condition(rig))
        if (!rig_wait_more(rig, &until)) return false;
    return true;
}

bool rig_has_position(struct pipeline *pipeline, int32_t partition, int64_t next_offset) {
    struct pipeline_partition_state shown;
    pipeline_state(pipeline, partition, &shown);
    return shown.committed >= next_offset;
}

bool rig_wait_position(struct pipeline *pipeline, int32_t partition, int64_t next_offset) {
    time_t until = 0;
    while (!rig_has_position(pipeline, partition, next_offset))
        if (!wait_more(&rig_embedded, &until)) return false;
    return true;
}

static bool all_is_committed(struct rig *rig) {
    for (int32_t i = 0; i < rig->partition_count; i++)
        if (rig_committed(rig, i) < rig_end(rig, TOPIC_COMMANDS, i)) return false;
    return true;
}

bool rig_wait_committed(struct rig *rig) {
    return rig_wait(all_is_committed, rig);
}
