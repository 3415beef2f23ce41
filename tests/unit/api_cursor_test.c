/* The list's cursors: they come back as they went out, and anything else is told apart and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/list.h"

static struct list_query sample_query(void) {
    return (struct list_query){.limit = 50,
                               .customer_name = BYTES("Ada"),
                               .has_status = true,
                               .status = ORDER_PAID,
                               .created_after_ms = 5,
                               .created_before_ms = 500};
}

static struct list_position sample_position(void) {
    const struct uuid order_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    struct list_position position = list_position_first();
    position.pending_below = pending_position(77, &order_id);
    position.store.size = ORDER_STORE_CURSOR_MAX;
    memset(position.store.bytes, 0xab, position.store.size);
    return position;
}

static void comes_back_as_it_went_out(void **state) {
    struct list_query query = sample_query();
    struct list_position position = sample_position(), back;
    char text[LIST_CURSOR_TEXT_MAX];
    for (size_t size = 0; size <= ORDER_STORE_CURSOR_MAX; size++) {
        position.store.size = size;
        list_cursor_write(&query, &position, text);
        assert_int_equal(list_cursor_read(&query, bytes_of(text), &back), STATUS_OK);
        assert_int_equal(back.store.size, size);
        if (size > 0) assert_memory_equal(back.store.bytes, position.store.bytes, size);
        assert_int_equal(pending_key_compare(&back.bound, &position.bound), 0);
        assert_int_equal(pending_key_compare(&back.pending_below, &position.pending_below), 0);
    }
}

static void every_filter_makes_it_foreign_but_the_limit_does_not(void **state) {
    const struct list_query query = sample_query();
    const struct list_position position = sample_position();
    struct list_position back;
    char text[LIST_CURSOR_TEXT_MAX];
    list_cursor_write(&query, &position, text);
    struct list_query other = query;
    other.limit = 7;
    assert_int_equal(list_cursor_read(&other, bytes_of(text), &back), STATUS_OK);
    struct list_query others[7] = {query, query, query, query, query, query, query};
    others[0].customer_name = BYTES("Eve");
    others[1].customer_name = (struct bytes){NULL, 0};
    others[2].has_status = false;
    others[3].status = ORDER_SHIPPED;
    others[4].created_after_ms = 6;
    others[5].created_before_ms = 501;
    others[6].customer_name = BYTES("");
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(list_cursor_read(&others[i], bytes_of(text), &back), STATUS_CONFLICT);
}

/* Every single changed character, and every cut, is refused: no store ever sees a made-up cursor. */
static void a_changed_one_is_refused(void **state) {
    const struct list_query query = sample_query();
    const struct list_position position = sample_position();
    struct list_position back;
    char text[LIST_CURSOR_TEXT_MAX];
    list_cursor_write(&query, &position, text);
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(list_cursor_read(&query, bytes_of(text), &back), STATUS_OK);
        text[i] = kept;
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(list_cursor_read(&query, (struct bytes){text, cut}, &back), STATUS_INVALID);
    assert_int_equal(list_cursor_read(&query, BYTES("not a cursor!"), &back), STATUS_INVALID);
    char longer[LIST_CURSOR_TEXT_MAX + 8];
    memset(longer, 'A', sizeof longer);
    assert_int_equal(list_cursor_read(&query, (struct bytes){longer, sizeof longer}, &back), STATUS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_went_out),
        cmocka_unit_test(every_filter_makes_it_foreign_but_the_limit_does_not),
        cmocka_unit_test(a_changed_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
