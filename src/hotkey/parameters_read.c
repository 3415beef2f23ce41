/* Reads parameters from a JSON object or from flags over the defaults of a profile, and names all that is wrong. */
#include "hotkey/parameters_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAG_SIZE_MAX 64 /* a longer one is no name of ours */

struct reader {
    struct lab_parameters parameters;
    struct lab_problems *problems;
    bool is_flags;
    bool is_given[LAB_PARAMETERS], is_bad[LAB_PARAMETERS];
};

/* --- problems --- */

/* Names come from outside: what is not printable ASCII shows as '?', and a cut cannot break a character. */
static void copy_name(struct bytes name, char *out, size_t size) {
    size_t used = name.size < size - 1 ? name.size : size - 1;
    for (size_t i = 0; i < used; i++)
        out[i] = name.data[i] > ' ' && name.data[i] < 0x7f ? name.data[i] : '?';
    out[used] = '\0';
}

static void add_problem(struct reader *reader, struct bytes name, const char *detail) {
    struct lab_problems *problems = reader->problems;
    if (problems->count == LAB_PROBLEMS_MAX) return;
    struct lab_problem *problem = &problems->items[problems->count++];
    copy_name(name, problem->name, sizeof problem->name);
    snprintf(problem->detail, sizeof problem->detail, "%s", detail);
}

/* A problem with a parameter of ours, named as it is written where it comes from. */
static void add_problem_of(void *data, const char *name, const char *detail) {
    struct reader *reader = data;
    char shown[FLAG_SIZE_MAX];
    snprintf(shown, sizeof shown, "%s%s", reader->is_flags ? "--" : "", name);
    for (char *at = shown; reader->is_flags && *at; at++)
        if (*at == '_') *at = '-';
    add_problem(reader, bytes_of(shown), detail);
}

/* --- one parameter --- */

static bool is_letter_apart(struct bytes a, const char *b) {
    size_t size = strlen(b), same_head = 0, same_tail = 0;
    size_t shorter = a.size < size ? a.size : size, longer = a.size < size ? size : a.size;
    while (same_head < shorter && a.data[same_head] == b[same_head])
        same_head++;
    while (same_tail < shorter - same_head && a.data[a.size - 1 - same_tail] == b[size - 1 - same_tail])
        same_tail++;
    return longer - same_head - same_tail <= 2;
}

/* The name that differs by two letters side by side at most, or that it begins, or NULL: what was probably meant. */
static const char *similar_name(struct bytes name) {
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    for (size_t i = 0; i < count; i++) {
        bool begins = name.size >= 3 && strncmp(rows[i].name, name.data, name.size) == 0;
        if (begins || is_letter_apart(name, rows[i].name)) return rows[i].name;
    }
    return NULL;
}

static void refuse_unknown(struct reader *reader, struct bytes shown, struct bytes name) {
    char detail[sizeof(struct lab_problem){0}.detail];
    const char *similar = similar_name(name);
    snprintf(detail, sizeof detail, "is not a parameter of the lab%s%s%s", similar ? "; " : "", similar ? similar : "",
             similar ? " is one" : "");
    add_problem(reader, shown, detail);
}

static void set(struct reader *reader, int row, const struct json_value *value) {
    size_t count;
    const struct lab_parameter *parameter = &lab_parameter_table(&count)[row];
    if (lab_parameter_set(parameter, value, &reader->parameters)) return;
    char detail[sizeof(struct lab_problem){0}.detail];
    lab_parameter_rule(parameter, detail, sizeof detail);
    add_problem_of(reader, parameter->name, detail);
    reader->is_bad[row] = true;
}

/* Begins with the defaults of the profile that is named, as all else is read over these. */
static enum status start(struct reader *reader, struct lab_problems *problems, bool is_flags,
                         const struct json_value *profile) {
    *reader = (struct reader){.problems = problems, .is_flags = is_flags};
    problems->count = 0;
    const struct lab_profile *named = NULL;
    if (profile && profile->kind == JSON_STRING) named = lab_profile_find(profile->string);
    return lab_parameters_default(named ? named->name : "default", &reader->parameters);
}

static enum status finish(struct reader *reader, struct lab_parameters *parameters_out) {
    lab_parameters_check(&reader->parameters, reader->is_bad, add_problem_of, reader);
    if (reader->problems->count > 0) return STATUS_INVALID;
    *parameters_out = reader->parameters;
    return STATUS_OK;
}

