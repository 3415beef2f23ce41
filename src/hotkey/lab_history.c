/* The history of runs: a directory for each, named by the run's id, there whole or not at all.
 *
 * The ids are UUIDs of version 7, so their names sort by time, and nothing else is ever made part of a path. Files are
 * not synced: after a power loss a run may be damaged; one whose summary cannot be read is not shown. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hotkey/lab_state.h"

#define SAVING ".saving-"     /* and the id: a run whose files are being written */
#define DROPPING ".dropping-" /* and the id: one whose files are being removed */
#define LEFTOVER_S 600        /* older ones of these are nobody's any more */
#define NAMES_MAX 4096        /* directories looked at */
#define NAME_SIZE 96
#define PATH_SIZE 4352

static const char *const class_names[LAB_CLASSES] = {"hot", "normal"};
static const char *const time_names[LAB_TIMES] = {"response", "service"};
static const char *const file_names[LAB_FILES] = {"result.json", "report.html", "seconds.csv", NULL};

static void file_name(enum lab_file file, enum lab_class class, int time, char out[NAME_SIZE]) {
    if (file == LAB_FILE_HGRM)
        snprintf(out, NAME_SIZE, "%s-%s.hgrm", class_names[class], time_names[time]);
    else
        snprintf(out, NAME_SIZE, "%s", file_names[file]);
}

/* --- removing --- */

/* A directory of plain files. */
static void remove_directory(int parent_fd, const char *name) {
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        unlinkat(fd, entry->d_name, 0);
    if (directory)
        closedir(directory);
    else if (fd >= 0)
        close(fd);
    unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* Out of sight first: whoever lists the runs sees it whole or not at all. */
static void drop_run(int parent_fd, const char *id) {
    char gone[NAME_SIZE];
    snprintf(gone, sizeof gone, DROPPING "%s", id);
    if (renameat(parent_fd, id, parent_fd, gone) == 0) remove_directory(parent_fd, gone);
}

void lab_history_clean(const char *directory, const struct uuid *run_id) {
    char name[NAME_SIZE] = SAVING;
    uuid_format(run_id, name + strlen(name));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    remove_directory(fd, name);
    close(fd);
}

/* --- listing --- */

struct names {
    char (*items)[UUID_TEXT_SIZE];
    size_t count;
};

static bool is_leftover(const char *name) {
    return strncmp(name, SAVING, strlen(SAVING)) == 0 || strncmp(name, DROPPING, strlen(DROPPING)) == 0;
}

/* A run of another process on the same directory may be about to be saved: only old leftovers go. */
static void remove_old_leftover(int parent_fd, const char *name) {
    struct stat found;
    if (fstatat(parent_fd, name, &found, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(found.st_mode)) return;
    if (time(NULL) - found.st_mtime > LEFTOVER_S) remove_directory(parent_fd, name);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(b, a); /* newest first */
}

static bool is_run(const char *name) {
    struct uuid id;
    char text[UUID_TEXT_SIZE];
    if (uuid_parse(bytes_of(name), &id)) return false;
    uuid_format(&id, text);
    return strcmp(text, name) == 0; /* one spelling for each run */
}

/* The ids of all runs, newest first; to be freed. */
static struct names list_runs(const char *path, bool removes_leftovers) {
    struct names names = {.items = calloc(NAMES_MAX, sizeof *names.items)};
    DIR *directory = names.items ? opendir(path) : NULL;
    for (struct dirent *entry; directory && names.count < NAMES_MAX && (entry = readdir(directory));) {
        if (is_run(entry->d_name))
            memcpy(names.items[names.count++], entry->d_name, UUID_TEXT_SIZE);
        else if (removes_leftovers && is_leftover(entry->d_name))
            remove_old_leftover(dirfd(directory), entry->d_name);
    }
    if (directory) closedir(directory);
    if (names.count) qsort(names.items, names.count, sizeof *names.items, compare_names);
    return names;
}

void lab_prune(const char *directory) {
    struct names names = list_runs(directory, true);
    int fd = names.count > LAB_HISTORY_MAX ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = LAB_HISTORY_MAX; fd >= 0 && i < names.count; i++)
        drop_run(fd, names.items[i]);
    if (fd >= 0) close(fd);
    free(names.items);
}

/* --- reading --- */

/* A plain file, whole. TOO_LARGE: above max. */
static enum status read_file(const char *path, size_t max_size, struct buffer *out) {
    struct stat found;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO;
    enum status status = fstat(fd, &found) || !S_ISREG(found.st_mode) ? STATUS_IO : STATUS_OK;
    if (status == STATUS_OK && (size_t)found.st_size > max_size) status = STATUS_TOO_LARGE;
    char *room = status == STATUS_OK ? buffer_reserve(out, (size_t)found.st_size) : NULL;
    if (status == STATUS_OK && !room) status = out->status;
    for (size_t left = room ? (size_t)found.st_size : 0; status == STATUS_OK && left > 0;) {
        ssize_t size = read(fd, out->data + out->size, left);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) status = STATUS_IO;
        if (size > 0) out->size += (size_t)size, left -= (size_t)size;
    }
    close(fd);
    return status;
}

/* The summary of a run, if it is sound: one JSON object. */
static bool read_summary(const char *directory, const char *id, struct buffer *out) {
    char path[PATH_SIZE];
    struct arena arena;
    struct json_value *value = NULL;
    buffer_reset(out);
    snprintf(path, sizeof path, "%s/%s/summary.json", directory, id);
    if (read_file(path, LAB_SUMMARY_MAX, out)) return false;
    while (out->size > 0 && out->data[out->size - 1] == '\n')
        out->size--;
    arena_init(&arena, 4096, JSON_ARENA_SIZE);
    bool is_sound = json_read(buffer_bytes(out), &arena, &value, NULL) == STATUS_OK && value->kind == JSON_OBJECT;
    arena_free(&arena);
    return is_sound;
}

