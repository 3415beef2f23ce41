/* The pipeline when nothing fails: what becomes of commands, of poison, of newer schemas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/verdicts.h"

#define PARTITIONS 4

static int open_rig(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig) return 1;
    rig_open(rig, PARTITIONS, NULL, 1);
    *state = rig;
    return 0;
}

static int close_rig(void **state) {
    rig_close(*state);
    free(*state);
    return 0;
}

static void process(struct rig *rig) {
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
}

static struct verdicts good_verdicts(struct rig *rig) {
    struct verdicts verdicts = verdicts_read(rig, NULL, &rig->arena);
    assert_int_equal(verdicts.malformed, 0);
    assert_true(verdicts.all_agree);
    return verdicts;
}

static void assert_verdict(const struct verdicts *verdicts, const struct command *command, enum verdict verdict,
                           enum reason reason, uint32_t version) {
    const struct verdict_of_attempt *found = verdicts_find(verdicts, &command->attempt_id);
    assert_non_null(found);
    assert_string_equal(verdict_name(found->event.verdict), verdict_name(verdict));
    assert_string_equal(reason_name(found->event.reason), reason_name(reason));
    assert_int_equal(found->event.has_order ? found->event.order.version : 0, version);
}

static uint64_t counted(struct rig *rig, const char *name, const char *labels) {
    return metric_count(metrics_counter(rig->metrics, name, "", labels));
}

/* --- orders --- */

static void test_a_created_order_is_everywhere(void **state) {
    struct rig *rig = *state;
    struct command create = rig_create(rig, rig_uuid(rig), true);
    int64_t offset = rig_send(rig, &create);
    process(rig);
    const struct order *order = rig_order(rig, create.order_id, &rig->arena);
    assert_non_null(order);
    assert_int_equal(order->version, 1);
    assert_int_equal(order->status, ORDER_CREATED);
    assert_int_equal(order->total, create.order.total);
    assert_int_equal(order->created_at_ms, create.time_ms);
    assert_int_equal(rig_cached_version(rig, create.order_id), 1);

    struct rig_rows history = rig_history(rig, create.order_id, &rig->arena);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.rows[0].position, offset);
    assert_true(uuid_equal(&history.rows[0].attempt_id, &create.attempt_id));

    struct verdicts verdicts = good_verdicts(rig);
    assert_verdict(&verdicts, &create, VERDICT_CREATED, REASON_NONE, 1);
    char id[EVENT_ID_SIZE], order_id[UUID_TEXT_SIZE];
    uuid_format(&create.order_id, order_id);
    snprintf(id, sizeof id, "%s/1", order_id);
    assert_true(bytes_equal(verdicts.list[0].id, bytes_of(id)));
    assert_true(bytes_equal(verdicts.list[0].type, BYTES("orderly.order.created")));
    assert_true(order_equal(&verdicts.list[0].event.order, order));
    assert_int_equal(counted(rig, "orderly_pipeline_commands_total", "verdict=\"created\""), 1);
}

