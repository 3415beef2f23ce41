/* What `orderly config` prints: every setting and property, as a table for people or as JSON. */
#include <stdio.h>

#include "base/json.h"
#include "config/internal.h"

#define VALUE_COLUMNS_MAX 32 /* a longer value moves its own line only */

/* A line of the output: a setting, or behind them a property of librdkafka that is set. */
struct row {
    const char *name, *value, *default_value, *help;
    bool secret;
    char source[ORIGIN_TEXT_SIZE];
    char help_room[128];
};

static size_t row_count(const struct config *config) {
    return SETTING_COUNT + config->properties.count;
}

static void row_fill(const struct config *config, size_t i, struct row *row) {
    if (i < SETTING_COUNT) {
        const struct setting *setting = &config->settings[i];
        *row =
            (struct row){setting->name, config->values[i].text, setting->default_value, setting->help, setting->secret};
        origin_format(&config->origins[i], row->source);
    } else {
        const struct property *property = &config->properties.items[i - SETTING_COUNT];
        *row = (struct row){property->shown.setting, property->shown.value, "", row->help_room, property->secret};
        snprintf(row->help_room, sizeof row->help_room, "librdkafka's %s", property->shown.name);
        origin_format(&property->origin, row->source);
    }
    if (row->secret && row->value[0]) row->value = "***";
}

static void write_json(const struct config *config, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_array(&writer);
    for (size_t i = 0; i < row_count(config); i++) {
        struct row row;
        row_fill(config, i, &row);
        json_begin_object(&writer);
        json_key(&writer, "name"), json_text(&writer, row.name);
        json_key(&writer, "value"), json_text(&writer, row.value);
        json_key(&writer, "source"), json_text(&writer, row.source);
        json_key(&writer, "default"), json_text(&writer, row.default_value);
        json_key(&writer, "secret"), json_bool(&writer, row.secret);
        json_key(&writer, "help"), json_text(&writer, row.help);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    buffer_put_char(out, '\n');
}

/* Writes the text and blanks up to the column's width, at least two. */
static void put_column(struct buffer *out, const char *text, size_t columns) {
    size_t width = json_utf8_length(bytes_of(text));
    buffer_put_text(out, text);
    for (size_t blanks = width < columns ? columns - width : 0; blanks > 0; blanks--)
        buffer_put_char(out, ' ');
    buffer_put_text(out, "  ");
}

static void put_row(struct buffer *out, const char *const texts[3], const char *help, const size_t columns[3]) {
    for (int i = 0; i < 3; i++)
        put_column(out, texts[i], columns[i]);
    buffer_put_text(out, help);
    buffer_put_char(out, '\n');
}

static void write_table(const struct config *config, struct buffer *out) {
    size_t columns[3] = {0};
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) put_row(out, (const char *[]){"NAME", "VALUE", "SOURCE"}, "MEANING", columns);
        for (size_t i = 0; i < row_count(config); i++) {
            struct row row;
            row_fill(config, i, &row);
            const char *texts[3] = {row.name, row.value[0] ? row.value : "-", row.source};
            if (pass == 1) put_row(out, texts, row.help, columns);
            for (int k = 0; k < 3; k++) {
                size_t width = json_utf8_length(bytes_of(texts[k]));
                if (width > columns[k] && width <= VALUE_COLUMNS_MAX) columns[k] = width;
            }
        }
    }
}

void config_write(const struct config *config, bool json, struct buffer *out) {
    (json ? write_json : write_table)(config, out);
}
