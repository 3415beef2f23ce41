/* The feed on the embedded log: verdicts for those who wait, drops for those who listen, and when it is live. */
#include "feed/feed.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rig.h"

#define PARTITIONS 3

struct bench {
    struct rig rig; /* first */
    struct clock_manual clock;
    struct feed *feed;
};

static void start_feed(struct bench *bench) {
    struct error error = {.text = ""};
    const struct feed_options options = {
        .log = bench->rig.faulty_log, .clock = &bench->clock.base, .metrics = bench->rig.metrics};
    assert_int_equal(feed_open(&options, &bench->feed, &error), STATUS_OK);
}

static struct bench *waited;
static bool feed_lives(struct rig *rig) {
    return feed_is_live(waited->feed);
}
static bool feed_is_dead(struct rig *rig) {
    return !feed_is_live(waited->feed);
}

static int open_bench(void **state) {
    struct bench *bench = waited = calloc(1, sizeof *bench);
    if (!bench) return 1;
    clock_manual_init(&bench->clock, RIG_TIME_MS);
    rig_open(&bench->rig, PARTITIONS, &bench->clock.base, 11);
    start_feed(bench);
    *state = bench;
    return rig_wait(feed_lives, &bench->rig) ? 0 : 1;
}

static int close_bench(void **state) {
    struct bench *bench = *state;
    feed_close(bench->feed);
    rig_close(&bench->rig);
    free(bench);
    return 0;
}

static uint64_t counted(struct bench *bench, const char *name) {
    return metric_count(metrics_counter(bench->rig.metrics, name, "", ""));
}

/* --- a waiter that remembers --- */

struct seen {
    struct feed_waiter waiter; /* first */
    _Atomic bool is_begun;
    _Atomic int calls;
    enum verdict verdict;
    enum reason reason;
    uint32_t version;
    struct feed *feed;
    struct feed_waiter *to_cancel; /* from within the call */
    struct feed_waiter *to_wait;   /* from within the call */
    bool cancelled;
    pthread_mutex_t *gate; /* the call waits for it; NULL: does not */
};

static void on_verdict(struct feed_waiter *waiter, const struct event *event) {
    struct seen *seen = (struct seen *)waiter;
    atomic_store(&seen->is_begun, true);
    if (seen->gate) {
        pthread_mutex_lock(seen->gate);
        pthread_mutex_unlock(seen->gate);
    }
    seen->verdict = event->verdict;
    seen->reason = event->reason;
    seen->version = event->has_order ? event->order.version : 0;
    if (seen->to_cancel) seen->cancelled = feed_cancel(seen->feed, seen->to_cancel);
    if (seen->to_wait) feed_wait(seen->feed, seen->to_wait);
    atomic_fetch_add(&seen->calls, 1);
}

static struct seen *await(struct bench *bench, const struct uuid *attempt_id) {
    struct seen *seen = arena_calloc(&bench->rig.arena, 1, sizeof *seen);
    seen->waiter = (struct feed_waiter){.attempt_id = *attempt_id, .verdict = on_verdict};
    seen->feed = bench->feed;
    assert_int_equal(feed_wait(bench->feed, &seen->waiter), STATUS_OK);
    return seen;
}

static struct seen *waited_for;
static bool is_called(struct rig *rig) {
    return atomic_load(&waited_for->calls) > 0;
}
static void assert_called(struct bench *bench, struct seen *seen) {
    waited_for = seen;
    assert_true(rig_wait(is_called, &bench->rig));
    assert_int_equal(atomic_load(&seen->calls), 1);
}

/* A verdict as the pipeline would publish it, without one. with_headers: the headers that the feed routes by. */
static void publish(struct bench *bench, const struct command *command, bool with_headers, struct bytes value) {
    char key[UUID_TEXT_SIZE], attempt[UUID_TEXT_SIZE];
    uuid_format(&command->order_id, key);
    uuid_format(&command->attempt_id, attempt);
    const struct event_log_header headers[] = {
        {"ce_subject", bytes_of(key)}, {"ce_attemptid", bytes_of(attempt)}, {"ce_orderversion", BYTES("1")}};
    const struct event_log_record record = {.partition = -1,
                                            .key = bytes_of(key),
                                            .value = value,
                                            .headers = headers,
                                            .header_count = with_headers ? 3 : 1};
    rig_append(&bench->rig, TOPIC_EVENTS, &record);
}

