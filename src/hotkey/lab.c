/* The lab's front: opening, starting and stopping a run, and what is going on. Any thread. */
#include "hotkey/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hotkey/lab_state.h"

#define TEXTS_MAX 256 /* arguments or variables of a run */

static void wake(struct lab *lab) {
    uint64_t one = 1;
    while (write(lab->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* --- opening and closing --- */

static void free_texts(char **texts) {
    for (char **at = texts; at && *at; at++)
        free(*at);
    free(texts);
}

/* A copy of a NULL-terminated list, or of none. NULL: no memory. */
static char **copy_texts(const char *const *texts) {
    size_t count = 0;
    while (texts && texts[count] && count < TEXTS_MAX)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(texts[i]);
        if (copy[i]) continue;
        free_texts(copy);
        return NULL;
    }
    return copy;
}

static void lab_free(struct lab *lab) {
    free(lab->program);
    free(lab->directory);
    free_texts(lab->arguments);
    free_texts(lab->environment);
    free(lab->child.line);
    arena_free(&lab->arena);
    buffer_free(&lab->last_run);
    lab_now_free(&lab->now);
    if (lab->wake_fd >= 0) close(lab->wake_fd);
    pthread_mutex_destroy(&lab->mutex);
    free(lab);
}

static struct lab *lab_new(const struct lab_options *options) {
    struct lab *lab = calloc(1, sizeof *lab);
    if (!lab) return NULL;
    pthread_mutex_init(&lab->mutex, NULL);
    arena_init(&lab->arena, 16384, JSON_ARENA_SIZE);
    buffer_init(&lab->last_run, LAB_SUMMARY_MAX);
    lab->clock = options->clock;
    lab->random = options->random;
    lab->logger = options->logger;
    lab->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    lab->waiting = (struct lab_pipes){-1, -1, -1, {-1, -1, -1}};
    lab->child.pipes = lab->waiting;
    lab->child.line = malloc(LAB_LINE_MAX);
    lab->program = strdup(options->program);
    lab->arguments = copy_texts(options->arguments);
    lab->environment = copy_texts(options->environment);
    if (lab->wake_fd >= 0 && lab->child.line && lab->program && lab->arguments && lab->environment) return lab;
    lab_free(lab);
    return NULL;
}

enum status lab_open(const struct lab_options *options, struct lab **lab_out, struct error *error) {
    struct lab *lab = lab_new(options);
    if (!lab) return error_set(error, STATUS_NO_MEMORY, "no memory for the hot-key lab");
    enum status status = lab_history_open(options->directory, error);
    if (status == STATUS_OK && !(lab->directory = realpath(options->directory, NULL)))
        status = error_set_errno(error, STATUS_IO, errno, "cannot use the lab's directory %s", options->directory);
    if (status == STATUS_OK) {
        lab_prune(lab->directory);
        lab_history_newest(lab->directory, &lab->last_run);
        int failure = pthread_create(&lab->thread, NULL, lab_run_thread, lab);
        if (failure) status = error_set_errno(error, STATUS_IO, failure, "cannot start the lab's thread");
    }
    if (status != STATUS_OK) {
        lab_free(lab);
        return status;
    }
    *lab_out = lab;
    return STATUS_OK;
}

/* Under the mutex. */
static void drop_waiting(struct lab *lab) {
    if (!lab->has_waiting) return;
    lab->has_waiting = false;
    lab->now.phase = LAB_NONE;
    lab_pipes_close(&lab->waiting);
}

void lab_close(struct lab *lab) {
    if (!lab) return;
    pthread_mutex_lock(&lab->mutex);
    lab->closing = true;
    drop_waiting(lab);
    pthread_mutex_unlock(&lab->mutex);
    wake(lab);
    pthread_join(lab->thread, NULL);
    lab_free(lab);
}

/* --- starting and stopping --- */

static bool is_running(const struct lab *lab) {
    return lab->now.phase == LAB_STARTING || lab->now.phase == LAB_RUNNING;
}

/* Under the mutex. A run that is still ending is no obstacle: this one begins right after it. */
static enum status start(struct lab *lab, const struct lab_parameters *parameters, const struct uuid *run_id,
                         struct error *error) {
    if (lab->closing) return error_set(error, STATUS_FULL, "the service is shutting down");
    if (is_running(lab)) return error_set(error, STATUS_CONFLICT, "a run goes on already");
    enum status status = lab_pipes_open(&lab->waiting, error);
    if (status != STATUS_OK) return status;
    lab_now_begin(&lab->now, run_id, parameters, clock_wall_ms(lab->clock));
    lab->has_waiting = true;
    lab->stop_asked_ns = 0;
    return STATUS_OK;
}

enum status lab_start(struct lab *lab, const struct lab_parameters *parameters, struct uuid *run_id_out,
                      struct error *error) {
    struct uuid run_id = uuid_make_v7(clock_wall_ms(lab->clock), lab->random);
    pthread_mutex_lock(&lab->mutex);
    enum status status = start(lab, parameters, &run_id, error);
    pthread_mutex_unlock(&lab->mutex);
    if (status != STATUS_OK) return status;
    *run_id_out = run_id;
    wake(lab);
    return STATUS_OK;
}

enum status lab_stop(struct lab *lab) {
    pthread_mutex_lock(&lab->mutex);
    bool was_running = is_running(lab);
    if (was_running && lab->has_waiting) {
        drop_waiting(lab);
    } else if (was_running) {
        lab->stop_asked_ns = clock_monotonic_ns(lab->clock);
        lab->now.phase = LAB_ENDING;
    }
    pthread_mutex_unlock(&lab->mutex);
    if (!was_running) return STATUS_NOT_FOUND;
    wake(lab);
    return STATUS_OK;
}

/* --- the status --- */

static void put_text(struct json_writer *writer, const char *key, const char *text, bool is_known) {
    json_key(writer, key);
    if (is_known)
        json_text(writer, text);
    else
        json_null(writer);
}

static void put_raw(struct json_writer *writer, const char *key, const struct buffer *json) {
    json_key(writer, key);
    if (json->size > 0)
        json_raw(writer, buffer_bytes(json));
    else
        json_null(writer);
}

static void put_hot_key(const struct lab_now *now, struct json_writer *writer) {
    put_text(writer, "hot_key", now->hot_key, now->has_hot_key);
    json_key(writer, "hot_key_memory");
    if (now->has_hot_key && now->hot_memory_bytes >= 0)
        json_integer(writer, now->hot_memory_bytes);
    else
        json_null(writer);
    put_text(writer, "hot_key_value", now->hot_value, now->has_hot_value);
}

static void put_run(const struct lab *lab, const struct lab_now *now, struct json_writer *writer) {
    char id[UUID_TEXT_SIZE] = "", started_at[CLOCK_RFC3339_SIZE] = "";
    if (now->is_known) {
        uuid_format(&now->run_id, id);
        clock_format_rfc3339(now->started_at_ms, started_at);
    }
    put_text(writer, "run_id", id, now->is_known);
    put_text(writer, "profile", now->parameters.profile, now->is_known);
    json_key(writer, "config");
    if (now->is_known)
        lab_parameters_write(&now->parameters, writer);
    else
        json_null(writer);
    put_text(writer, "started_at", started_at, now->is_known);
    int64_t elapsed_ns = now->elapsed_ns;
    if (!elapsed_ns && now->running_since_ns) elapsed_ns = clock_monotonic_ns(lab->clock) - now->running_since_ns;
    int64_t elapsed_ms = elapsed_ns / 1000000;
    json_key(writer, "elapsed_s");
    json_double(writer, (double)elapsed_ms / 1000);
}

void lab_write_status(struct lab *lab, struct json_writer *writer) {
    static const char *const phases[] = {"none", "starting", "running", "ending"};
    pthread_mutex_lock(&lab->mutex);
    const struct lab_now *now = &lab->now;
    json_begin_object(writer);
    put_text(writer, "status", is_running(lab) ? "running" : "stopped", true);
    put_text(writer, "phase", phases[now->phase], true);
    put_hot_key(now, writer);
    put_run(lab, now, writer);
    put_text(writer, "error", now->error, now->error[0] != '\0');
    put_raw(writer, "tick", &now->events[LAB_EVENT_TICK].json);
    put_raw(writer, "last_run", &lab->last_run);
    pthread_mutex_unlock(&lab->mutex);
}

void lab_write_runs(struct lab *lab, struct json_writer *writer) {
    lab_history_write(lab->directory, writer);
}

enum status lab_read_file(struct lab *lab, const struct uuid *run_id, enum lab_file file, enum lab_class class,
                          int time, struct buffer *out) {
    return lab_history_read(lab->directory, run_id, file, class, time, out);
}
