/* Appends commands straight to order-commands: what no endpoint makes yet, and what none ever should.
 *
 * A line of standard input, its fields separated by tabs, is one message:
 *
 *   create      ATTEMPT COMMAND ORDER CUSTOMER_NAME TAG    (the id counts as given by the client)
 *   transition  ATTEMPT COMMAND ORDER EXPECTED_VERSION TARGET
 *   amend       ATTEMPT COMMAND ORDER EXPECTED_VERSION CUSTOMER_NAME
 *   print       as create: the message's value goes to standard output instead, to be spoiled and sent as raw
 *   raw         ATTEMPT PARTITION KEY VALUE                (partition -1: by key; value in hexadecimal digits)
 *
 * For each a line "ATTEMPT STATUS PARTITION OFFSET" comes back when the log has said what became of it. */
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log_open.h"
#include "order/command.h"

#define FIELDS_MAX 6
#define LINE_MAX_SIZE (4 << 20)
#define UNDER_WAY_MAX 512 /* appends; above it the next line waits */

struct sender {
    struct event_log *log;
    pthread_mutex_t mutex; /* guards under_way and standard output */
    pthread_cond_t ended;
    unsigned under_way;
};

struct message {
    struct sender *sender;
    struct event_log_append append;
    struct event_log_record record;
    struct buffer value;
    char attempt[64], key[EVENT_LOG_KEY_MAX];
};

static void message_free(struct message *message) {
    buffer_free(&message->value);
    free(message);
}

/* A thread of the log's. */
static void appended(struct event_log_append *append, enum status status, const char *error_text) {
    struct message *message = append->data;
    struct sender *sender = message->sender;
    bool is_known = status == STATUS_OK;
    pthread_mutex_lock(&sender->mutex);
    printf("%s\t%s\t%" PRId32 "\t%" PRId64 "\n", message->attempt, status_name(status),
           is_known ? message->record.partition : -1, is_known ? message->record.offset : -1);
    fflush(stdout);
    sender->under_way--;
    pthread_cond_signal(&sender->ended);
    pthread_mutex_unlock(&sender->mutex);
    message_free(message);
}

static void wait_below(struct sender *sender, unsigned count) {
    pthread_mutex_lock(&sender->mutex);
    while (sender->under_way >= count)
        pthread_cond_wait(&sender->ended, &sender->mutex);
    pthread_mutex_unlock(&sender->mutex);
}

static void message_send(struct message *message, int32_t partition) {
    struct sender *sender = message->sender;
    wait_below(sender, UNDER_WAY_MAX);
    message->record = (struct event_log_record){
        .partition = partition, .key = bytes_of(message->key), .value = buffer_bytes(&message->value)};
    message->append = (struct event_log_append){
        .topic = TOPIC_COMMANDS, .records = &message->record, .count = 1, .done = appended, .data = message};
    pthread_mutex_lock(&sender->mutex);
    sender->under_way++;
    pthread_mutex_unlock(&sender->mutex);
    event_log_append(sender->log, &message->append);
}

/* --- the kinds --- */

static struct order_item item = {.quantity = 2, .unit_price = 350};
static struct order_pair pair;

static bool make_create(struct command *command, char **fields) {
    item.item = BYTES("lamp");
    pair = (struct order_pair){BYTES("tag"), bytes_of(fields[5])};
    command->kind = COMMAND_CREATE;
    command->order = (struct order){.customer_name = bytes_of(fields[4]),
                                    .items = &item,
                                    .item_count = 1,
                                    .metadata = &pair,
                                    .metadata_count = 1,
                                    .currency = "EUR",
                                    .total = item.quantity * item.unit_price};
    return true;
}

static bool make_transition(struct command *command, char **fields) {
    command->kind = COMMAND_TRANSITION;
    command->expected_version = (uint32_t)atoi(fields[4]);
    return order_status_parse(bytes_of(fields[5]), &command->target) == STATUS_OK;
}

