/* Writes parameters and their tables: as JSON, as the flags of a command, as the schema for a page. */
#include "hotkey/parameters_parts.h"

static void write_value(const struct lab_parameter *row, const struct lab_parameters *parameters,
                        struct json_writer *writer) {
    const char *member = lab_member_at(row, parameters);
    int64_t integer = 0;
    double real = 0;
    switch (row->type) {
    case LAB_INTEGER:
        memcpy(&integer, member, sizeof integer);
        json_integer(writer, integer);
        break;
    case LAB_REAL:
        memcpy(&real, member, sizeof real);
        json_double(writer, real);
        break;
    case LAB_CHOICE:
        memcpy(&integer, member, sizeof integer);
        json_text(writer, row->choices[integer]);
        break;
    case LAB_TEXT: json_text(writer, member); break;
    }
}

void lab_parameters_write(const struct lab_parameters *parameters, struct json_writer *writer) {
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    json_begin_object(writer);
    for (size_t i = 0; i < count; i++) {
        json_key(writer, rows[i].name);
        write_value(&rows[i], parameters, writer);
    }
    json_end_object(writer);
}

/* --- flags --- */

/* A value on the command line: JSON without the quotes; names of choices and profiles need none. */
static void put_plain(const struct lab_parameter *row, const struct lab_parameters *parameters, struct buffer *out) {
    struct json_writer writer;
    if (row->type == LAB_TEXT) {
        buffer_put_text(out, lab_member_at(row, parameters));
    } else if (row->type == LAB_CHOICE) {
        int64_t choice;
        memcpy(&choice, lab_member_at(row, parameters), sizeof choice);
        buffer_put_text(out, row->choices[choice]);
    } else {
        json_writer_init(&writer, out);
        write_value(row, parameters, &writer);
    }
}

static bool is_same(const struct lab_parameter *row, const struct lab_parameters *a, const struct lab_parameters *b) {
    double x, y;
    if (row->type != LAB_REAL) return memcmp(lab_member_at(row, a), lab_member_at(row, b), sizeof(int64_t)) == 0;
    memcpy(&x, lab_member_at(row, a), sizeof x);
    memcpy(&y, lab_member_at(row, b), sizeof y);
    return x == y;
}

void lab_parameters_write_flags(const struct lab_parameters *parameters, struct buffer *out) {
    struct lab_parameters defaults;
    enum status status = lab_parameters_default(parameters->profile, &defaults);
    if (status != STATUS_OK) lab_parameters_init(&defaults); /* without memory: over those of "default" */
    buffer_printf(out, " --profile %s", defaults.profile);
    size_t count;
    const struct lab_parameter *rows = lab_parameter_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type == LAB_TEXT || is_same(&rows[i], parameters, &defaults)) continue;
        buffer_put_text(out, " --");
        for (const char *at = rows[i].name; *at; at++)
            buffer_put_char(out, *at == '_' ? '-' : *at);
        buffer_put_char(out, ' ');
        put_plain(&rows[i], parameters, out);
    }
}

/* --- the schema --- */

static void write_choices(const struct lab_parameter *row, struct json_writer *writer) {
    json_key(writer, "choices");
    if (!row->choices) {
        json_null(writer);
        return;
    }
    json_begin_array(writer);
    for (int i = 0; row->choices[i]; i++)
        json_text(writer, row->choices[i]);
    json_end_array(writer);
}

static void write_bound(const char *key, const struct lab_parameter *row, double bound, struct json_writer *writer) {
    json_key(writer, key);
    if (row->choices)
        json_null(writer);
    else
        json_double(writer, bound);
}

static void write_row(const struct lab_parameter *row, const struct lab_parameters *defaults,
                      struct json_writer *writer) {
    static const char *const types[] = {
        [LAB_INTEGER] = "integer", [LAB_REAL] = "number", [LAB_CHOICE] = "choice", [LAB_TEXT] = "text"};
    json_begin_object(writer);
    json_key(writer, "name");
    json_text(writer, row->name);
    json_key(writer, "type");
    json_text(writer, types[row->type]);
    write_bound("minimum", row, row->minimum, writer);
    write_bound("maximum", row, row->maximum, writer);
    write_choices(row, writer);
    json_key(writer, "unit");
    json_text(writer, row->unit);
    json_key(writer, "default");
    write_value(row, defaults, writer);
    json_key(writer, "help");
    json_text(writer, row->help);
    json_key(writer, "basic");
    json_bool(writer, row->is_basic);
    json_end_object(writer);
}

static void write_profile(const struct lab_profile *profile, struct json_writer *writer) {
    struct lab_parameters parameters;
    json_begin_object(writer);
    json_key(writer, "name");
    json_text(writer, profile->name);
    json_key(writer, "title");
    json_text(writer, profile->title);
    json_key(writer, "text");
    json_text(writer, profile->text);
    json_key(writer, "parameters");
    enum status status = lab_parameters_default(profile->name, &parameters);
    if (status == STATUS_OK)
        lab_parameters_write(&parameters, writer);
    else
        writer->buffer->status = status;
    json_end_object(writer);
}

void lab_parameters_write_schema(struct json_writer *writer) {
    struct lab_parameters defaults;
    size_t rows_count, profiles_count;
    const struct lab_parameter *rows = lab_parameter_table(&rows_count);
    const struct lab_profile *profiles = lab_profile_table(&profiles_count);
    lab_parameters_init(&defaults);
    json_begin_object(writer);
    json_key(writer, "parameters");
    json_begin_array(writer);
    for (size_t i = 0; i < rows_count; i++)
        write_row(&rows[i], &defaults, writer);
    json_end_array(writer);
    json_key(writer, "profiles");
    json_begin_array(writer);
    for (size_t i = 0; i < profiles_count; i++)
        write_profile(&profiles[i], writer);
    json_end_array(writer);
    json_end_object(writer);
}
