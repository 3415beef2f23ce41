/* The lab's parameters: every bad value is named, all at once; what is written reads back; the profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "hotkey/parameters.h"

#define FLAGS_MAX 80

static struct arena arena;
static struct lab_parameters parameters;
static struct lab_problems problems;

static int set_up(void **state) {
    arena_init(&arena, 65536, JSON_ARENA_SIZE);
    return 0;
}
static int tear_down(void **state) {
    arena_free(&arena);
    return 0;
}

static const struct json_value *json(const char *text) {
    struct json_value *value;
    struct bytes kept = arena_copy(&arena, bytes_of(text));
    assert_int_equal(json_read(kept, &arena, &value, NULL), STATUS_OK);
    return value;
}

static enum status read_text(const char *text) {
    return lab_parameters_read(json(text), &parameters, &problems);
}

/* Splits at spaces, as a shell does. */
static enum status read_flags(const char *text) {
    char copy[4096], *flags[FLAGS_MAX], *rest = copy;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *flag; (flag = strsep(&rest, " "));)
        if (*flag) flags[count++] = flag;
    flags[count] = NULL;
    return lab_parameters_read_flags(flags, &parameters, &problems);
}

static const struct lab_problem *problem_of(const char *name) {
    for (size_t i = 0; i < problems.count; i++)
        if (strcmp(problems.items[i].name, name) == 0) return &problems.items[i];
    return NULL;
}

static void assert_problem(const char *name, const char *part) {
    const struct lab_problem *problem = problem_of(name);
    if (!problem) fail_msg("no problem with %s", name);
    if (!strstr(problem->detail, part)) fail_msg("%s: \"%s\" has no \"%s\"", name, problem->detail, part);
}

static void assert_only_problem(const char *name, const char *part) {
    assert_problem(name, part);
    assert_int_equal(problems.count, 1);
}

/* --- the table --- */

static void the_table_is_whole(void **state) {
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    assert_true(count >= 26);
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].name) > 0 && strlen(rows[i].help) > 20);
        assert_true(rows[i].unit != NULL);
        assert_true(rows[i].choices ? rows[i].type >= LAB_CHOICE : rows[i].minimum < rows[i].maximum);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(rows[i].name, rows[k].name);
            assert_true(rows[i].offset != rows[k].offset);
        }
        taken += rows[i].type == LAB_TEXT ? sizeof parameters.profile : 8;
    }
    assert_int_equal(taken, sizeof parameters); /* no member is without a row */
}

static void the_defaults_are_the_simple_ones(void **state) {
    assert_int_equal(lab_parameters_read(NULL, &parameters, &problems), STATUS_OK);
    assert_string_equal(parameters.profile, "default");
    const struct lab_class_parameters *hot = &parameters.classes[LAB_HOT], *normal = &parameters.classes[LAB_NORMAL];
    assert_true(hot->clients == 50 && hot->rate == 100 && hot->arrival == LAB_UNIFORM && hot->read_ratio == 0.9);
    assert_true(normal->clients == 10 && normal->rate == 10 && normal->read_ratio == 0.95);
    assert_true(parameters.keys == 10 && parameters.hot_keys == 1 && parameters.hot_share == 1);
    struct lab_parameters read = parameters;
    assert_int_equal(read_text("{}"), STATUS_OK);
    assert_memory_equal(&read, &parameters, sizeof read);
    assert_int_equal(read_text("{\"hot_clients\":50,\"normal_clients\":10}"), STATUS_OK);
    assert_memory_equal(&read, &parameters, sizeof read);
}

/* --- single values --- */

/* Reads {name: value} and asserts that exactly this is refused, by JSON and by flag, and nothing is written. */
static void assert_refused(const char *name, const char *value, const char *part) {
    char text[256], flag[64];
    struct lab_parameters before;
    memset(&parameters, 0x5a, sizeof parameters);
    before = parameters;
    snprintf(text, sizeof text, "{\"%s\":%s}", name, value);
    assert_int_equal(read_text(text), STATUS_INVALID);
    assert_only_problem(name, part);
    assert_memory_equal(&before, &parameters, sizeof before);

    if (strpbrk(value, "\"[{") || strcmp(value, "null") == 0) return;
    snprintf(flag, sizeof flag, "--%s", name);
    for (char *at = flag; *at; at++)
        if (*at == '_') *at = '-';
    snprintf(text, sizeof text, "%s %s", flag, value);
    assert_int_equal(read_flags(text), STATUS_INVALID);
    assert_only_problem(flag, part);
    assert_memory_equal(&before, &parameters, sizeof before);
}

