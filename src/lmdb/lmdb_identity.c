/* Says whose data a directory holds, by plain reads of data.mdb, before LMDB may touch anything.
 *
 * LMDB itself would create a lock file beside foreign data, and would die of SIGBUS in a file shorter than its meta
 * page says. So the newest meta page is checked here, and the leftmost key of the unnamed database looked up page by
 * page: every number read from the file is checked before it is used. Page layout: mdb.c of LMDB 0.9, MDB_page,
 * MDB_meta, MDB_node; a change of it would come with another MDB_DATA_VERSION, which is checked first. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lmdb/lmdb_internal.h"

#define FILE_MAGIC 0xBEEFC0DEu
#define FILE_VERSION 1u
#define PAGE_SIZE_MIN 512u
#define PAGE_SIZE_MAX 65536u
#define TREE_DEPTH_MAX 32
#define LOOK_TRIES_MAX 100 /* while another process commits again and again */

enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_META = 0x08 };

struct page_header {
    uint64_t number;
    uint16_t pad, flags, lower, upper;
};

struct database {
    uint32_t pad; /* of the first (the free list): the page size */
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct database free_list, unnamed;
    uint64_t last_page, transaction;
};

struct node {
    uint16_t low, high, flags, key_size;
};

struct data_file {
    int fd;
    const char *path;
    uint64_t size;
    unsigned char page[PAGE_SIZE_MAX];
};

static enum status read_at(const struct data_file *file, void *to, size_t size, uint64_t offset, struct error *error) {
    ssize_t n = pread(file->fd, to, size, (off_t)offset);
    if (n < 0) return error_set_errno(error, STATUS_IO, errno, "%s cannot be read", file->path);
    if ((size_t)n < size)
        return error_set(error, STATUS_CORRUPT, "%s is cut off: %llu bytes of a page are missing", file->path,
                         (unsigned long long)(size - (size_t)n));
    return STATUS_OK;
}

static enum status foreign(const struct data_file *file, struct error *error) {
    return error_set(error, STATUS_UNSUPPORTED, "%s was not made by Orderly; choose another data directory",
                     file->path);
}

static enum status damaged(const struct data_file *file, const char *what, struct error *error) {
    return error_set(error, STATUS_CORRUPT, "%s is damaged (%s); restore it from a backup", file->path, what);
}

/* One meta page. The first is at 0, the second one page further. */
static enum status read_meta(const struct data_file *file, uint64_t offset, struct meta *meta_out,
                             struct error *error) {
    struct {
        struct page_header header;
        struct meta meta;
    } page;
    _Static_assert(sizeof page == 16 + 136, "the layout of LMDB's meta page");
    if (file->size < sizeof page && offset == 0 && file->size < 24) return foreign(file, error);
    memset(&page, 0, sizeof page);
    ssize_t n = pread(file->fd, &page, sizeof page, (off_t)offset);
    if (n < 0) return error_set_errno(error, STATUS_IO, errno, "%s cannot be read", file->path);
    if (n >= 24 && page.meta.magic != FILE_MAGIC)
        return offset == 0 ? foreign(file, error) : damaged(file, "second meta page", error);
    if ((size_t)n < sizeof page) return damaged(file, "cut off in its meta pages", error);
    if (page.meta.version != FILE_VERSION)
        return error_set(error, STATUS_UNSUPPORTED, "%s has LMDB data format %u, this program reads %u", file->path,
                         page.meta.version, FILE_VERSION);
    if (!(page.header.flags & PAGE_META)) return damaged(file, "meta page without its flag", error);
    *meta_out = page.meta;
    return STATUS_OK;
}

static enum status read_newest_meta(const struct data_file *file, struct meta *meta_out, size_t *page_size_out,
                                    struct error *error) {
    struct meta first, second;
    enum status status = read_meta(file, 0, &first, error);
    if (status) return status;
    uint32_t page_size = first.free_list.pad;
    if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX || (page_size & (page_size - 1)))
        return damaged(file, "impossible page size", error);
    status = read_meta(file, page_size, &second, error);
    if (status) return status;
    *meta_out = second.transaction > first.transaction ? second : first;
    *page_size_out = page_size;
    return STATUS_OK;
}

/* The first node of the page, checked to lie inside it with size bytes of key and value. NULL: not so. */
static const unsigned char *first_node(const struct data_file *file, size_t page_size, struct node *node_out) {
    struct page_header header;
    uint16_t at;
    memcpy(&header, file->page, sizeof header);
    if (header.lower < sizeof header + sizeof at || header.lower > page_size) return NULL;
    memcpy(&at, file->page + sizeof header, sizeof at);
    if (at < header.lower || at + sizeof *node_out > page_size) return NULL;
    memcpy(node_out, file->page + at, sizeof *node_out);
    if (at + sizeof *node_out + node_out->key_size > page_size) return NULL;
    return file->page + at + sizeof *node_out;
}

static enum status judge_leaf(const struct data_file *file, size_t page_size, struct error *error) {
    struct node node;
    const unsigned char *key = first_node(file, page_size, &node);
    if (!key) return damaged(file, "impossible leaf page", error);
    struct bytes found = {(const char *)key, node.key_size};
    if (!bytes_equal(found, BYTES(LMDB_IDENTITY_KEY))) return foreign(file, error);
    size_t value_size = node.low | (size_t)node.high << 16;
    if (value_size != sizeof(uint32_t) || key + node.key_size + value_size > file->page + page_size)
        return foreign(file, error);
    uint32_t format = bytes_get_u32(key + node.key_size);
    if (format > LMDB_ENV_FORMAT)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s has format %u, made by a newer Orderly; this one knows up to %d", file->path, format,
                         LMDB_ENV_FORMAT);
    return STATUS_OK;
}

