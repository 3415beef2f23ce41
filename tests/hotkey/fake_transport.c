/* The transport without a server: a queue of replies in the order of their times. */
#include "fake_transport.h"

#include <stdlib.h>
#include <string.h>

#include "hotkey/run_parts.h"

struct reply {
    int64_t at_ns;
    uint32_t connection;
    uint8_t kind;
};

struct fake_transport {
    struct transport base;
    struct fake *fake;
    uint32_t connections, under_way[FAKE_CONNECTIONS_MAX];
    bool is_up;
    struct reply *queue;
    uint64_t head, tail;
    uint8_t has_value[FAKE_KEYS_MAX];
};

static int64_t now_of(struct fake *fake) {
    return clock_monotonic_ns(&fake->clock.base) - fake->start_ns;
}

static bool is_between(int64_t now_ns, int64_t from_ns, int64_t until_ns) {
    return until_ns > 0 && now_ns >= from_ns && now_ns < until_ns;
}

void fake_init(struct fake *fake) {
    memset(fake, 0, sizeof *fake);
    clock_manual_init(&fake->clock, INT64_C(1700000000000));
    fake->start_ns = clock_monotonic_ns(&fake->clock.base) + RUN_START_MS * INT64_C(1000000);
    fake->answer_ns = 100000;
    fake->refusal = "ERR refused";
    fake->expiry_min_ms = INT64_MAX;
}

/* Queues the reply to a command: after answer_ns, and after the thaw if it stands still then. */
static bool put(struct fake_transport *transport, uint32_t connection, enum transport_event_kind kind) {
    struct fake *fake = transport->fake;
    int64_t now_ns = now_of(fake), at_ns = now_ns + fake->answer_ns;
    if (!transport->is_up || transport->tail - transport->head == FAKE_QUEUE_MAX) return false;
    if (is_between(at_ns, fake->freeze_ns, fake->thaw_ns)) at_ns = fake->thaw_ns;
    if (is_between(now_ns, fake->error_from_ns, fake->error_until_ns)) {
        kind = TRANSPORT_ERROR;
        fake->refused++;
    }
    transport->queue[transport->tail++ % FAKE_QUEUE_MAX] = (struct reply){at_ns, connection, (uint8_t)kind};
    if (++transport->under_way[connection] > fake->in_pipeline_max)
        fake->in_pipeline_max = transport->under_way[connection];
    return true;
}

static bool get(struct transport *base, uint32_t connection, uint32_t key) {
    struct fake_transport *transport = (struct fake_transport *)base;
    struct fake *fake = transport->fake;
    bool is_there = !fake->keeps_values || transport->has_value[key % FAKE_KEYS_MAX];
    if (!put(transport, connection, is_there ? TRANSPORT_VALUE : TRANSPORT_NIL)) return false;
    fake->gets++;
    fake->gets_of[key % FAKE_KEYS_MAX]++;
    return true;
}

static bool set(struct transport *base, uint32_t connection, const struct transport_write *write) {
    struct fake_transport *transport = (struct fake_transport *)base;
    struct fake *fake = transport->fake;
    if (!put(transport, connection, TRANSPORT_STORED)) return false;
    fake->sets++;
    fake->sets_of[write->key % FAKE_KEYS_MAX]++;
    transport->has_value[write->key % FAKE_KEYS_MAX] = 1;
    if (write->expiry_ms < fake->expiry_min_ms) fake->expiry_min_ms = write->expiry_ms;
    if (write->expiry_ms > fake->expiry_max_ms) fake->expiry_max_ms = write->expiry_ms;
    return true;
}

static void flush(struct transport *base, uint32_t connection) {
    (void)base, (void)connection;
}

/* All connections come and go at once. */
static size_t change(struct fake_transport *transport, bool up, struct transport_event *events_out) {
    transport->is_up = up;
    transport->head = transport->tail;
    memset(transport->under_way, 0, sizeof transport->under_way);
    for (uint32_t i = 0; i < transport->connections; i++)
        events_out[i] = (struct transport_event){clock_monotonic_ns(&transport->fake->clock.base), i,
                                                 up ? TRANSPORT_UP : TRANSPORT_LOST};
    return transport->connections;
}

static void move_to(struct fake *fake, int64_t ns) {
    if (ns > now_of(fake)) fake->clock.monotonic_ns = ns + fake->start_ns;
    fake->clock.wall_ms = INT64_C(1700000000000) + fake->clock.monotonic_ns / 1000000;
}

static size_t take_replies(struct fake_transport *transport, int64_t now_ns, struct transport_event *events_out) {
    size_t count = 0;
    while (transport->head != transport->tail && count < TRANSPORT_EVENTS_MAX) {
        const struct reply *reply = &transport->queue[transport->head % FAKE_QUEUE_MAX];
        if (reply->at_ns > now_ns) break;
        transport->under_way[reply->connection]--;
        events_out[count++] =
            (struct transport_event){reply->at_ns + transport->fake->start_ns, reply->connection, reply->kind};
        transport->head++;
    }
    return count;
}

static size_t poll_events(struct transport *base, int64_t until_ns, struct transport_event *events_out) {
    struct fake_transport *transport = (struct fake_transport *)base;
    struct fake *fake = transport->fake;
    if (fake->poll_hook) fake->poll_hook(fake);
    bool should_be_up = !is_between(now_of(fake), fake->lost_ns, fake->back_ns);
    if (should_be_up != transport->is_up) return change(transport, should_be_up, events_out);
    size_t count = take_replies(transport, now_of(fake), events_out);
    if (count) return count;
    int64_t next_ns = until_ns - fake->start_ns;
    if (transport->head != transport->tail && transport->queue[transport->head % FAKE_QUEUE_MAX].at_ns < next_ns)
        next_ns = transport->queue[transport->head % FAKE_QUEUE_MAX].at_ns;
    const int64_t changes[] = {fake->lost_ns, fake->back_ns};
    for (size_t i = 0; i < 2; i++)
        if (changes[i] > now_of(fake) && changes[i] < next_ns) next_ns = changes[i];
    move_to(fake, next_ns);
    return take_replies(transport, now_of(fake), events_out);
}

static const char *error_text(const struct transport *base) {
    const struct fake *fake = ((const struct fake_transport *)base)->fake;
    return fake->refusal;
}

static void close_transport(struct transport *base) {
    struct fake_transport *transport = (struct fake_transport *)base;
    transport->fake->closed++;
    free(transport->queue);
    free(transport);
}

static const struct transport_ops fake_ops = {
    .name = "fake",
    .get = get,
    .set = set,
    .flush = flush,
    .poll = poll_events,
    .error_text = error_text,
    .close = close_transport,
};

enum status fake_transport_new(void *data, const struct transport_options *options, struct transport **transport_out,
                               struct error *error) {
    struct fake *fake = data;
    struct fake_transport *transport = calloc(1, sizeof *transport);
    struct reply *queue = malloc(FAKE_QUEUE_MAX * sizeof *queue);
    if (options->connections > FAKE_CONNECTIONS_MAX) abort();
    if (!transport || !queue) {
        free(transport);
        free(queue);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    transport->base.ops = &fake_ops;
    transport->fake = fake;
    transport->connections = options->connections;
    transport->queue = queue;
    fake->opened++;
    *transport_out = &transport->base;
    return STATUS_OK;
}
