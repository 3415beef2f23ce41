/* The list of what is wrong with the configuration: one line that names as many faults as fit and counts the rest. */
#include <stdio.h>

#include "config/internal.h"

void problem_add(struct problems *problems, const char *format, ...) {
    char text[sizeof problems->text];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) size = 0, text[0] = '\0';
    if (size >= (int)sizeof text) size = (int)sizeof text - 1;
    const char *separator = problems->size > 0 ? "; " : "";
    if (problems->size + strlen(separator) + (size_t)size >= sizeof problems->text) {
        problems->left_out++;
        return;
    }
    char *to = problems->text + problems->size;
    problems->size = (size_t)(stpcpy(stpcpy(to, separator), text) - problems->text);
}

enum status problems_status(const struct problems *problems, struct error *error) {
    if (problems->size == 0) return STATUS_OK;
    if (problems->left_out == 0) return error_set(error, STATUS_INVALID, "%s", problems->text);
    return error_set(error, STATUS_INVALID, "%s; and %u more", problems->text, problems->left_out);
}

void origin_format(const struct origin *origin, char out[ORIGIN_TEXT_SIZE]) {
    static const char *const names[] = {
        [SOURCE_DEFAULT] = "default", [SOURCE_ENVIRONMENT] = "environment", [SOURCE_FLAG] = "flag"};
    if (origin->source == SOURCE_DOTENV)
        snprintf(out, ORIGIN_TEXT_SIZE, "%s line %u", origin->dotenv_path, origin->line);
    else
        snprintf(out, ORIGIN_TEXT_SIZE, "%s", names[origin->source]);
}
