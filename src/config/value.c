/* Values of settings: from text to what the program uses, and back to one normal form. */
#include <ctype.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <strings.h>

#include "base/json.h"
#include "config/internal.h"

#define PORT_MAX 65535
#define PATTERN_SIZE 128

struct unit {
    const char *name;
    int64_t factor;
};

/* A number alone counts in the unit of factor 1. */
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1 << 10},
    {"MiB", 1 << 20},
    {"GiB", 1 << 30},
    {"TiB", INT64_C(1) << 40},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", INT64_C(1000000000000)},
    {NULL, 0},
};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* --- Text --- */

/* Values go into log lines, error texts and JSON: no control characters, valid UTF-8. */
static bool is_printable(struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) return false;
    }
    return json_utf8_is_valid(text);
}

/* OK if the whole text matches the pattern (or there is none), INVALID or NO_MEMORY. */
static enum status match(const char *pattern, const char *text) {
    if (!pattern) return STATUS_OK;
    char anchored[PATTERN_SIZE];
    regex_t regex;
    snprintf(anchored, sizeof anchored, "^(%s)$", pattern);
    if (regcomp(&regex, anchored, REG_EXTENDED | REG_NOSUB) != 0) return STATUS_NO_MEMORY; /* the table's are right */
    int result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return result == 0 ? STATUS_OK : result == REG_NOMATCH ? STATUS_INVALID : STATUS_NO_MEMORY;
}

static enum status copy_text(struct arena *arena, const char *text, const char **copy_out) {
    const char *copy = arena_copy(arena, (struct bytes){text, strlen(text) + 1}).data;
    if (!copy) return STATUS_NO_MEMORY;
    *copy_out = copy;
    return STATUS_OK;
}

static enum status parse_text(const struct setting *setting, const char *raw, struct arena *arena,
                              struct value *value) {
    int64_t size = (int64_t)strlen(raw);
    if (size < setting->minimum || size > setting->maximum) return STATUS_INVALID;
    if (!is_printable(bytes_of(raw))) return STATUS_INVALID;
    enum status status = match(setting->choices, raw);
    return status == STATUS_OK ? copy_text(arena, raw, &value->text) : status;
}

static enum status parse_choice(const struct setting *setting, const char *raw, struct arena *arena,
                                struct value *value) {
    size_t size = strlen(raw);
    for (const char *at = setting->choices; *at; at += *at == '|') {
        size_t choice_size = strcspn(at, "|");
        if (choice_size == size && strncasecmp(at, raw, size) == 0) {
            char *text = arena_calloc(arena, size + 1, 1);
            if (!text) return STATUS_NO_MEMORY;
            value->text = memcpy(text, at, size);
            return STATUS_OK;
        }
        at += choice_size;
    }
    return STATUS_INVALID;
}

/* --- Numbers --- */

/* Reads decimal digits; false if there are none or too many. */
static bool read_digits(const char **at, int64_t *out) {
    int64_t number = 0;
    if (!isdigit((unsigned char)**at)) return false;
    for (; isdigit((unsigned char)**at); ++*at) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, **at - '0', &number))
            return false;
    }
    *out = number;
    return true;
}

/* The normal form is the number as it was typed with its unit: who typed 60s finds 60s, not 1m. */
static enum status parse_number(const struct setting *setting, const char *raw, const struct unit *units,
                                struct arena *arena, struct value *value) {
    char text[32];
    int64_t number, total;
    if (!read_digits(&raw, &number)) return STATUS_INVALID;
    const struct unit *unit = units;
    while (*raw && unit->name && strcmp(raw, unit->name) != 0)
        unit++;
    if (!unit->name || __builtin_mul_overflow(number, unit->factor, &total)) return STATUS_INVALID;
    if (total < setting->minimum || total > setting->maximum) return STATUS_INVALID;
    snprintf(text, sizeof text, "%" PRId64 "%s", number, unit->name);
    value->integer = total;
    return copy_text(arena, text, &value->text);
}

static enum status parse_integer(const struct setting *setting, const char *raw, struct arena *arena,
                                 struct value *value) {
    return parse_number(setting, raw, no_units, arena, value);
}

static enum status parse_duration(const struct setting *setting, const char *raw, struct arena *arena,
                                  struct value *value) {
    return parse_number(setting, raw, duration_units, arena, value);
}

