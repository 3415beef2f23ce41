/* Makes the n-th allocation of a test fail: link a test with the CMake target failing_alloc, which wraps malloc, calloc
 * and realloc at link time (calls from inside shared libraries stay as they are). */
#ifndef ORDERLY_TESTS_SUPPORT_FAILING_ALLOC_H
#define ORDERLY_TESTS_SUPPORT_FAILING_ALLOC_H

#include <stdbool.h>

/* From now on the n-th allocation (1: the next one) returns NULL, once. Any thread may be hit. */
void failing_alloc_arm(long n);

/* Back to normal. True if an allocation was made to fail since it was armed. */
bool failing_alloc_disarm(void);

#endif