/* --- JSON --- */

enum status lab_parameters_read(const struct json_value *object, struct lab_parameters *parameters_out,
                                struct lab_problems *problems_out) {
    struct reader reader;
    enum status status = start(&reader, problems_out, false, json_member(object, "profile"));
    if (status != STATUS_OK) return status;
    if (object && object->kind != JSON_OBJECT) {
        add_problem(&reader, BYTES(""), "must be a JSON object");
        return STATUS_INVALID;
    }
    for (const struct json_value *member = object ? object->first : NULL; member; member = member->next) {
        int row = lab_parameter_find(member->key);
        if (row < 0)
            refuse_unknown(&reader, member->key, member->key);
        else
            set(&reader, row, member);
    }
    return finish(&reader, parameters_out);
}

/* --- flags --- */

/* One flag and its value: "--name value" or "--name=value". */
struct flag {
    struct bytes shown;       /* "--hot-clients", as it was given */
    char name[FLAG_SIZE_MAX]; /* "hot_clients"; "" if it is no flag at all */
    const char *value;        /* NULL: none was given */
};

/* Reads the flag at *at and moves on behind it. */
static struct flag next_flag(char *const **at) {
    const char *text = *(*at)++;
    struct flag flag = {.shown = {text, strcspn(text, "=")}};
    if (strncmp(text, "--", 2) != 0) return flag;
    size_t size = flag.shown.size - 2;
    for (size_t i = 0; i < size && i < sizeof flag.name - 1; i++)
        flag.name[i] = text[2 + i] == '-' ? '_' : text[2 + i];
    if (text[flag.shown.size] == '=')
        flag.value = text + flag.shown.size + 1;
    else if (**at && strncmp(**at, "--", 2) != 0)
        flag.value = *(*at)++;
    return flag;
}

/* The text as the kind of value that the row takes; what is no number stays a string, and is refused as one. */
static struct json_value value_of(const struct lab_parameter *row, const char *text) {
    struct json_value value = {.kind = JSON_STRING, .string = bytes_of(text)};
    bool is_number = (row->type == LAB_INTEGER || row->type == LAB_REAL) && *text &&
                     text[strspn(text, "0123456789+-.eE")] == '\0' && isdigit((unsigned char)text[strlen(text) - 1]);
    if (!is_number) return value;
    char *end;
    double number = strtod(text, &end);
    if (*end || !isfinite(number)) return value;
    value.kind = JSON_NUMBER;
    value.is_integer = number == trunc(number) && fabs(number) <= (double)JSON_INTEGER_MAX;
    if (value.is_integer)
        value.integer = (int64_t)number;
    else
        value.number = number;
    return value;
}

static void read_flag(struct reader *reader, const struct flag *flag) {
    if (flag->name[0] == '\0') {
        add_problem(reader, flag->shown, "is not a flag: flags look like --hot-clients 50");
        return;
    }
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    int row = lab_parameter_find(bytes_of(flag->name));
    if (row < 0) {
        refuse_unknown(reader, flag->shown, bytes_of(flag->name));
        return;
    }
    if (!flag->value || reader->is_given[row]) {
        add_problem(reader, flag->shown, flag->value ? "is given twice" : "needs a value");
        reader->is_bad[row] = true;
        return;
    }
    reader->is_given[row] = true;
    struct json_value value = value_of(&rows[row], flag->value);
    set(reader, row, &value);
}

static const char *profile_of(char *const *flags) {
    while (*flags) {
        struct flag flag = next_flag(&flags);
        if (strcmp(flag.name, "profile") == 0) return flag.value;
    }
    return NULL;
}

enum status lab_parameters_read_flags(char *const *flags, struct lab_parameters *parameters_out,
                                      struct lab_problems *problems_out) {
    struct reader reader;
    const char *name = profile_of(flags);
    struct json_value profile = {.kind = JSON_STRING, .string = bytes_of(name ? name : "default")};
    enum status status = start(&reader, problems_out, true, &profile);
    if (status != STATUS_OK) return status;
    while (*flags) {
        struct flag flag = next_flag(&flags);
        read_flag(&reader, &flag);
    }
    return finish(&reader, parameters_out);
}
