/* The schedule: what is drawn once from the seed, and each client's own sequence of times, keys and kinds.
 *
 * For each operation a client draws three numbers, whether they are needed or not: the gap before the next one, the
 * choice (read or write, hot or not) and the key. So runs that differ in the arrival, the ratios or the distribution
 * still share all else, and what differs in their figures is the doing of that one parameter. */
#include "hotkey/schedule_parts.h"

#include <math.h>
#include <stdlib.h>

#include "hotkey/keys.h"

#define SECOND_NS 1e9
#define SCALE 4294967296.0 /* ratios are compared with 32 random bits; 2^32 is always */

/* What is drawn from the seed beside the clients' sequences has numbers of its own, above those of all clients. */
enum { STREAM_SHUFFLE = 1 << 30, STREAM_BURST, STREAM_PHASE };

struct schedule_class {
    int64_t arrival;
    double period_ns;       /* between two operations of a client, in the mean */
    double burst_period_ns; /* between two bursts */
    double burst_phase;     /* 0 to 1: where in the period they lie */
    int64_t pause_ns;       /* CLOSED */
    uint64_t read_below;    /* of 2^32 */
    uint64_t hot_below;     /* of 2^32; 0 for normal clients */
};

struct lab_schedule {
    struct lab_parameters parameters;
    uint64_t seed;       /* spread */
    uint64_t phase_seed; /* of the clients' phases */
    int64_t end_ns, shift_ns;
    struct schedule_class classes[LAB_CLASSES];
    struct rank_sampler hot, normal;
    struct shuffle shuffle;
};

/* The finaliser of SplitMix64: neighbouring numbers become strangers. */
static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Not symmetric in seed and stream: client 3 of seed 5 is nobody of another seed. */
static uint64_t stream_seed(const struct lab_schedule *schedule, uint64_t stream) {
    return mix(schedule->seed + stream * UINT64_C(0xd1342543de82ef95));
}

/* 0 to below 1 from 53 of the bits. */
static double fraction(uint64_t number) {
    return (double)(number >> 11) * 0x1p-53;
}

/* --- making one --- */

static void set_class(struct lab_schedule *schedule, enum lab_class number) {
    const struct lab_parameters *parameters = &schedule->parameters;
    const struct lab_class_parameters *from = &parameters->classes[number];
    struct schedule_class *class = &schedule->classes[number];
    class->arrival = from->arrival;
    class->period_ns = from->rate > 0 ? SECOND_NS / from->rate : 0;
    class->burst_period_ns = class->period_ns * (double)parameters->burst_size;
    class->burst_phase = fraction(mix(stream_seed(schedule, STREAM_BURST) + number));
    class->pause_ns = llround(class->period_ns);
    class->read_below = (uint64_t)llround(from->read_ratio * SCALE);
    class->hot_below = number == LAB_HOT ? (uint64_t)llround(parameters->hot_share * SCALE) : 0;
}

static enum status set_keys(struct lab_schedule *schedule) {
    const struct lab_parameters *parameters = &schedule->parameters;
    bool is_by_rank = parameters->normal_keys == LAB_KEYS_ZIPF || parameters->normal_keys == LAB_KEYS_LATEST;
    struct random_seeded random;
    random_seeded_init(&random, stream_seed(schedule, STREAM_SHUFFLE));
    enum status status = shuffle_init(&schedule->shuffle, (uint32_t)parameters->keys, &random);
    if (status != STATUS_OK) return status;
    status = rank_sampler_init(&schedule->hot, (uint32_t)parameters->hot_keys, parameters->zipf_s);
    if (status != STATUS_OK) return status;
    return rank_sampler_init(&schedule->normal, (uint32_t)parameters->keys, is_by_rank ? parameters->zipf_s : 0);
}

enum status lab_schedule_new(const struct lab_parameters *parameters, struct lab_schedule **schedule_out) {
    struct lab_schedule *schedule = calloc(1, sizeof *schedule);
    if (!schedule) return STATUS_NO_MEMORY;
    schedule->parameters = *parameters;
    schedule->seed = mix((uint64_t)parameters->seed + UINT64_C(0x9e3779b97f4a7c15));
    schedule->phase_seed = stream_seed(schedule, STREAM_PHASE);
    schedule->end_ns = llround(parameters->duration_s * SECOND_NS);
    schedule->shift_ns = llround(parameters->hot_shift_s * SECOND_NS);
    for (int class = 0; class < LAB_CLASSES; class ++)
        set_class(schedule, class);
    enum status status = set_keys(schedule);
    if (status != STATUS_OK) {
        lab_schedule_free(schedule);
        return status;
    }
    *schedule_out = schedule;
    return STATUS_OK;
}

void lab_schedule_free(struct lab_schedule *schedule) {
    if (!schedule) return;
    rank_sampler_free(&schedule->hot);
    rank_sampler_free(&schedule->normal);
    shuffle_free(&schedule->shuffle);
    free(schedule);
}

const struct lab_parameters *lab_schedule_parameters(const struct lab_schedule *schedule) {
    return &schedule->parameters;
}

uint32_t lab_schedule_clients(const struct lab_schedule *schedule) {
    return (uint32_t)(schedule->parameters.classes[LAB_HOT].clients + schedule->parameters.classes[LAB_NORMAL].clients);
}

int64_t lab_schedule_end_ns(const struct lab_schedule *schedule) {
    return schedule->end_ns;
}