/* All of it lies in the log before the pipeline starts, so create and transitions share a batch. */
static void test_an_order_lives_within_one_batch(void **state) {
    struct rig *rig = *state;
    struct uuid id = rig_uuid(rig);
    struct command commands[] = {
        rig_create(rig, id, true),
        rig_transition(rig, id, 1, ORDER_CONFIRMED),
        rig_amend(rig, id, 2, "Grace"),
        rig_transition(rig, id, 1, ORDER_CANCELLED), /* too late */
        rig_transition(rig, id, 7, ORDER_PAID),      /* too early */
        rig_transition(rig, id, 3, ORDER_PAID),
        rig_transition(rig, id, 3, ORDER_PAID), /* somebody else's wish came true */
        rig_amend(rig, id, 4, "Edsger"),        /* paid: no longer */
        rig_transition(rig, id, 4, ORDER_CREATED),
    };
    rig_send_all(rig, commands, sizeof commands / sizeof commands[0], NULL);
    process(rig);
    struct verdicts verdicts = good_verdicts(rig);
    assert_verdict(&verdicts, &commands[0], VERDICT_CREATED, REASON_NONE, 1);
    assert_verdict(&verdicts, &commands[1], VERDICT_APPLIED, REASON_NONE, 2);
    assert_verdict(&verdicts, &commands[2], VERDICT_APPLIED, REASON_NONE, 3);
    assert_verdict(&verdicts, &commands[3], VERDICT_REJECTED, REASON_VERSION_CONFLICT, 1);
    assert_verdict(&verdicts, &commands[4], VERDICT_REJECTED, REASON_VERSION_AHEAD, 0);
    assert_verdict(&verdicts, &commands[5], VERDICT_APPLIED, REASON_NONE, 4);
    assert_verdict(&verdicts, &commands[6], VERDICT_UNCHANGED, REASON_NONE, 4);
    assert_verdict(&verdicts, &commands[7], VERDICT_REJECTED, REASON_NOT_AMENDABLE, 4);
    assert_verdict(&verdicts, &commands[8], VERDICT_REJECTED, REASON_ILLEGAL_TRANSITION, 4);
    assert_int_equal(verdicts.count, 9);

    const struct order *order = rig_order(rig, id, &rig->arena);
    assert_int_equal(order->version, 4);
    assert_int_equal(order->status, ORDER_PAID);
    assert_true(bytes_equal(order->customer_name, BYTES("Grace")));
    assert_int_equal(rig_history(rig, id, &rig->arena).count, 4);
    assert_int_equal(rig_cached_version(rig, id), 4);
    assert_int_equal(faults_calls(&rig->faults, FAULT_APPLY), 1); /* it was one batch */
    assert_int_equal(faults_calls(&rig->faults, FAULT_PUT), 1);   /* and only its newest version was cached */
}

static void test_transitions_of_stored_orders(void **state) {
    struct rig *rig = *state;
    struct uuid id = rig_uuid(rig);
    struct command create = rig_create(rig, id, false), confirm = rig_transition(rig, id, 1, ORDER_CONFIRMED);
    struct command stranger = rig_transition(rig, rig_uuid(rig), 1, ORDER_CONFIRMED);
    rig_send(rig, &create);
    process(rig);
    rig_send(rig, &confirm);
    rig_send(rig, &stranger);
    process(rig);
    struct verdicts verdicts = good_verdicts(rig);
    assert_verdict(&verdicts, &confirm, VERDICT_APPLIED, REASON_NONE, 2);
    assert_verdict(&verdicts, &stranger, VERDICT_REJECTED, REASON_VERSION_AHEAD, 0);
    assert_int_equal(rig_order(rig, id, &rig->arena)->status, ORDER_CONFIRMED);
}

/* The same message twice, in one batch and in two; and other attempts under the same key. */
static void test_a_command_sent_again_makes_nothing_twice(void **state) {
    struct rig *rig = *state;
    struct uuid id = rig_uuid(rig), minted_id = rig_uuid(rig);
    struct command create = rig_create(rig, id, false), minted = rig_create(rig, minted_id, true);
    struct command again = create, other = create, minted_again = minted, clash = rig_create(rig, id, false);
    again.attempt_id = rig_uuid(rig);
    other.attempt_id = rig_uuid(rig);
    other.order.customer_name = BYTES("Mallory");
    minted_again.minted = false;
    struct command batch[] = {create, create, again, minted, minted, minted_again};
    rig_send_all(rig, batch, 6, NULL);
    process(rig);
    struct command confirm = rig_transition(rig, id, 1, ORDER_CONFIRMED), confirm_again = confirm;
    confirm_again.attempt_id = rig_uuid(rig);
    struct command later[] = {create, again, other, clash, confirm};
    rig_send_all(rig, later, 5, NULL);
    process(rig);
    struct command backwards[] = {confirm_again, create}; /* found rows, the newer one first */
    rig_send_all(rig, backwards, 2, NULL);
    process(rig);
    struct verdicts verdicts = good_verdicts(rig);
    assert_verdict(&verdicts, &create, VERDICT_CREATED, REASON_NONE, 1);
    assert_verdict(&verdicts, &again, VERDICT_CREATED, REASON_NONE, 1);
    assert_verdict(&verdicts, &minted, VERDICT_CREATED, REASON_NONE, 1);
    assert_verdict(&verdicts, &other, VERDICT_REJECTED, REASON_KEY_REUSED, 1);
    assert_verdict(&verdicts, &clash, VERDICT_REJECTED, REASON_ORDER_EXISTS, 1);
    assert_int_equal(verdicts_find(&verdicts, &create.attempt_id)->count, 4); /* each time an event */
    assert_verdict(&verdicts, &confirm_again, VERDICT_APPLIED, REASON_NONE, 2);
    assert_int_equal(verdicts_find(&verdicts, &again.attempt_id)->count, 2);
    assert_int_equal(rig_history(rig, id, &rig->arena).count, 2);
    assert_int_equal(rig_history(rig, minted_id, &rig->arena).count, 1);
    char attempt[UUID_TEXT_SIZE];
    uuid_format(&again.attempt_id, attempt);
    assert_true(bytes_equal(verdicts_find(&verdicts, &again.attempt_id)->id, bytes_of(attempt)));
}