static void publish_verdict(struct bench *bench, struct command *command) {
    struct decision decision;
    struct event event;
    struct buffer value;
    command_fingerprint(command, command->fingerprint);
    decide(command, 0, NULL, NULL, &decision);
    event_of(command, &decision, 0, 0, &event);
    buffer_init(&value, EVENT_TEXT_MAX);
    event_write(&value, &event);
    publish(bench, command, true, buffer_bytes(&value));
    buffer_free(&value);
}

/* Every event before this one has been seen when this returns, in its partition and, by repetition, in all. */
static void flush(struct bench *bench) {
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        struct command marker = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
        while (rig_partition(&bench->rig, &marker.order_id) != partition)
            marker.order_id = rig_uuid(&bench->rig);
        struct seen *seen = await(bench, &marker.attempt_id);
        publish_verdict(bench, &marker);
        assert_called(bench, seen);
    }
}

/* --- verdicts --- */

static void test_the_pipelines_verdicts_arrive(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct command create = rig_create(rig, rig_uuid(rig), false);
    struct command confirm = rig_transition(rig, create.order_id, 1, ORDER_CONFIRMED);
    struct command late = rig_transition(rig, create.order_id, 1, ORDER_CANCELLED);
    struct seen *created = await(bench, &create.attempt_id), *confirmed = await(bench, &confirm.attempt_id);
    struct seen *rejected = await(bench, &late.attempt_id);
    rig_start(rig, NULL);
    rig_send(rig, &create);
    rig_send(rig, &confirm);
    rig_send(rig, &late);
    assert_called(bench, created);
    assert_called(bench, confirmed);
    assert_called(bench, rejected);
    rig_stop(rig);
    assert_int_equal(created->verdict, VERDICT_CREATED);
    assert_int_equal(confirmed->verdict, VERDICT_APPLIED);
    assert_int_equal(confirmed->version, 2);
    assert_int_equal(rejected->verdict, VERDICT_REJECTED);
    assert_int_equal(rejected->reason, REASON_VERSION_CONFLICT);
    assert_false(feed_cancel(bench->feed, &created->waiter));
}

static void test_a_waiter_is_called_once(void **state) {
    struct bench *bench = *state;
    struct command create = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
    struct seen *seen = await(bench, &create.attempt_id), *twin = await(bench, &create.attempt_id);
    publish_verdict(bench, &create);
    publish_verdict(bench, &create); /* at least once, says the log */
    flush(bench);
    assert_int_equal(atomic_load(&seen->calls), 1);
    assert_int_equal(atomic_load(&twin->calls), 1);
}

/* It starts at the end: what was said before it was opened is nobody's news. */
static void test_old_verdicts_are_not_read(void **state) {
    struct bench *bench = *state;
    struct command create = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
    publish_verdict(bench, &create);
    flush(bench);
    feed_close(bench->feed);
    start_feed(bench);
    struct seen *seen = await(bench, &create.attempt_id);
    assert_true(rig_wait(feed_lives, &bench->rig));
    flush(bench);
    assert_int_equal(atomic_load(&seen->calls), 0);
    assert_true(feed_cancel(bench->feed, &seen->waiter));
}

/* --- cancelling --- */

static void test_a_cancelled_waiter_is_not_called(void **state) {
    struct bench *bench = *state;
    struct command create = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
    struct seen *seen = await(bench, &create.attempt_id), *other = await(bench, &create.attempt_id);
    assert_true(feed_cancel(bench->feed, &seen->waiter));
    assert_false(feed_cancel(bench->feed, &seen->waiter));
    publish_verdict(bench, &create);
    assert_called(bench, other);
    assert_int_equal(atomic_load(&seen->calls), 0);
}

/* From within a call: cancelling oneself and another, and waiting anew, none of which may deadlock. */
static void test_calls_may_cancel_and_wait(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct command first = rig_create(rig, rig_uuid(rig), true), second = rig_create(rig, rig_uuid(rig), true);
    struct seen *self = await(bench, &first.attempt_id), *killer = await(bench, &second.attempt_id);
    struct seen *victim = await(bench, &second.attempt_id), *later = await(bench, &second.attempt_id);
    assert_true(feed_cancel(bench->feed, &victim->waiter)); /* so that only the order below decides who is called */
    assert_true(feed_cancel(bench->feed, &later->waiter));
    victim->waiter.attempt_id = rig_uuid(rig);
    assert_int_equal(feed_wait(bench->feed, &victim->waiter), STATUS_OK);
    self->to_cancel = &self->waiter;
    killer->to_cancel = &victim->waiter;
    killer->to_wait = &later->waiter;
    publish_verdict(bench, &first);
    assert_called(bench, self);
    assert_false(self->cancelled);
    publish_verdict(bench, &second);
    assert_called(bench, killer);
    assert_true(killer->cancelled);
    publish_verdict(bench, &second);
    assert_called(bench, later);
    assert_int_equal(atomic_load(&victim->calls), 0);
}

