/* Commands as JSON messages, and the fingerprint of what they ask for. */
#include "order/command.h"

#define XXH_INLINE_ALL /* the streaming state then needs no allocation */
#include <xxhash.h>

#include "order/member.h"

static const char *const kind_names[COMMAND_KIND_COUNT] = {
    [COMMAND_CREATE] = "create", [COMMAND_TRANSITION] = "transition", [COMMAND_AMEND] = "amend"};

const char *command_kind_name(enum command_kind kind) {
    return kind < COMMAND_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum status command_kind_parse(struct bytes name, enum command_kind *kind_out) {
    for (int i = 0; i < COMMAND_KIND_COUNT; i++)
        if (bytes_equal(name, bytes_of(kind_names[i]))) return *kind_out = (enum command_kind)i, STATUS_OK;
    return STATUS_INVALID;
}

/* --- fingerprint: every field with its length or in a fixed size, so that no two payloads feed the same bytes --- */

static void hash_int(XXH3_state_t *hash, int64_t value) {
    uint8_t bytes[8];
    bytes_put_u64(bytes, (uint64_t)value);
    XXH3_128bits_update(hash, bytes, sizeof bytes);
}

static void hash_bytes(XXH3_state_t *hash, struct bytes bytes) {
    hash_int(hash, (int64_t)bytes.size);
    if (bytes.size > 0) XXH3_128bits_update(hash, bytes.data, bytes.size);
}

static void hash_items(XXH3_state_t *hash, const struct order *order) {
    hash_int(hash, (int64_t)order->item_count);
    for (size_t i = 0; i < order->item_count; i++) {
        hash_bytes(hash, order->items[i].item);
        hash_int(hash, order->items[i].quantity);
        hash_int(hash, order->items[i].unit_price);
    }
}

static void hash_metadata(XXH3_state_t *hash, const struct order *order) {
    hash_int(hash, (int64_t)order->metadata_count);
    for (size_t i = 0; i < order->metadata_count; i++) {
        hash_bytes(hash, order->metadata[i].key);
        hash_bytes(hash, order->metadata[i].value);
    }
}

void command_fingerprint(const struct command *command, uint8_t out[COMMAND_FINGERPRINT_SIZE]) {
    const struct order *order = &command->order;
    bool is_create = command->kind == COMMAND_CREATE, is_amend = command->kind == COMMAND_AMEND;
    XXH3_state_t hash;
    XXH3_128bits_reset(&hash);
    hash_int(&hash, command->kind);
    if (command->kind == COMMAND_TRANSITION) hash_int(&hash, command->target);
    if (is_amend) hash_int(&hash, command->amend_set);
    if (is_create) hash_bytes(&hash, bytes_of(order->currency));
    if (is_create || (is_amend && command->amend_set & AMEND_CUSTOMER_NAME)) hash_bytes(&hash, order->customer_name);
    if (is_create || (is_amend && command->amend_set & AMEND_ITEMS)) hash_items(&hash, order);
    if (is_create || (is_amend && command->amend_set & AMEND_METADATA)) hash_metadata(&hash, order);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&hash));
    _Static_assert(sizeof canonical.digest == COMMAND_FINGERPRINT_SIZE, "128 bits");
    memcpy(out, canonical.digest, COMMAND_FINGERPRINT_SIZE);
}

/* --- payloads: one writer and one reader for each kind --- */

static void write_create(struct json_writer *writer, const struct command *command) {
    json_key(writer, "customer_name");
    json_string(writer, command->order.customer_name);
    member_write_items(writer, &command->order);
    json_key(writer, "currency");
    json_text(writer, command->order.currency);
    json_key(writer, "total");
    json_integer(writer, command->order.total);
    member_write_metadata(writer, &command->order);
}

