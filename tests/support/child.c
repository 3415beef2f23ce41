/* Child processes of tests: started by exec, so that nothing of the parent's threads and locks is copied. */
#include "support/child.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

extern char **environ;

static pid_t start(const char *const *arguments, const posix_spawn_file_actions_t *actions) {
    char path[512], *argv[ARGUMENTS_MAX + 2] = {path};
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size < 0) abort();
    path[size] = '\0';
    for (int i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = (char *)arguments[i];
    pid_t pid;
    int rc = posix_spawn(&pid, path, actions, NULL, argv, environ);
    if (rc == 0) return pid;
    fprintf(stderr, "%s cannot be started: %s\n", path, strerror(rc));
    abort();
}

pid_t child_start(const char *const *arguments, const char *preload) {
    if (!preload) return start(arguments, NULL);
    setenv("LD_PRELOAD", preload, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1); /* the library comes before the sanitizer's */
    pid_t pid = start(arguments, NULL);
    unsetenv("LD_PRELOAD");
    unsetenv("ASAN_OPTIONS");
    return pid;
}

pid_t child_start_piped(const char *const *arguments, int input_fd, int output_fd) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    pid_t pid = start(arguments, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

int child_wait(pid_t pid, int timeout_s) {
    for (long i = 0; i < timeout_s * 200L; i++) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    kill(pid, SIGKILL);
    fprintf(stderr, "a child did not end within %d s\n", timeout_s);
    abort();
}
