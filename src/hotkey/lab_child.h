/* The process of one run as the lab's thread sees it: three pipes, a process id, and lines. Private to src/hotkey. */
#ifndef ORDERLY_HOTKEY_LAB_CHILD_H
#define ORDERLY_HOTKEY_LAB_CHILD_H

#include <sys/types.h>

#include "base/buffer.h"

#define LAB_LINE_MAX 65536     /* bytes of one event */
#define LAB_LINES_PER_S 200    /* more than this is no run of ours */
#define LAB_READ_MAX 262144    /* bytes taken from it in one turn */
#define LAB_COMPLAINTS_MAX 1048576 /* bytes on its standard error; then nobody listens any more */
#define LAB_COMPLAINT_SIZE 400 /* the end of what it wrote to its standard error is kept */

/* Our ends, and the child's until it has started; -1: none. */
struct lab_pipes {
    int input_fd, output_fd, error_fd; /* ours: its standard input is written, the others are read */
    int its_fds[3];
};

struct lab_child {
    pid_t pid; /* 0: none */
    struct lab_pipes pipes;
    char *line; /* LAB_LINE_MAX bytes, allocated once */
    size_t line_size;
    char complaint[LAB_COMPLAINT_SIZE + 1];
    size_t complaint_size, complained_size; /* the latter: in all */
    int64_t second; /* in which lines are counted */
    int lines;
    bool has_ended_output;
};

/* FULL: there are no descriptors. */
enum status lab_pipes_open(struct lab_pipes *pipes_out, struct error *error);
void lab_pipes_close(struct lab_pipes *pipes);

/* What is executed: program argv[0], with an environment of its own, in a directory; dies with the calling thread. */
struct lab_program {
    const char *file, *directory;
    char *const *arguments, *const *environment;
};

/* Starts the process on the pipes (the child's own from then on) and writes the line to its standard input. UNAVAILABLE: no
 * process, or the file cannot be executed. On the thread that lives as long as the lab. */
enum status lab_child_start(struct lab_child *child, const struct lab_program *program, const struct lab_pipes *pipes,
                            struct bytes line, struct error *error);

/* Its sign to end the run. */
void lab_child_close_input(struct lab_child *child);

/* Reads what is there, and calls take for each whole line. False: too long a line, or too many of them. */
bool lab_child_read(struct lab_child *child, int64_t now_ns, void (*take)(void *data, struct bytes line), void *data);

void lab_child_kill(struct lab_child *child);

/* True once the process is over and was reaped (wait_status_out: as from waitpid). */
bool lab_child_reap(struct lab_child *child, int *wait_status_out);

/* Closes what is open. The process must have been reaped. */
void lab_child_end(struct lab_child *child);

#endif
