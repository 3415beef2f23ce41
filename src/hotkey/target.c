/* Reaching the target: address, greeting, what it says of itself, and errors in plain words. */
#include "hotkey/target.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A remedy for an error that holds this text. */
static const struct {
    const char *what, *remedy;
} remedies[] = {
    {"Connection refused", "nothing listens there: start Redis, or correct ORDERLY_LAB_REDIS or REDIS_HOST"},
    {"timed out", "it is frozen, overloaded or behind a firewall: see that `redis-cli ping` answers"},
    {"no answer", "it is frozen, overloaded or behind a firewall: see that `redis-cli ping` answers"},
    {"Name or service not known", "correct the name in ORDERLY_LAB_REDIS or REDIS_HOST"},
    {"Temporary failure in name resolution", "see that the name server answers"},
    {"No route to host", "correct the address, or the network between"},
    {"Network is unreachable", "correct the address, or the network between"},
    {"Protocol error", "what answers there is not Redis, or wants TLS, which the lab does not speak"},
    {"not Redis", "correct ORDERLY_LAB_REDIS or REDIS_HOST"},
    {"closed the connection", "see Redis's log; the lab does not speak TLS"},
    {"NOAUTH", "it wants a password: set ORDERLY_REDIS_PASSWORD and REDIS_HOST, or ORDERLY_LAB_REDIS to another one"},
    {"WRONGPASS", "correct ORDERLY_REDIS_USER and ORDERLY_REDIS_PASSWORD"},
    {"invalid password", "correct ORDERLY_REDIS_USER and ORDERLY_REDIS_PASSWORD"},
    {"AUTH <password> called without", "it has no password: unset ORDERLY_REDIS_PASSWORD"},
    {"NOPERM", "grant the ACL user +@read +@write +@connection +info ~orderly:lab:*"},
    {"LOADING", "it reads its data from disk after a start: wait until it is done"},
    {"max number of clients", "raise maxclients of Redis, or run with fewer --connections"},
    {"DENIED", "Redis is in protected mode: give it a password, or let it listen on loopback only"},
    {"cluster", "name a Redis that stands alone"},
};

enum status target_error(const struct target *target, struct error *error, const char *what) {
    const char *remedy = "";
    if (strstr(what, "temporarily unavailable")) what = "no answer in time"; /* what the system says of a timeout */
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies && !*remedy; i++)
        if (strstr(what, remedies[i].what)) remedy = remedies[i].remedy;
    return error_set(error, STATUS_UNAVAILABLE, "Redis at %.128s:%u: %.200s%s%s", target->host, (unsigned)target->port,
                     what, *remedy ? "; " : "", remedy);
}

static enum status resolve(struct target *target, struct error *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)target->port);
    int code = getaddrinfo(target->host, port, &hints, &found);
    if (code) return target_error(target, error, gai_strerror(code));
    /* hiredis takes the first address that accepts; the workers must take the same. */
    enum status status = STATUS_UNAVAILABLE;
    for (const struct addrinfo *at = found; at && status != STATUS_OK; at = at->ai_next) {
        int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval limit = {TARGET_CONNECT_MS / 1000, TARGET_CONNECT_MS % 1000 * 1000};
        if (fd < 0) continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            memcpy(&target->address, at->ai_addr, at->ai_addrlen);
            target->address_size = at->ai_addrlen;
            status = STATUS_OK;
        } else {
            target_error(target, error, errno == EINPROGRESS ? "timed out" : strerror(errno));
        }
        close(fd);
    }
    freeaddrinfo(found);
    return status;
}

/* Sends one command and wants an answer that is no error. */
static enum status command(const struct target *target, redisContext *context, int count, const char **arguments,
                           redisReply **reply_out, struct error *error) {
    redisReply *reply = redisCommandArgv(context, count, arguments, NULL);
    enum status status = STATUS_OK;
    if (!reply)
        status = target_error(target, error, context->errstr);
    else if (reply->type == REDIS_REPLY_ERROR)
        status = target_error(target, error, reply->str);
    if (status == STATUS_OK && reply_out)
        *reply_out = reply;
    else if (reply)
        freeReplyObject(reply);
    return status;
}

static enum status greet(const struct target *target, redisContext *context, struct error *error) {
    const char *user = target->options.user, *password = target->options.password;
    enum status status = STATUS_OK;
    if (password && password[0]) {
        bool has_user = user && user[0];
        const char *auth[] = {"AUTH", has_user ? user : password, password};
        status = command(target, context, has_user ? 3 : 2, auth, NULL, error);
    }
    const char *ping[] = {"PING"};
    return status == STATUS_OK ? command(target, context, 1, ping, NULL, error) : status;
}

enum status target_connect(const struct target *target, int64_t timeout_ms, redisContext **context_out,
                           struct error *error) {
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    char address[64] = "";
    getnameinfo((const struct sockaddr *)&target->address, target->address_size, address, sizeof address, NULL, 0,
                NI_NUMERICHOST);
    redisContext *context = redisConnectWithTimeout(address, target->port, timeout);
    if (!context) return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = context->err ? target_error(target, error, context->errstr) : STATUS_OK;
    if (status == STATUS_OK) {
        redisSetTimeout(context, timeout);
        status = greet(target, context, error);
    }
    if (status == STATUS_OK)
        *context_out = context;
    else
        redisFree(context);
    return status;
}

