/* The lab with its stand-in, and what it shows, parsed. */
#include "hotkey/lab_rig.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *stand_in;

void pause_ms(int ms) {
    usleep((useconds_t)ms * 1000);
}

struct rig *rig_open(const char *mode, bool is_manual) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    snprintf(rig->directory, sizeof rig->directory, "/tmp/orderly-lab-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    snprintf(rig->history, sizeof rig->history, "%s/data/lab", rig->directory);
    clock_manual_init(&rig->clock, 1800000000000);
    clock_manual_advance(&rig->clock, 3600000); /* no machine is up for 0 ns */
    char path[4096];
    snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
    const char *const arguments[] = {"--data-dir", rig->directory, "--mode", mode, NULL};
    const char *const environment[] = {path, "ORDERLY_REDIS_PASSWORD=secret", NULL};
    const struct lab_options options = {.program = stand_in,
                                        .arguments = arguments,
                                        .environment = environment,
                                        .directory = rig->history,
                                        .clock = is_manual ? &rig->clock.base : clock_system(),
                                        .random = random_system()};
    struct error error = {""};
    if (lab_open(&options, &rig->lab, &error)) fail_msg("%s", error.text);
    return rig;
}

void rig_close(struct rig *rig) {
    char command[128];
    lab_close(rig->lab);
    snprintf(command, sizeof command, "rm -rf %s", rig->directory);
    assert_int_equal(system(command), 0);
    free(rig);
}

struct lab_parameters parameters_of(double duration_s) {
    struct lab_parameters parameters;
    assert_int_equal(lab_parameters_default("default", &parameters), STATUS_OK);
    parameters.duration_s = duration_s;
    return parameters;
}

struct uuid start(struct rig *rig, double duration_s) {
    struct uuid run_id;
    struct error error = {""};
    const struct lab_parameters parameters = parameters_of(duration_s);
    if (lab_start(rig->lab, &parameters, &run_id, &error)) fail_msg("%s", error.text);
    return run_id;
}

/* --- looking --- */

static struct arena arena;
static struct buffer text;

static const struct json_value *parse(void) {
    struct json_value *value = NULL;
    struct json_error error;
    arena_reset(&arena);
    if (json_read(buffer_bytes(&text), &arena, &value, &error))
        fail_msg("%s: %.*s", error.text, (int)text.size, text.data);
    return value;
}

const struct json_value *status_of(struct rig *rig) {
    struct json_writer writer;
    buffer_reset(&text);
    json_writer_init(&writer, &text);
    lab_write_status(rig->lab, &writer);
    json_key(&writer, "more"), json_bool(&writer, true); /* the object is left open for the caller */
    json_end_object(&writer);
    return parse();
}

const struct json_value *runs_of(struct rig *rig) {
    struct json_writer writer;
    buffer_reset(&text);
    json_writer_init(&writer, &text);
    lab_write_runs(rig->lab, &writer);
    return parse();
}

const char *text_of(const struct json_value *object, const char *name) {
    static char out[1024];
    struct bytes found;
    if (json_member_string(object, name, &found)) return NULL;
    snprintf(out, sizeof out, "%.*s", (int)found.size, found.data);
    return out;
}

bool is_phase(struct rig *rig, const char *phase) {
    return strcmp(text_of(status_of(rig), "phase"), phase) == 0;
}

/* Waits until nothing goes on, and returns the error that is shown; NULL: none. */
const char *error_after(struct rig *rig) {
    WAIT_UNTIL(is_phase(rig, "none"));
    return text_of(status_of(rig), "error");
}

const struct json_value *self_of(struct rig *rig) {
    char path[128];
    snprintf(path, sizeof path, "%s/self.json", rig->history);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    buffer_reset(&text);
    char *room = buffer_reserve(&text, 65536);
    text.size += fread(room, 1, 65536, file);
    fclose(file);
    return parse();
}

pid_t child_of(struct rig *rig) {
    int64_t pid = 0;
    assert_int_equal(json_member_integer(self_of(rig), "pid", &pid), STATUS_OK);
    return (pid_t)pid;
}

bool is_gone(pid_t pid) {
    return kill(pid, 0) != 0 && errno == ESRCH;
}

int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* What lies in the history, directories of runs or not. */
int entries(struct rig *rig, const char *start_text) {
    int count = 0;
    DIR *directory = opendir(rig->history);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.' || entry->d_name[1] > '.'
                     ? strncmp(entry->d_name, start_text, strlen(start_text)) == 0
                     : 0;
    closedir(directory);
    return count;
}

/* --- listeners --- */

static void hear(struct lab_listener *listener, uint64_t number, const char *event, struct bytes json) {
    struct heard *heard = listener->data;
    pthread_mutex_lock(&heard->mutex);
    size_t size = strlen(heard->events);
    snprintf(heard->events + size, sizeof heard->events - size, "%s ", event);
    snprintf(heard->last, sizeof heard->last, "%.*s", (int)json.size, json.data);
    heard->is_in_order = heard->is_in_order && number > heard->number;
    heard->number = number;
    pthread_mutex_unlock(&heard->mutex);
}

void heard_init(struct heard *heard) {
    *heard = (struct heard){.listener = {.event = hear, .data = heard}, .is_in_order = true};
    pthread_mutex_init(&heard->mutex, NULL);
}

bool has_heard(struct heard *heard, const char *wanted) {
    pthread_mutex_lock(&heard->mutex);
    bool has = strstr(heard->events, wanted) != NULL;
    pthread_mutex_unlock(&heard->mutex);
    return has;
}

void rig_begin(int argc, char **argv) {
    if (argc < 2) exit(2);
    stand_in = argv[1];
    arena_init(&arena, 16384, JSON_ARENA_SIZE);
    buffer_init(&text, 1 << 20);
}

void rig_end(void) {
    arena_free(&arena);
    buffer_free(&text);
}
