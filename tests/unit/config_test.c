/* The configuration as a whole: the table, precedence, unknown names, what goes together, what is printed. */
#include "config_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "support/failing_alloc.h"

char dotenv_path[64];

struct load load(const char *const *flags, const char *const *env, const char *dotenv) {
    struct load load = {.status = STATUS_COUNT};
    char *environment[CONFIG_PROPERTIES_MAX + 16] = {(char *)"HOME=/home/ada"};
    int argc = 0;
    while (flags && flags[argc])
        argc++;
    for (int i = 0; env && env[i]; i++)
        environment[i + 1] = (char *)env[i];
    unlink(dotenv_path);
    if (dotenv) {
        FILE *file = fopen(dotenv_path, "w");
        assert_non_null(file);
        fputs(dotenv, file);
        fclose(file);
    }
    load.status =
        config_load(argc, (char *const *)flags, environment, dotenv_path, &load.config, &load.rest, &load.error);
    unlink(dotenv_path);
    return load;
}

void load_end(struct load *load) {
    config_free(load->config);
    free(load->rest);
}

struct load load_env(const char *assignment) {
    return load(NULL, TEXTS(assignment), NULL);
}

void assert_loads(const char *assignment, enum setting_id id, int64_t integer, const char *text) {
    struct load l = load_env(assignment);
    if (l.status != STATUS_OK) fail_msg("%s: %s", assignment, l.error.text);
    assert_int_equal(config_integer(l.config, id), integer);
    assert_string_equal(config_text(l.config, id), text);
    assert_int_equal(config_source(l.config, id), SOURCE_ENVIRONMENT);
    load_end(&l);
}

void assert_refuses(const char *assignment, const char *part) {
    struct load l = load_env(assignment);
    if (l.status != STATUS_INVALID) fail_msg("%s was taken", assignment);
    if (!strstr(l.error.text, part)) fail_msg("no \"%s\" in: %s", part, l.error.text);
    assert_null(strchr(l.error.text, '\n'));
    assert_null(l.config);
    assert_null(l.rest);
}

/* --- The table --- */

static void the_table_is_in_order_and_explained(void **state) {
    const struct setting *settings = config_settings();
    for (int i = 0; i < SETTING_COUNT; i++) {
        assert_int_equal(settings[i].id, i);
        assert_true(strlen(settings[i].help) > 10);
        assert_null(strchr(settings[i].help, '\n'));
        assert_true(settings[i].minimum <= settings[i].maximum);
        bool is_well_known = i <= SETTING_REDIS_PORT;
        assert_int_equal(strncmp(settings[i].name, "ORDERLY_", 8) == 0, !is_well_known);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(settings[i].name, settings[k].name);
    }
}

static void without_sources_there_are_the_defaults(void **state) {
    struct load l = load(NULL, NULL, NULL);
    assert_int_equal(l.status, STATUS_OK);
    for (int i = 0; i < SETTING_COUNT; i++) {
        assert_int_equal(config_source(l.config, i), SOURCE_DEFAULT);
        if (i != SETTING_DATA_DIR) assert_string_equal(config_text(l.config, i), config_settings()[i].default_value);
    }
    assert_false(config_is_cluster(l.config));
    assert_string_equal(config_text(l.config, SETTING_DATA_DIR), "/home/ada/.local/share/orderly");
    assert_int_equal(config_integer(l.config, SETTING_DATA_RESERVE), 128 << 20);
    assert_int_equal(config_integer(l.config, SETTING_COMMANDS_RETENTION), 7 * 86400000);
    const char *const *ports;
    assert_int_equal(config_list(l.config, SETTING_PORTS_HTTP, &ports), 3);
    assert_string_equal(ports[0], "8000");
    assert_string_equal(ports[2], "3000");
    assert_null(ports[3]);
    assert_null(l.rest[0]);
    load_end(&l);
}

