/* What an apply writes: rows, sorted so that those of one partition are neighbours, and cut into batches. */
#ifndef ORDERLY_ORDER_STORE_CASSANDRA_WRITES_H
#define ORDERLY_ORDER_STORE_CASSANDRA_WRITES_H

#include "order_store/cassandra_store.h"

enum cassandra_write_kind { WRITE_ORDER, WRITE_LISTING, WRITE_UNLISTING, WRITE_DIRECTORY, WRITE_PERIOD };

/* One row. What a kind does not have is zero. */
struct cassandra_write {
    enum cassandra_write_kind kind;
    struct bytes scope; /* of the listing: text, in the operation's memory */
    struct cassandra_place place;
    const struct history_row *row; /* the version that it is of */
};

/* Rows of one partition that go out as one batch. */
struct cassandra_batch {
    const struct cassandra_write *writes;
    size_t count;
};

struct cassandra_writes {
    struct cassandra_write *list;
    size_t count, capacity;
    struct cassandra_batch *batches;
    size_t batch_count;
};

/* An empty list with room for `capacity` rows. NO_MEMORY. */
enum status cassandra_writes_init(struct cassandra_writes *writes, size_t capacity, struct arena *arena);

/* The rows of a change, each of the kinds for itself. NO_MEMORY. */
void cassandra_add_order(struct cassandra_writes *writes, const struct history_row *row);
/* The directory's rows that are not known to be there. */
enum status cassandra_add_directory(struct cassandra_writes *writes, struct cassandra_store *store,
                                    const struct history_row *row, struct arena *arena);
enum status cassandra_add_listing(struct cassandra_writes *writes, const struct cassandra_store *store,
                                  const struct history_row *row, struct arena *arena);
/* The row that listed `before` under another name. */
enum status cassandra_add_unlisting(struct cassandra_writes *writes, const struct cassandra_store *store,
                                    const struct order *before, const struct history_row *row, struct arena *arena);

/* Sorts, leaves out what a later version writes as well, and cuts into batches. NO_MEMORY. */
enum status cassandra_writes_cut(struct cassandra_writes *writes, struct arena *arena);

/* Puts a batch's statements into the draft. */
enum status cassandra_batch_prepare(const struct cassandra_batch *batch, const struct cassandra_store *store,
                                    struct cassandra_draft *draft);
/* The batch is durable: remembers the directory's rows in it. */
void cassandra_batch_done(const struct cassandra_batch *batch, struct cassandra_store *store);

#endif
