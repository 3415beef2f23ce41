/* The lab's thread, the parent of all runs: starts them, reads them, watches their time, ends and reaps them.
 *
 * A child is told to die with the thread that started it, so one thread starts them all and lives as long as the lab.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hotkey/lab_state.h"

#define FIXED_ARGUMENTS 7 /* orderly simulate --pipe --run-id ID --save DIRECTORY */

static int64_t now_ns(const struct lab *lab) {
    return clock_monotonic_ns(lab->clock);
}

static int64_t after_ms(const struct lab *lab, int64_t ms) {
    return now_ns(lab) + ms * INT64_C(1000000);
}

static bool is_current(const struct lab *lab) {
    return uuid_equal(&lab->child_id, &lab->now.run_id);
}

/* --- ending --- */

/* The run did what it must not do. The first reason counts. */
void lab_fail(struct lab *lab, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!lab->failure[0]) vsnprintf(lab->failure, sizeof lab->failure, format, arguments);
    va_end(arguments);
    lab->was_killed = true;
    lab_child_kill(&lab->child);
}

static void ask_to_end(struct lab *lab, int64_t asked_ns) {
    lab_child_close_input(&lab->child);
    int64_t at_ns = asked_ns + LAB_STOP_MS * INT64_C(1000000);
    if (!lab->kill_at_ns || lab->kill_at_ns > at_ns) lab->kill_at_ns = at_ns;
}

/* The last line of what it complained about, made fit to be shown. */
static const char *last_complaint(struct lab_child *child) {
    char *text = child->complaint, *line = text;
    size_t size = child->complaint_size;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        text[--size] = '\0';
    for (char *at = text; *at; at++) {
        if (*at == '\n')
            line = at + 1;
        else if (*at < ' ' || *at > '~')
            *at = '.';
    }
    return line;
}

/* A run that was stopped before it had begun has nothing to say, also if it did not end by itself: it may have waited
 * for a target that does not answer. */
static bool was_stopped_early(const struct lab *lab, int wait_status) {
    bool has_ended = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) == 0 : lab->was_killed;
    return lab->kill_at_ns && !lab->failure[0] && has_ended;
}

static bool has_begun(const struct lab *lab) {
    return lab->over_at_ns != INT64_MAX;
}

static bool was_asked_to_end(const struct lab *lab) {
    return lab->child.pipes.input_fd < 0;
}

static void end_by_force(struct lab *lab) {
    if (has_begun(lab) || !was_asked_to_end(lab)) {
        lab_fail(lab, "the run did not end when it was told to, and was killed");
        return;
    }
    lab->was_killed = true;
    lab_child_kill(&lab->child);
}

/* Why there is no result, in words. */
static void explain(struct lab *lab, int wait_status, char *out, size_t size) {
    const char *complaint = last_complaint(&lab->child);
    if (lab->failure[0])
        snprintf(out, size, "%s", lab->failure);
    else if (WIFSIGNALED(wait_status))
        snprintf(out, size, "the run's process was ended by signal %d (%s)%s%s", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)), complaint[0] ? ": " : "", complaint);
    else
        snprintf(out, size, "the run's process ended with exit code %d and without a result%s%s",
                 WEXITSTATUS(wait_status), complaint[0] ? ": " : "", complaint);
}

/* Under the mutex. text "": it ended well. */
static void note_end(struct lab *lab, const char *text) {
    struct lab_now *now = &lab->now;
    if (text[0] || !lab->has_end)
        lab_publish_end(lab, text[0] ? "failed" : "stopped", text[0] ? text : "It was stopped before it had begun.");
    if (!is_current(lab)) return;
    if (now->running_since_ns && !now->elapsed_ns) now->elapsed_ns = now_ns(lab) - now->running_since_ns;
    now->phase = LAB_NONE;
    snprintf(now->error, sizeof now->error, "%s", text);
    lab->stop_asked_ns = 0;
}

static void finish(struct lab *lab, int wait_status) {
    char text[ERROR_TEXT_SIZE] = "";
    lab_child_read(&lab->child, now_ns(lab), lab_take_line, lab); /* what it wrote last */
    if (lab->failure[0] || !(lab->has_end || was_stopped_early(lab, wait_status)))
        explain(lab, wait_status, text, sizeof text);
    lab_child_end(&lab->child);
    lab_history_clean(lab->directory, &lab->child_id);
    lab_prune(lab->directory);
    struct buffer newest;
    buffer_init(&newest, LAB_SUMMARY_MAX);
    lab_history_newest(lab->directory, &newest);
    pthread_mutex_lock(&lab->mutex);
    buffer_free(&lab->last_run);
    lab->last_run = newest;
    note_end(lab, text);
    pthread_mutex_unlock(&lab->mutex);
    if (text[0]) log_event(lab->logger, LOG_WARN, "a run of the lab ended without a result", LOG_S("error", text));
}

/* --- starting --- */

static void fill_arguments(const struct lab *lab, char *id, char **out) {
    char *fixed[FIXED_ARGUMENTS] = {"orderly", "simulate", "--pipe", "--run-id", id, "--save", lab->directory};
    size_t count = 0;
    for (; count < FIXED_ARGUMENTS; count++)
        out[count] = fixed[count];
    for (char **at = lab->arguments; *at; at++)
        out[count++] = *at;
    out[count] = NULL;
}

