/* A directory for one test, gone afterwards. */
#ifndef ORDERLY_TESTS_SUPPORT_SCRATCH_H
#define ORDERLY_TESTS_SUPPORT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_PATH_MAX 512

static inline void scratch_make(char path[SCRATCH_PATH_MAX]) {
    const char *parent = getenv("TMPDIR");
    snprintf(path, SCRATCH_PATH_MAX, "%s/orderly-test-XXXXXX", parent ? parent : "/tmp");
    if (mkdtemp(path)) return;
    perror(path);
    abort();
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
    return remove(path);
}

static inline void scratch_remove(const char *path) {
    nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
