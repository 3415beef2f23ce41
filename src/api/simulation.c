/* POST /simulation/start and /stop, GET /simulation/status and /parameters: the hot-key lab's controls. */
#include "api/simulation.h"

#include <stdio.h>

#define POINTER_SIZE (2 * sizeof(struct lab_problem){0}.name + 2)

struct lab *simulation_lab(struct http_request *request, struct api *api) {
    if (!api->options.lab) api_respond_problem(request, PROBLEM_LAB_UNAVAILABLE);
    return api->options.lab;
}

static void respond(struct http_request *request, struct buffer *body) {
    http_respond_buffer(request, 200, API_JSON, body);
    buffer_free(body);
}

/* --- start --- */

/* "/a~1b" of "a/b", as RFC 6901 wants it. No name: the whole body. */
static struct bytes pointer_of(const char *name, char out[POINTER_SIZE]) {
    size_t size = 0;
    if (name[0]) out[size++] = '/';
    for (const char *at = name; *at; at++) {
        bool escape = *at == '~' || *at == '/';
        out[size++] = escape ? '~' : *at;
        if (escape) out[size++] = *at == '~' ? '0' : '1';
    }
    return (struct bytes){out, size};
}

static void respond_invalid(struct http_request *request, const struct lab_problems *problems) {
    struct http_problem_field fields[LAB_PROBLEMS_MAX];
    char pointers[LAB_PROBLEMS_MAX][POINTER_SIZE];
    for (size_t i = 0; i < problems->count; i++)
        fields[i] =
            (struct http_problem_field){pointer_of(problems->items[i].name, pointers[i]), problems->items[i].detail};
    struct http_problem problem = api_problem(PROBLEM_INVALID_SIMULATION);
    problem.fields = fields;
    problem.field_count = problems->count;
    http_respond_problem(request, &problem);
}

/* The parameters in the body; no body: the defaults. False: they are bad, and the request has been answered. */
static bool read_parameters(struct http_request *request, struct lab_parameters *parameters_out) {
    struct json_value *object = NULL;
    struct json_error error;
    struct lab_problems problems = {.count = 0};
    struct bytes body = http_body(request);
    enum status status = body.size > 0 ? json_read(body, http_arena(request), &object, &error) : STATUS_OK;
    if (status == STATUS_NO_MEMORY) {
        api_respond_problem(request, PROBLEM_NO_MEMORY);
        return false;
    }
    if (status != STATUS_OK) {
        api_respond_invalid_json(request, &error);
        return false;
    }
    if (lab_parameters_read(object, parameters_out, &problems) == STATUS_OK) return true;
    respond_invalid(request, &problems);
    return false;
}

static void respond_started(struct http_request *request, const struct lab_parameters *parameters,
                            const struct uuid *run_id) {
    char id[UUID_TEXT_SIZE];
    struct buffer body;
    struct json_writer writer;
    uuid_format(run_id, id);
    buffer_init(&body, SIMULATION_TEXT_MAX);
    json_writer_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "message"), json_text(&writer, "Simulation started");
    json_key(&writer, "config"), lab_parameters_write(parameters, &writer);
    json_key(&writer, "run_id"), json_text(&writer, id);
    json_end_object(&writer);
    respond(request, &body);
}

void api_post_simulation_start(struct http_request *request, void *data) {
    struct lab *lab = simulation_lab(request, data);
    struct lab_parameters parameters;
    struct uuid run_id;
    struct error error = {""};
    if (!lab || !read_parameters(request, &parameters)) return;
    switch (lab_start(lab, &parameters, &run_id, &error)) {
    case STATUS_OK: respond_started(request, &parameters, &run_id); break;
    case STATUS_CONFLICT: api_respond_problem(request, PROBLEM_SIMULATION_RUNNING); break;
    default:
        api_warn(data, request, "a run of the lab could not be started", STATUS_FULL, error.text);
        api_respond_problem(request, PROBLEM_LAB_BUSY);
    }
}

/* --- stop --- */

void api_post_simulation_stop(struct http_request *request, void *data) {
    struct lab *lab = simulation_lab(request, data);
    if (!lab) return;
    if (lab_stop(lab) == STATUS_OK)
        http_respond_static(request, 200, API_JSON, BYTES("{\"message\":\"Simulation stopped\"}"));
    else
        api_respond_problem(request, PROBLEM_SIMULATION_NOT_RUNNING);
}

/* --- status --- */

static void write_hot_orders(struct hot_orders *hot, struct json_writer *writer) {
    struct hot_orders_window window;
    hot_orders_last(hot, &window);
    json_key(writer, "hot_orders");
    json_begin_array(writer);
    for (size_t i = 0; i < window.count; i++) {
        char order_id[UUID_TEXT_SIZE];
        uuid_format(&window.top[i].order_id, order_id);
        json_begin_object(writer);
        json_key(writer, "order_id"), json_text(writer, order_id);
        json_key(writer, "reads"), json_integer(writer, window.top[i].reads);
        json_key(writer, "share"), json_double(writer, (double)window.top[i].reads / (double)window.reads);
        json_end_object(writer);
    }
    json_end_array(writer);
    json_key(writer, "hot_orders_total"), json_integer(writer, (int64_t)window.reads);
}

void api_get_simulation_status(struct http_request *request, void *data) {
    struct api *api = data;
    struct lab *lab = simulation_lab(request, api);
    struct buffer body;
    struct json_writer writer;
    if (!lab) return;
    buffer_init(&body, SIMULATION_TEXT_MAX);
    json_writer_init(&writer, &body);
    lab_write_status(lab, &writer);
    write_hot_orders(api->hot_orders, &writer);
    json_end_object(&writer);
    respond(request, &body);
}

/* --- parameters --- */

void api_get_simulation_parameters(struct http_request *request, void *data) {
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, SIMULATION_TEXT_MAX);
    json_writer_init(&writer, &body);
    lab_parameters_write_schema(&writer);
    respond(request, &body);
}
