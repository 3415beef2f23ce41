/* What one batch knows of history rows: those it must read, those it found, and those it decided itself and has not
 * written yet (the overlay). Keyed by order id and version. It ends with the batch.
 *
 * Used by the pipeline's thread; while rows are being read, by the store's thread that brings them. */
#ifndef ORDERLY_PIPELINE_ROW_TABLE_H
#define ORDERLY_PIPELINE_ROW_TABLE_H

#include "order/decide.h"

enum row_state {
    ROW_WANTED,  /* to be read */
    ROW_PENDING, /* an earlier command of this batch makes it: not to be read */
    ROW_ABSENT,  /* read: the store has none */
    ROW_KNOWN,   /* row is set */
};

struct row_slot {
    uint64_t generation; /* in use if it is the table's */
    struct uuid order_id;
    uint32_t version;
    enum row_state state;
    bool is_stored; /* taken into the batch's changes: written once is enough */
    const struct history_row *row;
};

struct row_table {
    struct row_slot *slots; /* open addressing, linear probing; never above half full */
    size_t mask;
    size_t count, limit;
    uint64_t generation; /* a new one empties the table without touching its slots */
};

/* Room for limit rows. NO_MEMORY. */
enum status row_table_init(struct row_table *table, size_t limit);
void row_table_free(struct row_table *table);

void row_table_clear(struct row_table *table);

/* The slot of that row, or NULL. */
struct row_slot *row_table_find(const struct row_table *table, const struct uuid *order_id, uint32_t version);

/* The slot of that row; made with the given state if it is not there (then *is_new_out is true). NULL: the limit. */
struct row_slot *row_table_add(struct row_table *table, const struct uuid *order_id, uint32_t version,
                               enum row_state state, bool *is_new_out);

/* The row, or NULL if it is absent or not in the table. */
const struct history_row *row_table_row(const struct row_table *table, const struct uuid *order_id, uint32_t version);

#endif