static enum status launch(struct lab *lab, const struct lab_pipes *pipes, const struct lab_parameters *parameters,
                          struct error *error) {
    size_t count = FIXED_ARGUMENTS + 1;
    for (char **at = lab->arguments; *at; at++)
        count++;
    char id[UUID_TEXT_SIZE], **arguments = calloc(count, sizeof *arguments);
    struct buffer line;
    struct json_writer writer;
    buffer_init(&line, LAB_LINE_MAX);
    json_writer_init(&writer, &line);
    lab_parameters_write(parameters, &writer);
    buffer_put_char(&line, '\n');
    enum status status =
        !arguments || line.status ? error_set(error, STATUS_NO_MEMORY, "no memory for a run") : STATUS_OK;
    if (status == STATUS_OK) {
        uuid_format(&lab->child_id, id);
        fill_arguments(lab, id, arguments);
        const struct lab_program program = {lab->program, lab->directory, arguments, lab->environment};
        status = lab_child_start(&lab->child, &program, pipes, buffer_bytes(&line), error);
    } else {
        struct lab_pipes unused = *pipes;
        lab_pipes_close(&unused);
    }
    buffer_free(&line);
    free(arguments);
    return status;
}

static void start_waiting(struct lab *lab) {
    pthread_mutex_lock(&lab->mutex);
    struct lab_pipes pipes = lab->waiting;
    struct lab_parameters parameters = lab->now.parameters;
    lab->has_waiting = false;
    lab->child_id = lab->now.run_id;
    pthread_mutex_unlock(&lab->mutex);
    struct error error = {""};
    lab->failure[0] = '\0';
    lab->has_end = lab->was_killed = false;
    lab->kill_at_ns = 0;
    lab->late_at_ns = after_ms(lab, LAB_READY_MS);
    lab->over_at_ns = INT64_MAX;
    if (launch(lab, &pipes, &parameters, &error) == STATUS_OK) return;
    pthread_mutex_lock(&lab->mutex);
    note_end(lab, error.text);
    pthread_mutex_unlock(&lab->mutex);
}

/* --- the loop --- */

/* Follows what was asked for. False: the lab closes, and nothing goes on. */
static bool obey(struct lab *lab) {
    pthread_mutex_lock(&lab->mutex);
    bool is_running = lab->child.pid > 0, closing = lab->closing;
    int64_t asked_ns = lab->stop_asked_ns && is_current(lab) ? lab->stop_asked_ns : now_ns(lab);
    bool ends = is_running && (closing || lab->stop_asked_ns || !is_current(lab));
    bool starts = !is_running && lab->has_waiting && !closing;
    pthread_mutex_unlock(&lab->mutex);
    if (ends && lab->child.pipes.input_fd >= 0) ask_to_end(lab, asked_ns);
    if (starts) start_waiting(lab);
    return is_running || starts || !closing;
}

static void watch_time(struct lab *lab) {
    int64_t now = now_ns(lab);
    if (lab->was_killed) return;
    if (lab->kill_at_ns && now >= lab->kill_at_ns)
        end_by_force(lab);
    else if (!lab->kill_at_ns && now >= lab->late_at_ns)
        lab_fail(lab, "nothing was heard of the run for %d s, and it was killed",
                 (int)((has_begun(lab) ? LAB_SILENCE_MS : LAB_READY_MS) / 1000));
    else if (!lab->kill_at_ns && now >= lab->over_at_ns)
        ask_to_end(lab, now);
}

static void attend(struct lab *lab) {
    int wait_status = 0;
    if (lab->child.pid <= 0) return;
    if (!lab_child_read(&lab->child, now_ns(lab), lab_take_line, lab) && !lab->was_killed)
        lab_fail(lab, "the run's process wrote more than a run has to say");
    if (lab->child.has_ended_output && !lab->kill_at_ns) lab->kill_at_ns = after_ms(lab, LAB_STOP_MS);
    watch_time(lab);
    if (lab_child_reap(&lab->child, &wait_status)) finish(lab, wait_status);
}

static void wait_for_news(struct lab *lab) {
    const struct lab_pipes *pipes = &lab->child.pipes;
    bool is_running = lab->child.pid > 0;
    struct pollfd polled[] = {{.fd = lab->wake_fd, .events = POLLIN},
                              {.fd = is_running && !lab->was_killed ? pipes->output_fd : -1, .events = POLLIN},
                              {.fd = is_running && !lab->was_killed ? pipes->error_fd : -1, .events = POLLIN}};
    int wait_ms = !is_running ? -1 : lab->kill_at_ns || lab->was_killed ? LAB_POLL_ENDING_MS : LAB_POLL_MS;
    poll(polled, 3, wait_ms);
    uint64_t wakes;
    if (polled[0].revents && read(lab->wake_fd, &wakes, sizeof wakes) < 0) return;
}

void *lab_run_thread(void *data) {
    struct lab *lab = data;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL); /* SIGPIPE too: a child that is gone is an error of the write */
    while (obey(lab)) {
        wait_for_news(lab);
        attend(lab);
    }
    return NULL;
}
