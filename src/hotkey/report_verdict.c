/* The verdict: one to four plain sentences on what happened in a run and why it looks so.
 *
 * Rules stand in a table, the most important first; each that applies tells one thing, up to SENTENCES_MAX. */
#include <inttypes.h>

#include "hotkey/report.h"

#define SENTENCES_MAX 4
#define FAR_FACTOR 3.0   /* response times so much above service times: they waited before they were sent */
#define FAR_LEAST_NS 2e6 /* and by so much; less is of no interest */
#define OWN_SHARE 0.3    /* of the response times' p99: this program's own lateness is no longer a detail */
#define KEPT_WELL 0.995  /* of the schedule */
#define CPU_FULL 0.9     /* of a core */
#define HITS_WELL 0.9
#define SCORE_FULL 0.9995
#define SLOW_NS 10e6 /* a p99 from here on is not "kept up" */
#define STAMPEDE 10  /* calls behind the cache at one time */

struct telling {
    const struct lab_result *result;
    const struct lab_facts *facts;
    struct buffer *out;
};

static bool is_far(const struct telling *telling) {
    double response = (double)telling->facts->all[LAB_RESPONSE].p99_ns;
    double service = (double)telling->facts->all[LAB_SERVICE].p99_ns;
    return response > FAR_FACTOR * service && response - service > FAR_LEAST_NS;
}

static struct lab_words p99_of(const struct telling *telling, enum lab_time time) {
    return lab_words_of(&telling->facts->all[time], telling->facts->all[time].p99_ns);
}

/* A text from outside, ": LOADING Redis is loading", or nothing. */
static void put_reason(const struct telling *telling, const char *text) {
    if (!text[0]) return;
    buffer_put_text(telling->out, ": ");
    lab_put_printable(telling->out, text);
}

/* --- how it ended --- */

static bool tell_end(const struct telling *telling) {
    static const char *const how[] = {[LAB_END_STOPPED] = "was stopped",
                                      [LAB_END_TARGET_LOST] = "ended early because its target was lost",
                                      [LAB_END_FAILED] = "failed"};
    const struct lab_result *result = telling->result;
    if (result->end == LAB_END_DURATION) return false;
    buffer_printf(telling->out, "The run %s after %s of %s", how[result->end],
                  lab_words_time(result->elapsed_s * 1e9).text, lab_words_span(result->parameters.duration_s).text);
    if (result->end == LAB_END_TARGET_LOST) put_reason(telling, telling->facts->first_error);
    if (result->end == LAB_END_FAILED) put_reason(telling, result->end_text);
    buffer_put_text(telling->out, ".");
    return true;
}

static bool tell_nothing_done(const struct telling *telling) {
    if (telling->facts->total.completed > 0) return false;
    buffer_put_text(telling->out, telling->facts->total.sent > 0 ? "No operation was answered" : "Nothing was sent");
    if (telling->result->end != LAB_END_TARGET_LOST) put_reason(telling, telling->facts->first_error);
    buffer_put_text(telling->out, ".");
    return true;
}

static bool tell_failures(const struct telling *telling) {
    const struct lab_facts *facts = telling->facts;
    bool was_told = telling->result->end == LAB_END_TARGET_LOST;
    if (facts->total.completed == 0 || (facts->total.failed == 0 && (facts->seconds_down == 0 || was_told)))
        return false;
    if (facts->seconds_down > 0) {
        buffer_printf(telling->out, "The target was away in %s of %s seconds, and %s operations failed",
                      lab_words_count((double)facts->seconds_down).text,
                      lab_words_count((double)telling->result->second_count).text,
                      lab_words_count((double)facts->total.failed).text);
    } else {
        buffer_printf(telling->out, "%s of %s operations failed", lab_words_count((double)facts->total.failed).text,
                      lab_words_count((double)facts->total.sent).text);
    }
    if (!was_told) put_reason(telling, facts->first_error);
    buffer_put_text(telling->out, ".");
    return true;
}

/* --- times --- */

static bool tell_freeze(const struct telling *telling) {
    const struct lab_result *result = telling->result;
    const struct lab_facts *facts = telling->facts;
    if (result->frozen_ns <= 0 || facts->total.completed == 0) return false;
    buffer_printf(telling->out, "The server stood still for %s. ", lab_words_time((double)result->frozen_ns).text);
    if (is_far(telling))
        buffer_printf(
            telling->out,
            "What was due meanwhile had to wait: p99 of the response time is %s, while p99 of the service time, "
            "which is all that a tool sees that waits for an answer before it asks again, is %s.",
            p99_of(telling, LAB_RESPONSE).text, p99_of(telling, LAB_SERVICE).text);
    else if (facts->all[LAB_RESPONSE].p99_ns >= result->frozen_ns / 2)
        buffer_printf(
            telling->out,
            "p99 of the response time is %s. That of the service time is %s, since so many operations were "
            "under way when it stopped; with a smaller pipeline fewer are, and it would show next to nothing.",
            p99_of(telling, LAB_RESPONSE).text, p99_of(telling, LAB_SERVICE).text);
    else
        buffer_printf(telling->out,
                      "The longest response took %s; p99 (%s) hides it, as too few operations were due meanwhile.",
                      lab_words_time((double)facts->all[LAB_RESPONSE].max_ns).text, p99_of(telling, LAB_RESPONSE).text);
    return true;
}

