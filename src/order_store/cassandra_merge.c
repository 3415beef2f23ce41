/* Pages of a list: the newest rows of a bucket's shards, merged, bucket after bucket. */
#include "order_store/cassandra_pages.h"

bool page_is_full(const struct list_operation *list) {
    return list->count == list->request->limit || list->bytes > CASSANDRA_PAGE_BYTES_MAX;
}

/* --- how much to fetch: enough for most cases, since one more round trip costs more than some rows --- */

static size_t square_root(size_t number) {
    size_t root = 0;
    while ((root + 1) * (root + 1) <= number)
        root++;
    return root;
}

/* Rows to ask of each of `shards` that together are to give `wanted`: their share, two deviations, one. */
static size_t share_of(size_t wanted, size_t shards) {
    size_t share = (wanted + shards - 1) / shards;
    size_t rows = share + 2 * square_root(share) + 1;
    return rows < wanted ? rows : wanted;
}

/* How many buckets should give the orders that are missing, judged by those read so far. The first wave is one bucket;
 * in a shop with an order an hour, the next one is many. */
static size_t buckets_wanted(const struct list_operation *list) {
    size_t missing = list->request->limit - list->count;
    if (list->buckets_done == 0) return 1;
    if (list->count == 0) return STREAMS_MAX;
    return (missing * list->buckets_done + list->count - 1) / list->count;
}

/* --- streams --- */

static size_t bucket_size(const struct list_operation *list, size_t at) {
    size_t end = at;
    while (end < list->entry_count && list->entries[end].bucket_ms == list->entries[at].bucket_ms)
        end++;
    return end - at;
}

static size_t rows_left(const struct list_operation *list) {
    return list->rows < ORDER_STORE_LIST_READS ? ORDER_STORE_LIST_READS - list->rows : 0;
}

bool page_open_streams(struct list_operation *list) {
    size_t wanted = buckets_wanted(list), buckets = 0, count = 0;
    for (; buckets < wanted && list->entry_at < list->entry_count; buckets++) {
        size_t shards = bucket_size(list, list->entry_at);
        bool fits = count == 0 || count + shards <= STREAMS_MAX;
        if (!fits || list->partitions + count + shards > PAGE_PARTITIONS_MAX || count + shards > rows_left(list)) break;
        for (size_t i = 0; i < shards; i++)
            list->streams[count++] =
                (struct page_stream){.entry = list->entries[list->entry_at++], .from = list->position};
    }
    list->stream_count = count;
    list->stream_at = 0;
    list->partitions += count;
    if (count == 0) return false;
    size_t asked = share_of(list->request->limit - list->count, count), most = rows_left(list) / count;
    for (size_t i = 0; i < count; i++)
        list->streams[i].asked = asked < most ? asked : most;
    return true;
}

static bool is_dry(const struct page_stream *stream) {
    return !stream->has_ended && (!stream->rows || stream->row == cql_result_rows(stream->rows));
}

/* The streams of the bucket that is being merged. */
static size_t bucket_end(const struct list_operation *list) {
    size_t end = list->stream_at;
    while (end < list->stream_count &&
           list->streams[end].entry.bucket_ms == list->streams[list->stream_at].entry.bucket_ms)
        end++;
    return end;
}

/* At first all streams; later those that hold the merge up. */
size_t page_find_refills(struct list_operation *list) {
    size_t count = 0, end = list->stream_at < list->stream_count ? bucket_end(list) : 0;
    for (size_t i = list->stream_at; i < list->stream_count; i++)
        if (is_dry(&list->streams[i]) && (i < end || !list->streams[i].rows)) list->refills[count++] = i;
    return count;
}

/* --- the merge --- */

/* The key of a stream's next row. Only rows that this program can compare are merged. */
static bool head_of(const struct page_stream *stream, struct page_position *head) {
    return cassandra_cell_uuid(stream->rows, stream->row, COLUMN_ORDER_ID, &head->order_id) &&
           cassandra_cell_integer(stream->rows, stream->row, COLUMN_CREATED_AT, &head->created_at_ms);
}

static bool is_newer(const struct page_position *a, const struct page_position *b) {
    if (a->created_at_ms != b->created_at_ms) return a->created_at_ms > b->created_at_ms;
    return uuid_compare(&a->order_id, &b->order_id) > 0;
}

/* The stream with the newest row; *head_out is that row's key. NULL: the bucket has no more. */
static enum status newest_stream(struct list_operation *list, size_t end, struct page_stream **newest_out,
                                 struct page_position *head_out) {
    struct page_stream *newest = NULL;
    for (size_t i = list->stream_at; i < end; i++) {
        struct page_stream *stream = &list->streams[i];
        struct page_position head;
        if (!stream->rows || stream->row == cql_result_rows(stream->rows)) continue;
        if (!head_of(stream, &head))
            return error_set(&list->operation.error, STATUS_CORRUPT, "a row of the table listing has no readable key");
        if (newest && !is_newer(&head, head_out)) continue;
        newest = stream;
        *head_out = head;
    }
    *newest_out = newest;
    return STATUS_OK;
}

static bool has_dry(const struct list_operation *list, size_t end) {
    for (size_t i = list->stream_at; i < end; i++)
        if (is_dry(&list->streams[i])) return true;
    return false;
}

static enum status take_row(struct list_operation *list, struct page_stream *stream, const struct page_position *head) {
    struct cassandra_operation *operation = &list->operation;
    struct order *order = &list->orders[list->count];
    enum status status =
        cassandra_read_order(stream->rows, stream->row, "listing", &operation->arena, order, &operation->error);
    if (status != STATUS_OK) return status;
    stream->row++;
    stream->from = list->position = *head;
    list->bytes += cassandra_order_size(order);
    list->count++;
    return STATUS_OK;
}

enum status page_merge(struct list_operation *list) {
    while (list->stream_at < list->stream_count && !page_is_full(list)) {
        size_t end = bucket_end(list);
        if (has_dry(list, end)) return STATUS_OK;
        struct page_stream *stream = NULL;
        struct page_position head = {0};
        enum status status = newest_stream(list, end, &stream, &head);
        if (status != STATUS_OK) return status;
        if (!stream) { /* the bucket is done with, and the next page begins below it */
            list->position = (struct page_position){.created_at_ms = list->streams[list->stream_at].entry.bucket_ms};
            list->stream_at = end;
            list->buckets_done++;
            continue;
        }
        if (list->request->created_after_ms && head.created_at_ms <= list->request->created_after_ms) {
            list->step = PAGE_END; /* what follows is older still */
            return STATUS_OK;
        }
        status = take_row(list, stream, &head);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}
