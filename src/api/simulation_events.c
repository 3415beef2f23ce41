/* GET /simulation/events: a run as it goes on, as server-sent events: ready, a tick each second, end. */
#include "api/simulation.h"

#include <stdlib.h>

#define QUEUE_MAX_SIZE 131072 /* some 40 ticks */
#define HEARTBEAT_MS 15000

struct simulation_events {
    struct lab_listener listener; /* first: see event_of */
    struct api *api;
    struct http_stream *stream;
};

/* The lab's thread, or the one that listens. What a slow client misses it is told of by the stream's last words. */
static void send_event(struct lab_listener *listener, uint64_t number, const char *event, struct bytes json) {
    const struct simulation_events *events = listener->data;
    struct buffer text;
    buffer_init(&text, QUEUE_MAX_SIZE);
    buffer_put_text(&text, "id: ");
    buffer_put_int(&text, (int64_t)number);
    buffer_put_text(&text, "\nevent: ");
    buffer_put_text(&text, event);
    buffer_put_text(&text, "\ndata: ");
    buffer_put(&text, json);
    buffer_put_text(&text, "\n\n");
    if (text.status == STATUS_OK) http_stream_write(events->stream, buffer_bytes(&text));
    buffer_free(&text);
}

static void closed(void *data) {
    struct simulation_events *events = data;
    struct api *api = events->api;
    lab_unlisten(api->options.lab, &events->listener);
    http_stream_release(events->stream);
    free(events);
    atomic_fetch_sub(&api->simulation_streams, 1);
}

/* Places for listeners are counted here, so that one that is too many gets an answer that says so. */
static bool begin(struct http_request *request, struct api *api) {
    struct simulation_events *events = calloc(1, sizeof *events);
    if (!events) return false;
    const struct http_stream_options options = {
        .content_type = "text/event-stream",
        .queue_max = QUEUE_MAX_SIZE,
        .last_words = BYTES("event: slow\ndata: {}\n\n"),
        .heartbeat = BYTES(":\n\n"),
        .heartbeat_ms = HEARTBEAT_MS,
        .closed = closed,
        .data = events,
    };
    *events = (struct simulation_events){.listener = {.event = send_event, .data = events}, .api = api};
    events->stream = http_stream_begin(request, &options);
    if (!events->stream) {
        free(events);
        return false;
    }
    http_stream_write(events->stream, BYTES("retry: 2000\n\n"));
    if (lab_listen(api->options.lab, &events->listener)) http_stream_end(events->stream);
    return true;
}

void api_get_simulation_events(struct http_request *request, void *data) {
    struct api *api = data;
    if (!simulation_lab(request, api)) return;
    http_add_header(request, "X-Accel-Buffering", "no"); /* a proxy in front shall pass each event on at once */
    bool has_place = atomic_fetch_add(&api->simulation_streams, 1) < LAB_LISTENERS_MAX;
    if (has_place && begin(request, api)) return;
    atomic_fetch_sub(&api->simulation_streams, 1);
    api_respond_problem(request, PROBLEM_TOO_MANY_STREAMS);
}