static void test_the_trace_context_goes_on(void **state) {
    struct rig *rig = *state;
    struct command create = rig_create(rig, rig_uuid(rig), true);
    struct buffer value;
    char key[UUID_TEXT_SIZE];
    buffer_init(&value, COMMAND_TEXT_MAX);
    uuid_format(&create.order_id, key);
    command_fingerprint(&create, create.fingerprint);
    command_write(&value, &create);
    const struct event_log_header header = {"traceparent",
                                            BYTES("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")};
    const struct event_log_record record = {
        .partition = -1, .key = bytes_of(key), .value = buffer_bytes(&value), .headers = &header, .header_count = 1};
    rig_append(rig, TOPIC_COMMANDS, &record);
    buffer_free(&value);
    process(rig);
    struct rig_records events = rig_read(rig, TOPIC_EVENTS, NULL, &rig->arena);
    assert_int_equal(events.count, 1);
    assert_true(bytes_equal(rig_header(&events.records[0], "traceparent"), header.value));
}

/* --- poison --- */

struct poison {
    struct bytes key, value;
    int32_t partition;
    const char *reason;
};

static void assert_letter(const struct event_log_record *letter, const struct poison *poison, int64_t offset) {
    char id[64], number[24];
    snprintf(id, sizeof id, "order-commands/%d/%lld", (int)poison->partition, (long long)offset);
    assert_string_equal(bytes_equal(rig_header(letter, "ce_reason"), bytes_of(poison->reason)) ? poison->reason : "?",
                        poison->reason);
    assert_true(bytes_equal(rig_header(letter, "ce_id"), bytes_of(id)));
    assert_true(bytes_equal(rig_header(letter, "ce_type"), BYTES("orderly.command.dead")));
    assert_true(bytes_equal(rig_header(letter, "ce_sourcetopic"), BYTES("order-commands")));
    snprintf(number, sizeof number, "%d", (int)poison->partition);
    assert_true(bytes_equal(rig_header(letter, "ce_sourcepartition"), bytes_of(number)));
    snprintf(number, sizeof number, "%lld", (long long)offset);
    assert_true(bytes_equal(rig_header(letter, "ce_sourceoffset"), bytes_of(number)));
    assert_true(rig_header(letter, "ce_reasontext").size > 0);
    assert_true(bytes_equal(letter->key, poison->key));
    assert_true(bytes_equal(letter->value, poison->value));
}

static struct bytes text_of(struct rig *rig, struct command *command) {
    struct buffer value;
    buffer_init(&value, COMMAND_TEXT_MAX);
    command_fingerprint(command, command->fingerprint);
    command_write(&value, command);
    struct bytes text = arena_copy(&rig->arena, buffer_bytes(&value));
    buffer_free(&value);
    return text;
}

