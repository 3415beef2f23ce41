/* The process of one run: started so that it inherits nothing but three pipes and dies with its parent, read in lines,
 * ended, reaped. */
#include "hotkey/lab_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3 /* below are the standard ones */

/* --- pipes --- */

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void lab_pipes_close(struct lab_pipes *pipes) {
    close_fd(&pipes->input_fd);
    close_fd(&pipes->output_fd);
    close_fd(&pipes->error_fd);
    for (int i = 0; i < 3; i++)
        close_fd(&pipes->its_fds[i]);
}

/* A process that was started without standard descriptors gets pipes under their numbers, which the child must not. */
static bool lift(int *fd) {
    if (*fd >= FIRST_FD) return true;
    int lifted = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close_fd(fd);
    *fd = lifted;
    return lifted >= 0;
}

static bool open_pipe(int *read_fd, int *write_fd, int *ours) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC)) return false;
    *read_fd = fds[0];
    *write_fd = fds[1];
    return lift(read_fd) && lift(write_fd) && fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

enum status lab_pipes_open(struct lab_pipes *pipes_out, struct error *error) {
    struct lab_pipes pipes = {-1, -1, -1, {-1, -1, -1}};
    if (open_pipe(&pipes.its_fds[0], &pipes.input_fd, &pipes.input_fd) &&
        open_pipe(&pipes.output_fd, &pipes.its_fds[1], &pipes.output_fd) &&
        open_pipe(&pipes.error_fd, &pipes.its_fds[2], &pipes.error_fd)) {
        *pipes_out = pipes;
        return STATUS_OK;
    }
    error_set_errno(error, STATUS_FULL, errno, "no descriptors for a run");
    lab_pipes_close(&pipes);
    return STATUS_FULL;
}

/* --- starting --- */

struct launch {
    const struct lab_program *program;
    const int *its_fds;
    pid_t parent;
    volatile int failure; /* the child of a vfork writes it */
};

/* Between vfork and exec, in the parent's memory: system calls only. */
static void become(struct launch *launch) {
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &normal, NULL); /* SIGKILL and SIGSTOP refuse; they are normal */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launch->parent) _exit(127); /* it died before it could be told */
    setpgid(0, 0);                               /* Ctrl-C is for the service, which ends the run in its own way */
    for (int i = 0; i < 3; i++)
        if (dup2(launch->its_fds[i], i) < 0) goto failed;
    close_range(FIRST_FD, ~0u, 0);
    if (chdir(launch->program->directory)) goto failed;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(launch->program->file, launch->program->arguments, launch->program->environment);
failed:
    launch->failure = errno;
    const char *text = strerrordesc_np(errno); /* for where vfork is a fork: under the thread sanitizer */
    _exit(text && write(STDERR_FILENO, text, strlen(text)) < 0 ? 126 : 127);
}

/* vfork, because a fork copies the page tables of a service that serves: this one stops only the calling thread, until
 * the other program runs. All signals are blocked meanwhile, or a handler would run in the child on the parent's
 * memory. */
static pid_t launch_process(struct launch *launch) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = vfork();
    if (pid == 0) become(launch);
    int failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return pid;
}

static bool write_line(int fd, struct bytes line) {
    return line.size < LAB_LINE_MAX &&
           write(fd, line.data, line.size) == (ssize_t)line.size; /* as a new pipe takes it */
}

enum status lab_child_start(struct lab_child *child, const struct lab_program *program, const struct lab_pipes *pipes,
                            struct bytes line, struct error *error) {
    *child = (struct lab_child){.line = child->line, .pipes = *pipes};
    struct launch launch = {.program = program, .its_fds = pipes->its_fds, .parent = getpid()};
    pid_t pid = launch_process(&launch);
    for (int i = 0; i < 3; i++)
        close_fd(&child->pipes.its_fds[i]);
    int failure = pid < 0 ? errno : launch.failure;
    if (pid > 0 && launch.failure) waitpid(pid, NULL, 0);
    if (failure) {
        lab_pipes_close(&child->pipes);
        return error_set_errno(error, STATUS_UNAVAILABLE, failure, "the run's process cannot be started");
    }
    child->pid = pid;
    write_line(child->pipes.input_fd, line); /* if it is dead already, that is how it is reported */
    return STATUS_OK;
}

