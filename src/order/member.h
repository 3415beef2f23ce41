/* Reads one member of a message's JSON object within its limits; an error names the member. For messages that a program
 * wrote: the first error ends the reading (a client's input is read by input.c, which names them all). */
#ifndef ORDERLY_ORDER_MEMBER_H
#define ORDERLY_ORDER_MEMBER_H

#include "order/order.h"
#include "order/text.h"

#define MEMBER_TIME_MS_MAX 253402300799999 /* the end of the year 9999 */

/* All return OK or INVALID, and leave *out untouched on failure. */
enum status member_integer(const struct json_value *object, const char *key, int64_t minimum, int64_t maximum,
                           int64_t *out, struct error *error);
enum status member_bool(const struct json_value *object, const char *key, bool *out, struct error *error);
enum status member_string(const struct json_value *object, const char *key, struct bytes *out, struct error *error);
enum status member_text(const struct json_value *object, const char *key, enum text_rule rule, int64_t minimum,
                        int64_t maximum, struct bytes *out, struct error *error);
enum status member_uuid(const struct json_value *object, const char *key, struct uuid *out, struct error *error);
enum status member_rfc3339(const struct json_value *object, const char *key, int64_t *out_ms, struct error *error);

/* 2 * size hexadecimal digits, lower case. */
enum status member_hex(const struct json_value *object, const char *key, uint8_t *out, size_t size,
                       struct error *error);
void member_write_hex(struct json_writer *writer, const char *key, const uint8_t *bytes, size_t size);
void member_write_uuid(struct json_writer *writer, const char *key, const struct uuid *uuid);

/* Parts that orders and commands share (order_json.c). items: minimum_count to ORDER_ITEMS_MAX. The readers of lists
 * may also return NO_MEMORY. */
void member_write_items(struct json_writer *writer, const struct order *order);
void member_write_metadata(struct json_writer *writer, const struct order *order);
enum status member_items(const struct json_value *object, size_t minimum_count, struct arena *arena,
                         struct order *order, struct error *error);
enum status member_metadata(const struct json_value *object, struct arena *arena, struct order *order,
                            struct error *error);
enum status member_currency(const struct json_value *object, char out[4], struct error *error);

#endif