/* A good part of the response times arose in this program. */
static bool is_own_fault(const struct telling *telling) {
    double late = (double)telling->facts->late_p99_ns;
    return late >= FAR_LEAST_NS && late >= OWN_SHARE * (double)telling->facts->all[LAB_RESPONSE].p99_ns;
}

static bool tell_lateness(const struct telling *telling) {
    if (telling->facts->total.completed == 0 || !is_own_fault(telling)) return false;
    buffer_printf(
        telling->out,
        "Response times (p99 %s; service times: p99 %s) show the load generator's limit more than the server's: "
        "this machine itself sent late (p99 %s). Fewer operations, more threads or nothing else running beside "
        "would show the server.",
        p99_of(telling, LAB_RESPONSE).text, p99_of(telling, LAB_SERVICE).text,
        lab_words_time((double)telling->facts->late_p99_ns).text);
    return true;
}

static bool tell_waiting(const struct telling *telling) {
    const struct lab_facts *facts = telling->facts;
    if (telling->result->frozen_ns > 0 || !is_far(telling) || is_own_fault(telling)) return false;
    buffer_printf(telling->out,
                  "Response times (p99 %s) are far above service times (p99 %s): ", p99_of(telling, LAB_RESPONSE).text,
                  p99_of(telling, LAB_SERVICE).text);
    if (facts->seconds_down > 0)
        buffer_put_text(telling->out, "what was due while the target was away had to wait.");
    else
        buffer_printf(
            telling->out,
            "operations queued before they were sent, because answers came more slowly than new operations fell "
            "due on %" PRId64 " connections with at most %" PRId64 " under way on each.",
            lab_connections_used(&telling->result->parameters), telling->result->parameters.pipeline);
    return true;
}

/* A miss takes its time behind the cache, in which the server has no part. */
static bool is_miss_cost(const struct telling *telling) {
    double cost_ns = (double)telling->result->parameters.miss_cost_us * 1e3;
    return telling->result->backend_calls > 0 && cost_ns >= 1e6 &&
           (double)telling->facts->all[LAB_SERVICE].p99_ns >= cost_ns / 2;
}

static bool tell_agreement(const struct telling *telling) {
    const struct lab_facts *facts = telling->facts;
    if (telling->result->frozen_ns > 0 || is_far(telling) || is_own_fault(telling) || facts->total.completed == 0)
        return false;
    struct lab_words response = p99_of(telling, LAB_RESPONSE), service = p99_of(telling, LAB_SERVICE);
    const char *who = facts->seconds_down > 0 ? "As long as it answered, the server" : "The server";
    if (is_miss_cost(telling))
        buffer_printf(telling->out,
                      "p99 of the response time is %s: that is what misses cost behind the cache, not the server.",
                      response.text);
    else if ((double)facts->all[LAB_SERVICE].p99_ns >= SLOW_NS)
        buffer_printf(
            telling->out,
            "Response and service times are both long (p99 %s and %s): operations were sent in time, and their "
            "answers took long.",
            response.text, service.text);
    else
        buffer_printf(
            telling->out,
            "%s kept up: p99 of the response time is %s and p99 of the service time %s, so next to nothing had to "
            "wait before it was sent.",
            who, response.text, service.text);
    return true;
}

/* --- the machine, the keys, the server --- */

static bool tell_schedule(const struct telling *telling) {
    const struct lab_class_counts *total = &telling->facts->total;
    double kept = telling->result->schedule_kept;
    bool was_away = telling->facts->seconds_down > 0 || telling->result->end == LAB_END_TARGET_LOST;
    if (!(kept < KEPT_WELL) || total->offered == 0 || total->sent == 0) return false;
    uint64_t unsent = total->offered > total->sent ? total->offered - total->sent : 0;
    buffer_printf(telling->out, "%s of %s operations (%s) were never sent, %s.", lab_words_count((double)unsent).text,
                  lab_words_count((double)total->offered).text, lab_words_share(1 - kept).text,
                  was_away ? "as the target was away"
                           : "as this machine did not hold the schedule: read all figures as those of a lower load");
    return true;
}