static enum status read_create(const struct json_value *payload, struct arena *arena, struct command *command,
                               struct error *error) {
    struct order *order = &command->order;
    int64_t total;
    /* The empty order of the second dialect has neither a name nor items. */
    const struct json_value *items = json_member(payload, "items");
    unsigned minimum = items && items->kind == JSON_ARRAY && items->count == 0 ? 0 : 1;
    unsigned name_max = minimum == 0 ? 0 : ORDER_CUSTOMER_NAME_MAX;
    if (command->expected_version != 0)
        return error_set(error, STATUS_INVALID, "expected_version must be 0 for a create");
    enum status status =
        member_text(payload, "customer_name", TEXT_NAME, minimum, name_max, &order->customer_name, error);
    if (!status) status = member_items(payload, minimum, arena, order, error);
    if (!status) status = member_currency(payload, order->currency, error);
    if (!status) status = member_integer(payload, "total", 0, ORDER_AMOUNT_MAX, &order->total, error);
    if (!status) status = member_metadata(payload, arena, order, error);
    if (status) return status;
    if (order_total(order->items, order->item_count, &total) || total != order->total)
        return error_set(error, STATUS_INVALID, "total is not the sum of the items");
    return STATUS_OK;
}

static void write_transition(struct json_writer *writer, const struct command *command) {
    json_key(writer, "target");
    json_text(writer, order_status_name(command->target));
}

static enum status read_transition(const struct json_value *payload, struct arena *arena, struct command *command,
                                   struct error *error) {
    struct bytes name;
    (void)arena;
    if (json_member_string(payload, "target", &name) || order_status_parse(name, &command->target))
        return error_set(error, STATUS_INVALID, "target is no status");
    return STATUS_OK;
}

static void write_amend(struct json_writer *writer, const struct command *command) {
    if (command->amend_set & AMEND_CUSTOMER_NAME) {
        json_key(writer, "customer_name");
        json_string(writer, command->order.customer_name);
    }
    if (command->amend_set & AMEND_ITEMS) member_write_items(writer, &command->order);
    if (command->amend_set & AMEND_METADATA) member_write_metadata(writer, &command->order);
}

static enum status read_amend(const struct json_value *payload, struct arena *arena, struct command *command,
                              struct error *error) {
    struct order *order = &command->order;
    enum status status = STATUS_OK;
    if (json_member(payload, "customer_name")) {
        command->amend_set |= AMEND_CUSTOMER_NAME;
        status =
            member_text(payload, "customer_name", TEXT_NAME, 1, ORDER_CUSTOMER_NAME_MAX, &order->customer_name, error);
    }
    if (!status && json_member(payload, "items")) {
        command->amend_set |= AMEND_ITEMS;
        status = member_items(payload, 1, arena, order, error);
    }
    if (!status && json_member(payload, "metadata")) {
        command->amend_set |= AMEND_METADATA;
        status = member_metadata(payload, arena, order, error);
    }
    if (!status && command->amend_set == 0) status = error_set(error, STATUS_INVALID, "payload amends nothing");
    return status;
}

static const struct {
    void (*write)(struct json_writer *writer, const struct command *command);
    enum status (*read)(const struct json_value *payload, struct arena *arena, struct command *command,
                        struct error *error);
} payloads[COMMAND_KIND_COUNT] = {
    [COMMAND_CREATE] = {write_create, read_create},
    [COMMAND_TRANSITION] = {write_transition, read_transition},
    [COMMAND_AMEND] = {write_amend, read_amend},
};

/* --- the message --- */

void command_write(struct buffer *out, const struct command *command) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "schema");
    json_integer(&writer, COMMAND_SCHEMA);
    json_key(&writer, "kind");
    json_text(&writer, command_kind_name(command->kind));
    json_key(&writer, "rules");
    json_integer(&writer, command->rules);
    member_write_uuid(&writer, "order_id", &command->order_id);
    member_write_uuid(&writer, "command_id", &command->command_id);
    member_write_uuid(&writer, "attempt_id", &command->attempt_id);
    member_write_hex(&writer, "fingerprint", command->fingerprint, sizeof command->fingerprint);
    json_key(&writer, "expected_version");
    json_integer(&writer, command->expected_version);
    json_key(&writer, "time_ms");
    json_integer(&writer, command->time_ms);
    json_key(&writer, "minted");
    json_bool(&writer, command->minted);
    json_key(&writer, "payload");
    json_begin_object(&writer);
    payloads[command->kind].write(&writer, command);
    json_end_object(&writer);
    json_end_object(&writer);
}

