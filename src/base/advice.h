/* What a service's operator should know though it works: weak settings, each as one line that says what, why and the
 * remedy. */
#ifndef ORDERLY_BASE_ADVICE_H
#define ORDERLY_BASE_ADVICE_H

#include "base/status.h"

#include <stddef.h>

#define ADVICE_MAX 16

struct advice {
    size_t count;
    struct error lines[ADVICE_MAX];
};

/* Adds a line; beyond ADVICE_MAX it is left out. */
void advice_add(struct advice *advice, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
