/* The test installation: reading back what the log, the store and the cache hold. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract/completion.h"
#include "support/rig.h"

#define DUMP_SIZE_MAX (256u << 20)
#define DUMP_PAGE 100

static void *need(void *memory) {
    if (!memory) abort();
    return memory;
}

/* --- the log --- */

static struct event_log_record copy_record(const struct event_log_record *record, struct arena *arena) {
    struct event_log_record copy = *record;
    copy.key = arena_copy(arena, record->key);
    copy.value = arena_copy(arena, record->value);
    struct event_log_header *headers = need(arena_calloc(arena, record->header_count, sizeof *headers));
    for (size_t i = 0; i < record->header_count; i++) {
        struct bytes name = {record->headers[i].name, strlen(record->headers[i].name) + 1};
        headers[i].name = arena_copy(arena, name).data;
        headers[i].value = arena_copy(arena, record->headers[i].value);
    }
    copy.headers = headers;
    return copy;
}

static size_t count_records(struct rig *rig, enum event_log_topic topic, int64_t *positions, int64_t *ends) {
    size_t count = 0;
    for (int32_t i = 0; i < rig->partition_count; i++) {
        int64_t first, end;
        struct error error;
        if (event_log_range(rig->log, topic, i, RIG_WAIT_S * 1000, &first, &end, &error) != STATUS_OK) abort();
        if (positions[i] < first) positions[i] = first;
        ends[i] = end;
        count += (size_t)(end - positions[i]);
    }
    return count;
}

struct rig_records rig_read(struct rig *rig, enum event_log_topic topic, const int64_t *from, struct arena *arena) {
    int64_t positions[EVENT_LOG_PARTITIONS_MAX] = {0}, ends[EVENT_LOG_PARTITIONS_MAX];
    if (from) memcpy(positions, from, (size_t)rig->partition_count * sizeof *from);
    size_t count = count_records(rig, topic, positions, ends);
    struct rig_records read = {.records = need(arena_calloc(arena, count, sizeof *read.records))};
    struct event_log_consumer *reader;
    const struct event_log_consumer_options options = {.topic = topic, .positions = positions, .batch_max = 1000};
    struct error error = {.text = ""};
    if (event_log_consumer_open(rig->log, &options, &reader, &error) != STATUS_OK) abort();
    time_t until = 0;
    for (int polls = 0; read.count < count; polls++) {
        struct event_log_poll poll;
        enum status status = event_log_poll(reader, 1000, &poll, &error);
        if (rig_again(rig, status, &until)) continue;
        if (polls > 1000000 || status != STATUS_OK) abort();
        if (poll.kind != POLL_RECORDS) continue;
        for (size_t i = 0; i < poll.batch->count && read.count < count; i++)
            if (poll.batch->records[i].offset < ends[poll.partition])
                read.records[read.count++] = copy_record(&poll.batch->records[i], arena);
        event_log_batch_free(poll.batch);
    }
    event_log_consumer_close(reader);
    return read;
}

struct bytes rig_header(const struct event_log_record *record, const char *name) {
    const struct event_log_header *header = event_log_header(record, name);
    return header ? header->value : BYTES("");
}

/* --- the store --- */

/* One answer, copied into the arena. */
struct answer {
    struct completion completion;
    struct arena *arena;
    enum status status;
    struct order *orders;
    struct history_row *rows;
    size_t count;
    struct order_store_cursor next;
    uint32_t version;
};

static void answer_init(struct answer *answer, struct arena *arena) {
    *answer = (struct answer){.arena = arena};
    completion_init(&answer->completion);
}

static void keep_orders(struct answer *answer, const struct order *orders, size_t count) {
    answer->orders = need(arena_calloc(answer->arena, count, sizeof *answer->orders));
    answer->count = count;
    for (size_t i = 0; i < count; i++)
        if (order_copy(&orders[i], answer->arena, &answer->orders[i]) != STATUS_OK) abort();
}

static void get_done(struct order_store_get *get, enum status status, const struct order *order, int64_t read_at_ms,
                     const char *error_text) {
    struct answer *answer = get->data;
    answer->status = status;
    if (status == STATUS_OK) keep_orders(answer, order, 1);
    completion_signal(&answer->completion);
}

const struct order *rig_order(struct rig *rig, struct uuid order_id, struct arena *arena) {
    struct answer answer;
    time_t until = 0;
    do {
        answer_init(&answer, arena);
        struct order_store_get get = {.order_id = order_id, .done = get_done, .data = &answer};
        order_store_get(rig->store, &get);
        completion_wait(&answer.completion);
    } while (rig_again(rig, answer.status, &until));
    if (answer.status != STATUS_OK && answer.status != STATUS_NOT_FOUND) abort();
    return answer.orders;
}

static void history_done(struct order_store_history *history, enum status status, const struct history_row *rows,
                         size_t count, const char *error_text) {
    struct answer *answer = history->data;
    answer->status = status;
    if (status == STATUS_OK) {
        answer->rows = need(arena_calloc(answer->arena, count, sizeof *rows));
        answer->count = count;
        for (size_t i = 0; i < count; i++) {
            answer->rows[i] = rows[i];
            if (order_copy(&rows[i].order, answer->arena, &answer->rows[i].order) != STATUS_OK) abort();
        }
    }
    completion_signal(&answer->completion);
}

