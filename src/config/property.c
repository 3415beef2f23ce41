/* The properties of librdkafka: a family of settings whose members are that library's to know. */
#include <ctype.h>

#include "config/internal.h"

#define FAMILY "ORDERLY_KAFKA_"
#define FAMILY_SIZE (sizeof FAMILY - 1)
#define FLAG_FAMILY "kafka-"
#define FLAG_FAMILY_SIZE (sizeof FLAG_FAMILY - 1)
#define NAME_SIZE_MAX 96

bool property_is_name(const char *name) {
    return strncmp(name, FAMILY, FAMILY_SIZE) == 0 && name[FAMILY_SIZE] != '\0';
}

bool property_is_flag(const char *flag, size_t size) {
    return size > FLAG_FAMILY_SIZE && strncmp(flag, FLAG_FAMILY, FLAG_FAMILY_SIZE) == 0;
}

/* Whatever might hold a credential; an address of a token service is not worth the risk of showing its query. */
static bool is_secret(const char *name) {
    static const char *const parts[] = {"password", "secret", "pem", "oauthbearer", "jaas", "token", "credential"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(name, parts[i])) return true;
    }
    return false;
}

/* Both names from either: ORDERLY_KAFKA_SASL_USERNAME or kafka-sasl-username. */
static bool make_names(struct arena *arena, const char *given, size_t size, struct config_property *property) {
    bool is_flag = property_is_flag(given, size);
    size_t skip = is_flag ? FLAG_FAMILY_SIZE : FAMILY_SIZE;
    char *name = arena_calloc(arena, size - skip + 1, 1);
    char *setting = arena_calloc(arena, FAMILY_SIZE + size - skip + 1, 1);
    if (!name || !setting) return false;
    strcpy(setting, FAMILY);
    for (size_t i = 0; i < size - skip; i++) {
        char c = given[skip + i];
        bool is_break = c == '_' || (is_flag && c == '-');
        name[i] = is_break ? '.' : (char)tolower((unsigned char)c);
        setting[FAMILY_SIZE + i] = is_break ? '_' : (char)toupper((unsigned char)c);
    }
    property->name = name;
    property->setting = setting;
    return true;
}

void property_assign(struct properties *properties, struct arena *arena, const char *name, size_t name_size,
                     const char *raw, const struct origin *origin, struct problems *problems) {
    struct config_property shown = {.value = raw};
    if (name_size > NAME_SIZE_MAX) {
        problem_add(problems, "%.80s: the name is too long", name);
        return;
    }
    if (!make_names(arena, name, name_size, &shown)) {
        properties->lacks_memory = true;
        return;
    }
    size_t i = 0;
    while (i < properties->count && strcmp(properties->items[i].shown.name, shown.name) != 0)
        i++;
    if (i == CONFIG_PROPERTIES_MAX) {
        problem_add(problems, "%s: more than %d settings of " FAMILY "*", shown.setting, CONFIG_PROPERTIES_MAX);
        return;
    }
    properties->items[i] = (struct property){shown, *origin, is_secret(shown.name)};
    if (i == properties->count) properties->count++;
}