static void the_data_directory_follows_xdg(void **state) {
    struct load l = load_env("XDG_DATA_HOME=/data home");
    assert_string_equal(config_text(l.config, SETTING_DATA_DIR), "/data home/orderly");
    load_end(&l);
    l = load_env("XDG_DATA_HOME=relative");
    assert_string_equal(config_text(l.config, SETTING_DATA_DIR), "/home/ada/.local/share/orderly");
    load_end(&l);
    l = load_env("HOME2=/x");
    load_end(&l);

    struct config *config = NULL;
    char **rest = NULL;
    struct error error;
    char *no_home[] = {"PATH=/bin", NULL};
    assert_int_equal(config_load(0, NULL, no_home, dotenv_path, &config, &rest, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, "ORDERLY_DATA_DIR must be set"));
    char *cluster[] = {"KAFKA_BOOTSTRAP_SERVERS=k:9092", "CASSANDRA_CONTACT_POINTS=c", NULL};
    assert_int_equal(config_load(0, NULL, cluster, dotenv_path, &config, &rest, &error), STATUS_OK);
    assert_string_equal(config_text(config, SETTING_DATA_DIR), "");
    config_free(config);
    free(rest);
}

/* --- Sources --- */

static void a_stronger_source_wins(void **state) {
    static const char *const dotenv = "ORDERLY_PARTITIONS=3\nORDERLY_HOST=::1\nREDIS_PORT=1111\nORDERLY_BATCH_MAX=7\n";
    const char *const *env = TEXTS("ORDERLY_PARTITIONS=5", "ORDERLY_HOST=127.0.0.1", "REDIS_PORT=2222");
    struct load l = load(TEXTS("--partitions=9", "--redis-port", "3333"), env, dotenv);
    assert_int_equal(l.status, STATUS_OK);
    assert_int_equal(config_integer(l.config, SETTING_PARTITIONS), 9);
    assert_int_equal(config_integer(l.config, SETTING_REDIS_PORT), 3333);
    assert_int_equal(config_source(l.config, SETTING_PARTITIONS), SOURCE_FLAG);
    assert_string_equal(config_text(l.config, SETTING_HOST), "127.0.0.1");
    assert_int_equal(config_source(l.config, SETTING_HOST), SOURCE_ENVIRONMENT);
    assert_int_equal(config_integer(l.config, SETTING_BATCH_MAX), 7);
    assert_int_equal(config_source(l.config, SETTING_BATCH_MAX), SOURCE_DOTENV);
    load_end(&l);
}

static void flags_are_taken_and_the_rest_is_left(void **state) {
    struct load l = load(TEXTS("--json", "--data-dir=/a=b", "file", "--kafka-bootstrap-servers", "k:9092", "-x",
                               "--cassandra-contact-points=c", "--partition=3", "--", "--partitions=99"),
                         NULL, NULL);
    static const char *const rest[] = {"--json", "file", "-x", "--partition=3", "--", "--partitions=99"};
    assert_int_equal(l.status, STATUS_OK);
    assert_string_equal(config_text(l.config, SETTING_DATA_DIR), "/a=b");
    assert_true(config_is_cluster(l.config));
    assert_int_equal(config_integer(l.config, SETTING_PARTITIONS), 12);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(l.rest[i], rest[i]);
    assert_null(l.rest[6]);
    load_end(&l);
}

#define CLUSTER "KAFKA_BOOTSTRAP_SERVERS=k:9092", "CASSANDRA_CONTACT_POINTS=c"