static void every_bad_value_is_named(void **state) {
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    for (size_t i = 0; i < count; i++) {
        static const char *const never[] = {"null", "true", "\"\"", "\"1\"", "[1]", "{\"a\":1}", "-1", "1e300"};
        for (size_t k = 0; k < sizeof never / sizeof *never; k++)
            assert_refused(rows[i].name, never[k], "must be");
        char value[64];
        if (rows[i].choices) {
            assert_refused(rows[i].name, "0", rows[i].choices[0]);
            assert_refused(rows[i].name, "\"Uniform\"", rows[i].choices[1]);
            continue;
        }
        snprintf(value, sizeof value, "%.17g", nextafter(rows[i].maximum, INFINITY));
        if (rows[i].type == LAB_INTEGER) snprintf(value, sizeof value, "%.0f", rows[i].maximum + 1);
        assert_refused(rows[i].name, value, "from");
        snprintf(value, sizeof value, "%.17g",
                 rows[i].type == LAB_INTEGER ? rows[i].minimum - 1 : nextafter(rows[i].minimum, -INFINITY));
        assert_refused(rows[i].name, value, "from");
        if (rows[i].type == LAB_INTEGER) assert_refused(rows[i].name, "1.5", "whole number");
    }
}

static void the_ends_of_the_ranges_are_allowed(void **state) {
    assert_int_equal(read_text("{\"seed\":9007199254740991,\"keys\":1000000,\"hot_keys\":1000000,\"value_bytes\":1,"
                               "\"hot_clients\":0,\"hot_rate\":0,\"normal_clients\":10000,\"normal_rate\":500,"
                               "\"hot_share\":0,\"zipf_s\":10,\"duration_s\":86400,\"pipeline\":256,\"threads\":16,"
                               "\"connections\":1000,\"ttl_jitter\":1,\"fault_freeze_ms\":60000}"),
                     STATUS_OK);
    assert_int_equal(parameters.seed, JSON_INTEGER_MAX);
    assert_int_equal(read_text("{\"seed\":0,\"hot_clients\":1.0,\"hot_rate\":1e0,\"duration_s\":0.1}"), STATUS_OK);
    assert_int_equal(parameters.classes[LAB_HOT].clients, 1);
    assert_int_equal(read_text("{\"hot_share\":-1e-400}"), STATUS_OK); /* rounds to -0 */
    assert_false(signbit(parameters.hot_share));
}

static void all_that_is_wrong_is_said_at_once(void **state) {
    assert_int_equal(read_text("{\"hot_clients\":-1,\"colour\":1,\"keys\":\"ten\",\"hot_arrival\":\"often\","
                               "\"profile\":\"none\",\"seed\":0.5,\"hot_keys\":11,\"connections\":1,\"threads\":2}"),
                     STATUS_INVALID);
    assert_problem("hot_clients", "a whole number from 0 to 10000");
    assert_problem("colour", "is not a parameter");
    assert_problem("keys", "a whole number from 1 to 1000000");
    assert_problem("hot_arrival", "must be one of poisson, uniform, burst, closed");
    assert_problem("profile", "default, celebrity, flash_sale, cache_stampede, moving_hotspot, zipf");
    assert_problem("seed", "a whole number from 0 to 9007199254740991");
    assert_problem("connections", "at least threads");
    assert_int_equal(problems.count, 7); /* nothing of hot_keys: the keys that it must fit are not known */
}

static void problems_are_bounded(void **state) {
    char text[2048], *at = text;
    *at++ = '{';
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "%s\"unknown%d\":1", i > 0 ? "," : "", i);
    strcpy(at, "}");
    assert_int_equal(read_text(text), STATUS_INVALID);
    assert_int_equal(problems.count, LAB_PROBLEMS_MAX);
}