static enum status parse_size(const struct setting *setting, const char *raw, struct arena *arena,
                              struct value *value) {
    return parse_number(setting, raw, size_units, arena, value);
}

static enum status parse_boolean(const struct setting *setting, const char *raw, struct arena *arena,
                                 struct value *value) {
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (int i = 0; i < 8; i++) {
        if (strcasecmp(raw, words[i]) != 0) continue;
        value->integer = i % 2;
        value->text = words[i % 2];
        return STATUS_OK;
    }
    return STATUS_INVALID;
}

/* --- Lists --- */

#define LIST_ITEMS_MAX 64

struct list {
    const char *items[LIST_ITEMS_MAX];
    size_t count;
};

static enum status list_add(struct list *list, struct bytes item, struct arena *arena) {
    while (item.size > 0 && item.data[0] == ' ')
        item.data++, item.size--;
    while (item.size > 0 && item.data[item.size - 1] == ' ')
        item.size--;
    /* A comma would make two of it in the normal form. */
    if (item.size == 0 || list->count == LIST_ITEMS_MAX || memchr(item.data, ',', item.size)) return STATUS_INVALID;
    if (!is_printable(item)) return STATUS_INVALID;
    char *copy = arena_calloc(arena, item.size + 1, 1);
    if (!copy) return STATUS_NO_MEMORY;
    list->items[list->count++] = memcpy(copy, item.data, item.size);
    return STATUS_OK;
}

/* Port numbers may come as JSON numbers. */
static enum status list_add_json(struct list *list, const struct json_value *item, struct arena *arena) {
    char digits[32];
    if (item->kind == JSON_STRING) return list_add(list, item->string, arena);
    if (item->kind != JSON_NUMBER || !item->is_integer) return STATUS_INVALID;
    snprintf(digits, sizeof digits, "%" PRId64, item->integer);
    return list_add(list, bytes_of(digits), arena);
}

static enum status read_comma_list(struct list *list, const char *raw, struct arena *arena) {
    enum status status = STATUS_OK;
    for (const char *at = raw; *raw && status == STATUS_OK;) {
        size_t size = strcspn(at, ",");
        status = list_add(list, (struct bytes){at, size}, arena);
        if (at[size] == '\0') break;
        at += size + 1;
    }
    return status;
}

/* What is no JSON is a comma list: "[::1]:9092" begins like JSON, too. */
static enum status read_list(struct list *list, const char *raw, struct arena *arena) {
    struct json_value *value;
    enum status status = json_read(bytes_of(raw), arena, &value, NULL);
    if (status == STATUS_NO_MEMORY) return status;
    if (status != STATUS_OK || value->kind != JSON_ARRAY) return read_comma_list(list, raw, arena);
    for (const struct json_value *item = value->first; item && status == STATUS_OK; item = item->next)
        status = list_add_json(list, item, arena);
    return status;
}

/* Keeps the list and its normal form, the comma list. */
static enum status list_keep(const struct list *list, struct arena *arena, struct value *value) {
    size_t size = 1;
    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->items[i]) + 1;
    char *text = arena_calloc(arena, size, 1);
    const char **items = arena_calloc(arena, list->count + 1, sizeof *items);
    if (!text || !items) return STATUS_NO_MEMORY;
    char *to = text;
    for (size_t i = 0; i < list->count; i++) {
        items[i] = list->items[i];
        to = stpcpy(stpcpy(to, i > 0 ? "," : ""), items[i]);
    }
    value->text = text;
    value->items = items;
    value->count = list->count;
    return STATUS_OK;
}

static enum status parse_list(const struct setting *setting, const char *raw, struct arena *arena,
                              struct value *value) {
    struct list list = {.count = 0};
    enum status status = read_list(&list, raw, arena);
    if (status != STATUS_OK) return status;
    if ((int64_t)list.count < setting->minimum || (int64_t)list.count > setting->maximum) return STATUS_INVALID;
    for (size_t i = 0; i < list.count && status == STATUS_OK; i++)
        status = match(setting->choices, list.items[i]);
    return status == STATUS_OK ? list_keep(&list, arena, value) : status;
}