static bool make_amend(struct command *command, char **fields) {
    command->kind = COMMAND_AMEND;
    command->expected_version = (uint32_t)atoi(fields[4]);
    command->amend_set = AMEND_CUSTOMER_NAME;
    command->order.customer_name = bytes_of(fields[5]);
    return true;
}

static const struct {
    const char *name;
    bool (*make)(struct command *command, char **fields);
} kinds[] = {{"create", make_create}, {"print", make_create}, {"transition", make_transition}, {"amend", make_amend}};

static bool fill_command(struct message *message, char **fields) {
    struct command command = {.rules = ORDER_RULES_CURRENT, .time_ms = clock_wall_ms(clock_system())};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(fields[0], kinds[i].name) != 0) continue;
        if (uuid_parse(bytes_of(fields[1]), &command.attempt_id) ||
            uuid_parse(bytes_of(fields[2]), &command.command_id) ||
            uuid_parse(bytes_of(fields[3]), &command.order_id) || !kinds[i].make(&command, fields))
            return false;
        command.order.order_id = command.order_id;
        command_fingerprint(&command, command.fingerprint);
        command_write(&message->value, &command);
        snprintf(message->key, sizeof message->key, "%s", fields[3]);
        return message->value.status == STATUS_OK;
    }
    return false;
}

static bool fill_raw(struct message *message, char **fields) {
    size_t hex_size = strlen(fields[4]), size = 0;
    unsigned char *value = malloc(hex_size / 2 + 1);
    bool is_good = value && sodium_hex2bin(value, hex_size / 2 + 1, fields[4], hex_size, NULL, &size, NULL) == 0 &&
                   size == hex_size / 2;
    if (is_good) buffer_put(&message->value, (struct bytes){(const char *)value, size});
    free(value);
    snprintf(message->key, sizeof message->key, "%s", fields[3]);
    return is_good && message->value.status == STATUS_OK;
}

static size_t split(char *line, char **fields) {
    size_t count = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *field; count < FIELDS_MAX && (field = strsep(&line, "\t")); count++)
        fields[count] = field;
    return count;
}

/* False: the line is no message. */
static bool send_line(struct sender *sender, char *line) {
    char *fields[FIELDS_MAX];
    size_t count = split(line, fields);
    bool is_raw = count == 5 && strcmp(fields[0], "raw") == 0;
    struct message *message = calloc(1, sizeof *message);
    if (!message || (count < FIELDS_MAX && !is_raw)) return free(message), false;
    message->sender = sender;
    buffer_init(&message->value, EVENT_LOG_RECORD_MAX);
    snprintf(message->attempt, sizeof message->attempt, "%s", fields[1]);
    if (!(is_raw ? fill_raw(message, fields) : fill_command(message, fields))) return message_free(message), false;
    if (strcmp(fields[0], "print") != 0) {
        message_send(message, is_raw ? atoi(fields[2]) : -1);
        return true;
    }
    pthread_mutex_lock(&sender->mutex);
    printf("%s\tprinted\t%.*s\n", message->attempt, (int)message->value.size, message->value.data);
    fflush(stdout);
    pthread_mutex_unlock(&sender->mutex);
    message_free(message);
    return true;
}

int main(void) {
    struct opened_log opened = {0};
    struct error error = {""};
    struct sender sender = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    enum status status = log_open(&opened, &error);
    if (status != STATUS_OK) {
        fprintf(stderr, "send_commands: %s: %s\n", status_name(status), error.text);
        return 1;
    }
    sender.log = opened.log;
    char *line = malloc(LINE_MAX_SIZE);
    int code = line ? 0 : 1;
    while (code == 0 && fgets(line, LINE_MAX_SIZE, stdin)) {
        if (!send_line(&sender, line)) {
            fprintf(stderr, "send_commands: not a message: %.100s\n", line);
            code = 1;
        }
    }
    wait_below(&sender, 1);
    free(line);
    log_close(&opened);
    return code;
}