static void tell_detector(const struct telling *telling) {
    double precision = telling->result->detector_precision, recall = telling->result->detector_recall;
    if (!telling->facts->was_detected) return;
    if (precision >= SCORE_FULL && recall >= SCORE_FULL)
        buffer_put_text(telling->out, "; the detector named every hot key in every second, and no other");
    else if (recall >= SCORE_FULL)
        buffer_printf(telling->out, "; the detector named every hot key, and others too (precision %s)",
                      lab_words_share(precision).text);
    else
        buffer_printf(telling->out, "; the detector named %s of the hot keys (precision %s)",
                      lab_words_share(recall).text, lab_words_share(precision).text);
}

static bool tell_keys(const struct telling *telling) {
    const struct lab_facts *facts = telling->facts;
    const struct lab_parameters *parameters = &telling->result->parameters;
    if (facts->accesses == 0) return false;
    bool is_hot = facts->top_share >= LAB_TRUE_SHARE;
    bool has_moved = is_hot && parameters->hot_shift_s > 0 && parameters->hot_shift_s < telling->result->elapsed_s;
    buffer_printf(telling->out,
                  is_hot ? "Key %" PRIu32 " took %s of all operations"
                         : "No key stood out: the busiest, key %" PRIu32 ", took %s",
                  facts->top_key, lab_words_share(facts->top_share).text);
    if (has_moved)
        buffer_printf(telling->out, ", although the hot keys moved every %s",
                      lab_words_span(parameters->hot_shift_s).text);
    tell_detector(telling);
    buffer_put_text(telling->out, ".");
    return true;
}

static bool tell_full_server(const struct telling *telling) {
    if (!(telling->facts->server_cpu_share >= CPU_FULL)) return false;
    buffer_printf(telling->out, "The server used %s of a core; Redis runs its commands on one, so this is its limit.",
                  lab_words_share(telling->facts->server_cpu_share).text);
    return true;
}

/* Why keys were not there. */
static void put_miss_reason(const struct telling *telling) {
    if (telling->facts->evicted > 0)
        buffer_printf(telling->out, "the server evicted %s keys for want of memory",
                      lab_words_count((double)telling->facts->evicted).text);
    else if (telling->result->parameters.ttl_s > 0)
        buffer_printf(telling->out, "keys expire after %s",
                      lab_words_time(telling->result->parameters.ttl_s * 1e9).text);
    else
        buffer_put_text(telling->out, "keys were missing that do not expire");
}

static bool tell_cache(const struct telling *telling) {
    const struct lab_result *result = telling->result;
    bool is_low = telling->facts->hit_ratio < HITS_WELL, is_stampede = result->backend_at_once >= STAMPEDE;
    if (!is_low && !is_stampede) return false;
    if (is_low)
        buffer_printf(telling->out, "Only %s of the reads found their key, as ",
                      lab_words_share(telling->facts->hit_ratio).text);
    else
        buffer_printf(telling->out,
                      "Misses went behind the cache up to %s at one time, where one for each value would do, as ",
                      lab_words_count((double)result->backend_at_once).text);
    put_miss_reason(telling);
    if (is_low && is_stampede)
        buffer_printf(telling->out,
                      "; up to %s of them went behind the cache at one time, where one for each value would do",
                      lab_words_count((double)result->backend_at_once).text);
    buffer_put_text(telling->out, ".");
    return true;
}

static bool tell_server(const struct telling *telling) {
    if (!(telling->facts->server_cpu_share < CPU_FULL) || telling->facts->total.completed == 0) return false;
    buffer_printf(telling->out, "The server used %s of a core.",
                  lab_words_share(telling->facts->server_cpu_share).text);
    return true;
}

void lab_verdict_write(const struct lab_result *result, const struct lab_facts *facts, struct buffer *out) {
    static bool (*const rules[])(const struct telling *telling) = {
        tell_end,       tell_nothing_done, tell_freeze, tell_failures,    tell_lateness, tell_waiting,
        tell_agreement, tell_schedule,     tell_keys,   tell_full_server, tell_cache,    tell_server,
    };
    struct telling telling = {result, facts, out};
    struct buffer sentence;
    buffer_init(&sentence, out->limit);
    telling.out = &sentence;
    int told = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && told < SENTENCES_MAX; i++) {
        buffer_reset(&sentence);
        if (!rules[i](&telling)) continue;
        if (told++ > 0) buffer_put_char(out, ' ');
        buffer_put(out, buffer_bytes(&sentence));
        if (sentence.status != STATUS_OK && out->status == STATUS_OK) out->status = sentence.status;
    }
    buffer_free(&sentence);
}

void lab_result_write_verdict(const struct lab_result *result, struct buffer *out) {
    struct lab_facts facts;
    enum status status = lab_facts_of(result, &facts);
    if (status == STATUS_OK)
        lab_verdict_write(result, &facts, out);
    else if (out->status == STATUS_OK)
        out->status = status;
}
