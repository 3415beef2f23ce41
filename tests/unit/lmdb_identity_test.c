/* Whose data a directory holds: every refusal is clear and changes nothing on disk. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "lmdb/lmdb_internal.h"
#include "unit/lmdb_fixture.h"

static struct fixture fixture;

static int setup(void **state) {
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state) {
    fixture_remove(&fixture);
    return 0;
}

static const char *data_path(const char *name) {
    static char path[SCRATCH_PATH_MAX + 300];
    snprintf(path, sizeof path, "%s/%s", fixture.directory, name);
    return path;
}

static uint64_t hash_file(const char *path) {
    static char data[1 << 20];
    uint64_t hash = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    while ((n = read(fd, data, sizeof data)) > 0)
        hash = XXH3_64bits_withSeed(data, (size_t)n, hash);
    close(fd);
    return hash;
}

/* Names, sizes, modes and contents of everything in the directory. */
static uint64_t hash_directory(void) {
    uint64_t hash = 0;
    struct dirent *entry;
    DIR *directory = opendir(fixture.directory);
    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        struct stat st;
        const char *path = data_path(entry->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode)) continue;
        uint64_t parts[] = {hash_file(path), (uint64_t)st.st_size, st.st_mode, (uint64_t)st.st_mtim.tv_nsec};
        hash += XXH3_64bits_withSeed(entry->d_name, strlen(entry->d_name), XXH3_64bits(parts, sizeof parts));
    }
    closedir(directory);
    return hash;
}

static void assert_refused(enum status expected) {
    struct error error = {""};
    uint64_t before = hash_directory();
    assert_int_equal(fixture_try_open(&fixture, &error), expected);
    assert_non_null(strstr(error.text, fixture.directory));
    assert_true(hash_directory() == before);
}

/* Writes rows into the unnamed database, as another program (or a newer Orderly) would. */
static void write_foreign(const char *key_text, const void *value_data, size_t value_size) {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {strlen(key_text), (void *)key_text}, value = {value_size, (void *)value_data};
    mkdir(fixture.directory, 0700);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, fixture.directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    unlink(data_path("lock.mdb"));
}

