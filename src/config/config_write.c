/* What `orderly config` prints: every setting, as a table for people or as JSON. */
#include <stdio.h>

#include "base/json.h"
#include "config/internal.h"

#define VALUE_COLUMNS_MAX 32 /* a longer value moves its own line only */

static const char *shown_value(const struct config *config, size_t i) {
    const char *text = config->values[i].text;
    return config->settings[i].secret && text[0] ? "***" : text;
}

static void write_json(const struct config *config, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_array(&writer);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char source[ORIGIN_TEXT_SIZE];
        origin_format(&config->origins[i], source);
        json_begin_object(&writer);
        json_key(&writer, "name");
        json_text(&writer, config->settings[i].name);
        json_key(&writer, "value");
        json_text(&writer, shown_value(config, i));
        json_key(&writer, "source");
        json_text(&writer, source);
        json_key(&writer, "default");
        json_text(&writer, config->settings[i].default_value);
        json_key(&writer, "secret");
        json_bool(&writer, config->settings[i].secret);
        json_key(&writer, "help");
        json_text(&writer, config->settings[i].help);
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
        for (size_t i = 0; i < SETTING_COUNT; i++) {
            char source[ORIGIN_TEXT_SIZE];
            const char *value = shown_value(config, i);
            const char *texts[3] = {config->settings[i].name, value[0] ? value : "-", source};
            origin_format(&config->origins[i], source);
            if (pass == 1) put_row(out, texts, config->settings[i].help, columns);
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