struct canceller {
    struct bench *bench;
    struct seen *seen;
    _Atomic bool is_done;
    bool result;
    int calls_seen;
};

static void *cancel_and_look(void *argument) {
    struct canceller *canceller = argument;
    canceller->result = feed_cancel(canceller->bench->feed, &canceller->seen->waiter);
    canceller->calls_seen = atomic_load(&canceller->seen->calls);
    atomic_store(&canceller->is_done, true);
    return NULL;
}

static struct seen *being_called;
static bool call_has_begun(struct rig *rig) {
    return atomic_load(&being_called->is_begun);
}

/* False means: the call has ended, and the struct may be freed. So a cancel during the call waits for it. */
static void test_cancel_waits_for_a_call_under_way(void **state) {
    struct bench *bench = *state;
    struct command create = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct seen *seen = await(bench, &create.attempt_id);
    struct canceller canceller = {.bench = bench, .seen = seen};
    pthread_t thread;
    seen->gate = &gate;
    being_called = seen;
    pthread_mutex_lock(&gate);
    publish_verdict(bench, &create);
    assert_true(rig_wait(call_has_begun, &bench->rig));
    pthread_create(&thread, NULL, cancel_and_look, &canceller);
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* not to be waited for: only gives a wrong answer its chance */
    bool was_early = atomic_load(&canceller.is_done);
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
    assert_false(was_early);
    assert_false(canceller.result);
    assert_int_equal(canceller.calls_seen, 1);
}

#define RACES 300

/* Cancels and calls at the same moment, again and again: each waiter is either called or cancelled, never both. */
static void test_cancels_race_with_calls(void **state) {
    struct bench *bench = *state;
    struct command commands[RACES];
    struct seen *seen[RACES];
    size_t called = 0, cancelled = 0;
    for (size_t i = 0; i < RACES; i++) {
        commands[i] = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
        seen[i] = await(bench, &commands[i].attempt_id);
    }
    for (size_t i = 0; i < RACES; i++) {
        publish_verdict(bench, &commands[i]);
        if (feed_cancel(bench->feed, &seen[i]->waiter)) {
            cancelled++;
            seen[i]->waiter.verdict = NULL; /* a call would crash */
        } else {
            called++;
            assert_int_equal(atomic_load(&seen[i]->calls), 1);
        }
    }
    flush(bench);
    assert_int_equal(called + cancelled, RACES);
}

/* --- limits --- */

static void test_waiters_are_bounded(void **state) {
    struct bench *bench = *state;
    struct feed_waiter *waiters = calloc(FEED_WAITERS_MAX + 1, sizeof *waiters);
    assert_non_null(waiters);
    for (size_t i = 0; i <= FEED_WAITERS_MAX; i++) {
        waiters[i].attempt_id = rig_uuid(&bench->rig);
        assert_int_equal(feed_wait(bench->feed, &waiters[i]), i < FEED_WAITERS_MAX ? STATUS_OK : STATUS_FULL);
    }
    assert_true(feed_cancel(bench->feed, &waiters[7]));
    assert_int_equal(feed_wait(bench->feed, &waiters[FEED_WAITERS_MAX]), STATUS_OK);
    for (size_t i = 0; i <= FEED_WAITERS_MAX; i++)
        assert_int_equal(feed_cancel(bench->feed, &waiters[i]), i != 7);
    free(waiters);
}

/* --- what cannot be read --- */

static void test_malformed_events_are_skipped(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct command command = rig_create(rig, rig_uuid(rig), true);
    struct seen *seen = await(bench, &command.attempt_id);
    publish(bench, &command, false, BYTES("{}"));      /* no attempt id */
    publish(bench, &command, true, BYTES("not JSON")); /* somebody waits for it */
    struct command other = rig_create(rig, rig_uuid(rig), true);
    publish(bench, &other, true, BYTES("not JSON")); /* nobody does: it is not even looked at */
    const struct event_log_record bare = {.partition = 0, .key = BYTES("k"), .value = BYTES("")};
    rig_append(rig, TOPIC_EVENTS, &bare);
    flush(bench);
    assert_int_equal(counted(bench, "orderly_feed_malformed_total"), 3);
    assert_int_equal(atomic_load(&seen->calls), 0);
    publish_verdict(bench, &command); /* and it still waits */
    assert_called(bench, seen);
}

