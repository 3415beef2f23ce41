/* A record as it is stored: the seal, a fixed head, the sizes of the headers, then all the bytes.
 *
 *   8 seal | 1 format | 1 number of headers | 2 key size | 8 time | for each header: 1 name size, 4 value size |
 *   key | for each header: name, NUL, value | value (the rest)
 *
 * Numbers are big-endian. Decoding checks every size: the seal proves what was written, not who wrote it. */
#include "event_log/embedded_internal.h"

#define RECORD_FORMAT 1
#define HEAD_SIZE 12
#define HEADER_SIZE 5

size_t embedded_record_size(const struct event_log_record *record) {
    size_t size = LMDB_SEAL_SIZE + HEAD_SIZE + record->key.size + record->value.size;
    for (size_t i = 0; i < record->header_count; i++)
        size += HEADER_SIZE + strlen(record->headers[i].name) + 1 + record->headers[i].value.size;
    return size;
}

static char *put(char *to, const void *data, size_t size) {
    if (size > 0) memcpy(to, data, size);
    return to + size;
}

static struct bytes offset_key(const int64_t *offset) {
    return (struct bytes){(const char *)offset, sizeof *offset};
}

void embedded_record_encode(const struct event_log_record *record, int64_t offset, int64_t time_ms, char *value) {
    char *at = value + LMDB_SEAL_SIZE;
    at[0] = RECORD_FORMAT;
    at[1] = (char)record->header_count;
    bytes_put_u16(at + 2, (uint16_t)record->key.size);
    bytes_put_u64(at + 4, (uint64_t)time_ms);
    at += HEAD_SIZE;
    for (size_t i = 0; i < record->header_count; i++, at += HEADER_SIZE) {
        at[0] = (char)strlen(record->headers[i].name);
        bytes_put_u32(at + 1, (uint32_t)record->headers[i].value.size);
    }
    at = put(at, record->key.data, record->key.size);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct event_log_header *header = &record->headers[i];
        at = put(at, header->name, strlen(header->name) + 1);
        at = put(at, header->value.data, header->value.size);
    }
    at = put(at, record->value.data, record->value.size);
    lmdb_seal(offset_key(&offset), value, (size_t)(at - value));
}

enum status embedded_record_unseal(int64_t offset, MDB_val value, struct bytes *payload_out) {
    struct bytes payload;
    enum status status = lmdb_unseal(offset_key(&offset), value, &payload);
    if (status) return status;
    if (payload.size < HEAD_SIZE || payload.data[0] != RECORD_FORMAT) return STATUS_CORRUPT;
    if (embedded_record_header_count(payload) > EVENT_LOG_HEADERS_MAX) return STATUS_CORRUPT;
    *payload_out = payload;
    return STATUS_OK;
}

size_t embedded_record_header_count(struct bytes payload) {
    return (uint8_t)payload.data[1];
}

enum status embedded_record_time(MDB_val value, int64_t *time_ms_out) {
    if (value.mv_size < LMDB_SEAL_SIZE + HEAD_SIZE) return STATUS_CORRUPT;
    *time_ms_out = (int64_t)bytes_get_u64((char *)value.mv_data + LMDB_SEAL_SIZE + 4);
    return STATUS_OK;
}

/* Takes size bytes off the front of rest; .data is NULL if there are not so many. */
static struct bytes take(struct bytes *rest, size_t size) {
    if (size > rest->size) return (struct bytes){NULL, 0};
    struct bytes taken = {rest->data, size};
    rest->data += size;
    rest->size -= size;
    return taken;
}

enum status embedded_record_decode(struct bytes payload, struct event_log_header *headers,
                                   struct event_log_record *record_out) {
    size_t header_count = embedded_record_header_count(payload);
    struct bytes rest = payload;
    struct bytes head = take(&rest, HEAD_SIZE);
    struct bytes sizes = take(&rest, header_count * HEADER_SIZE);
    struct bytes key = head.data ? take(&rest, bytes_get_u16(head.data + 2)) : (struct bytes){NULL, 0};
    if (!sizes.data || !key.data) return STATUS_CORRUPT;
    for (size_t i = 0; i < header_count; i++) {
        const char *size = sizes.data + i * HEADER_SIZE;
        struct bytes name = take(&rest, (size_t)(uint8_t)size[0] + 1);
        struct bytes value = take(&rest, bytes_get_u32(size + 1));
        if (!name.data || !value.data || name.data[name.size - 1] != '\0') return STATUS_CORRUPT;
        headers[i] = (struct event_log_header){name.data, value};
    }
    record_out->time_ms = (int64_t)bytes_get_u64(head.data + 4);
    record_out->key = key;
    record_out->value = rest;
    record_out->headers = headers;
    record_out->header_count = header_count;
    return STATUS_OK;
}
