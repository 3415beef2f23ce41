/* Waiting for an asynchronous request from a command's own thread. */
#ifndef ORDERLY_APP_WAITING_H
#define ORDERLY_APP_WAITING_H

#include <pthread.h>

#include "base/status.h"

/* One request at a time: prepare, submit the request with a done that calls waiting_finish, waiting_result. */
struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    bool is_finished;
    enum status status;
    struct error error;
};

void waiting_init(struct waiting *waiting);
void waiting_free(struct waiting *waiting);
void waiting_prepare(struct waiting *waiting);
void waiting_finish(struct waiting *waiting, enum status status, const char *error_text); /* any thread */
enum status waiting_result(struct waiting *waiting, struct error *error);

#endif