/* --- listeners --- */

struct ear {
    struct feed_listener listener; /* first */
    _Atomic int events;
    struct uuid order_id; /* counted alone */
    _Atomic uint32_t version;
    _Atomic size_t value_size;
};

static void hear(struct feed_listener *listener, const struct feed_event *event) {
    struct ear *ear = (struct ear *)listener;
    if (!uuid_equal(&event->order_id, &ear->order_id)) return;
    atomic_store(&ear->version, event->version);
    atomic_store(&ear->value_size, event->record->value.size);
    atomic_fetch_add(&ear->events, 1);
}

static void test_listeners_hear_every_event(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    struct uuid id = rig_uuid(rig);
    struct ear *ears = arena_calloc(&rig->arena, 2, sizeof *ears);
    for (size_t i = 0; i < 2; i++) {
        ears[i].listener.event = hear;
        ears[i].order_id = id;
        feed_listen(bench->feed, &ears[i].listener);
    }
    struct command create = rig_create(rig, id, true), confirm = rig_transition(rig, id, 1, ORDER_CONFIRMED);
    struct command stranger = rig_transition(rig, rig_uuid(rig), 3, ORDER_CONFIRMED);
    rig_send(rig, &create);
    rig_send(rig, &confirm);
    rig_send(rig, &stranger);
    rig_start(rig, NULL);
    assert_true(rig_wait_committed(rig));
    rig_stop(rig);
    flush(bench);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(atomic_load(&ears[i].events), 2);
        assert_int_equal(atomic_load(&ears[i].version), 2);
        assert_true(atomic_load(&ears[i].value_size) > 100);
    }
}

/* --- live --- */

static void test_it_is_live_while_the_log_answers(void **state) {
    struct bench *bench = *state;
    struct rig *rig = &bench->rig;
    assert_true(feed_is_live(bench->feed));
    faulty_log_fail_polls(rig->faulty_log, STATUS_UNAVAILABLE);
    assert_true(rig_wait(feed_is_dead, rig)); /* at once, not after a second */
    struct command create = rig_create(rig, rig_uuid(rig), true);
    struct seen *seen = await(bench, &create.attempt_id);
    publish_verdict(bench, &create);
    faulty_log_fail_polls(rig->faulty_log, STATUS_OK);
    assert_called(bench, seen); /* what was said meanwhile is not lost */
    assert_true(rig_wait(feed_lives, rig));
    assert_true(counted(bench, "orderly_feed_errors_total") > 0);
}

static void test_it_is_not_live_with_a_partition_missing(void **state) {
    struct bench *bench = *state;
    faulty_log_inject(bench->rig.faulty_log, POLL_LOST, 1);
    assert_true(rig_wait(feed_is_dead, &bench->rig));
    faulty_log_inject(bench->rig.faulty_log, POLL_ASSIGNED, 1);
    assert_true(rig_wait(feed_lives, &bench->rig));
}

/* A thread that is stuck makes no contact: the age of the last one decides. */
static void test_it_is_not_live_when_it_is_stuck(void **state) {
    struct bench *bench = *state;
    struct command create = rig_create(&bench->rig, rig_uuid(&bench->rig), true);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct seen *seen = await(bench, &create.attempt_id);
    seen->gate = &gate;
    being_called = seen;
    pthread_mutex_lock(&gate);
    publish_verdict(bench, &create);
    assert_true(rig_wait(call_has_begun, &bench->rig));
    clock_manual_advance(&bench->clock, 999);
    bool was_live = feed_is_live(bench->feed);
    clock_manual_advance(&bench->clock, 1);
    bool is_live = feed_is_live(bench->feed);
    pthread_mutex_unlock(&gate);
    assert_called(bench, seen);
    assert_true(was_live);
    assert_false(is_live);
    assert_true(rig_wait(feed_lives, &bench->rig));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_pipelines_verdicts_arrive, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_waiter_is_called_once, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_old_verdicts_are_not_read, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_a_cancelled_waiter_is_not_called, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_calls_may_cancel_and_wait, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_cancel_waits_for_a_call_under_way, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_cancels_race_with_calls, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_waiters_are_bounded, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_malformed_events_are_skipped, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_listeners_hear_every_event, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_it_is_live_while_the_log_answers, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_it_is_not_live_with_a_partition_missing, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_it_is_not_live_when_it_is_stuck, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
