/* The pipeline's small parts by themselves: waits, the table of rows, the inbox. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/backoff.h"
#include "pipeline/inbox.h"
#include "pipeline/row_table.h"

/* --- back-off --- */

static void test_backoff_grows_and_stays_within_bounds(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 1);
    for (unsigned attempt = 1; attempt < 40; attempt++) {
        int64_t most_ms = attempt < 8 ? 50 << (attempt - 1) : 5000;
        if (most_ms > 5000) most_ms = 5000;
        int64_t least_seen = INT64_MAX, most_seen = 0;
        for (int i = 0; i < 200; i++) {
            int64_t wait_ms = backoff_ms(50, 5000, attempt, &random.base);
            if (wait_ms < least_seen) least_seen = wait_ms;
            if (wait_ms > most_seen) most_seen = wait_ms;
        }
        assert_in_range(least_seen, most_ms / 2, most_ms / 2 + most_ms / 8);
        assert_in_range(most_seen, most_ms - most_ms / 8, most_ms);
    }
}

static void test_backoff_is_never_zero(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 1);
    for (int i = 0; i < 100; i++) {
        assert_in_range(backoff_ms(1, 1, 1, &random.base), 1, 1);
        assert_in_range(backoff_ms(2, 2, UINT32_MAX, &random.base), 1, 2);
    }
}

/* --- rows --- */

static void test_rows_are_found_by_order_and_version(void **state) {
    struct row_table table;
    struct random_seeded random;
    struct uuid ids[100];
    struct history_row rows[300];
    bool is_new;
    random_seeded_init(&random, 2);
    assert_int_equal(row_table_init(&table, 300), STATUS_OK);
    for (int round = 0; round < 3; round++) { /* the table is used again */
        row_table_clear(&table);
        for (size_t i = 0; i < 100; i++) {
            ids[i] = uuid_make_v4(&random.base);
            for (uint32_t version = 1; version <= 3; version++) {
                struct row_slot *slot = row_table_add(&table, &ids[i], version, ROW_WANTED, &is_new);
                assert_true(is_new);
                slot->row = &rows[i * 3 + version - 1];
                if (version != 2) slot->state = ROW_KNOWN;
            }
        }
        for (size_t i = 0; i < 100; i++) {
            assert_ptr_equal(row_table_row(&table, &ids[i], 1), &rows[i * 3]);
            assert_null(row_table_row(&table, &ids[i], 2)); /* wanted, not known */
            assert_ptr_equal(row_table_row(&table, &ids[i], 3), &rows[i * 3 + 2]);
            assert_null(row_table_find(&table, &ids[i], 4));
        }
        assert_ptr_equal(row_table_add(&table, &ids[0], 1, ROW_PENDING, &is_new), row_table_find(&table, &ids[0], 1));
        assert_false(is_new);
        assert_null(row_table_add(&table, &ids[0], 4, ROW_WANTED, &is_new)); /* full */
    }
    row_table_clear(&table);
    assert_null(row_table_find(&table, &ids[0], 1));
    row_table_free(&table);
}

/* --- the inbox --- */

struct letter {
    struct message message;
    int received, orphaned;
};

static void letter_received(struct message *message) {
    CONTAINER_OF(message, struct letter, message)->received++;
}
static void letter_orphaned(struct message *message) {
    CONTAINER_OF(message, struct letter, message)->orphaned++;
}

static void *deliver(void *argument) {
    struct inbox *inbox = ((void **)argument)[0];
    inbox_deliver(inbox, &((struct letter *)((void **)argument)[1])->message);
    return NULL;
}

static void test_inbox_hands_over_and_wakes(void **state) {
    struct inbox *inbox = inbox_new();
    struct letter letter = {{.received = letter_received, .orphaned = letter_orphaned}, 0, 0};
    void *arguments[] = {inbox, &letter};
    pthread_t thread;
    inbox_own(inbox, NULL);
    assert_int_equal(pthread_create(&thread, NULL, deliver, arguments), 0);
    inbox_wait(inbox, 30000); /* returns at once when it is delivered */
    struct queue taken = inbox_take(inbox);
    assert_int_equal(taken.count, 1);
    assert_ptr_equal(taken.head, &letter.message.link);
    pthread_join(thread, NULL);
    inbox_ring(inbox);
    inbox_wait(inbox, 30000); /* the bell is remembered */
    inbox_wait(inbox, 1);     /* and rings once */
    assert_int_equal(inbox_take(inbox).count, 0);
    inbox_release(inbox);
}

static void test_inbox_orphans_what_comes_late(void **state) {
    struct inbox *inbox = inbox_new();
    struct letter early = {{.received = letter_received, .orphaned = letter_orphaned}, 0, 0}, late = early;
    inbox_own(inbox, NULL);
    inbox_deliver(inbox, &early.message);
    assert_int_equal(inbox_close(inbox).count, 1);
    assert_int_equal(early.orphaned, 0);
    inbox_hold(inbox); /* what is under way outlives the pipeline */
    inbox_release(inbox);
    inbox_deliver(inbox, &late.message);
    assert_int_equal(late.orphaned, 1);
    inbox_release(inbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_grows_and_stays_within_bounds), cmocka_unit_test(test_backoff_is_never_zero),
        cmocka_unit_test(test_rows_are_found_by_order_and_version),   cmocka_unit_test(test_inbox_hands_over_and_wakes),
        cmocka_unit_test(test_inbox_orphans_what_comes_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
