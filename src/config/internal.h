/* What the files of config/ share: one setting's value, the sources, and the list of what is wrong with them. */
#ifndef ORDERLY_CONFIG_INTERNAL_H
#define ORDERLY_CONFIG_INTERNAL_H

#include "base/arena.h"
#include "config/config.h"

/* Where a value came from. */
struct origin {
    enum setting_source source;
    const char *dotenv_path; /* DOTENV */
    unsigned line;           /* DOTENV */
};

/* What a source says of a setting; raw is NULL if no source names it. */
struct assignment {
    const char *raw;
    struct origin origin;
};

/* The properties of librdkafka that the sources name, each once. */
struct property {
    struct config_property shown;
    struct origin origin;
    bool secret;
};
struct properties {
    struct property items[CONFIG_PROPERTIES_MAX];
    size_t count;
    bool lacks_memory; /* one could not be kept */
};

/* All that the sources say. */
struct collected {
    struct assignment settings[SETTING_COUNT];
    struct properties properties;
};

/* A setting's value as it is used. */
struct value {
    const char *text;         /* normalised */
    int64_t integer;          /* INTEGER, BOOLEAN, DURATION, SIZE */
    const char *const *items; /* LIST, PORTS; NULL-terminated */
    size_t count;
};

struct config {
    const struct setting *settings;
    struct arena arena; /* all texts and lists */
    struct origin origins[SETTING_COUNT];
    struct value values[SETTING_COUNT];
    struct properties properties;
    struct config_property kafka_properties[CONFIG_PROPERTIES_MAX]; /* as shown outside */
};

/* All that is wrong, in one line; what does not fit is counted. */
struct problems {
    char text[ERROR_TEXT_SIZE - 32];
    size_t size;
    unsigned left_out;
};
void problem_add(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
enum status problems_status(const struct problems *problems, struct error *error); /* OK if there are none */

/* "environment", "flag", ".env line 3". */
#define ORIGIN_TEXT_SIZE 128
void origin_format(const struct origin *origin, char out[ORIGIN_TEXT_SIZE]);

/* Reads a value as its setting's type demands. INVALID (value_rule says what is demanded) or NO_MEMORY. */
enum status value_parse(const struct setting *setting, const char *raw, struct arena *arena, struct value *value_out);

/* "must be a whole number from 1 to 128" */
void value_rule(const struct setting *setting, char *out, size_t size);

/* Each source overwrites what a lower one assigned and reports unknown names. Texts are borrowed or in the arena. */
enum status sources_read_dotenv(const struct setting *settings, const char *path, struct arena *arena,
                                struct collected *collected, struct problems *problems);
void sources_read_environment(const struct setting *settings, char *const *environment, struct arena *arena,
                              struct collected *collected, struct problems *problems);
/* rest: room for argc + 1 texts. */
void sources_read_flags(const struct setting *settings, int argc, char *const *argv, struct arena *arena,
                        struct collected *collected, char **rest, struct problems *problems);

/* True if the name, of size bytes, belongs to the family ORDERLY_KAFKA_* (as a flag: --kafka-*). */
bool property_is_name(const char *name);
bool property_is_flag(const char *flag, size_t size);

/* Adds a property, or replaces its value from a weaker source. name: a setting's or a flag's; raw is borrowed. */
void property_assign(struct properties *properties, struct arena *arena, const char *name, size_t name_size,
                     const char *raw, const struct origin *origin, struct problems *problems);

/* Calls assign for each KEY=value of a .env text, which it overwrites with the values. False at the first line that
 * cannot be read, with its number and what is wrong. */
bool dotenv_parse(char *text, size_t size,
                  void (*assign)(void *data, const char *name, const char *value, unsigned line), void *data,
                  unsigned *line_out, const char **reason_out);

/* config_load with another table of SETTING_COUNT rows: for tests, as long as no setting is a secret. */
enum status config_load_table(const struct setting *settings, int argc, char *const *argv, char *const *environment,
                              const char *dotenv_path, struct config **config_out, char ***rest_out,
                              struct error *error);

#endif