static void kafka_properties_come_from_every_source(void **state) {
    static const char *const dotenv = "ORDERLY_KAFKA_SASL_USERNAME=dotenv\nORDERLY_KAFKA_LINGER_MS=1\n";
    const char *const *env = TEXTS(CLUSTER, "ORDERLY_KAFKA_SASL_USERNAME=ada", "ORDERLY_KAFKA_SASL_PASSWORD=hunter2",
                                   "ORDERLY_KAFKA_SSL_CA_LOCATION=/a_b");
    struct load l = load(TEXTS("--kafka-linger-ms=5", "--kafka-client-rack", "r1"), env, dotenv);
    static const struct config_property expected[] = {
        {"ORDERLY_KAFKA_SASL_USERNAME", "sasl.username", "ada"},
        {"ORDERLY_KAFKA_LINGER_MS", "linger.ms", "5"},
        {"ORDERLY_KAFKA_SASL_PASSWORD", "sasl.password", "hunter2"},
        {"ORDERLY_KAFKA_SSL_CA_LOCATION", "ssl.ca.location", "/a_b"},
        {"ORDERLY_KAFKA_CLIENT_RACK", "client.rack", "r1"},
    };
    assert_int_equal(l.status, STATUS_OK);
    const struct config_property *properties;
    assert_int_equal(config_kafka_properties(l.config, &properties), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(properties[i].setting, expected[i].setting);
        assert_string_equal(properties[i].name, expected[i].name);
        assert_string_equal(properties[i].value, expected[i].value);
    }
    for (int json = 0; json < 2; json++) {
        struct buffer out;
        buffer_init(&out, 1 << 20);
        config_write(l.config, json, &out);
        char *text = strndup(out.data, out.size);
        assert_null(strstr(text, "hunter2"));
        assert_non_null(strstr(text, "ORDERLY_KAFKA_SASL_PASSWORD"));
        assert_non_null(strstr(text, "librdkafka's linger.ms"));
        free(text);
        buffer_free(&out);
    }
    load_end(&l);
}

static void kafka_properties_are_bounded(void **state) {
    static char names[CONFIG_PROPERTIES_MAX + 1][40];
    const char *environment[CONFIG_PROPERTIES_MAX + 4] = {CLUSTER};
    for (int i = 0; i <= CONFIG_PROPERTIES_MAX; i++) {
        sprintf(names[i], "ORDERLY_KAFKA_P%d=1", i);
        environment[2 + i] = names[i];
    }
    struct load l = load(NULL, environment, NULL);
    assert_int_equal(l.status, STATUS_INVALID);
    assert_non_null(strstr(l.error.text, "ORDERLY_KAFKA_P64: more than 64 settings of ORDERLY_KAFKA_*"));
    load_end(&l);
}

static void every_setting_has_its_flag(void **state) {
    struct load l = load(TEXTS("--log-requests", "--log-format=json", "--answer-timeout=1s"), NULL, NULL);
    assert_int_equal(l.status, STATUS_OK);
    assert_int_equal(config_integer(l.config, SETTING_LOG_REQUESTS), 1);
    load_end(&l);
    l = load(TEXTS("--log-requests", "no", "--data-dir", ""), NULL, NULL);
    assert_int_equal(l.status, STATUS_INVALID);
    assert_non_null(strstr(l.error.text, "ORDERLY_DATA_DIR= (flag) must be 1 to 4000 printable bytes"));
    l = load(TEXTS("--partitions"), NULL, NULL);
    assert_int_equal(l.status, STATUS_INVALID);
    assert_string_equal(l.error.text, "--partitions: the value is missing");
    l = load(TEXTS("--partitions", "--host=x"), NULL, NULL);
    assert_string_equal(l.error.text, "--partitions: the value is missing");
}

static void an_error_names_setting_source_value_and_range(void **state) {
    assert_refuses("ORDERLY_PARTITIONS=129",
                   "ORDERLY_PARTITIONS=129 (environment) must be a whole number from 1 to 128");
    struct load l = load(TEXTS("--body-max=2MiB"), NULL, NULL);
    assert_non_null(strstr(l.error.text, "ORDERLY_BODY_MAX=2MiB (flag) must be a size"));
    assert_non_null(strstr(l.error.text, "from 1KiB to 1MiB"));
    l = load(NULL, NULL, "\n# x\nORDERLY_CACHE_TTL=61m\n");
    char expected[256];
    snprintf(expected, sizeof expected,
             "ORDERLY_CACHE_TTL=61m (%s line 3) must be a duration like 500ms, 10s, 5m, 1h or 7d, from 100ms to 1h",
             dotenv_path);
    assert_string_equal(l.error.text, expected);
}

static void an_overridden_bad_value_is_no_error(void **state) {
    struct load l = load(TEXTS("--partitions=2"), TEXTS("ORDERLY_PARTITIONS=many"), NULL);
    assert_int_equal(l.status, STATUS_OK);
    load_end(&l);
}

