/* Log lines, built on the stack and written with one write(2). */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"

#define LINE_SIZE 4096
#define LINE_END_SIZE 24   /* kept for what closes a line that was cut: quotes, brackets, the mark, the newline */
#define MESSAGE_COLUMNS 32 /* text: fields begin behind this column of the message */

/* A line in the making. What does not fit is left out, piece by piece, and the line is marked as cut. */
struct line {
    char text[LINE_SIZE];
    size_t size;
    bool is_cut;
};

static const struct {
    const char *lower; /* in JSON */
    const char *upper; /* in text; all of one width */
} level_names[] = {
    [LOG_DEBUG] = {"debug", "DEBUG"},
    [LOG_INFO] = {"info", "INFO "},
    [LOG_WARN] = {"warn", "WARN "},
    [LOG_ERROR] = {"error", "ERROR"},
};

void log_init(struct log *log, const struct clock *clock, int fd, enum log_level level, enum log_format format) {
    if (format == LOG_AUTO) format = isatty(fd) ? LOG_TEXT : LOG_JSON;
    *log = (struct log){clock, fd, level, format};
}

/* Adds the piece if it fits whole, with room for what closes the line behind it. */
static bool line_put(struct line *line, struct bytes piece) {
    if (line->is_cut || piece.size > sizeof line->text - LINE_END_SIZE - line->size) {
        line->is_cut = true;
        return false;
    }
    memcpy(line->text + line->size, piece.data, piece.size);
    line->size += piece.size;
    return true;
}

/* Adds what closes something already begun; LINE_END_SIZE has room for it. */
static void line_close(struct line *line, const char *text) {
    size_t size = strlen(text);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

/* The size of the UTF-8 sequence at the start of a text that ends in NUL, or 0 if it is none. */
static size_t sequence_size(const char *text) {
    unsigned char lead = (unsigned char)*text;
    size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (strnlen(text, size) < size || !json_utf8_is_valid((struct bytes){text, size})) return 0;
    return size;
}

/* True for what a terminal would obey instead of show: C0, DEL and C1 (U+0080 to U+009F). */
static bool is_control(const char *text, size_t size) {
    unsigned char first = (unsigned char)text[0];
    if (size == 1) return first < 0x20 || first == 0x7f;
    return size == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* Adds a text: control characters, and inside quotes the quote and the backslash, escaped; bytes that are no UTF-8 as
 * U+FFFD. */
static void line_put_escaped(struct line *line, const char *text, bool in_quotes) {
    while (*text && !line->is_cut) {
        size_t size = sequence_size(text);
        char escape[8];
        if (size == 0) {
            line_put(line, BYTES("\xef\xbf\xbd"));
            text++;
            continue;
        }
        if (is_control(text, size)) {
            unsigned code = (unsigned char)text[size - 1];
            const char *names = "\bb\tt\nn\ff\rr", *name = names;
            while (*name && (unsigned char)*name != code)
                name += 2;
            int length = *name ? snprintf(escape, sizeof escape, "\\%c", name[1])
                               : snprintf(escape, sizeof escape, "\\u%04x", code);
            line_put(line, (struct bytes){escape, (size_t)length});
        } else if (in_quotes && (*text == '"' || *text == '\\')) {
            line_put(line, (struct bytes){(char[]){'\\', *text}, 2});
        } else {
            line_put(line, (struct bytes){text, size});
        }
        text += size;
    }
}

static void line_put_number(struct line *line, int64_t number) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)number);
    line_put(line, (struct bytes){digits, (size_t)size});
}

/* Adds ,"name":"text", cut inside the text if need be, or nothing. */
static void json_put_text(struct line *line, const char *name, const char *text) {
    size_t start = line->size;
    line_put(line, line->size > 1 ? BYTES(",\"") : BYTES("\""));
    line_put_escaped(line, name, true);
    if (!line_put(line, BYTES("\":\""))) {
        line->size = start;
        return;
    }
    line_put_escaped(line, text, true);
    line_close(line, "\"");
}

static void json_put_number(struct line *line, const char *name, int64_t number) {
    size_t start = line->size;
    line_put(line, BYTES(",\""));
    line_put_escaped(line, name, true);
    line_put(line, BYTES("\":"));
    line_put_number(line, number);
    if (line->is_cut) line->size = start;
}

static void format_json(struct line *line, const char *time, enum log_level level, const char *message,
                        const struct log_field *fields) {
    line_put(line, BYTES("{"));
    json_put_text(line, "time", time);
    json_put_text(line, "level", level_names[level].lower);
    json_put_text(line, "message", message);
    for (; fields->name && !line->is_cut; fields++) {
        if (fields->text)
            json_put_text(line, fields->name, fields->text);
        else
            json_put_number(line, fields->name, fields->number);
    }
    if (line->is_cut) line_close(line, ",\"cut\":true");
    line_close(line, "}\n");
}

/* A text that a reader could not tell from its surroundings is put in quotes. */
static bool needs_quotes(const char *text) {
    if (*text == '\0') return true;
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f) return true;
    }
    return false;
}

static void text_put_field(struct line *line, const struct log_field *field) {
    line_put(line, BYTES(" "));
    line_put_escaped(line, field->name, false);
    line_put(line, BYTES("="));
    if (!field->text) {
        line_put_number(line, field->number);
    } else if (!needs_quotes(field->text)) {
        line_put_escaped(line, field->text, false);
    } else if (line_put(line, BYTES("\""))) {
        line_put_escaped(line, field->text, true);
        line_close(line, "\"");
    }
}

static void format_text(struct line *line, const char *time, enum log_level level, const char *message,
                        const struct log_field *fields) {
    line_put(line, bytes_of(time));
    line_put(line, BYTES(" "));
    line_put(line, bytes_of(level_names[level].upper));
    line_put(line, BYTES(" "));
    size_t start = line->size;
    line_put_escaped(line, message, false);
    if (fields->name) {
        while (line->size - start < MESSAGE_COLUMNS)
            line_put(line, BYTES(" "));
    }
    for (; fields->name && !line->is_cut; fields++)
        text_put_field(line, fields);
    line_close(line, line->is_cut ? " ...\n" : "\n");
}

void log_write(const struct log *log, enum log_level level, const char *message, const struct log_field *fields) {
    static const struct log_field no_fields[1];
    if (!log || level < log->level || level > LOG_ERROR) return;
    int errno_before = errno; /* a log line between a failure and its report must not change the reason */
    char time[CLOCK_RFC3339_SIZE];
    struct line line;
    line.size = 0;
    line.is_cut = false;
    clock_format_rfc3339(clock_wall_ms(log->clock), time);
    (log->format == LOG_TEXT ? format_text : format_json)(&line, time, level, message, fields ? fields : no_fields);
    while (write(log->fd, line.text, line.size) < 0 && errno == EINTR) {
    }
    errno = errno_before;
}
