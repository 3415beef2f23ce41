/* The sources of settings: flags, the environment, .env; each finds its setting in the table or reports the name. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/internal.h"

#define PREFIX "ORDERLY_"
#define PREFIX_SIZE (sizeof PREFIX - 1)
#define DOTENV_SIZE_MAX 65536
#define SUGGESTION_NAME_MAX 64
#define SUGGESTION_DISTANCE_MAX 3

static const char *without_prefix(const char *name) {
    return strncmp(name, PREFIX, PREFIX_SIZE) == 0 ? name + PREFIX_SIZE : name;
}

static const struct setting *setting_by_name(const struct setting *settings, const char *name) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0) return &settings[i];
    }
    return NULL;
}

/* --- Unknown names --- */

/* How many characters must be put in, taken out or replaced to make b of a (Levenshtein). */
static size_t edit_distance(const char *a, const char *b) {
    size_t a_size = strlen(a), b_size = strlen(b), row[SUGGESTION_NAME_MAX + 1];
    if (a_size > SUGGESTION_NAME_MAX || b_size > SUGGESTION_NAME_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

/* Prefixes do not count: ORDERLY_REDIS_HOST is close to REDIS_HOST. */
static const char *suggestion(const struct setting *settings, const char *name) {
    const char *best = NULL;
    size_t best_distance = SUGGESTION_DISTANCE_MAX + 1;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *short_name = without_prefix(settings[i].name);
        size_t distance = edit_distance(without_prefix(name), short_name);
        if (distance >= best_distance || distance > strlen(short_name) / 2) continue;
        best = settings[i].name;
        best_distance = distance;
    }
    return best;
}

static void report_unknown(const struct setting *settings, const char *name, const struct origin *origin,
                           struct problems *problems) {
    char where[ORIGIN_TEXT_SIZE];
    const char *close = suggestion(settings, name);
    origin_format(origin, where);
    problem_add(problems, "%.80s (%s): unknown setting%s%s%s", name, where, close ? ", did you mean " : "",
                close ? close : "", close ? "?" : "");
}

/* Takes an assignment from the environment or .env; other programs' names are none of our business. */
static void assign(const struct setting *settings, const char *name, const char *raw, struct origin origin,
                   struct arena *arena, struct collected *collected, struct problems *problems) {
    const struct setting *setting = setting_by_name(settings, name);
    if (setting)
        collected->settings[setting->id] = (struct assignment){raw, origin};
    else if (property_is_name(name))
        property_assign(&collected->properties, arena, name, strlen(name), raw, &origin, problems);
    else if (strncmp(name, PREFIX, PREFIX_SIZE) == 0)
        report_unknown(settings, name, &origin, problems);
}

/* --- The environment --- */

void sources_read_environment(const struct setting *settings, char *const *environment, struct arena *arena,
                              struct collected *collected, struct problems *problems) {
    char name[128];
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        if (!equals) continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *environment), *environment);
        assign(settings, name, equals + 1, (struct origin){SOURCE_ENVIRONMENT}, arena, collected, problems);
    }
}

/* --- .env --- */

/* Reads the file into the arena. NOT_FOUND: there is none (a directory, as Python has them, is none either). */
static enum status read_file(const char *path, struct arena *arena, char **text_out, size_t *size_out,
                             struct problems *problems) {
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return STATUS_NOT_FOUND;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        problem_add(problems, "%.100s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return STATUS_INVALID;
    }
    enum status status = S_ISDIR(stat.st_mode) ? STATUS_NOT_FOUND : STATUS_OK;
    char *text = status == STATUS_OK ? arena_alloc(arena, DOTENV_SIZE_MAX + 1) : NULL;
    if (status == STATUS_OK && !text) status = STATUS_NO_MEMORY;
    size_t size = 0;
    while (status == STATUS_OK && size <= DOTENV_SIZE_MAX) {
        ssize_t read_size = read(fd, text + size, DOTENV_SIZE_MAX + 1 - size);
        if (read_size < 0 && errno == EINTR) continue;
        if (read_size < 0) {
            problem_add(problems, "%.100s: %s", path, strerror(errno));
            status = STATUS_INVALID;
        }
        if (read_size <= 0) break;
        size += (size_t)read_size;
    }
    close(fd);
    if (size > DOTENV_SIZE_MAX) {
        problem_add(problems, "%.100s: larger than %d bytes", path, DOTENV_SIZE_MAX);
        status = STATUS_INVALID;
    }
    if (status != STATUS_OK) return status;
    text[size] = '\0';
    *text_out = text;
    *size_out = size;
    return STATUS_OK;
}

struct dotenv_target {
    const struct setting *settings;
    const char *path;
    struct arena *arena;
    struct collected *collected;
    struct problems *problems;
};

static void assign_dotenv(void *data, const char *name, const char *value, unsigned line) {
    const struct dotenv_target *target = data;
    assign(target->settings, name, value, (struct origin){SOURCE_DOTENV, target->path, line}, target->arena,
           target->collected, target->problems);
}

enum status sources_read_dotenv(const struct setting *settings, const char *path, struct arena *arena,
                                struct collected *collected, struct problems *problems) {
    char *text;
    size_t size;
    enum status status = read_file(path, arena, &text, &size, problems);
    if (status != STATUS_OK) return status == STATUS_NO_MEMORY ? status : STATUS_OK;
    struct bytes kept = arena_copy(arena, (struct bytes){path, strlen(path) + 1});
    if (!kept.data) return STATUS_NO_MEMORY;
    struct dotenv_target target = {settings, kept.data, arena, collected, problems};
    unsigned line;
    const char *reason;
    if (!dotenv_parse(text, size, assign_dotenv, &target, &line, &reason))
        problem_add(problems, "%.100s line %u: %s", path, line, reason);
    return STATUS_OK;
}

/* --- Flags --- */

/* True if the flag of size bytes ("data-dir") is the setting's. */
static bool flag_is_of(const char *flag, size_t size, const struct setting *setting) {
    const char *name = without_prefix(setting->name);
    for (size_t i = 0; i < size; i++) {
        char expected = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
        if (flag[i] != expected || expected == '\0') return false;
    }
    return name[size] == '\0';
}

static const struct setting *setting_by_flag(const struct setting *settings, const char *flag, size_t size) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (flag_is_of(flag, size, &settings[i])) return &settings[i];
    }
    return NULL;
}

void sources_read_flags(const struct setting *settings, int argc, char *const *argv, struct arena *arena,
                        struct collected *collected, char **rest, struct problems *problems) {
    size_t rest_count = 0;
    int i = 0;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *flag = strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
        size_t size = strcspn(flag, "=");
        const struct setting *setting = setting_by_flag(settings, flag, size);
        if (!setting && !property_is_flag(flag, size)) {
            rest[rest_count++] = argv[i];
            continue;
        }
        const char *raw = NULL;
        if (flag[size] == '=')
            raw = flag + size + 1;
        else if (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
            raw = argv[++i];
        else if (setting && setting->type == SETTING_BOOLEAN)
            raw = "true"; /* --log-requests */
        const struct origin origin = {SOURCE_FLAG};
        if (!raw)
            problem_add(problems, "%.80s: the value is missing", argv[i]);
        else if (setting)
            collected->settings[setting->id] = (struct assignment){raw, origin};
        else
            property_assign(&collected->properties, arena, flag, size, raw, &origin, problems);
    }
    for (; i < argc; i++)
        rest[rest_count++] = argv[i]; /* "--" ends the flags: the command sees it and the rest as they are */
    rest[rest_count] = NULL;
}
