/* A run of the model test: rounds of random commands, a pipeline that crashes and is started again in between, and a
 * plain model that all of it is held against in the end. Round r of a run uses seed + r; a difference names the seed of
 * its round, with which that round alone is the first of a run. */
#include "model/model_run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/model_compare.h"

#define PARTITIONS 3

/* What happened, so that a test that tests nothing is seen. */
struct tally {
    uint64_t sequences, commands, starts, crashes, faults, zombies, replays, reopened, mishaps;
    uint64_t reasons[REASON_COUNT], verdicts[VERDICT_COUNT];
};

struct run {
    const struct model_run_options *options;
    struct rig rig;
    struct round round;
    struct tally tally;
    int sent;                          /* commands of the round in the log */
    int mishap_at;                     /* the mishap comes once so many are */
    int64_t commands_from[PARTITIONS]; /* where the topics ended before the round */
    int64_t events_from[PARTITIONS];
};

static int below(struct run *run, int bound) {
    return (int)random_below(&run->round.random.base, (uint64_t)bound);
}

/* --- one round --- */

static void send_some(struct run *run) {
    static struct command commands[ROUND_COMMANDS_MAX];
    int64_t offsets[ROUND_COMMANDS_MAX];
    int left = run->round.command_count - run->sent;
    if (left == 0) return;
    int count = 1 + below(run, 60);
    if (count > left) count = left;
    for (int i = 0; i < count; i++)
        commands[i] = round_command_of(&run->round, &run->round.commands[run->sent + i]);
    rig_send_all(&run->rig, commands, (size_t)count, offsets);
    for (int i = 0; i < count; i++)
        run->round.commands[run->sent + i].offset = offsets[i];
    run->sent += count;
}

/* Mostly a crash; else a service that fails for a moment; else nothing. At one of the first calls of one point: most
 * calls of a batch are puts to the cache, and a fault anywhere would mostly be one there. */
static void plan_fault(struct run *run) {
    static const enum status statuses[] = {STATUS_UNAVAILABLE, STATUS_FULL, STATUS_NO_MEMORY, STATUS_UNKNOWN};
    static const enum fault_point points[] = {FAULT_ROWS, FAULT_APPLY, FAULT_PUT, FAULT_EVENTS, FAULT_COMMIT};
    struct fault_rule rule = {.point = points[below(run, 5)], .first = 1 + (unsigned)below(run, 5), .count = 1};
    int kind = below(run, 10);
    if (kind < 6) {
        rule.effect = kind < 3 ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER;
    } else if (kind < 9) {
        rule.effect = kind == 8 ? FAULT_MISREPORTED : FAULT_REFUSED;
        rule.status = rule.effect == FAULT_MISREPORTED ? STATUS_UNKNOWN : statuses[below(run, 4)];
        rule.count = 1 + (unsigned)below(run, 4);
        run->tally.faults++;
    } else {
        return;
    }
    faults_add(&run->rig.faults, rule);
}

static struct pipeline_options pipeline_options(struct run *run) {
    static const size_t batch_sizes[] = {1, 2, 5, 17, 512};
    return (struct pipeline_options){.batch_max = batch_sizes[below(run, 5)],
                                     .retention_ms = -1,
                                     .cache_wait_ms = 20,
                                     .backoff_max_ms = run->options->backoff_max_ms};
}

static bool is_over(struct rig *rig) {
    if (faults_have_crashed(&rig->faults)) return true;
    for (int32_t i = 0; i < PARTITIONS; i++)
        if (rig_committed(rig, i) < rig_end(rig, TOPIC_COMMANDS, i)) return false;
    return true;
}

/* A consumer from the past: it reads again what the round has processed, believes to own it, and says it all again. */
static struct pipeline *start_zombie(struct run *run, struct event_log *log) {
    struct pipeline_options options = pipeline_options(run);
    struct pipeline *honest = run->rig.pipeline;
    faulty_log_be_zombie(log, run->commands_from, STATUS_OK);
    options.log = log;
    options.store = run->rig.store;
    rig_start(&run->rig, &options);
    struct pipeline *zombie = run->rig.pipeline;
    run->rig.pipeline = honest;
    run->tally.zombies++;
    return zombie;
}

/* One life of the pipeline: until a crash, or until there is nothing left to do. */
static void live_once(struct run *run) {
    struct rig *rig = &run->rig;
    struct faults no_faults;
    struct event_log *zombie_log = NULL;
    struct pipeline *zombie = NULL;
    struct pipeline_options options = pipeline_options(run);
    plan_fault(run);
    if (below(run, 5) == 0) {
        faults_init(&no_faults);
        zombie_log = faulty_log_new(rig->log, &no_faults);
        zombie = start_zombie(run, zombie_log);
    }
    rig_start(rig, &options);
    run->tally.starts++;
    if (below(run, 2) == 0) send_some(run);
    bool has_mishap = run->mishap_at <= run->sent;
    if (has_mishap) {
        run->options->mishap(run->options->mishap_data, &run->round.random.base);
        run->mishap_at = INT_MAX;
        run->tally.mishaps++;
    }
    if (!rig_wait(is_over, rig)) {
        fprintf(stderr, "the pipeline stands still\n");
        abort();
    }
    run->tally.crashes += faults_have_crashed(&rig->faults);
    rig_crash(rig);
    if (zombie) {
        pipeline_close(zombie);
        event_log_close(zombie_log);
        faults_free(&no_faults);
    }
    faults_reset(&rig->faults);
}

