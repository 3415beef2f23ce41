/* A preloaded library that holds or fails the two halves of a durable commit, so that a test can look in between.
 *
 * LMDB commits with fdatasync for the data and then writes the meta page on a descriptor opened with O_DSYNC. The shim
 * watches files in $SYNC_SHIM_DIR, which the test creates and removes:
 *   hold-data   fdatasync waits while it exists (data-held tells that one is waiting)
 *   hold-meta   a write on an O_DSYNC descriptor waits (meta-held)
 *   hold-end    such a write waits when it is done, but has not returned (end-held)
 *   fail-data   fdatasync fails with EIO */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static int exists(const char *name, int create) {
    const char *directory = getenv("SYNC_SHIM_DIR");
    char path[512];
    if (!directory) return 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (create) {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0) close(fd);
    }
    return access(path, F_OK) == 0;
}

static void hold(const char *name, const char *held) {
    while (exists(name, 0)) {
        exists(held, 1);
        usleep(1000);
    }
}

static int is_synchronous(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DSYNC) == O_DSYNC;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    hold("hold-data", "data-held");
    if (exists("fail-data", 0)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    if (!is_synchronous(fd)) return real(fd, data, size, offset);
    hold("hold-meta", "meta-held");
    ssize_t written = real(fd, data, size, offset);
    hold("hold-end", "end-held");
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return pwrite(fd, data, size, offset);
}
