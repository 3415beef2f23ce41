/* .env files: quotes, comments, escapes, and errors with the right line. */
#include "config_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the parser found, as "NAME=value@line|". */
struct found {
    char text[1024];
};

static void collect(void *data, const char *name, const char *value, unsigned line) {
    struct found *found = data;
    size_t size = strlen(found->text);
    snprintf(found->text + size, sizeof found->text - size, "%s=%s@%u|", name, value, line);
}

/* Parses a copy that ends exactly where its memory ends. */
static bool parse(const char *text, size_t size, struct found *found, unsigned *line_out, const char **reason_out) {
    char *copy = malloc(size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    found->text[0] = '\0';
    bool parsed = dotenv_parse(copy, size, collect, found, line_out, reason_out);
    free(copy);
    return parsed;
}

static void good_lines(void **state) {
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"", ""},
        {"\n\n  \n", ""},
        {"# only a comment", ""},
        {"A=1", "A=1@1|"},
        {"A=1\nB=2\n", "A=1@1|B=2@2|"},
        {"A=1\r\nB=2\r\n", "A=1@1|B=2@2|"},
        {"\xef\xbb\xbf"
         "A=1",
         "A=1@1|"},
        {"A=", "A=@1|"},
        {"A=\n\nB=", "A=@1|B=@3|"},
        {"  A = 1  \n", "A=1@1|"},
        {"export A=1\nexport\tB=2\nexport=3", "A=1@1|B=2@2|export=3@3|"},
        {"A=a b  # comment\n", "A=a b@1|"},
        {"A=a#b\n", "A=a#b@1|"},
        {"A=#b\n", "A=@1|"},
        {"A= # b\n", "A=@1|"},
        {"A=[\"localhost\"]\n", "A=[\"localhost\"]@1|"},
        {"A=x=y\n", "A=x=y@1|"},
        {"A='a # \\n $X \"b\"' # comment\nB=1", "A=a # \\n $X \"b\"@1|B=1@2|"},
        {"A=\"a\\n\\t\\\"\\\\\\$ \\q 'b'\"\n", "A=a\n\t\"\\$ \\q 'b'@1|"},
        {"A=\"\"\nB=''", "A=@1|B=@2|"},
        {"A=\"one\ntwo\"\nB=1", "A=one\ntwo@1|B=1@3|"},
        {"# a\nA=1\n# b\n\nB=2", "A=1@2|B=2@5|"},
        {"_a9=1", "_a9=1@1|"},
        {"A=a'b", "A=a'b@1|"},
        {"A=1\nA=2\n", "A=1@1|A=2@2|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct found found;
        unsigned line;
        const char *reason = "?";
        if (!parse(rows[i].text, strlen(rows[i].text), &found, &line, &reason))
            fail_msg("%s: line %u: %s", rows[i].text, line, reason);
        assert_string_equal(found.text, rows[i].found);
    }
}

static void bad_lines(void **state) {
    static const struct {
        const char *text;
        unsigned line;
        const char *reason;
    } rows[] = {
        {"A=1\nB\n", 2, "expected = after the name"},
        {"A: 1", 1, "expected = after the name"},
        {"\n\n=1", 3, "expected NAME=value"},
        {"9A=1", 1, "expected NAME=value"},
        {"A-B=1", 1, "expected = after the name"},
        {"A=\"x\nB=2\nC=3", 1, "the closing quote is missing"},
        {"X=1\nA='x", 2, "the closing quote is missing"},
        {"A=\"x\\", 1, "the closing quote is missing"},
        {"A=\"x\\\"", 1, "the closing quote is missing"},
        {"A=\"x\ny\"z", 2, "expected nothing after the closing quote"},
        {"A='x'y", 1, "expected nothing after the closing quote"},
        {"export", 1, "expected = after the name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct found found;
        unsigned line = 0;
        const char *reason = NULL;
        assert_false(parse(rows[i].text, strlen(rows[i].text), &found, &line, &reason));
        assert_int_equal(line, rows[i].line);
        assert_string_equal(reason, rows[i].reason);
    }
    struct found found;
    unsigned line;
    const char *reason;
    assert_false(parse("A=1\0B", 5, &found, &line, &reason));
    assert_string_equal(reason, "the file holds a NUL byte");
}

/* Any bytes end without a read or write outside the text: the sanitizers watch. */
static void noise(void **state) {
    static const char alphabet[] = "A=\"'\\\n\r #ex port\t9$";
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t size = (size_t)(round % 24);
        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[(seed = seed * 1103515245 + 12345) / 65536 % (sizeof alphabet - 1)];
        struct found found;
        unsigned line = 0;
        const char *reason;
        if (!parse(text, size, &found, &line, &reason)) assert_in_range(line, 1, 24);
    }
}

static void the_file_may_be_absent_or_a_directory(void **state) {
    struct load l = load(NULL, NULL, NULL);
    assert_int_equal(l.status, STATUS_OK);
    load_end(&l);
    assert_int_equal(mkdir(dotenv_path, 0700), 0);
    struct config *config;
    char **rest;
    char *environment[] = {"HOME=/h", NULL};
    struct error error;
    assert_int_equal(config_load(0, NULL, environment, dotenv_path, &config, &rest, &error), STATUS_OK);
    config_free(config);
    free(rest);
    rmdir(dotenv_path);
}

static void errors_of_the_file_stop_the_start(void **state) {
    char expected[256];
    struct load l = load(NULL, NULL, "REDIS_HOST=x\n\noops\n");
    assert_int_equal(l.status, STATUS_INVALID);
    snprintf(expected, sizeof expected, "%s line 3: expected = after the name", dotenv_path);
    assert_string_equal(l.error.text, expected);

    static char large[70000];
    memset(large, '\n', sizeof large - 1);
    l = load(NULL, NULL, large);
    assert_int_equal(l.status, STATUS_INVALID);
    assert_non_null(strstr(l.error.text, ".env: larger than 65536 bytes"));
    large[65536] = '\0';
    l = load(NULL, NULL, large);
    assert_int_equal(l.status, STATUS_OK);
    load_end(&l);
}

static void the_last_of_a_name_counts(void **state) {
    struct load l = load(NULL, NULL, "ORDERLY_PARTITIONS=2\nexport ORDERLY_PARTITIONS=\"3\"\n");
    assert_int_equal(l.status, STATUS_OK);
    assert_int_equal(config_integer(l.config, SETTING_PARTITIONS), 3);
    load_end(&l);
}

int run_dotenv_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(noise),
        cmocka_unit_test(the_file_may_be_absent_or_a_directory),
        cmocka_unit_test(errors_of_the_file_stop_the_start),
        cmocka_unit_test(the_last_of_a_name_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
