/* UUIDs: text and back, refused texts, version and variant bits, time order of version 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/uuid.h"

static void text_and_back(void **state) {
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];
    assert_int_equal(uuid_parse(BYTES("017F22E2-79b0-7cc3-98C4-dc0c0c07398f"), &uuid), STATUS_OK);
    assert_memory_equal(uuid.bytes, "\x01\x7f\x22\xe2\x79\xb0\x7c\xc3\x98\xc4\xdc\x0c\x0c\x07\x39\x8f", 16);
    uuid_format(&uuid, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_int_equal(uuid_version(&uuid), 7);
    assert_int_equal(uuid_v7_wall_ms(&uuid), 1645557742000); /* the example of RFC 9562, appendix A.6 */
}

static void every_other_byte_in_the_text_is_refused(void **state) {
    const char good[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    for (size_t at = 0; at < 36; at++) {
        for (int c = 0; c < 256; c++) {
            bool is_dash_place = at == 8 || at == 13 || at == 18 || at == 23;
            bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            bool is_good = is_dash_place ? c == '-' : is_digit;
            char text[36];
            memcpy(text, good, sizeof text);
            text[at] = (char)c;
            struct uuid uuid = {{7}};
            enum status status = uuid_parse((struct bytes){text, sizeof text}, &uuid);
            assert_int_equal(status, is_good ? STATUS_OK : STATUS_INVALID);
            if (!is_good) assert_int_equal(uuid.bytes[0], 7);
        }
    }
}

static void other_lengths_are_refused(void **state) {
    struct uuid uuid;
    assert_int_equal(uuid_parse(BYTES(""), &uuid), STATUS_INVALID);
    assert_int_equal(uuid_parse(BYTES("017f22e2-79b0-7cc3-98c4-dc0c0c07398"), &uuid), STATUS_INVALID);
    assert_int_equal(uuid_parse(BYTES("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0"), &uuid), STATUS_INVALID);
    assert_int_equal(uuid_parse(BYTES("017f22e279b07cc398c4dc0c0c07398f"), &uuid), STATUS_INVALID);
    assert_int_equal(uuid_parse(BYTES("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}"), &uuid), STATUS_INVALID);
}

static void assert_version(const struct uuid *uuid, int version) {
    assert_int_equal(uuid_version(uuid), version);
    assert_int_equal(uuid->bytes[8] >> 6, 2);
}

static void made_uuids_have_their_version_and_random_bits(void **state) {
    struct random_seeded random;
    random_seeded_init(&random, 3);
    struct uuid ones = {{0}}, zeros;
    memset(&zeros, 0xff, sizeof zeros);
    for (int i = 0; i < 200; i++) {
        struct uuid uuid = uuid_make_v4(&random.base);
        assert_version(&uuid, 4);
        for (int k = 0; k < 16; k++)
            ones.bytes[k] |= uuid.bytes[k], zeros.bytes[k] &= uuid.bytes[k];
    }
    assert_memory_equal(ones.bytes, "\xff\xff\xff\xff\xff\xff\x4f\xff\xbf\xff\xff\xff\xff\xff\xff\xff", 16);
    assert_memory_equal(zeros.bytes, "\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\0", 16);
    uint8_t hash[16];
    memset(hash, 0xff, sizeof hash);
    struct uuid uuid = uuid_make_v8(hash);
    assert_version(&uuid, 8);
    assert_memory_equal(uuid.bytes, "\xff\xff\xff\xff\xff\xff\x8f\xff\xbf\xff\xff\xff\xff\xff\xff\xff", 16);
}

static void version_7_sorts_by_time(void **state) {
    struct random *random = random_system();
    struct uuid before = uuid_make_v7(0, random);
    for (int64_t wall_ms = 1; wall_ms < INT64_C(1) << 48; wall_ms = wall_ms * 3 + 1) {
        struct uuid uuid = uuid_make_v7(wall_ms, random);
        assert_version(&uuid, 7);
        assert_int_equal(uuid_v7_wall_ms(&uuid), wall_ms);
        assert_true(uuid_compare(&before, &uuid) < 0);
        assert_false(uuid_equal(&before, &uuid));
        before = uuid;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(every_other_byte_in_the_text_is_refused),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(made_uuids_have_their_version_and_random_bits),
        cmocka_unit_test(version_7_sorts_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