static void an_unknown_name_is_refused_with_the_likely_one(void **state) {
    static const struct {
        const char *assignment, *error;
    } rows[] = {
        {"ORDERLY_DATADIR=x", "ORDERLY_DATADIR (environment): unknown setting, did you mean ORDERLY_DATA_DIR?"},
        {"ORDERLY_PORT=1", "ORDERLY_PORT (environment): unknown setting, did you mean ORDERLY_PORTS?"},
        {"ORDERLY_REDIS_HOST=1", "ORDERLY_REDIS_HOST (environment): unknown setting, did you mean REDIS_HOST?"},
        {"ORDERLY_KAFKA_LINGER_MS=1",
         "ORDERLY_KAFKA_LINGER_MS is set and KAFKA_BOOTSTRAP_SERVERS is not: nothing would use it"},
        {"ORDERLY_KAFKA_=1", "ORDERLY_KAFKA_ (environment): unknown setting"},
        {"ORDERLY_=1", "ORDERLY_ (environment): unknown setting"},
        {"ORDERLY_ZZZZZZZZZZ=1", "ORDERLY_ZZZZZZZZZZ (environment): unknown setting"},
        {"ORDERLY_ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJ=1",
         "ORDERLY_ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJAB (environment): unknown "
         "setting"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct load l = load_env(rows[i].assignment);
        assert_int_equal(l.status, STATUS_INVALID);
        assert_string_equal(l.error.text, rows[i].error);
    }
    struct load l = load(NULL, NULL, "ORDERLY_HOSTS=x\n");
    assert_non_null(strstr(l.error.text, "line 1): unknown setting, did you mean ORDERLY_HOST?"));
    l = load(NULL, TEXTS("PATH=/bin", "REDIS_HOSTS=x", "orderly_port=1"), "POSTGRES_PASSWORD=x\n");
    assert_int_equal(l.status, STATUS_OK);
    load_end(&l);
}

static void many_errors_are_one_line_that_counts_the_rest(void **state) {
    struct load l = load(NULL,
                         TEXTS("ORDERLY_A=1", "ORDERLY_BATCH_MAX=x", "ORDERLY_PARTITIONS=x", "ORDERLY_BODY_MAX=x",
                               "ORDERLY_LOG_LEVEL=x", "ORDERLY_CACHE_TTL=x", "ORDERLY_CACHE_SIZE=x", "ORDERLY_PORTS=x"),
                         NULL);
    assert_int_equal(l.status, STATUS_INVALID);
    assert_non_null(strstr(l.error.text, "ORDERLY_A (environment): unknown setting; ORDERLY_PORTS=x"));
    assert_non_null(strstr(l.error.text, "; and "));
    assert_string_equal(l.error.text + strlen(l.error.text) - 5, " more");
    assert_true(strlen(l.error.text) < ERROR_TEXT_SIZE - 1);
}

/* --- Together --- */

static void kafka_and_cassandra_go_together(void **state) {
    assert_refuses("KAFKA_BOOTSTRAP_SERVERS=localhost:9092",
                   "KAFKA_BOOTSTRAP_SERVERS (environment) is set and CASSANDRA_CONTACT_POINTS is not");
    assert_refuses("CASSANDRA_CONTACT_POINTS=[\"localhost\"]",
                   "CASSANDRA_CONTACT_POINTS (environment) is set and KAFKA_BOOTSTRAP_SERVERS is not");
    struct load l = load(
        NULL, TEXTS("KAFKA_BOOTSTRAP_SERVERS=a:9092,b:9092", "CASSANDRA_CONTACT_POINTS=[\"c\", \"d:9043\"]"), NULL);
    assert_int_equal(l.status, STATUS_OK);
    assert_true(config_is_cluster(l.config));
    assert_string_equal(config_text(l.config, SETTING_KAFKA_BOOTSTRAP_SERVERS), "a:9092,b:9092");
    assert_string_equal(config_text(l.config, SETTING_CASSANDRA_CONTACT_POINTS), "c,d:9043");
    const char *const *nodes;
    assert_int_equal(config_list(l.config, SETTING_CASSANDRA_CONTACT_POINTS, &nodes), 2);
    assert_string_equal(nodes[1], "d:9043");
    load_end(&l);
    l = load(NULL, TEXTS("KAFKA_BOOTSTRAP_SERVERS=", "CASSANDRA_CONTACT_POINTS=[]"), NULL);
    assert_int_equal(l.status, STATUS_OK);
    assert_false(config_is_cluster(l.config));
    load_end(&l);
    l = load_env("REDIS_HOST=localhost"); /* beside either */
    assert_int_equal(l.status, STATUS_OK);
    load_end(&l);
}

static void the_reserve_is_less_than_the_limit(void **state) {
    assert_refuses("ORDERLY_DATA_LIMIT=128MiB",
                   "ORDERLY_DATA_RESERVE=128MiB must be less than ORDERLY_DATA_LIMIT=128MiB");
    assert_loads("ORDERLY_DATA_LIMIT=129MiB", SETTING_DATA_LIMIT, INT64_C(129) << 20, "129MiB");
}

/* --- Printing --- */

static const char *write_config(const struct config *config, bool json, struct buffer *out) {
    buffer_init(out, 1 << 20);
    config_write(config, json, out);
    buffer_put_char(out, '\0');
    assert_int_equal(out->status, STATUS_OK);
    return out->data;
}

static void the_table_for_people_is_aligned(void **state) {
    struct load l = load(TEXTS("--data-dir=/a/path/that/is/much/longer/than/the/column/is/wide"),
                         TEXTS("ORDERLY_PARTITIONS=5"), "REDIS_HOST=cache\n");
    struct buffer out;
    const char *text = write_config(l.config, false, &out);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, SETTING_COUNT + 1);
    const char *row = strstr(text, "\nORDERLY_PARTITIONS ");
    assert_non_null(row);
    row++;
    assert_int_equal(strstr(row, "5 ") - row, strstr(text, "VALUE") - text);
    assert_int_equal(strstr(row, "environment ") - row, strstr(text, "SOURCE") - text);
    assert_int_equal(strstr(row, "partitions of") - row, strstr(text, "MEANING") - text);
    assert_non_null(strstr(text, "column/is/wide  flag "));
    assert_non_null(strstr(text, " line 1"));
    buffer_free(&out);
    load_end(&l);
}