/* A line "name:value" of INFO; "" if there is none. */
static void info_text(const char *info, const char *name, char *out, size_t size) {
    const char *at = strstr(info, name);
    out[0] = '\0';
    if (!at) return;
    at += strlen(name);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static bool is_loopback(const struct target *target) {
    const struct sockaddr *address = (const struct sockaddr *)&target->address;
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* The CPU clock of the server's process, where it runs on this machine: its own pid in INFO may be that of a container,
 * so the process must bear a server's name. */
static void find_cpu_clock(struct target *target, const char *info) {
    char pid_text[24], path[48], name[32] = "";
    info_text(info, "\r\nprocess_id:", pid_text, sizeof pid_text);
    pid_t pid = target->is_private ? target->pid : (pid_t)atoi(pid_text);
    if (pid <= 0 || !is_loopback(target)) return;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return;
    bool is_server = fgets(name, sizeof name, file) && (strstr(name, "redis") || strstr(name, "valkey"));
    fclose(file);
    target->has_cpu_clock = is_server && clock_getcpuclockid(pid, &target->cpu_clock) == 0;
}

static enum status read_info(struct target *target, redisContext *context, struct error *error) {
    const char *arguments[] = {"INFO"};
    redisReply *reply = NULL;
    struct error ignored;
    char cluster[8];
    /* An ACL user may be without INFO: the run goes on, and knows less. */
    if (command(target, context, 1, arguments, &reply, &ignored) != STATUS_OK) return STATUS_OK;
    const char *info = reply->str ? reply->str : "";
    info_text(info, "redis_version:", target->version, sizeof target->version);
    info_text(info, "maxmemory_policy:", target->policy, sizeof target->policy);
    info_text(info, "cluster_enabled:", cluster, sizeof cluster);
    find_cpu_clock(target, info);
    freeReplyObject(reply);
    if (!strcmp(cluster, "1")) return target_error(target, error, "it is part of a Redis cluster");
    return STATUS_OK;
}

static enum status look_at(struct target *target, struct error *error) {
    redisContext *context = NULL;
    enum status status = resolve(target, error);
    if (status == STATUS_OK) status = target_connect(target, TARGET_CONNECT_MS, &context, error);
    if (status != STATUS_OK) return status;
    status = read_info(target, context, error);
    redisFree(context);
    return status;
}

/* Until the private server answers, or has ended, or its time is over. */
static enum status wait_for_private(struct target *target, struct error *error) {
    const int64_t end_ns = clock_monotonic_ns(clock_system()) + TARGET_START_MS * INT64_C(1000000);
    enum status status;
    while ((status = look_at(target, error)) != STATUS_OK) {
        if (waitpid(target->pid, NULL, WNOHANG) == target->pid) {
            target->pid = 0;
            return error_set(error, STATUS_UNAVAILABLE, "%s ended at once: try it by hand",
                             target->options.server_program);
        }
        if (clock_monotonic_ns(clock_system()) >= end_ns) break;
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    return status;
}

enum status target_open(struct target *target, const struct lab_target_options *options, const struct clock *clock,
                        struct error *error) {
    memset(target, 0, sizeof *target);
    target->options = *options;
    target->clock = clock;
    if (options->host && options->host[0]) {
        snprintf(target->host, sizeof target->host, "%s", options->host);
        target->port = options->port;
        return look_at(target, error);
    }
    target->is_private = true;
    target->options.user = target->options.password = "";
    enum status status = STATUS_UNAVAILABLE;
    for (int i = 0; i < TARGET_PORTS_MAX && status == STATUS_UNAVAILABLE; i++) {
        status = target_start_private(target, error);
        if (status == STATUS_OK) status = wait_for_private(target, error);
        if (status != STATUS_OK) target_close(target);
    }
    return status;
}

void target_freeze(struct target *target, bool frozen) {
    if (target->pid <= 0 || target->is_frozen == frozen) return;
    if (kill(target->pid, frozen ? SIGSTOP : SIGCONT) == 0) target->is_frozen = frozen;
}

void target_close(struct target *target) {
    if (target->pid <= 0) return;
    kill(target->pid, SIGKILL); /* it keeps nothing that could be lost */
    waitpid(target->pid, NULL, 0);
    target->pid = 0;
}

double target_cpu_s(const struct target *target) {
    struct timespec used;
    if (!target->has_cpu_clock || clock_gettime(target->cpu_clock, &used) != 0) return -1;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

void target_describe(const struct target *target, char *out, size_t size) {
    bool is_v6 = strchr(target->host, ':') != NULL;
    snprintf(out, size, "redis%s%s at %s%s%s:%u%s", target->version[0] ? " " : "", target->version, is_v6 ? "[" : "",
             target->host, is_v6 ? "]" : "", (unsigned)target->port,
             target->is_private ? ", started for this run" : "");
}