static void a_new_directory_is_private(void **state) {
    struct stat st;
    fixture_open(&fixture, 0, 0);
    assert_int_equal(stat(fixture.directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    static const char *const names[] = {"data.mdb", "lock.mdb", "processes"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(data_path(names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void no_descriptor_is_inherited(void **state) {
    fixture_open(&fixture, 0, 0);
    int found = 0;
    for (int fd = 3; fd < 256; fd++) {
        char link[64], target[SCRATCH_PATH_MAX + 64] = {0};
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) < 0 || !strstr(target, fixture.directory)) continue;
        found++;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    assert_true(found >= 4); /* data twice, lock, processes */
}

static void absent_data_is_not_made_unless_asked(void **state) {
    struct lmdb_env_options options = {.directory = fixture.directory, .create = false, .databases_max = 8};
    struct error error;
    struct stat st;
    assert_int_equal(lmdb_env_open(&options, &fixture.env, &error), STATUS_NOT_FOUND);
    assert_int_equal(stat(fixture.directory, &st), -1);
    fixture_open(&fixture, 0, 0);
    fixture_close(&fixture);
    assert_int_equal(lmdb_env_open(&options, &fixture.env, &error), STATUS_OK);
}

static void one_process_opens_it_once(void **state) {
    struct error error;
    fixture_open(&fixture, 0, 0);
    struct fixture again = fixture;
    again.env = NULL;
    assert_int_equal(fixture_try_open(&again, &error), STATUS_CONFLICT);
    assert_int_equal(put_now(&fixture, 1, 1, false), STATUS_OK); /* and the first is none the worse */
    fixture_close(&fixture);
    fixture_open(&fixture, 0, 0);
    assert_int_equal(row_size(&fixture, 1), 1);
}

static void a_newer_format_is_refused(void **state) {
    char format[4];
    fixture_open(&fixture, 0, 0);
    fixture_close(&fixture);
    bytes_put_u32(format, LMDB_ENV_FORMAT + 1);
    write_foreign(LMDB_IDENTITY_KEY, format, sizeof format);
    assert_refused(STATUS_UNSUPPORTED);
    bytes_put_u32(format, LMDB_ENV_FORMAT);
    write_foreign(LMDB_IDENTITY_KEY, format, sizeof format);
    fixture_open(&fixture, 0, 0);
}

static void another_programs_data_is_refused(void **state) {
    write_foreign("somebody", "else's", 6);
    assert_refused(STATUS_UNSUPPORTED);
    write_foreign(LMDB_IDENTITY_KEY, "a text", 6); /* the name alone does not do */
    assert_refused(STATUS_UNSUPPORTED);
}

static void write_file(const void *data, size_t size) {
    mkdir(fixture.directory, 0700);
    int fd = open(data_path("data.mdb"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static void what_is_no_lmdb_file_is_refused(void **state) {
    char text[10000];
    memset(text, 'x', sizeof text);
    static const size_t sizes[] = {1, 23, 24, 151, 152, 4096, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_file(text, sizes[i]);
        assert_refused(STATUS_UNSUPPORTED);
    }
}

static void an_environment_without_identity_is_finished(void **state) {
    MDB_env *env; /* a crash after LMDB made the file, before our first transaction */
    mkdir(fixture.directory, 0700);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, fixture.directory, 0, 0600), 0);
    mdb_env_close(env);
    fixture_open(&fixture, 0, 0);
    assert_int_equal(put_now(&fixture, 1, 1, false), STATUS_OK);
    fixture_close(&fixture);
    write_file("", 0); /* and before LMDB wrote anything */
    fixture_open(&fixture, 0, 0);
    assert_int_equal(row_size(&fixture, 1), -1);
}

static uint64_t used_bytes(void) {
    MDB_envinfo info;
    mdb_env_info(fixture.env->mdb, &info);
    return ((uint64_t)info.me_last_pgno + 1) * fixture.env->space.page_size;
}

static void a_truncated_file_is_refused(void **state) {
    fixture_open(&fixture, 0, 0);
    for (uint64_t key = 0; key < 200; key++)
        assert_int_equal(put_now(&fixture, key, 3000, false), STATUS_OK);
    uint64_t used = used_bytes();
    fixture_close(&fixture);
    const uint64_t sizes[] = {used, used - 1, used / 2, 8192, 8191, 4096 + 100, 4096, 152, 100, 30};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(truncate(data_path("data.mdb"), (off_t)sizes[i]), 0);
        if (sizes[i] < used) assert_refused(STATUS_CORRUPT);
        if (sizes[i] == used) { /* all pages are there: nothing is missing */
            fixture_open(&fixture, 0, 0);
            for (uint64_t key = 0; key < 200; key++)
                assert_int_equal(row_size(&fixture, key), 3000);
            fixture_close(&fixture);
        }
    }
}

/* Whatever a damaged head of the file says, judging it ends in a status and touches no other memory. */
static void a_damaged_file_is_judged_without_harm(void **state) {
    fixture_open(&fixture, 0, 0);
    for (uint64_t key = 0; key < 20; key++)
        assert_int_equal(put_now(&fixture, key, 300, false), STATUS_OK);
    uint64_t used = used_bytes();
    fixture_close(&fixture);
    int fd = open(data_path("data.mdb"), O_RDWR);
    uint64_t random = 1;
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        unsigned char byte, damaged;
        random = random * 6364136223846793005u + 1442695040888963407u;
        off_t at = (off_t)((random >> 20) % (i % 2 ? used : 300)); /* half of them in the first meta page */
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        damaged = (unsigned char)(random >> 12);
        assert_int_equal(pwrite(fd, &damaged, 1, at), 1);
        enum lmdb_judgement judgement;
        enum status status = lmdb_identity_judge(fixture.directory, &judgement, NULL);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED);
        refused += status != STATUS_OK;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_true(refused > 100);
    fixture_open(&fixture, 0, 0);
    for (uint64_t key = 0; key < 20; key++)
        assert_int_equal(row_size(&fixture, key), 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_directory_is_private),
        TEST(no_descriptor_is_inherited),
        TEST(absent_data_is_not_made_unless_asked),
        TEST(one_process_opens_it_once),
        TEST(a_newer_format_is_refused),
        TEST(another_programs_data_is_refused),
        TEST(what_is_no_lmdb_file_is_refused),
        TEST(an_environment_without_identity_is_finished),
        TEST(a_truncated_file_is_refused),
        TEST(a_damaged_file_is_judged_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
