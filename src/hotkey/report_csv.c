/* The seconds of a run as CSV (RFC 4180): a line for each, a column for each figure; what is not known is empty. */
#include <stdio.h>

#include "hotkey/report.h"

#define DECIMALS 6
#define DECIMALS_MS 3   /* whole us: a day's table has to stay below the 64 MiB that are read of a file */
#define NUMBER_SIZE 340 /* of any double with so many decimals */

/* Fields of one struct as columns "hot_offered", "hot_response_p50_ms": prefix and name. */
struct group {
    const char *prefix;
    const struct lab_fields *fields;
    size_t offset; /* of the struct in the second */
    bool is_times, is_server;
};
#define GROUP(prefix, fields, member)                                                                                  \
    { (prefix), &(fields), offsetof(struct lab_second, member) }
#define TIMES(prefix, member)                                                                                          \
    { (prefix), &lab_time_fields, offsetof(struct lab_second, member), .is_times = true }
static const struct group groups[] = {
    GROUP("hot_", lab_count_fields, counts[LAB_HOT]),
    TIMES("hot_response_", times[LAB_HOT][LAB_RESPONSE]),
    TIMES("hot_service_", times[LAB_HOT][LAB_SERVICE]),
    GROUP("normal_", lab_count_fields, counts[LAB_NORMAL]),
    TIMES("normal_response_", times[LAB_NORMAL][LAB_RESPONSE]),
    TIMES("normal_service_", times[LAB_NORMAL][LAB_SERVICE]),
    TIMES("all_response_", all[LAB_RESPONSE]),
    TIMES("all_service_", all[LAB_SERVICE]),
    {"backend_", &lab_backend_fields, 0},
    {"generator_", &lab_generator_fields, 0},
    {"server_", &lab_server_fields, offsetof(struct lab_second, server), .is_server = true},
    GROUP("detection_", lab_detection_fields, detection),
};

/* What stands alone, after the groups. The key's value is not among it: a table is no place for foreign bytes. */
static const char last_columns[] = "detection_operations,found_first,true_first,hot_key,hot_key_memory_bytes,"
                                   "hot_key_frequency,hot_key_value_bytes,target,target_error\r\n";

/* Nothing for NAN. */
static void put_number(struct buffer *out, double value, int decimals) {
    if (isnan(value)) return;
    if (value == trunc(value) && fabs(value) <= (double)JSON_INTEGER_MAX) {
        buffer_put_int(out, (int64_t)value);
        return;
    }
    char text[NUMBER_SIZE];
    int size = snprintf(text, sizeof text, "%.*f", decimals, value);
    while (size > 0 && text[size - 1] == '0')
        size--;
    if (size > 0 && text[size - 1] == '.') size--;
    buffer_put(out, (struct bytes){text, (size_t)size});
}

static void put_last(struct buffer *out, bool is_known, double value) {
    put_number(out, is_known && value >= 0 ? value : NAN, DECIMALS);
    buffer_put_char(out, ',');
}

/* Quoted; a text that a spreadsheet would compute ("=1+1") gets an apostrophe before it. */
static void put_text(struct buffer *out, const char *text) {
    struct buffer clean;
    buffer_init(&clean, strlen(text));
    lab_put_printable(&clean, text);
    if (clean.status != STATUS_OK && out->status == STATUS_OK) out->status = clean.status;
    buffer_put_char(out, '"');
    if (clean.size > 0 && strchr("=+-@", clean.data[0])) buffer_put_char(out, '\'');
    for (size_t i = 0; i < clean.size; i++) {
        if (clean.data[i] == '"') buffer_put_char(out, '"');
        buffer_put_char(out, clean.data[i]);
    }
    buffer_put_char(out, '"');
    buffer_free(&clean);
}

static void put_header(struct buffer *out) {
    buffer_put_text(out, "second,length_s,");
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        for (size_t k = 0; k < groups[i].fields->count; k++) {
            buffer_put_text(out, groups[i].prefix);
            buffer_put_text(out, groups[i].fields->items[k].name);
            buffer_put_char(out, ',');
        }
    }
    buffer_put_text(out, last_columns);
}

static void put_group(struct buffer *out, const struct group *group, const struct lab_second *second) {
    const char *from = (const char *)second + group->offset;
    bool is_known = !group->is_server || second->server.is_known;
    bool is_empty = group->is_times && ((const struct lab_times *)(const void *)from)->count == 0;
    for (size_t i = 0; i < group->fields->count; i++) {
        const struct lab_field *field = &group->fields->items[i];
        bool is_ms = field->type == LAB_FIELD_MS || field->type == LAB_FIELD_REAL_MS;
        if (is_known && !(is_empty && is_ms))
            put_number(out, lab_field_read(field, from), is_ms ? DECIMALS_MS : DECIMALS);
        buffer_put_char(out, ',');
    }
}

static void put_second(struct buffer *out, const struct lab_second *second) {
    const struct lab_detection *detection = &second->detection;
    const struct lab_hot_key *key = &second->hot_key;
    buffer_put_int(out, second->second);
    buffer_put_char(out, ',');
    put_last(out, true, second->length_s);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        put_group(out, &groups[i], second);
    put_last(out, true, (double)detection->operations);
    put_last(out, detection->found_count > 0, detection->found[0].key);
    put_last(out, detection->true_count > 0, detection->truth[0].key);
    put_last(out, key->is_known, key->key);
    put_last(out, key->is_known, (double)key->memory_bytes);
    put_last(out, key->is_known, (double)key->frequency);
    put_last(out, key->is_known, (double)key->value_bytes);
    buffer_put_text(out, lab_target_names[second->target]);
    buffer_put_char(out, ',');
    if (second->target_error[0]) put_text(out, second->target_error);
    buffer_put_text(out, "\r\n");
}

void lab_result_write_csv(const struct lab_result *result, struct buffer *out) {
    put_header(out);
    for (size_t i = 0; i < result->second_count; i++)
        put_second(out, &result->seconds[i]);
}
