/* The profiles: kinds of traffic with a name, each with what one should see in it and why. */
#include "hotkey/parameters_parts.h"

/* The overrides are small: one block of the arena holds the tree of each. */
#define OVERRIDES_ARENA_SIZE 16384

static const struct lab_profile table[] = {
    {"default", "One hot key",
     "Fifty clients touch the same key every 10 ms while ten others take any of ten keys every 100 ms: 98 % of all "
     "operations meet on one key. The detector names it in the first second. Redis runs one command after the other, "
     "so the normal clients wait in the same queue as the hot ones, and their times are the same: a hot key is "
     "everybody's matter. At 5,100 operations a second a server is far from its limit, so all times should be small; "
     "raise hot_clients until they are not.",
     "{}"},
    {"celebrity", "A celebrity's page",
     "Everybody reads one large value, hardly anybody writes it: the page of somebody famous. Look at the network: the "
     "server sends some 40 MB a second, nearly all of it one value of 4 KiB, and that, not the number of operations, "
     "is "
     "what fills a link or a core. In a cluster one node would carry it alone while the others idle, since a key lives "
     "on one node. Response times rise for everyone together. Almost all is reading, so a copy close to the reader "
     "would take nearly all of this load away.",
     "{\"hot_clients\":200,\"hot_rate\":50,\"hot_arrival\":\"poisson\",\"hot_read_ratio\":0.99,\"hot_share\":0.95,"
     "\"normal_clients\":50,\"normal_rate\":20,\"normal_arrival\":\"poisson\",\"normal_keys\":\"zipf\",\"keys\":10000,"
     "\"value_bytes\":4096}"},
    {"flash_sale", "A flash sale",
     "All at once a hundred clients fetch and write the stock of three articles, ten operations each, then there is a "
     "rest of half a second: the mean is a modest 2,000 a second, and yet a thousand come in one moment. The server's "
     "own service times stay short, but whoever is last in the burst waits for all before it: compare response time "
     "with service time, and p99 with p50. A mean over a second shows nothing of this. Half of the operations write, "
     "so copies of the value would go stale at once.",
     "{\"hot_clients\":100,\"hot_rate\":20,\"hot_arrival\":\"burst\",\"burst_size\":10,\"hot_read_ratio\":0.5,"
     "\"hot_keys\":3,\"normal_clients\":50,\"normal_rate\":20,\"normal_arrival\":\"poisson\",\"normal_keys\":\"zipf\","
     "\"keys\":1000}"},
    {"cache_stampede", "A cache stampede",
     "The hot key expires every two seconds, and a miss costs 200 ms behind the cache. In these 200 ms nobody finds "
     "the "
     "value, so each of the readers, 5,000 a second, goes behind the cache for the very same thing: watch the calls "
     "that "
     "are at the back end at one time jump to about a thousand, where one would do. The hit ratio still looks good, "
     "about 90 %, and p50 says that nothing is wrong; p99 is the full cost of a miss. All reads, so nothing but the "
     "expiry causes it.",
     "{\"hot_clients\":100,\"hot_rate\":50,\"hot_arrival\":\"poisson\",\"hot_read_ratio\":1,\"normal_clients\":20,"
     "\"normal_arrival\":\"poisson\",\"normal_read_ratio\":1,\"keys\":100,\"ttl_s\":2,\"miss_cost_us\":200000}"},
    {"moving_hotspot", "A hot spot that moves",
     "Every five seconds two other keys become the hot ones: news, a trend, a new product. The list of hot keys must "
     "turn over with them. A detector that counts since the start would name yesterday's keys for a long time; this "
     "one "
     "counts each second anew, so a new hot key is named within two windows. In the second of the change precision and "
     "recall may drop, as that window holds the old keys and the new ones.",
     "{\"hot_arrival\":\"poisson\",\"hot_keys\":2,\"hot_shift_s\":5,\"hot_share\":0.9,\"normal_clients\":50,"
     "\"normal_rate\":20,\"normal_arrival\":\"poisson\",\"normal_keys\":\"uniform\",\"keys\":1000}"},
    {"zipf", "Popularity by Zipf's law",
     "No hot clients at all: 10,000 operations a second over 100,000 keys, taken by popularity as in YCSB (s = 0.99). "
     "Even so the first key gets about 8 % of everything and some seven keys get 1 % or more each, while most are "
     "hardly "
     "seen in a second: skew makes hot keys without anybody's intention. Those near the 1 % line come and go by "
     "chance from window to window. Memory is spread over all keys, load is not: compare the hot key's share of the "
     "operations with its share of the memory.",
     "{\"hot_clients\":0,\"normal_clients\":50,\"normal_rate\":200,\"normal_arrival\":\"poisson\",\"normal_keys\":"
     "\"zipf\",\"keys\":100000}"},
};

const struct lab_profile *lab_profile_table(size_t *count_out) {
    *count_out = sizeof table / sizeof *table;
    return table;
}

const struct lab_profile *lab_profile_find(struct bytes name) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (bytes_equal(name, bytes_of(table[i].name))) return &table[i];
    return NULL;
}

static enum status override(const struct lab_profile *profile, struct arena *arena, struct lab_parameters *parameters) {
    struct json_value *object;
    enum status status = json_read(bytes_of(profile->overrides), arena, &object, NULL);
    if (status != STATUS_OK) return status;
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    for (const struct json_value *member = object->first; member; member = member->next) {
        int row = lab_parameter_find(member->key);
        if (row < 0 || !lab_parameter_set(&rows[row], member, parameters)) return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status lab_parameters_default(const char *name, struct lab_parameters *parameters_out) {
    const struct lab_profile *profile = lab_profile_find(bytes_of(name));
    if (!profile) return STATUS_NOT_FOUND;
    struct lab_parameters parameters;
    lab_parameters_init(&parameters);
    memcpy(parameters.profile, profile->name, strlen(profile->name) + 1);
    struct arena arena;
    arena_init(&arena, OVERRIDES_ARENA_SIZE, OVERRIDES_ARENA_SIZE);
    enum status status = override(profile, &arena, &parameters);
    arena_free(&arena);
    if (status == STATUS_OK) *parameters_out = parameters;
    return status;
}
