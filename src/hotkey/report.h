/* What the writers of a result share: the tables of its fields, facts drawn from it, and numbers put in words. Private to
 * this folder. */
#ifndef ORDERLY_HOTKEY_REPORT_H
#define ORDERLY_HOTKEY_REPORT_H

#include <math.h>

#include "hotkey/result.h"

/* --- fields: one table for each struct of a result, from which JSON, CSV and plots are made --- */

enum lab_field_type {
    LAB_FIELD_COUNT,   /* unsigned, always known */
    LAB_FIELD_INTEGER, /* int64_t; below 0: not known */
    LAB_FIELD_REAL,    /* double; NAN or below 0: not known */
    LAB_FIELD_MS,      /* int64_t ns, given in ms */
    LAB_FIELD_REAL_MS, /* double ns, given in ms */
};

struct lab_field {
    const char *name; /* "p99_ms" */
    enum lab_field_type type;
    size_t offset, size; /* in its struct */
};
#define LAB_FIELD(name_, type_, struct_, member_) \
    {name_, type_, offsetof(struct_, member_), sizeof((struct_ *)0)->member_}

struct lab_fields {
    const struct lab_field *items;
    size_t count;
};
extern const struct lab_fields lab_count_fields;     /* of struct lab_class_counts */
extern const struct lab_fields lab_time_fields;      /* of struct lab_times; all but "count" unknown if that is 0 */
extern const struct lab_fields lab_backend_fields;   /* of struct lab_second */
extern const struct lab_fields lab_generator_fields; /* of struct lab_second */
extern const struct lab_fields lab_server_fields;    /* of struct lab_server */
extern const struct lab_fields lab_detection_fields; /* of struct lab_detection: what follows its lists */

/* The value, in the unit of the field's name; NAN: not known. */
double lab_field_read(const struct lab_field *field, const void *from);

extern const char *const lab_class_names[LAB_CLASSES];   /* "hot", "normal" */
extern const char *const lab_time_names[LAB_TIMES];      /* "response", "service" */
extern const char *const lab_target_names[];             /* "up", by enum lab_target_state */
extern const char *const lab_end_names[];                /* "duration", by enum lab_end */

/* --- facts --- */

struct lab_facts {
    struct lab_times times[LAB_CLASSES][LAB_TIMES], all[LAB_TIMES]; /* of the whole run */
    int64_t late_p99_ns, late_max_ns;
    struct lab_class_counts total; /* of both classes */
    uint64_t accesses;
    uint32_t top_key;   /* the one accessed most */
    double top_share;   /* of the accesses; NAN: there were none */
    uint64_t keys_touched;
    double hit_ratio;   /* NAN: nothing was read */
    double operations_per_second, cpu_us_per_operation; /* NAN: nothing was done */
    double server_cpu_share; /* of one core, over the run; NAN: not known */
    uint64_t evicted, expired;
    size_t seconds_down, seconds_frozen;
    const char *first_error; /* of the target; "" if there was none. In the result's seconds */
    bool was_detected;       /* the detector ran, and saw something */
};
enum status lab_facts_of(const struct lab_result *result, struct lab_facts *facts_out); /* NO_MEMORY */

/* As lab_result_write_verdict, from facts that are there already. */
void lab_verdict_write(const struct lab_result *result, const struct lab_facts *facts, struct buffer *out);

/* The keys by falling count of accesses (equal ones by number), at most max: an array to free(). NULL: no memory. */
struct lab_key_count *lab_accesses_top(const struct lab_result *result, size_t max, size_t *count_out);

/* Keys by what was found and what was true, added up over the seconds in which they were above the line (in the one sense
 * or the other), and among the first LAB_TOP. */
struct lab_key_score {
    uint32_t key;
    uint64_t found, truth;                 /* operations */
    uint32_t seconds_found, seconds_truth; /* how many seconds these were */
};
/* By falling truth, then found; at most max are written. NO_MEMORY. */
enum status lab_key_scores(const struct lab_result *result, struct lab_key_score *scores_out, size_t max, size_t *count_out);

/* Connections that a run of these parameters opens. */
int64_t lab_connections_used(const struct lab_parameters *parameters);

/* The profile's title, or its name if it is not in the table. */
const char *lab_profile_title(const char *name);
const char *lab_profile_text(const char *name); /* or "" */

/* --- numbers in words; what is not known is a dash --- */

#define LAB_DASH "\u2013"
struct lab_words {
    char text[40];
};
struct lab_words lab_words_time(double ns);   /* "412 µs", "1.24 s": three digits */
struct lab_words lab_words_ms(double ms);     /* the same of ms */
struct lab_words lab_words_count(double count); /* "61,234" */
struct lab_words lab_words_rate(double rate); /* "61,234", "12.3" */
struct lab_words lab_words_bytes(double bytes); /* "1.50 KiB" */
struct lab_words lab_words_share(double share); /* "82.4 %"; never "100 %" for less than all */
struct lab_words lab_words_span(double seconds); /* "45 s", "2 min", "1 h 30 min": for an axis of time */

/* A time of the table, unknown if nothing was counted. */
struct lab_words lab_words_of(const struct lab_times *times, int64_t ns);

/* --- texts that come from outside --- */

/* Escapes for HTML text and quoted attributes; what no document may hold becomes U+FFFD. */
void lab_put_escaped(struct buffer *out, const char *text);
void lab_put_escaped_words(struct buffer *out, const char *text); /* and no number parts from its unit */
/* For a terminal and for CSV: control characters, and bytes that are not UTF-8, become '?'. */
void lab_put_printable(struct buffer *out, const char *text);
void lab_json_text(struct json_writer *writer, const char *text); /* any bytes */

/* --- the parts of the HTML report --- */

extern const char lab_report_style[]; /* CSS */

struct lab_html {
    const struct lab_result *result;
    const struct lab_facts *facts;
    struct buffer *out;
    unsigned figures; /* numbered so far: their ids */
};
void lab_html_head(struct lab_html *html);        /* what happened, in words and big numbers */
void lab_html_latency(struct lab_html *html);     /* times over time */
void lab_html_percentiles(struct lab_html *html); /* curves and table */
void lab_html_throughput(struct lab_html *html);
void lab_html_counts(struct lab_html *html);      /* operations and what they cost, as a table */
void lab_html_keys(struct lab_html *html);        /* found against true, and all accesses */
void lab_html_server(struct lab_html *html);      /* memory, figures, and this program's own */
void lab_html_parameters(struct lab_html *html);  /* all of them, and the command */

/* <h2>, and a paragraph on how to read what follows. Neither is escaped. */
void lab_html_section(struct lab_html *html, const char *id, const char *title, const char *text);

#endif
