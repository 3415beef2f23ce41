/* The tables of a result's fields: JSON members, CSV columns and lines of plots are made from them. */
#include <stddef.h>

#include "hotkey/report.h"

const char *const lab_class_names[LAB_CLASSES] = {"hot", "normal"};
const char *const lab_time_names[LAB_TIMES] = {"response", "service"};
const char *const lab_target_names[] = {"up", "slow", "down", "frozen"};
const char *const lab_end_names[] = {"duration", "stopped", "target_lost", "failed"};

#define TABLE(items_)                                                                                                  \
    { items_, sizeof(items_) / sizeof(items_)[0] }

#define COUNTS(member) LAB_FIELD(#member, LAB_FIELD_COUNT, struct lab_class_counts, member)
static const struct lab_field counts[] = {
    COUNTS(offered), COUNTS(sent),   COUNTS(completed), COUNTS(failed), COUNTS(dropped),
    COUNTS(reads),   COUNTS(writes), COUNTS(hits),      COUNTS(misses),
};
const struct lab_fields lab_count_fields = TABLE(counts);

#define TIMES(name, member) LAB_FIELD(name, LAB_FIELD_MS, struct lab_times, member)
static const struct lab_field times[] = {
    LAB_FIELD("count", LAB_FIELD_COUNT, struct lab_times, count),
    TIMES("p50_ms", p50_ns),
    TIMES("p90_ms", p90_ns),
    TIMES("p99_ms", p99_ns),
    TIMES("p999_ms", p999_ns),
    TIMES("p9999_ms", p9999_ns),
    TIMES("max_ms", max_ns),
    LAB_FIELD("mean_ms", LAB_FIELD_REAL_MS, struct lab_times, mean_ns),
};
const struct lab_fields lab_time_fields = TABLE(times);

static const struct lab_field backend[] = {
    LAB_FIELD("calls", LAB_FIELD_COUNT, struct lab_second, backend_calls),
    LAB_FIELD("at_once", LAB_FIELD_COUNT, struct lab_second, backend_at_once),
    LAB_FIELD("fills", LAB_FIELD_COUNT, struct lab_second, fills),
};
const struct lab_fields lab_backend_fields = TABLE(backend);

static const struct lab_field generator[] = {
    LAB_FIELD("late_p99_ms", LAB_FIELD_MS, struct lab_second, late_p99_ns),
    LAB_FIELD("late_max_ms", LAB_FIELD_MS, struct lab_second, late_max_ns),
    LAB_FIELD("behind", LAB_FIELD_COUNT, struct lab_second, behind),
    LAB_FIELD("cpu_share", LAB_FIELD_REAL, struct lab_second, client_cpu_share),
};
const struct lab_fields lab_generator_fields = TABLE(generator);

#define SERVER(member, type) LAB_FIELD(#member, type, struct lab_server, member)
static const struct lab_field server[] = {
    SERVER(ops_per_second, LAB_FIELD_REAL),
    SERVER(cpu_share, LAB_FIELD_REAL),
    SERVER(used_memory_bytes, LAB_FIELD_INTEGER),
    SERVER(clients, LAB_FIELD_INTEGER),
    SERVER(keys, LAB_FIELD_INTEGER),
    SERVER(evicted, LAB_FIELD_INTEGER),
    SERVER(expired, LAB_FIELD_INTEGER),
    SERVER(hit_ratio, LAB_FIELD_REAL),
    SERVER(network_in_bytes, LAB_FIELD_REAL),
    SERVER(network_out_bytes, LAB_FIELD_REAL),
};
const struct lab_fields lab_server_fields = TABLE(server);

#define DETECTION(member, type) LAB_FIELD(#member, type, struct lab_detection, member)
static const struct lab_field detection[] = {
    DETECTION(hot_found, LAB_FIELD_COUNT), DETECTION(hot_true, LAB_FIELD_COUNT), DETECTION(hot_both, LAB_FIELD_COUNT),
    DETECTION(precision, LAB_FIELD_REAL),  DETECTION(recall, LAB_FIELD_REAL),    DETECTION(rank_error, LAB_FIELD_REAL),
};
const struct lab_fields lab_detection_fields = TABLE(detection);

static double read_unsigned(const char *at, size_t size) {
    uint32_t narrow;
    uint64_t wide;
    if (size == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return (double)wide;
}

double lab_field_read(const struct lab_field *field, const void *from) {
    const char *at = (const char *)from + field->offset;
    if (field->type == LAB_FIELD_COUNT) return read_unsigned(at, field->size);
    double real;
    int64_t integer;
    if (field->type == LAB_FIELD_REAL || field->type == LAB_FIELD_REAL_MS) {
        memcpy(&real, at, sizeof real);
    } else {
        memcpy(&integer, at, sizeof integer);
        real = (double)integer;
    }
    if (!isfinite(real) || real < 0) return NAN;
    return field->type == LAB_FIELD_MS || field->type == LAB_FIELD_REAL_MS ? real / 1e6 : real;
}
