/* GET /simulation/runs and what belongs to one run: its result, its report, its seconds, its percentiles. */
#include "api/simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The report runs no script and loads nothing, whatever found its way into it. */
#define REPORT_POLICY "default-src 'none'; style-src 'unsafe-inline'"

void api_get_simulation_runs(struct http_request *request, void *data) {
    struct lab *lab = simulation_lab(request, data);
    struct buffer body;
    struct json_writer writer;
    if (!lab) return;
    buffer_init(&body, SIMULATION_FILE_MAX);
    json_writer_init(&writer, &body);
    lab_write_runs(lab, &writer);
    http_respond_buffer(request, 200, API_JSON, &body);
    buffer_free(&body);
}

static bool read_run_id(struct http_request *request, struct uuid *run_id_out) {
    if (uuid_parse(http_param(request, "run_id"), run_id_out) == STATUS_OK) return true;
    const struct http_problem_field field = {BYTES("/run_id"), "must be a UUID: 8-4-4-4-12 hexadecimal digits"};
    struct http_problem problem = api_problem(PROBLEM_INVALID_RUN_ID);
    problem.fields = &field;
    problem.field_count = 1;
    http_respond_problem(request, &problem);
    return false;
}

struct download {
    enum lab_file file;
    enum lab_class class;
    int time;
    const char *content_type, *disposition, *name; /* "attachment", ".csv" */
};

static void respond_file(struct http_request *request, struct api *api, const struct download *download) {
    struct lab *lab = simulation_lab(request, api);
    struct uuid run_id;
    struct buffer body;
    char id[UUID_TEXT_SIZE], disposition[160];
    if (!lab || !read_run_id(request, &run_id)) return;
    buffer_init(&body, SIMULATION_FILE_MAX);
    enum status status = lab_read_file(lab, &run_id, download->file, download->class, download->time, &body);
    if (status == STATUS_OK) {
        uuid_format(&run_id, id);
        snprintf(disposition, sizeof disposition, "%s; filename=\"orderly-run-%s%s\"", download->disposition, id,
                 download->name);
        http_add_header(request, "Content-Disposition", disposition);
        if (download->file == LAB_FILE_HTML) http_add_header(request, "Content-Security-Policy", REPORT_POLICY);
        http_respond_buffer(request, 200, download->content_type, &body);
    } else if (status == STATUS_NOT_FOUND) {
        api_respond_problem(request, PROBLEM_RUN_NOT_FOUND);
    } else {
        api_warn(api, request, "a file of a run could not be read", status, NULL);
        api_respond_problem(request, status == STATUS_NO_MEMORY ? PROBLEM_NO_MEMORY : PROBLEM_STORED_DATA_DAMAGED);
    }
    buffer_free(&body);
}

void api_get_simulation_run(struct http_request *request, void *data) {
    static const struct download download = {
        .file = LAB_FILE_RESULT, .content_type = API_JSON, .disposition = "inline", .name = ".json"};
    respond_file(request, data, &download);
}

void api_get_simulation_report(struct http_request *request, void *data) {
    static const struct download download = {
        .file = LAB_FILE_HTML, .content_type = "text/html; charset=utf-8", .disposition = "inline", .name = ".html"};
    respond_file(request, data, &download);
}

void api_get_simulation_seconds(struct http_request *request, void *data) {
    static const struct download download = {.file = LAB_FILE_CSV,
                                             .content_type = "text/csv; charset=utf-8",
                                             .disposition = "attachment",
                                             .name = "-seconds.csv"};
    respond_file(request, data, &download);
}

/* --- percentiles --- */

/* The choice that a parameter names; absent: the first. False: it is none of them, and the request has been answered.
 */
static bool read_choice(struct http_request *request, const char *name, const char *const *choices, int *choice_out) {
    struct bytes value = http_query(request, name);
    for (int i = 0; i < 2; i++) {
        if (value.data && !bytes_equal(value, bytes_of(choices[i]))) continue;
        *choice_out = i;
        return true;
    }
    char pointer[32], detail[64];
    snprintf(pointer, sizeof pointer, "/%s", name);
    snprintf(detail, sizeof detail, "must be %s or %s", choices[0], choices[1]);
    const struct http_problem_field field = {bytes_of(pointer), detail};
    struct http_problem problem = api_problem(PROBLEM_INVALID_QUERY);
    problem.fields = &field;
    problem.field_count = 1;
    http_respond_problem(request, &problem);
    return false;
}

void api_get_simulation_latency(struct http_request *request, void *data) {
    static const char *const classes[] = {"hot", "normal"}, *const times[] = {"response", "service"};
    int class, time;
    if (!read_choice(request, "class", classes, &class) || !read_choice(request, "time", times, &time)) return;
    char name[64];
    snprintf(name, sizeof name, "-%s-%s.hgrm", classes[class], times[time]);
    const struct download download = {.file = LAB_FILE_HGRM,
                                      .class = (enum lab_class) class,
                                      .time = time,
                                      .content_type = "text/plain; charset=utf-8",
                                      .disposition = "attachment",
                                      .name = name};
    respond_file(request, data, &download);
}
