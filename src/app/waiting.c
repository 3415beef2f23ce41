/* A mutex, a condition and a status: what turns a completion into a return value. */
#include "app/waiting.h"

#include <stdio.h>

void waiting_init(struct waiting *waiting) {
    pthread_mutex_init(&waiting->mutex, NULL);
    pthread_cond_init(&waiting->finished, NULL);
    waiting_prepare(waiting);
}

void waiting_free(struct waiting *waiting) {
    pthread_cond_destroy(&waiting->finished);
    pthread_mutex_destroy(&waiting->mutex);
}

void waiting_prepare(struct waiting *waiting) {
    waiting->is_finished = false;
    waiting->status = STATUS_OK;
    waiting->error.text[0] = 0;
}

void waiting_finish(struct waiting *waiting, enum status status, const char *error_text) {
    pthread_mutex_lock(&waiting->mutex);
    waiting->status = status;
    snprintf(waiting->error.text, sizeof waiting->error.text, "%s", error_text ? error_text : status_name(status));
    waiting->is_finished = true;
    pthread_cond_signal(&waiting->finished);
    pthread_mutex_unlock(&waiting->mutex);
}

enum status waiting_result(struct waiting *waiting, struct error *error) {
    pthread_mutex_lock(&waiting->mutex);
    while (!waiting->is_finished)
        pthread_cond_wait(&waiting->finished, &waiting->mutex);
    enum status status = waiting->status;
    if (status != STATUS_OK) error_set(error, status, "%s", waiting->error.text);
    pthread_mutex_unlock(&waiting->mutex);
    return status;
}
