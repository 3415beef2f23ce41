/* Faults on demand: rules looked up by the number of the call. */
#include "support/faults.h"

#include <time.h>

#define FAULTS_WAIT_S 30

void faults_init(struct faults *faults) {
    *faults = (struct faults){0};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&faults->mutex, NULL);
    pthread_cond_init(&faults->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void faults_free(struct faults *faults) {
    pthread_cond_destroy(&faults->changed);
    pthread_mutex_destroy(&faults->mutex);
}

void faults_reset(struct faults *faults) {
    pthread_mutex_lock(&faults->mutex);
    faults->rule_count = 0;
    faults->is_crashed = false;
    for (int i = 0; i <= FAULT_POINT_COUNT; i++)
        faults->calls[i] = faults->begun[i] = 0;
    pthread_mutex_unlock(&faults->mutex);
}

void faults_add(struct faults *faults, struct fault_rule rule) {
    pthread_mutex_lock(&faults->mutex);
    if (faults->rule_count < FAULT_RULES_MAX) faults->rules[faults->rule_count++] = rule;
    pthread_mutex_unlock(&faults->mutex);
}

static const struct fault_rule *find_rule(const struct faults *faults, enum fault_point point) {
    for (size_t i = 0; i < faults->rule_count; i++) {
        const struct fault_rule *rule = &faults->rules[i];
        if (rule->point != point && rule->point != FAULT_ANY) continue;
        unsigned call = faults->begun[rule->point];
        if (call >= rule->first && (rule->count == 0 || call < rule->first + rule->count)) return rule;
    }
    return NULL;
}

static void settle(struct faults *faults, enum fault_point point) {
    faults->calls[point]++;
    faults->calls[FAULT_ANY]++;
    pthread_cond_broadcast(&faults->changed);
}

enum fault_effect faults_next(struct faults *faults, enum fault_point point, enum status *status_out) {
    enum fault_effect effect = FAULT_NONE;
    pthread_mutex_lock(&faults->mutex);
    faults->begun[point]++;
    faults->begun[FAULT_ANY]++;
    const struct fault_rule *rule = find_rule(faults, point);
    if (rule) {
        effect = rule->effect;
        *status_out = rule->status;
    }
    if (faults->is_crashed) {
        effect = FAULT_REFUSED;
        *status_out = STATUS_UNAVAILABLE;
    } else if (effect == FAULT_CRASH_BEFORE || effect == FAULT_CRASH_AFTER) {
        faults->is_crashed = true;
        *status_out = effect == FAULT_CRASH_BEFORE ? STATUS_UNAVAILABLE : STATUS_UNKNOWN;
        effect = effect == FAULT_CRASH_BEFORE ? FAULT_REFUSED : FAULT_MISREPORTED;
    }
    if (effect != FAULT_HELD) settle(faults, point);
    pthread_mutex_unlock(&faults->mutex);
    return effect;
}

void faults_hold(struct faults *faults, enum fault_point point, struct fault_held *held) {
    pthread_mutex_lock(&faults->mutex);
    queue_push(&faults->held, &held->link);
    settle(faults, point);
    pthread_mutex_unlock(&faults->mutex);
}

bool faults_have_crashed(struct faults *faults) {
    pthread_mutex_lock(&faults->mutex);
    bool is_crashed = faults->is_crashed;
    pthread_mutex_unlock(&faults->mutex);
    return is_crashed;
}

unsigned faults_calls(struct faults *faults, enum fault_point point) {
    pthread_mutex_lock(&faults->mutex);
    unsigned calls = faults->calls[point];
    pthread_mutex_unlock(&faults->mutex);
    return calls;
}

bool faults_wait_calls(struct faults *faults, enum fault_point point, unsigned calls) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FAULTS_WAIT_S;
    int failure = 0;
    pthread_mutex_lock(&faults->mutex);
    while (faults->calls[point] < calls && failure == 0)
        failure = pthread_cond_timedwait(&faults->changed, &faults->mutex, &until);
    bool is_reached = faults->calls[point] >= calls;
    pthread_mutex_unlock(&faults->mutex);
    return is_reached;
}

void faults_release(struct faults *faults) {
    pthread_mutex_lock(&faults->mutex);
    struct queue held = faults->held;
    faults->held = (struct queue){0};
    pthread_mutex_unlock(&faults->mutex);
    struct queue_link *link;
    while ((link = queue_pop(&held))) {
        struct fault_held *call = CONTAINER_OF(link, struct fault_held, link);
        call->go_on(call);
    }
}