static void finish_round(struct run *run) {
    struct pipeline_options options = pipeline_options(run);
    rig_start(&run->rig, &options);
    if (!rig_wait_committed(&run->rig)) abort();
    rig_stop(&run->rig);
}

/* All of the round once more, from its first command, by one who has the whole of it behind him. */
static void say_it_again(struct run *run) {
    struct faults no_faults;
    faults_init(&no_faults);
    struct event_log *log = faulty_log_new(run->rig.log, &no_faults);
    struct pipeline *zombie = start_zombie(run, log);
    time_t until = 0;
    for (int32_t i = 0; i < PARTITIONS; i++)
        while (!rig_has_position(zombie, i, rig_end(&run->rig, TOPIC_COMMANDS, i)))
            if (!rig_wait_more(&run->rig, &until)) abort();
    pipeline_close(zombie);
    event_log_close(log);
    faults_free(&no_faults);
}

static bool replay_is_done(struct rig *rig) {
    return pipeline_replay_is_done(rig->pipeline);
}

static void replay(struct run *run) {
    struct pipeline_options options = {.replay = true};
    rig_start(&run->rig, &options);
    if (!rig_wait(replay_is_done, &run->rig)) abort();
    rig_stop(&run->rig);
    run->tally.replays++;
}

static bool run_round(struct run *run) {
    faulty_log_settle(run->rig.faulty_log); /* the round before says nothing any more */
    for (int32_t i = 0; i < PARTITIONS; i++) {
        run->commands_from[i] = rig_end(&run->rig, TOPIC_COMMANDS, i);
        run->events_from[i] = rig_end(&run->rig, TOPIC_EVENTS, i);
    }
    run->sent = 0;
    run->mishap_at = run->options->mishap ? below(run, run->round.command_count) : INT_MAX;
    while (run->sent < run->round.command_count) {
        send_some(run);
        live_once(run);
        if (below(run, 40) == 0) {
            rig_reopen(&run->rig);
            run->tally.reopened++;
        }
    }
    finish_round(run);
    if (below(run, 4) == 0) say_it_again(run);
    if (below(run, 8) == 0) replay(run);
    arena_reset(&run->rig.arena);
    return round_compare(&run->round, &run->rig, run->events_from);
}

/* --- the run --- */

static void count(struct tally *tally, const struct round *round) {
    tally->sequences += ROUND_SEQUENCES;
    tally->commands += (uint64_t)round->command_count;
    for (int i = 0; i < round->command_count; i++) {
        enum reason reason;
        enum verdict verdict;
        if (reason_parse(bytes_of(round->commands[i].expected.reason), &reason) == STATUS_OK) tally->reasons[reason]++;
        if (verdict_parse(bytes_of(round->commands[i].expected.verdict), &verdict) == STATUS_OK)
            tally->verdicts[verdict]++;
    }
}

/* Every kind of answer and of mishap must have come up, or the comparison has proved nothing about it. */
static bool is_telling(const struct tally *tally) {
    for (int reason = 0; reason < REASON_COUNT; reason++)
        if (tally->reasons[reason] == 0 && reason != REASON_VERSION_LIMIT) return false;
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
        if (tally->verdicts[verdict] == 0) return false;
    return tally->crashes > 0 && tally->faults > 0 && tally->zombies > 0 && tally->replays > 0 && tally->reopened > 0;
}

static void print_tally(const struct tally *tally) {
    printf("%" PRIu64 " sequences, %" PRIu64 " commands, %" PRIu64 " starts, %" PRIu64 " crashes, %" PRIu64
           " failing services, %" PRIu64 " zombies, %" PRIu64 " replays, %" PRIu64 " reopened, %" PRIu64 " mishaps\n",
           tally->sequences, tally->commands, tally->starts, tally->crashes, tally->faults, tally->zombies,
           tally->replays, tally->reopened, tally->mishaps);
    for (int reason = 0; reason < REASON_COUNT; reason++)
        printf("  %-20s %" PRIu64 "\n", reason_name((enum reason)reason), tally->reasons[reason]);
}

uint64_t model_setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* Whether round r of this run is as the model tells it. */
static bool run_round_number(struct run *run, uint64_t r) {
    const struct model_run_options *options = run->options;
    uint64_t number = r % options->rounds_per_installation;
    if (number == 0) {
        if (r > 0) rig_close(&run->rig);
        rig_open_on(&run->rig, options->adapters, PARTITIONS, NULL, options->seed);
    }
    round_generate(&run->round, options->seed + r, RIG_TIME_MS + (int64_t)number * ROUND_TIME_MS);
    bool is_same = run_round(run);
    if (!is_same)
        fprintf(stderr, "%s=%" PRIu64 " %s=%d makes this round again\n", options->seed_name, options->seed + r,
                options->sequences_name, ROUND_SEQUENCES);
    count(&run->tally, &run->round);
    return is_same;
}

int model_run(const struct model_run_options *options) {
    static struct run run;
    uint64_t rounds = (options->sequences + ROUND_SEQUENCES - 1) / ROUND_SEQUENCES;
    bool is_same = true;
    run.options = options;
    for (uint64_t r = 0; r < rounds && is_same; r++)
        is_same = run_round_number(&run, r);
    if (rounds > 0) rig_close(&run.rig);
    print_tally(&run.tally);
    if (is_same && options->sequences >= 1000 && !is_telling(&run.tally)) {
        fprintf(stderr, "some kind of answer or mishap never came up\n");
        return 1;
    }
    return is_same ? 0 : 1;
}