/* Each kind of poison between two good orders of the same partition. */
static void test_poison_becomes_dead_letters(void **state) {
    struct rig *rig = *state;
    struct command good = rig_create(rig, rig_uuid(rig), true), misplaced = rig_create(rig, rig_uuid(rig), true);
    int32_t partition = rig_partition(rig, &good.order_id);
    while (rig_partition(rig, &misplaced.order_id) == partition)
        misplaced.order_id = rig_uuid(rig);
    char key[UUID_TEXT_SIZE], misplaced_key[UUID_TEXT_SIZE];
    uuid_format(&good.order_id, key);
    uuid_format(&misplaced.order_id, misplaced_key);
    struct bytes huge = {memset(arena_alloc(&rig->arena, 900000), 'x', 900000), 900000};
    const struct poison poisons[] = {
        {bytes_of(key), BYTES("{\"schema\":1,"), partition, "invalid"},
        {bytes_of(key), BYTES(""), partition, "invalid"},
        {bytes_of(key), BYTES("{\"schema\":1}"), partition, "invalid"},
        {BYTES("\xff\xfe"), BYTES("\xc3\x28"), partition, "invalid"},
        {BYTES("key"), text_of(rig, &good), partition, "wrong_key"},
        {bytes_of(misplaced_key), text_of(rig, &misplaced), partition, "wrong_partition"},
        {bytes_of(key), huge, partition, "too_large"},
    };
    size_t count = sizeof poisons / sizeof poisons[0];
    int64_t offsets[8];
    for (size_t i = 0; i < count; i++) {
        const struct event_log_record record = {
            .partition = poisons[i].partition, .key = poisons[i].key, .value = poisons[i].value};
        offsets[i] = rig_append(rig, TOPIC_COMMANDS, &record);
    }
    rig_send(rig, &good);
    process(rig);
    struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
    assert_int_equal(letters.count, count);
    for (size_t i = 0; i < count; i++)
        assert_letter(&letters.records[i], &poisons[i], offsets[i]);
    struct verdicts verdicts = good_verdicts(rig);
    assert_int_equal(verdicts.count, 1);
    assert_verdict(&verdicts, &good, VERDICT_CREATED, REASON_NONE, 1);
    assert_null(rig_order(rig, misplaced.order_id, &rig->arena));
    assert_int_equal(counted(rig, "orderly_dead_letters_total", "reason=\"invalid\""), 4);
    assert_int_equal(counted(rig, "orderly_dead_letters_total", "reason=\"too_large\""), 1);
}

/* A record of the largest size the log takes: its letter has headers of its own, so something must go. */
static void test_a_letter_too_large_for_the_log_is_cut(void **state) {
    struct rig *rig = *state;
    size_t size = EVENT_LOG_RECORD_MAX - 100;
    struct bytes huge = {memset(arena_alloc(&rig->arena, size), 'x', size), size};
    const struct event_log_record record = {.partition = 1, .key = BYTES("k"), .value = huge};
    rig_append(rig, TOPIC_COMMANDS, &record);
    process(rig);
    struct rig_records letters = rig_read(rig, TOPIC_DLQ, NULL, &rig->arena);
    assert_int_equal(letters.count, 1);
    char number[24];
    snprintf(number, sizeof number, "%zu", size);
    assert_true(bytes_equal(rig_header(&letters.records[0], "ce_cutfrom"), bytes_of(number)));
    assert_in_range(letters.records[0].value.size, 900000, size - 1);
}

/* --- newer schemas --- */

static int32_t schema_partition;
static bool is_paused_for_schema(struct rig *rig) {
    struct pipeline_partition_state partition;
    pipeline_state(rig->pipeline, schema_partition, &partition);
    return partition.needs_schema == 7;
}