struct rig_rows rig_history(struct rig *rig, struct uuid order_id, struct arena *arena) {
    struct answer answer;
    time_t until = 0;
    do {
        answer_init(&answer, arena);
        struct order_store_history history = {.order_id = order_id,
                                              .from_version = 1,
                                              .limit = ORDER_STORE_LIST_MAX,
                                              .done = history_done,
                                              .data = &answer};
        order_store_history(rig->store, &history);
        completion_wait(&answer.completion);
    } while (rig_again(rig, answer.status, &until));
    if (answer.status != STATUS_OK) abort();
    return (struct rig_rows){answer.rows, answer.count};
}

static void list_done(struct order_store_list *list, enum status status, const struct order *orders, size_t count,
                      const struct order_store_cursor *next, const char *error_text) {
    struct answer *answer = list->data;
    answer->status = status;
    if (status == STATUS_OK) {
        keep_orders(answer, orders, count);
        answer->next = *next;
    }
    completion_signal(&answer->completion);
}

static void ask_page(struct rig *rig, struct order_store_list *list, struct answer *answer, struct arena *arena) {
    time_t until = 0;
    do {
        answer_init(answer, arena);
        list->done = list_done;
        list->data = answer;
        order_store_list(rig->store, list);
        completion_wait(&answer->completion);
    } while (rig_again(rig, answer->status, &until));
    if (answer->status != STATUS_OK) abort();
}

struct rig_orders rig_list(struct rig *rig, const struct order_store_list *query, struct arena *arena) {
    struct rig_orders all = {0};
    size_t room = 0;
    struct order_store_list list = *query;
    do {
        struct answer answer;
        ask_page(rig, &list, &answer, arena);
        if (all.count + answer.count > room) {
            room = (all.count + answer.count) * 2;
            struct order *more = need(arena_calloc(arena, room, sizeof *more));
            for (size_t i = 0; i < all.count; i++)
                more[i] = all.orders[i];
            all.orders = more;
        }
        for (size_t i = 0; i < answer.count; i++)
            all.orders[all.count++] = answer.orders[i];
        list.cursor = answer.next;
    } while (list.cursor.size > 0);
    return all;
}

/* --- the dump --- */

static void put_uuid(struct buffer *out, const struct uuid *uuid) {
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid, text);
    buffer_put_text(out, text);
    buffer_put_char(out, ' ');
}

static void dump_order(struct buffer *out, const struct order *order) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    order_write_json(&writer, order);
    buffer_put_char(out, '\n');
}

static void dump_history(struct rig *rig, struct buffer *out, struct uuid order_id) {
    struct arena arena;
    arena_init(&arena, 65536, DUMP_SIZE_MAX);
    struct rig_rows history = rig_history(rig, order_id, &arena);
    for (size_t i = 0; i < history.count; i++) {
        const struct history_row *row = &history.rows[i];
        buffer_printf(out, "  at %" PRId64 " by ", row->position);
        put_uuid(out, &row->command_id);
        put_uuid(out, &row->attempt_id);
        for (size_t b = 0; b < COMMAND_FINGERPRINT_SIZE; b++)
            buffer_printf(out, "%02x", row->fingerprint[b]);
        buffer_put_char(out, ' ');
        dump_order(out, &row->order);
    }
    arena_free(&arena);
}

static void dump_list(struct rig *rig, struct buffer *out, const struct order_store_list *query, struct arena *arena) {
    struct rig_orders orders = rig_list(rig, query, arena);
    for (size_t i = 0; i < orders.count; i++) {
        put_uuid(out, &orders.orders[i].order_id);
        buffer_printf(out, "%u\n", orders.orders[i].version);
    }
}

struct bytes rig_dump(struct rig *rig, struct arena *arena) {
    struct buffer out;
    struct arena scratch;
    buffer_init(&out, DUMP_SIZE_MAX);
    arena_init(&scratch, 1u << 20, DUMP_SIZE_MAX);
    const struct order_store_list everything = {.limit = DUMP_PAGE};
    struct rig_orders orders = rig_list(rig, &everything, &scratch);
    for (size_t i = 0; i < orders.count; i++) {
        dump_order(&out, &orders.orders[i]);
        dump_history(rig, &out, orders.orders[i].order_id);
    }
    for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
        const struct order_store_list query = {
            .has_status = true, .status = (enum order_status)status, .limit = DUMP_PAGE};
        buffer_printf(&out, "status %s\n", order_status_name((enum order_status)status));
        dump_list(rig, &out, &query, &scratch);
    }
    if (out.status != STATUS_OK) abort();
    struct bytes dump = arena_copy(arena, buffer_bytes(&out));
    buffer_free(&out);
    arena_free(&scratch);
    if (!dump.data) abort();
    return dump;
}

/* --- the cache --- */

static void cached_done(struct order_cache_get *get, enum status status, const struct order_cache_entry *entry) {
    struct answer *answer = get->data;
    answer->version = status == STATUS_OK ? entry->version : 0;
    completion_signal(&answer->completion);
}

uint32_t rig_cached_version(struct rig *rig, struct uuid order_id) {
    struct answer answer;
    answer_init(&answer, NULL);
    struct order_cache_get get = {.order_id = order_id, .done = cached_done, .data = &answer};
    order_cache_get(rig->cache, &get);
    completion_wait(&answer.completion);
    return answer.version;
}
