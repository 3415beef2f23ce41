/* Commands as Redis wants them: prepared once for each length of a key, then copied. */
#include <stdio.h>
#include <string.h>

#include "hotkey/redis_transport.h"

#define GREETING_MAX 1200 /* user and password of at most 512 bytes each */

static bool init_head(struct redis_head *head, const char *command, unsigned arguments, const char *prefix,
                      unsigned digits) {
    int size = snprintf(head->text, sizeof head->text, "*%u\r\n$%zu\r\n%s\r\n$%zu\r\n%s", arguments, strlen(command),
                        command, strlen(prefix) + digits, prefix);
    if (size < 0 || size >= (int)sizeof head->text) return false;
    head->size = (uint8_t)size;
    return true;
}

bool redis_commands_init(struct redis_transport *transport) {
    const char *prefix = transport->options.key_prefix;
    for (unsigned digits = 1; digits <= REDIS_DIGITS_MAX; digits++)
        if (!init_head(&transport->get_heads[digits], "GET", 2, prefix, digits) ||
            !init_head(&transport->set_heads[digits], "SET", 3, prefix, digits) ||
            !init_head(&transport->set_expiring_heads[digits], "SET", 5, prefix, digits))
            return false;
    memset(transport->value, '.', transport->options.value_bytes);
    transport->value_head_size = (uint8_t)snprintf(transport->value_head, sizeof transport->value_head, "\r\n$%u\r\n",
                                                   transport->options.value_bytes);
    return true;
}

size_t redis_command_size_max(const struct redis_transport *transport) {
    size_t size =
        REDIS_HEAD_MAX + REDIS_DIGITS_MAX + sizeof transport->value_head + transport->options.value_bytes + 64;
    return size > GREETING_MAX ? size : GREETING_MAX;
}

/* Where size more bytes go, or NULL if there is no room before the next flush. */
static char *room_for(struct redis_transport *transport, struct redis_connection *connection, size_t size) {
    if (connection->state != REDIS_UP) return NULL;
    if (connection->out_begin == connection->out_end) connection->out_begin = connection->out_end = 0;
    if (transport->out_capacity - connection->out_end < size) return NULL;
    return connection->out + connection->out_end;
}

static char *put_bytes(char *to, const char *from, size_t size) {
    memcpy(to, from, size);
    return to + size;
}
#define PUT_LITERAL(to, literal) put_bytes((to), (literal), sizeof(literal) - 1)

bool redis_transport_get(struct transport *base, uint32_t index, uint32_t key) {
    struct redis_transport *transport = (struct redis_transport *)base;
    struct redis_connection *connection = &transport->connections[index];
    char digits[20];
    char *to = room_for(transport, connection, REDIS_HEAD_MAX + sizeof digits + 2);
    if (!to) return false;
    size_t digit_count = resp_put_number(digits, key);
    const struct redis_head *head = &transport->get_heads[digit_count];
    to = put_bytes(to, head->text, head->size);
    to = put_bytes(to, digits, digit_count);
    to = PUT_LITERAL(to, "\r\n");
    connection->out_end = (uint32_t)(to - connection->out);
    connection->awaited++;
    return true;
}

/* The value says who wrote it, "12:345", and goes on in dots: a reader can see it change. */
static char *put_value(struct redis_transport *transport, char *to, const struct transport_write *write) {
    char name[48];
    size_t size = resp_put_number(name, write->client);
    name[size++] = ':';
    size += resp_put_number(name + size, write->number);
    if (size > transport->options.value_bytes) size = transport->options.value_bytes;
    memcpy(to, transport->value, transport->options.value_bytes);
    memcpy(to, name, size);
    return to + transport->options.value_bytes;
}

static char *put_expiry(char *to, int64_t expiry_ms) {
    char digits[20];
    size_t size = resp_put_number(digits, (uint64_t)expiry_ms);
    to = PUT_LITERAL(to, "$2\r\nPX\r\n$");
    to += resp_put_number(to, size);
    to = PUT_LITERAL(to, "\r\n");
    to = put_bytes(to, digits, size);
    return PUT_LITERAL(to, "\r\n");
}

bool redis_transport_set(struct transport *base, uint32_t index, const struct transport_write *write) {
    struct redis_transport *transport = (struct redis_transport *)base;
    struct redis_connection *connection = &transport->connections[index];
    char digits[20];
    char *to = room_for(transport, connection, redis_command_size_max(transport));
    if (!to) return false;
    size_t digit_count = resp_put_number(digits, write->key);
    const struct redis_head *head =
        write->expiry_ms > 0 ? &transport->set_expiring_heads[digit_count] : &transport->set_heads[digit_count];
    to = put_bytes(to, head->text, head->size);
    to = put_bytes(to, digits, digit_count);
    to = put_bytes(to, transport->value_head, transport->value_head_size);
    to = put_value(transport, to, write);
    to = PUT_LITERAL(to, "\r\n");
    if (write->expiry_ms > 0) to = put_expiry(to, write->expiry_ms);
    connection->out_end = (uint32_t)(to - connection->out);
    connection->awaited++;
    return true;
}

static char *put_argument(char *to, const char *text) {
    size_t size = strlen(text);
    *to++ = '$';
    to += resp_put_number(to, size);
    to = PUT_LITERAL(to, "\r\n");
    to = put_bytes(to, text, size);
    return PUT_LITERAL(to, "\r\n");
}

uint32_t redis_put_greeting(struct redis_transport *transport, struct redis_connection *connection) {
    const struct transport_options *options = &transport->options;
    char *to = connection->out;
    uint32_t replies = 1;
    if (options->password[0] && strlen(options->user) + strlen(options->password) < GREETING_MAX - 100) {
        bool has_user = options->user[0] != '\0';
        to = has_user ? PUT_LITERAL(to, "*3\r\n") : PUT_LITERAL(to, "*2\r\n");
        to = put_argument(to, "AUTH");
        if (has_user) to = put_argument(to, options->user);
        to = put_argument(to, options->password);
        replies++;
    }
    to = PUT_LITERAL(to, "*1\r\n$4\r\nPING\r\n");
    connection->out_begin = 0;
    connection->out_end = (uint32_t)(to - connection->out);
    return replies;
}
