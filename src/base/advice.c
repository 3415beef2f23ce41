/* A bounded list of lines. */
#include "base/advice.h"

#include <stdio.h>

void advice_add(struct advice *advice, const char *format, ...) {
    if (advice->count == ADVICE_MAX) return;
    struct error *line = &advice->lines[advice->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}
