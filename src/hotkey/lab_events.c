/* What a run says, line by line: checked, remembered for the status, passed on to the listeners. */
#include <string.h>

#include "hotkey/lab_state.h"

static const char *const event_names[LAB_EVENTS] = {"ready", "tick", "end"};

void lab_now_free(struct lab_now *now) {
    for (int i = 0; i < LAB_EVENTS; i++)
        buffer_free(&now->events[i].json);
}

void lab_now_begin(struct lab_now *now, const struct uuid *run_id, const struct lab_parameters *parameters,
                   int64_t started_at_ms) {
    lab_now_free(now);
    *now = (struct lab_now){.is_known = true,
                            .phase = LAB_STARTING,
                            .run_id = *run_id,
                            .parameters = *parameters,
                            .started_at_ms = started_at_ms};
    for (int i = 0; i < LAB_EVENTS; i++)
        buffer_init(&now->events[i].json, LAB_LINE_MAX);
}

/* --- passing on --- */

/* Under the mutex. An event of a run that another one has followed is passed on and not kept. */
static void publish(struct lab *lab, enum lab_event event, struct bytes json) {
    uint64_t number = ++lab->event_number;
    if (uuid_equal(&lab->child_id, &lab->now.run_id)) {
        struct lab_shown *shown = &lab->now.events[event];
        buffer_reset(&shown->json);
        buffer_put(&shown->json, json);
        shown->number = shown->json.status ? 0 : number;
    }
    for (struct lab_listener *at = lab->listeners, *next; at; at = next) {
        next = at->next;
        at->event(at, number, event_names[event], json);
    }
}

enum status lab_listen(struct lab *lab, struct lab_listener *listener) {
    pthread_mutex_lock(&lab->mutex);
    bool has_room = lab->listener_count < LAB_LISTENERS_MAX;
    if (has_room) {
        listener->next = lab->listeners;
        lab->listeners = listener;
        lab->listener_count++;
        for (int i = 0; i < LAB_EVENTS; i++) {
            const struct lab_shown *shown = &lab->now.events[i];
            if (shown->number) listener->event(listener, shown->number, event_names[i], buffer_bytes(&shown->json));
        }
    }
    pthread_mutex_unlock(&lab->mutex);
    return has_room ? STATUS_OK : STATUS_FULL;
}

void lab_unlisten(struct lab *lab, struct lab_listener *listener) {
    pthread_mutex_lock(&lab->mutex);
    for (struct lab_listener **at = &lab->listeners; *at; at = &(*at)->next) {
        if (*at != listener) continue;
        *at = listener->next;
        lab->listener_count--;
        break;
    }
    pthread_mutex_unlock(&lab->mutex);
}

/* --- taking in --- */

void lab_copy_text(struct bytes text, char *out, size_t size) {
    size_t kept = text.size < size - 1 ? text.size : size - 1;
    while (kept < text.size && kept > 0 && (text.data[kept] & 0xc0) == 0x80)
        kept--;
    memcpy(out, text.data, kept);
    out[kept] = '\0';
}

static bool copy_text(const struct json_value *object, const char *name, char *out, size_t size) {
    struct bytes text;
    if (json_member_string(object, name, &text)) return false;
    lab_copy_text(text, out, size);
    return true;
}

static void note_hot_key(struct lab_now *now, const struct json_value *tick) {
    const struct json_value *hot = json_member(tick, "hot_key");
    char name[LAB_KEY_NAME_SIZE];
    if (!hot || hot->kind != JSON_OBJECT || !copy_text(hot, "name", name, sizeof name)) return; /* the last one stays */
    memcpy(now->hot_key, name, sizeof name);
    now->has_hot_key = true;
    now->hot_memory_bytes = -1;
    json_member_integer(hot, "memory_bytes", &now->hot_memory_bytes);
    now->has_hot_value = copy_text(hot, "value", now->hot_value, sizeof now->hot_value);
}

static void on_ready(struct lab *lab, struct lab_now *now, int64_t now_ns) {
    lab->late_at_ns = now_ns + LAB_SILENCE_MS * INT64_C(1000000);
    lab->over_at_ns = now_ns + (int64_t)(now->parameters.duration_s * 1e9) + LAB_OVERTIME_MS * INT64_C(1000000);
    now->running_since_ns = now_ns;
    if (now->phase == LAB_STARTING) now->phase = LAB_RUNNING;
}

static void on_end(struct lab *lab, struct lab_now *now, int64_t now_ns) {
    lab->has_end = true;
    if (!lab->kill_at_ns) lab->kill_at_ns = now_ns + LAB_EXIT_MS * INT64_C(1000000);
    if (now->running_since_ns) now->elapsed_ns = now_ns - now->running_since_ns;
    now->phase = LAB_ENDING;
}

static void take_event(struct lab *lab, enum lab_event event, const struct json_value *value, struct bytes line) {
    int64_t now_ns = clock_monotonic_ns(lab->clock);
    struct lab_now *now = &lab->now;
    bool is_current = uuid_equal(&lab->child_id, &now->run_id);
    lab->late_at_ns = now_ns + LAB_SILENCE_MS * INT64_C(1000000);
    if (event == LAB_EVENT_END && !is_current) lab->has_end = true;
    if (is_current && event == LAB_EVENT_READY) on_ready(lab, now, now_ns);
    if (is_current && event == LAB_EVENT_TICK) note_hot_key(now, value);
    if (is_current && event == LAB_EVENT_END) on_end(lab, now, now_ns);
    publish(lab, event, line);
}

/* "error" is the end of a run that could not begin: its reason becomes ours. */
static void take_value(struct lab *lab, const struct json_value *value, struct bytes line) {
    struct bytes type, text;
    if (json_member_string(value, "type", &type)) {
        lab_fail(lab, "the run's process wrote what is no event of a run");
        return;
    }
    for (int i = 0; i < LAB_EVENTS; i++) {
        if (!bytes_equal(type, bytes_of(event_names[i]))) continue;
        pthread_mutex_lock(&lab->mutex);
        take_event(lab, (enum lab_event)i, value, line);
        pthread_mutex_unlock(&lab->mutex);
        return;
    }
    if (bytes_equal(type, BYTES("error")) && json_member_string(value, "error", &text) == STATUS_OK)
        lab_copy_text(text, lab->failure, sizeof lab->failure);
    else
        lab_fail(lab, "the run's process wrote an unknown event");
}

void lab_take_line(void *data, struct bytes line) {
    struct lab *lab = data;
    struct json_value *value = NULL;
    if (lab->was_killed || lab->has_end) return;
    arena_reset(&lab->arena);
    if (json_read(line, &lab->arena, &value, NULL) || value->kind != JSON_OBJECT)
        lab_fail(lab, "the run's process wrote what is no event of a run");
    else
        take_value(lab, value, line);
}

void lab_publish_end(struct lab *lab, const char *end, const char *text) {
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, LAB_LINE_MAX);
    json_writer_init(&writer, &json);
    json_begin_object(&writer);
    json_key(&writer, "type"), json_text(&writer, "end");
    json_key(&writer, "end"), json_text(&writer, end);
    json_key(&writer, "end_text"), json_text(&writer, text);
    json_key(&writer, "summary"), json_null(&writer);
    json_end_object(&writer);
    if (json.status == STATUS_OK) publish(lab, LAB_EVENT_END, buffer_bytes(&json));
    buffer_free(&json);
}
