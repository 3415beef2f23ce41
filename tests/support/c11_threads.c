/* C11's threads by POSIX's, for builds under ThreadSanitizer: librdkafka uses the former, of which the sanitizer knows
 * nothing: a thread made so crashes in its allocator, and what its mutexes order looks like a race. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "glibc's are the same");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "glibc's are the same");

struct start {
    thrd_start_t function;
    void *argument;
};

static void *run(void *data) {
    struct start start = *(struct start *)data;
    free(data);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    struct start *start = malloc(sizeof *start);
    if (!start) return thrd_nomem;
    *start = (struct start){function, argument};
    if (pthread_create(thread, NULL, run, start) == 0) return thrd_success;
    free(start);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result) {
    void *value;
    if (pthread_join(thread, &value) != 0) return thrd_error;
    if (result) *result = (int)(intptr_t)value;
    return thrd_success;
}

int mtx_init(mtx_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int failure = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return failure ? thrd_error : thrd_success;
}

int mtx_lock(mtx_t *mutex) {
    return pthread_mutex_lock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success;
}

int mtx_unlock(mtx_t *mutex) {
    return pthread_mutex_unlock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success;
}

void mtx_destroy(mtx_t *mutex) {
    pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *condition) {
    return pthread_cond_init((pthread_cond_t *)condition, NULL) ? thrd_error : thrd_success;
}

int cnd_signal(cnd_t *condition) {
    return pthread_cond_signal((pthread_cond_t *)condition) ? thrd_error : thrd_success;
}

int cnd_broadcast(cnd_t *condition) {
    return pthread_cond_broadcast((pthread_cond_t *)condition) ? thrd_error : thrd_success;
}

int cnd_wait(cnd_t *condition, mtx_t *mutex) {
    return pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex) ? thrd_error : thrd_success;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
    case 0: return thrd_success;
    case ETIMEDOUT: return thrd_timedout;
    default: return thrd_error;
    }
}

void cnd_destroy(cnd_t *condition) {
    pthread_cond_destroy((pthread_cond_t *)condition);
}