static enum status parse_ports(const struct setting *setting, const char *raw, struct arena *arena,
                               struct value *value) {
    struct setting row = {.minimum = setting->minimum, .maximum = setting->maximum, .choices = "0|[1-9][0-9]{0,4}"};
    struct value ports = {0};
    enum status status = parse_list(&row, raw, arena, &ports);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < ports.count; i++) {
        const char *digits = ports.items[i];
        int64_t port = 0;
        if (!read_digits(&digits, &port) || port > PORT_MAX) return STATUS_INVALID;
        for (size_t k = 0; k < i && port != 0; k++) {
            if (strcmp(ports.items[i], ports.items[k]) == 0) return STATUS_INVALID;
        }
    }
    *value = ports;
    return STATUS_OK;
}

/* --- Types --- */

/* The largest unit that leaves a whole number, for a range. */
static void format_bound(int64_t bound, const struct unit *units, char *out, size_t size) {
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name; unit++) {
        if (bound > 0 && bound % unit->factor == 0 && unit->factor > best->factor) best = unit;
    }
    snprintf(out, size, "%" PRId64 "%s", bound / best->factor, best->name);
}

static void rule_text(const struct setting *setting, char *out, size_t size) {
    int used =
        snprintf(out, size, "must be %" PRId64 " to %" PRId64 " printable bytes", setting->minimum, setting->maximum);
    if (setting->choices && used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, " that match %s", setting->choices);
}

static void rule_integer(const struct setting *setting, char *out, size_t size) {
    snprintf(out, size, "must be a whole number from %" PRId64 " to %" PRId64, setting->minimum, setting->maximum);
}

static void rule_boolean(const struct setting *setting, char *out, size_t size) {
    snprintf(out, size, "must be true or false (or 1, 0, yes, no, on, off)");
}

static void rule_with_units(const struct setting *setting, const struct unit *units, const char *examples, char *out,
                            size_t size) {
    char minimum[32], maximum[32];
    format_bound(setting->minimum, units, minimum, sizeof minimum);
    format_bound(setting->maximum, units, maximum, sizeof maximum);
    snprintf(out, size, "must be %s, from %s to %s", examples, minimum, maximum);
}

static void rule_duration(const struct setting *setting, char *out, size_t size) {
    rule_with_units(setting, duration_units, "a duration like 500ms, 10s, 5m, 1h or 7d", out, size);
}

static void rule_size(const struct setting *setting, char *out, size_t size) {
    rule_with_units(setting, size_units, "a size like 65536, 64KiB, 16MiB or 1GB", out, size);
}

static void rule_choice(const struct setting *setting, char *out, size_t size) {
    snprintf(out, size, "must be one of %s", setting->choices);
}

static void rule_list(const struct setting *setting, char *out, size_t size) {
    int used = snprintf(out, size, "must be a comma list or a JSON list of %" PRId64 " to %" PRId64 " texts",
                        setting->minimum, setting->maximum);
    if (setting->choices && used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, " that match %s", setting->choices);
}

static void rule_ports(const struct setting *setting, char *out, size_t size) {
    snprintf(out, size, "must be a list of %" PRId64 " to %" PRId64 " different port numbers up to %d",
             setting->minimum, setting->maximum, PORT_MAX);
}

static const struct {
    enum status (*parse)(const struct setting *setting, const char *raw, struct arena *arena, struct value *value);
    void (*rule)(const struct setting *setting, char *out, size_t size);
} types[] = {
    [SETTING_TEXT] = {parse_text, rule_text},          [SETTING_INTEGER] = {parse_integer, rule_integer},
    [SETTING_BOOLEAN] = {parse_boolean, rule_boolean}, [SETTING_DURATION] = {parse_duration, rule_duration},
    [SETTING_SIZE] = {parse_size, rule_size},          [SETTING_CHOICE] = {parse_choice, rule_choice},
    [SETTING_LIST] = {parse_list, rule_list},          [SETTING_PORTS] = {parse_ports, rule_ports},
};

enum status value_parse(const struct setting *setting, const char *raw, struct arena *arena, struct value *value_out) {
    struct value value = {.text = ""};
    enum status status = types[setting->type].parse(setting, raw, arena, &value);
    if (status == STATUS_OK) *value_out = value;
    return status;
}

void value_rule(const struct setting *setting, char *out, size_t size) {
    types[setting->type].rule(setting, out, size);
}
