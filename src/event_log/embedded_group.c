/* Group membership by file locks. */
#include "event_log/embedded_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTITION_BYTE 4096 /* the lock of partition 0; slots are below */

static bool set_lock(int fd, short type, off_t byte) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

enum status embedded_group_open(struct embedded_group *group, const char *directory, const char *name,
                                struct error *error) {
    char path[4096 + 512];
    snprintf(path, sizeof path, "%s/" LMDB_GROUPS_DIRECTORY, directory);
    if (mkdir(path, 0700) && errno != EEXIST)
        return error_set_errno(error, STATUS_IO, errno, "%s cannot be made", path);
    snprintf(path, sizeof path, "%s/" LMDB_GROUPS_DIRECTORY "/%s", directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return error_set_errno(error, STATUS_IO, errno, "%s cannot be opened", path);
    group->fd = fd;
    group->slot = -1;
    return STATUS_OK;
}

enum status embedded_group_join(struct embedded_group *group, struct error *error) {
    for (int slot = 0; slot < EVENT_LOG_GROUP_MEMBERS_MAX; slot++) {
        if (!set_lock(group->fd, F_WRLCK, slot)) continue;
        group->slot = slot;
        return STATUS_OK;
    }
    return error_set(error, STATUS_FULL, "the group has %d members already", EVENT_LOG_GROUP_MEMBERS_MAX);
}

/* The slots in [begin, end) that others hold, or -1. The kernel names one conflicting lock, not always the first: so on
 * both sides of it the question is asked again (at most twice for each member). */
static int count_held(int fd, off_t begin, off_t end) {
    if (begin >= end) return 0;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = begin, .l_len = end - begin};
    if (fcntl(fd, F_OFD_GETLK, &lock)) return -1;
    if (lock.l_type == F_UNLCK) return 0;
    int below = count_held(fd, begin, lock.l_start);
    int above = count_held(fd, lock.l_start + lock.l_len, end);
    return below < 0 || above < 0 ? -1 : below + (int)lock.l_len + above;
}

int32_t embedded_group_share(const struct embedded_group *group, int32_t partition_count) {
    int rank = count_held(group->fd, 0, group->slot);
    int above = count_held(group->fd, group->slot + 1, EVENT_LOG_GROUP_MEMBERS_MAX);
    if (rank < 0 || above < 0) return -1;
    int members = rank + 1 + above;
    return partition_count / members + (rank < partition_count % members ? 1 : 0);
}

bool embedded_group_take(const struct embedded_group *group, int32_t partition) {
    return set_lock(group->fd, F_WRLCK, PARTITION_BYTE + partition);
}

void embedded_group_give(const struct embedded_group *group, int32_t partition) {
    set_lock(group->fd, F_UNLCK, PARTITION_BYTE + partition);
}

void embedded_group_close(struct embedded_group *group) {
    if (group->fd >= 0) close(group->fd);
    group->fd = -1;
}
