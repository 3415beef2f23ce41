/* Structured log lines: text for a person at a terminal, one JSON object per line otherwise.
 *
 * Lines go out with one write(2) each and may come from any thread. Never hand a secret to it. */
#ifndef ORDERLY_BASE_LOG_H
#define ORDERLY_BASE_LOG_H

#include "base/clock.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON }; /* AUTO: TEXT if the descriptor is a terminal */

struct log {
    const struct clock *clock;
    int fd; /* borrowed */
    enum log_level level;
    enum log_format format;
};

struct log_field {
    const char *name; /* NULL ends the list */
    const char *text; /* NULL: use number */
    int64_t number;
};
/* A text field; NULL is written as "". A function, so that text may be an array without a warning. */
static inline struct log_field log_text_field(const char *name, const char *text) {
    return (struct log_field){name, text ? text : "", 0};
}
#define LOG_S(name_, text_) log_text_field((name_), (text_))
#define LOG_N(name_, number_) ((struct log_field){(name_), NULL, (int64_t)(number_)})

void log_init(struct log *log, const struct clock *clock, int fd, enum log_level level, enum log_format format);

/* Writes one line if the level is high enough; log may be NULL (nothing happens). Lines are cut at 4 KiB. */
void log_write(const struct log *log, enum log_level level, const char *message, const struct log_field *fields);

/* log_event(log, LOG_INFO, "listening", LOG_S("address", a), LOG_N("port", p)); */
#define log_event(log, level, ...) log_event_(log, level, __VA_ARGS__, (struct log_field){0})
#define log_event_(log, level, message, ...) log_write(log, level, message, (const struct log_field[]){__VA_ARGS__})

#endif
