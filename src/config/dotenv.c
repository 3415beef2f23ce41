/* The syntax of .env files: KEY=value lines as shells and Docker Compose read them, without expansion of $NAME.
 *
 * A value is bare (to the end of the line or " #"), in single quotes (literally) or in double quotes (with \n, \r, \t,
 * \", \\ and \$); quoted ones may span lines. Values are unescaped in place: they only get shorter. */
#include "config/internal.h"

struct reader {
    char *at, *end; /* *end is NUL */
    unsigned line;
    const char *reason;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_name_character(char c, bool first) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

static bool reader_fail(struct reader *reader, const char *reason) {
    reader->reason = reason;
    return false;
}

static void skip_blanks(struct reader *reader) {
    while (is_blank(*reader->at))
        reader->at++;
}

/* Reads the name and the "=", and ends the name with a NUL. */
static bool read_name(struct reader *reader, char **name_out) {
    if (strncmp(reader->at, "export", 6) == 0 && is_blank(reader->at[6])) {
        reader->at += 6;
        skip_blanks(reader);
    }
    char *name = reader->at;
    while (is_name_character(*reader->at, reader->at == name))
        reader->at++;
    char *name_end = reader->at;
    if (name_end == name) return reader_fail(reader, "expected NAME=value");
    skip_blanks(reader);
    if (*reader->at != '=') return reader_fail(reader, "expected = after the name");
    reader->at++;
    *name_end = '\0';
    *name_out = name;
    return true;
}

/* Returns the end of the value. A # begins a comment only behind a blank: it is common in passwords. */
static char *read_bare(struct reader *reader) {
    char *start = reader->at;
    while (*reader->at && *reader->at != '\n') {
        if (*reader->at == '#' && (reader->at == start || is_blank(reader->at[-1]))) break;
        reader->at++;
    }
    char *value_end = reader->at;
    while (value_end > start && is_blank(value_end[-1]))
        value_end--;
    while (*reader->at && *reader->at != '\n')
        reader->at++;
    return value_end;
}

/* The character that \c stands for, or NUL if the backslash stands for itself. */
static char unescape(char c) {
    static const char names[] = "nrt\"\\$", characters[] = "\n\r\t\"\\$";
    const char *found = c ? strchr(names, c) : NULL;
    return found ? characters[found - names] : '\0';
}

/* Returns the end of the value, NULL on failure. reader->at is behind the opening quote. */
static char *read_quoted(struct reader *reader, char quote) {
    char *to = reader->at;
    unsigned first_line = reader->line;
    for (; *reader->at != quote; reader->at++) {
        if (reader->at == reader->end) {
            reader->line = first_line;
            reader_fail(reader, "the closing quote is missing");
            return NULL;
        }
        char character = quote == '"' && *reader->at == '\\' ? unescape(reader->at[1]) : '\0';
        if (character) reader->at++;
        if (*reader->at == '\n') reader->line++;
        *to++ = character ? character : *reader->at;
    }
    reader->at++;
    skip_blanks(reader);
    if (*reader->at && *reader->at != '\n' && *reader->at != '#') {
        reader_fail(reader, "expected nothing after the closing quote");
        return NULL;
    }
    while (*reader->at && *reader->at != '\n')
        reader->at++;
    return to;
}

static bool read_value(struct reader *reader, char **value_out) {
    skip_blanks(reader);
    char quote = *reader->at;
    bool is_quoted = quote == '"' || quote == '\'';
    if (is_quoted) reader->at++;
    char *value = reader->at;
    char *value_end = is_quoted ? read_quoted(reader, quote) : read_bare(reader);
    if (!value_end) return false;
    /* Step over the newline before the NUL may take its place. */
    if (*reader->at == '\n') reader->at++;
    *value_end = '\0';
    *value_out = value;
    return true;
}

bool dotenv_parse(char *text, size_t size,
                  void (*assign)(void *data, const char *name, const char *value, unsigned line), void *data,
                  unsigned *line_out, const char **reason_out) {
    struct reader reader = {text, text + size, 1, NULL};
    if (memchr(text, '\0', size)) reader_fail(&reader, "the file holds a NUL byte");
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) reader.at += 3; /* an editor's byte order mark */
    while (!reader.reason && reader.at < reader.end) {
        skip_blanks(&reader);
        if (*reader.at == '#') {
            while (*reader.at && *reader.at != '\n')
                reader.at++;
        }
        if (*reader.at == '\n') {
            reader.at++;
            reader.line++;
            continue;
        }
        if (reader.at == reader.end) break;
        unsigned line = reader.line;
        char *name, *value;
        if (!read_name(&reader, &name) || !read_value(&reader, &value)) break;
        assign(data, name, value, line);
        reader.line++;
    }
    if (!reader.reason) return true;
    *line_out = reader.line;
    *reason_out = reader.reason;
    return false;
}