static void unknown_names_are_shown_safely(void **state) {
    assert_int_equal(read_text("{\"hot_client\":1}"), STATUS_INVALID);
    assert_only_problem("hot_client", "hot_clients is one");
    assert_int_equal(read_text("{\"sede\":1}"), STATUS_INVALID);
    assert_only_problem("sede", "seed is one");
    assert_int_equal(read_text("{\"\":1}"), STATUS_INVALID);
    assert_only_problem("", "is not a parameter");
    assert_int_equal(read_text("{\"a name that goes on for more than thirty-one bytes\":1}"), STATUS_INVALID);
    assert_only_problem("a?name?that?goes?on?for?more?th", "is not a parameter");
    assert_int_equal(read_text("{\"\\u00e4\\n\":1}"), STATUS_INVALID);
    assert_only_problem("???", "is not a parameter");
    assert_int_equal(read_text("[1]"), STATUS_INVALID);
    assert_only_problem("", "must be a JSON object");
}

/* --- parameters that must fit each other --- */

static void parameters_must_fit_each_other(void **state) {
    static const struct {
        const char *text, *name, *part;
    } cases[] = {
        {"{\"hot_keys\":11}", "hot_keys", "at most keys"},
        {"{\"keys\":2,\"hot_keys\":3}", "hot_keys", "at most keys"},
        {"{\"hot_clients\":0,\"normal_clients\":0}", "hot_clients", "at least 1"},
        {"{\"hot_clients\":10000,\"hot_rate\":500}", "hot_rate", "5000000"},
        {"{\"normal_clients\":10000,\"normal_rate\":500}", "normal_rate", "5000000"},
        {"{\"hot_rate\":0}", "hot_rate", "closed"},
        {"{\"normal_rate\":0}", "normal_rate", "closed"},
        {"{\"hot_rate\":0.0009}", "hot_rate", "0.001"},
        {"{\"hot_arrival\":\"closed\",\"hot_rate\":1e-300}", "hot_rate", "0.001"},
        {"{\"hot_clients\":1,\"hot_rate\":1e6,\"duration_s\":4001}", "duration_s", "4000000000"},
        {"{\"hot_shift_s\":0.05}", "hot_shift_s", "0 or at least 0.1"},
        {"{\"ttl_s\":1e-9}", "ttl_s", "0 or at least 0.001"},
        {"{\"keys\":20000,\"value_bytes\":65536}", "value_bytes", "1 GiB"},
        {"{\"threads\":4,\"connections\":3}", "connections", "at least threads"},
        {"{\"fault_freeze_ms\":1001,\"duration_s\":2}", "fault_freeze_ms", "half"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_text(cases[i].text), STATUS_INVALID);
        assert_only_problem(cases[i].name, cases[i].part);
    }
    static const char *const fine[] = {
        "{\"hot_keys\":10}",
        "{\"hot_clients\":1,\"normal_clients\":0,\"normal_rate\":0}",
        "{\"hot_clients\":10000,\"hot_rate\":499.99,\"normal_clients\":10}",
        "{\"hot_arrival\":\"closed\",\"hot_rate\":0,\"hot_clients\":10000}",
        "{\"hot_clients\":10000,\"hot_rate\":1000000,\"hot_arrival\":\"closed\"}",
        "{\"keys\":16384,\"value_bytes\":65536}",
        "{\"hot_shift_s\":0.1,\"ttl_s\":0.001}",
        "{\"threads\":4,\"connections\":4}",
        "{\"fault_freeze_ms\":1000,\"duration_s\":2}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_int_equal(read_text(fine[i]), STATUS_OK);
}

/* --- flags --- */

static void flags_are_read_in_both_forms(void **state) {
    assert_int_equal(read_flags("--hot-clients 7 --profile=zipf --hot-rate=2.5 --hot-arrival burst"), STATUS_OK);
    assert_string_equal(parameters.profile, "zipf");
    assert_int_equal(parameters.keys, 100000); /* the profile's, though it is named second */
    assert_int_equal(parameters.classes[LAB_HOT].clients, 7);
    assert_true(parameters.classes[LAB_HOT].rate == 2.5);
    assert_int_equal(parameters.classes[LAB_HOT].arrival, LAB_BURST);
    assert_int_equal(read_flags(""), STATUS_OK);
    assert_string_equal(parameters.profile, "default");
}

static void bad_flags_are_named(void **state) {
    static const struct {
        const char *text, *name, *part;
    } cases[] = {
        {"--seed", "--seed", "needs a value"},
        {"--seed --keys 5", "--seed", "needs a value"},
        {"--keys 5 --keys 6", "--keys", "twice"},
        {"keys 5", "keys", "not a flag"},
        {"-k", "-k", "not a flag"},
        {"--", "--", "not a flag"},
        {"--colour red", "--colour", "not a parameter"},
        {"--hot-keyz=1", "--hot-keyz", "hot_keys is one"},
        {"--profile shop", "--profile", "celebrity"},
        {"--seed 0x10", "--seed", "whole number"},
        {"--seed 1e", "--seed", "whole number"},
        {"--seed= --keys 5", "--seed", "whole number"},
        {"--seed nan", "--seed", "whole number"},
        {"--hot-rate inf", "--hot-rate", "number from 0"},
        {"--hot-rate 1.2.3", "--hot-rate", "number from 0"},
        {"--hot-keys 11", "--hot-keys", "at most keys"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_flags(cases[i].text), STATUS_INVALID);
        assert_problem(cases[i].name, cases[i].part);
    }
    assert_int_equal(read_flags("--seed -3 --colour=red --hot-keys 20 --zipf-s x"), STATUS_INVALID);
    assert_int_equal(problems.count, 4);
}

/* --- profiles --- */

static void profiles_are_whole_and_fit(void **state) {
    static const char *const names[] = {"default",        "celebrity",      "flash_sale",
                                        "cache_stampede", "moving_hotspot", "zipf"};
    size_t count;
    const struct lab_profile *profiles = lab_profile_table(&count);
    assert_int_equal(count, sizeof names / sizeof *names);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        struct lab_parameters defaults;
        assert_string_equal(profiles[i].name, names[i]);
        assert_true(strlen(profiles[i].title) > 5 && strlen(profiles[i].text) > 200);
        assert_int_equal(lab_parameters_default(names[i], &defaults), STATUS_OK);
        assert_string_equal(defaults.profile, names[i]);
        snprintf(text, sizeof text, "{\"profile\":\"%s\"}", names[i]);
        assert_int_equal(read_text(text), STATUS_OK);
        assert_memory_equal(&defaults, &parameters, sizeof defaults);
        for (const struct json_value *member = json(profiles[i].overrides)->first; member; member = member->next)
            assert_int_equal(member->kind == JSON_NUMBER || member->kind == JSON_STRING, 1);
    }
    memset(&parameters, 0x5a, sizeof parameters);
    struct lab_parameters before = parameters;
    assert_int_equal(lab_parameters_default("shop", &parameters), STATUS_NOT_FOUND);
    assert_memory_equal(&before, &parameters, sizeof before);
}

