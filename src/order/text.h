/* The rules for text in an order, for the client's input and for stored messages alike. */
#ifndef ORDERLY_ORDER_TEXT_H
#define ORDERLY_ORDER_TEXT_H

#include "base/bytes.h"

enum text_rule {
    TEXT_FREE, /* any characters */
    TEXT_NAME, /* not only white space, no control characters (U+0000 to U+001F, U+007F) */
};

enum text_problem { TEXT_FINE, TEXT_WRONG_LENGTH, TEXT_BLANK, TEXT_CONTROL };

/* Checks valid UTF-8 of minimum to maximum Unicode scalar values. */
enum text_problem text_check(struct bytes text, enum text_rule rule, int64_t minimum, int64_t maximum);

/* "must have 1 to 200 characters" and so on, for a problem found. */
#define TEXT_PROBLEM_SIZE 96
void text_describe(enum text_problem problem, int64_t minimum, int64_t maximum, char out[TEXT_PROBLEM_SIZE]);

#endif