int64_t lab_schedule_pause_ns(const struct lab_schedule *schedule, enum lab_class class) {
    return schedule->classes[class].pause_ns;
}

/* --- the hot keys --- */

/* Where in the shuffled keys the hot ones of that time begin: each move goes on to the next so many. */
static uint32_t hot_begin(const struct lab_schedule *schedule, int64_t at_ns) {
    if (schedule->shift_ns == 0 || at_ns < 0) return 0;
    uint64_t moves = (uint64_t)(at_ns / schedule->shift_ns), keys = schedule->shuffle.count;
    return (uint32_t)(moves % keys * schedule->hot.count % keys);
}

static uint32_t hot_key(const struct lab_schedule *schedule, uint32_t rank, int64_t at_ns) {
    uint32_t place = hot_begin(schedule, at_ns) + rank;
    return schedule->shuffle.key_of[place < schedule->shuffle.count ? place : place - schedule->shuffle.count];
}

int lab_schedule_hot_rank(const struct lab_schedule *schedule, uint32_t key, int64_t at_ns) {
    uint32_t keys = schedule->shuffle.count;
    if (key >= keys) return -1;
    uint32_t place = schedule->shuffle.place_of[key], begin = hot_begin(schedule, at_ns);
    uint32_t rank = place >= begin ? place - begin : place + keys - begin;
    return rank < schedule->hot.count ? (int)rank : -1;
}

static uint32_t normal_key(const struct lab_schedule *schedule, uint64_t number) {
    uint32_t keys = schedule->shuffle.count;
    switch ((enum lab_distribution)schedule->parameters.normal_keys) {
    case LAB_KEYS_ZIPF: return schedule->shuffle.key_of[rank_sampler_draw(&schedule->normal, number)];
    case LAB_KEYS_HOTSPOT: return hotspot_draw(keys, number);
    case LAB_KEYS_LATEST: return keys - 1 - rank_sampler_draw(&schedule->normal, number);
    default: return rank_sampler_draw(&schedule->normal, number);
    }
}

/* --- a client --- */

/* Evenly spaced times are computed from the operation's number, not summed up: no rounding piles up over a day. */
static int64_t uniform_at(const struct lab_schedule *schedule, const struct lab_client *client) {
    double phase = fraction(mix(schedule->phase_seed + client->client));
    return (int64_t)((client->number + phase) * schedule->classes[client->class].period_ns);
}

static int64_t burst_at(const struct lab_schedule *schedule, struct lab_client *client) {
    const struct schedule_class *class = &schedule->classes[client->class];
    uint32_t size = (uint32_t)schedule->parameters.burst_size;
    if (client->burst_left-- > 0) return client->next_ns;
    client->burst_left = size - 1;
    uint32_t burst = client->number / size;
    return (int64_t)((burst + class->burst_phase) * class->burst_period_ns);
}

/* Exponential gaps (Poisson); the logarithm's argument is above 0 and at most 1. */
static int64_t poisson_at(const struct lab_schedule *schedule, const struct lab_client *client, uint64_t number) {
    double gap = -log(fraction(number) + 0x1p-53) * schedule->classes[client->class].period_ns;
    return client->next_ns + llround(gap);
}

/* When the operation of the client's present number is due. */
static void set_next(const struct lab_schedule *schedule, struct lab_client *client) {
    uint64_t number = random_seeded_next(&client->random);
    switch ((enum lab_arrival)schedule->classes[client->class].arrival) {
    case LAB_POISSON: client->next_ns = poisson_at(schedule, client, number); break;
    case LAB_BURST: client->next_ns = burst_at(schedule, client); break;
    case LAB_CLOSED: client->next_ns = client->number == 0 ? 0 : INT64_MAX; break;
    default: client->next_ns = uniform_at(schedule, client); break;
    }
}

void lab_client_init(const struct lab_schedule *schedule, uint32_t number, struct lab_client *client_out) {
    struct lab_client client = {.client = number};
    client.class = number < schedule->parameters.classes[LAB_HOT].clients ? LAB_HOT : LAB_NORMAL;
    random_seeded_init(&client.random, stream_seed(schedule, number));
    set_next(schedule, &client);
    *client_out = client;
}

bool lab_client_next(const struct lab_schedule *schedule, struct lab_client *client,
                     struct lab_operation *operation_out) {
    const struct schedule_class *class = &schedule->classes[client->class];
    if (client->next_ns >= schedule->end_ns) return false;
    uint64_t choice = random_seeded_next(&client->random), number = random_seeded_next(&client->random);
    bool is_hot = (uint32_t)choice < class->hot_below;
    *operation_out = (struct lab_operation){
        .at_ns = client->next_ns,
        .client = client->client,
        .number = client->number,
        .key = is_hot ? hot_key(schedule, rank_sampler_draw(&schedule->hot, number), client->next_ns)
                      : normal_key(schedule, number),
        .class = client->class,
        .kind = choice >> 32 < class->read_below ? LAB_READ : LAB_WRITE,
    };
    client->number++;
    set_next(schedule, client);
    return true;
}

void lab_client_answered(const struct lab_schedule *schedule, struct lab_client *client, int64_t at_ns) {
    const struct schedule_class *class = &schedule->classes[client->class];
    if (class->arrival == LAB_CLOSED) client->next_ns = at_ns + class->pause_ns;
}
