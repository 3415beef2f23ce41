/* Numbers and texts for people: units, thousands, dashes for what is not known, and the escapes for texts from outside.
 */
#include <inttypes.h>
#include <stdio.h>

#include "hotkey/report.h"

static const struct lab_words dash = {LAB_DASH};

static bool is_known(double value) {
    return isfinite(value) && value >= 0;
}

/* Three digits: "1.24", "12.4", "124"; more only before the point. */
static struct lab_words three_digits(double value, const char *unit) {
    struct lab_words words;
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(words.text, sizeof words.text, "%.*f%s%s", decimals, value, unit[0] ? " " : "", unit);
    return words;
}

struct lab_words lab_words_time(double ns) {
    static const struct {
        double below, ns;
        const char *unit;
    } units[] = {{999.5, 1, "ns"}, {999.5e3, 1e3, "\u00b5s"}, {999.5e6, 1e6, "ms"}, {INFINITY, 1e9, "s"}};
    if (!is_known(ns)) return dash;
    size_t i = 0;
    while (ns >= units[i].below)
        i++;
    if (i == 0) {
        struct lab_words words;
        snprintf(words.text, sizeof words.text, "%.0f ns", ns);
        return words;
    }
    return three_digits(ns / units[i].ns, units[i].unit);
}

struct lab_words lab_words_ms(double ms) {
    return lab_words_time(ms * 1e6);
}

struct lab_words lab_words_of(const struct lab_times *times, int64_t ns) {
    return times->count > 0 ? lab_words_time((double)ns) : dash;
}

struct lab_words lab_words_count(double count) {
    if (!is_known(count)) return dash;
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%.0f", count < 1e18 ? count : 1e18);
    struct lab_words words = {""};
    char *to = words.text;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return words;
}

struct lab_words lab_words_rate(double rate) {
    if (!is_known(rate)) return dash;
    return rate == trunc(rate) || rate >= 99.95 ? lab_words_count(rate) : three_digits(rate, "");
}

struct lab_words lab_words_bytes(double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    if (!is_known(bytes)) return dash;
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        bytes /= 1024;
    if (unit > 0) return three_digits(bytes, units[unit]);
    struct lab_words words;
    snprintf(words.text, sizeof words.text, "%.0f B", bytes);
    return words;
}

struct lab_words lab_words_share(double share) {
    if (!is_known(share)) return dash;
    double percent = share * 100;
    struct lab_words words;
    if (percent < 100 && percent >= 99) { /* what is nearly all must not read as all */
        snprintf(words.text, sizeof words.text, "%.2f %%", floor(percent * 100) / 100);
        return words;
    }
    snprintf(words.text, sizeof words.text, "%.*f %%",
             percent >= 9.95 || percent == 0 ? percent < 99.95 && percent > 0 : 2, percent);
    return words;
}

struct lab_words lab_words_span(double seconds) {
    struct lab_words words;
    int64_t whole = (int64_t)llround(seconds);
    if (seconds < 60 && fabs(seconds - (double)whole) > 0.001)
        snprintf(words.text, sizeof words.text, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(words.text, sizeof words.text, "%" PRId64 " s", whole);
    else if (whole < 3600 && whole % 60 == 0)
        snprintf(words.text, sizeof words.text, "%" PRId64 " min", whole / 60);
    else if (whole < 3600)
        snprintf(words.text, sizeof words.text, "%" PRId64 " min %" PRId64 " s", whole / 60, whole % 60);
    else if (whole % 3600 < 60)
        snprintf(words.text, sizeof words.text, "%" PRId64 " h", whole / 3600);
    else
        snprintf(words.text, sizeof words.text, "%" PRId64 " h %" PRId64 " min", whole / 3600, whole % 3600 / 60);
    return words;
}

/* --- texts from outside --- */

static bool is_control(char c) {
    return (uint8_t)c < 0x20 || c == 0x7f;
}

static void put_escaped(struct buffer *out, struct bytes text) {
    static const char *const escapes[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    bool is_utf8 = json_utf8_is_valid(text);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c < 128 && escapes[c])
            buffer_put_text(out, escapes[c]);
        else if (is_control((char)c) || (c >= 128 && !is_utf8))
            buffer_put_text(out, "\ufffd");
        else
            buffer_put_char(out, (char)c);
    }
}

void lab_put_escaped(struct buffer *out, const char *text) {
    put_escaped(out, bytes_of(text));
}

/* A number and its unit stay on one line: "1.24 s" gets a no-break space. */
static bool is_before_unit(const char *text, const char *at) {
    size_t size = strcspn(at + 1, " ,;:.)");
    return *at == ' ' && at > text && at[-1] >= '0' && at[-1] <= '9' && size >= 1 && size <= 3;
}

void lab_put_escaped_words(struct buffer *out, const char *text) {
    const char *from = text;
    for (const char *at = text; *at; at++) {
        if (!is_before_unit(text, at)) continue;
        put_escaped(out, (struct bytes){from, (size_t)(at - from)});
        buffer_put_text(out, "\u00a0");
        from = at + 1;
    }
    put_escaped(out, bytes_of(from));
}

void lab_put_printable(struct buffer *out, const char *text) {
    bool is_utf8 = json_utf8_is_valid(bytes_of(text));
    for (const char *at = text; *at; at++) {
        uint8_t c = (uint8_t)*at;
        /* 0xc2 0x80 to 0x9f are control characters too, and some terminals obey them. */
        bool is_c1 = is_utf8 && c == 0xc2 && (uint8_t)at[1] < 0xa0;
        if (is_c1) at++;
        buffer_put_char(out, is_c1 || is_control(*at) || (c >= 128 && !is_utf8) ? '?' : *at);
    }
}

void lab_json_text(struct json_writer *writer, const char *text) {
    if (json_utf8_is_valid(bytes_of(text))) {
        json_text(writer, text);
        return;
    }
    struct buffer clean;
    buffer_init(&clean, strlen(text));
    lab_put_printable(&clean, text);
    if (clean.status != STATUS_OK && writer->buffer->status == STATUS_OK) writer->buffer->status = clean.status;
    json_string(writer, buffer_bytes(&clean));
    buffer_free(&clean);
}
