/* Values: every type makes the way to Cassandra and back, and what does not fit is refused before it is sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cql/fixture.h"

enum { BIG_SIZE = 1 << 20, TOO_BIG_SIZE = 17 << 20 /* Cassandra's largest frame has 16 MiB by default */ };

static const uint8_t ID[16] = {0x01, 0x8f, 0, 0xff, 4, 5, 0x70, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};
static const char ACCENTS[] = "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x9a\x80";

static int open_values(void **state) {
    if (fixture_open(state) != 0) return -1;
    must_run(*state, "CREATE TABLE @.samples (k int PRIMARY KEY, bo boolean, i int, b bigint, ts timestamp, u uuid, "
                     "tu timeuuid, t text, a ascii, bl blob, l list<text>)");
    return 0;
}

static struct cql_statement *insert(struct fixture *fixture) {
    return must_prepare(fixture, "INSERT INTO @.samples (k, bo, i, b, ts, u, t, a, bl) VALUES (?,?,?,?,?,?,?,?,?)");
}

static struct cql_result *read_back(struct fixture *fixture, int key) {
    struct cql_statement *statement =
        must_prepare(fixture, "SELECT bo, i, b, ts, u, t, a, bl FROM @.samples WHERE k = ?");
    assert_int_equal(cql_statement_parameters(statement), 1);
    const struct cql_value *values = &INT(key);
    struct cql_execute request = request_of(&statement, &values);
    struct cql_completion completion = execute(fixture->session, &request);
    cql_statement_free(statement);
    assert_code(completion.code, CQL_OK, cql_result_error(completion.result));
    assert_int_equal(completion.retry, CQL_RETRY_NO);
    assert_int_equal(cql_result_rows(completion.result), 1);
    assert_int_equal(cql_result_columns(completion.result), 8);
    return completion.result;
}

static void assert_cell(const struct cql_result *result, size_t column, const void *data, size_t size) {
    size_t cell_size = 99;
    const void *cell = cql_result_cell(result, 0, column, &cell_size);
    assert_non_null(cell);
    assert_int_equal(cell_size, size);
    if (size) assert_memory_equal(cell, data, size);
}

static void types_and_limits(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = insert(fixture);
    uint8_t *big = malloc(BIG_SIZE);
    assert_non_null(big);
    for (size_t i = 0; i < BIG_SIZE; i++)
        big[i] = (uint8_t)(i * 7);
    static const struct {
        bool flag;
        int64_t number, big;
    } samples[] = {{true, INT32_MAX, INT64_MAX}, {false, INT32_MIN, INT64_MIN}, {true, -1, -1}, {false, 0, 0}};

    for (int key = 0; key < 4; key++) {
        size_t size = key == 0 ? BIG_SIZE : (size_t)key;
        struct cql_value values[] = {INT(key),
                                     BOOLEAN(samples[key].flag),
                                     INT(samples[key].number),
                                     BIGINT(samples[key].big),
                                     TIMESTAMP(1700000000123 * (key % 2 ? -1 : 1)),
                                     UUID(ID),
                                     TEXT(ACCENTS, strlen(ACCENTS)),
                                     TEXT("plain", 5),
                                     BLOB(big, size)};
        must_execute(fixture->session, statement, values);
        struct cql_result *result = read_back(fixture, key);
        assert_cell(result, 0, samples[key].flag ? "\1" : "\0", 1);
        assert_int_equal(cql_int(cql_result_cell(result, 0, 1, NULL)), samples[key].number);
        assert_true(cql_bigint(cql_result_cell(result, 0, 2, NULL)) == samples[key].big);
        assert_true(cql_bigint(cql_result_cell(result, 0, 3, NULL)) == values[4].integer);
        assert_cell(result, 4, ID, 16);
        assert_cell(result, 5, ACCENTS, strlen(ACCENTS));
        assert_cell(result, 6, "plain", 5);
        assert_cell(result, 7, big, size);
        cql_result_free(result);
    }
    free(big);
    cql_statement_free(statement);
}

