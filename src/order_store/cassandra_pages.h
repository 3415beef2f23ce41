/* What a page of a list is read by: buckets named by the directory, and streams of rows from their shards. */
#ifndef ORDERLY_ORDER_STORE_CASSANDRA_PAGES_H
#define ORDERLY_ORDER_STORE_CASSANDRA_PAGES_H

#include "order_store/cassandra_store.h"

#define PAGE_PARTITIONS_MAX 128 /* that one page reads, of all tables; then it is short */
#define STREAMS_MAX 32          /* partitions of a listing read at a time */
#define DIRECTORY_ROWS_MAX 80   /* asked for at a time; at first one more than there are shards: a whole bucket */

_Static_assert(STREAMS_MAX >= 1 && DIRECTORY_ROWS_MAX > CASSANDRA_SHARDS_MAX, "a whole bucket fits");

/* A moment and an id: a list goes downward, and a position stands just above the rows that are still to come. */
struct page_position {
    int64_t created_at_ms;
    struct uuid order_id;
};

/* One partition of the directory's. */
struct page_entry {
    int64_t bucket_ms, shard;
};

/* The rows of one shard of one bucket, as far as they were fetched. */
struct page_stream {
    struct page_entry entry;
    struct page_position from; /* fetched from below here */
    const struct cql_result *rows;
    size_t row, asked;
    bool has_ended; /* there are none beyond those fetched */
};

enum page_step { PAGE_PERIOD, PAGE_DIRECTORY, PAGE_STREAMS, PAGE_END };

struct list_operation {
    struct cassandra_operation operation;
    struct order_store_list *request;
    enum page_step step; /* that is being asked for */
    enum cassandra_scope scope;
    struct bytes scope_text;
    uint64_t filter;               /* for the cursor */
    struct page_position position; /* everything above it is done with */
    bool has_more;                 /* the page ends before the list does */

    bool has_period;
    int64_t period_ms;     /* the period whose directory is read */
    int64_t periods_below; /* the next one to look for begins before this time */
    struct page_entry entries[DIRECTORY_ROWS_MAX];
    size_t entry_count, entry_at, entries_asked;
    int64_t buckets_below; /* the next directory rows are below this bucket */
    bool directory_has_ended;

    struct page_stream streams[STREAMS_MAX]; /* newest bucket first; shards of one bucket are neighbours */
    size_t stream_count, stream_at;          /* those before stream_at are done with */
    size_t refills[STREAMS_MAX];             /* which stream each call of the phase is for */
    size_t buckets_done;

    struct order *orders;
    size_t count, rows, partitions, bytes;
};

/* cassandra_merge.c */

/* Takes the next buckets off the directory's entries, as many as the page may need. false: the page must end here, its
 * bounds are reached. */
bool page_open_streams(struct list_operation *list);
/* Lists the streams that have to be fetched (further) before the merge can go on; 0: none. */
size_t page_find_refills(struct list_operation *list);
/* Moves orders from the streams to the page until it is full, a stream runs dry or all are done with. CORRUPT,
 * NO_MEMORY. */
enum status page_merge(struct list_operation *list);
bool page_is_full(const struct list_operation *list);

#endif
