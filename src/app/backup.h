/* One line of a backup: {"order": {...}, "history": [{"position", "command_id", "attempt_id", "fingerprint",
 * "order"}]}.
 *
 * "order" is the newest version on the line. An order with more than BACKUP_ROWS_MAX versions takes several lines, in
 * ascending order of versions, so that a line is bounded and can be read as a whole. */
#ifndef ORDERLY_APP_BACKUP_H
#define ORDERLY_APP_BACKUP_H

#include "base/buffer.h"
#include "order/decide.h"

#define BACKUP_ROWS_MAX 16
#define BACKUP_LINE_MAX (BACKUP_ROWS_MAX * (ORDER_TEXT_MAX + 512) + ORDER_TEXT_MAX)

/* Appends the line with its newline. count: 1 to BACKUP_ROWS_MAX rows of one order. */
void backup_write(struct buffer *out, const struct history_row *rows, size_t count);

/* Reads a line (without newline). Every row gets the position HISTORY_POSITION_RESTORED. rows_out has room for
 * BACKUP_ROWS_MAX; text points into line and arena. INVALID: error says what is wrong. */
enum status backup_read(struct bytes line, struct arena *arena, struct history_row *rows_out, size_t *count_out,
                        struct error *error);

#endif
