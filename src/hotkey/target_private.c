/* A redis-server of the run's own: on a free loopback port, keeping nothing on disk, ended with this process. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hotkey/target.h"

#define DESCRIPTORS_MAX 4096 /* closed in the child where close_range(2) is unknown */

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    if (fd >= 0) close(fd);
    return is_bound ? ntohs(address.sin_port) : 0;
}

/* In the child: only what is safe between fork and exec. Its directory was removed already, so that even somebody's
 * SAVE leaves nothing; a group of its own keeps Ctrl-C, which ends the run in order, away from it. */
static void become_server(const char *program, char *const *arguments, const char *directory, int report_fd,
                          pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    int null_fd = open("/dev/null", O_RDWR);
    if (getppid() != parent || null_fd < 0 || chdir(directory) != 0) _exit(1);
    rmdir(directory);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null_fd, fd);
    dup2(report_fd, 3);
    if (close_range(4, ~0u, 0) != 0)
        for (int fd = 4; fd < DESCRIPTORS_MAX; fd++)
            close(fd);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    execvp(program, arguments);
    int code = errno;
    if (write(3, &code, sizeof code) < 0) _exit(2);
    _exit(1);
}

/* The errno of a child that could not become the server, or 0. */
static int read_report(int report_fd) {
    int code = 0;
    ssize_t size;
    do {
        size = read(report_fd, &code, sizeof code);
    } while (size < 0 && errno == EINTR);
    return size == sizeof code ? code : 0;
}

static enum status spawn(struct target *target, const char *directory, int code_out[1], struct error *error) {
    char port[8];
    const char *program = target->options.server_program ? target->options.server_program : "redis-server";
    snprintf(port, sizeof port, "%u", (unsigned)target->port);
    char *const arguments[] = {(char *)program,
                               "--port",
                               port,
                               "--bind",
                               "127.0.0.1",
                               "--save",
                               "",
                               "--appendonly",
                               "no",
                               "--maxmemory-policy",
                               "allkeys-lfu",
                               "--daemonize",
                               "no",
                               "--maxclients",
                               "10000",
                               "--loglevel",
                               "warning",
                               NULL};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return error_set_errno(error, STATUS_IO, errno, "pipe");
    const pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become_server(program, arguments, directory, fds[1], parent);
    int fork_errno = errno;
    close(fds[1]);
    *code_out = pid > 0 ? read_report(fds[0]) : 0;
    close(fds[0]);
    if (pid < 0) return error_set_errno(error, STATUS_IO, fork_errno, "starting %s", program);
    target->pid = pid;
    return STATUS_OK;
}

enum status target_start_private(struct target *target, struct error *error) {
    const char *parent = getenv("TMPDIR"), *program = target->options.server_program;
    char directory[512];
    int code = 0;
    snprintf(directory, sizeof directory, "%s/orderly-lab-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (!mkdtemp(directory)) return error_set_errno(error, STATUS_IO, errno, "%s", directory);
    snprintf(target->host, sizeof target->host, "127.0.0.1");
    target->port = free_port();
    enum status status =
        target->port ? spawn(target, directory, &code, error) : error_set(error, STATUS_IO, "no free port on loopback");
    rmdir(directory); /* the child has done it if it came so far */
    if (status != STATUS_OK || code == 0) return status;
    waitpid(target->pid, NULL, 0);
    target->pid = 0;
    if (code == ENOENT)
        return error_set(
            error, STATUS_NOT_FOUND,
            "there is no %s on this machine for a private server: install Redis (apt install redis-server), or "
            "name a running one in ORDERLY_LAB_REDIS=host:port",
            program ? program : "redis-server");
    return error_set_errno(error, STATUS_IO, code, "starting %s", program ? program : "redis-server");
}