static void what_is_given_counts_more_than_the_profile(void **state) {
    assert_int_equal(read_text("{\"hot_clients\":3,\"profile\":\"celebrity\"}"), STATUS_OK);
    assert_int_equal(parameters.classes[LAB_HOT].clients, 3);
    assert_int_equal(parameters.value_bytes, 4096);
}

/* --- writing --- */

/* Any values that the table allows; whether they fit each other is not asked: those that do not are drawn again. */
static void draw(struct random_seeded *random, struct buffer *out) {
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    struct json_writer writer;
    buffer_reset(out);
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = random_seeded_next(random);
        double u = (double)(number >> 11) * 0x1p-53;
        if (number % 3 == 0) continue; /* the profile's */
        size_t choices = 0;
        while (rows[i].choices && rows[i].choices[choices])
            choices++;
        json_key(&writer, rows[i].name);
        if (choices > 0)
            json_text(&writer, rows[i].choices[number / 3 % choices]);
        else if (rows[i].type == LAB_INTEGER)
            json_integer(&writer, (int64_t)(rows[i].minimum + pow(u, 8) * (rows[i].maximum - rows[i].minimum)));
        else
            json_double(&writer, rows[i].minimum + pow(u, 8) * (rows[i].maximum - rows[i].minimum));
    }
    json_end_object(&writer);
    buffer_put_char(out, '\0');
}

static void what_is_written_reads_back(void **state) {
    struct random_seeded random;
    struct buffer text, flags;
    struct json_writer writer;
    buffer_init(&text, 1 << 16);
    buffer_init(&flags, 1 << 16);
    random_seeded_init(&random, 1);
    int fitting = 0;
    for (int round = 0; round < 3000; round++) {
        arena_reset(&arena);
        draw(&random, &text);
        if (read_text(text.data) != STATUS_OK) continue;
        fitting++;
        struct lab_parameters drawn = parameters;

        buffer_reset(&text);
        json_writer_init(&writer, &text);
        lab_parameters_write(&drawn, &writer);
        buffer_put_char(&text, '\0');
        assert_int_equal(read_text(text.data), STATUS_OK);
        assert_memory_equal(&drawn, &parameters, sizeof drawn);

        buffer_reset(&flags);
        lab_parameters_write_flags(&drawn, &flags);
        buffer_put_char(&flags, '\0');
        assert_int_equal(read_flags(flags.data), STATUS_OK);
        assert_memory_equal(&drawn, &parameters, sizeof drawn);
    }
    assert_true(fitting > 200);
    buffer_free(&text);
    buffer_free(&flags);
}