/* --- talking --- */

void lab_child_close_input(struct lab_child *child) {
    close_fd(&child->pipes.input_fd);
}

/* Keeps the end of what it complains about. */
static void read_complaints(struct lab_child *child) {
    char piece[LAB_COMPLAINT_SIZE];
    for (size_t taken = 0; child->pipes.error_fd >= 0 && taken < LAB_READ_MAX;) {
        ssize_t size = read(child->pipes.error_fd, piece, sizeof piece);
        if (size <= 0) {
            if (size == 0) close_fd(&child->pipes.error_fd);
            return;
        }
        taken += (size_t)size;
        child->complained_size += (size_t)size;
        size_t kept = LAB_COMPLAINT_SIZE - (size_t)size;
        if (kept > child->complaint_size) kept = child->complaint_size;
        memmove(child->complaint, child->complaint + child->complaint_size - kept, kept);
        memcpy(child->complaint + kept, piece, (size_t)size);
        child->complaint_size = kept + (size_t)size;
        child->complaint[child->complaint_size] = '\0';
        if (child->complained_size > LAB_COMPLAINTS_MAX) close_fd(&child->pipes.error_fd);
    }
}

static bool count_line(struct lab_child *child, int64_t now_ns) {
    int64_t second = now_ns / 1000000000;
    if (second != child->second) child->second = second, child->lines = 0;
    return ++child->lines <= LAB_LINES_PER_S;
}

static bool take_lines(struct lab_child *child, int64_t now_ns, void (*take)(void *data, struct bytes line),
                       void *data) {
    char *at = child->line, *end = child->line + child->line_size, *stop;
    while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
        if (!count_line(child, now_ns)) return false;
        take(data, (struct bytes){at, (size_t)(stop - at)});
        at = stop + 1;
    }
    child->line_size = (size_t)(end - at);
    memmove(child->line, at, child->line_size);
    return child->line_size < LAB_LINE_MAX;
}

bool lab_child_read(struct lab_child *child, int64_t now_ns, void (*take)(void *data, struct bytes line), void *data) {
    read_complaints(child);
    for (size_t taken = 0; child->pipes.output_fd >= 0 && taken < LAB_READ_MAX;) {
        ssize_t size = read(child->pipes.output_fd, child->line + child->line_size, LAB_LINE_MAX - child->line_size);
        if (size < 0) return true;
        if (size == 0) {
            child->has_ended_output = true;
            close_fd(&child->pipes.output_fd);
            return true;
        }
        taken += (size_t)size;
        child->line_size += (size_t)size;
        if (!take_lines(child, now_ns, take, data)) return false;
    }
    return true;
}

/* --- the end --- */

/* Its group too: whatever it has started and not put elsewhere. */
void lab_child_kill(struct lab_child *child) {
    if (child->pid <= 0) return;
    kill(child->pid, SIGKILL);
    kill(-child->pid, SIGKILL);
}

/* What is left of its group is ended while the dead process still keeps the number from being given to others. */
bool lab_child_reap(struct lab_child *child, int *wait_status_out) {
    siginfo_t info = {0};
    if (child->pid <= 0 || waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT)) return false;
    if (info.si_pid != child->pid) return false;
    kill(-child->pid, SIGKILL);
    return waitpid(child->pid, wait_status_out, WNOHANG) == child->pid;
}

void lab_child_end(struct lab_child *child) {
    lab_pipes_close(&child->pipes);
    child->pid = 0;
    child->line_size = 0;
}
