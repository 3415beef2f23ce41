/* The parameters of GET /orders: a table of checks, and the link to the next page. */
#include "api/list.h"

#include <stdio.h>

#define POINTER_SIZE_MAX 128 /* bytes of a parameter's name that an answer repeats */

/* Reads one value into the query; NULL, or what is wrong with it. */
typedef const char *read_function(struct bytes value, struct list_query *query);

static const char *read_limit(struct bytes value, struct list_query *query) {
    static const char detail[] = "must be a whole number from 1 to 200";
    _Static_assert(LIST_LIMIT_MAX == 200, "the text above names the limit");
    if (value.size == 0 || value.size > 3) return detail;
    size_t limit = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return detail;
        limit = limit * 10 + (size_t)(value.data[i] - '0');
    }
    if (limit < 1 || limit > LIST_LIMIT_MAX) return detail;
    query->limit = limit;
    return NULL;
}

static const char *read_customer_name(struct bytes value, struct list_query *query) {
    if (!json_utf8_is_valid(value)) return "must be valid UTF-8";
    size_t length = json_utf8_length(value);
    if (length > ORDER_CUSTOMER_NAME_MAX || memchr(value.data, 0, value.size))
        return "must be text of at most 200 characters";
    _Static_assert(ORDER_CUSTOMER_NAME_MAX == 200, "the text above names the limit");
    query->customer_name = value;
    return NULL;
}

static const char *read_status(struct bytes value, struct list_query *query) {
    if (order_status_parse(value, &query->status) != STATUS_OK)
        return "must be one of created, confirmed, paid, shipped, delivered, cancelled, failed, refunded";
    _Static_assert(ORDER_STATUS_COUNT == 8, "the text above names the statuses");
    query->has_status = true;
    return NULL;
}

static const char time_detail[] = "must be an RFC 3339 date-time such as 2026-11-22T14:07:21.123Z (+ is %2B in a URL)";

/* Nothing is older than 1970, so an earlier bound is none. */
static const char *read_created_after(struct bytes value, struct list_query *query) {
    int64_t time_ms;
    if (clock_parse_rfc3339(value, &time_ms) != STATUS_OK) return time_detail;
    query->created_after_ms = time_ms > 0 ? time_ms : 0;
    return NULL;
}

static const char *read_created_before(struct bytes value, struct list_query *query) {
    int64_t time_ms;
    if (clock_parse_rfc3339(value, &time_ms) != STATUS_OK) return time_detail;
    query->created_before_ms = time_ms > 0 ? time_ms : 0;
    query->is_empty = time_ms <= 0;
    return NULL;
}

/* After all others: a cursor belongs to their values. */
static const char *read_cursor(struct bytes value, struct list_query *query) {
    switch (list_cursor_read(query, value, &query->position)) {
    case STATUS_OK: return NULL;
    case STATUS_UNSUPPORTED: return "comes from another version of this server: start again without it";
    case STATUS_CONFLICT: return "belongs to a list with other filters: start again without it";
    default: return "is not a cursor of this server: follow the Link header, or start again without it";
    }
}

static const struct {
    const char *name;
    read_function *read;
} parameters[] = {
    {"limit", read_limit},
    {"customer_name", read_customer_name},
    {"status", read_status},
    {"created_after", read_created_after},
    {"created_before", read_created_before},
    {"cursor", read_cursor},
};
#define PARAMETERS (sizeof parameters / sizeof *parameters)

const char *const list_parameters[] = {"limit", "cursor", "customer_name", "status", "created_after", "created_before"};
const size_t list_parameter_count = sizeof list_parameters / sizeof *list_parameters;
_Static_assert(sizeof list_parameters / sizeof *list_parameters == PARAMETERS, "both tables name every parameter");

struct query_errors {
    struct http_problem_field list[LIST_ERRORS_MAX];
    char pointers[LIST_ERRORS_MAX][POINTER_SIZE_MAX];
    size_t count;
};

/* A JSON pointer to the parameter, ~ and / escaped (RFC 6901); to all of them if the name cannot be shown. */
static void add_error(struct query_errors *errors, struct bytes name, const char *detail) {
    if (errors->count == LIST_ERRORS_MAX) return;
    char *pointer = errors->pointers[errors->count];
    size_t size = 0;
    if (json_utf8_is_valid(name) && name.size > 0 && 2 * name.size < POINTER_SIZE_MAX) {
        pointer[size++] = '/';
        for (size_t i = 0; i < name.size; i++) {
            bool escape = name.data[i] == '~' || name.data[i] == '/';
            pointer[size++] = escape ? '~' : name.data[i];
            if (escape) pointer[size++] = name.data[i] == '~' ? '0' : '1';
        }
    }
    errors->list[errors->count++] = (struct http_problem_field){{pointer, size}, detail};
}

static size_t find_parameter(struct bytes name) {
    size_t i = 0;
    while (i < PARAMETERS && !bytes_equal(name, bytes_of(parameters[i].name)))
        i++;
    return i;
}

/* Notes each known parameter's value once; unknown and repeated ones are errors, not guesses. */
static void collect(struct http_request *request, struct bytes values[PARAMETERS], struct query_errors *errors) {
    struct bytes name, value;
    for (size_t i = 0; errors->count < LIST_ERRORS_MAX && http_query_at(request, i, &name, &value); i++) {
        size_t parameter = find_parameter(name);
        if (parameter == PARAMETERS)
            add_error(errors, name, "is not a parameter of this list");
        else if (values[parameter].data)
            add_error(errors, name, "must be given once");
        else
            values[parameter] = value.data ? value : (struct bytes){"", 0};
    }
}

bool list_query_read(struct http_request *request, struct list_query *query_out) {
    struct list_query query = {.limit = LIST_LIMIT_DEFAULT, .position = list_position_first()};
    struct bytes values[PARAMETERS] = {{NULL, 0}};
    struct query_errors errors = {.count = 0};
    collect(request, values, &errors);
    for (size_t i = 0; i < PARAMETERS; i++) {
        const char *detail = values[i].data ? parameters[i].read(values[i], &query) : NULL;
        if (detail) add_error(&errors, bytes_of(parameters[i].name), detail);
    }
    if (errors.count > 0) {
        struct http_problem problem = api_problem(PROBLEM_INVALID_QUERY);
        problem.fields = errors.list;
        problem.field_count = errors.count;
        http_respond_problem(request, &problem);
        return false;
    }
    *query_out = query;
    return true;
}

static void put_encoded(struct buffer *out, struct bytes text) {
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != 0 && strchr(unreserved, text.data[i]))
            buffer_put_char(out, text.data[i]);
        else
            buffer_printf(out, "%%%02X", (unsigned)(uint8_t)text.data[i]);
    }
}

static void put_time(struct buffer *out, const char *name, int64_t time_ms) {
    if (time_ms == 0) return;
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(time_ms, text);
    buffer_printf(out, "&%s=%s", name, text);
}

void list_query_write_next(const struct list_query *query, const struct list_position *next, struct buffer *out) {
    char cursor[LIST_CURSOR_TEXT_MAX];
    list_cursor_write(query, next, cursor);
    buffer_printf(out, "/orders/?limit=%zu", query->limit);
    if (query->customer_name.data) {
        buffer_put_text(out, "&customer_name=");
        put_encoded(out, query->customer_name);
    }
    if (query->has_status) buffer_printf(out, "&status=%s", order_status_name(query->status));
    put_time(out, "created_after", query->created_after_ms);
    put_time(out, "created_before", query->created_before_ms);
    buffer_printf(out, "&cursor=%s", cursor);
}
