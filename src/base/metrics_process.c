/* The figures of this process, read from the kernel at each scrape. */
#include "base/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Reads a small file of /proc as text; false if it cannot be read. */
static bool read_text(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t read_size = fread(out, 1, size - 1, file);
    fclose(file);
    out[read_size] = '\0';
    return read_size > 0;
}

/* Field number n (from 3) of /proc/self/stat. The name before it, in parentheses, may hold spaces. */
static double stat_field(int number) {
    char text[1024];
    if (!read_text("/proc/self/stat", text, sizeof text)) return NAN;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < number; field++)
        at = strchr(at + 1, ' ');
    double value;
    return at && sscanf(at, "%lf", &value) == 1 ? value : NAN;
}

/* Pages of /proc/self/statm: all resident ones, and those of files and shared memory among them. */
static bool statm_pages(double *resident_out, double *shared_out) {
    char text[256];
    if (!read_text("/proc/self/statm", text, sizeof text)) return false;
    return sscanf(text, "%*s %lf %lf", resident_out, shared_out) == 2;
}

static double cpu_seconds(void *data) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return NAN;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void *data) {
    double resident, shared;
    return statm_pages(&resident, &shared) ? resident * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static double anonymous_bytes(void *data) {
    double resident, shared;
    return statm_pages(&resident, &shared) ? (resident - shared) * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static double threads(void *data) {
    return stat_field(20);
}

static double open_descriptors(void *data) {
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) return NAN;
    int count = -3; /* ".", ".." and the directory's own descriptor */
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static double descriptors_limit(void *data) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : NAN;
}

static double start_time_seconds(void *data) {
    char text[8192];
    double boot_seconds;
    if (!read_text("/proc/stat", text, sizeof text)) return NAN;
    const char *line = strstr(text, "\nbtime ");
    if (!line || sscanf(line, " btime %lf", &boot_seconds) != 1) return NAN;
    return boot_seconds + stat_field(22) / (double)sysconf(_SC_CLK_TCK);
}

void metrics_register_process(struct metrics *metrics) {
    static const struct {
        const char *name, *help;
        double (*read)(void *data);
    } rows[] = {
        {"process_cpu_seconds_total", "User and system CPU time in seconds.", cpu_seconds},
        {"process_resident_memory_bytes", "Resident memory, mapped files included.", resident_bytes},
        {"process_anonymous_memory_bytes", "Resident memory without files and shared memory.", anonymous_bytes},
        {"process_threads", "Threads.", threads},
        {"process_open_fds", "Open file descriptors.", open_descriptors},
        {"process_max_fds", "The limit of open file descriptors.", descriptors_limit},
        {"process_start_time_seconds", "Start time in seconds since 1970.", start_time_seconds},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        metrics_gauge_callback(metrics, rows[i].name, rows[i].help, "", rows[i].read, NULL);
}