static void test_a_newer_schema_pauses_its_partition(void **state) {
    struct rig *rig = *state;
    struct command before = rig_create(rig, rig_uuid(rig), true), after = rig_create(rig, rig_uuid(rig), true);
    struct command elsewhere = rig_create(rig, rig_uuid(rig), true);
    int32_t partition = schema_partition = rig_partition(rig, &before.order_id);
    while (rig_partition(rig, &after.order_id) != partition)
        after.order_id = rig_uuid(rig);
    while (rig_partition(rig, &elsewhere.order_id) == partition)
        elsewhere.order_id = rig_uuid(rig);
    char key[UUID_TEXT_SIZE];
    uuid_format(&before.order_id, key);
    const struct event_log_record newer = {
        .partition = partition, .key = bytes_of(key), .value = BYTES("{\"schema\":7,\"what\":\"a surprise\"}")};
    rig_send(rig, &before);
    int64_t offset = rig_append(rig, TOPIC_COMMANDS, &newer);
    rig_send(rig, &after);

    rig_start(rig, NULL);
    assert_true(rig_wait(is_paused_for_schema, rig));
    rig_send(rig, &elsewhere); /* the others go on */
    assert_true(rig_wait_position(rig->pipeline, rig_partition(rig, &elsewhere.order_id), 1));
    assert_int_equal(rig_committed(rig, partition), offset); /* all before it is done, it and all behind it is not */
    assert_non_null(rig_order(rig, before.order_id, &rig->arena));
    assert_null(rig_order(rig, after.order_id, &rig->arena));
    assert_int_equal(rig_read(rig, TOPIC_DLQ, NULL, &rig->arena).count, 0);
    struct pipeline_partition_state shown;
    pipeline_state(rig->pipeline, partition, &shown);
    assert_true(shown.assigned);
    assert_int_equal(shown.committed, offset);
    assert_int_equal(shown.lag, 2);

    /* Handed over: at once, and the next owner meets the same command again. */
    faulty_log_inject(rig->faulty_log, POLL_REVOKED, partition);
    assert_true(faulty_log_wait_released(rig->faulty_log, partition));
    faulty_log_inject(rig->faulty_log, POLL_ASSIGNED, partition);
    assert_true(rig_wait(is_paused_for_schema, rig));
    rig_stop(rig);
    assert_int_equal(rig_committed(rig, partition), offset);
    assert_int_equal(good_verdicts(rig).count, 2);
}

static void test_a_newer_schema_at_the_front_pauses_too(void **state) {
    struct rig *rig = *state;
    const struct event_log_record newer = {.partition = 2, .key = BYTES("k"), .value = BYTES("{\"schema\":7}")};
    schema_partition = 2;
    rig_append(rig, TOPIC_COMMANDS, &newer);
    rig_start(rig, NULL);
    assert_true(rig_wait(is_paused_for_schema, rig));
    rig_stop(rig);
    assert_int_equal(rig_committed(rig, 2), 0);
}

/* --- many --- */

static void test_many_orders_in_small_and_large_batches(void **state) {
    struct rig *rig = *state;
    static const size_t batch_sizes[] = {1, 5, 512, 4096};
    struct command commands[500];
    for (size_t b = 0; b < sizeof batch_sizes / sizeof batch_sizes[0]; b++) {
        for (size_t i = 0; i < 500; i += 2) {
            commands[i] = rig_create(rig, rig_uuid(rig), i % 4 == 0);
            commands[i + 1] = rig_transition(rig, commands[i].order_id, 1, ORDER_CONFIRMED);
        }
        rig_send_all(rig, commands, 500, NULL);
        struct pipeline_options options = {.batch_max = batch_sizes[b]};
        rig_start(rig, &options);
        assert_true(rig_wait_committed(rig));
        struct pipeline_partition_state shown;
        pipeline_state(rig->pipeline, 0, &shown);
        assert_true(shown.assigned);
        assert_false(shown.waiting);
        assert_int_equal(shown.needs_schema, 0);
        rig_stop(rig);
        struct verdicts verdicts = good_verdicts(rig);
        for (size_t i = 0; i < 500; i++) {
            enum verdict expected = i % 2 == 0 ? VERDICT_CREATED : VERDICT_APPLIED;
            assert_verdict(&verdicts, &commands[i], expected, REASON_NONE, (uint32_t)(i % 2) + 1);
            assert_int_equal(verdicts_find(&verdicts, &commands[i].attempt_id)->count, 1);
        }
    }
    const struct order_store_list confirmed = {.has_status = true, .status = ORDER_CONFIRMED, .limit = 200};
    assert_int_equal(rig_list(rig, &confirmed, &rig->arena).count, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_created_order_is_everywhere, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_an_order_lives_within_one_batch, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_transitions_of_stored_orders, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_command_sent_again_makes_nothing_twice, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_the_trace_context_goes_on, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_poison_becomes_dead_letters, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_letter_too_large_for_the_log_is_cut, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_newer_schema_pauses_its_partition, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_a_newer_schema_at_the_front_pauses_too, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(test_many_orders_in_small_and_large_batches, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
