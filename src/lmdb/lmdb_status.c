/* What the return codes of LMDB and the errno values that come through it mean here. */
#include <errno.h>

#include "lmdb/lmdb_env.h"

static const struct {
    int code;
    enum status status;
} meanings[] = {
    {MDB_SUCCESS, STATUS_OK},
    {MDB_NOTFOUND, STATUS_NOT_FOUND},
    {MDB_KEYEXIST, STATUS_CONFLICT},
    {MDB_MAP_FULL, STATUS_FULL},
    {MDB_TXN_FULL, STATUS_FULL},
    {ENOSPC, STATUS_FULL},
    {EDQUOT, STATUS_FULL},
    {EFBIG, STATUS_FULL},
    {MDB_CORRUPTED, STATUS_CORRUPT},
    {MDB_PAGE_NOTFOUND, STATUS_CORRUPT},
    {MDB_INVALID, STATUS_CORRUPT},
    {MDB_VERSION_MISMATCH, STATUS_UNSUPPORTED},
    {MDB_INCOMPATIBLE, STATUS_UNSUPPORTED},
    {MDB_READERS_FULL, STATUS_BUSY},
    {MDB_DBS_FULL, STATUS_TOO_LARGE},
    {MDB_BAD_VALSIZE, STATUS_INVALID},
    {MDB_BAD_DBI, STATUS_INVALID},
    {EINVAL, STATUS_INVALID},
    {ENOMEM, STATUS_NO_MEMORY},
    {ENOENT, STATUS_NOT_FOUND},
};

enum status lmdb_status(int code, struct error *error) {
    enum status status = STATUS_IO;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].code == code) status = meanings[i].status;
    if (status == STATUS_OK) return STATUS_OK;
    return error_set(error, status, "LMDB: %s", mdb_strerror(code));
}
