/* The pages of GET /health/live and /health/ready: whether the process runs, and whether it can take and show orders,
 * part by part. */
#include "api/health_page.h"

#include "api/api_state.h"

#include <stdio.h>

#define REASON_SIZE (ERROR_TEXT_SIZE + 256)

enum part_status { PART_OK, PART_DEGRADED, PART_FAILED };
static const char *const part_status_names[] = {
    [PART_OK] = "ok", [PART_DEGRADED] = "degraded", [PART_FAILED] = "failed"};
static const char *const overall_names[] = {
    [PART_OK] = "ready", [PART_DEGRADED] = "degraded", [PART_FAILED] = "unavailable"};

struct report {
    struct json_writer *writer;
    enum part_status worst;
};

static void respond_json(struct http_request *request, int status, struct buffer *body) {
    http_respond_buffer(request, status, API_JSON, body);
    buffer_free(body);
}

void api_get_live(struct http_request *request, void *data) {
    const struct api *api = data;
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, 1024);
    json_writer_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "status"), json_text(&writer, "live");
    json_key(&writer, "version"), json_text(&writer, ORDERLY_VERSION);
    json_key(&writer, "uptime_ms");
    json_integer(&writer, (clock_monotonic_ns(api->options.clock) - api->started_ns) / 1000000);
    json_end_object(&writer);
    respond_json(request, 200, &body);
}

static void put_part(struct report *report, const char *name, enum part_status status, const char *reason,
                     const char *remedy) {
    struct json_writer *writer = report->writer;
    if (status > report->worst) report->worst = status;
    json_begin_object(writer);
    json_key(writer, "part"), json_text(writer, name);
    json_key(writer, "status"), json_text(writer, part_status_names[status]);
    if (status != PART_OK) {
        bool is_text = json_utf8_is_valid(bytes_of(reason));
        json_key(writer, "reason"), json_text(writer, is_text ? reason : "(the reason is not valid text)");
        json_key(writer, "remedy"), json_text(writer, remedy);
    }
    json_end_object(writer);
}

static const char *reason_of(enum status status, const struct error *error) {
    return error->text[0] ? error->text : status_name(status);
}

/* A log without room is well otherwise: what was promised is still processed. */
static void put_services(struct report *report, const struct health_result *result) {
    enum status log = result->status[HEALTH_LOG], store = result->status[HEALTH_STORE];
    enum status cache = result->status[HEALTH_CACHE];
    bool is_full = log == STATUS_FULL;
    put_part(report, "log", log == STATUS_OK || is_full ? PART_OK : PART_FAILED,
             reason_of(log, &result->error[HEALTH_LOG]),
             "See that the event log's service runs and can be reached; `orderly check` says more.");
    put_part(report, "room", is_full ? PART_FAILED : PART_OK, reason_of(log, &result->error[HEALTH_LOG]),
             "Free space on the disk of the data directory, or raise ORDERLY_DATA_LIMIT.");
    put_part(report, "store", store == STATUS_OK ? PART_OK : PART_FAILED,
             reason_of(store, &result->error[HEALTH_STORE]),
             "See that the order store's service runs and can be reached; `orderly check` says more.");
    put_part(report, "cache", cache == STATUS_OK ? PART_OK : PART_DEGRADED,
             reason_of(cache, &result->error[HEALTH_CACHE]),
             "Orders are read from the store meanwhile. See that Redis runs at REDIS_HOST and REDIS_PORT.");
}

static void put_feed(struct report *report, const struct api *api) {
    put_part(report, "feed", feed_is_live(api->options.feed) ? PART_OK : PART_FAILED,
             "the feed of order events is not up to date",
             "It starts with the process and follows the event log: wait a second, else see the part `log`.");
}

/* What keeps a partition from being processed, in words; false: nothing does. */
static bool partition_trouble(struct api *api, int32_t partition, char *reason, size_t size) {
    struct pipeline_partition_state state = {0};
    pipeline_state(api->options.pipeline, partition, &state);
    if (!state.assigned || (!state.waiting && !state.needs_schema)) return false;
    char error[ERROR_TEXT_SIZE] = "";
    pipeline_last_error(api->options.pipeline, error, sizeof error);
    if (state.needs_schema)
        snprintf(reason, size, "partition %d is paused at a command of schema version %u, newer than this program",
                 partition, state.needs_schema);
    else
        snprintf(reason, size, "partition %d waits for a service: %s", partition, error[0] ? error : "no answer");
    return true;
}

/* Orders are taken although the pipeline waits: it is a reason to look, not to send clients elsewhere. */
static void put_pipeline(struct report *report, struct api *api) {
    if (!api->options.pipeline) return;
    char reason[REASON_SIZE] = "";
    bool has_trouble = false;
    for (int32_t i = 0; i < api->options.log->partition_count && !has_trouble; i++)
        has_trouble = partition_trouble(api, i, reason, sizeof reason);
    put_part(
        report, "pipeline", has_trouble ? PART_DEGRADED : PART_OK, reason,
        "Accepted orders are safe in the log and are processed when this is mended: start the service it names, or "
        "a newer program for a newer schema.");
}

static void put_advice(struct json_writer *writer, const struct health_result *result) {
    static const char *const names[] = {[HEALTH_LOG] = "log", [HEALTH_STORE] = "store", [HEALTH_CACHE] = "cache"};
    json_key(writer, "advice");
    json_begin_array(writer);
    for (int part = 0; part < HEALTH_PART_COUNT; part++) {
        for (size_t i = 0; i < result->advice[part].count; i++) {
            const char *text = result->advice[part].lines[i].text;
            if (!json_utf8_is_valid(bytes_of(text))) continue;
            json_begin_object(writer);
            json_key(writer, "part"), json_text(writer, names[part]);
            json_key(writer, "text"), json_text(writer, text);
            json_end_object(writer);
        }
    }
    json_end_array(writer);
}

void health_page_respond(struct http_request *request, struct api *api, const struct health_result *result) {
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, 65536);
    json_writer_init(&writer, &body);
    struct report report = {.writer = &writer, .worst = PART_OK};
    json_begin_object(&writer);
    json_key(&writer, "parts");
    json_begin_array(&writer);
    if (result)
        put_services(&report, result);
    else
        put_part(&report, "log", PART_FAILED, "the services behind this process did not say in time how they are",
                 "Ask again; `orderly check` asks each of them for itself.");
    put_feed(&report, api);
    put_pipeline(&report, api);
    json_end_array(&writer);
    if (result) put_advice(&writer, result);
    json_key(&writer, "status"), json_text(&writer, overall_names[report.worst]);
    json_end_object(&writer);
    respond_json(request, report.worst == PART_FAILED ? 503 : 200, &body);
}