/* Follows the leftmost branches from the root of the unnamed database to its first key. */
static enum status judge_tree(struct data_file *file, const struct meta *meta, size_t page_size, struct error *error) {
    uint64_t number = meta->unnamed.root;
    for (int depth = 0; depth < TREE_DEPTH_MAX; depth++) {
        if (number > meta->last_page) return damaged(file, "impossible page number", error);
        enum status status = read_at(file, file->page, page_size, number * page_size, error);
        if (status) return status;
        struct page_header header;
        memcpy(&header, file->page, sizeof header);
        if (header.number != number) return damaged(file, "page in the wrong place", error);
        if (header.flags & PAGE_LEAF) return judge_leaf(file, page_size, error);
        struct node node;
        if (!(header.flags & PAGE_BRANCH) || !first_node(file, page_size, &node))
            return damaged(file, "impossible branch page", error);
        number = node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32;
    }
    return damaged(file, "endless tree", error);
}

static enum status judge_file(struct data_file *file, enum lmdb_judgement *judgement_out, struct error *error) {
    struct meta meta, after;
    size_t page_size = 0;
    enum status status = STATUS_OK;
    for (int i = 0; i < LOOK_TRIES_MAX; i++) {
        struct stat st;
        status = read_newest_meta(file, &meta, &page_size, error);
        if (status) return status;
        if (fstat(file->fd, &st)) return error_set_errno(error, STATUS_IO, errno, "%s", file->path);
        file->size = (uint64_t)st.st_size;
        if (meta.last_page >= file->size / page_size)
            return error_set(error, STATUS_CORRUPT, "%s is cut off: it has %llu bytes and should have %llu", file->path,
                             (unsigned long long)file->size, (unsigned long long)(meta.last_page + 1) * page_size);
        if (meta.unnamed.entries == 0 || meta.unnamed.root == UINT64_MAX) {
            *judgement_out = LMDB_EMPTY; /* made, but a crash came before the identity */
            return STATUS_OK;
        }
        status = judge_tree(file, &meta, page_size, error);
        /* While the newest transaction is still the same, no writer can have reused a page of its tree. */
        if (read_newest_meta(file, &after, &page_size, NULL) == STATUS_OK && after.transaction == meta.transaction)
            break;
    }
    if (status == STATUS_OK) *judgement_out = LMDB_OURS;
    return status;
}

/* No data, or none yet: as new, unless the directory says that there was some. */
static enum status judge_absence(const char *directory, enum lmdb_judgement *judgement_out, struct error *error) {
    char path[LMDB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/" LMDB_GROUPS_DIRECTORY, directory);
    if (access(path, F_OK) == 0)
        return error_set(error, STATUS_CORRUPT,
                         "%s was in use, but its data.mdb is empty or gone: restore a backup into another data directory",
                         directory);
    *judgement_out = LMDB_ABSENT;
    return STATUS_OK;
}

enum status lmdb_identity_judge(const char *directory, enum lmdb_judgement *judgement_out, struct error *error) {
    char path[LMDB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/data.mdb", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) return judge_absence(directory, judgement_out, error);
    if (fd < 0) return error_set_errno(error, STATUS_IO, errno, "%s cannot be opened", path);
    enum status status = STATUS_OK;
    struct data_file *file = NULL;
    struct stat st;
    if (fstat(fd, &st)) {
        status = error_set_errno(error, STATUS_IO, errno, "%s", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = error_set(error, STATUS_UNSUPPORTED, "%s is not a regular file", path);
    } else if (st.st_size == 0) {
        status = judge_absence(directory, judgement_out, error);
    } else if (!(file = malloc(sizeof *file))) {
        status = error_set(error, STATUS_NO_MEMORY, "no memory to read %s", path);
    } else {
        file->fd = fd, file->path = path, file->size = (uint64_t)st.st_size;
        status = judge_file(file, judgement_out, error);
    }
    free(file);
    close(fd);
    return status;
}

/* In the first write transaction of a new file; if another process was faster, its identity is there. */
static enum status write_identity(MDB_txn *txn, MDB_dbi unnamed, struct error *error) {
    char format[4];
    MDB_val key = {sizeof LMDB_IDENTITY_KEY - 1, LMDB_IDENTITY_KEY}, value = {sizeof format, format}, found;
    int rc = mdb_get(txn, unnamed, &key, &found);
    if (rc == MDB_NOTFOUND) {
        bytes_put_u32(format, LMDB_ENV_FORMAT);
        rc = mdb_put(txn, unnamed, &key, &value, 0);
    } else if (rc == 0 && (found.mv_size != sizeof format || bytes_get_u32(found.mv_data) > LMDB_ENV_FORMAT)) {
        return error_set(error, STATUS_UNSUPPORTED, "the data was made by a newer Orderly");
    }
    return lmdb_status(rc, error);
}

enum status lmdb_identity_establish(MDB_env *mdb, bool is_new, MDB_dbi *meta_out, struct error *error) {
    MDB_txn *txn;
    MDB_dbi unnamed, meta;
    int rc = mdb_txn_begin(mdb, NULL, is_new ? 0 : MDB_RDONLY, &txn);
    if (rc) return lmdb_status(rc, error);
    enum status status = lmdb_status(mdb_dbi_open(txn, NULL, 0, &unnamed), error);
    if (status == STATUS_OK && is_new) status = write_identity(txn, unnamed, error);
    if (status == STATUS_OK)
        status = lmdb_status(mdb_dbi_open(txn, LMDB_META_DATABASE, is_new ? MDB_CREATE : 0, &meta), error);
    if (status) {
        mdb_txn_abort(txn);
        return status;
    }
    rc = mdb_txn_commit(txn);
    if (rc) return lmdb_status(rc, error);
    *meta_out = meta;
    return STATUS_OK;
}