static void null_and_empty_differ(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = insert(fixture);
    struct cql_value nulls[9] = {INT(10), NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE};
    must_execute(fixture->session, statement, nulls);
    struct cql_result *result = read_back(fixture, 10);
    for (size_t column = 0; column < 8; column++) {
        size_t size = 99;
        assert_null(cql_result_cell(result, 0, column, &size));
        assert_int_equal(size, 0);
    }
    assert_null(cql_result_cell(result, 1, 0, NULL)); /* beyond the last row, and column */
    assert_null(cql_result_cell(result, 0, 8, NULL));
    assert_null(cql_result_cell(result, SIZE_MAX, SIZE_MAX, NULL));
    assert_null(cql_result_page_state(result, NULL));
    assert_string_equal(cql_result_error(result), "");
    cql_result_free(result);

    struct cql_value empty[9] = {INT(11), NONE, NONE, NONE, NONE, NONE, TEXT(NULL, 0), TEXT("", 0), BLOB(NULL, 0)};
    must_execute(fixture->session, statement, empty);
    result = read_back(fixture, 11);
    for (size_t column = 5; column < 8; column++)
        assert_cell(result, column, "", 0);
    cql_result_free(result);
    cql_statement_free(statement);
}

static void what_does_not_fit_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *column;
        struct cql_value value;
        const char *text;
    } cases[] = {
        {"i", {.type = CQL_INT, .integer = INT32_MAX + 1LL}, "2147483648"},
        {"i", {.type = CQL_INT, .integer = INT32_MIN - 1LL}, "-2147483649"},
        {"i", {.type = CQL_BIGINT}, "does not fit"},
        {"b", {.type = CQL_INT}, "does not fit"},
        {"b", {.type = CQL_TIMESTAMP}, "does not fit"},
        {"ts", {.type = CQL_BIGINT}, "does not fit"},
        {"bo", {.type = CQL_INT}, "does not fit"},
        {"u", {.type = CQL_TEXT, .data = "x", .size = 1}, "does not fit"},
        {"u", {.type = CQL_UUID, .data = NULL}, "NULL"},
        {"t", {.type = CQL_BLOB, .data = "x", .size = 1}, "does not fit"},
        {"bl", {.type = CQL_TEXT, .data = "x", .size = 1}, "does not fit"},
        {"t", {.type = CQL_TEXT, .data = NULL, .size = 1}, "NULL"},
        {"t", {.type = CQL_TEXT, .data = "a\xff", .size = 2}, "UTF-8"},
        {"a", {.type = CQL_TEXT, .data = "\xed\xa0\x80", .size = 3}, "UTF-8"}, /* half of a surrogate pair */
        {"t", {.type = (enum cql_type)99}, "does not fit"},
        {"l", {.type = CQL_TEXT, .data = "x", .size = 1}, "not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char cql[128], error[CQL_ERROR_SIZE] = "";
        snprintf(cql, sizeof cql, "UPDATE @.samples SET %s = ? WHERE k = ?", cases[i].column);
        struct cql_statement *statement = must_prepare(fixture, cql);
        struct cql_value values[] = {cases[i].value, INT(1)};
        const struct cql_value *list = values;
        struct cql_execute request = request_of(&statement, &list);
        assert_code(cql_submit(fixture->session, &request, error), CQL_BAD_ARGUMENT, error);
        if (!strstr(error, cases[i].text) || !strstr(error, "parameter 1")) fail_msg("case %zu: %s", i, error);
        cql_statement_free(statement);
    }
    struct cql_completion none;
    assert_int_equal(cql_take(fixture->session, &none, 1), 0);
}

static void too_big_for_the_server_is_told(void **state) {
    struct fixture *fixture = *state;
    struct cql_statement *statement = must_prepare(fixture, "UPDATE @.samples SET bl = ? WHERE k = ?");
    void *data = calloc(1, TOO_BIG_SIZE);
    assert_non_null(data);
    struct cql_value values[] = {BLOB(data, TOO_BIG_SIZE), INT(20)};
    const struct cql_value *list = values;
    struct cql_execute request = request_of(&statement, &list);
    struct cql_completion completion = execute(fixture->session, &request);
    assert_code(completion.code, CQL_INVALID, cql_result_error(completion.result));
    assert_int_equal(completion.retry, CQL_RETRY_NO);
    assert_non_null(strstr(cql_result_error(completion.result), "too big"));
    cql_result_free(completion.result);
    must_run(fixture, "SELECT key FROM system.local"); /* the connection lives on */
    free(data);
    cql_statement_free(statement);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_limits),
        cmocka_unit_test(null_and_empty_differ),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(too_big_for_the_server_is_told),
    };
    return cmocka_run_group_tests(tests, open_values, fixture_close);
}