/* Schema and rules come first: a newer program may have changed everything else. */
static enum status read_versions(const struct json_value *message, struct command *command, uint32_t *schema_out,
                                 struct error *error) {
    int64_t schema, rules;
    enum status status = member_integer(message, "schema", 1, UINT32_MAX, &schema, error);
    if (status) return status;
    if (schema > COMMAND_SCHEMA) {
        if (schema_out) *schema_out = (uint32_t)schema;
        return error_set(error, STATUS_UNSUPPORTED, "schema %u is newer than this program", (unsigned)schema);
    }
    if ((status = member_integer(message, "rules", 1, UINT32_MAX, &rules, error))) return status;
    if (schema_out) *schema_out = (uint32_t)schema;
    if (!order_rules_exist((uint32_t)rules))
        return error_set(error, STATUS_UNSUPPORTED, "rules %u are newer than this program", (unsigned)rules);
    command->rules = (uint32_t)rules;
    return STATUS_OK;
}

static enum status read_head(const struct json_value *message, struct command *command, struct error *error) {
    int64_t version = 0;
    struct bytes kind = {0};
    enum status status = member_string(message, "kind", &kind, error);
    if (!status) status = member_uuid(message, "order_id", &command->order_id, error);
    if (!status) status = member_uuid(message, "command_id", &command->command_id, error);
    if (!status) status = member_uuid(message, "attempt_id", &command->attempt_id, error);
    if (!status) status = member_hex(message, "fingerprint", command->fingerprint, sizeof command->fingerprint, error);
    if (!status) status = member_integer(message, "expected_version", 0, ORDER_VERSION_MAX, &version, error);
    if (!status) status = member_integer(message, "time_ms", 0, MEMBER_TIME_MS_MAX, &command->time_ms, error);
    if (!status) status = member_bool(message, "minted", &command->minted, error);
    if (status) return status;
    if (command_kind_parse(kind, &command->kind)) return error_set(error, STATUS_INVALID, "kind is unknown");
    command->expected_version = (uint32_t)version;
    if (command->kind != COMMAND_CREATE && version == 0)
        return error_set(error, STATUS_INVALID, "expected_version must be 1 or more");
    if (command->kind != COMMAND_CREATE && command->minted)
        return error_set(error, STATUS_INVALID, "only a create is minted");
    return STATUS_OK;
}

enum status command_read(struct bytes value, struct arena *arena, struct command *command_out, uint32_t *schema_out,
                         struct error *error) {
    struct json_value *message;
    struct json_error why = {0};
    struct command command = {0};
    uint8_t fingerprint[COMMAND_FINGERPRINT_SIZE];
    enum status status = json_read(value, arena, &message, &why);
    if (status == STATUS_NO_MEMORY) return error_set(error, status, "no memory to read a command");
    if (status) return error_set(error, STATUS_INVALID, "not JSON: %s (at byte %zu)", why.text, why.offset);
    if ((status = read_versions(message, &command, schema_out, error))) return status;
    if (value.size > COMMAND_TEXT_MAX)
        return error_set(error, STATUS_INVALID, "a command has at most %d bytes", COMMAND_TEXT_MAX);
    if ((status = read_head(message, &command, error))) return status;
    const struct json_value *payload = json_member(message, "payload");
    if (!payload || payload->kind != JSON_OBJECT) return error_set(error, STATUS_INVALID, "payload must be an object");
    if ((status = payloads[command.kind].read(payload, arena, &command, error))) return status;
    command_fingerprint(&command, fingerprint);
    if (memcmp(fingerprint, command.fingerprint, sizeof fingerprint) != 0)
        return error_set(error, STATUS_INVALID, "fingerprint does not match the payload");
    *command_out = command;
    return STATUS_OK;
}
