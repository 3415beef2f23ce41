/* What a person sees of a run: a line a second, the table at the end; the schedule of a dry run; the profiles. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/simulate.h"
#include "hotkey/schedule.h"

static const char *const class_names[] = {[LAB_HOT] = "hot", [LAB_NORMAL] = "normal"};
static const char *const kind_names[] = {[LAB_READ] = "read", [LAB_WRITE] = "write"};
static const char *const target_names[] = {
    [LAB_TARGET_UP] = "", [LAB_TARGET_SLOW] = "SLOW", [LAB_TARGET_DOWN] = "DOWN", [LAB_TARGET_FROZEN] = "FROZEN"};

void simulate_show_ready(void *data, const struct lab_result *so_far) {
    const struct lab_parameters *parameters = &so_far->parameters;
    (void)data;
    fprintf(stderr, "%s: %" PRId64 " hot and %" PRId64 " normal clients for %.10g s, seed %" PRId64 "; %s\n",
            parameters->profile, parameters->classes[LAB_HOT].clients, parameters->classes[LAB_NORMAL].clients,
            parameters->duration_s, parameters->seed, so_far->target);
}

static double ms(int64_t ns) {
    return (double)ns / 1e6;
}

static void write_p99(const struct lab_second *second, enum lab_class class, char *out, size_t size) {
    const struct lab_times *times = &second->times[class][LAB_RESPONSE];
    if (times->count)
        snprintf(out, size, "%.2f ms", ms(times->p99_ns));
    else
        snprintf(out, size, "-");
}

/* One line: on a terminal in place of the last one. */
void simulate_show_tick(void *data, const struct lab_result *so_far, const struct lab_second *second) {
    struct simulate *simulate = data;
    char line[512], hot[32], normal[32], key[64] = "-";
    uint64_t completed = 0, failed = 0, dropped = 0;
    for (int class = 0; class < LAB_CLASSES; class ++) {
        completed += second->counts[class].completed;
        failed += second->counts[class].failed;
        dropped += second->counts[class].dropped;
    }
    write_p99(second, LAB_HOT, hot, sizeof hot);
    write_p99(second, LAB_NORMAL, normal, sizeof normal);
    const struct lab_detection *detection = &second->detection;
    if (detection->found_count && detection->operations)
        snprintf(key, sizeof key, "key %" PRIu32 " (%.0f %%)", detection->found[0].key,
                 100.0 * (double)detection->found[0].count / (double)detection->operations);
    double rate = second->length_s > 0 ? (double)completed / second->length_s : 0;
    int used = snprintf(line, sizeof line, "%4.0f s  %8.0f/s  p99 hot %s, normal %s  top %s", so_far->elapsed_s, rate,
                        hot, normal, key);
    if (failed || dropped)
        used += snprintf(line + used, sizeof line - (size_t)used, "  %" PRIu64 " failed, %" PRIu64 " dropped", failed,
                         dropped);
    if (second->behind)
        used += snprintf(line + used, sizeof line - (size_t)used, "  %" PRIu64 " behind", second->behind);
    if (second->target != LAB_TARGET_UP || second->target_error[0])
        snprintf(line + used, sizeof line - (size_t)used, "  %s %.100s", target_names[second->target],
                 second->target_error);
    fprintf(stderr, simulate->is_terminal ? "\r\033[K%.110s" : "%s\n", line);
    simulate->has_line = simulate->is_terminal;
    fflush(stderr);
}

int simulate_show_result(struct simulate *simulate, const struct lab_result *result) {
    struct buffer out;
    if (simulate->has_line) fputc('\n', stderr);
    buffer_init(&out, SIMULATE_OUTPUT_MAX);
    if (simulate->is_json) {
        lab_result_write_json(result, &out);
        buffer_put_char(&out, '\n');
    } else {
        lab_result_write_text(result, &out);
    }
    bool is_written =
        out.status == STATUS_OK && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0;
    buffer_free(&out);
    if (!is_written) fputs("orderly simulate: the result could not be written\n", stderr);
    return is_written ? EXIT_OK : EXIT_FAILED;
}

/* The schedule with the clients of closed arrival answered at once. */
int simulate_dry_run(const struct simulate *simulate) {
    struct lab_schedule *schedule = NULL;
    struct lab_timeline *timeline = NULL;
    struct lab_operation operation;
    enum status status = lab_schedule_new(&simulate->parameters, &schedule);
    if (status == STATUS_OK) status = lab_timeline_new(schedule, 0, 1, true, &timeline);
    if (status == STATUS_OK) puts("time_ms class client key operation");
    for (int64_t i = 0; status == STATUS_OK && (simulate->dry_run == 0 || i < simulate->dry_run); i++) {
        if (!lab_timeline_pop(timeline, &operation)) break;
        if (printf("%.6f %s %" PRIu32 " %" PRIu32 " %s\n", ms(operation.at_ns), class_names[operation.class],
                   operation.client, operation.key, kind_names[operation.kind]) < 0)
            break; /* the reader has seen enough */
    }
    lab_timeline_free(timeline);
    lab_schedule_free(schedule);
    if (status != STATUS_OK) fputs("orderly simulate: out of memory\n", stderr);
    return status == STATUS_OK ? EXIT_OK : EXIT_FAILED;
}

void simulate_list_profiles(void) {
    size_t count;
    const struct lab_profile *profiles = lab_profile_table(&count);
    for (size_t i = 0; i < count; i++)
        printf("%s: %s\n  %s\n  %s\n\n", profiles[i].name, profiles[i].title, profiles[i].text, profiles[i].overrides);
}
