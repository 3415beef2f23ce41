/* Takes a connection's socket out of libmicrohttpd, which knows no way to give one back.
 *
 * Told to close, libmicrohttpd shuts the socket down, takes its number out of its epoll set if it is in (or aborts),
 * and closes the number. So another file is put under that number, for which all of it is harmless: an eventfd that
 * never becomes ready. The kernel knows watched files by (file, number): the placeholder must be in the set under this
 * number exactly if the socket was, and the socket no more, or events would come for a connection that is gone.
 *
 * Whatever can fail is done before anything is taken away. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/internal.h"
#include "http/stream.h"

/* Puts file's file under number. It cannot fail but by chance of the moment: both are open. */
static void put_under(int number, int file) {
    while (dup3(file, number, O_CLOEXEC) < 0 && (errno == EINTR || errno == EBUSY))
        continue;
}

int stream_take_socket(struct connection *connection, int placeholder_fd) {
    int number = connection->fd;
    int epoll_fd = MHD_get_daemon_info(connection->worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int taken = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (taken < 0) return -1;
    struct epoll_event nothing = {.events = 0, .data.ptr = connection->mhd};
    put_under(number, placeholder_fd);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, number, &nothing)) {
        put_under(number, taken);
        close(taken);
        return -1;
    }
    put_under(number, taken);
    bool was_watched = epoll_ctl(epoll_fd, EPOLL_CTL_DEL, number, NULL) == 0;
    put_under(number, placeholder_fd);
    if (!was_watched) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, number, NULL);
    return taken;
}
