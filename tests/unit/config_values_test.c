/* Values of each type: what is taken, its normal form, and both ends of each range. */
#include "config_test.h"

#include <stdio.h>

static void texts(void **state) {
    assert_loads("ORDERLY_NAMESPACE=", SETTING_NAMESPACE, 0, "");
    assert_loads("ORDERLY_NAMESPACE=a_9", SETTING_NAMESPACE, 0, "a_9");
    assert_loads("ORDERLY_NAMESPACE=abcdefghijabcdefghijabcdefghijab", SETTING_NAMESPACE, 0,
                 "abcdefghijabcdefghijabcdefghijab");
    assert_refuses("ORDERLY_NAMESPACE=abcdefghijabcdefghijabcdefghijabc", "0 to 32 printable bytes");
    assert_refuses("ORDERLY_NAMESPACE=A", "match [a-z0-9_]*");
    assert_refuses("ORDERLY_NAMESPACE=a-b", "match [a-z0-9_]*");
    assert_refuses("ORDERLY_NAMESPACE=a\nb", "match [a-z0-9_]*");
    assert_loads("ORDERLY_CURRENCY=USD", SETTING_CURRENCY, 0, "USD");
    assert_refuses("ORDERLY_CURRENCY=usd", "match [A-Z]{3}");
    assert_refuses("ORDERLY_CURRENCY=EU", "3 to 3 printable bytes");
    assert_loads("ORDERLY_HOST=::1", SETTING_HOST, 0, "::1");
    assert_refuses("ORDERLY_HOST=", "1 to 253");
    assert_loads("ORDERLY_DATA_DIR=/caf\xc3\xa9 au lait", SETTING_DATA_DIR, 0, "/caf\xc3\xa9 au lait");
    assert_refuses("ORDERLY_DATA_DIR=/caf\xe9", "printable");
    assert_refuses("ORDERLY_DATA_DIR=/a\tb", "printable");
}

