/* What the configuration's tests share: loading from given sources, and what came of it. */
#ifndef ORDERLY_TESTS_UNIT_CONFIG_TEST_H
#define ORDERLY_TESTS_UNIT_CONFIG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/internal.h"

/* One load. Texts are NULL-terminated lists; env has HOME=/home/ada put before it. */
struct load {
    struct config *config;
    char **rest;
    struct error error;
    enum status status;
};

/* dotenv: the text of the .env file, or NULL for none. The file is DOTENV_PATH while it is read. */
struct load load(const char *const *flags, const char *const *env, const char *dotenv);
void load_end(struct load *load);

/* Loads with one environment variable and nothing else. */
struct load load_env(const char *assignment);

void assert_loads(const char *assignment, enum setting_id id, int64_t integer, const char *text);
void assert_refuses(const char *assignment, const char *part); /* part of the error's text */

/* Where .env files of the tests are. */
extern char dotenv_path[64];

int run_values_tests(void);
int run_dotenv_tests(void);

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
