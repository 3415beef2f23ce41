/* Tests that a verdict never changes: random logs of one order's commands are decided once in order, and then again
 * from every position over every state a crash can leave, and by several consumers at once that all think the
 * partition is theirs. Each must say what the first run said, and write what it wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/random.h"
#include "order/decide.h"
#include "unit/order_sample.h"

#define SEQUENCES 20000
#define LENGTH_MAX 10
#define RESTORED_MAX 3
#define VERSIONS_MAX (LENGTH_MAX + RESTORED_MAX + 1)
#define COMMAND_IDS 4 /* few, so that keys are used again: by retries and for other payloads */
#define CONSUMERS 3

/* What the world gets to see of a decision. */
struct answer {
    enum verdict verdict;
    enum reason reason;
    bool has_order, has_row, is_first;
    struct order shown;
    struct history_row row;
};

/* The history rows of the order by version; rows never change. */
struct store {
    struct history_row rows[VERSIONS_MAX + 1];
    bool has[VERSIONS_MAX + 1];
};

struct run {
    struct command log[LENGTH_MAX];
    int length;
    struct store restored;             /* before the log's start */
    struct answer answers[LENGTH_MAX]; /* of the first run */
};

static const struct order_item item_lists[][1] = {
    {{{"lamp", 4}, 1, 10}},
    {{{"bulb", 4}, 2, 20}},
    {{{"gold", 4}, 2, ORDER_AMOUNT_MAX}}, /* an amended total above the limit */
};

static bool rows_are_equal(const struct history_row *a, const struct history_row *b) {
    return order_equal(&a->order, &b->order) && a->position == b->position &&
           uuid_equal(&a->command_id, &b->command_id) && uuid_equal(&a->attempt_id, &b->attempt_id) &&
           memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint) == 0;
}

static bool answers_are_equal(const struct answer *a, const struct answer *b) {
    return a->verdict == b->verdict && a->reason == b->reason && a->has_order == b->has_order &&
           a->has_row == b->has_row && a->is_first == b->is_first &&
           (!a->has_order || order_equal(&a->shown, &b->shown)) && (!a->has_row || rows_are_equal(&a->row, &b->row));
}

/* --- making a log --- */

static struct command random_command(struct random *random, uint8_t attempt) {
    enum command_kind kind = (enum command_kind)random_below(random, COMMAND_KIND_COUNT);
    struct command command = {
        .kind = random_below(random, 3) ? kind : COMMAND_TRANSITION,
        .rules = ORDER_RULES_CURRENT,
        .order_id = sample_uuid(1),
        .command_id = sample_uuid((uint8_t)(100 + random_below(random, COMMAND_IDS))),
        .attempt_id = sample_uuid(attempt),
        .time_ms = 1795356441000 + (int64_t)random_below(random, 1000), /* clocks go back and forth */
    };
    size_t list = random_below(random, command.kind == COMMAND_CREATE ? 2 : 3);
    if (command.kind != COMMAND_CREATE) command.expected_version = 1 + (uint32_t)random_below(random, 5);
    if (command.kind == COMMAND_TRANSITION) command.target = (enum order_status)random_below(random, 5);
    if (command.kind == COMMAND_AMEND) command.amend_set = 1 + (unsigned)random_below(random, 7);
    if (command.kind != COMMAND_TRANSITION) {
        command.order = (struct order){.customer_name = BYTES("Ada"), .items = item_lists[list], .item_count = 1};
        memcpy(command.order.currency, "EUR", 4);
        (void)order_total(command.order.items, 1, &command.order.total);
    }
    command_fingerprint(&command, command.fingerprint);
    return command;
}

/* The next command: new, or a retry of an earlier one, or the very same attempt appended twice. */
static struct command next_command(struct random *random, const struct run *run) {
    uint64_t choice = random_below(random, 10);
    if (run->length == 0 || choice < 6) return random_command(random, (uint8_t)(10 + run->length));
    struct command command = run->log[random_below(random, (uint64_t)run->length)];
    if (choice < 9) command.attempt_id = sample_uuid((uint8_t)(10 + run->length));
    command.time_ms += (int64_t)random_below(random, 3);
    return command;
}

/* Rows that came from a backup, some made by keys that the log uses again. */
static void restore_some(struct random *random, struct store *store) {
    uint64_t count = random_below(random, 2) ? random_below(random, RESTORED_MAX + 1) : 0;
    for (uint32_t version = 1; version <= count; version++) {
        struct command command = random_command(random, (uint8_t)(200 + version));
        struct history_row *row = &store->rows[version];
        row->order = sample_order();
        row->order.version = version;
        row->order.status = (enum order_status)random_below(random, 3);
        row->position = HISTORY_POSITION_RESTORED;
        row->command_id = command.command_id, row->attempt_id = command.attempt_id;
        memcpy(row->fingerprint, command.fingerprint, sizeof row->fingerprint);
        store->has[version] = true;
    }
}

/* --- deciding --- */

static const struct history_row *find(const struct store *store, uint32_t version) {
    return version <= VERSIONS_MAX && store->has[version] ? &store->rows[version] : NULL;
}

static struct answer decide_on(const struct command *command, int64_t position, const struct history_row *row_e,
                               const struct history_row *row_next) {
    struct decision decision;
    decide(command, position, row_e, row_next, &decision);
    struct answer answer = {.verdict = decision.verdict,
                            .reason = decision.reason,
                            .has_order = decision.shown != NULL,
                            .has_row = decision.write,
                            .row = decision.row};
    answer.is_first = decision.write && history_row_is_attempt(&decision.row, command);
    if (decision.shown) answer.shown = *decision.shown;
    return answer;
}