void lab_history_newest(const char *directory, struct buffer *out) {
    struct names names = list_runs(directory, false);
    bool is_found = false;
    for (size_t i = 0; i < names.count && i < LAB_HISTORY_MAX && !is_found; i++)
        is_found = read_summary(directory, names.items[i], out);
    if (!is_found) buffer_reset(out);
    free(names.items);
}

void lab_history_write(const char *directory, struct json_writer *writer) {
    struct names names = list_runs(directory, false);
    struct buffer summary;
    buffer_init(&summary, LAB_SUMMARY_MAX);
    json_begin_array(writer);
    for (size_t i = 0; i < names.count && i < LAB_HISTORY_MAX; i++)
        if (read_summary(directory, names.items[i], &summary)) json_raw(writer, buffer_bytes(&summary));
    json_end_array(writer);
    buffer_free(&summary);
    free(names.items);
}

enum status lab_history_read(const char *directory, const struct uuid *run_id, enum lab_file file, enum lab_class class,
                             int time, struct buffer *out) {
    char path[PATH_SIZE], id[UUID_TEXT_SIZE], name[NAME_SIZE];
    uuid_format(run_id, id);
    file_name(file, class, time, name);
    int size = snprintf(path, sizeof path, "%s/%s/%s", directory, id, name);
    if (size < 0 || (size_t)size >= sizeof path) return STATUS_NOT_FOUND;
    return read_file(path, LAB_FILE_MAX, out);
}

/* --- writing --- */

enum status lab_history_open(const char *directory, struct error *error) {
    char path[PATH_SIZE];
    int size = snprintf(path, sizeof path, "%s", directory);
    if (size <= 0 || (size_t)size >= sizeof path)
        return error_set(error, STATUS_INVALID, "the name of the lab's directory is too long");
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char end = *at;
        *at = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return error_set_errno(error, STATUS_IO, errno, "cannot make the lab's directory %s", path);
        if (!end) break;
        *at = end;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* what exists may be something else */
    if (fd < 0) return error_set_errno(error, STATUS_IO, errno, "cannot use the lab's directory %s", path);
    close(fd);
    return STATUS_OK;
}

static enum status write_file(int directory_fd, const char *name, const struct buffer *text) {
    if (text->status != STATUS_OK) return text->status;
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return STATUS_IO;
    enum status status = STATUS_OK;
    for (size_t done = 0; status == STATUS_OK && done < text->size;) {
        ssize_t size = write(fd, text->data + done, text->size - done);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) status = STATUS_IO;
        if (size > 0) done += (size_t)size;
    }
    if (close(fd) && status == STATUS_OK) status = STATUS_IO;
    return status;
}

static void render_summary(const struct lab_result *result, struct buffer *out) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    lab_result_write_summary(result, &writer);
}

/* Every file but the histograms. */
static const struct {
    const char *name;
    void (*render)(const struct lab_result *result, struct buffer *out);
} renderings[] = {
    {"result.json", lab_result_write_json},
    {"report.html", lab_result_write_html},
    {"seconds.csv", lab_result_write_csv},
    {"summary.json", render_summary},
};

static enum status write_files(int directory_fd, const struct lab_result *result) {
    enum status status = STATUS_OK;
    struct buffer text;
    buffer_init(&text, LAB_FILE_MAX);
    for (size_t i = 0; status == STATUS_OK && i < sizeof renderings / sizeof *renderings; i++) {
        buffer_reset(&text);
        renderings[i].render(result, &text);
        status = write_file(directory_fd, renderings[i].name, &text);
    }
    for (int i = 0; status == STATUS_OK && i < LAB_CLASSES * LAB_TIMES; i++) {
        enum lab_class class = (enum lab_class)(i / LAB_TIMES);
        char name[NAME_SIZE];
        file_name(LAB_FILE_HGRM, class, i % LAB_TIMES, name);
        buffer_reset(&text);
        lab_result_write_hgrm(result, class, (enum lab_time)(i % LAB_TIMES), &text);
        status = write_file(directory_fd, name, &text);
    }
    buffer_free(&text);
    return status;
}

enum status lab_save(const char *directory, const struct lab_result *result, struct error *error) {
    char id[UUID_TEXT_SIZE], saving[NAME_SIZE];
    enum status status = lab_history_open(directory, error);
    if (status != STATUS_OK) return status;
    uuid_format(&result->run_id, id);
    snprintf(saving, sizeof saving, SAVING "%s", id);
    int parent_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0) return error_set_errno(error, STATUS_IO, errno, "cannot open %s", directory);
    int fd = mkdirat(parent_fd, saving, 0700) ? -1 : openat(parent_fd, saving, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    status = fd < 0 ? STATUS_IO : write_files(fd, result);
    if (status == STATUS_OK && renameat(parent_fd, saving, parent_fd, id)) status = STATUS_IO;
    if (status != STATUS_OK) {
        int failure = status == STATUS_IO ? errno : status == STATUS_NO_MEMORY ? ENOMEM : EFBIG;
        error_set_errno(error, status, failure, "cannot save the run in %s", directory);
        remove_directory(parent_fd, saving);
    }
    if (fd >= 0) close(fd);
    close(parent_fd);
    return status;
}