static void integers(void **state) {
    assert_loads("ORDERLY_PARTITIONS=1", SETTING_PARTITIONS, 1, "1");
    assert_loads("ORDERLY_PARTITIONS=128", SETTING_PARTITIONS, 128, "128");
    assert_loads("ORDERLY_PARTITIONS=007", SETTING_PARTITIONS, 7, "7");
    static const char *const bad[] = {"ORDERLY_PARTITIONS=0",    "ORDERLY_PARTITIONS=129",
                                      "ORDERLY_PARTITIONS=",     "ORDERLY_PARTITIONS=-1",
                                      "ORDERLY_PARTITIONS=+1",   "ORDERLY_PARTITIONS= 1",
                                      "ORDERLY_PARTITIONS=1 ",   "ORDERLY_PARTITIONS=1.0",
                                      "ORDERLY_PARTITIONS=0x10", "ORDERLY_PARTITIONS=twelve",
                                      "ORDERLY_PARTITIONS=1s",   "ORDERLY_PARTITIONS=18446744073709551617"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(bad[i], "must be a whole number from 1 to 128");
}

static void booleans(void **state) {
    static const char *const yes[] = {"true", "1", "yes", "on", "TRUE", "Yes"};
    static const char *const no[] = {"false", "0", "no", "off", "False"};
    char assignment[64];
    for (size_t i = 0; i < 6; i++) {
        snprintf(assignment, sizeof assignment, "ORDERLY_LOG_REQUESTS=%s", yes[i]);
        assert_loads(assignment, SETTING_LOG_REQUESTS, 1, "true");
    }
    for (size_t i = 0; i < 5; i++) {
        snprintf(assignment, sizeof assignment, "ORDERLY_LOG_REQUESTS=%s", no[i]);
        assert_loads(assignment, SETTING_LOG_REQUESTS, 0, "false");
    }
    assert_refuses("ORDERLY_LOG_REQUESTS=", "must be true or false");
    assert_refuses("ORDERLY_LOG_REQUESTS=2", "must be true or false");
    assert_refuses("ORDERLY_LOG_REQUESTS=y", "must be true or false");
}

static void durations(void **state) {
    assert_loads("ORDERLY_CACHE_TTL=100ms", SETTING_CACHE_TTL, 100, "100ms");
    assert_loads("ORDERLY_CACHE_TTL=1500", SETTING_CACHE_TTL, 1500, "1500ms");
    assert_loads("ORDERLY_CACHE_TTL=60s", SETTING_CACHE_TTL, 60000, "60s");
    assert_loads("ORDERLY_CACHE_TTL=60m", SETTING_CACHE_TTL, 3600000, "60m");
    assert_loads("ORDERLY_CACHE_TTL=1h", SETTING_CACHE_TTL, 3600000, "1h");
    assert_loads("ORDERLY_EVENTS_RETENTION=3650d", SETTING_EVENTS_RETENTION, INT64_C(3650) * 86400000, "3650d");
    static const char *const bad[] = {"ORDERLY_CACHE_TTL=99ms",
                                      "ORDERLY_CACHE_TTL=99",
                                      "ORDERLY_CACHE_TTL=3601s",
                                      "ORDERLY_CACHE_TTL=1d",
                                      "ORDERLY_CACHE_TTL=",
                                      "ORDERLY_CACHE_TTL=s",
                                      "ORDERLY_CACHE_TTL=10 s",
                                      "ORDERLY_CACHE_TTL=1.5s",
                                      "ORDERLY_CACHE_TTL=10S",
                                      "ORDERLY_CACHE_TTL=-1s",
                                      "ORDERLY_CACHE_TTL=1w",
                                      "ORDERLY_CACHE_TTL=10s5",
                                      "ORDERLY_CACHE_TTL=16359742646388824d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(bad[i], "from 100ms to 1h");
    assert_refuses("ORDERLY_EVENTS_RETENTION=3651d", "from 1s to 3650d");
}

static void sizes(void **state) {
    assert_loads("ORDERLY_BODY_MAX=1024", SETTING_BODY_MAX, 1024, "1024");
    assert_loads("ORDERLY_BODY_MAX=2048B", SETTING_BODY_MAX, 2048, "2048B");
    assert_loads("ORDERLY_BODY_MAX=64KiB", SETTING_BODY_MAX, 65536, "64KiB");
    assert_loads("ORDERLY_BODY_MAX=64KB", SETTING_BODY_MAX, 64000, "64KB");
    assert_loads("ORDERLY_BODY_MAX=64kB", SETTING_BODY_MAX, 64000, "64kB");
    assert_loads("ORDERLY_BODY_MAX=1MiB", SETTING_BODY_MAX, 1048576, "1MiB");
    assert_loads("ORDERLY_BODY_MAX=1MB", SETTING_BODY_MAX, 1000000, "1MB");
    assert_loads("ORDERLY_CACHE_SIZE=1GB", SETTING_CACHE_SIZE, 1000000000, "1GB");
    assert_loads("ORDERLY_CACHE_SIZE=1GiB", SETTING_CACHE_SIZE, 1 << 30, "1GiB");
    assert_refuses("ORDERLY_BODY_MAX=1023", "from 1KiB to 1MiB");
    assert_refuses("ORDERLY_BODY_MAX=1025KiB", "from 1KiB to 1MiB");
    assert_refuses("ORDERLY_BODY_MAX=64K", "must be a size");
    assert_refuses("ORDERLY_BODY_MAX=64 KiB", "must be a size");
    assert_refuses("ORDERLY_BODY_MAX=10000000000TiB", "must be a size");
    assert_refuses("ORDERLY_DATA_LIMIT=1TiB", "from 0 to 256GiB");
}

/* Products that come out small again when they overflow. */
static void overflow_does_not_wrap_around(void **state) {
    assert_refuses("ORDERLY_CACHE_TTL=16359742646388824d", "from 100ms to 1h");
    assert_refuses("ORDERLY_DATA_LIMIT=16777216TiB", "from 0 to 256GiB");
}

static void choices(void **state) {
    assert_loads("ORDERLY_LOG_LEVEL=error", SETTING_LOG_LEVEL, 0, "error");
    assert_loads("ORDERLY_LOG_LEVEL=WARN", SETTING_LOG_LEVEL, 0, "warn");
    assert_loads("ORDERLY_LOG_LEVEL=debug", SETTING_LOG_LEVEL, 0, "debug");
    assert_refuses("ORDERLY_LOG_LEVEL=warning", "must be one of debug|info|warn|error");
    assert_refuses("ORDERLY_LOG_LEVEL=warn|error", "must be one of");
    assert_refuses("ORDERLY_LOG_LEVEL=", "must be one of");
    assert_refuses("ORDERLY_LOG_LEVEL=inf", "must be one of");
}

static void lists(void **state) {
    assert_loads("ORDERLY_ALLOWED_ORIGINS=", SETTING_ALLOWED_ORIGINS, 0, "");
    assert_loads("ORDERLY_ALLOWED_ORIGINS=[]", SETTING_ALLOWED_ORIGINS, 0, "");
    assert_loads("ORDERLY_ALLOWED_ORIGINS=http://a , https://b:1", SETTING_ALLOWED_ORIGINS, 0, "http://a,https://b:1");
    assert_loads("ORDERLY_ALLOWED_ORIGINS= [ \"http://\\u0061\" , \"https://b\" ] ", SETTING_ALLOWED_ORIGINS, 0,
                 "http://a,https://b");
    static const char *const bad[] = {
        "ORDERLY_ALLOWED_ORIGINS=http://a/",        "ORDERLY_ALLOWED_ORIGINS=ftp://a",
        "ORDERLY_ALLOWED_ORIGINS=http://a,",        "ORDERLY_ALLOWED_ORIGINS=,http://a",
        "ORDERLY_ALLOWED_ORIGINS=[\"http://a\"",    "ORDERLY_ALLOWED_ORIGINS=[\"http://a\", 5]",
        "ORDERLY_ALLOWED_ORIGINS=[\"http://a,b\"]", "ORDERLY_ALLOWED_ORIGINS=[\"\"]",
        "ORDERLY_ALLOWED_ORIGINS=[\"http://a\"] x", "ORDERLY_ALLOWED_ORIGINS=[\"http://a\\u0007\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(bad[i], "must be a comma list or a JSON list of 0 to 32 texts");
}

static void a_list_has_its_maximum(void **state) {
    char assignment[1024] = "ORDERLY_ALLOWED_ORIGINS=http://a";
    for (int i = 1; i < 32; i++)
        strcat(assignment, ",http://a");
    struct load l = load_env(assignment);
    assert_int_equal(l.status, STATUS_OK);
    assert_int_equal(config_list(l.config, SETTING_ALLOWED_ORIGINS, NULL), 32);
    load_end(&l);
    strcat(assignment, ",http://a");
    assert_refuses(assignment, "of 0 to 32 texts");
    for (int i = 0; i < 60; i++)
        strcat(assignment, ",http://a");
    assert_refuses(assignment, "of 0 to 32 texts");
}

static void addresses_may_be_in_brackets(void **state) {
    struct load l =
        load(NULL, TEXTS("KAFKA_BOOTSTRAP_SERVERS=[::1]:9092,b", "CASSANDRA_CONTACT_POINTS=[\"[::1]:9042\"]"), NULL);
    assert_int_equal(l.status, STATUS_OK);
    assert_string_equal(config_text(l.config, SETTING_KAFKA_BOOTSTRAP_SERVERS), "[::1]:9092,b");
    assert_string_equal(config_text(l.config, SETTING_CASSANDRA_CONTACT_POINTS), "[::1]:9042");
    load_end(&l);
}

static void ports(void **state) {
    assert_loads("ORDERLY_PORTS=65535", SETTING_PORTS_HTTP, 0, "65535");
    assert_loads("ORDERLY_PORTS=0,0", SETTING_PORTS_HTTP, 0, "0,0");
    assert_loads("ORDERLY_PORTS=[\"80\",\"81\"]", SETTING_PORTS_HTTP, 0, "80,81");
    assert_loads("ORDERLY_PORTS=[80, 81]", SETTING_PORTS_HTTP, 0, "80,81");
    assert_loads("ORDERLY_PORTS=1,2,3,4,5,6,7,8", SETTING_PORTS_HTTP, 0, "1,2,3,4,5,6,7,8");
    static const char *const bad[] = {
        "ORDERLY_PORTS=",          "ORDERLY_PORTS=65536", "ORDERLY_PORTS=http",
        "ORDERLY_PORTS=8000,8000", "ORDERLY_PORTS=-1",    "ORDERLY_PORTS=080",
        "ORDERLY_PORTS=8000;5000", "ORDERLY_PORTS=80,",   "ORDERLY_PORTS=1,2,3,4,5,6,7,8,9",
        "ORDERLY_PORTS=100000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refuses(bad[i], "must be a list of 1 to 8 different port numbers up to 65535");
}

int run_values_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(integers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(choices),
        cmocka_unit_test(overflow_does_not_wrap_around),
        cmocka_unit_test(lists),
        cmocka_unit_test(a_list_has_its_maximum),
        cmocka_unit_test(ports),
        cmocka_unit_test(addresses_may_be_in_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
