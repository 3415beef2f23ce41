/* `orderly simulate --pipe`, the child of the service: parameters in, events out, one JSON object a line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/simulate.h"

/* Waits for the end of standard input: the parent wants the run to end, or is gone. */
static void *watch_input(void *data) {
    char ignored[64];
    ssize_t size;
    (void)data;
    do {
        size = read(STDIN_FILENO, ignored, sizeof ignored);
    } while (size > 0 || (size < 0 && errno == EINTR));
    atomic_store(&simulate_stop, true);
    return NULL;
}

/* The first line of standard input, without its end; false: there is none, or it is too long. */
static bool read_line(char *out, size_t size) {
    for (size_t used = 0; used < size - 1; used++) {
        ssize_t got = read(STDIN_FILENO, out + used, 1);
        if (got < 0 && errno == EINTR) {
            used--;
            continue;
        }
        if (got <= 0 || out[used] == '\n') {
            out[used] = '\0';
            return used > 0;
        }
    }
    return false;
}

static int read_parameters(struct simulate *simulate, const char *line) {
    struct arena arena;
    struct json_value *object = NULL;
    struct json_error json_error;
    struct lab_problems problems = {0};
    char text[512];
    arena_init(&arena, 4096, JSON_ARENA_SIZE);
    enum status status = json_read(bytes_of(line), &arena, &object, &json_error);
    if (status != STATUS_OK) {
        simulate_pipe_error(simulate, json_error.text);
    } else {
        status = lab_parameters_read(object, &simulate->parameters, &problems);
        if (status != STATUS_OK) {
            snprintf(text, sizeof text, "%s %s", problems.items[0].name, problems.items[0].detail);
            simulate_pipe_error(simulate, text);
        }
    }
    arena_free(&arena);
    return status == STATUS_OK ? EXIT_OK : EXIT_USAGE;
}

int simulate_pipe_open(struct simulate *simulate) {
    pthread_t thread;
    char *line = malloc(SIMULATE_LINE_MAX);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* its private server dies with it in turn */
    buffer_init(&simulate->line, 1 << 20);
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK); /* a parent that does not read must not hold up the run */
    bool has_line = line && read_line(line, SIMULATE_LINE_MAX);
    int code = EXIT_USAGE;
    if (has_line)
        code = read_parameters(simulate, line);
    else
        simulate_pipe_error(simulate, "no line of parameters on standard input");
    free(line);
    if (code != EXIT_OK) return code;
    /* Detached: it reads until the parent closes, which may be after the run. */
    if (pthread_create(&thread, NULL, watch_input, NULL) != 0) return EXIT_FAILED;
    pthread_detach(thread);
    return EXIT_OK;
}

/* Writes the line, whole or not at all; false: the parent did not take it in time. */
static bool write_line(struct buffer *line) {
    size_t written = 0;
    buffer_put_char(line, '\n');
    while (line->status == STATUS_OK && written < line->size) {
        ssize_t size = write(STDOUT_FILENO, line->data + written, line->size - written);
        if (size > 0) {
            written += (size_t)size;
            continue;
        }
        struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (size < 0 && errno != EAGAIN && errno != EINTR) break;
        /* A line that was begun must be ended, however long it takes: half a line would spoil the next one. */
        if (poll(&out, 1, written ? -1 : SIMULATE_WRITE_MS) == 0) break;
        if (out.revents & (POLLERR | POLLHUP | POLLNVAL)) break;
    }
    return line->status == STATUS_OK && written == line->size;
}

static void begin(struct simulate *simulate, struct json_writer *writer) {
    buffer_reset(&simulate->line);
    json_writer_init(writer, &simulate->line);
}

void simulate_pipe_ready(void *data, const struct lab_result *so_far) {
    struct simulate *simulate = data;
    struct json_writer writer;
    char run_id[UUID_TEXT_SIZE];
    uuid_format(&so_far->run_id, run_id);
    begin(simulate, &writer);
    json_begin_object(&writer);
    json_key(&writer, "type"), json_text(&writer, "ready");
    json_key(&writer, "target"), json_text(&writer, so_far->target);
    json_key(&writer, "target_policy");
    if (so_far->target_policy[0])
        json_text(&writer, so_far->target_policy);
    else
        json_null(&writer);
    json_key(&writer, "config"), lab_parameters_write(&so_far->parameters, &writer);
    json_key(&writer, "run_id"), json_text(&writer, run_id);
    json_key(&writer, "key_prefix"), json_text(&writer, so_far->key_prefix);
    json_end_object(&writer);
    write_line(&simulate->line);
}

void simulate_pipe_tick(void *data, const struct lab_result *so_far, const struct lab_second *second) {
    struct simulate *simulate = data;
    struct json_writer writer;
    (void)so_far;
    begin(simulate, &writer);
    lab_second_write(second, &writer);
    write_line(&simulate->line);
}

static const char *const end_names[] = {[LAB_END_DURATION] = "duration",
                                        [LAB_END_STOPPED] = "stopped",
                                        [LAB_END_TARGET_LOST] = "target_lost",
                                        [LAB_END_FAILED] = "failed"};

int simulate_pipe_end(struct simulate *simulate, const struct lab_result *result) {
    struct json_writer writer;
    begin(simulate, &writer);
    json_begin_object(&writer);
    json_key(&writer, "type"), json_text(&writer, "end");
    json_key(&writer, "end"), json_text(&writer, end_names[result->end]);
    json_key(&writer, "end_text"), json_text(&writer, result->end_text);
    json_key(&writer, "summary"), lab_result_write_summary(result, &writer);
    json_end_object(&writer);
    bool is_written = write_line(&simulate->line);
    buffer_free(&simulate->line);
    return is_written ? EXIT_OK : EXIT_FAILED;
}

void simulate_pipe_error(struct simulate *simulate, const char *text) {
    struct json_writer writer;
    begin(simulate, &writer);
    json_begin_object(&writer);
    json_key(&writer, "type"), json_text(&writer, "error");
    json_key(&writer, "error"), json_text(&writer, text);
    json_end_object(&writer);
    write_line(&simulate->line);
    buffer_free(&simulate->line);
}