static struct answer decide_at(const struct run *run, int position, const struct store *store) {
    const struct command *command = &run->log[position];
    uint32_t e = command->expected_version;
    return decide_on(command, position, e ? find(store, e) : NULL, find(store, e + 1));
}

/* apply(): a row that exists is never changed, and nobody may want to. */
static void write_row(struct store *store, const struct answer *answer) {
    if (!answer->has_row) return;
    uint32_t version = answer->row.order.version;
    assert_in_range(version, 1, VERSIONS_MAX);
    if (store->has[version]) {
        assert_true(rows_are_equal(&store->rows[version], &answer->row));
        return;
    }
    store->rows[version] = answer->row;
    store->has[version] = true;
}

static void assert_same_answer(const struct run *run, int position, const struct answer *answer) {
    const struct answer *first = &run->answers[position];
    if (answers_are_equal(first, answer)) return;
    for (int i = 0; i < run->length; i++)
        print_message("%d: kind %s e %u key %u: %s %s\n", i, command_kind_name(run->log[i].kind),
                      run->log[i].expected_version, run->log[i].command_id.bytes[15],
                      verdict_name(run->answers[i].verdict), reason_name(run->answers[i].reason));
    fail_msg("position %d: first %s %s, now %s %s", position, verdict_name(first->verdict), reason_name(first->reason),
             verdict_name(answer->verdict), reason_name(answer->reason));
}

/* Fills the run with a random log and decides it for the first time; the store is left as after the run. */
static void first_run(struct random *random, struct run *run, struct store *store) {
    *run = (struct run){0};
    restore_some(random, &run->restored);
    *store = run->restored;
    int length = 1 + (int)random_below(random, LENGTH_MAX);
    while (run->length < length) {
        run->log[run->length] = next_command(random, run);
        run->answers[run->length] = decide_at(run, run->length, store);
        write_row(store, &run->answers[run->length]);
        run->length++;
    }
}

static bool stores_are_equal(const struct store *a, const struct store *b) {
    for (uint32_t version = 0; version <= VERSIONS_MAX; version++) {
        if (a->has[version] != b->has[version]) return false;
        if (a->has[version] && !rows_are_equal(&a->rows[version], &b->rows[version])) return false;
    }
    return true;
}

/* A consumer got as far as `reached` and crashed; the next one begins at `committed` and goes to the end. */
static void replay(const struct run *run, int committed, int reached, const struct store *end) {
    struct store store = run->restored;
    for (int position = 0; position < reached; position++)
        write_row(&store, &run->answers[position]);
    for (int position = committed; position < run->length; position++) {
        struct answer answer = decide_at(run, position, &store);
        assert_same_answer(run, position, &answer);
        write_row(&store, &answer);
    }
    assert_true(stores_are_equal(&store, end));
}

static void replays_from_every_crash_agree(void **state) {
    struct random_seeded random;
    long verdicts[VERDICT_COUNT] = {0}, reasons[REASON_COUNT] = {0}, repeats = 0;
    random_seeded_init(&random, 4);
    for (int i = 0; i < SEQUENCES; i++) {
        struct run run;
        struct store end;
        first_run(&random.base, &run, &end);
        for (int reached = 0; reached <= run.length; reached++)
            for (int committed = 0; committed <= reached; committed++)
                replay(&run, committed, reached, &end);
        for (int position = 0; position < run.length; position++) {
            verdicts[run.answers[position].verdict]++;
            reasons[run.answers[position].reason]++;
            repeats += run.answers[position].has_row && !run.answers[position].is_first;
        }
    }
    /* The logs did lead to everything that there is (but the version limit, which is too far away). */
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        assert_true(verdicts[verdict] > 100);
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (reason != REASON_VERSION_LIMIT) assert_true(reasons[reason] > 100);
    assert_true(repeats > 100);
}

/* One of several consumers that work on the same partition: it reads, and writes some time later. */
struct consumer {
    int position;
    bool has_read;
    struct answer answer;
};

static void step(const struct run *run, struct consumer *consumer, struct store *store) {
    if (!consumer->has_read) {
        consumer->answer = decide_at(run, consumer->position, store); /* the rows are copied into the answer */
        assert_same_answer(run, consumer->position, &consumer->answer);
        consumer->has_read = true;
        return;
    }
    write_row(store, &consumer->answer);
    consumer->has_read = false;
    consumer->position++;
}

static void consumers_at_the_same_time_agree(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 5);
    for (int i = 0; i < SEQUENCES; i++) {
        struct run run;
        struct store end, store;
        struct consumer consumers[CONSUMERS] = {{0}};
        first_run(&random.base, &run, &end);
        store = run.restored;
        for (int left = CONSUMERS; left > 0;) {
            struct consumer *consumer = &consumers[random_below(&random.base, CONSUMERS)];
            if (consumer->position == run.length) continue;
            step(&run, consumer, &store);
            left -= consumer->position == run.length;
        }
        assert_true(stores_are_equal(&store, &end));
    }
}

/* A minted create is written without a read; a replay, with or without one, agrees. */
static void a_minted_create_needs_no_read(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 6);
    for (int i = 0; i < 100; i++) {
        struct command command = random_command(&random.base, 1);
        if (command.kind != COMMAND_CREATE) continue;
        struct answer blind = decide_on(&command, i, NULL, NULL);
        struct answer seeing = decide_on(&command, i, NULL, &blind.row);
        assert_true(answers_are_equal(&blind, &seeing));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replays_from_every_crash_agree),
        cmocka_unit_test(consumers_at_the_same_time_agree),
        cmocka_unit_test(a_minted_create_needs_no_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