static void the_json_holds_every_setting(void **state) {
    struct load l = load(NULL, TEXTS("ORDERLY_PORTS=1,2"), NULL);
    struct buffer out;
    struct arena arena;
    struct json_value *list;
    struct bytes text;
    write_config(l.config, true, &out);
    out.size--; /* the NUL */
    arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(json_read(buffer_bytes(&out), &arena, &list, NULL), STATUS_OK);
    assert_int_equal(list->count, SETTING_COUNT);
    const struct json_value *row = list->first;
    for (int i = 0; i < SETTING_COUNT; i++, row = row->next) {
        assert_int_equal(json_member_string(row, "name", &text), STATUS_OK);
        assert_true(bytes_equal(text, bytes_of(config_settings()[i].name)));
        assert_int_equal(json_member_string(row, "value", &text), STATUS_OK);
        assert_true(bytes_equal(text, bytes_of(config_text(l.config, i))));
        assert_int_equal(json_member_string(row, "source", &text), STATUS_OK);
        assert_true(bytes_equal(text, bytes_of(i == SETTING_PORTS_HTTP ? "environment" : "default")));
    }
    arena_free(&arena);
    buffer_free(&out);
    load_end(&l);
}

/* No setting is a secret yet: a copy of the table makes one of two. */
static void secrets_are_hidden(void **state) {
    struct setting settings[SETTING_COUNT];
    memcpy(settings, config_settings(), sizeof settings);
    settings[SETTING_LAB_REDIS].secret = settings[SETTING_NAMESPACE].secret = true;
    char *environment[] = {"HOME=/h", "ORDERLY_LAB_REDIS=hunter2", NULL};
    struct config *config = NULL;
    char **rest = NULL;
    struct error error;
    assert_int_equal(config_load_table(settings, 0, NULL, environment, dotenv_path, &config, &rest, &error), STATUS_OK);
    assert_string_equal(config_text(config, SETTING_LAB_REDIS), "hunter2");
    for (int json = 0; json < 2; json++) {
        struct buffer out;
        const char *text = write_config(config, json, &out);
        assert_null(strstr(text, "hunter2"));
        const char *first = strstr(text, "***");
        assert_non_null(first);
        assert_null(strstr(first + 3, "***")); /* one that is not set shows as not set */
        buffer_free(&out);
    }
    config_free(config);
    free(rest);

    environment[1] = "ORDERLY_LAB_REDIS=hunter2 and more";
    assert_int_equal(config_load_table(settings, 0, NULL, environment, dotenv_path, &config, &rest, &error),
                     STATUS_INVALID);
    assert_null(strstr(error.text, "hunter2"));
    assert_non_null(strstr(error.text, "ORDERLY_LAB_REDIS=*** (environment) must be"));
}

