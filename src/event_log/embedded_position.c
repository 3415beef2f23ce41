/* Positions: how far a group has come in each partition. */
#include <inttypes.h>
#include <stdio.h>

#include "event_log/embedded_internal.h"

#define POSITION_SIZE (LMDB_SEAL_SIZE + 8)

static struct bytes position_key(char key[EMBEDDED_KEY_MAX], const char *group, enum event_log_topic topic,
                                 int32_t partition) {
    int size = snprintf(key, EMBEDDED_KEY_MAX, "%s/%s/%" PRId32, group, event_log_topic_name(topic), partition);
    return (struct bytes){key, (size_t)size};
}

enum status embedded_position_read(struct embedded_log *log, MDB_txn *txn, const char *group,
                                   enum event_log_topic topic, int32_t partition, int64_t *offset_out) {
    char text[EMBEDDED_KEY_MAX];
    struct bytes name = position_key(text, group, topic, partition), payload;
    MDB_val key = {name.size, text}, value;
    int rc = mdb_get(txn, log->positions, &key, &value);
    if (rc) return lmdb_status(rc, NULL);
    if (lmdb_unseal(name, value, &payload) || payload.size != 8) return STATUS_CORRUPT;
    *offset_out = (int64_t)bytes_get_u64(payload.data);
    return STATUS_OK;
}

enum status embedded_position_write(struct embedded_log *log, MDB_txn *txn, const char *group,
                                    enum event_log_topic topic, int32_t partition, int64_t offset) {
    char text[EMBEDDED_KEY_MAX], sealed[POSITION_SIZE];
    struct bytes name = position_key(text, group, topic, partition);
    bytes_put_u64(sealed + LMDB_SEAL_SIZE, (uint64_t)offset);
    lmdb_seal(name, sealed, sizeof sealed);
    MDB_val key = {name.size, text}, value = {sizeof sealed, sealed};
    return lmdb_status(mdb_put(txn, log->positions, &key, &value, 0), NULL);
}
