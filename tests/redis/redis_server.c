/* Redis servers as child processes, and a blocking way to ask them. */
#include "redis/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_POLLS_MAX 3000 /* of 10 ms */
#define ASK_TIMEOUT_S 10

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "redis-server: %s\n", what);
    abort();
}

static void wait_ms(int ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        give_up("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

void redis_server_init(struct redis_server *server) {
    *server = (struct redis_server){.port = free_port()};
}

static redisContext *connect_to(const struct redis_server *server) {
    redisContext *context = redisConnectWithTimeout("127.0.0.1", server->port, (struct timeval){.tv_sec = 1});
    if (!context) give_up("no memory");
    if (!context->err) redisSetTimeout(context, (struct timeval){.tv_sec = ASK_TIMEOUT_S});
    if (!context->err && server->password) freeReplyObject(redisCommand(context, "AUTH %s", server->password));
    return context;
}

/* NOAUTH and the like are answers too; LOADING is not. */
static int answers(const struct redis_server *server) {
    redisContext *context = connect_to(server);
    redisReply *reply = context->err ? NULL : redisCommand(context, "PING");
    int is_ready = reply && !(reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) == 0);
    if (reply) freeReplyObject(reply);
    redisFree(context);
    return is_ready;
}

static void run(const struct redis_server *server) {
    char port[8];
    const char *argv[12 + REDIS_SERVER_ARGUMENTS_MAX] = {
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--logfile", "", "--dir", "/tmp"};
    snprintf(port, sizeof port, "%u", server->port);
    for (int i = 0; server->arguments[i]; i++)
        argv[11 + i] = server->arguments[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves no server behind */
    if (!freopen("/dev/null", "w", stdout)) _exit(127);
    execvp("redis-server", (char *const *)argv);
    _exit(127);
}

void redis_server_start(struct redis_server *server) {
    server->pid = fork();
    if (server->pid < 0) give_up(strerror(errno));
    if (server->pid == 0) run(server);
    for (int i = 0; i < START_POLLS_MAX; i++) {
        if (answers(server)) return;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) give_up("ended at once; is it installed?");
        wait_ms(10);
    }
    give_up("does not answer");
}

void redis_server_kill(struct redis_server *server) {
    if (!server->pid) return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_freeze(struct redis_server *server) {
    int status;
    kill(server->pid, SIGSTOP);
    if (waitpid(server->pid, &status, WUNTRACED) != server->pid || !WIFSTOPPED(status)) give_up("does not stop");
}

void redis_server_thaw(struct redis_server *server) {
    kill(server->pid, SIGCONT);
}

static char *text_of(const redisReply *reply) {
    char *text = NULL;
    switch (reply->type) {
    case REDIS_REPLY_NIL: text = strdup("(nil)"); break;
    case REDIS_REPLY_INTEGER: return asprintf(&text, "%lld", reply->integer) < 0 ? NULL : text;
    case REDIS_REPLY_ARRAY: return asprintf(&text, "%zu", reply->elements) < 0 ? NULL : text;
    default: text = strndup(reply->str, reply->len);
    }
    return text;
}

static char *ask(const struct redis_server *server, const char *format, va_list arguments) {
    redisContext *context = connect_to(server);
    if (context->err) give_up(context->errstr);
    redisReply *reply = redisvCommand(context, format, arguments);
    if (!reply) give_up(context->errstr);
    char *text = text_of(reply);
    if (!text) give_up("no memory");
    freeReplyObject(reply);
    redisFree(context);
    return text;
}

char *redis_server_ask(const struct redis_server *server, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = ask(server, format, arguments);
    va_end(arguments);
    return text;
}

long long redis_server_number(const struct redis_server *server, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = ask(server, format, arguments), *end;
    va_end(arguments);
    long long number = strtoll(text, &end, 10);
    if (end == text || *end) number = -1;
    free(text);
    return number;
}