static void a_bad_value_cannot_break_the_error(void **state) {
    assert_refuses("ORDERLY_HOST=a\nb\x1b[31m\xff", "ORDERLY_HOST=a?b?[31m? (environment) must be");
    char long_value[3000] = "ORDERLY_PARTITIONS=";
    memset(long_value + strlen(long_value), '9', 2000);
    assert_refuses(long_value, "99... (environment) must be a whole number");
}

/* Whichever allocation fails: a clear status, nothing handed out, nothing leaked (the sanitizer looks). */
static void any_allocation_may_fail(void **state) {
    /* Large enough for several blocks of the arena. */
    static char data_dir[3800] = "--data-dir=/", origins[3000] = "--allowed-origins=http://a";
    memset(data_dir + strlen(data_dir), 'd', sizeof data_dir - 1 - strlen(data_dir));
    for (int i = 0; i < 20; i++)
        sprintf(origins + strlen(origins), ",http://%0100d", i);
    char *argv[] = {data_dir, "rest", origins, NULL};
    char *environment[] = {"HOME=/h", "KAFKA_BOOTSTRAP_SERVERS=k", "CASSANDRA_CONTACT_POINTS=c",
                           "ORDERLY_KAFKA_SASL_USERNAME=ada", NULL};
    FILE *file = fopen(dotenv_path, "w");
    assert_non_null(file);
    fputs("ORDERLY_HOST=::1\nORDERLY_CACHE_TTL=5s\n", file);
    fclose(file);
    bool failed = true;
    for (long n = 1; failed; n++) {
        struct config *config = NULL;
        char **rest = NULL;
        struct error error = {""};
        assert_true(n < 1000);
        failing_alloc_arm(n);
        enum status status = config_load(3, argv, environment, dotenv_path, &config, &rest, &error);
        failed = failing_alloc_disarm();
        assert_int_equal(status, failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(config == NULL, failed);
        assert_int_equal(rest == NULL, failed);
        if (failed) assert_string_equal(error.text, "out of memory while reading the configuration");
        config_free(config);
        free(rest);
    }
    unlink(dotenv_path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order_and_explained),
        cmocka_unit_test(without_sources_there_are_the_defaults),
        cmocka_unit_test(the_data_directory_follows_xdg),
        cmocka_unit_test(a_stronger_source_wins),
        cmocka_unit_test(flags_are_taken_and_the_rest_is_left),
        cmocka_unit_test(kafka_properties_come_from_every_source),
        cmocka_unit_test(kafka_properties_are_bounded),
        cmocka_unit_test(every_setting_has_its_flag),
        cmocka_unit_test(an_error_names_setting_source_value_and_range),
        cmocka_unit_test(an_overridden_bad_value_is_no_error),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_likely_one),
        cmocka_unit_test(many_errors_are_one_line_that_counts_the_rest),
        cmocka_unit_test(kafka_and_cassandra_go_together),
        cmocka_unit_test(the_reserve_is_less_than_the_limit),
        cmocka_unit_test(the_table_for_people_is_aligned),
        cmocka_unit_test(the_json_holds_every_setting),
        cmocka_unit_test(secrets_are_hidden),
        cmocka_unit_test(a_bad_value_cannot_break_the_error),
        cmocka_unit_test(any_allocation_may_fail),
    };
    char directory[] = "/tmp/orderly-config-XXXXXX";
    if (!mkdtemp(directory)) return 1;
    snprintf(dotenv_path, sizeof dotenv_path, "%s/.env", directory);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    failures += run_values_tests();
    failures += run_dotenv_tests();
    rmdir(directory);
    return failures;
}
