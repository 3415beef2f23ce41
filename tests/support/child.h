/* This test program once more, as a child process with another part to play. */
#ifndef ORDERLY_TESTS_SUPPORT_CHILD_H
#define ORDERLY_TESTS_SUPPORT_CHILD_H

#include <sys/types.h>

/* Starts the program that runs now with these arguments (NULL-terminated, without the program's name). preload: a
 * library put before all others, or NULL. Aborts if it cannot be started. */
pid_t child_start(const char *const *arguments, const char *preload);

/* The same, with descriptors of this process as the child's standard input and output. */
pid_t child_start_piped(const char *const *arguments, int input_fd, int output_fd);

/* The exit code, or 128 + the signal. A child that does not end in time is killed and the test aborted. */
int child_wait(pid_t pid, int timeout_s);

#endif
