/* The contract of the order store, held against the embedded adapter: an environment of its own for each namespace. */
#include "order_store/embedded.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract/order_store/order_store_contract.h"

struct embedded_subject {
    struct order_store_subject base;
    char directory[64];
    struct lmdb_env *env; /* of the store that is open */
};

static void fatal(void *data, const char *text) {
    fprintf(stderr, "%s\n", text);
    abort();
}

static enum status open_embedded(struct order_store_subject *base, const char *namespace_name,
                                 struct order_store **store_out) {
    struct embedded_subject *subject = (struct embedded_subject *)base;
    char directory[128];
    snprintf(directory, sizeof directory, "%s/%s", subject->directory, namespace_name);
    struct lmdb_env_options options = {.directory = directory, .create = true, .databases_max = 32, .fatal = fatal};
    struct error error = {""};
    struct order_store *store = NULL;
    enum status status = lmdb_env_open(&options, &subject->env, &error);
    if (status == STATUS_OK)
        status = order_store_embedded_open(subject->env, base->clock, namespace_name, NULL, &store, &error);
    if (status == STATUS_OK) status = order_store_setup(store, &error);
    if (status == STATUS_OK)
        *store_out = store;
    else
        fprintf(stderr, "cannot open the store: %s\n", error.text);
    return status;
}

static void close_embedded(struct order_store_subject *base, struct order_store *store) {
    struct embedded_subject *subject = (struct embedded_subject *)base;
    order_store_close(store);
    lmdb_env_close(subject->env);
    subject->env = NULL;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk) {
    return remove(path);
}

int main(void) {
    struct embedded_subject subject = {.base = {.name = "order_store on the embedded adapter",
                                                .clock = clock_system(),
                                                .open = open_embedded,
                                                .close = close_embedded},
                                       .directory = "/tmp/orderly-store-XXXXXX"};
    if (!mkdtemp(subject.directory)) return 1;
    int failures = order_store_contract_run(&subject.base);
    nftw(subject.directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return failures;
}