static void assert_flags(const char *text, const char *expected) {
    struct buffer flags;
    buffer_init(&flags, 4096);
    assert_int_equal(read_text(text), STATUS_OK);
    lab_parameters_write_flags(&parameters, &flags);
    buffer_put_char(&flags, '\0');
    assert_string_equal(flags.data, expected);
    buffer_free(&flags);
}

static void flags_say_what_differs(void **state) {
    assert_flags("{}", " --profile default");
    assert_flags("{\"profile\":\"zipf\",\"keys\":100000,\"zipf_s\":0.99}", " --profile zipf");
    assert_flags("{\"profile\":\"zipf\",\"seed\":7,\"keys\":100,\"hot_arrival\":\"burst\",\"hot_rate\":0.1}",
                 " --profile zipf --seed 7 --hot-rate 0.1 --hot-arrival burst --keys 100");
}

static void the_schema_is_the_tables(void **state) {
    struct buffer text;
    struct json_writer writer;
    struct json_value *schema;
    size_t rows_count, profiles_count;
    const struct lab_parameter *rows = lab_parameter_table(&rows_count);
    const struct lab_profile *profiles = lab_profile_table(&profiles_count);
    buffer_init(&text, 1 << 20);
    json_writer_init(&writer, &text);
    lab_parameters_write_schema(&writer);
    assert_int_equal(json_read(buffer_bytes(&text), &arena, &schema, NULL), STATUS_OK);
    const struct json_value *row = json_member(schema, "parameters");
    assert_int_equal(row->count, rows_count);
    row = row->first;
    for (size_t i = 0; i < rows_count; i++, row = row->next) {
        const struct json_value *choices = json_member(row, "choices"), *minimum = json_member(row, "minimum");
        assert_true(bytes_equal(json_member(row, "name")->string, bytes_of(rows[i].name)));
        assert_true(bytes_equal(json_member(row, "help")->string, bytes_of(rows[i].help)));
        assert_int_equal(json_member(row, "basic")->kind, rows[i].is_basic ? JSON_TRUE : JSON_FALSE);
        assert_int_equal(choices->kind, rows[i].choices ? JSON_ARRAY : JSON_NULL);
        assert_int_equal(minimum->kind, rows[i].choices ? JSON_NULL : JSON_NUMBER);
        assert_non_null(json_member(row, "default"));
        assert_int_equal(row->count, 9);
    }
    const struct json_value *profile = json_member(schema, "profiles")->first;
    for (size_t i = 0; i < profiles_count; i++, profile = profile->next) {
        assert_true(bytes_equal(json_member(profile, "name")->string, bytes_of(profiles[i].name)));
        assert_true(bytes_equal(json_member(profile, "text")->string, bytes_of(profiles[i].text)));
        struct lab_parameters defaults;
        assert_int_equal(lab_parameters_default(profiles[i].name, &defaults), STATUS_OK);
        assert_int_equal(lab_parameters_read(json_member(profile, "parameters"), &parameters, &problems), STATUS_OK);
        assert_memory_equal(&defaults, &parameters, sizeof defaults);
    }
    assert_null(profile);
    buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(the_defaults_are_the_simple_ones),
        cmocka_unit_test(every_bad_value_is_named),
        cmocka_unit_test(the_ends_of_the_ranges_are_allowed),
        cmocka_unit_test(all_that_is_wrong_is_said_at_once),
        cmocka_unit_test(problems_are_bounded),
        cmocka_unit_test(unknown_names_are_shown_safely),
        cmocka_unit_test(parameters_must_fit_each_other),
        cmocka_unit_test(flags_are_read_in_both_forms),
        cmocka_unit_test(bad_flags_are_named),
        cmocka_unit_test(profiles_are_whole_and_fit),
        cmocka_unit_test(what_is_given_counts_more_than_the_profile),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(flags_say_what_differs),
        cmocka_unit_test(the_schema_is_the_tables),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
