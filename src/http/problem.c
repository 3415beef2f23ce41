/* Problems: RFC 9457, application/problem+json. */
#include <stdio.h>

#include "base/json.h"
#include "http/internal.h"

#define PROBLEM_SIZE_MAX 65536
#define PROBLEM_FIELDS_MAX 100 /* further bad fields are not named */

static void write_fields(struct json_writer *writer, const struct http_problem *problem) {
    size_t count = problem->field_count < PROBLEM_FIELDS_MAX ? problem->field_count : PROBLEM_FIELDS_MAX;
    json_key(writer, "errors");
    json_begin_array(writer);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(writer);
        json_key(writer, "pointer");
        json_string(writer, problem->fields[i].pointer);
        json_key(writer, "detail");
        json_text(writer, problem->fields[i].detail);
        json_end_object(writer);
    }
    json_end_array(writer);
}

static void write_problem(struct buffer *out, const struct http_problem *problem, const char *request_id) {
    char type[128];
    snprintf(type, sizeof type, "urn:orderly:problem:%s", problem->code);
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "type");
    json_text(&writer, type);
    json_key(&writer, "title");
    json_text(&writer, MHD_get_reason_phrase_for((unsigned)problem->status));
    json_key(&writer, "status");
    json_integer(&writer, problem->status);
    if (problem->detail) {
        json_key(&writer, "detail");
        json_text(&writer, problem->detail);
    }
    json_key(&writer, "code");
    json_text(&writer, problem->code);
    json_key(&writer, "request_id");
    json_text(&writer, request_id);
    if (problem->field_count > 0) write_fields(&writer, problem);
    if (problem->extra_name) {
        json_key(&writer, problem->extra_name);
        json_raw(&writer, bytes_of(problem->extra_json));
    }
    json_end_object(&writer);
}

bool http_respond_problem(struct http_request *request, const struct http_problem *problem) {
    struct buffer body;
    buffer_init(&body, PROBLEM_SIZE_MAX);
    write_problem(&body, problem, request->id);
    if (problem->retry_after_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%d", problem->retry_after_s);
        http_add_header(request, "Retry-After", seconds);
    }
    return http_respond_buffer(request, problem->status, "application/problem+json", &body);
}
